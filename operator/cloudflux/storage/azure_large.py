"""Large blobs: ranges of a blob, and blocks in any order with which a later attempt goes on."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from azure.core import MatchConditions
from azure.storage.blob import BlobBlock, BlobClient

from cloudflux.errors import ObjectNotFound, PreconditionFailed, Unavailable
from cloudflux.storage import azure_attributes as attributes
from cloudflux.storage.azure_control import AzureControl
from cloudflux.storage.azure_upload import BLOCK_BYTES, MAX_BLOCKS, SINGLE_PUT_BYTES
from cloudflux.storage.digests import combine_crcs, crc_hex, crc_of
from cloudflux.storage.interface import ObjectInfo, Pieces, Written
from cloudflux.storage.keys import printable
from cloudflux.storage.parts import part_bytes, pieces_of, send_numbered

CRC = "crc64nvme"
PARALLEL_BLOCKS = 3
_NUMBER_DIGITS, _CRC_DIGITS = 6, 16


@dataclass(frozen=True, slots=True)
class Block:
    """A block that the server holds, and no list names yet."""

    id: str
    size_bytes: int
    crc: int


class AzureLarge(AzureControl):
    """The part of `AzureStore` that reads and writes pieces of a blob."""

    uri: str
    least_parts_bytes = SINGLE_PUT_BYTES
    parts_digest = CRC
    _read_with: dict[str, Any]
    _write_with: dict[str, Any]

    def read_range(self, key: str, start: int, length: int, *, if_version: str) -> bytes:
        """Exactly these bytes, under digests of the server; see the contract."""
        blob = self._blob(key)

        def request() -> bytes:
            opened = blob.download_blob(
                start,
                length,
                max_concurrency=1,
                validate_content="md5",
                **self._read_with,
                **conditions_of(if_version=if_version),
            )
            return bytes(opened.readall())

        data = self._requests.send("Get Blob", key, request)
        if len(data) != length:
            raise Unavailable(
                f"{self.uri}/{printable(key)}: {len(data)} bytes came instead of {length}",
                backend="azure",
                operation="Get Blob",
                key=key,
            )
        return data

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
        """Stage blocks, some at a time, and make the blob of them; see the contract.

        A block's id holds the CRC of what was sent, which the server took under its MD5: of
        blocks that are there nothing need be read again.
        """
        arguments = attributes.write_arguments(info, storage_class, metadata, key=key)
        blob = self._blob(key)
        length = part_bytes(pieces.size_bytes, BLOCK_BYTES, MAX_BLOCKS)
        held = self._held(blob, key, upload_id, pieces.size_bytes, length) if upload_id else {}
        if upload_id is None or not held:
            upload_id, held = secrets.token_hex(10), {}
            begun(upload_id)

        def stage(number: int, body: bytes) -> Block:
            crc = crc_of(CRC, body)
            block = Block(_id_of(upload_id, number, crc), len(body), crc)
            self._requests.send(
                "Put Block",
                key,
                lambda: blob.stage_block(
                    block.id, body, length=len(body), validate_content="md5", **self._write_with
                ),
            )
            return block

        blocks = send_numbered(
            pieces_of(pieces, length), held, stage, PARALLEL_BLOCKS, "azure-block"
        )
        try:
            answer = self._requests.send(
                "Put Block List",
                key,
                lambda: blob.commit_block_list(
                    [BlobBlock(block.id) for block in blocks],
                    **arguments,
                    **self._write_with,
                    **conditions_of(if_absent=if_absent, if_version=if_version),
                ),
            )
        except ObjectNotFound as error:
            raise PreconditionFailed(
                f"{printable(key)} is gone; list again", backend="azure", operation="put", key=key
            ) from error
        whole = combine_crcs(CRC, [(block.crc, block.size_bytes) for block in blocks])
        return Written(attributes.unquote_etag(str(answer["etag"]))), {CRC: crc_hex(CRC, whole)}

    def _held(
        self, blob: BlobClient, key: str, upload_id: str, size_bytes: int, length: int
    ) -> dict[int, Block]:
        """The blocks of an upload that are as we would send them."""
        try:
            listed = self._requests.send(
                "Get Block List", key, lambda: blob.get_block_list("uncommitted")
            )[1]
        except ObjectNotFound:
            return {}
        held = {}
        for one in listed:
            number, crc = _parse_id(str(one.id), upload_id)
            if number and one.size == min(length, size_bytes - (number - 1) * length):
                held[number] = Block(str(one.id), int(one.size), crc)
        return held


def conditions_of(*, if_absent: bool = False, if_version: str | None = None) -> dict[str, Any]:
    """The SDK's arguments of a conditional request."""
    if if_absent:
        return {"match_condition": MatchConditions.IfMissing}
    if if_version is not None:
        return {"etag": f'"{if_version}"', "match_condition": MatchConditions.IfNotModified}
    return {}


def _id_of(upload_id: str, number: int, crc: int) -> str:
    """As long as the ids of blobs that are written as a stream: a blob's are all of one length."""
    return f"{upload_id}-{number:0{_NUMBER_DIGITS}d}-{crc:0{_CRC_DIGITS}x}"


def _parse_id(found: str, upload_id: str) -> tuple[int, int]:
    """Number and CRC of a block of an upload; (0, 0) for blocks of others."""
    id_, _, rest = found.partition("-")
    number, _, crc = rest.partition("-")
    if id_ != upload_id or not number.isdigit() or len(crc) != _CRC_DIGITS:
        return 0, 0
    return int(number), int(crc, 16)
