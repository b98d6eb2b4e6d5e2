"""New files: a temporary one takes its name when it is whole, durable alone or by the batch."""

import ctypes
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cloudflux.errors import NotSupported, ObjectNotFound, PreconditionFailed
from cloudflux.storage import file_exchange, file_tiers
from cloudflux.storage import file_system as fs
from cloudflux.storage.file_paths import Found, Paths
from cloudflux.storage.file_read import Reader
from cloudflux.storage.keys import printable


@dataclass(slots=True)
class NewFile:
    """A file that is being written."""

    descriptor: int
    version: str = ""
    """Known when it has its name."""


class Durability:
    """Whether what was written outlives a power failure: at once, or when it is settled."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._descriptor: int | None = None

    @property
    def at_once(self) -> bool:
        """Each write waits for the disk."""
        return self._descriptor is None

    def postpone(self) -> None:
        """Let later writes be durable by `settle` only."""
        if self._descriptor is None:
            # opened before the writes: it is told of every error from here on
            self._descriptor = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def settle(self) -> None:
        """Wait until everything that was written is on the disk. Raises OSError."""
        if self._descriptor is None:
            return
        if _SYNCFS is None:
            os.sync()
        elif _SYNCFS(self._descriptor) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), os.fspath(self._root))

    def close(self) -> None:
        """Release the directory."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class Writer:
    """Makes the files of one location."""

    def __init__(self, paths: Paths, reader: Reader, durability: Durability) -> None:
        self._paths, self._reader, self._durability = paths, reader, durability

    @contextmanager
    def new_file(
        self, key: str, storage_class: str | None, if_absent: bool, if_version: str | None
    ) -> Iterator[NewFile]:
        """An open temporary file that takes the key's name when the block ends well."""
        if storage_class is not None and self._paths.tier(storage_class) is not None:
            raise NotSupported("a file is written at home; change its class then", key=key)
        name = self._paths.name(key)
        with fs.translated("put", key):
            if file_exchange.left_at(name):
                file_exchange.recover(self._paths, Path(name))
            if if_absent and os.path.lexists(name):
                raise PreconditionFailed(
                    f"{printable(key)} exists already", backend="file", operation="put", key=key
                )
            expected = self._expected(key, if_version)
            directory = name.rpartition("/")[0]
            self._make_directory(directory, key)
            temporary = f"{directory}/{file_tiers.TEMPORARY}{uuid.uuid4()}"
            descriptor = os.open(
                temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600
            )
            try:
                new = NewFile(descriptor)
                yield new
                if self._durability.at_once:
                    os.fsync(descriptor)
                if expected is not None:
                    file_exchange.replace_if_unchanged(self._paths, expected, Path(temporary), key)
                elif if_absent:
                    fs.rename_new(temporary, name)
                else:
                    file_exchange.replace(self._paths, Path(temporary), Path(name))
                if self._durability.at_once:
                    fs.sync_directory(Path(directory))
                new.version = fs.version_of(os.fstat(descriptor))
            except BaseException:
                Path(temporary).unlink(missing_ok=True)
                raise
            finally:
                os.close(descriptor)

    def _make_directory(self, directory: str, key: str) -> None:
        if os.path.isdir(directory):  # noqa: PTH112  (a Path takes longer)
            return
        try:
            fs.make_directories(Path(directory), durably=self._durability.at_once)
        except (FileExistsError, NotADirectoryError):
            raise NotSupported(
                f"{printable(key)}: a part of its path is a file", backend="file", key=key
            ) from None

    def _expected(self, key: str, if_version: str | None) -> Found | None:
        if if_version is None:
            return None
        try:
            found = self._reader.find(key, "put")
        except ObjectNotFound:
            raise file_exchange.changed(key) from None
        if fs.version_of(found.status) != if_version:
            raise file_exchange.changed(key)
        return found


_SYNCFS = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
