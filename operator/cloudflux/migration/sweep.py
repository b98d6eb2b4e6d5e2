"""Sweeping what an unfinished job left at the target; source data is never touched."""

from collections.abc import Collection
from itertools import islice

from cloudflux.api.display import counted
from cloudflux.api.move_tasks import SweepRequest, SweepResult
from cloudflux.errors import NotSupported, ObjectNotFound, PreconditionFailed
from cloudflux.migration.checkpoint import Checkpoint
from cloudflux.migration.files import read_lines
from cloudflux.migration.mapping import written_by
from cloudflux.migration.markers import remove_markers
from cloudflux.migration.session import Session, in_place
from cloudflux.migration.streams import run_parallel
from cloudflux.migration.tally import Tally
from cloudflux.storage.interface import ObjectInfo, Unreadable
from cloudflux.storage.keys import decode_key, printable

NAMED = 3


def sweep(session: Session, request: SweepRequest) -> SweepResult:
    """Abort uploads, remove the job's copies by provenance and version, and say what is left."""
    if in_place(request):
        return _say_changed(session)
    session.target.check()
    remove_markers(session, request)
    aborted = abort_uploads(session)
    _abort_unlisted(session)
    if request.keep_copies:
        kept = counted(_count_checkpoint(session), "copy is", "copies are")
        return SweepResult(
            removed_objects=0,
            aborted_uploads=aborted,
            residue=f"{kept} kept at {session.target.uri}, as asked.",
        )
    removed, left = _remove_copies(session, request)
    gone = counted(removed, "copy was", "copies were")
    residue = f"{gone} removed from {session.target.uri}; the source is untouched."
    if left:
        residue += f" {counted(left, 'was', 'were')} changed by someone else since, and left there."
    return SweepResult(removed_objects=removed, aborted_uploads=aborted, residue=residue)


def _remove_copies(session: Session, request: SweepRequest) -> tuple[int, int]:
    tally = Tally(session.context)

    def remove(listed: ObjectInfo | Unreadable) -> None:
        session.context.check()
        try:
            info = session.target.head(listed.key)
            # what the server copied by itself bears no mark: it is ours as it was recorded
            if not written_by(info, request.job_uid):
                ours = checkpoint.moved.get(info.key)
                if ours is None or ours.adopted:
                    return
                if ours.target_version != info.version:
                    tally.skip()
                    return
            session.target.delete(info.key, if_version=info.version)
        except ObjectNotFound:
            return
        except PreconditionFailed:
            tally.skip()
            return
        tally.done(0)
        session.context.stop_point("sweep.object")

    listed = (one for one in session.target.list() if isinstance(one, ObjectInfo))
    with Checkpoint(session.files.checkpoint) as checkpoint:
        run_parallel(listed, remove, request.parallelism)
    return tally.objects_done, tally.objects_skipped


def abort_uploads(
    session: Session, *, but: Collection[str] = (), written: Collection[str] = ()
) -> int:
    """Abort unfinished uploads of keys that this job had to write, except those that go on.

    `written` adds keys to those of the plan.
    """
    hierarchical = session.target.capabilities.hierarchical
    try:
        found = [one for one in session.target.uploads() if one[1] not in but]
    except NotSupported:
        return 0
    aborted, mine = 0, set(written)
    if found and not hierarchical:  # there are few uploads, and there may be a million objects
        there = {key for key, _ in found}
        planned = (decode_key(row["key"]) for row in read_lines(session.files.plan_list))
        mine |= there.intersection(planned)
    for key, upload_id in found:
        # A directory's temporary files bear our own name; an upload may be someone else's.
        if not hierarchical and key not in mine:
            continue
        session.context.check()
        session.target.abort_upload(key, upload_id)
        aborted += 1
    return aborted


def _abort_unlisted(session: Session) -> None:
    """Abort uploads that no listing of the store shows; absent ones are no error."""
    with Checkpoint(session.files.checkpoint) as checkpoint:
        begun = {key: upload_id for key, (_, upload_id) in checkpoint.uploads.items() if upload_id}
    for key, upload_id in begun.items():
        session.context.check()
        session.target.abort_upload(key, upload_id)


def _count_checkpoint(session: Session) -> int:
    with Checkpoint(session.files.checkpoint) as checkpoint:
        return len(checkpoint.moved)


def _say_changed(session: Session) -> SweepResult:
    """Say which objects of a change in place are changed already; each is whole either way."""
    aborted = abort_uploads(session)
    with Checkpoint(session.files.checkpoint) as checkpoint:
        changed, first = len(checkpoint.moved), list(islice(checkpoint.moved, NAMED))
    if not changed:
        words = "No object was changed."
    else:
        names = ", ".join(map(printable, first))
        more = f" and {changed - NAMED} more" if changed > NAMED else ""
        words = (
            f"{counted(changed, 'object')} changed already, left so: {names}{more}; "
            f"all are listed in {session.files.checkpoint}."
        )
    return SweepResult(removed_objects=0, aborted_uploads=aborted, residue=words)
