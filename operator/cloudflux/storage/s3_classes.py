"""Changing an object's storage class: a server-side copy onto itself, on conditions."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from cloudflux.errors import NotSupported, ObjectArchived, PreconditionFailed, Unavailable
from cloudflux.storage import s3_attributes as attributes
from cloudflux.storage import s3_multipart
from cloudflux.storage.digests import compare
from cloudflux.storage.interface import ObjectInfo
from cloudflux.storage.keys import printable
from cloudflux.storage.s3_bucket import Bucket
from cloudflux.storage.s3_encryption import kept
from cloudflux.storage.s3_uploads import Upload

_OTHER_VERSION = "00000000000000000000000000000000"


@dataclass(frozen=True, slots=True)
class Source:
    """The object as it was found."""

    bucket: Bucket
    name: str
    info: ObjectInfo
    headers: Mapping[str, str]


def require_movable(info: ObjectInfo, version: str, size_bytes: int) -> None:
    """Raise unless the object is the version that was planned and can be read."""
    if info.version != version or info.size_bytes != size_bytes:
        raise PreconditionFailed(
            f"{printable(info.key)} changed since it was listed; it is left as it is",
            backend="s3",
            operation="change_class",
            key=info.key,
        )
    if info.archived:
        raise ObjectArchived(
            f"{printable(info.key)} is in {info.storage_class} and must be restored first",
            backend="s3",
            operation="change_class",
            key=info.key,
        )


def copy_onto_itself(
    source: Source, target: str, *, in_parts: bool, condition_on_target: bool
) -> tuple[str, bool]:
    """Copy on condition of the version.

    Returns the new version, and False when the server knows no target condition.
    """
    copy = _copy_in_parts if in_parts else _copy_whole
    if condition_on_target:
        with suppress(NotSupported):
            return copy(source, target, {"if-match": f'"{source.info.version}"'}), True
    return copy(source, target, {}), False


def _copy_whole(source: Source, target: str, condition: Mapping[str, str]) -> str:
    answer = source.bucket.call(
        "CopyObject",
        "PUT",
        source.name,
        headers={
            "x-amz-copy-source": source.bucket.copy_source(source.name),
            "x-amz-copy-source-if-match": f'"{source.info.version}"',
            "x-amz-metadata-directive": "COPY",
            "x-amz-tagging-directive": "COPY",
            attributes.CLASS: target,
            **kept(source.headers),
            **condition,
        },
    )
    found = answer.xml()
    if "ETag" not in found:
        # A failure after the first byte of a 200: documented for this operation.
        raise Unavailable(
            f"{printable(source.info.key)}: the server began to copy and did not finish",
            backend="s3",
            operation="CopyObject",
            key=source.info.key,
        )
    told = {f"x-amz-checksum-{name[8:].lower()}": value for name, value in found.items()}
    checksums = attributes.checksums_of(told)
    compare(source.info.checksums, checksums, printable(source.info.key))
    return attributes.unquote_etag(found["ETag"])


def _copy_in_parts(source: Source, target: str, condition: Mapping[str, str]) -> str:
    upload = Upload(
        source.bucket,
        source.name,
        headers={
            **attributes.write_headers(source.info, target, None),
            **kept(source.headers),
        },
        conditions=condition,
        verifies=True,
    )
    info = source.info
    where = source.bucket.copy_source(source.name)
    answer = s3_multipart.copy(upload, where, info.size_bytes, version=info.version)
    return attributes.unquote_etag(answer.headers["etag"])


def require_changed(before: ObjectInfo, after: ObjectInfo, target: str) -> None:
    """Raise NotSupported if the class is not `target`, IntegrityError if the content differs."""
    if after.storage_class != target:
        raise NotSupported(
            f"the server answered with success but left {printable(after.key)} in "
            f"{after.storage_class}; it has no storage class {target}",
            backend="s3",
            operation="change_class",
            key=after.key,
        )
    sizes = ({"size": str(before.size_bytes)}, {"size": str(after.size_bytes)})
    compare(*sizes, printable(after.key))
    compare(before.checksums, after.checksums, printable(after.key))


def measure_conditions(bucket: Bucket, name: str) -> tuple[bool, bool]:
    """Whether copies of a scratch object onto itself on wrong (source, target) are refused."""
    return (
        _refuses(bucket, name, {"x-amz-copy-source-if-match": f'"{_OTHER_VERSION}"'}),
        _refuses(bucket, name, {"if-match": f'"{_OTHER_VERSION}"'}),
    )


def _refuses(bucket: Bucket, name: str, condition: Mapping[str, str]) -> bool:
    with suppress(NotSupported):
        try:
            bucket.call(
                "CopyObject",
                "PUT",
                name,
                headers={
                    "x-amz-copy-source": bucket.copy_source(name),
                    "x-amz-metadata-directive": "REPLACE",
                    **condition,
                },
            )
        except PreconditionFailed:
            return True
    return False
