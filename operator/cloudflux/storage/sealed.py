"""A store whose objects are encrypted before they leave us, over any other store.

Sizes and content are those before encryption, versions and conditions those of the store below.
Its own objects (markers) are left as they are: they hold no data.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import BinaryIO, cast

from cloudflux.errors import IntegrityError
from cloudflux.storage.archive import Restorable, Restoration, RestoreState
from cloudflux.storage.bucket_facts import BucketFacts, Choosy, Described
from cloudflux.storage.interface import (
    CONTROL_PREFIX,
    Capabilities,
    ObjectInfo,
    Store,
    Unreadable,
    Written,
)
from cloudflux.storage.keys import printable
from cloudflux.storage.probe import CopyConditions
from cloudflux.storage.sealing import (
    Opening,
    Sealing,
    content_bytes,
    key_id,
    sealed_bytes,
)
from cloudflux.storage.wrappers import Wrapper

KEY_ID_METADATA = "cloudflux-key-id"


class SealedStore(Wrapper):
    """Seals what is put, and opens what is read."""

    def __init__(self, inner: Store, key: bytes) -> None:
        super().__init__(inner)
        self._key = key
        self.key_id = key_id(key)

    @property
    def capabilities(self) -> Capabilities:
        """The inner store's, but for digests: the server sees sealed bytes only."""
        return replace(self.inner.capabilities, checksums=(), version_may_be_md5=False)

    @capabilities.setter
    def capabilities(self, value: Capabilities) -> None:
        self.inner.capabilities = value

    def list(self, prefix: str = "", start_after: str = "") -> Iterator[ObjectInfo | Unreadable]:
        """See the contract; what was not sealed is unreadable."""
        for info in self.inner.list(prefix, start_after):
            if isinstance(info, Unreadable):
                yield info
                continue
            size_bytes = content_bytes(info.size_bytes)
            if size_bytes is None:
                yield Unreadable(info.key, "was not encrypted by cloudflux")
            else:
                yield replace(info, size_bytes=size_bytes)

    def head(self, key: str) -> ObjectInfo:
        """See the contract. Raises IntegrityError for what was not sealed."""
        return self._opened(self.inner.head(key))

    def open(self, key: str, *, if_version: str | None = None) -> BinaryIO:
        """See the contract. Raises IntegrityError, and ConfigurationError for another key."""
        stream = self.inner.open(key, if_version=if_version)
        if key.startswith(CONTROL_PREFIX):
            return stream
        try:
            return cast("BinaryIO", Opening(stream, self._key, f"{self.uri}/{printable(key)}"))
        except BaseException:
            stream.close()
            raise

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
        """See the contract; the server compares the sealed bytes with what we sent."""
        if key.startswith(CONTROL_PREFIX):
            return self.inner.put(
                key, stream, size_bytes, info=info, storage_class=storage_class,
                metadata=metadata, if_absent=if_absent, if_version=if_version, sha256=sha256,
            )  # fmt: skip
        sealing = Sealing(stream, self._key)
        written = self.inner.put(
            key,
            cast("BinaryIO", _Checked(sealing, key, size_bytes, sha256)),
            sealed_bytes(size_bytes),
            info=info,
            storage_class=storage_class,
            metadata={**(metadata or {}), KEY_ID_METADATA: self.key_id},
            if_absent=if_absent,
            if_version=if_version,
        )
        by = next(iter(sorted(written.checksums)), "")
        attested = f"{by} of the ciphertext" if by else ""
        return Written(version=written.version, attested=attested)

    def change_class(
        self, key: str, target: str, *, if_version: str, size_bytes: int
    ) -> ObjectInfo:
        """See the contract."""
        sealed = sealed_bytes(size_bytes)
        changed = self.inner.change_class(key, target, if_version=if_version, size_bytes=sealed)
        return self._opened(changed)

    def require_fits(self, info: ObjectInfo) -> None:
        """What the inner store can keep."""
        if isinstance(self.inner, Choosy):
            self.inner.require_fits(info)

    def bucket_facts(self) -> BucketFacts:
        """What the inner store's bucket does."""
        inner = self.inner
        return inner.bucket_facts() if isinstance(inner, Described) else BucketFacts()

    def enforces_copy_conditions(self, key: str) -> tuple[bool, bool]:
        """What the inner store enforces, measured where it can be."""
        inner = self.inner
        if isinstance(inner, CopyConditions):
            return inner.enforces_copy_conditions(key)
        declared = inner.capabilities
        return declared.conditional_copy_source, declared.conditional_copy_target

    def archives_unseen(self) -> bool:
        """See the contract of `Restorable`."""
        return isinstance(self.inner, Restorable) and self.inner.archives_unseen()

    def restoration(self, key: str) -> Restoration:
        """See the contract of `Restorable`."""
        if isinstance(self.inner, Restorable):
            return self.inner.restoration(key)
        return Restoration(RestoreState.READABLE)

    def restore(self, key: str, *, tier: str, days: int, to_class: str | None) -> None:
        """See the contract of `Restorable`."""
        if isinstance(self.inner, Restorable):
            self.inner.restore(key, tier=tier, days=days, to_class=to_class)

    def _opened(self, info: ObjectInfo) -> ObjectInfo:
        if info.key.startswith(CONTROL_PREFIX):
            return info
        size_bytes = content_bytes(info.size_bytes)
        if size_bytes is None:
            raise IntegrityError(
                f"{self.uri}/{printable(info.key)}: it was not encrypted by cloudflux, or was "
                "altered"
            )
        kept = {name: value for name, value in info.metadata.items() if name != KEY_ID_METADATA}
        return replace(info, size_bytes=size_bytes, checksums={}, metadata=kept)


class _Checked:
    """Sealed bytes whose end comes only when the content was the one announced."""

    def __init__(self, sealing: Sealing, key: str, size_bytes: int, sha256: str | None) -> None:
        self._sealing, self._key = sealing, key
        self._size_bytes, self._sha256 = size_bytes, sha256
        self._given = 0

    def read(self, size: int = -1, /) -> bytes:
        """Read sealed bytes. Raises IntegrityError before the last ones are given."""
        data = self._sealing.read(size)
        self._given += len(data)
        if self._given >= sealed_bytes(self._size_bytes) or not data:
            self._require()
        return data

    def _require(self) -> None:
        sealing = self._sealing
        if sealing.size_bytes != self._size_bytes:
            raise IntegrityError(
                f"{printable(self._key)}: {sealing.size_bytes} bytes came instead of "
                f"{self._size_bytes}; the source changed while it was read, or broke off"
            )
        if self._sha256 is not None and sealing.sha256 != self._sha256:
            raise IntegrityError(f"{printable(self._key)}: the bytes are not those expected")
