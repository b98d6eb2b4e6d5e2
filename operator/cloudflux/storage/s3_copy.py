"""Copying between two places on one server: it copies by itself, no byte passes through us."""

import re
from collections.abc import Mapping

from cloudflux.errors import Unavailable
from cloudflux.storage import s3_attributes as attributes
from cloudflux.storage.interface import ObjectInfo, Written
from cloudflux.storage.keys import printable
from cloudflux.storage.s3_bucket import Bucket

_ETAG = re.compile(rb"<ETag>([^<]+)</ETag>")
_MD5 = re.compile(r"^[0-9a-f]{32}$")


def may_prove(listed: ObjectInfo) -> bool:
    """Whether the version can be a digest of the content, so that a copy's can be compared."""
    return _MD5.match(listed.version) is not None


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
