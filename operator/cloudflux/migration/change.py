"""Changing storage classes and file tiers in place, object by object, on condition of a version."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import cast

from cloudflux.api.migrationjob import VerifyMethod
from cloudflux.api.move_tasks import CopyRequest, CopyResult, JobTask
from cloudflux.errors import (
    ObjectArchived,
    ObjectNotFound,
    PlanChanged,
    PreconditionFailed,
    StorageError,
)
from cloudflux.migration.checkpoint import Checkpoint, Moved
from cloudflux.migration.plan_findings import unprotected
from cloudflux.migration.planned import PlannedObject, load_plan, planned_objects
from cloudflux.migration.restoring import note_archived
from cloudflux.migration.session import Session
from cloudflux.migration.streams import read_digests, run_parallel
from cloudflux.migration.sweep import abort_uploads
from cloudflux.migration.tally import Tally
from cloudflux.storage.interface import BulkChanging, ObjectInfo

ROUND = 4096
"""Objects that are listed, changed and listed again together, where a store takes many at once."""
ROUNDS_AT_A_TIME = 4


def change_in_place(session: Session, request: CopyRequest) -> CopyResult:
    """Change what the plan lists; objects that changed or went since are left and counted."""
    plan = load_plan(session)
    session.source.check()
    if unprotected(session, request):  # spec.writers was changed since the plan
        raise PlanChanged("the data set's writers are not quiesced any more; a new plan is made")
    with session.checkpoint() as checkpoint:
        if checkpoint.moved or checkpoint.intents:  # begun before: a kill may have left something
            abort_uploads(session)
        tally = Tally(session.context, plan["objects"], plan["bytes"])

        def left() -> Iterator[PlannedObject]:
            for planned in planned_objects(session):
                if tally.hopeless:
                    return
                if planned.key in checkpoint.moved:
                    tally.done(planned.size_bytes)
                elif planned.key in checkpoint.skipped:
                    tally.skip()
                else:
                    yield planned
            session.context.stop_point("copy.listed")

        def change(planned: PlannedObject) -> None:
            _change_one(session, request, checkpoint, tally, planned)

        def change_round(planned: Sequence[PlannedObject]) -> None:
            _change_many(session, request, checkpoint, tally, planned)

        if hasattr(session.source, "change_classes") and not needs_digest(session, request):
            run_parallel(rounds(left()), change_round, ROUNDS_AT_A_TIME)
        else:
            run_parallel(left(), change, request.parallelism)
        note_archived(session, tally.archived)
        return tally.result()


def rounds(planned: Iterator[PlannedObject]) -> Iterator[Sequence[PlannedObject]]:
    """Yield them some at a time."""
    while chunk := tuple(islice(planned, ROUND)):
        yield chunk


def needs_digest(session: Session, request: JobTask) -> bool:
    """Say whether the content is read before the change, to be compared afterwards.

    Where the server changes the class, no byte need pass through us; a file's content is
    moved by ourselves, so that nobody else can attest it.
    """
    if request.verify is VerifyMethod.SIZE:
        return False
    return request.verify is VerifyMethod.BYTES or session.source.capabilities.tiers_by_link


def target_class(request: JobTask) -> str:
    """Return the class or tier root that the objects get."""
    return (request.target_class or request.target_root or "").rstrip("/")


def change_class(
    session: Session, request: JobTask, checkpoint: Checkpoint, planned: PlannedObject
) -> Moved:
    """Change one object; repeating it after a kill is harmless."""
    digests: dict[str, str] = {}
    if needs_digest(session, request):
        digests = {"sha256": _digest_before(session, request, checkpoint, planned)}
    session.context.check()
    # The classes are read back by a listing when the change is verified.
    change = getattr(session.source, "change_class_unread", session.source.change_class)
    after = change(
        planned.key,
        target_class(request),
        if_version=planned.version,
        size_bytes=planned.size_bytes,
    )
    if after.size_bytes != planned.size_bytes:
        raise PreconditionFailed("it was written while it was changed", key=planned.key)
    return _moved(planned, after, digests)


def _moved(planned: PlannedObject, after: ObjectInfo, digests: Mapping[str, str]) -> Moved:
    return Moved(
        key=planned.key,
        size_bytes=after.size_bytes,
        version=planned.version,
        target_version=after.version,
        storage_class=after.storage_class,
        digests=digests or dict(after.checksums),
    )


def _change_one(
    session: Session,
    request: CopyRequest,
    checkpoint: Checkpoint,
    tally: Tally,
    planned: PlannedObject,
) -> None:
    session.context.check()
    session.context.stop_point("copy.object.before")
    try:
        found: Moved | StorageError = change_class(session, request, checkpoint, planned)
    except StorageError as error:
        found = error
    _settle_one(session, checkpoint, tally, planned, found)


def _change_many(
    session: Session,
    request: CopyRequest,
    checkpoint: Checkpoint,
    tally: Tally,
    planned: Sequence[PlannedObject],
) -> None:
    """Change a round of objects in few requests; each is settled by itself."""
    session.context.check()
    for _ in planned:
        session.context.stop_point("copy.object.before")
    briefs = [(one.key, one.size_bytes, one.version) for one in planned]
    store = cast("BulkChanging", session.source)
    found = store.change_classes(briefs, target_class(request))
    for one in planned:
        outcome = found[one.key]
        if isinstance(outcome, ObjectInfo):
            _settle_one(session, checkpoint, tally, one, _moved(one, outcome, {}))
        else:
            _settle_one(session, checkpoint, tally, one, outcome)


def _settle_one(
    session: Session,
    checkpoint: Checkpoint,
    tally: Tally,
    planned: PlannedObject,
    found: Moved | StorageError,
) -> None:
    """Record what became of an object; errors that are not its own are raised."""
    if isinstance(found, (ObjectNotFound, PreconditionFailed)):
        checkpoint.skip(planned.key, found.reason)
        tally.skip()
        return
    if isinstance(found, ObjectArchived):
        tally.fail_archived(planned, found)
        return
    if isinstance(found, StorageError):
        raise found
    session.context.stop_point("copy.object.after")
    checkpoint.add(found)
    session.context.stop_point("copy.checkpointed")
    tally.done(found.size_bytes)


def _digest_before(
    session: Session, request: JobTask, checkpoint: Checkpoint, planned: PlannedObject
) -> str:
    """sha256 of the content as planned; after a kill, as it was written down before the change."""
    intent = checkpoint.intents.get(planned.key)
    present = session.source.head(planned.key)
    if intent is not None and intent[0] == planned.version and _changed(present, request):
        return intent[1]
    expected = present.version if _changed(present, request) else planned.version
    with session.source.open(planned.key, if_version=expected) as stream:
        sha256 = read_digests(session, stream).hex()["sha256"]
    checkpoint.intend(planned.key, planned.version, sha256)
    return sha256


def _changed(info: ObjectInfo, request: JobTask) -> bool:
    return info.storage_class == target_class(request)
