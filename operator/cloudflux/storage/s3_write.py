"""Writing objects: one PUT below 16 MiB, parts above, under checksums that the server holds."""

import uuid
from collections.abc import Callable, Mapping
from typing import BinaryIO

from cloudflux.errors import StorageError
from cloudflux.storage import s3_attributes as attributes
from cloudflux.storage.digests import compare, hex_to_base64
from cloudflux.storage.interface import CONTROL_PREFIX, Written
from cloudflux.storage.keys import printable
from cloudflux.storage.parts import read_whole
from cloudflux.storage.s3_bucket import Bucket
from cloudflux.storage.s3_uploads import CRC, Upload
from cloudflux.storage.s3_wire import Answer

SINGLE_PUT_BYTES = 16 << 20
_WRONG_CHECKSUM = frozenset(
    {"BadDigest", "InvalidDigest", "InvalidRequest", "XAmzContentChecksumMismatch"}
)


class Writer:
    """What writes have in common; knows after its first one whether the server verifies."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._verifies: bool | None = None

    def put_whole(
        self,
        name: str,
        stream: BinaryIO,
        size_bytes: int,
        headers: Mapping[str, str],
        sha256: str | None,
    ) -> tuple[Answer, Mapping[str, str]]:
        """Write in one request; returns the answer and the digests of what was sent."""
        verifies = self._verifies_checksums()
        names = {CRC} | (set() if verifies else {"md5"})
        body, digests = read_whole(name, stream, size_bytes, sha256, names)
        checks = {
            f"x-amz-checksum-{CRC}": hex_to_base64(digests[CRC]),
            "x-amz-sdk-checksum-algorithm": CRC.upper(),
        }
        if not verifies:
            checks["content-md5"] = hex_to_base64(digests["md5"])
        answer = self._bucket.call(
            "PutObject",
            "PUT",
            name,
            headers={**headers, **checks},
            body=body,
            sha256=digests.get("sha256"),
        )
        return answer, digests

    def written(self, key: str, answer: Answer, digests: Mapping[str, str]) -> Written:
        """What a write returned, with those digests only that the server computed."""
        etag = attributes.unquote_etag(answer.headers["etag"])
        told = attributes.checksums_of(answer.headers)
        compare(digests, told, f"{self._bucket.uri}/{printable(key)}")
        checksums = {}
        if self._verifies_checksums():
            # It refuses what differs, so that what it accepted is what was sent.
            checksums[CRC] = digests[CRC]
        if "md5" in digests and etag == digests["md5"]:
            checksums["md5"] = etag
        return Written(version=etag, checksums=checksums)

    def upload(
        self,
        name: str,
        headers: Mapping[str, str],
        conditions: Mapping[str, str],
        *,
        probe: bool = True,
        look: Callable[[], None] | None = None,
    ) -> Upload:
        """Return where parts of an object go; `probe` measures whether the server verifies them.

        `look` is called immediately before they become the object.
        """
        verifies = self._verifies_checksums() if probe else False
        return Upload(self._bucket, name, headers, conditions, verifies=verifies, look=look)

    def _verifies_checksums(self) -> bool:
        """Whether the server refuses a body whose CRC-64 is wrong; measured once, by a write."""
        if self._verifies is None:
            name = f"{self._bucket.prefix}{CONTROL_PREFIX}probe-{uuid.uuid4()}"
            try:
                self._bucket.call(
                    "PutObject",
                    "PUT",
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
                self._bucket.call("DeleteObject", "DELETE", name)
        return self._verifies
