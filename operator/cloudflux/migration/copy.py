"""Copying a data set to another location: list, copy what is new, and again until it is quiet."""

from collections.abc import Iterator
from contextlib import suppress
from typing import cast

from cloudflux.api.dataset import Writers
from cloudflux.api.display import counted, display_bytes
from cloudflux.api.move_tasks import CopyRequest, CopyResult
from cloudflux.errors import (
    NotSupported,
    ObjectArchived,
    ObjectNotFound,
    PermissionDenied,
    PlanChanged,
    PreconditionFailed,
    TargetOccupied,
)
from cloudflux.migration.checkpoint import Checkpoint
from cloudflux.migration.place import SourceChanged, place
from cloudflux.migration.place_large import LARGE_BYTES
from cloudflux.migration.planned import PlannedObject, load_plan
from cloudflux.migration.restoring import note_archived
from cloudflux.migration.session import Session
from cloudflux.migration.spill import SpillSet
from cloudflux.migration.streams import run_parallel
from cloudflux.migration.sweep import abort_uploads
from cloudflux.migration.tally import Tally
from cloudflux.migration.within import Within
from cloudflux.storage.interface import ObjectInfo, Settling, Unreadable, brief_pages
from cloudflux.storage.keys import printable


def copy_location(session: Session, request: CopyRequest) -> CopyResult:
    """Copy everything and the delta since, until a listing finds nothing new for quiet_seconds.

    Retryable storage errors are raised: the step is repeated and goes on where it was.
    """
    plan = load_plan(session)
    return copy_objects(session, request, plan["objects"], plan["bytes"])


def copy_objects(
    session: Session,
    request: CopyRequest,
    objects: int = 0,
    size_bytes: int = 0,
    *,
    follow_removals: bool = True,
    durably: bool = True,
) -> CopyResult:
    """Do the same without a plan; the totals grow as they are found where they are not given.

    Without `follow_removals`, copies of objects that are gone from the source are kept. Without
    `durably`, a target that is a disk may still be writing at the end: nothing that stands on
    these copies, such as a deletion at the source, may follow then.
    """
    session.target.check()
    target = cast("Settling", session.target) if hasattr(session.target, "settle") else None
    if target is not None:
        target.postpone()
    with session.checkpoint() as checkpoint:
        if checkpoint.begun_before:  # what a kill left half written would stay for ever
            abort_uploads(session, but={upload for _, upload in checkpoint.uploads.values()})
        tally = Tally(session.context, objects, size_bytes)
        for moved in checkpoint.moved.sorted_values():
            tally.done(moved.size_bytes)
        if not checkpoint.moved and request.tolerance_percent is not None:
            _refuse_drift(session, request.tolerance_percent, objects, size_bytes)
        copier = _Copier(session, request, checkpoint, tally, follow_removals=follow_removals)
        if not copier.until_quiet():
            note_archived(session, tally.archived)
            return tally.result()
        if target is not None and durably:
            target.settle()
            checkpoint.settled()
        _abort_lost_uploads(session, checkpoint)
        return _result(checkpoint, tally)


class _Copier:
    """The passes of one call."""

    def __init__(
        self,
        session: Session,
        request: CopyRequest,
        checkpoint: Checkpoint,
        tally: Tally,
        *,
        follow_removals: bool,
    ) -> None:
        self._session, self._request = session, request
        self._follow_removals = follow_removals
        self._checkpoint, self._tally = checkpoint, tally
        self._on_disk = not hasattr(session.target, "settle")
        self._within = Within(session, request, checkpoint)

    def until_quiet(self) -> bool:
        """Pass until nothing is new; False when objects failed."""
        quiet_seconds = self._request.quiet_seconds
        if self._request.writers is Writers.QUIESCED:
            quiet_seconds = 0
        last_change = None
        while True:
            began = self._session.monotonic()
            found = self._pass()
            if self._tally.objects_failed:
                return False
            if found or last_change is None:
                last_change = began
            quiet_for = self._session.monotonic() - last_change
            if not found and quiet_for >= quiet_seconds:
                self._session.context.stop_point("copy.quiet")
                return True
            self._session.wait(max(0.0, quiet_seconds - quiet_for))

    def _pass(self) -> int:
        """Copy what a listing shows and the checkpoint has not; returns the number of changes."""
        with self._session.keys("seen") as seen:
            found = run_parallel(self._new(seen), self._copy_one, self._request.parallelism)
            if self._tally.objects_failed or not self._follow_removals:
                return found
            for key in self._checkpoint.moved:
                if key not in seen:
                    self._remove(key)
                    found += 1
        return found

    def _new(self, seen: SpillSet) -> Iterator[ObjectInfo]:
        for count, info in enumerate(self._session.source.list()):
            if count % 256 == 0:
                self._session.context.check()
            if self._tally.hopeless:
                return
            if isinstance(info, Unreadable):
                self._tally.fail(info.key, "UnsafeKey", f"{printable(info.key)} {info.reason}")
                continue
            if self._follow_removals:
                seen.add(info.key)
            known = self._checkpoint.moved.get(info.key)
            if known is None or known.version != info.version:
                yield info
        self._session.context.stop_point("copy.listed")

    def _copy_one(self, listed: ObjectInfo) -> None:
        session, key = self._session, listed.key
        session.context.check()
        session.context.stop_point("copy.object.before")
        known = self._checkpoint.moved.get(key)
        try:
            moved = self._within.copy(listed) or place(
                session, self._request, listed, known, self._checkpoint
            )
        except (SourceChanged, ObjectNotFound):
            return  # the next pass lists it as it is then
        except ObjectArchived as error:
            planned = PlannedObject(key, listed.size_bytes, listed.version, listed.storage_class)
            self._tally.fail_archived(planned, error)
            return
        except (TargetOccupied, PreconditionFailed, NotSupported) as error:
            self._tally.fail_with(key, error)
            return
        session.context.stop_point("copy.object.after")
        self._checkpoint.add(moved, on_disk=self._on_disk)
        session.context.stop_point("copy.checkpointed")
        self._tally.done(moved.size_bytes)

    def _remove(self, key: str) -> None:
        """Remove our copy of an object that is gone from the source."""
        moved = self._checkpoint.moved[key]
        self._session.context.check()
        words = f"{printable(key)} is gone from the source, and at the target it is not ours"
        if moved.adopted:
            self._tally.fail(key, "TargetOccupied", f"{words}; remove it there")
            return
        try:
            self._session.target.delete(key, if_version=moved.target_version)
        except ObjectNotFound:
            pass  # removed before a kill
        except PreconditionFailed:
            self._tally.fail(key, "TargetOccupied", f"{words} any more; remove it there")
            return
        self._checkpoint.forget(key)


def _abort_lost_uploads(session: Session, checkpoint: Checkpoint) -> None:
    """Abort uploads that began without our hearing of it: the answer was lost, and asked again."""
    moved = checkpoint.moved.sorted_values()
    large = [one.key for one in moved if one.size_bytes >= LARGE_BYTES]
    if not large or session.target.capabilities.hierarchical:
        return
    with suppress(PermissionDenied):  # all is copied; a missing right is no reason to fail now
        abort_uploads(session, written=large)


def forget_missing(session: Session) -> None:
    """Forget copies that were removed from the target since, so that they are made again."""
    with session.checkpoint() as checkpoint:
        if not checkpoint.moved:
            return
        with session.keys("there") as there:
            for page in brief_pages(session.target):
                session.context.check()
                for key, _, _ in page:
                    there.add(key)
            for key in checkpoint.moved:
                if key not in there:
                    checkpoint.forget(key)


def _refuse_drift(session: Session, tolerance_percent: int, objects: int, size_bytes: int) -> None:
    """Raise PlanChanged when the data grew or shrank by more than the tolerance since its plan."""
    now_objects = now_bytes = 0
    for info in session.source.list():
        if isinstance(info, ObjectInfo):
            now_objects, now_bytes = now_objects + 1, now_bytes + info.size_bytes
    share = tolerance_percent / 100
    if abs(now_objects - objects) > objects * share or (
        abs(now_bytes - size_bytes) > size_bytes * share
    ):
        raise PlanChanged(
            f"{counted(now_objects, 'object')} with {display_bytes(now_bytes)} there, planned were "
            f"{objects} with {display_bytes(size_bytes)}; over {tolerance_percent} % differ"
        )


def _result(checkpoint: Checkpoint, tally: Tally) -> CopyResult:
    """Return the end of copying: it counts what is there, not what was done on the way."""
    size_bytes = sum(moved.size_bytes for moved in checkpoint.moved.sorted_values())
    count = len(checkpoint.moved)
    return CopyResult(
        objects_total=count,
        objects_done=count,
        objects_failed=0,
        objects_skipped=tally.objects_skipped,
        bytes_total=size_bytes,
        bytes_done=size_bytes,
    )
