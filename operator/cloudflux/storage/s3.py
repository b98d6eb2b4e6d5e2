"""S3 and what speaks its protocol."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, BinaryIO, cast

from cloudflux.api.tasks import StoreRef
from cloudflux.errors import (
    NotSupported,
    ObjectArchived,
    ObjectNotFound,
    PreconditionFailed,
)
from cloudflux.storage import s3_attributes as attributes
from cloudflux.storage import s3_classes, s3_multipart
from cloudflux.storage.digests import Digests, compare, hex_to_base64
from cloudflux.storage.interface import (
    CONTROL_PREFIX,
    Capabilities,
    ObjectInfo,
    Unreadable,
    Written,
)
from cloudflux.storage.keys import key_bytes, printable
from cloudflux.storage.s3_client import client_for, split_uri
from cloudflux.storage.s3_errors import Body, translated

SINGLE_PUT_BYTES = 16 << 20
SINGLE_COPY_BYTES = 5 << 30
PAGE_KEYS = 1000


class S3Store:
    """One bucket and prefix."""

    def __init__(
        self,
        client: Any,
        bucket: str,
        prefix: str,
        *,
        tags_always: bool = False,
        single_copy_bytes: int = SINGLE_COPY_BYTES,
    ) -> None:
        """`prefix` is empty or ends with a slash; `single_copy_bytes` is CopyObject's limit."""
        self._client, self._bucket, self._prefix = client, bucket, prefix
        # AWS tells with every head whether there are tags; not every other server does.
        self._tags_always = tags_always
        self.single_copy_bytes = single_copy_bytes
        self.page_keys = PAGE_KEYS
        self.uri = f"s3://{bucket}/{prefix}".rstrip("/")
        self.capabilities = Capabilities(
            scheme="s3",
            storage_classes=attributes.CLASSES,
            archive_classes=tuple(sorted(attributes.ARCHIVED_CLASSES)),
            in_place_class_change=True,
            checksums=attributes.CHECKSUMS,
            max_copy_bytes=single_copy_bytes,
        )

    @classmethod
    def from_ref(cls, ref: StoreRef) -> "S3Store":
        """Open a location; no request is made. Raises ConfigurationError."""
        bucket, prefix = split_uri(ref.uri)
        return cls(client_for(ref), bucket, prefix, tags_always=ref.endpoint is not None)

    def check(self) -> None:
        """Raise a clear error unless the bucket exists and can be listed."""
        with translated("ListObjectsV2", bucket=self._bucket):
            self._client.list_objects_v2(Bucket=self._bucket, Prefix=self._prefix, MaxKeys=1)

    def list(self, prefix: str = "", start_after: str = "") -> Iterator[ObjectInfo | Unreadable]:
        """Yield by key order, a page (`page_keys`) in memory."""
        arguments: dict[str, Any] = {
            "Bucket": self._bucket,
            "Prefix": self._prefix + prefix,
            "MaxKeys": self.page_keys,
        }
        if start_after:
            arguments["StartAfter"] = self._prefix + start_after
        while True:
            with translated("ListObjectsV2", bucket=self._bucket):
                page = self._client.list_objects_v2(**arguments)
            for entry in page.get("Contents", ()):
                key = entry["Key"][len(self._prefix) :]
                if key.startswith(CONTROL_PREFIX):
                    continue
                if key == "":
                    # The folder marker of the location itself; consoles make them.
                    if entry["Size"]:
                        yield Unreadable(key, "an object has the location's own name")
                    continue
                yield attributes.from_listing(key, entry)
            if not page.get("IsTruncated"):
                return
            arguments["ContinuationToken"] = page["NextContinuationToken"]

    def head(self, key: str) -> ObjectInfo:
        """Everything known of one object, with checksums and tags. Raises ObjectNotFound."""
        return attributes.from_head(key, *self._head(key))

    def open(self, key: str, *, if_version: str | None = None) -> BinaryIO:
        """Stream the content. Raises PreconditionFailed, ObjectArchived."""
        name = self._name(key)
        arguments = {} if if_version is None else {"IfMatch": if_version}
        with translated("GetObject", name, bucket=self._bucket):
            answer = self._client.get_object(Bucket=self._bucket, Key=name, **arguments)
        return cast("BinaryIO", Body(answer["Body"], name, self._bucket))

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
        """Write atomically: one PUT below 16 MiB, parts above; see the contract."""
        name = self._name(key)
        arguments = attributes.write_arguments(info, storage_class, metadata)
        conditions: dict[str, str] = {}
        if if_absent:
            conditions["IfNoneMatch"] = "*"
        if if_version is not None:
            conditions["IfMatch"] = if_version
        try:
            if size_bytes < SINGLE_PUT_BYTES:
                answer, digests = self._put_whole(
                    name, stream, size_bytes, {**arguments, **conditions}, sha256
                )
            else:
                answer, digests = s3_multipart.upload(
                    self._client,
                    self._bucket,
                    name,
                    stream,
                    size_bytes,
                    arguments=arguments,
                    conditions=conditions,
                    sha256=sha256,
                )
        except ObjectNotFound as error:
            if if_version is None:
                raise
            raise PreconditionFailed(
                f"{printable(key)} is gone; list again", backend="s3", operation="put", key=key
            ) from error
        checksums = attributes.checksums_of(answer)
        compare(digests.hex(), checksums, f"{self.uri}/{printable(key)}")
        return Written(version=attributes.unquote_etag(answer["ETag"]), checksums=checksums)

    def delete(self, key: str, *, if_version: str | None = None) -> None:
        """Remove; conditional on both sides: looked at first, and asked of the server."""
        name = self._name(key)
        arguments: dict[str, str] = {}
        if if_version is not None:
            # A server without conditional deletes would ignore the header.
            answer, _ = self._head(key, tags=False)
            if attributes.unquote_etag(answer["ETag"]) != if_version:
                raise PreconditionFailed(
                    f"{self.uri}/{printable(key)} changed and is kept",
                    backend="s3",
                    operation="delete",
                    key=key,
                )
            arguments["IfMatch"] = if_version
        with translated("DeleteObject", name, bucket=self._bucket):
            self._client.delete_object(Bucket=self._bucket, Key=name, **arguments)

    def change_class(
        self, key: str, target: str, *, if_version: str, size_bytes: int
    ) -> ObjectInfo:
        """Change the class in place, server side; see the contract."""
        if target not in attributes.CLASSES:
            raise NotSupported(
                f"unknown storage class {target}; use one of {', '.join(attributes.CLASSES)}",
                backend="s3",
                operation="change_class",
                key=key,
            )
        answer, tags = self._head(key)
        before = attributes.from_head(key, answer, tags)
        if before.storage_class == target:
            return before
        s3_classes.require_movable(before, if_version, size_bytes)
        source = s3_classes.Source(self._client, self._bucket, self._name(key), before, answer)
        enforced = s3_classes.copy_onto_itself(
            source,
            target,
            in_parts=before.size_bytes > self.single_copy_bytes,
            condition_on_target=self.capabilities.conditional_copy_target,
        )
        if not enforced:
            self.capabilities = replace(self.capabilities, conditional_copy_target=False)
        after = self.head(key)
        s3_classes.require_changed(before, after, target)
        return after

    def enforces_copy_conditions(self, key: str) -> tuple[bool, bool]:
        """Measure, with a scratch object, whether a copy's (source, target) conditions count."""
        return s3_classes.measure_conditions(self._client, self._bucket, self._name(key))

    def uploads(self, prefix: str = "") -> Iterator[tuple[str, str]]:
        """Unfinished multipart uploads below prefix: (key, upload id)."""
        pages = self._client.get_paginator("list_multipart_uploads").paginate(
            Bucket=self._bucket, Prefix=self._prefix + prefix
        )
        with translated("ListMultipartUploads", bucket=self._bucket):
            for page in pages:
                for entry in page.get("Uploads", ()):
                    yield entry["Key"][len(self._prefix) :], entry["UploadId"]

    def abort_upload(self, key: str, upload_id: str) -> None:
        """Drop one; absent is not an error."""
        name = self._name(key)
        try:
            with translated("AbortMultipartUpload", name, bucket=self._bucket):
                self._client.abort_multipart_upload(
                    Bucket=self._bucket, Key=name, UploadId=upload_id
                )
        except ObjectNotFound:
            return

    def close(self) -> None:
        """Nothing: the connections are shared by all stores of the endpoint and the key."""

    def _name(self, key: str) -> str:
        try:
            key.encode("utf-8")
        except UnicodeEncodeError:
            raise NotSupported(
                f"{printable(key)}: S3 keys are UTF-8; rename it first", backend="s3", key=key
            ) from None
        if not key or len(key_bytes(key)) + len(key_bytes(self._prefix)) > 1024:
            raise NotSupported(
                f"{printable(key)}: S3 keys have 1 to 1024 bytes", backend="s3", key=key
            )
        return self._prefix + key

    def _head(self, key: str, *, tags: bool = True) -> tuple[dict[str, Any], dict[str, str]]:
        name = self._name(key)
        where = {"Bucket": self._bucket, "Key": name}
        with translated("HeadObject", name, bucket=self._bucket):
            answer = self._client.head_object(**where, ChecksumMode="ENABLED")
        if not tags or not (self._tags_always or answer.get("TagCount")):
            return answer, {}
        try:
            with translated("GetObjectTagging", name, bucket=self._bucket):
                found = self._client.get_object_tagging(**where)
        except (NotSupported, ObjectNotFound, ObjectArchived):
            # A server without tags, or one that answers "no such tag set", or that gives no tags
            # of what is archived.
            return answer, {}
        return answer, {tag["Key"]: tag["Value"] for tag in found.get("TagSet", ())}

    def _put_whole(
        self,
        name: str,
        stream: BinaryIO,
        size_bytes: int,
        arguments: Mapping[str, Any],
        sha256: str | None,
    ) -> tuple[dict[str, Any], Digests]:
        body = s3_multipart.read_exactly(stream, size_bytes + 1)
        digests = Digests()
        digests.update(body)
        s3_multipart.require_announced(name, digests, size_bytes, sha256)
        with translated("PutObject", name, bucket=self._bucket):
            answer = self._client.put_object(
                Bucket=self._bucket,
                Key=name,
                Body=body,
                ContentMD5=hex_to_base64(digests.hex()["md5"]),
                ChecksumAlgorithm="CRC64NVME",
                ChecksumCRC64NVME=hex_to_base64(digests.hex()["crc64nvme"]),
                **arguments,
            )
        return answer, digests
