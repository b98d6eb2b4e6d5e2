"""Writing one large object: by parts on both sides where both can, else as one stream."""

from collections.abc import Collection, Mapping
from typing import Any, BinaryIO, cast

from cloudflux.api.move_tasks import JobTask
from cloudflux.errors import IntegrityError, ObjectNotFound, PreconditionFailed
from cloudflux.migration.ahead import ReadAhead
from cloudflux.migration.checkpoint import Checkpoint, Moved
from cloudflux.migration.mapping import class_at_target, class_to_write, provenance
from cloudflux.migration.proof import COMBINED, PieceDigests
from cloudflux.migration.session import Session
from cloudflux.migration.streams import CountingStream, keep_to_bandwidth
from cloudflux.storage.digests import compare
from cloudflux.storage.interface import ObjectInfo, PartWriting, Pieces, Ranged, Written
from cloudflux.storage.keys import printable

LARGE_BYTES = 16 << 20
IN_FLIGHT_BYTES = 32 << 20
"""Of one large object in memory: some pieces that are read while others are written."""
READINGS = 2


class SourceChanged(Exception):
    """The source is no longer the version that was listed."""


def put_large(
    session: Session,
    request: JobTask,
    listed: ObjectInfo,
    checkpoint: Checkpoint,
    if_version: str | None,
) -> Moved:
    """Copy one object in bounded memory; read again when its bytes were not the source's own."""
    info = session.source.head(listed.key)
    if info.version != listed.version:
        raise SourceChanged(listed.key)
    name = class_at_target(info, session.source.capabilities, session.target.capabilities)
    arguments = write_arguments(session, request, info)
    by_parts = hasattr(session.source, "read_range") and hasattr(session.target, "put_parts")
    with session.memory.hold(IN_FLIGHT_BYTES):
        for _ in range(READINGS):
            arguments |= {"if_absent": if_version is None, "if_version": if_version}
            session.context.check()
            if by_parts:
                written, digests = _put_parts(session, info, checkpoint, arguments)
            else:
                written, digests = _put_stream(session, info, arguments)
            if session.origin.agrees(info, digests) or session.origin.excused(info):
                return moved_of(session, info, name, written, digests)
            if_version = written.version  # what was read wrongly is ours to write over
    raise IntegrityError(
        f"{session.source.uri}/{printable(info.key)}: its bytes are not those that its server "
        f"recorded; the copy at {session.target.uri} is not to be trusted and the source is kept"
    )


def write_arguments(session: Session, request: JobTask, info: ObjectInfo) -> dict[str, Any]:
    """What a store is told of an object that is written by parts, whoever sends them."""
    name = class_at_target(info, session.source.capabilities, session.target.capabilities)
    return {
        "info": info,
        "storage_class": class_to_write(name, session.target.capabilities),
        "metadata": provenance(request.job_uid, info.version),
    }


def needed_digests(session: Session, info: ObjectInfo) -> set[str]:
    """The digests to compute: ours, the one the target's server computes, and the source's."""
    target = session.target.capabilities
    names = {"sha256", *target.checksums[:1], *target.reads_back}
    return names | session.origin.expected(info).keys()


def kept_digests(session: Session, digests: Mapping[str, str]) -> dict[str, str]:
    """The digests that verification can compare."""
    target = session.target.capabilities
    by_parts = getattr(session.target, "parts_digest", None)
    names = {"sha256", *target.checksums, *target.reads_back, by_parts}
    return {name: value for name, value in digests.items() if name in names}


def moved_of(
    session: Session, info: ObjectInfo, name: str, written: Written, digests: Mapping[str, str]
) -> Moved:
    """What a write brought. Raises IntegrityError when the server computed something else."""
    compare(digests, written.checksums, f"{session.target.uri}/{printable(info.key)}")
    common = sorted(digests.keys() & written.checksums.keys())
    return Moved(
        key=info.key,
        size_bytes=info.size_bytes,
        version=info.version,
        target_version=written.version,
        storage_class=name,
        digests=kept_digests(session, digests),
        attested=common[0] if common else written.attested,
    )


def changed_or(session: Session, info: ObjectInfo, error: Exception) -> Exception:
    """Tell a broken stream of an object that changed meanwhile from corruption."""
    try:
        present = session.source.head(info.key)
    except ObjectNotFound as gone:
        return gone
    return SourceChanged(info.key) if present.version != info.version else error


class _SourcePieces:
    """The source's content in pieces, checked, paced, and digested as they pass."""

    def __init__(
        self, session: Session, info: ObjectInfo, checkpoint: Checkpoint, names: Collection[str]
    ) -> None:
        self.size_bytes = info.size_bytes
        self._session, self._info, self._checkpoint = session, info, checkpoint
        known = checkpoint.pieces.get(info.key)
        self.digests = PieceDigests(names, known)

    def read(self, start: int, length: int) -> bytes:
        """Exactly these bytes. Raises SourceChanged."""
        self._session.context.check()
        key = self._info.key
        try:
            data = cast("Ranged", self._session.source).read_range(
                key, start, length, if_version=self._info.version
            )
        except PreconditionFailed as error:
            raise SourceChanged(key) from error
        piece = self.digests.add(start, data)
        if key in self._checkpoint.uploads:  # which a later attempt may go on with
            self._checkpoint.read(key, start, piece)
        keep_to_bandwidth(self._session, length)
        return data

    def recall(self, start: int, length: int) -> int | None:
        """The CRC of a piece as it was read last, perhaps before a kill."""
        name = cast("PartWriting", self._session.target).parts_digest
        return self.digests.recall(start, length, name)


def _put_parts(
    session: Session, info: ObjectInfo, checkpoint: Checkpoint, arguments: Mapping[str, Any]
) -> tuple[Written, Mapping[str, str]]:
    expected, target = session.origin.expected(info), cast("PartWriting", session.target)
    if expected and not expected.keys() & set(COMBINED):
        # An MD5 or SHA-256 of the whole can only be had of its bytes in order.
        return _put_stream(session, info, arguments)
    version, upload_id = checkpoint.uploads.get(info.key, ("", None))
    if upload_id and version != info.version:
        session.target.abort_upload(info.key, upload_id)
        upload_id = None
    if not upload_id:
        checkpoint.pieces.pop(info.key, None)
    names = {target.parts_digest, *expected}
    pieces = _SourcePieces(session, info, checkpoint, names)
    written, digests = target.put_parts(
        info.key,
        cast("Pieces", pieces),
        upload_id=upload_id or None,
        begun=lambda id_: checkpoint.begin(info.key, info.version, id_),
        **arguments,
    )
    if info.key in checkpoint.uploads:
        checkpoint.begin(info.key, info.version, "")  # it is whole, and can't be gone on with
    read = pieces.digests.hex(info.size_bytes)
    if read.get(target.parts_digest) != digests[target.parts_digest]:
        return written, digests  # what was read before a kill is not what the target holds
    return written, {**read, **digests}


def _put_stream(
    session: Session, info: ObjectInfo, arguments: Mapping[str, Any]
) -> tuple[Written, Mapping[str, str]]:
    with _opened(session, info) as opened:
        stream = CountingStream(opened, session, needed_digests(session, info))
        session.context.check()
        try:
            written = session.target.put(
                info.key,
                stream,  # type: ignore[arg-type]  # only read() is used of a stream
                info.size_bytes,
                **arguments,
            )
        except IntegrityError as error:
            raise changed_or(session, info, error) from error
    return written, stream.digests.hex()


def _opened(session: Session, info: ObjectInfo) -> BinaryIO:
    source = session.source
    try:
        if hasattr(source, "read_range"):
            return cast("BinaryIO", ReadAhead(cast("Ranged", source), info))
        return source.open(info.key, if_version=info.version)
    except PreconditionFailed as error:
        raise SourceChanged(info.key) from error
