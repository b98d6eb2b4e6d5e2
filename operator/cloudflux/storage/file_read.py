"""Reading files: what a name is, what is known of it, its bytes."""

import errno
import os
import stat
from dataclasses import replace
from typing import BinaryIO, cast

from cloudflux.errors import NotSupported, ObjectNotFound, Unavailable
from cloudflux.storage import file_attributes, file_exchange
from cloudflux.storage import file_system as fs
from cloudflux.storage.file_paths import Entry, Found, Paths
from cloudflux.storage.interface import ObjectInfo
from cloudflux.storage.keys import printable


class Reader:
    """The files of one location."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths

    def find(self, key: str, operation: str) -> Found:
        """The file that holds a key's content. Raises ObjectNotFound, NotSupported."""
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

    def head(self, key: str) -> ObjectInfo:
        """Everything known of one file. Raises ObjectNotFound."""
        found = self.find(key, "head")
        metadata, carried = file_attributes.read_attributes(found.content, found.status)
        return replace(
            self.info(key, found),
            metadata=metadata,
            headers=carried.get("headers", {}),
            tags=carried.get("tags", {}),
        )

    def open(self, key: str, if_version: str | None) -> BinaryIO:
        """The opened file, unbuffered. Raises PreconditionFailed for another version."""
        with fs.translated("open", key):
            try:
                stream = fs.open_unnoticed(self._paths.name(key))
            except OSError as error:
                if error.errno not in (errno.ELOOP, errno.EISDIR):
                    raise
                # a link to a tier, or something that is no file at all, which this says
                stream = fs.open_unnoticed(self.find(key, "open").content)
            status = os.fstat(stream.fileno())
            if status.st_nlink > 1:
                stream.close()
                self.find(key, "open")  # says what is wrong with it
                raise file_exchange.changed(key)
            if if_version is not None and fs.version_of(status) != if_version:
                stream.close()
                raise file_exchange.changed(key)
            return stream

    def fetch(self, key: str, if_version: str) -> tuple[ObjectInfo, BinaryIO]:
        """What `head` and `open` give, of one opened file."""
        stream = self.open(key, if_version)
        status = os.fstat(stream.fileno())
        metadata, carried = file_attributes.read_attributes(stream.fileno(), status)
        info = replace(
            self.plain(key, status) if status.st_nlink == 1 else self.head(key),
            metadata=metadata,
            headers=carried.get("headers", {}),
            tags=carried.get("tags", {}),
        )
        return info, cast("BinaryIO", fs.Reading(stream, key))

    def read_range(self, key: str, start: int, length: int, if_version: str) -> bytes:
        """Exactly these bytes, of a file that is the same before and after."""
        with self.open(key, if_version) as stream, fs.translated("read", key):
            data = os.pread(stream.fileno(), length, start)
            if fs.version_of(os.fstat(stream.fileno())) != if_version:
                raise file_exchange.changed(key)
        if len(data) != length:
            raise Unavailable(
                f"{printable(key)}: {len(data)} bytes came instead of {length}",
                backend="file",
                operation="read",
                key=key,
            )
        return data

    def plain(self, key: str, status: os.stat_result) -> ObjectInfo:
        """What is known of a regular file at home."""
        return ObjectInfo(
            key=key,
            size_bytes=status.st_size,
            version=fs.version_of(status),
            storage_class=self._paths.home_uri,
            last_modified=file_attributes.time_of(status.st_mtime_ns),
            last_accessed=file_attributes.time_of(status.st_atime_ns),
        )

    def info(self, key: str, found: Found) -> ObjectInfo:
        """What is known of a file wherever its content is."""
        info = self.plain(key, found.status)
        return replace(info, storage_class=self._paths.storage_class(found))
