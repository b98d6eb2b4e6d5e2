"""Writing a blob: one request when it is small, else blocks in bounded memory."""

import base64
import secrets
from collections.abc import Mapping
from typing import Any, BinaryIO

from azure.core import MatchConditions
from azure.storage.blob import BlobBlock, ContainerClient

from cloudflux.storage import azure_attributes as attributes
from cloudflux.storage.azure_errors import Requests
from cloudflux.storage.azure_send import Sender, blob_headers
from cloudflux.storage.digests import Digests, hex_to_base64
from cloudflux.storage.parts import (
    MIB,
    in_parallel,
    part_bytes,
    read_parts,
    read_whole,
    require_announced,
)

SINGLE_PUT_BYTES = 16 * MIB
"""What is smaller goes in one request, and the server tells its MD5."""
BLOCK_BYTES = 8 * MIB
MAX_BLOCKS = 50_000
PARALLEL_BLOCKS = 2


def upload(
    requests: Requests,
    sender: Sender,
    container: ContainerClient,
    name: str,
    key: str,
    stream: BinaryIO,
    size_bytes: int,
    *,
    arguments: Mapping[str, Any],
    encryption: Mapping[str, Any],
    conditions: Mapping[str, Any],
    sha256: str | None,
) -> tuple[Mapping[str, Any], Mapping[str, str]]:
    """Send a stream; returns the server's answer and the digests of what was sent.

    Each request carries an MD5 that the server compares with what arrived.
    """
    if size_bytes < SINGLE_PUT_BYTES:
        body, known = read_whole(key, stream, size_bytes, sha256, {"md5"})
        kept = {**arguments, "metadata": {**arguments["metadata"], attributes.CHECKED: "md5"}}
        headers = blob_headers(kept, encryption, _condition_headers(conditions))
        headers["content-md5"] = hex_to_base64(known["md5"])
        place = (container.container_name, name)
        return _whole(requests, sender, place, key, headers, body), known
    blob = container.get_blob_client(name)
    # Whoever gives the stream digests it; of blocks the server tells no digest to compare.
    digests = Digests({"sha256"} if sha256 else ())
    # A blob's block ids must be of one length; the random start keeps two writers apart.
    upload_id = secrets.token_hex(12)

    def stage(number: int, body: bytes) -> BlobBlock:
        block = base64.b64encode(f"{upload_id}-{number:06d}".encode()).decode()
        requests.send(
            "Put Block",
            key,
            lambda: blob.stage_block(
                block, body, length=len(body), validate_content="md5", **encryption
            ),
        )
        return BlobBlock(block)

    length = part_bytes(size_bytes, BLOCK_BYTES, MAX_BLOCKS)
    bodies = read_parts(stream, length, digests)
    blocks = in_parallel(stage, bodies, PARALLEL_BLOCKS, "azure-block")
    require_announced(key, digests, size_bytes, sha256)
    answer = requests.send(
        "Put Block List",
        key,
        lambda: blob.commit_block_list(blocks, **arguments, **encryption, **conditions),
    )
    return answer, digests.hex()


def checksums_of(answer: Mapping[str, Any]) -> dict[str, str]:
    """The digest of the whole blob that the server computed; none for blocks."""
    md5 = answer.get("content_md5")
    return {"md5": bytes(md5).hex()} if md5 and answer.get("whole") else {}


def _whole(
    requests: Requests,
    sender: Sender,
    place: tuple[str, str],
    key: str,
    headers: Mapping[str, str],
    body: bytes,
) -> Mapping[str, Any]:
    """Send Put Blob; the answer as the SDK would tell it."""

    def request() -> Mapping[str, Any]:
        answer = sender.put(*place, headers, body)
        if answer.status >= 300:
            raise requests.refusal("Put Blob", key, answer.status, answer.headers)
        md5 = answer.headers.get("content-md5", "")
        return {
            "etag": answer.headers["etag"],
            "content_md5": base64.b64decode(md5) if md5 else None,
            "whole": True,
        }

    return requests.send("Put Blob", key, request)


def _condition_headers(conditions: Mapping[str, Any]) -> dict[str, str]:
    """The SDK's conditions of a write as headers."""
    if conditions.get("match_condition") is MatchConditions.IfMissing:
        return {"if-none-match": "*"}
    return {"if-match": conditions["etag"]} if conditions else {}
