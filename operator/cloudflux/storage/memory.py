"""A store in memory, with storage classes and conditions; for tests and for simulation."""

import datetime as dt
import io
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import BinaryIO

from cloudflux.errors import (
    IntegrityError,
    NotSupported,
    ObjectArchived,
    ObjectNotFound,
    PreconditionFailed,
)
from cloudflux.storage.digests import CHUNK_BYTES, Digests
from cloudflux.storage.interface import (
    CONTROL_PREFIX,
    Capabilities,
    ObjectInfo,
    Unreadable,
    Written,
)
from cloudflux.storage.keys import key_bytes, printable

CLASSES = ("STANDARD", "STANDARD_IA", "GLACIER_IR", "GLACIER")
ARCHIVED_CLASSES = frozenset({"GLACIER"})


@dataclass
class _Content:
    data: bytes
    info: ObjectInfo


@dataclass
class _Bucket:
    objects: dict[str, _Content] = field(default_factory=dict)
    uploads: dict[tuple[str, str], None] = field(default_factory=dict)
    versions: int = 0
    lock: threading.RLock = field(default_factory=threading.RLock)


class MemoryStore:
    """Objects in a dictionary; every call is atomic."""

    def __init__(self, uri: str = "memory://test") -> None:
        self.uri = uri
        self.capabilities = Capabilities(
            scheme="memory",
            storage_classes=CLASSES,
            archive_classes=tuple(ARCHIVED_CLASSES),
            in_place_class_change=True,
            checksums=("sha256", "crc64nvme"),
        )
        self._bucket = _Bucket()

    def check(self) -> None:
        """Always there."""

    def list(self, prefix: str = "", start_after: str = "") -> Iterator[ObjectInfo | Unreadable]:
        """Yield by key order (bytes), as of the time of the call."""
        with self._bucket.lock:
            found = [
                content.info
                for key, content in self._bucket.objects.items()
                if key.startswith(prefix)
                and not key.startswith(CONTROL_PREFIX)
                and key_bytes(key) > key_bytes(start_after)
            ]
        found.sort(key=lambda info: key_bytes(info.key))
        for info in found:
            yield replace(info, checksums={}, metadata={}, headers={}, tags={})

    def head(self, key: str) -> ObjectInfo:
        """The object's info. Raises ObjectNotFound."""
        return self._get(key).info

    def open(self, key: str, *, if_version: str | None = None) -> BinaryIO:
        """The content. Raises PreconditionFailed, ObjectArchived."""
        content = self._get(key)
        self._require_version(content.info, if_version)
        if content.info.archived:
            raise ObjectArchived(f"{printable(key)} is archived; restore it first", key=key)
        return io.BytesIO(content.data)

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
        """Write whole; see the contract."""
        data = b"".join(iter(lambda: stream.read(CHUNK_BYTES), b""))
        digests = Digests()
        digests.update(data)
        if len(data) != size_bytes or (sha256 and digests.hex()["sha256"] != sha256):
            raise IntegrityError(f"{printable(key)}: the bytes are not those announced")
        checksums = {name: digests.hex()[name] for name in self.capabilities.checksums}
        with self._bucket.lock:
            present = self._bucket.objects.get(key)
            if if_absent and present is not None:
                raise PreconditionFailed(f"{printable(key)} exists already", key=key)
            if if_version is not None:
                if present is None:
                    raise PreconditionFailed(f"{printable(key)} is gone", key=key)
                self._require_version(present.info, if_version)
            stored = ObjectInfo(
                key=key,
                size_bytes=size_bytes,
                version=self._next_version(),
                storage_class=self._known_class(storage_class or CLASSES[0]),
                last_modified=dt.datetime.now(dt.UTC),
                checksums=checksums,
                metadata={**(info.metadata if info else {}), **(metadata or {})},
                headers=dict(info.headers) if info else {},
                tags=dict(info.tags) if info else {},
                archived=storage_class in ARCHIVED_CLASSES,
            )
            self._bucket.objects[key] = _Content(data, stored)
        return Written(version=stored.version, checksums=checksums)

    def delete(self, key: str, *, if_version: str | None = None) -> None:
        """Remove; see the contract."""
        with self._bucket.lock:
            if if_version is not None:
                self._require_version(self._get(key).info, if_version)
            self._bucket.objects.pop(key, None)

    def change_class(
        self, key: str, target: str, *, if_version: str, size_bytes: int
    ) -> ObjectInfo:
        """Change the class in place; repeating it is harmless."""
        with self._bucket.lock:
            content = self._get(key)
            if content.info.storage_class == target:
                return content.info
            self._require_version(content.info, if_version)
            if content.info.size_bytes != size_bytes:
                raise PreconditionFailed(f"{printable(key)} changed; list it again", key=key)
            if content.info.archived:
                raise ObjectArchived(f"{printable(key)} is archived; restore it first", key=key)
            content.info = replace(
                content.info,
                storage_class=self._known_class(target),
                archived=target in ARCHIVED_CLASSES,
                last_modified=dt.datetime.now(dt.UTC),
            )
            return content.info

    def uploads(self, prefix: str = "") -> Iterator[tuple[str, str]]:
        """Unfinished uploads; only those that a test begins with `begin_upload`."""
        yield from [entry for entry in self._bucket.uploads if entry[0].startswith(prefix)]

    def begin_upload(self, key: str) -> None:
        """Leave an unfinished upload behind, as a killed writer does."""
        self._bucket.uploads[key, self._next_version()] = None

    def abort_upload(self, key: str, upload_id: str) -> None:
        """Drop one; absent is not an error."""
        self._bucket.uploads.pop((key, upload_id), None)

    def close(self) -> None:
        """Nothing to release."""

    def _get(self, key: str) -> _Content:
        with self._bucket.lock:
            content = self._bucket.objects.get(key)
        if content is None:
            raise ObjectNotFound(f"{printable(key)} does not exist", backend="memory", key=key)
        return content

    def _next_version(self) -> str:
        with self._bucket.lock:
            self._bucket.versions += 1
            return f"v{self._bucket.versions}"

    @staticmethod
    def _require_version(info: ObjectInfo, version: str | None) -> None:
        if version is not None and info.version != version:
            raise PreconditionFailed(f"{printable(info.key)} changed; list it again", key=info.key)

    @staticmethod
    def _known_class(name: str) -> str:
        if name not in CLASSES:
            raise NotSupported(f"unknown storage class {name}; use one of {', '.join(CLASSES)}")
        return name
