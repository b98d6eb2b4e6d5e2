"""Writing one object at another location, so that a repeat after a kill does no harm."""

from collections.abc import Mapping
from dataclasses import replace
from typing import BinaryIO

from cloudflux.api.tasks import JobTask
from cloudflux.errors import IntegrityError, ObjectNotFound, PreconditionFailed, TargetOccupied
from cloudflux.migration.checkpoint import Moved
from cloudflux.migration.mapping import (
    VERSION_KEY,
    class_at_target,
    class_to_write,
    provenance,
    written_by,
)
from cloudflux.migration.session import Session
from cloudflux.migration.streams import CountingStream, read_digests
from cloudflux.storage.digests import ALGORITHMS, compare
from cloudflux.storage.interface import ObjectInfo
from cloudflux.storage.keys import printable


class SourceChanged(Exception):
    """The source is no longer the version that was listed."""


def place(session: Session, request: JobTask, info: ObjectInfo, known: Moved | None) -> Moved:
    """Copy one object, create-only or over our own copy `known`; returns what is there then.

    Raises SourceChanged, ObjectNotFound (the source vanished), TargetOccupied.
    """
    try:
        if known is not None and not known.adopted:
            return _put(session, request, info, if_version=known.target_version)
        return _put(session, request, info, if_version=None)
    except PreconditionFailed:
        return _settle(session, request, info)


def _put(session: Session, request: JobTask, info: ObjectInfo, if_version: str | None) -> Moved:
    name = class_at_target(info, session.source.capabilities, session.target.capabilities)
    with _open_source(session, info) as opened:
        stream = CountingStream(opened, session)
        session.context.check()
        try:
            written = session.target.put(
                info.key,
                stream,  # type: ignore[arg-type]  # only read() is used of a stream
                info.size_bytes,
                info=info,
                storage_class=class_to_write(name, session.target.capabilities),
                metadata=provenance(request.job_uid, info.version),
                if_absent=if_version is None,
                if_version=if_version,
            )
        except IntegrityError as error:
            raise _changed_or(session, info, error) from error
    digests = stream.digests.hex()
    compare(digests, written.checksums, f"{session.target.uri}/{printable(info.key)}")
    return Moved(
        key=info.key,
        size_bytes=info.size_bytes,
        version=info.version,
        target_version=written.version,
        storage_class=name,
        digests=_kept(session, digests),
    )


def _open_source(session: Session, info: ObjectInfo) -> BinaryIO:
    try:
        return session.source.open(info.key, if_version=info.version)
    except PreconditionFailed as error:
        raise SourceChanged(info.key) from error


def _changed_or(session: Session, info: ObjectInfo, error: Exception) -> Exception:
    """Tell a broken stream of an object that changed meanwhile from corruption."""
    try:
        present = session.source.head(info.key)
    except ObjectNotFound as gone:
        return gone
    return SourceChanged(info.key) if present.version != info.version else error


def _settle(session: Session, request: JobTask, info: ObjectInfo) -> Moved:
    """Something is at the target: adopt it, replace our own older copy, or refuse."""
    try:
        present = session.target.head(info.key)
    except ObjectNotFound:
        return _put(session, request, info, if_version=None)
    ours = written_by(present, request.job_uid)
    same_version = present.metadata.get(VERSION_KEY) == info.version
    if (same_version or not ours) and present.size_bytes == info.size_bytes:
        adopted = _adopt(session, info, present)
        if adopted is not None:
            return replace(adopted, adopted=not ours)
    if ours:
        return _put(session, request, info, if_version=present.version)
    raise TargetOccupied(
        f"{printable(info.key)} at {session.target.uri} was written by someone else and differs; "
        "it is left as it is: choose an empty location, or remove it"
    )


def _adopt(session: Session, info: ObjectInfo, present: ObjectInfo) -> Moved | None:
    """Prove that the object there is the source's content; None when it is not."""
    with _open_source(session, info) as stream:
        expected = read_digests(session, stream).hex()
    common = [name for name in ALGORITHMS if name in present.checksums]
    if common:
        same = all(present.checksums[name] == expected[name] for name in common)
    else:
        with session.target.open(info.key, if_version=present.version) as stream:
            same = read_digests(session, stream).hex()["sha256"] == expected["sha256"]
    if not same:
        return None
    return Moved(
        key=info.key,
        size_bytes=info.size_bytes,
        version=info.version,
        target_version=present.version,
        storage_class=present.storage_class,
        digests=_kept(session, expected),
    )


def _kept(session: Session, digests: Mapping[str, str]) -> dict[str, str]:
    """Return the digests that verification can compare."""
    names = {"sha256", *session.target.capabilities.checksums}
    return {name: value for name, value in digests.items() if name in names}
