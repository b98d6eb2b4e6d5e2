"""Content of objects: streams, ranges, and uploads with which a later attempt goes on."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO, cast

from cloudflux.errors import (
    IntegrityError,
    NotSupported,
    PreconditionFailed,
    Unavailable,
)
from cloudflux.storage import gcs_attributes as attributes
from cloudflux.storage.digests import compare
from cloudflux.storage.gcs_client import TIMEOUTS_SECONDS, Connection
from cloudflux.storage.gcs_errors import Body, Requests
from cloudflux.storage.gcs_upload import CRC, SINGLE_REQUEST_BYTES, Upload
from cloudflux.storage.interface import ObjectInfo, Pieces, Written
from cloudflux.storage.keys import printable


class GcsLarge:
    """The part of `GcsStore` that streams content.

    Uploads are resumable sessions: one at a time for an object, its pieces in order. Objects
    composed of others would be sent faster, and leave components behind that are billed where
    the bucket keeps versions or what is deleted.
    """

    uri: str
    least_parts_bytes = SINGLE_REQUEST_BYTES
    parts_digest = CRC
    _requests: Requests
    _bucket_name: str
    _kms: Mapping[str, str]

    @property
    def _remote(self) -> Connection:
        raise NotImplementedError

    def _name(self, key: str) -> str:
        raise NotImplementedError

    def delete(self, key: str, *, if_version: str | None = None) -> None:
        """See the contract."""
        raise NotImplementedError

    def open(self, key: str, *, if_version: str | None = None) -> BinaryIO:
        """Stream the content as it is stored. Raises PreconditionFailed."""
        return self._body(key, if_version, {})

    def read_range(self, key: str, start: int, length: int, *, if_version: str) -> bytes:
        """Exactly these bytes; see the contract. The server digests no ranges."""
        span = {"Range": f"bytes={start}-{start + length - 1}"}
        with self._body(key, if_version, span) as stream:
            data = stream.read(length + 1)
        if len(data) != length:
            raise Unavailable(
                f"{self.uri}/{printable(key)}: {len(data)} bytes came instead of {length}",
                backend="gcs",
                operation="objects.get",
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
        """Send pieces in order, some read ahead; see the contract. The id is a session's URL."""
        body = attributes.resource(self._name(key), info, storage_class, metadata, key=key)
        conditions = conditions_of(if_absent=if_absent, if_version=if_version)
        upload = Upload(self._requests, self._remote, self._bucket_name, key)
        there, stored = 0, None
        if upload_id:
            there, stored = upload.held(upload_id, pieces.size_bytes)
            if stored is not None and int(stored["size"]) != pieces.size_bytes:
                # some servers take a question for the end of the upload
                self.delete(key, if_version=str(stored["generation"]))
                stored = None
            if stored is None and not 0 < there < pieces.size_bytes:
                there, upload_id = 0, None
        if not upload_id:
            upload_id = upload.begin(body, {**conditions, **self._kms}, pieces.size_bytes)
            begun(upload_id)
        try:
            stored, digests = upload.pieces(upload_id, pieces, there, stored)
            return self._written(key, body, stored, digests), digests
        except (PreconditionFailed, IntegrityError, NotSupported):
            upload.abort(upload_id)
            raise

    def uploads(self, prefix: str = "") -> Iterator[tuple[str, str]]:  # noqa: ARG002
        """Nothing: unfinished uploads are invisible, free, and forgotten after a week."""
        yield from ()

    def abort_upload(self, key: str, upload_id: str) -> None:
        """Drop a session that we began; absent is no error."""
        Upload(self._requests, self._remote, self._bucket_name, key).abort(upload_id)

    def _body(self, key: str, if_version: str | None, headers: Mapping[str, str]) -> BinaryIO:
        name, remote = self._name(key), self._remote

        def request() -> Any:
            answer = remote.session.get(
                remote.url("download/storage", self._bucket_name, name),
                params={"alt": "media", **conditions_of(if_version=if_version)},
                headers={"Accept-Encoding": "gzip", **headers},
                stream=True,
                timeout=TIMEOUTS_SECONDS,
            )
            self._requests.require_success(answer, "objects.get", key)
            return answer

        answer = self._requests.send(remote.retrier, "objects.get", key, request)
        opened = answer.headers.get("X-Goog-Generation", if_version)
        if if_version is not None and opened != if_version:
            answer.close()  # a server that knows no conditions
            raise PreconditionFailed(
                f"{printable(key)} changed; list again", backend="gcs", operation="open", key=key
            )
        return cast("BinaryIO", Body(answer, self._requests, key))

    def _written(
        self,
        key: str,
        asked: Mapping[str, Any],
        stored: Mapping[str, Any],
        digests: Mapping[str, str],
    ) -> Written:
        """What a write brought; removed again, and an error, when the server kept not all of it."""
        written = Written(str(stored["generation"]), attributes.checksums_of(stored))
        try:
            compare(digests, written.checksums, f"{self.uri}/{printable(key)}")
            attributes.require_kept(asked, stored, key)
        except Exception:
            self.delete(key, if_version=written.version)
            raise
        return written


def conditions_of(*, if_absent: bool = False, if_version: str | None = None) -> dict[str, int]:
    """The parameters of a conditional request."""
    if if_absent:
        return {"ifGenerationMatch": 0}
    if if_version is not None:
        return {"ifGenerationMatch": attributes.generation(if_version)}
    return {}
