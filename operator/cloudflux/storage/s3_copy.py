"""Copying between two places on one server: it copies by itself, no byte passes through us."""

import re
from collections.abc import Mapping

from cloudflux.errors import NotSupported, PreconditionFailed, Unavailable
from cloudflux.storage import s3_attributes as attributes
from cloudflux.storage import s3_multipart
from cloudflux.storage.interface import ObjectInfo, Written
from cloudflux.storage.keys import printable
from cloudflux.storage.s3_bucket import Bucket
from cloudflux.storage.s3_uploads import Upload

_ETAG = re.compile(rb"<ETag>([^<]+)</ETag>")
_MD5 = re.compile(r"^[0-9a-f]{32}$")


PARTS_FROM_BYTES = 16 << 20
"""What was written in parts and is smaller costs more requests to copy so than to read and write.
"""


def may_prove(listed: ObjectInfo, single_copy_bytes: int) -> bool:
    """Whether the version can be a digest of the content, so that a copy's can be compared."""
    if written_in_parts(listed):
        return listed.size_bytes >= PARTS_FROM_BYTES
    return listed.size_bytes <= single_copy_bytes and _MD5.match(listed.version) is not None


def written_in_parts(listed: ObjectInfo) -> bool:
    """Whether the version tells of parts: it is then a digest of their digests."""
    return attributes.parts_of(listed.version) is not None


def copy_parts_between(
    source: Bucket,
    target: Bucket,
    listed: ObjectInfo,
    *,
    storage_class: str | None,
    conditions: Mapping[str, str],
) -> Written:
    """Copy an object by the parts that it was written in, with all that a write can keep.

    Parts of the same sizes and contents make the same version, whose digests the server
    computed: `checksums` holds the source's own where it did, and is empty where not. Raises
    PreconditionFailed, and NotSupported when the source tells no checksum for later proofs, or
    has parts of other sizes.
    """
    key, name = listed.key, source.name(listed.key)
    headers = source.head(key)
    info = attributes.from_headers(key, headers, source.tags(key, headers))
    if info.version != listed.version:
        raise PreconditionFailed(
            f"{printable(key)} changed; list again", backend="s3", operation="copy", key=key
        )
    first = source.call("HeadObject", "HEAD", name, query={"partNumber": "1"}).headers
    length = int(first.get("content-length", "0"))
    parts = -(-info.size_bytes // length) if length else 0
    if not info.checksums or parts != info.multipart_parts:
        raise NotSupported(
            f"{printable(key)}: a copy by the server could not be proven",
            backend="s3",
            operation="UploadPartCopy",
            key=key,
        )
    upload = Upload(
        target,
        target.name(key),
        attributes.write_headers(info, storage_class, None),
        conditions,
        verifies=False,
    )
    answer = s3_multipart.copy(
        upload, source.copy_source(name), info.size_bytes, version=info.version, length=length
    )
    etag = attributes.unquote_etag(answer.headers["etag"])
    proven = info.checksums if etag == listed.version else {}
    return Written(etag, proven, attested="MD5 of each part")


def copy_between(
    source: Bucket,
    target: Bucket,
    listed: ObjectInfo,
    *,
    storage_class: str | None,
    conditions: Mapping[str, str],
) -> Written:
    """Copy one object as it was listed, with all that the server keeps of it.

    The copy's version is a digest that the server computed: `checksums` holds it where it is
    the listed one's, too, and is empty where the two can't be compared. Raises
    PreconditionFailed, and Unavailable when the server did not finish.
    """
    answer = target.call(
        "CopyObject",
        "PUT",
        target.name(listed.key),
        headers={
            "x-amz-copy-source": source.copy_source(source.name(listed.key)),
            "x-amz-copy-source-if-match": f'"{listed.version}"',
            "x-amz-metadata-directive": "COPY",
            "x-amz-tagging-directive": "COPY",
            **({attributes.CLASS: storage_class} if storage_class else {}),
            **conditions,
        },
    )
    found = _ETAG.search(answer.body)
    if found is None:
        # A failure after the first byte of a 200: documented for this operation.
        raise Unavailable(
            f"{printable(listed.key)}: the server began to copy and did not finish",
            backend="s3",
            operation="CopyObject",
            key=listed.key,
        )
    etag = found.group(1).decode().replace("&#34;", "").replace("&quot;", "").strip('"')
    return Written(etag, {"md5": etag} if etag == listed.version else {})
