"""S3 and what speaks its protocol."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import BinaryIO, cast

from cloudflux.api.common import EncryptionType
from cloudflux.api.task import StoreRef
from cloudflux.errors import NotSupported, PreconditionFailed, Unavailable
from cloudflux.storage import s3_attributes as attributes
from cloudflux.storage import s3_classes, s3_copy, s3_multipart
from cloudflux.storage.encryption import Asked, encryption_of
from cloudflux.storage.interface import (
    CONTROL_PREFIX,
    Brief,
    Capabilities,
    ObjectInfo,
    Pieces,
    Store,
    Unreadable,
    Written,
)
from cloudflux.storage.keys import printable
from cloudflux.storage.s3_bucket import PAGE_KEYS, WHOLE_TELLS, Bucket
from cloudflux.storage.s3_client import split_uri, wire_for
from cloudflux.storage.s3_conditions import Conditions, conditions_of, gone_is_changed
from cloudflux.storage.s3_control import S3Control
from cloudflux.storage.s3_encryption import ServerSide
from cloudflux.storage.s3_listing import Order
from cloudflux.storage.s3_sharing import S3Sharing
from cloudflux.storage.s3_uploads import CRC
from cloudflux.storage.s3_wire import Wire
from cloudflux.storage.s3_write import SINGLE_PUT_BYTES, Writer

SINGLE_COPY_BYTES = 5 << 30
ENCRYPTIONS = (EncryptionType.PROVIDER, EncryptionType.KMS, EncryptionType.CUSTOMER)


class S3Store(S3Control, S3Sharing):
    """One bucket and prefix."""

    def __init__(
        self,
        wire: Wire,
        bucket: str,
        prefix: str,
        *,
        single_copy_bytes: int = SINGLE_COPY_BYTES,
        encryption: Asked | None = None,
    ) -> None:
        """`prefix` is empty or ends with a slash; `single_copy_bytes` is CopyObject's limit."""
        self._bucket = Bucket(wire, bucket, prefix, ServerSide(encryption))
        self._writer = Writer(self._bucket)
        self._conditions = Conditions(self._bucket)
        self._encrypts = encryption is not None
        self._keeps_classes = False
        self.single_copy_bytes = single_copy_bytes
        self.least_parts_bytes, self.parts_digest = SINGLE_PUT_BYTES, CRC
        self.page_keys = PAGE_KEYS
        self.uri = self._bucket.uri
        self.capabilities = Capabilities(
            scheme="s3",
            storage_classes=attributes.CLASSES,
            archive_classes=tuple(sorted(attributes.ARCHIVED_CLASSES)),
            in_place_class_change=True,
            checksums=attributes.CHECKSUMS,
            version_may_be_md5=True,
            max_copy_bytes=single_copy_bytes,
        )

    @classmethod
    def from_ref(cls, ref: StoreRef) -> "S3Store":
        """Open a location; no request is made. Raises ConfigurationError."""
        bucket, prefix = split_uri(ref.uri)
        return cls(wire_for(ref), bucket, prefix, encryption=encryption_of(ref, *ENCRYPTIONS))

    def check(self) -> None:
        """Raise a clear error unless the bucket exists and can be listed."""
        query = {"list-type": "2", "prefix": self._bucket.prefix, "max-keys": "1"}
        self._bucket.call("ListObjectsV2", "GET", query=query)

    def list(self, prefix: str = "", start_after: str = "") -> Iterator[ObjectInfo | Unreadable]:
        """Yield by key order, a page (`page_keys`) in memory."""
        order = Order(self.uri)
        for page in self._bucket.pages(prefix, start_after, self.page_keys):
            found = list(page.objects(len(self._bucket.prefix)))
            order.check([info.key for info in found])
            for info in found:
                if info.key.startswith(CONTROL_PREFIX):
                    continue
                if info.key == "":
                    # The folder marker of the location itself; consoles make them.
                    if info.size_bytes:
                        yield Unreadable("", "an object has the location's own name")
                    continue
                yield info

    def list_briefs(self, start_after: str = "") -> Iterator[Sequence[Brief]]:
        """Pages of key, size and version, in the order of `list`."""
        order = Order(self.uri)
        for page in self._bucket.pages("", start_after, self.page_keys):
            found = page.briefs(len(self._bucket.prefix))
            order.check([key for key, _, _ in found])
            yield [brief for brief in found if brief[0] and not brief[0].startswith(CONTROL_PREFIX)]

    def head(self, key: str) -> ObjectInfo:
        """Everything known of one object, with checksums and tags. Raises ObjectNotFound."""
        headers = self._bucket.head(key)
        return attributes.from_headers(key, headers, self._bucket.tags(key, headers))

    def open(self, key: str, *, if_version: str | None = None) -> BinaryIO:
        """Stream the content. Raises PreconditionFailed, ObjectArchived."""
        return self._bucket.body(key, self._bucket.get(key, if_version, {}))

    def fetch(self, key: str, *, if_version: str) -> tuple[ObjectInfo, BinaryIO]:
        """What `head` and `open` give, in one request, and one for tags where there are some."""
        response = self._bucket.get(key, if_version, WHOLE_TELLS)
        try:
            tags = self._bucket.tags(key, response.headers, counted=True)
            info = attributes.from_headers(key, response.headers, tags)
        except BaseException:
            response.close()
            raise
        return info, self._bucket.body(key, response)

    def read_range(self, key: str, start: int, length: int, *, if_version: str) -> bytes:
        """Exactly these bytes. Raises PreconditionFailed, Unavailable when they break off."""
        span = {"range": f"bytes={start}-{start + length - 1}"}
        with self._bucket.body(key, self._bucket.get(key, if_version, span)) as stream:
            data = stream.read()
        if len(data) != length:
            raise Unavailable(
                f"{self.uri}/{printable(key)}: {len(data)} bytes came instead of {length}",
                backend="s3",
                operation="GetObject",
                key=key,
            )
        return data

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
        name = self._bucket.name(key)
        headers = attributes.write_headers(info, storage_class, metadata)
        held = self._conditions.of(key, if_absent=if_absent, if_version=if_version)
        with gone_is_changed(key, if_version):
            if size_bytes < SINGLE_PUT_BYTES:
                if held.look is not None:
                    held.look()
                answer, digests = self._writer.put_whole(
                    name, stream, size_bytes, {**headers, **held.headers}, sha256
                )
            else:
                upload = self._writer.upload(name, headers, held.headers, look=held.look)
                answer, digests = s3_multipart.upload_stream(
                    upload, stream, size_bytes, sha256=sha256
                )
        return self._writer.written(key, answer, digests)

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
        upload_id: str | None = None,
        begun: Callable[[str], None] = lambda _: None,
    ) -> tuple[Written, Mapping[str, str]]:
        """Write a large object by parts, several at a time; see the contract."""
        headers = attributes.write_headers(info, storage_class, metadata)
        held = self._conditions.of(key, if_absent=if_absent, if_version=if_version)
        upload = self._writer.upload(self._bucket.name(key), headers, held.headers, look=held.look)
        length = s3_multipart.part_bytes(pieces.size_bytes, s3_multipart.PART_BYTES)
        with gone_is_changed(key, if_version):
            answer, digests = s3_multipart.upload_pieces(
                upload, pieces, length=length, upload_id=upload_id, begun=begun
            )
        return self._writer.written(key, answer, digests), digests

    def copies_from(self, source: Store) -> bool:
        """Whether the source is on the same endpoint, under the same key, both as they are.

        With a key of one's own the versions are no digests that could be compared.
        """
        if not isinstance(source, S3Store) or source._encrypts or self._encrypts:
            return False
        return source._bucket.wire is self._bucket.wire

    def may_copy(self, listed: ObjectInfo) -> bool:
        """Whether the listed version is a digest, of the whole or of its parts."""
        return s3_copy.may_prove(listed, self.single_copy_bytes)

    def copy_within(
        self, source: Store, listed: ObjectInfo, *, storage_class: str | None
    ) -> Written:
        """Have the server copy one object from another place of its own; see the contract."""
        parts = s3_copy.written_in_parts(listed)
        return (s3_copy.copy_parts_between if parts else s3_copy.copy_between)(
            cast("S3Store", source)._bucket,
            self._bucket,
            listed,
            storage_class=storage_class,
            conditions=conditions_of(if_absent=True, if_version=None),
        )

    def delete(self, key: str, *, if_version: str | None = None) -> None:
        """Remove; conditional on both sides: looked at first, and asked of the server."""
        name = self._bucket.name(key)
        headers: dict[str, str] = {}
        if if_version is not None:
            # A server without conditional deletes would ignore the header.
            if attributes.unquote_etag(self._bucket.head(key)["etag"]) != if_version:
                raise PreconditionFailed(
                    f"{self.uri}/{printable(key)} changed and is kept",
                    backend="s3",
                    operation="delete",
                    key=key,
                )
            headers["if-match"] = f'"{if_version}"'
        self._bucket.call("DeleteObject", "DELETE", name, headers=headers)

    def change_class(
        self, key: str, target: str, *, if_version: str, size_bytes: int
    ) -> ObjectInfo:
        """Change the class in place, server side; see the contract."""
        before, version = self._change(key, target, if_version, size_bytes)
        if version is None:
            return before
        headers = self._bucket.head(key)
        after = attributes.from_headers(key, headers, self._bucket.tags(key, headers))
        s3_classes.require_changed(before, after, target)
        self._keeps_classes = True
        return after

    def change_class_unread(
        self, key: str, target: str, *, if_version: str, size_bytes: int
    ) -> ObjectInfo:
        """Do the same; the caller reads the classes back with a listing, a thousand a request.

        The first change is read back here all the same: a server that answers with success and
        changes nothing is found before it is asked ten thousand times.
        """
        if not self._keeps_classes:
            return self.change_class(key, target, if_version=if_version, size_bytes=size_bytes)
        before, version = self._change(key, target, if_version, size_bytes)
        if version is None:
            return before
        return replace(before, storage_class=target, version=version)

    def _change(
        self, key: str, target: str, if_version: str, size_bytes: int
    ) -> tuple[ObjectInfo, str | None]:
        """The object before its change, and its version after; None when it had the class."""
        if target not in attributes.CLASSES:
            raise NotSupported(
                f"unknown storage class {target}; use one of {', '.join(attributes.CLASSES)}",
                backend="s3",
                operation="change_class",
                key=key,
            )
        headers = self._bucket.head(key)
        before = attributes.from_headers(key, headers, {})
        if before.storage_class == target:
            return before, None
        in_parts = before.size_bytes > self.single_copy_bytes
        if in_parts:  # a copy in parts carries nothing by itself
            before = replace(before, tags=self._bucket.tags(key, headers))
        s3_classes.require_movable(before, if_version, size_bytes)
        source = s3_classes.Source(self._bucket, self._bucket.name(key), before, headers)
        try:
            version, enforced = s3_classes.copy_onto_itself(
                source,
                target,
                in_parts=in_parts,
                condition_on_target=self.capabilities.conditional_copy_target,
            )
        except PreconditionFailed:
            # Perhaps by our own copy, whose answer was lost: its content is the same then.
            after = attributes.from_headers(key, self._bucket.head(key), {})
            same = (after.size_bytes, after.version) == (before.size_bytes, before.version)
            if after.storage_class != target or not same:
                raise
            return after, None
        if not enforced:
            self.capabilities = replace(self.capabilities, conditional_copy_target=False)
        return before, version
