"""S3 and what speaks its protocol."""

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import BinaryIO, cast

from cloudflux.api.tasks import StoreRef
from cloudflux.errors import (
    NotSupported,
    ObjectArchived,
    ObjectNotFound,
    PreconditionFailed,
    StorageError,
    Unavailable,
)
from cloudflux.storage import s3_attributes as attributes
from cloudflux.storage import s3_classes, s3_multipart
from cloudflux.storage.digests import compare, hex_to_base64
from cloudflux.storage.http_client import Response
from cloudflux.storage.interface import (
    CONTROL_PREFIX,
    Brief,
    Capabilities,
    ObjectInfo,
    Pieces,
    Unreadable,
    Written,
)
from cloudflux.storage.keys import key_bytes, printable
from cloudflux.storage.parts import read_whole
from cloudflux.storage.s3_client import split_uri, wire_for
from cloudflux.storage.s3_errors import Body
from cloudflux.storage.s3_listing import Page
from cloudflux.storage.s3_wire import Answer, Wire, parse_xml

SINGLE_PUT_BYTES = 16 << 20
SINGLE_COPY_BYTES = 5 << 30
PAGE_KEYS = 1000
CRC = s3_multipart.CRC
_TAG_COUNT = "x-amz-tagging-count"
_TELLS_TAGS = frozenset({"AmazonS3", "MinIO"})
"""Servers (by their Server header) that tell with each object how many tags it has."""
_WRONG_CHECKSUM = frozenset(
    {"BadDigest", "InvalidDigest", "InvalidRequest", "XAmzContentChecksumMismatch"}
)
_WHOLE_TELLS = {"x-amz-checksum-mode": "ENABLED"}


class S3Store:
    """One bucket and prefix."""

    def __init__(
        self,
        wire: Wire,
        bucket: str,
        prefix: str,
        *,
        single_copy_bytes: int = SINGLE_COPY_BYTES,
    ) -> None:
        """`prefix` is empty or ends with a slash; `single_copy_bytes` is CopyObject's limit."""
        self._wire, self._bucket, self._prefix = wire, bucket, prefix
        self._tells_tags: bool | None = None
        self._verifies: bool | None = None
        self._keeps_classes = False
        self.single_copy_bytes = single_copy_bytes
        self.least_parts_bytes = SINGLE_PUT_BYTES
        self.page_keys = PAGE_KEYS
        self.uri = f"s3://{bucket}/{prefix}".rstrip("/")
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
        return cls(wire_for(ref), bucket, prefix)

    def check(self) -> None:
        """Raise a clear error unless the bucket exists and can be listed."""
        query = {"list-type": "2", "prefix": self._prefix, "max-keys": "1"}
        self._wire.call("ListObjectsV2", "GET", self._bucket, query=query)

    def list(self, prefix: str = "", start_after: str = "") -> Iterator[ObjectInfo | Unreadable]:
        """Yield by key order, a page (`page_keys`) in memory."""
        for page in self._pages(prefix, start_after):
            for info in page.objects(len(self._prefix)):
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
        for page in self._pages("", start_after):
            yield [
                brief
                for brief in page.briefs(len(self._prefix))
                if brief[0] and not brief[0].startswith(CONTROL_PREFIX)
            ]

    def head(self, key: str) -> ObjectInfo:
        """Everything known of one object, with checksums and tags. Raises ObjectNotFound."""
        headers = self._head(key)
        return attributes.from_headers(key, headers, self._tags(key, headers))

    def open(self, key: str, *, if_version: str | None = None) -> BinaryIO:
        """Stream the content. Raises PreconditionFailed, ObjectArchived."""
        return self._body(key, self._get(key, if_version, {}))

    def fetch(self, key: str, *, if_version: str) -> tuple[ObjectInfo, BinaryIO]:
        """What `head` and `open` give, in one request, and one for tags where there are some."""
        response = self._get(key, if_version, _WHOLE_TELLS)
        try:
            tags = self._tags(key, response.headers, counted=True)
            info = attributes.from_headers(key, response.headers, tags)
        except BaseException:
            response.close()
            raise
        return info, self._body(key, response)

    def read_range(self, key: str, start: int, length: int, *, if_version: str) -> bytes:
        """Exactly these bytes. Raises PreconditionFailed, Unavailable when they break off."""
        span = {"range": f"bytes={start}-{start + length - 1}"}
        with self._body(key, self._get(key, if_version, span)) as stream:
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
        name = self._name(key)
        headers = attributes.write_headers(info, storage_class, metadata)
        conditions = _conditions(if_absent=if_absent, if_version=if_version)
        with _gone_is_changed(key, if_version):
            if size_bytes < SINGLE_PUT_BYTES:
                answer, digests = self._put_whole(
                    name, stream, size_bytes, {**headers, **conditions}, sha256
                )
            else:
                upload = self._upload(name, headers, conditions)
                answer, digests = s3_multipart.upload_stream(
                    upload, stream, size_bytes, sha256=sha256
                )
        return self._written(key, answer, digests)

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
        conditions = _conditions(if_absent=if_absent, if_version=if_version)
        upload = self._upload(self._name(key), headers, conditions)
        length = s3_multipart.part_bytes(pieces.size_bytes, s3_multipart.PART_BYTES)
        with _gone_is_changed(key, if_version):
            answer, digests = s3_multipart.upload_pieces(
                upload, pieces, length=length, upload_id=upload_id, begun=begun
            )
        return self._written(key, answer, digests), digests

    def delete(self, key: str, *, if_version: str | None = None) -> None:
        """Remove; conditional on both sides: looked at first, and asked of the server."""
        name = self._name(key)
        headers: dict[str, str] = {}
        if if_version is not None:
            # A server without conditional deletes would ignore the header.
            if attributes.unquote_etag(self._head(key)["etag"]) != if_version:
                raise PreconditionFailed(
                    f"{self.uri}/{printable(key)} changed and is kept",
                    backend="s3",
                    operation="delete",
                    key=key,
                )
            headers["if-match"] = f'"{if_version}"'
        self._wire.call("DeleteObject", "DELETE", self._bucket, name, headers=headers)

    def change_class(
        self, key: str, target: str, *, if_version: str, size_bytes: int
    ) -> ObjectInfo:
        """Change the class in place, server side; see the contract."""
        before, version = self._change(key, target, if_version, size_bytes)
        if version is None:
            return before
        headers = self._head(key)
        after = attributes.from_headers(key, headers, self._tags(key, headers))
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
        headers = self._head(key)
        before = attributes.from_headers(key, headers, {})
        if before.storage_class == target:
            return before, None
        in_parts = before.size_bytes > self.single_copy_bytes
        if in_parts:  # a copy in parts carries nothing by itself
            before = replace(before, tags=self._tags(key, headers))
        s3_classes.require_movable(before, if_version, size_bytes)
        source = s3_classes.Source(self._wire, self._bucket, self._name(key), before, headers)
        try:
            version, enforced = s3_classes.copy_onto_itself(
                source,
                target,
                in_parts=in_parts,
                condition_on_target=self.capabilities.conditional_copy_target,
            )
        except PreconditionFailed:
            # Perhaps by our own copy, whose answer was lost: its content is the same then.
            after = attributes.from_headers(key, self._head(key), {})
            same = (after.size_bytes, after.version) == (before.size_bytes, before.version)
            if after.storage_class != target or not same:
                raise
            return after, None
        if not enforced:
            self.capabilities = replace(self.capabilities, conditional_copy_target=False)
        return before, version

    def enforces_copy_conditions(self, key: str) -> tuple[bool, bool]:
        """Measure, with a scratch object, whether a copy's (source, target) conditions count."""
        return s3_classes.measure_conditions(self._wire, self._bucket, self._name(key))

    def uploads(self, prefix: str = "") -> Iterator[tuple[str, str]]:
        """Unfinished multipart uploads below prefix: (key, upload id)."""
        query = {"uploads": "", "prefix": self._prefix + prefix}
        while True:
            answer = self._wire.call("ListMultipartUploads", "GET", self._bucket, query=query)
            for child in parse_xml(answer.body):
                fields = {one.tag.rpartition("}")[2]: one.text or "" for one in child}
                if child.tag.rpartition("}")[2] == "Upload":
                    yield fields["Key"][len(self._prefix) :], fields["UploadId"]
            found = answer.xml()
            if found.get("IsTruncated", "").strip() != "true":
                return
            query["key-marker"] = found.get("NextKeyMarker", "")
            query["upload-id-marker"] = found.get("NextUploadIdMarker", "")

    def abort_upload(self, key: str, upload_id: str) -> None:
        """Drop one; absent is not an error."""
        s3_multipart.abort(self._upload(self._name(key), {}, {}, probe=False), upload_id)

    def close(self) -> None:
        """Nothing: the connections are shared by all stores of the endpoint and the key."""

    def _pages(self, prefix: str, start_after: str) -> Iterator[Page]:
        query = {
            "list-type": "2",
            "prefix": self._prefix + prefix,
            "max-keys": str(self.page_keys),
            "encoding-type": "url",
        }
        if start_after:
            query["start-after"] = self._prefix + start_after
        while True:
            page = Page(self._wire.call("ListObjectsV2", "GET", self._bucket, query=query).body)
            yield page
            if not page.truncated:
                return
            if page.next_token is None:
                raise StorageError(f"{self.uri}: the listing breaks off without a token")
            query["continuation-token"] = page.next_token

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

    def _head(self, key: str) -> Mapping[str, str]:
        name = self._name(key)
        answer = self._wire.call("HeadObject", "HEAD", self._bucket, name, headers=_WHOLE_TELLS)
        return answer.headers

    def _get(self, key: str, if_version: str | None, headers: Mapping[str, str]) -> Response:
        condition = {} if if_version is None else {"if-match": f'"{if_version}"'}
        return self._wire.stream(
            "GetObject", "GET", self._bucket, self._name(key), headers={**condition, **headers}
        )

    def _body(self, key: str, response: Response) -> BinaryIO:
        return cast("BinaryIO", Body(response, self._name(key), self._bucket))

    def _tags(
        self, key: str, headers: Mapping[str, str], *, counted: bool = False
    ) -> dict[str, str]:
        """The tags of an object; asked for only where there may be some.

        `counted`: the headers are of GetObject, with which most servers tell how many there are;
        few do with HeadObject.
        """
        if counted and (_TAG_COUNT in headers or headers.get("server", "") in _TELLS_TAGS):
            self._tells_tags = self._tells_tags is not False
        if headers.get(_TAG_COUNT) == "0" or (
            counted and self._tells_tags and _TAG_COUNT not in headers
        ):
            return {}
        try:
            answer = self._wire.call(
                "GetObjectTagging", "GET", self._bucket, self._name(key), query={"tagging": ""}
            )
        except (NotSupported, ObjectNotFound, ObjectArchived):
            # A server without tags, or one that answers "no such tag set", or that gives no tags
            # of what is archived.
            return {}
        tags = {}
        for tag in parse_xml(answer.body).iter():
            if tag.tag.rpartition("}")[2] == "Tag":
                fields = {one.tag.rpartition("}")[2]: one.text or "" for one in tag}
                tags[fields["Key"]] = fields["Value"]
        if counted and tags and _TAG_COUNT not in headers:
            self._tells_tags = False
        return tags

    def _put_whole(
        self,
        name: str,
        stream: BinaryIO,
        size_bytes: int,
        headers: Mapping[str, str],
        sha256: str | None,
    ) -> tuple[Answer, Mapping[str, str]]:
        verifies = self._verifies_checksums()
        names = {CRC} | (set() if verifies else {"md5"})
        body, digests = read_whole(name, stream, size_bytes, sha256, names)
        checks = {
            f"x-amz-checksum-{CRC}": hex_to_base64(digests[CRC]),
            "x-amz-sdk-checksum-algorithm": CRC.upper(),
        }
        if not verifies:
            checks["content-md5"] = hex_to_base64(digests["md5"])
        answer = self._wire.call(
            "PutObject",
            "PUT",
            self._bucket,
            name,
            headers={**headers, **checks},
            body=body,
            sha256=digests.get("sha256"),
        )
        return answer, digests

    def _written(self, key: str, answer: Answer, digests: Mapping[str, str]) -> Written:
        """What a write returned, with those digests only that the server computed."""
        etag = attributes.unquote_etag(answer.headers["etag"])
        told = attributes.checksums_of(answer.headers)
        compare(digests, told, f"{self.uri}/{printable(key)}")
        checksums = {}
        if self._verifies_checksums():
            # It refuses what differs, so that what it accepted is what was sent.
            checksums[CRC] = digests[CRC]
        if "md5" in digests and etag == digests["md5"]:
            checksums["md5"] = etag
        return Written(version=etag, checksums=checksums)

    def _upload(
        self,
        name: str,
        headers: Mapping[str, str],
        conditions: Mapping[str, str],
        *,
        probe: bool = True,
    ) -> s3_multipart.Upload:
        verifies = self._verifies_checksums() if probe else False
        return s3_multipart.Upload(
            self._wire, self._bucket, name, headers, conditions, verifies=verifies
        )

    def _verifies_checksums(self) -> bool:
        """Whether the server refuses a body whose CRC-64 is wrong; measured once, by a write."""
        if self._verifies is None:
            name = f"{self._prefix}{CONTROL_PREFIX}probe-{uuid.uuid4()}"
            try:
                self._wire.call(
                    "PutObject",
                    "PUT",
                    self._bucket,
                    name,
                    headers={
                        f"x-amz-checksum-{CRC}": hex_to_base64("00" * 8),
                        "x-amz-sdk-checksum-algorithm": CRC.upper(),
                    },
                    body=b"probe",
                    repeat=False,
                )
            except StorageError as error:
                if error.code not in _WRONG_CHECKSUM:
                    raise  # no right, no bucket, no answer: the write itself would fail so
                self._verifies = True
            else:
                self._verifies = False
                self._wire.call("DeleteObject", "DELETE", self._bucket, name)
        return self._verifies


class _gone_is_changed:  # noqa: N801  (reads as a word where it is used)
    """A conditional write of an object that is gone fails its condition."""

    def __init__(self, key: str, if_version: str | None) -> None:
        self._key, self._if_version = key, if_version

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if isinstance(error, ObjectNotFound) and self._if_version is not None:
            raise PreconditionFailed(
                f"{printable(self._key)} is gone; list again",
                backend="s3",
                operation="put",
                key=self._key,
            ) from error


def _conditions(*, if_absent: bool, if_version: str | None) -> dict[str, str]:
    conditions: dict[str, str] = {}
    if if_absent:
        conditions["if-none-match"] = "*"
    if if_version is not None:
        conditions["if-match"] = f'"{if_version}"'
    return conditions
