"""Google Cloud Storage: one bucket and prefix; the version of an object is its generation."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, BinaryIO

from cloudflux.api.common import EncryptionType
from cloudflux.api.task import StoreRef
from cloudflux.errors import ConfigurationError, NotSupported, ObjectNotFound, PreconditionFailed
from cloudflux.storage import gcs_attributes as attributes
from cloudflux.storage import gcs_config, gcs_rewrite
from cloudflux.storage.bucket_facts import BucketFacts
from cloudflux.storage.encryption import Asked, encryption_of
from cloudflux.storage.gcs_client import TIMEOUTS_SECONDS, Connection, Connector, split_uri
from cloudflux.storage.gcs_errors import Requests
from cloudflux.storage.gcs_large import GcsLarge, conditions_of
from cloudflux.storage.gcs_upload import SINGLE_REQUEST_BYTES, Upload
from cloudflux.storage.interface import (
    CONTROL_PREFIX,
    Capabilities,
    ObjectInfo,
    Unreadable,
    Written,
)
from cloudflux.storage.keys import key_bytes, printable

PAGE_KEYS = 1000
LISTED = "items(name,size,generation,storageClass,updated),nextPageToken"
CARRIED = ",".join(("metadata", "contexts", *attributes.HEADER_FIELDS))
LISTED_WHOLE = LISTED.replace("updated", f"updated,{CARRIED}")


class GcsStore(GcsLarge):
    """Objects with generations; every write, change and deletion names the one it means."""

    def __init__(
        self, connector: Connector, bucket: str, prefix: str, encryption: Asked | None = None
    ) -> None:
        """`prefix` is empty or ends with a slash."""
        self._kms = {"kmsKeyName": encryption.key} if encryption and encryption.key else {}
        self._connector, self._bucket_name, self._prefix = connector, bucket, prefix
        self.page_keys = PAGE_KEYS
        self.uri = f"gs://{bucket}/{prefix}".rstrip("/")
        self._requests = Requests(self.uri)
        self.capabilities = Capabilities(
            scheme="gs",
            storage_classes=attributes.CLASSES,
            in_place_class_change=True,
            checksums=attributes.CHECKSUMS,
            forbidden_in_keys="\r\n",
            reserved_key_start=".well-known/acme-challenge/",
        )

    @classmethod
    def from_ref(cls, ref: StoreRef) -> "GcsStore":
        """Open a location; no request is made. Raises ConfigurationError."""
        bucket, prefix = split_uri(ref.uri)
        asked = encryption_of(ref, EncryptionType.PROVIDER, EncryptionType.KMS)
        if asked is not None and asked.type is EncryptionType.KMS and not asked.key:
            raise ConfigurationError(
                f"{ref.uri}: encryption.type Kms needs key: projects/…/cryptoKeys/NAME"
            )
        return cls(Connector(ref), bucket, prefix, asked)

    def check(self) -> None:
        """Raise a clear error unless the bucket exists and can be listed."""
        next(self._pages(self._prefix, 1))

    def list(self, prefix: str = "", start_after: str = "") -> Iterator[ObjectInfo | Unreadable]:
        """Yield by key order, a page (`page_keys`) in memory."""
        return self._list(prefix, start_after)

    def list_whole(self, prefix: str = "") -> Iterator[ObjectInfo | Unreadable]:
        """The same with metadata, headers and tags."""
        return self._list(prefix, whole=True)

    def _list(
        self, prefix: str, start_after: str = "", *, whole: bool = False
    ) -> Iterator[ObjectInfo | Unreadable]:
        start, fields = self._prefix + start_after, LISTED_WHOLE if whole else LISTED
        for page in self._pages(self._prefix + prefix, self.page_keys, start, fields):
            for blob in page:
                key = blob.name[len(self._prefix) :]
                if key == "":
                    # The folder marker of the location itself; consoles make them.
                    if blob.size:
                        yield Unreadable(key, "an object has the location's own name")
                    continue
                if key.startswith(CONTROL_PREFIX) or key_bytes(key) <= key_bytes(start_after):
                    continue
                yield attributes.from_blob(key, blob, listed=not whole)

    def head(self, key: str) -> ObjectInfo:
        """Everything known of one object. Raises ObjectNotFound."""
        return attributes.from_blob(key, self._load(key))

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
        """Write atomically: one request for what is small, else a resumable upload."""
        if storage_class is not None:
            self._require_class(key, storage_class)
        body = attributes.resource(self._name(key), info, storage_class, metadata, key=key)
        upload = Upload(self._requests, self._remote, self._bucket_name, key)
        send = upload.whole if size_bytes < SINGLE_REQUEST_BYTES else upload.resumable
        stored, digests = send(
            stream,
            size_bytes,
            body=body,
            conditions={
                **conditions_of(if_absent=if_absent, if_version=if_version),
                **self._kms,
            },
            sha256=sha256,
        )
        return self._written(key, body, stored, digests)

    def delete(self, key: str, *, if_version: str | None = None) -> None:
        """Remove; absent is not an error unless if_version is given (ObjectNotFound)."""
        blob = self._remote.client.bucket(self._bucket_name).blob(self._name(key))
        generation = None if if_version is None else attributes.generation(if_version)

        def request() -> None:
            blob.delete(if_generation_match=generation, timeout=TIMEOUTS_SECONDS, retry=None)

        try:
            self._requests.send(self._remote.retrier, "objects.delete", key, request)
        except ObjectNotFound:
            if if_version is not None:
                raise
        except PreconditionFailed:
            self._load(key)  # ObjectNotFound says more, where it is gone
            raise

    def change_class(
        self, key: str, target: str, *, if_version: str, size_bytes: int
    ) -> ObjectInfo:
        """Rewrite the object onto itself with another class, server side; see the contract."""
        self._require_class(key, target)
        found = self._load(key)
        before = attributes.from_blob(key, found)
        if before.storage_class == target:
            return before
        if before.version != if_version or before.size_bytes != size_bytes:
            raise PreconditionFailed(
                f"{printable(key)} changed since it was listed; it is left as it is",
                backend="gcs",
                operation="change_class",
                key=key,
            )
        gcs_rewrite.rewrite(self._requests, self._remote, found, before, target)
        after = self.head(key)
        gcs_rewrite.require_changed(before, after, target)
        return after

    def enforces_copy_conditions(self, key: str) -> tuple[bool, bool]:
        """Measure, with a scratch object, whether a rewrite's (source, target) conditions count."""
        return gcs_rewrite.measure_conditions(self._requests, self._remote, self._load(key), key)

    def require_fits(self, info: ObjectInfo) -> None:
        """Raise unless metadata, headers and tags can be kept here."""
        attributes.resource("", info, None, None, key=info.key)

    def bucket_facts(self) -> BucketFacts:
        """What the bucket does with what is written and deleted in it."""
        bucket = self._remote.client.bucket(self._bucket_name)

        def load() -> Any:
            self._requests.send(
                self._remote.retrier,
                "buckets.get",
                "",
                lambda: bucket.reload(timeout=TIMEOUTS_SECONDS, retry=None),
            )
            return bucket

        return gcs_config.bucket_facts(load)

    def close(self) -> None:
        """Nothing: the connections are shared by all stores of the endpoint and the identity."""

    @cached_property
    def _remote(self) -> Connection:
        return self._connector.connect()

    def _load(self, key: str) -> Any:
        blob = self._remote.client.bucket(self._bucket_name).blob(self._name(key))

        def request() -> None:
            blob.reload(timeout=TIMEOUTS_SECONDS, retry=None)

        self._requests.send(self._remote.retrier, "objects.get", key, request)
        return blob

    def _pages(
        self, prefix: str, size: int, start: str = "", fields: str = LISTED
    ) -> Iterator[Sequence[Any]]:
        remote, token = self._remote, None

        def request() -> tuple[list[Any], str | None]:
            # A new iterator each time: one that has raised looks as if it had reached the end.
            listing = remote.client.list_blobs(
                self._bucket_name,
                prefix=prefix or None,
                start_offset=start if start > prefix else None,
                page_size=size,
                page_token=token,
                fields=fields,
                timeout=TIMEOUTS_SECONDS,
                retry=None,
            )
            page = list(next(listing.pages, ()))
            return page, listing.next_page_token

        while True:
            page, token = self._requests.send(remote.retrier, "objects.list", "", request)
            yield page
            if token is None:
                return

    def _name(self, key: str) -> str:
        try:
            size = len((self._prefix + key).encode("utf-8"))
        except UnicodeEncodeError:
            size = 0
        if not key or not 0 < size <= 1024 or "\r" in key or "\n" in key:
            raise NotSupported(
                f"{printable(key)}: names in GCS have 1 to 1024 bytes of UTF-8 and no line ends; "
                "rename it first",
                backend="gcs",
                key=key,
            )
        return self._prefix + key

    @staticmethod
    def _require_class(key: str, name: str) -> None:
        if name not in attributes.CLASSES:
            raise NotSupported(
                f"unknown storage class {name}; use one of {', '.join(attributes.CLASSES)}",
                backend="gcs",
                key=key,
            )
