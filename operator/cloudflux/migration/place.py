"""Writing one object at another location, so that a repeat after a kill does no harm."""

from collections.abc import Mapping
from dataclasses import replace
from typing import BinaryIO, cast

from cloudflux.api.move_tasks import JobTask
from cloudflux.errors import (
    IntegrityError,
    ObjectNotFound,
    PreconditionFailed,
    TargetOccupied,
)
from cloudflux.migration import place_large
from cloudflux.migration.checkpoint import Checkpoint, Moved
from cloudflux.migration.mapping import (
    VERSION_KEY,
    class_at_target,
    class_to_write,
    provenance,
    written_by,
)
from cloudflux.migration.place_large import SourceChanged
from cloudflux.migration.session import Session
from cloudflux.migration.streams import CountingStream, read_digests
from cloudflux.storage.digests import ALGORITHMS, CHUNK_BYTES, Whole, digest_bytes
from cloudflux.storage.interface import Fetching, ObjectInfo
from cloudflux.storage.keys import printable

READINGS = 3
"""An object whose bytes differ from what its server says is read so often."""

__all__ = ["SourceChanged", "place"]


def place(
    session: Session,
    request: JobTask,
    listed: ObjectInfo,
    known: Moved | None,
    checkpoint: Checkpoint,
) -> Moved:
    """Copy one object, create-only or over our own copy `known`; returns what is there then.

    `listed` is as a listing shows it. Raises SourceChanged, ObjectNotFound (the source
    vanished), TargetOccupied.
    """
    ours = known.target_version if known is not None and not known.adopted else None
    try:
        return _put(session, request, listed, checkpoint, if_version=ours)
    except PreconditionFailed:
        return _settle(session, request, listed, checkpoint)


def _put(
    session: Session,
    request: JobTask,
    listed: ObjectInfo,
    checkpoint: Checkpoint,
    if_version: str | None,
) -> Moved:
    if listed.size_bytes >= place_large.LARGE_BYTES:
        return place_large.put_large(session, request, listed, checkpoint, if_version)
    with session.memory.hold(listed.size_bytes):
        info, data, digests = _read_proven(session, listed)
        name = class_at_target(info, session.source.capabilities, session.target.capabilities)
        session.context.check()
        try:
            written = session.target.put(
                info.key,
                Whole(data, digests),
                info.size_bytes,
                info=info,
                storage_class=class_to_write(name, session.target.capabilities),
                metadata=provenance(request.job_uid, info.version),
                if_absent=if_version is None,
                if_version=if_version,
            )
        except IntegrityError as error:
            raise place_large.changed_or(session, info, error) from error
    return place_large.moved_of(session, info, name, written, digests)


def _read_proven(
    session: Session, listed: ObjectInfo
) -> tuple[ObjectInfo, bytes, Mapping[str, str]]:
    """Read an object until it is what its server says; raises IntegrityError if it never is."""
    before = ""
    for _ in range(READINGS):
        info, stream = _fetch(session, listed)
        with stream:
            data = _read_whole(session, stream, info.size_bytes)
        digests = digest_bytes(data, place_large.needed_digests(session, info))
        if session.origin.agrees(info, digests) or len(data) != info.size_bytes:
            return info, data, digests
        if digests["sha256"] == before:
            if session.origin.excused(info):
                return info, data, digests
            break
        before = digests["sha256"]
    raise IntegrityError(
        f"{session.source.uri}/{printable(listed.key)}: its bytes are not those that its server "
        "recorded; it is damaged at the source and is not moved: restore it there, or remove it"
    )


def _fetch(session: Session, listed: ObjectInfo) -> tuple[ObjectInfo, BinaryIO]:
    """Everything of the object with its content, as it was listed. Raises SourceChanged."""
    source, key = session.source, listed.key
    try:
        if hasattr(source, "fetch"):
            return cast("Fetching", source).fetch(key, if_version=listed.version)
        info = source.head(key)
        if info.version != listed.version:
            raise SourceChanged(key)
        return info, source.open(key, if_version=info.version)
    except PreconditionFailed as error:
        raise SourceChanged(key) from error


def _read_whole(session: Session, stream: BinaryIO, size_bytes: int) -> bytes:
    """Read to the end; one byte more than announced is enough to tell that it is not that."""
    counting = CountingStream(stream, session, ())
    first = counting.read(min(size_bytes + 1, CHUNK_BYTES))
    if len(first) == size_bytes and size_bytes < CHUNK_BYTES:
        return first + counting.read(1)
    pieces, missing = [first], size_bytes + 1 - len(first)
    while missing and (piece := counting.read(min(missing, CHUNK_BYTES))):
        pieces.append(piece)
        missing -= len(piece)
    return b"".join(pieces)


def _settle(
    session: Session, request: JobTask, listed: ObjectInfo, checkpoint: Checkpoint
) -> Moved:
    """Something is at the target: adopt it, replace our own older copy, or refuse."""
    try:
        present = session.target.head(listed.key)
    except ObjectNotFound:
        return _put(session, request, listed, checkpoint, if_version=None)
    ours = written_by(present, request.job_uid)
    same_version = present.metadata.get(VERSION_KEY) == listed.version
    if (same_version or not ours) and present.size_bytes == listed.size_bytes:
        adopted = _adopt(session, listed, present)
        if adopted is not None:
            return replace(adopted, adopted=not ours)
    if ours:
        return _put(session, request, listed, checkpoint, if_version=present.version)
    raise TargetOccupied(
        f"{printable(listed.key)} at {session.target.uri} was written by someone else and "
        "differs; it is left as it is: choose an empty location, or remove it"
    )


def _adopt(session: Session, listed: ObjectInfo, present: ObjectInfo) -> Moved | None:
    """Prove that the object there is the source's content; None when it is not."""
    _, stream = _fetch(session, listed)
    with stream:
        expected = read_digests(session, stream).hex()
    common = [name for name in ALGORITHMS if name in present.checksums]
    if common:
        same = all(present.checksums[name] == expected[name] for name in common)
    else:
        with session.target.open(listed.key, if_version=present.version) as stream:
            same = read_digests(session, stream, {"sha256"}).hex()["sha256"] == expected["sha256"]
    if not same:
        return None
    return Moved(
        key=listed.key,
        size_bytes=listed.size_bytes,
        version=listed.version,
        target_version=present.version,
        storage_class=present.storage_class,
        digests=place_large.kept_digests(session, expected),
        attested=common[-1] if common else "",
    )
