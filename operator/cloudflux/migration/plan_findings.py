"""What a plan's listing found, and what of it blocks the plan or is to be known before it runs."""

from array import array
from collections.abc import Container
from dataclasses import dataclass, field

from cloudflux.api.dataset import Writers
from cloudflux.api.migrationjob import VerifyMethod
from cloudflux.api.move_tasks import JobTask, PlanRequest
from cloudflux.migration.files import read_lines
from cloudflux.migration.selection import Selector
from cloudflux.migration.session import Session, in_place
from cloudflux.storage.keys import encode_key, printable
from cloudflux.storage.probe import protects_changes, protects_writes

NAMED = 5
"""So many keys of each kind of problem are named; the rest are counted."""


@dataclass(slots=True)
class Findings:
    """What the listing of the source brought."""

    sizes: "array[int]" = field(default_factory=lambda: array("q"))
    days: "array[float]" = field(default_factory=lambda: array("d"))
    reads: "array[float]" = field(default_factory=lambda: array("d"))
    classes: list[str] = field(default_factory=list)
    targets: list[str] = field(default_factory=list)
    named: dict[str, list[str]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def note(self, kind: str, text: str) -> None:
        """Count a problem, and name the first few of its kind."""
        self.counts[kind] = self.counts.get(kind, 0) + 1
        if self.counts[kind] <= NAMED:
            self.named.setdefault(kind, []).append(text)

    def words(self, kind: str, introduction: str) -> tuple[str, ...]:
        """Return the problem in one sentence, or nothing."""
        if kind not in self.counts:
            return ()
        more = self.counts[kind] - NAMED
        names = "; ".join(self.named[kind]) + (f"; and {more} more" if more > 0 else "")
        return (f"{introduction}: {names}",)


def problems_of(
    session: Session, request: PlanRequest, findings: Findings, selector: Selector
) -> list[str]:
    """What blocks the plan, in sentences; empty: nothing."""
    found = [*selector.problems()]
    found += findings.words("unsafe", "keys that the target can't hold; rename them")
    if not in_place(request):
        found += findings.words("unreadable", "entries that can't be moved; remove or replace them")
        found += _occupied(session)
    elif request.target_class is not None:
        classes = session.source.capabilities.storage_classes
        if request.target_class not in classes:
            known = ", ".join(classes)
            found.append(f"{request.target_class} is no class of {session.source.uri}: {known}")
    if not found:  # measuring writes: only when nothing else is in the way
        found += unprotected(session, request)
    return found


def unprotected(session: Session, request: JobTask) -> tuple[str, ...]:
    """Say why somebody's writes must end before objects are changed in place, or moved."""
    if request.writers is Writers.QUIESCED:
        return ()
    if not in_place(request):
        return _unprotected_target(session, request)
    if protects_changes(session.source):
        return ()
    return (
        f"{session.source.uri}: the store does not enforce conditions on copies, so that an object "
        "written in the instant of its change could be lost. Stop the writers and set "
        f"spec.writers: Quiesced on the DataSet {request.data_set_name}, then delete this job "
        "and make it again (a policy does so itself)",
    )


def _unprotected_target(session: Session, request: JobTask) -> tuple[str, ...]:
    if protects_writes(session.target):
        return ()
    return (
        f"{session.target.uri}: the server does not hold conditions on writes, so that an object "
        "which somebody else writes there in the same instant could be lost. See that nobody "
        "does, stop the data set's writers, set spec.writers: Quiesced on the DataSet "
        f"{request.data_set_name}, then delete this job and make it again (a policy does so "
        "itself)",
    )


def _occupied(session: Session) -> tuple[str, ...]:
    """Name objects at the target that the source does not have: they would become its data."""
    ours: Container[str] = ()
    if session.files.checkpoint.exists():  # opening it would say that copying was begun
        with session.checkpoint() as checkpoint:
            ours = checkpoint.moved
    # of a target there is mostly little, of a plan much: only the former is remembered
    there = {
        encode_key(info.key): info.key for info in session.target.list() if info.key not in ours
    }
    if there:
        for row in read_lines(session.files.plan_list):
            there.pop(row["key"], None)
    findings = Findings()
    for key in there.values():
        findings.note("occupied", printable(key))
    return findings.words(
        "occupied", "the target holds objects that the source has not; choose an empty location"
    )


def warnings_of(request: PlanRequest, findings: Findings, selector: Selector) -> list[str]:
    """What a person should know before the move, in sentences."""
    found = [*selector.warnings()]
    if in_place(request):
        found += findings.words("unreadable", "entries that are left as they are")
    else:
        if request.writers.value == "Active":
            found.append(
                "writers may be active: what they write to the old location after the switch "
                "stays there and is reported; stop them, or point them to the new location"
            )
        if request.verify is VerifyMethod.SIZE:
            found.append("only sizes are compared: that is no proof of the content")
    return found
