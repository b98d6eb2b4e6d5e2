"""Whether a run ended as it must: nothing lost, nothing silently different, the message right."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos import faults as f
from tests.chaos.places import Digests
from tests.chaos.words import DAMAGED, FORGOTTEN, expected, told_rightly

from cloudflux.api.migrationjob import MigrationJobStatus, Phase
from cloudflux.api.vocabulary import REASONS
from cloudflux.errors import IntegrityError
from cloudflux.migration.facts import RETIRE, SWEEP, SWITCH
from cloudflux.migration.manifest import read_manifest

OCCUPIED = r"written by someone else"
BEFORE_THE_SWITCH = ("Plan", "Copy", "Verify", "Switch")


@dataclass
class Evidence:
    """What a run left, and the verdict."""

    case: f.Case
    status: MigrationJobStatus
    claim: Any
    contents: Digests
    at_source: Digests
    at_target: Digests
    foreign: Digests
    own_at_source: list[str]
    own_at_target: list[str]
    manifest: Path
    hits: Mapping[int, int]
    """How often each fault of the case happened."""
    twice: list[str]
    retirement_said: str = ""
    """What the job said of a retirement that failed for good."""
    problems: list[str] = field(default_factory=list)
    lost: int = 0
    different: int = 0

    @property
    def phase(self) -> Phase:
        return self.status.phase or Phase.PENDING

    def happened(self, number: int) -> bool:
        return self.hits.get(number, 0) > 0


def judge(found: Evidence) -> Evidence:
    """Fill `problems`, `lost` and `different`."""
    for key, digest in found.contents.items():
        places = [one[key] for one in (found.at_source, found.at_target) if key in one]
        if not places:
            found.lost += 1
            found.problems.append(f"{key} is lost")
        if any(place != digest for place in places) and key not in found.foreign:
            found.different += 1
            found.problems.append(f"{key} is different")
    found.problems += [f"copied twice: {one}" for one in found.twice]
    if found.phase is Phase.COMPLETED:
        _completed(found)
    elif found.phase is Phase.FAILED:
        _failed(found)
    else:
        found.problems.append(f"ended as {found.phase}")
    if found.claim is not None:
        found.problems.append("the data set is still claimed")
    _end(found)
    return found


def _completed(found: Evidence) -> None:
    if found.at_target != found.contents:
        found.problems.append(f"the target holds {sorted(found.at_target)}")
    if found.at_source:
        found.problems.append(f"the source still holds {sorted(found.at_source)}")
    left = [name for name in found.own_at_target if not name.endswith("location.json")]
    left += [name for name in found.own_at_source if not name.endswith("location.json")]
    left = [name for name in left if not _may_stay(name)]
    if left:
        found.problems.append(f"left behind: {left}")
    proof = found.status.verification
    try:
        rows = list(read_manifest(found.manifest, proof.digest if proof else ""))
    except IntegrityError as error:
        found.problems.append(str(error))
        return
    if {row.key for row in rows} != found.contents.keys():
        found.problems.append("the manifest lists other objects")
    for row in rows:
        if row.digests.get("sha256", found.contents.get(row.key)) != found.contents.get(row.key):
            found.problems.append(f"the manifest's digest of {row.key} is wrong")


def _failed(found: Evidence) -> None:
    if found.at_source != found.contents:
        found.problems.append("failed, and the source is not intact")
    steps = {one.name: one for one in found.status.steps}
    sweep = steps.get(SWEEP)
    if sweep is None or sweep.state == "Done":
        if found.at_target != found.foreign:
            found.problems.append(f"not swept: {sorted(found.at_target)}")
        left = [n for n in found.own_at_target + found.own_at_source if not _may_stay(n)]
        if left:
            found.problems.append(f"left behind: {left}")
    else:
        _told(found, sweep.message or "", (SWEEP,), "the sweep's residue")
    if found.status.reason not in REASONS or found.status.reason == "InternalError":
        found.problems.append(f"the reason is {found.status.reason}")
    patterns = _patterns(found, BEFORE_THE_SWITCH)
    if found.foreign:
        patterns.append(OCCUPIED)
    if any(f.cut_short(fault.cell) for fault in found.case.faults):
        patterns += [DAMAGED, FORGOTTEN]
    if not told_rightly(found.status, patterns):
        found.problems.append(f"the message names no cause and cure: {found.status.message}")


def _may_stay(name: str) -> bool:
    """An empty directory, or the scratch object of a probe that was killed (two bytes)."""
    return name in (".cloudflux", ".cloudflux/") or ".cloudflux/probe-" in name


def _told(found: Evidence, text: str, steps: tuple[str, ...], what: str) -> None:
    if not any(re.search(one, text, re.DOTALL) for one in _patterns(found, steps)):
        found.problems.append(f"{what} names no cause and cure: {text}")


def _patterns(found: Evidence, steps: tuple[str, ...]) -> list[str]:
    return [
        expected(fault.cell.fault, directory=fault.cell.kind in ("file", "state"))
        for number, fault in enumerate(found.case.faults)
        if fault.step in steps and (found.happened(number) or fault.cell.fault == "full disk")
        and fault.cell.fault not in f.HARMLESS
    ]  # fmt: skip


def _end(found: Evidence) -> None:
    """What passes must not fail a job; what stays must."""
    surely = may = False
    for number, fault in enumerate(found.case.faults):
        name = fault.cell.fault
        if fault.step not in BEFORE_THE_SWITCH or name in f.HARMLESS:
            continue
        happened = found.happened(number)
        surely |= happened and fault.endless and name in f.SURELY_FATAL
        surely |= happened and name in f.FATAL
        may |= name == "full disk" or (happened and (fault.endless or name in f.FLIPS))
        may |= happened and f.cut_short(fault.cell)
    surely |= bool(found.foreign)
    if surely and found.phase is Phase.COMPLETED:
        found.problems.append("completed, although something lasting was in the way")
    if found.phase is Phase.FAILED and not (surely or may):
        found.problems.append(f"failed for a fault that went by: {found.status.message}")
    steps = {one.name: one for one in found.status.steps}
    if found.phase is Phase.COMPLETED and found.retirement_said:
        _told(found, found.retirement_said, (RETIRE,), "the failed retirement")
    if found.phase is Phase.FAILED and SWITCH in steps and RETIRE in steps:
        found.problems.append("a failed job retired its source")
