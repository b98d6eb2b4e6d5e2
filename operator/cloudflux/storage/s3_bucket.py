"""One bucket and prefix as requests see it: names, listings, heads, bodies and tags."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from typing import BinaryIO, cast
from xml.etree.ElementTree import Element

from cloudflux.errors import (
    NotSupported,
    ObjectArchived,
    ObjectNotFound,
    PreconditionFailed,
    StorageError,
)
from cloudflux.storage.http_client import Response
from cloudflux.storage.keys import key_bytes, printable
from cloudflux.storage.s3_attributes import unquote_etag
from cloudflux.storage.s3_encryption import ServerSide
from cloudflux.storage.s3_errors import Body
from cloudflux.storage.s3_listing import Page
from cloudflux.storage.s3_sign import quote_path
from cloudflux.storage.s3_wire import Answer, Wire, local_name, parse_xml

PAGE_KEYS = 1000
MAX_TAGGING_BYTES = 64 << 10
"""Ten tags of 128 and 256 characters, written at their longest, take half of this."""
MAX_TAGGING_HEAD_BYTES = 512
WHOLE_TELLS = {"x-amz-checksum-mode": "ENABLED"}
_TAG_COUNT = "x-amz-tagging-count"
_TELLS_TAGS = frozenset({"AmazonS3", "MinIO"})
"""Servers (by their Server header) that tell with each object how many tags it has."""


class Bucket:
    """A wire, and where on it the objects are; thread-safe."""

    def __init__(
        self, wire: Wire, bucket: str, prefix: str, encryption: ServerSide | None = None
    ) -> None:
        """`prefix` is empty or ends with a slash."""
        self._encryption = encryption or ServerSide(None)
        self.wire, self.bucket, self.prefix = wire, bucket, prefix
        self.uri = f"s3://{bucket}/{prefix}".rstrip("/")
        self._tells_tags: bool | None = None
        self._has_tags = True

    def call(
        self,
        operation: str,
        method: str,
        name: str = "",
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | memoryview = b"",
        sha256: str | None = None,
        repeat: bool = True,
    ) -> Answer:
        """Ask something of the bucket, or of an object by its whole name; see `Wire.call`."""
        sent = {**self._encryption.headers(operation), **(headers or {})}
        return self.wire.call(
            operation, method, self.bucket, name, query=query, headers=sent, body=body,
            sha256=sha256, repeat=repeat,
        )  # fmt: skip

    def pages(self, prefix: str, start_after: str, size: int) -> Iterator[Page]:
        """Yield pages of at most `size` entries of the listing below `prefix`, after a key."""
        query = {
            "list-type": "2",
            "prefix": self.prefix + prefix,
            "max-keys": str(size),
            "encoding-type": "url",
        }
        if start_after:
            query["start-after"] = self.prefix + start_after
        while True:
            page = Page(self.call("ListObjectsV2", "GET", query=query).body)
            yield page
            if not page.truncated:
                return
            if page.next_token is None:
                raise StorageError(f"{self.uri}: the listing breaks off without a token")
            query["continuation-token"] = page.next_token

    def name(self, key: str) -> str:
        """Return the whole key. Raises NotSupported when S3 can't hold it."""
        try:
            key.encode("utf-8")
        except UnicodeEncodeError:
            raise NotSupported(
                f"{printable(key)}: S3 keys are UTF-8; rename it first", backend="s3", key=key
            ) from None
        if not key or len(key_bytes(key)) + len(key_bytes(self.prefix)) > 1024:
            raise NotSupported(
                f"{printable(key)}: S3 keys have 1 to 1024 bytes", backend="s3", key=key
            )
        return self.prefix + key

    def copy_source(self, name: str) -> str:
        """Return what a copy's header calls an object, by its whole name."""
        return f"/{self.bucket}/{quote_path(name)}"

    def head(self, key: str) -> Mapping[str, str]:
        """Return the headers of an object, with its checksums. Raises ObjectNotFound."""
        name = self.name(key)
        answer = self.call("HeadObject", "HEAD", name, headers=WHOLE_TELLS)
        return answer.headers

    def get(self, key: str, if_version: str | None, headers: Mapping[str, str]) -> Response:
        """Ask for the content of a version, with these headers; the body is unread.

        Raises PreconditionFailed, also where the server looks at no condition.
        """
        condition = {} if if_version is None else {"if-match": f'"{if_version}"'}
        answer = self.wire.stream(
            "GetObject",
            "GET",
            self.bucket,
            self.name(key),
            headers={**self._encryption.headers("GetObject"), **condition, **headers},
        )
        if if_version is not None and unquote_etag(answer.headers.get("etag", "")) != if_version:
            answer.close()
            raise PreconditionFailed(
                f"{self.uri}/{printable(key)} changed since it was listed",
                backend="s3",
                operation="GetObject",
                key=key,
            )
        return answer

    def body(self, key: str, response: Response) -> BinaryIO:
        """Return the content as a stream whose errors are ours."""
        return cast("BinaryIO", Body(response, self.name(key), self.bucket))

    def tags(
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
        tags = {}
        for tag in self._tag_set(key):
            if local_name(tag) == "Tag":
                fields = {local_name(one): one.text or "" for one in tag}
                tags[fields["Key"]] = fields["Value"]
        if counted and tags and _TAG_COUNT not in headers:
            self._tells_tags = False
        return tags

    def _tag_set(self, key: str) -> Iterable[Element]:
        """Every element of the answer that holds the tags; none from a server without tags."""
        if self._has_tags is False:
            return ()
        try:
            answer = self.wire.stream(
                "GetObjectTagging", "GET", self.bucket, self.name(key), query={"tagging": ""}
            )
        except (NotSupported, ObjectNotFound, ObjectArchived):
            # A server without tags, or one that answers "no such tag set", or that gives no tags
            # of what is archived.
            return ()
        with closing(answer):
            body = answer.read(MAX_TAGGING_BYTES)
        if b"<Tagging" not in body[:MAX_TAGGING_HEAD_BYTES]:
            self._has_tags = False  # it knows no ?tagging, and began to send the object itself
            return ()
        return parse_xml(body).iter()
