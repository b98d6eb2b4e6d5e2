"""Multipart uploads and multipart copies: bounded memory, aborted when anything fails."""

import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, BinaryIO, TypeVar

from cloudflux.errors import CloudFluxError, IntegrityError
from cloudflux.storage.digests import Digests, hex_to_base64
from cloudflux.storage.keys import printable
from cloudflux.storage.s3_errors import translated

T = TypeVar("T")

MIB = 1 << 20
PART_BYTES = 16 * MIB
COPY_PART_BYTES = 512 * MIB
MAX_PARTS = 10_000
PARALLEL_PARTS = 3
PARALLEL_BYTES = 256 * MIB
"""Parts in memory at a time take no more than this, apart from a single larger part."""


def part_bytes(size_bytes: int, least_bytes: int) -> int:
    """Part size, in whole MiB, so that the object fits into the permitted number of parts."""
    needed = math.ceil(size_bytes / MAX_PARTS)
    return max(least_bytes, math.ceil(needed / MIB) * MIB)


def upload(
    client: Any,
    bucket: str,
    key: str,
    stream: BinaryIO,
    size_bytes: int,
    *,
    arguments: Mapping[str, Any],
    conditions: Mapping[str, str],
    sha256: str | None,
) -> tuple[dict[str, Any], Digests]:
    """Send a stream in parts; returns the server's answer and the digests of what was sent."""
    digests = Digests()
    length = part_bytes(size_bytes, PART_BYTES)

    def send(upload_id: str) -> list[dict[str, Any]]:
        bodies = _parts(stream, length, digests)

        def part(number: int, body: bytes) -> dict[str, Any]:
            return _upload_part(client, bucket, key, upload_id, number, body)

        return _in_parallel(part, bodies, length)

    def finish() -> dict[str, Any]:
        require_announced(key, digests, size_bytes, sha256)
        return {"ChecksumCRC64NVME": hex_to_base64(digests.hex()["crc64nvme"])}

    return _multipart(client, bucket, key, arguments, conditions, send, finish), digests


def copy(
    client: Any,
    bucket: str,
    key: str,
    size_bytes: int,
    *,
    version: str,
    arguments: Mapping[str, Any],
    conditions: Mapping[str, str],
) -> dict[str, Any]:
    """Copy an object onto itself in parts, server side, each part only from `version`."""
    length = part_bytes(size_bytes, min(COPY_PART_BYTES, max(5 * MIB, size_bytes // 2)))

    def send(upload_id: str) -> list[dict[str, Any]]:
        def part(number: int, start: int) -> dict[str, Any]:
            end = min(start + length, size_bytes) - 1
            with translated("UploadPartCopy", key, bucket=bucket):
                answer = client.upload_part_copy(
                    Bucket=bucket,
                    Key=key,
                    UploadId=upload_id,
                    PartNumber=number,
                    CopySource={"Bucket": bucket, "Key": key},
                    CopySourceIfMatch=version,
                    CopySourceRange=f"bytes={start}-{end}",
                )
            return _part_entry(number, answer["CopyPartResult"])

        return _in_parallel(part, iter(range(0, size_bytes, length)), 0)

    return _multipart(client, bucket, key, arguments, conditions, send, dict)


def require_announced(key: str, digests: Digests, size_bytes: int, sha256: str | None) -> None:
    """Raise IntegrityError when a stream was not the one announced."""
    if digests.size_bytes != size_bytes:
        raise IntegrityError(
            f"{printable(key)}: {digests.size_bytes} bytes came instead of {size_bytes}; "
            "the source changed while it was read, or broke off"
        )
    if sha256 is not None and digests.hex()["sha256"] != sha256:
        raise IntegrityError(f"{printable(key)}: the bytes are not those expected (sha256)")


def _multipart(
    client: Any,
    bucket: str,
    key: str,
    arguments: Mapping[str, Any],
    conditions: Mapping[str, str],
    send: Callable[[str], list[dict[str, Any]]],
    finish: Callable[[], dict[str, Any]],
) -> dict[str, Any]:
    where = {"Bucket": bucket, "Key": key}
    with translated("CreateMultipartUpload", key, bucket=bucket):
        created = client.create_multipart_upload(
            **where, **arguments, ChecksumAlgorithm="CRC64NVME", ChecksumType="FULL_OBJECT"
        )
    where["UploadId"] = created["UploadId"]
    try:
        parts = send(created["UploadId"])
        checksum = finish()
        with translated("CompleteMultipartUpload", key, bucket=bucket):
            answer: dict[str, Any] = client.complete_multipart_upload(
                **where,
                **conditions,
                **checksum,
                ChecksumType="FULL_OBJECT",
                MultipartUpload={"Parts": parts},
            )
    except BaseException:
        # Whatever stopped us, the parts cost money until they are dropped; a failure to drop
        # them is found later by `uploads`.
        with suppress(CloudFluxError), translated("AbortMultipartUpload", key, bucket=bucket):
            client.abort_multipart_upload(**where)
        raise
    return answer


def _parts(stream: BinaryIO, length: int, digests: Digests) -> Iterator[bytes]:
    while body := read_exactly(stream, length):
        digests.update(body)
        yield body


def read_exactly(stream: BinaryIO, length: int) -> bytes:
    """Read `length` bytes, less only at the end of the stream."""
    chunks = []
    missing = length
    while missing and (chunk := stream.read(missing)):
        chunks.append(chunk)
        missing -= len(chunk)
    return b"".join(chunks)


def _in_parallel(
    work: Callable[[int, T], dict[str, Any]], items: Iterator[T], length: int
) -> list[dict[str, Any]]:
    """Results in order; no more items are taken from the iterator than are worked on."""
    width = max(1, min(PARALLEL_PARTS, PARALLEL_BYTES // length)) if length else PARALLEL_PARTS
    running: deque[Future[dict[str, Any]]] = deque()
    results = []
    with ThreadPoolExecutor(width, thread_name_prefix="s3-part") as pool:
        try:
            for number, item in enumerate(items, start=1):
                if len(running) == width:
                    results.append(running.popleft().result())
                running.append(pool.submit(work, number, item))
            results.extend(future.result() for future in running)
        except BaseException:
            for future in running:
                future.cancel()
            raise
    return results


def _upload_part(
    client: Any, bucket: str, key: str, upload_id: str, number: int, body: bytes
) -> dict[str, Any]:
    digests = Digests()
    digests.update(body)
    with translated("UploadPart", key, bucket=bucket):
        answer = client.upload_part(
            Bucket=bucket,
            Key=key,
            UploadId=upload_id,
            PartNumber=number,
            Body=body,
            ContentMD5=hex_to_base64(digests.hex()["md5"]),
            ChecksumAlgorithm="CRC64NVME",
            ChecksumCRC64NVME=hex_to_base64(digests.hex()["crc64nvme"]),
        )
    return _part_entry(number, answer)


def _part_entry(number: int, answer: Mapping[str, Any]) -> dict[str, Any]:
    entry = {"PartNumber": number, "ETag": answer["ETag"]}
    if "ChecksumCRC64NVME" in answer:
        entry["ChecksumCRC64NVME"] = answer["ChecksumCRC64NVME"]
    return entry
