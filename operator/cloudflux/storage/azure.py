"""Azure Blob Storage: one container and prefix of block blobs."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO, cast

from azure.storage.blob import BlobClient, BlobServiceClient

from cloudflux.api.task import StoreRef
from cloudflux.errors import NotSupported, ObjectNotFound, PreconditionFailed, StorageError
from cloudflux.storage import azure_attributes as attributes
from cloudflux.storage import azure_bulk, azure_encryption, azure_tiers, azure_upload
from cloudflux.storage.azure_client import client_for, split_uri
from cloudflux.storage.azure_errors import Requests
from cloudflux.storage.azure_large import AzureLarge, conditions_of
from cloudflux.storage.azure_send import Sender
from cloudflux.storage.azure_stream import BlobStream
from cloudflux.storage.digests import compare
from cloudflux.storage.encryption import Asked, encryption_of
from cloudflux.storage.interface import (
    CONTROL_PREFIX,
    Brief,
    Capabilities,
    ObjectInfo,
    Unreadable,
    Written,
)
from cloudflux.storage.keys import key_bytes, printable
from cloudflux.storage.retry import Retrier

PAGE_KEYS = 5000
CONTROL_CHARACTERS = "".join(map(chr, (*range(0x20), 0x7F)))


class AzureStore(AzureLarge):
    """Block blobs; the version of one is its ETag."""

    def __init__(
        self,
        client: BlobServiceClient,
        retrier: Retrier,
        sender: Sender,
        container: str,
        prefix: str,
        encryption: Asked | None = None,
    ) -> None:
        """`prefix` is empty or ends with a slash."""
        self._container = client.get_container_client(container)
        self._prefix = prefix
        self._write_with, self._read_with = azure_encryption.arguments_of(encryption)
        self.page_keys = PAGE_KEYS
        self.uri = f"az://{container}/{prefix}".rstrip("/")
        self._requests, self._sender = Requests(self.uri, retrier), sender
        self.capabilities = Capabilities(
            scheme="az",
            storage_classes=attributes.CLASSES,
            archive_classes=(attributes.ARCHIVE,),
            in_place_class_change=True,
            # Set Blob Tier has no condition: a change meanwhile is seen, but not prevented.
            conditional_copy_source=False,
            conditional_copy_target=False,
            checksums=("md5",),
            forbidden_in_keys="\\" + CONTROL_CHARACTERS,
            forbidden_segment_end=".",
        )

    @classmethod
    def from_ref(cls, ref: StoreRef) -> "AzureStore":
        """Open a location; no request is made. Raises ConfigurationError."""
        container, prefix = split_uri(ref.uri)
        asked = encryption_of(ref, *azure_encryption.TYPES)
        return cls(*client_for(ref), container, prefix, asked)

    def check(self) -> None:
        """Raise a clear error unless the container exists and can be listed."""
        self._pages(self._prefix, 1)()

    def list(self, prefix: str = "", start_after: str = "") -> Iterator[ObjectInfo | Unreadable]:
        """Yield by key order, a page (`page_keys`) in memory."""
        return self._list(prefix, start_after)

    def list_whole(self, prefix: str = "") -> Iterator[ObjectInfo | Unreadable]:
        """The same with metadata; tags take a right of their own, and no other store has fewer."""
        return self._list(prefix, whole=True)

    def _list(
        self, prefix: str, start_after: str = "", *, whole: bool = False
    ) -> Iterator[ObjectInfo | Unreadable]:
        start, more = self._prefix + start_after, {"include": ["metadata"]} if whole else {}
        following = self._pages(self._prefix + prefix, self.page_keys, start, **more)
        while (page := following()) is not None:
            for blob in page:
                key = blob.name[len(self._prefix) :]
                if key.startswith(CONTROL_PREFIX) or key_bytes(key) <= key_bytes(start_after):
                    continue
                kind = str(getattr(blob.blob_type, "value", blob.blob_type))
                if kind != "BlockBlob":
                    yield Unreadable(key, f"is a {kind}, which has no storage class")
                    continue
                yield attributes.from_properties(key, blob, listed=not whole)

    def head(self, key: str) -> ObjectInfo:
        """Everything known of one blob, with checksums and tags. Raises ObjectNotFound."""
        blob = self._blob(key)
        found = self._properties(key)
        tags: Mapping[str, str] = {}
        if found.tag_count:
            tags = self._requests.send("Get Blob Tags", key, blob.get_blob_tags)
        return attributes.from_properties(key, found, tags=tags)

    def open(self, key: str, *, if_version: str | None = None) -> BinaryIO:
        """Stream the content. Raises PreconditionFailed, ObjectArchived."""
        blob = self._blob(key)

        def request() -> Any:
            # The server digests each range that it sends: its blobs may have no checksum.
            return blob.download_blob(
                max_concurrency=1,
                validate_content="md5",
                **self._read_with,
                **conditions_of(if_version=if_version),
            )

        opened = self._requests.send("Get Blob", key, request)
        return cast("BinaryIO", BlobStream(opened, self._requests, key))

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
        """Write atomically: one Put Blob for what is small, else blocks; see the contract."""
        if storage_class is not None:
            self._require_class(key, storage_class)
        try:
            answer, digests = azure_upload.upload(
                self._requests,
                self._sender,
                self._container,
                self._name(key),
                key,
                stream,
                size_bytes,
                arguments=attributes.write_arguments(info, storage_class, metadata, key=key),
                encryption=self._write_with,
                conditions=conditions_of(if_absent=if_absent, if_version=if_version),
                sha256=sha256,
            )
        except ObjectNotFound as error:
            if if_version is None:
                raise
            raise PreconditionFailed(
                f"{printable(key)} is gone; list again", backend="azure", operation="put", key=key
            ) from error
        checksums = azure_upload.checksums_of(answer)
        compare(digests, checksums, f"{self.uri}/{printable(key)}")
        return Written(version=attributes.unquote_etag(answer["etag"]), checksums=checksums)

    def delete(self, key: str, *, if_version: str | None = None) -> None:
        """Remove; absent is not an error unless if_version is given (ObjectNotFound)."""
        blob = self._blob(key)

        def request() -> None:
            blob.delete_blob(**conditions_of(if_version=if_version))

        try:
            self._requests.send("Delete Blob", key, request)
        except ObjectNotFound:
            if if_version is not None:
                raise
        except PreconditionFailed:
            # Azure says so of an absent blob, too.
            self._properties(key)
            raise

    def change_class(
        self, key: str, target: str, *, if_version: str, size_bytes: int
    ) -> ObjectInfo:
        """Set the tier, up or down; what changes the blob meanwhile is found and said."""
        self._require_class(key, target)
        before = self.head(key)
        if before.storage_class == target:
            return before
        if before.version != if_version or before.size_bytes != size_bytes:
            raise PreconditionFailed(
                f"{printable(key)} changed since it was listed; it is left as it is",
                backend="azure",
                operation="change_class",
                key=key,
            )
        azure_tiers.set_tier(self._requests, self._blob(key), before, target)
        after = self.head(key)
        return azure_tiers.require_changed(before, after, target)

    def change_classes(
        self, objects: Sequence[Brief], target: str
    ) -> Mapping[str, ObjectInfo | StorageError]:
        """Set the tiers of many, in few requests; see the contract."""
        if not objects:
            return {}
        self._require_class(objects[0][0], target)
        first = min((key for key, _, _ in objects), key=key_bytes)
        keys = {key for key, _, _ in objects}

        def look() -> Mapping[str, ObjectInfo]:
            pages = self._pages(self._prefix, self.page_keys, self._prefix + first)
            return azure_bulk.listed(iter(pages, None), self._prefix, keys)

        batches = azure_bulk.Batches(self._requests, self._container, self._prefix)
        return batches.change(objects, target, look, self._alone)

    def _alone(
        self, key: str, size_bytes: int, version: str, target: str
    ) -> ObjectInfo | StorageError:
        try:
            return self.change_class(key, target, if_version=version, size_bytes=size_bytes)
        except StorageError as error:
            return error

    def uploads(self, prefix: str = "") -> Iterator[tuple[str, str]]:  # noqa: ARG002
        """Nothing: blocks that no list names are invisible, and Azure drops them after a week."""
        yield from ()

    def abort_upload(self, key: str, upload_id: str) -> None:
        """Nothing to do; see `uploads`."""

    def close(self) -> None:
        """Nothing: the connections are shared by all stores of the account and the key."""

    def _pages(self, prefix: str, size: int, start: str = "", **more: Any) -> Any:
        """A function that returns the next page of a listing, and None after the last."""
        arguments = {**({"start_from": start} if start > prefix else {}), **more}
        pages = self._container.list_blobs(
            name_starts_with=prefix or None, results_per_page=size, **arguments
        ).by_page()

        def following() -> Any:
            return self._requests.send("List Blobs", "", lambda: _next(pages))

        return following

    def _properties(self, key: str) -> Any:
        blob = self._blob(key)
        return self._requests.send(
            "Get Blob Properties", key, lambda: blob.get_blob_properties(**self._read_with)
        )

    def _blob(self, key: str) -> BlobClient:
        return self._container.get_blob_client(self._name(key))

    def _name(self, key: str) -> str:
        name = self._prefix + key
        if not key or len(name) > 1024 or "\\" in key or not _is_utf8(key):
            raise NotSupported(
                f"{printable(key)}: Azure's names have 1 to 1024 characters of UTF-8 and no "
                "backslash; rename it first",
                backend="azure",
                key=key,
            )
        return name

    @staticmethod
    def _require_class(key: str, name: str) -> None:
        if name not in attributes.CLASSES:
            raise NotSupported(
                f"unknown tier {name}; use one of {', '.join(attributes.CLASSES)}",
                backend="azure",
                key=key,
            )


def _next(pages: Iterator[Any]) -> Any:
    page = next(pages, None)
    return None if page is None else list(page)


def _is_utf8(key: str) -> bool:
    try:
        key.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
