"""Changing an object's storage class: a server-side copy onto itself, on conditions."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from cloudflux.errors import NotSupported, ObjectArchived, PreconditionFailed
from cloudflux.storage import s3_attributes as attributes
from cloudflux.storage import s3_multipart
from cloudflux.storage.digests import compare
from cloudflux.storage.interface import ObjectInfo
from cloudflux.storage.keys import printable
from cloudflux.storage.s3_errors import translated

_OTHER_VERSION = "00000000000000000000000000000000"


@dataclass(frozen=True, slots=True)
class Source:
    """The object as it was found."""

    client: Any
    bucket: str
    name: str
    info: ObjectInfo
    answer: Mapping[str, Any]


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
) -> bool:
    """Copy on condition of the version; returns False when the server knows no target condition."""
    copy = _copy_in_parts if in_parts else _copy_whole
    condition = {"IfMatch": source.info.version}
    if condition_on_target:
        try:
            copy(source, target, condition)
        except NotSupported:
            condition_on_target = False
        else:
            return True
    copy(source, target, {})
    return condition_on_target


def _copy_whole(source: Source, target: str, condition: Mapping[str, str]) -> None:
    with translated("CopyObject", source.name, bucket=source.bucket):
        source.client.copy_object(
            Bucket=source.bucket,
            Key=source.name,
            CopySource={"Bucket": source.bucket, "Key": source.name},
            CopySourceIfMatch=source.info.version,
            MetadataDirective="COPY",
            TaggingDirective="COPY",
            StorageClass=target,
            **attributes.encryption_of(source.answer),
            **condition,
        )


def _copy_in_parts(source: Source, target: str, condition: Mapping[str, str]) -> None:
    s3_multipart.copy(
        source.client,
        source.bucket,
        source.name,
        source.info.size_bytes,
        version=source.info.version,
        arguments={
            **attributes.write_arguments(source.info, target, None),
            **attributes.encryption_of(source.answer),
        },
        conditions=condition,
    )


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


def measure_conditions(client: Any, bucket: str, name: str) -> tuple[bool, bool]:
    """Whether copies of a scratch object onto itself on wrong (source, target) are refused."""
    wrong = ({"CopySourceIfMatch": _OTHER_VERSION}, {"IfMatch": _OTHER_VERSION})
    return (
        _refuses(client, bucket, name, wrong[0]),
        _refuses(client, bucket, name, wrong[1]),
    )


def _refuses(client: Any, bucket: str, name: str, condition: Mapping[str, str]) -> bool:
    with suppress(NotSupported):
        try:
            with translated("CopyObject", name, bucket=bucket):
                client.copy_object(
                    Bucket=bucket,
                    Key=name,
                    CopySource={"Bucket": bucket, "Key": name},
                    MetadataDirective="REPLACE",
                    **condition,
                )
        except PreconditionFailed:
            return True
    return False
