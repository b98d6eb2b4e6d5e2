"""Directories as stores. Reads leave no trace in access times; writes are durable and whole."""

import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, cast

from cloudflux.errors import (
    ContainerNotFound,
    NotSupported,
    ObjectNotFound,
)
from cloudflux.storage import file_exchange, file_new, file_read, file_tiers, file_write
from cloudflux.storage import file_system as fs
from cloudflux.storage.file_paths import Entry, Paths
from cloudflux.storage.file_walk import walk
from cloudflux.storage.interface import (
    BRIEF_PAGE,
    CONTROL_PREFIX,
    Brief,
    Capabilities,
    ObjectInfo,
    Pieces,
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
            reads_back=(file_write.PROOF,),
        )
        self._durability = file_new.Durability(self._paths.root)
        self._reader = file_read.Reader(self._paths)
        self._writer = file_new.Writer(self._paths, self._reader, self._durability)
        self.least_parts_bytes, self.parts_digest = 2 * file_write.PART_BYTES, file_write.PROOF

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
            key, name = entry
            try:
                status = os.lstat(name)
                if stat.S_ISREG(status.st_mode) and status.st_nlink == 1:
                    yield self._reader.plain(key, status)
                    continue
                found = self._paths.resolve(Path(name))
            except FileNotFoundError:
                continue  # removed since the directory was read
            except OSError as error:
                yield Unreadable(key, os.strerror(error.errno or 0))
                continue
            if isinstance(found, Entry):
                yield Unreadable(key, found.reason)
            else:
                yield self._reader.info(key, found)

    def list_whole(self, prefix: str = "") -> Iterator[ObjectInfo | Unreadable]:
        """The same with what each file carries, which is a few calls of the system more."""
        for info in self.list(prefix):
            if isinstance(info, Unreadable):
                yield info
                continue
            with suppress(ObjectNotFound):  # removed since the directory was read
                yield self._reader.head(info.key)

    def list_briefs(self, start_after: str = "") -> Iterator[Sequence[Brief]]:
        """Pages of key, size and version, in the order of `list`."""
        page: list[Brief] = []
        for info in self.list(start_after=start_after):
            if isinstance(info, ObjectInfo):
                page.append((info.key, info.size_bytes, info.version))
            if len(page) == BRIEF_PAGE:
                yield page
                page = []
        yield page

    def head(self, key: str) -> ObjectInfo:
        """Everything known of one file. Raises ObjectNotFound."""
        return self._reader.head(key)

    def open(self, key: str, *, if_version: str | None = None) -> BinaryIO:
        """Stream the content without touching its access time, where permitted."""
        return cast("BinaryIO", fs.Reading(self._reader.open(key, if_version), key))

    def fetch(self, key: str, *, if_version: str) -> tuple[ObjectInfo, BinaryIO]:
        """What `head` and `open` give, of one opened file."""
        return self._reader.fetch(key, if_version)

    def read_range(self, key: str, start: int, length: int, *, if_version: str) -> bytes:
        """Exactly these bytes, of a file that is the same before and after."""
        return self._reader.read_range(key, start, length, if_version)

    def postpone(self) -> None:
        """Make what is written from now on durable with `settle`, not each by itself."""
        with fs.translated("settle"):
            self._durability.postpone()

    def settle(self) -> None:
        """Wait until everything that was written is on the disk."""
        with fs.translated("settle"):
            self._durability.settle()

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
        """Write a temporary file beside, read it back, then rename; see the contract."""
        with self._writer.new_file(key, storage_class, if_absent, if_version) as new:
            proof = file_write.fill(new.descriptor, key, stream, size_bytes, sha256, info, metadata)
        return Written(new.version, {file_write.PROOF: proof})

    def put_parts(
        self,
        key: str,
        pieces: Pieces,
        *,
        info: ObjectInfo,
        storage_class: str | None = None,
        metadata: Mapping[str, str] | None = None,
        if_absent: bool = False,
        if_version: str | None = None,
        upload_id: str | None = None,  # noqa: ARG002  (none is ever begun: it starts anew)
        begun: Callable[[str], None] = lambda _: None,  # noqa: ARG002
    ) -> tuple[Written, Mapping[str, str]]:
        """Write a large file by parts, several at a time, each read back; see the contract."""
        with self._writer.new_file(key, storage_class, if_absent, if_version) as new:
            proof = file_write.fill_by_parts(new.descriptor, key, pieces, info, metadata)
        checksums = {file_write.PROOF: proof}
        return Written(new.version, checksums), checksums

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
                found = self._reader.find(key, "delete")
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
            found = self._reader.find(key, "change_class")
            if found.tier == tier:
                return self.head(key)
            if fs.version_of(found.status) != if_version or found.status.st_size != size_bytes:
                raise file_exchange.changed(key)
            file_tiers.move(self._paths, key, found, tier)
        return self.head(key)

    def uploads(self, prefix: str = "") -> Iterator[tuple[str, str]]:
        """What a killed writer left, here and in the tiers: (directory, name).

        What it left of our own objects is told only for a prefix among them.
        """
        if prefix.startswith(CONTROL_PREFIX):
            control = self._paths.root / CONTROL_PREFIX
            names = sorted(os.listdir(control)) if control.is_dir() else []  # noqa: PTH208
            found = (name for name in names if name.startswith(_LEFTOVERS))
            yield from ((CONTROL_PREFIX.rstrip("/"), name) for name in found)
            return
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
        """Release the directory that a postponement holds."""
        self._durability.close()
