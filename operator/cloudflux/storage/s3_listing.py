"""Pages of ListObjectsV2, read without building a tree where the server writes them plainly."""

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from html import unescape
from urllib.parse import unquote_plus

from cloudflux.storage import s3_attributes as attributes
from cloudflux.storage.interface import Brief, ObjectInfo
from cloudflux.storage.s3_wire import parse_xml

_ENTRY = re.compile(rb"<Contents>(.*?)</Contents>", re.DOTALL)
_FIELD = re.compile(
    rb"<(Key|LastModified|ETag|Size|StorageClass)>([^<]*)</(?:Key|LastModified|ETag|Size|StorageClass)>"
)
_NEXT = re.compile(rb"<NextContinuationToken>([^<]+)</NextContinuationToken>")
_TRUNCATED = re.compile(rb"<IsTruncated>\s*true\s*</IsTruncated>")
_PLAIN = re.compile(
    rb"<Contents><Key>([^<]*)</Key><LastModified>([^<]*)</LastModified><ETag>([^<]*)</ETag>"
    rb"<Size>(\d+)</Size>"
)


class Page:
    """One page."""

    def __init__(self, body: bytes) -> None:
        """Raises StorageError when it is no XML."""
        self._body = body
        token = _NEXT.search(body)
        self.truncated = _TRUNCATED.search(body) is not None
        self.next_token = unescape(token.group(1).decode()) if token else None
        # Not every server escapes what XML can't hold though it was asked to.
        self._escaped = b"<EncodingType>url</EncodingType>" in body
        if b"</ListBucketResult>" not in body:
            parse_xml(body)  # says what is wrong with it

    def entries(self) -> Iterator[Mapping[bytes, bytes]]:
        """Each entry's fields, still escaped."""
        for entry in _ENTRY.finditer(self._body):
            yield dict(_FIELD.findall(entry.group(1)))

    def objects(self, prefix_length: int) -> Iterator[ObjectInfo]:
        """Each entry in full; `prefix_length` characters are cut from its key."""
        for fields in self.entries():
            etag = _etag(fields[b"ETag"])
            storage_class = fields.get(b"StorageClass", b"").decode() or "STANDARD"
            yield ObjectInfo(
                key=self._key(fields[b"Key"])[prefix_length:],
                size_bytes=int(fields[b"Size"]),
                version=etag,
                storage_class=storage_class,
                last_modified=_time(fields[b"LastModified"].decode()),
                archived=storage_class in attributes.ARCHIVED_CLASSES,
                multipart_parts=attributes.parts_of(etag),
            )

    def briefs(self, prefix_length: int) -> list[Brief]:
        """Each entry's key, size and version: a fifth of the cost of `objects`."""
        found = _PLAIN.findall(self._body)
        if len(found) != self._body.count(b"<Contents>"):
            return [(o.key, o.size_bytes, o.version) for o in self.objects(prefix_length)]
        return [
            (self._key(key)[prefix_length:], int(size), _etag(etag)) for key, _, etag, size in found
        ]

    def _key(self, text: bytes) -> str:
        key = text.decode()
        if "&" in key:
            key = unescape(key)
        if self._escaped and ("%" in key or "+" in key):
            return unquote_plus(key, errors="surrogateescape")
        return key


def _etag(text: bytes) -> str:
    return text.replace(b"&#34;", b"").replace(b"&quot;", b"").strip(b'"').decode()


def _time(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).astimezone(dt.UTC)
