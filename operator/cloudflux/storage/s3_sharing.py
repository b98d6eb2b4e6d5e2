"""One upload to which several processes send parts: begun here, completed by `put_parts`."""

import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING

from cloudflux.errors import ObjectNotFound
from cloudflux.storage import s3_attributes as attributes
from cloudflux.storage import s3_multipart
from cloudflux.storage import s3_uploads as uploads
from cloudflux.storage.interface import CONTROL_PREFIX, ObjectInfo, Pieces
from cloudflux.storage.keys import printable
from cloudflux.storage.s3_uploads import Part

if TYPE_CHECKING:
    from cloudflux.storage.s3_bucket import Bucket
    from cloudflux.storage.s3_write import Writer


class S3Sharing:
    """What S3's store can do beside the contract; see `PartSharing`."""

    _bucket: "Bucket"
    _writer: "Writer"

    def lists_shared_parts(self) -> bool:
        """Measure, with a scratch upload, whether parts are listed with their CRC.

        Without it who ends the upload could believe no part and would send all of them again.
        """
        name = self._bucket.name(f"{CONTROL_PREFIX}probe-{uuid.uuid4()}")
        upload, body = self._writer.upload(name, {}, {}), b"probe"
        upload_id = uploads.create(upload)
        try:
            uploads.send_part(upload, upload_id, 1, body)
            return bool(uploads.held_parts(upload, upload_id, len(body), len(body)))
        finally:
            uploads.abort(upload, upload_id)

    def shared_part_bytes(self, size_bytes: int) -> int:
        """Length of each part of an object of so many bytes, but for the last."""
        return s3_multipart.part_bytes(size_bytes, s3_multipart.PART_BYTES)

    def begin_parts(
        self,
        key: str,
        *,
        info: ObjectInfo,
        storage_class: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> str:
        """Begin an upload, and return its id."""
        headers = attributes.write_headers(info, storage_class, metadata)
        return uploads.create(self._writer.upload(self._bucket.name(key), headers, {}))

    def send_parts(self, key: str, pieces: Pieces, upload_id: str, first: int, last: int) -> None:
        """Send the parts from `first` to `last`, from 1, that the server does not hold yet.

        Raises ObjectNotFound when the upload is gone.
        """
        upload = self._writer.upload(self._bucket.name(key), {}, {})
        length = self.shared_part_bytes(pieces.size_bytes)
        held = uploads.held_parts(upload, upload_id, pieces.size_bytes, length)
        if held is None:
            raise ObjectNotFound(
                f"the upload of {printable(key)} is gone; the operator begins it anew",
                operation="ListParts", key=key,
            )  # fmt: skip
        count = -(-pieces.size_bytes // length)
        others = (number for number in range(1, count + 1) if not first <= number <= last)
        upload.known.update({number: Part(number, "", 0) for number in others})
        upload.known.update(held)
        s3_multipart.send_missing(upload, pieces, upload_id, length)
