"""A very large object shared among workers: one upload, a range of its parts for each.

The operator begins the upload and notes it in its checkpoint; workers send parts to it and have
nothing to tell, because the server lists what it holds. The operator's own last pass goes on
with the upload like after a kill: it sends what is missing, completes it on its conditions, and
proves it like every other object.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import cast

from cloudflux.api.move_tasks import JobTask, ShareRequest
from cloudflux.errors import ObjectNotFound, PreconditionFailed
from cloudflux.migration.checkpoint import Checkpoint
from cloudflux.migration.place_large import SourceChanged, write_arguments
from cloudflux.migration.planned import PlannedObject
from cloudflux.migration.session import Session
from cloudflux.migration.streams import keep_to_bandwidth
from cloudflux.storage.interface import PartSharing, Pieces, Ranged

SPLIT_BYTES = 512 << 20
"""Smaller objects are some seconds of one worker: sharing them out would only cost requests."""


@dataclass(frozen=True, slots=True)
class PlannedParts(PlannedObject):
    """Some parts of one object; `size_bytes` is theirs."""

    upload_id: str
    object_bytes: int
    first: int
    """Number of the first part, from 1."""
    last: int


def split(
    session: Session,
    request: ShareRequest,
    checkpoint: Checkpoint,
    objects: Iterable[PlannedObject],
    most_bytes: int,
) -> Iterator[PlannedObject]:
    """Yield the objects, and instead of a very large one its parts by ranges of `most_bytes`."""
    can = request.workers > 1 and hasattr(session.source, "read_range")
    shares: bool | None = None
    for one in objects:
        begun = None
        if can and one.size_bytes >= max(SPLIT_BYTES, 2 * most_bytes):
            session.context.check()
            if shares is None:
                target = session.target
                shares = isinstance(target, PartSharing) and target.lists_shared_parts()
            begun = _begin(session, request, checkpoint, one) if shares else None
        if begun is None:
            yield one
        else:
            yield from _ranges(cast("PartSharing", session.target), one, begun, most_bytes)


def _begin(
    session: Session, request: JobTask, checkpoint: Checkpoint, one: PlannedObject
) -> str | None:
    """The object's upload; None where it is better copied by one worker alone."""
    target = cast("PartSharing", session.target)
    try:
        info = session.source.head(one.key)
    except ObjectNotFound:
        return None  # the operator's own pass says what became of it
    expected = session.origin.expected(info)
    if info.version != one.version or expected.keys() - {target.parts_digest}:
        return None  # another digest of the whole can only be had by reading all of it
    version, upload_id = checkpoint.uploads.get(one.key, ("", ""))
    if version == one.version and upload_id:
        return upload_id
    upload_id = target.begin_parts(one.key, **write_arguments(session, request, info))
    checkpoint.begin(one.key, one.version, upload_id)
    return upload_id


def _ranges(
    target: PartSharing, one: PlannedObject, upload_id: str, most_bytes: int
) -> Iterator[PlannedParts]:
    length = target.shared_part_bytes(one.size_bytes)
    count, each = -(-one.size_bytes // length), max(1, most_bytes // length)
    for first in range(1, count + 1, each):
        last = min(first + each - 1, count)
        size_bytes = min(last * length, one.size_bytes) - (first - 1) * length
        yield PlannedParts(
            key=one.key, size_bytes=size_bytes, version=one.version,
            storage_class=one.storage_class, upload_id=upload_id, object_bytes=one.size_bytes,
            first=first, last=last,
        )  # fmt: skip


class _Reading:
    """The source's content in pieces, paced."""

    def __init__(self, session: Session, one: PlannedParts) -> None:
        self.size_bytes = one.object_bytes
        self._session, self._one = session, one

    def read(self, start: int, length: int) -> bytes:
        """Exactly these bytes of the planned version. Raises SourceChanged."""
        self._session.context.check()
        source, one = cast("Ranged", self._session.source), self._one
        try:
            data = source.read_range(one.key, start, length, if_version=one.version)
        except PreconditionFailed as error:
            raise SourceChanged(one.key) from error
        keep_to_bandwidth(self._session, length)
        return data

    def recall(self, _start: int, _length: int) -> int | None:
        """Nothing is remembered: the server lists its parts with their checksums."""
        return None


def send(session: Session, one: PlannedParts) -> None:
    """Send a worker's parts. Raises SourceChanged, and ObjectNotFound when the upload is gone."""
    cast("PartSharing", session.target).send_parts(
        one.key, cast("Pieces", _Reading(session, one)), one.upload_id, one.first, one.last
    )
