"""Opens the store of a location by its scheme; a vendor's SDK is imported only when used."""

from collections.abc import Callable, Mapping, Sequence

from cloudflux.api.common import EncryptionType
from cloudflux.api.task import StoreRef
from cloudflux.errors import ConfigurationError
from cloudflux.storage.encryption import encryption_of
from cloudflux.storage.interface import Store

Opener = Callable[[StoreRef, Sequence[str]], Store]


def _open_s3(ref: StoreRef, tier_roots: Sequence[str]) -> Store:
    from cloudflux.storage.s3 import S3Store

    _refuse_roots(ref, tier_roots)
    return S3Store.from_ref(ref)


def _open_azure(ref: StoreRef, tier_roots: Sequence[str]) -> Store:
    from cloudflux.storage.azure import AzureStore

    _refuse_roots(ref, tier_roots)
    return AzureStore.from_ref(ref)


def _open_gcs(ref: StoreRef, tier_roots: Sequence[str]) -> Store:
    from cloudflux.storage.gcs import GcsStore

    _refuse_roots(ref, tier_roots)
    return GcsStore.from_ref(ref)


def _open_file(ref: StoreRef, tier_roots: Sequence[str]) -> Store:
    from cloudflux.storage.file import FileStore

    encryption_of(ref)
    return FileStore(ref.uri, file_roots=ref.file_roots, tier_roots=tier_roots)


def _refuse_roots(ref: StoreRef, tier_roots: Sequence[str]) -> None:
    if tier_roots:
        raise ConfigurationError(f"{ref.uri}: tier roots belong to file:// locations only")


SCHEMES: Mapping[str, Opener] = {
    "s3": _open_s3,
    "az": _open_azure,
    "gs": _open_gcs,
    "file": _open_file,
}
"""Every scheme that a location's uri can have."""


def open_store(ref: StoreRef, *, tier_roots: Sequence[str] = ()) -> Store:
    """Open the store of `ref`; for file locations, `tier_roots` are the roots of its tiers.

    Opening makes no request. Raises ConfigurationError, or LocationRefused for a path
    outside the directories that the operator's settings allow.
    """
    scheme, separator, _ = ref.uri.partition("://")
    opener = SCHEMES.get(scheme.lower()) if separator else None
    if opener is None:
        known = ", ".join(f"{name}://" for name in sorted(SCHEMES))
        raise ConfigurationError(f"{ref.uri}: unknown scheme; use one of {known}")
    store = opener(ref, tier_roots)
    if ref.encryption is None or ref.encryption.type is not EncryptionType.CLIENT:
        return store
    from cloudflux.storage.sealed import SealedStore

    if tier_roots:
        raise ConfigurationError(f"{ref.uri}: encryption.type Client knows no tiers of directories")
    asked = encryption_of(ref, EncryptionType.CLIENT)
    assert asked is not None  # noqa: S101  (it is Client)
    return SealedStore(store, asked.secret)
