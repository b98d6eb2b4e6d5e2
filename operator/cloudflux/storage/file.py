"""Directories as stores. Reads leave no trace in access times; writes are durable and whole."""

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, cast

from cloudflux.errors import (
    ContainerNotFound,
    NotSupported,
    ObjectNotFound,
    PreconditionFailed,
)
from cloudflux.storage import file_attributes, file_exchange, file_tiers
from cloudflux.storage import file_system as fs
from cloudflux.storage.file_paths import Entry, Found, Paths
from cloudflux.storage.file_walk import walk
from cloudflux.storage.interface import (
    CONTROL_PREFIX,
    Capabilities,
    ObjectInfo,
    Unreadable,
    Written,
)
from cloudflux.storage.keys import printable

_LEFTOVERS = (file_tiers.TEMPORARY, file_exchange.INTENT)
"""Names that a killed writer can leave."""


class FileStore:
    """One directory, and the roots of its tiers."""

    def __init__(
        self, uri: str, *, file_roots: Sequence[str], tier_roots: Sequence[str] = ()
    ) -> None:
        """Raises ConfigurationError, LocationRefused."""
        self._paths = Paths(uri, file_roots, tier_roots)
        self.uri = self._paths.uri
        tiers = tuple(tier.uri for tier in self._paths.tiers)
        self.capabilities = Capabilities(
            scheme="file",
            storage_classes=(self._paths.home_uri, *tiers),
            tiers_by_link=bool(tiers),
            max_key_bytes=4095 - len(os.fsencode(self._paths.root)) - 1,
            hierarchical=True,
            max_segment_bytes=255,
        )

    def check(self) -> None:
        """Raise a clear error unless the directory and its tiers can be listed."""
        for path in (self._paths.root, *(tier.path for tier in self._paths.tiers)):
            if not path.is_dir():
                raise ContainerNotFound(
                    f"{path}: no such directory; create it or correct the uri",
                    backend="file",
                    operation="check",
                )
            with fs.translated("check"), os.scandir(path):
                pass

    def list(self, prefix: str = "", start_after: str = "") -> Iterator[ObjectInfo | Unreadable]:
        """Yield by key order (bytes); one directory's names are in memory at a time."""
        if not self._paths.root.is_dir():
            self.check()
        for entry in walk(self._paths.root, prefix, start_after):
            if isinstance(entry, Unreadable):
                yield entry
                continue
            key, path = entry
            try:
                found = self._paths.resolve(path)
            except FileNotFoundError:
                continue  # removed since the directory was read
            except OSError as error:
                yield Unreadable(key, os.strerror(error.errno or 0))
                continue
            if isinstance(found, Entry):
                yield Unreadable(key, found.reason)
            else:
                yield self._info(key, found)

    def head(self, key: str) -> ObjectInfo:
        """Everything known of one file. Raises ObjectNotFound."""
        found = self._find(key, "head")
        metadata, carried = file_attributes.read_attributes(found.content, found.status)
        return replace(
            self._info(key, found),
            metadata=metadata,
            headers=carried.get("headers", {}),
            tags=carried.get("tags", {}),
        )

    def open(self, key: str, *, if_version: str | None = None) -> BinaryIO:
        """Stream the content without touching its access time, where permitted."""
        found = self._find(key, "open")
        with fs.translated("open", key):
            stream = fs.open_unnoticed(found.content)
        if if_version is not None and fs.version_of(os.fstat(stream.fileno())) != if_version:
            stream.close()
            raise file_exchange.changed(key)
        return cast("BinaryIO", fs.Reading(stream, key))

    def put(
        self,
        key: str,
        stream: BinaryIO,
        size_bytes: int,
        *,
        info: ObjectInfo | None = None,
        storage_class: str | None = None,
        metadata: Mapping[str, str] | None = None,
        if_absent: bool = False,
        if_version: str | None = None,
        sha256: str | None = None,
    ) -> Written:
        """Write a temporary file beside, make it durable, then rename; see the contract."""
        if storage_class is not None and self._paths.tier(storage_class) is not None:
            raise NotSupported("a file is written at home; change its class then", key=key)
        path = self._paths.path(key)
        with fs.translated("put", key):
            file_exchange.recover(self._paths, path)
        if if_absent and os.path.lexists(path):
            raise PreconditionFailed(
                f"{printable(key)} exists already", backend="file", operation="put", key=key
            )
        expected = self._expected(key, if_version)
        with fs.translated("put", key):
            try:
                fs.make_directories(path.parent)
            except (FileExistsError, NotADirectoryError):
                raise NotSupported(
                    f"{printable(key)}: a part of its path is a file", backend="file", key=key
                ) from None
            temporary = file_tiers.temporary_beside(path)
            try:
                file_attributes.write_new(
                    temporary, key, stream, size_bytes, sha256, info, metadata
                )
                if expected is not None:
                    file_exchange.replace_if_unchanged(self._paths, expected, temporary, key)
                elif if_absent:
                    fs.rename_new(temporary, path)
                else:
                    file_exchange.replace(self._paths, temporary, path)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
            fs.sync_directory(path.parent)
            version = fs.version_of(path.lstat())
        return Written(version=version)

    def delete(self, key: str, *, if_version: str | None = None) -> None:
        """Remove. With a version: rename aside, look again, then remove or put back."""
        path = self._paths.path(key)
        with fs.translated("delete", key):
            removed = file_exchange.recover(self._paths, path)
            if not os.path.lexists(path):
                if if_version is not None and removed != fs.content_of(if_version):
                    raise ObjectNotFound(
                        f"{printable(key)} is gone", backend="file", operation="delete", key=key
                    )
                return
            if if_version is None:
                if path.is_dir() and not path.is_symlink():
                    return
                file_exchange.discard(self._paths, path)
                fs.sync_directory(path.parent)
            else:
                found = self._find(key, "delete")
                if fs.version_of(found.status) != if_version:
                    raise file_exchange.changed(key)
                file_exchange.remove_if_unchanged(self._paths, found, key)
            if key.startswith(CONTROL_PREFIX):
                fs.remove_empty_directories(path.parent, self._paths.root)

    def change_class(
        self, key: str, target: str, *, if_version: str, size_bytes: int
    ) -> ObjectInfo:
        """Move the content to the tier root `target` and leave a link, or bring it home."""
        tier = self._paths.tier(target)
        path = self._paths.path(key)
        with fs.translated("change_class", key):
            file_exchange.recover(self._paths, path)
            found = self._find(key, "change_class")
            if found.tier == tier:
                return self.head(key)
            if fs.version_of(found.status) != if_version or found.status.st_size != size_bytes:
                raise file_exchange.changed(key)
            file_tiers.move(self._paths, key, found, tier)
        return self.head(key)

    def uploads(self, prefix: str = "") -> Iterator[tuple[str, str]]:
        """What a killed writer left, here and in the tiers: (directory, name)."""
        roots = [(self._paths.root, "")]
        roots += [(tier.contents, f"{tier.uri} ") for tier in self._paths.tiers]
        for root, label in roots:
            if not root.is_dir():
                continue
            for entry in walk(root, own=lambda name: name.startswith(_LEFTOVERS)):
                if isinstance(entry, Unreadable):
                    continue
                directory, _, name = entry[0].rpartition("/")
                if directory.startswith(prefix.rpartition("/")[0]):
                    yield directory, f"{label}{name}"

    def abort_upload(self, key: str, upload_id: str) -> None:
        """Remove a temporary file, or bring an exchange to its end; absent is not an error."""
        label, _, name = upload_id.rpartition(" ")
        tier = self._paths.tier(label) if label else None
        if not name.startswith(_LEFTOVERS) or "/" in name or ".." in key.split("/"):
            raise NotSupported(f"{printable(upload_id)} is no leftover of ours", key=key)
        left = (tier.contents if tier else self._paths.root) / key / name
        with fs.translated("abort_upload", key or name):
            if tier is None and name.startswith(file_exchange.INTENT):
                self._end_exchange(key, left)
            elif left.is_symlink():
                file_exchange.discard(self._paths, left)
            else:
                left.unlink(missing_ok=True)

    def _end_exchange(self, directory: str, left: Path) -> None:
        intent = file_exchange.read_intent(left)
        if intent is not None and file_exchange.intent_path(left.with_name(intent.name)) == left:
            key = f"{directory}/{intent.name}" if directory else intent.name
            file_exchange.recover(self._paths, self._paths.path(key))

    def close(self) -> None:
        """Nothing to release."""

    def _find(self, key: str, operation: str) -> Found:
        path = self._paths.path(key)
        with fs.translated(operation, key):
            status = path.lstat()
            found = self._paths.resolve(path) if not stat.S_ISDIR(status.st_mode) else None
        if found is None:
            raise ObjectNotFound(
                f"{printable(key)} is a directory", backend="file", operation=operation, key=key
            )
        if isinstance(found, Entry):
            raise NotSupported(
                f"{printable(key)} {found.reason}", backend="file", operation=operation, key=key
            )
        return found

    def _info(self, key: str, found: Found) -> ObjectInfo:
        return ObjectInfo(
            key=key,
            size_bytes=found.status.st_size,
            version=fs.version_of(found.status),
            storage_class=self._paths.storage_class(found),
            last_modified=file_attributes.time_of(found.status.st_mtime_ns),
            last_accessed=file_attributes.time_of(found.status.st_atime_ns),
        )

    def _expected(self, key: str, if_version: str | None) -> Found | None:
        if if_version is None:
            return None
        try:
            found = self._find(key, "put")
        except ObjectNotFound:
            raise file_exchange.changed(key) from None
        if fs.version_of(found.status) != if_version:
            raise file_exchange.changed(key)
        return found
