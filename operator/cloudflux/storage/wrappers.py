"""Stores around stores: they pass calls on, or fail as storage does, for tests."""

import io
import random
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from cloudflux.errors import Throttled, Unavailable
from cloudflux.storage.interface import Capabilities, ObjectInfo, Store, Unreadable, Written


class Wrapper:
    """Passes every call on."""

    def __init__(self, inner: Store) -> None:
        self.inner = inner
        self.uri = inner.uri

    @property
    def capabilities(self) -> Capabilities:
        """The inner store's, as they are now."""
        return self.inner.capabilities

    @capabilities.setter
    def capabilities(self, value: Capabilities) -> None:
        self.inner.capabilities = value

    def check(self) -> None:
        """See the contract."""
        self.inner.check()

    def list(self, prefix: str = "", start_after: str = "") -> Iterator[ObjectInfo | Unreadable]:
        """See the contract."""
        return self.inner.list(prefix, start_after)

    def head(self, key: str) -> ObjectInfo:
        """See the contract."""
        return self.inner.head(key)

    def open(self, key: str, *, if_version: str | None = None) -> BinaryIO:
        """See the contract."""
        return self.inner.open(key, if_version=if_version)

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
        """See the contract."""
        return self.inner.put(
            key,
            stream,
            size_bytes,
            info=info,
            storage_class=storage_class,
            metadata=metadata,
            if_absent=if_absent,
            if_version=if_version,
            sha256=sha256,
        )

    def delete(self, key: str, *, if_version: str | None = None) -> None:
        """See the contract."""
        self.inner.delete(key, if_version=if_version)

    def change_class(
        self, key: str, target: str, *, if_version: str, size_bytes: int
    ) -> ObjectInfo:
        """See the contract."""
        return self.inner.change_class(key, target, if_version=if_version, size_bytes=size_bytes)

    def uploads(self, prefix: str = "") -> Iterator[tuple[str, str]]:
        """See the contract."""
        return self.inner.uploads(prefix)

    def abort_upload(self, key: str, upload_id: str) -> None:
        """See the contract."""
        self.inner.abort_upload(key, upload_id)

    def close(self) -> None:
        """See the contract."""
        self.inner.close()


class _Stream(io.RawIOBase):
    """A stream over another one, which it closes."""

    def __init__(self, inner: BinaryIO) -> None:
        self._inner = inner

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self._inner.close()
        super().close()


@dataclass(frozen=True, slots=True)
class Faults:
    """How often what goes wrong, each from 0 to 1."""

    before: float = 0.0
    """The call fails and did nothing."""
    after: float = 0.0
    """The call did its work and the answer is lost."""
    throttled: float = 0.0
    broken_read: float = 0.0
    """A stream breaks off with an error."""
    flipped_bit: float = 0.0
    """A stream gives one wrong bit and no error."""


class FaultyStore(Wrapper):
    """Fails as storage does, by chance from a seed: the same calls fail in the same way."""

    def __init__(self, inner: Store, faults: Faults, *, seed: int) -> None:
        super().__init__(inner)
        self._faults = faults
        self._random = random.Random(seed)  # noqa: S311  (chance for tests, no secret)
        self._lock = threading.Lock()

    def head(self, key: str) -> ObjectInfo:
        """See the contract."""
        return cast("ObjectInfo", self._faulty("head", key, lambda: self.inner.head(key)))

    def open(self, key: str, *, if_version: str | None = None) -> BinaryIO:
        """See the contract."""
        stream = self._faulty("open", key, lambda: self.inner.open(key, if_version=if_version))
        if self._chance(self._faults.broken_read):
            return cast("BinaryIO", _BrokenStream(stream, key))
        if self._chance(self._faults.flipped_bit):
            return cast("BinaryIO", _FlippedStream(stream))
        return cast("BinaryIO", stream)

    def put(self, key: str, stream: BinaryIO, size_bytes: int, **arguments: Any) -> Written:
        """See the contract."""

        def call() -> Written:
            return self.inner.put(key, stream, size_bytes, **arguments)

        return cast("Written", self._faulty("put", key, call))

    def delete(self, key: str, *, if_version: str | None = None) -> None:
        """See the contract."""
        self._faulty("delete", key, lambda: self.inner.delete(key, if_version=if_version))

    def change_class(
        self, key: str, target: str, *, if_version: str, size_bytes: int
    ) -> ObjectInfo:
        """See the contract."""

        def call() -> ObjectInfo:
            return self.inner.change_class(
                key, target, if_version=if_version, size_bytes=size_bytes
            )

        return cast("ObjectInfo", self._faulty("change_class", key, call))

    def _faulty(self, operation: str, key: str, call: Callable[[], Any]) -> Any:
        if self._chance(self._faults.throttled):
            raise Throttled("injected: slow down", operation=operation, key=key)
        if self._chance(self._faults.before):
            raise Unavailable("injected: no connection", operation=operation, key=key)
        result = call()
        if self._chance(self._faults.after):
            raise Unavailable("injected: the answer is lost", operation=operation, key=key)
        return result

    def _chance(self, probability: float) -> bool:
        with self._lock:
            return self._random.random() < probability


class _BrokenStream(_Stream):
    def __init__(self, inner: BinaryIO, key: str) -> None:
        super().__init__(inner)
        self._key = key
        self._begun = False

    def read(self, size: int = -1, /) -> bytes:
        if self._begun:
            raise Unavailable("injected: the connection broke", operation="open", key=self._key)
        self._begun = True
        return self._inner.read(1 if size < 0 else max(1, size // 2))


class _FlippedStream(_Stream):
    def __init__(self, inner: BinaryIO) -> None:
        super().__init__(inner)
        self._flipped = False

    def read(self, size: int = -1, /) -> bytes:
        data = self._inner.read(size)
        if self._flipped or not data:
            return data
        self._flipped = True
        return bytes([data[0] ^ 1]) + data[1:]
