"""One run: a job is driven by the real state machine through its faults, then judged."""

import contextlib
import os
import random
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.chaos import faults as f
from tests.chaos.dialects import READ
from tests.chaos.disk import DiskRule
from tests.chaos.front import ALWAYS, Entry, Front, Rule
from tests.chaos.judge import Evidence, judge
from tests.chaos.mover import Mover, Orders
from tests.chaos.places import DIALECTS, Place, place, sha256
from tests.unit.migration.jobs import World

from cloudflux.api.common import Location
from cloudflux.api.dataset import DataSetSpec, DataSetStatus, Writers
from cloudflux.api.migrationjob import JobPin, Phase, VerifyMethod
from cloudflux.api.move_tasks import JobTask
from cloudflux.api.task import StoreRef, TaskError
from cloudflux.api.vocabulary import ConditionType
from cloudflux.handlers.requests import request_of
from cloudflux.migration.checkpoint import Moved, parse_moved
from cloudflux.migration.facts import OPERATION_OF_STEP, RETIRE, SWEEP, DataSetFacts, Running
from cloudflux.migration.files import JobFiles, read_lines
from cloudflux_dev.cloudservers import Toxiproxy

LARGE_BYTES = (16 << 20) + 77
WIRE = {
    "wire reset": ("reset_peer", {"timeout": 0}),
    "wire latency": ("latency", {"latency": 60, "jitter": 40}),
    "wire cut": ("limit_data", {"bytes": 2500}),
}
SMALL_DISK_BYTES = 640 << 10
LOOKS = 400
FOREIGN = b"somebody else's"
CLOCK_SECONDS = 40 * 60.0


@dataclass
class Bench:
    """What runs share: servers, two fronts, toxiproxy, a directory."""

    servers: Mapping[str, Any]
    directory: Path
    toxiproxy: Toxiproxy | None
    fronts: dict[str, Front] = field(default_factory=dict)
    wires: dict[str, str] = field(default_factory=dict)
    name: str = "0"

    def start(self) -> "Bench":
        """Start the fronts, and their proxies on the wire."""
        for side in (f.SOURCE, f.TARGET):
            self.fronts[side] = Front().start()
            if self.toxiproxy is not None:
                self.wires[side] = self.toxiproxy.proxy(
                    f"{self.name}-{side}", self.fronts[side].url
                )
        return self

    def stop(self) -> None:
        for front in self.fronts.values():
            front.stop()


class Run:
    """One case on a bench."""

    def __init__(self, bench: Bench, case: f.Case) -> None:
        self.bench, self.case = bench, case
        self.home = bench.directory / case.seed.replace(":", "-")
        self.state = self.home / "state"
        self.places: dict[str, Place] = {}
        self.refs: dict[str, StoreRef] = {}
        self.rules: dict[int, Rule | DiskRule] = {}
        self.orders = Orders(self.state)
        self.mover = Mover()
        self.verified: dict[str, Moved] = {}
        self.twice: list[str] = []
        self.struck: dict[int, int] = {}
        """How often a fault struck that the driver itself sees to."""
        self.healed: set[int] = set()
        self.retirement_said = ""
        self.ballast: Path | None = None

    def execute(self) -> Evidence:
        """Drive the job to its end; returns what was found."""
        with ExitStack() as stack:
            stack.callback(self._clean)
            self._prepare(stack)
            world = self._drive()
            evidence = Evidence(
                case=self.case,
                status=world.status,
                claim=world.data_set.status.active_migration_ref if world.data_set else None,
                contents={key: sha256(data) for key, data in self.contents.items()},
                at_source=self.places[f.SOURCE].read(),
                at_target=self.places[f.TARGET].read(),
                foreign={max(self.contents): sha256(FOREIGN)} if self.case.troubled else {},
                own_at_target=self.places[f.TARGET].own(),
                own_at_source=self.places[f.SOURCE].own(),
                manifest=JobFiles(self.state, "job").manifest,
                hits=self._hits(),
                twice=self.twice,
                retirement_said=self.retirement_said,
            )
            return judge(evidence)

    # -- before ---------------------------------------------------------------------------------

    def _prepare(self, stack: ExitStack) -> None:
        case, bench = self.case, self.bench
        shutil.rmtree(self.home, ignore_errors=True)
        self.state.mkdir(parents=True)
        self.contents = contents_of(case)
        for side, kind in ((f.SOURCE, case.source), (f.TARGET, case.target)):
            server = bench.servers.get(kind, self.home)
            prefix = f"{case.seed.replace(':', '-')}-{side}/data"
            self.places[side] = place(kind, server, prefix)
            self.refs[side] = self._ref(side, kind)
        self._small_disks(stack)
        self.places[f.SOURCE].fill(self.contents)
        if self.case.troubled:  # somebody's object is in the way: the job fails and sweeps
            self.places[f.TARGET].fill({max(self.contents): FOREIGN})
        self._age_files()
        for number, fault in enumerate(case.faults):
            self._arm(number, fault)

    def _ref(self, side: str, kind: str) -> StoreRef:
        front = self.bench.fronts[side]
        if kind == "file":
            front.point_at("http://127.0.0.1:1", "s3")
            return self.places[side].ref("")
        front.kill = self.mover.kill
        endpoint = front.point_at(self.bench.servers[kind].endpoint, DIALECTS[kind])
        on_wire = any(one.cell.fault in WIRE and one.cell.side == side for one in self.case.faults)
        if on_wire and side in self.bench.wires:
            endpoint = endpoint.replace(front.url, self.bench.wires[side])
        return self.places[side].ref(endpoint)

    def _small_disks(self, stack: ExitStack) -> None:
        """A disk that is really full where this user may mount one, else calls that say so."""
        for fault in self.case.faults:
            if fault.cell.fault != "full disk":
                continue
            at = self.state if fault.cell.side == f.STATE else Path(self.places[f.TARGET].root)
            at.mkdir(parents=True, exist_ok=True)
            if os.geteuid() == 0 and _mounted(at):
                stack.callback(subprocess.run, ["umount", "-l", str(at)], check=False)
                room = 0 if fault.cell.side == f.STATE else 100 << 10
                self.ballast = at / ".cloudflux-tmp-ballast"
                self.ballast.write_bytes(bytes(SMALL_DISK_BYTES - (24 << 10) - room))

    def _age_files(self) -> None:
        if not any(one.cell.fault == "skewed files" for one in self.case.faults):
            return
        for number, path in enumerate(sorted(self.places[f.SOURCE].root.rglob("*"))):
            at = time.time() + (10**8 if number % 2 else -(10**9))
            os.utime(path, (at, at))

    def _arm(self, number: int, fault: f.Fault) -> None:
        cell = fault.cell
        if cell.fault == "kill":
            self.struck[number] = 0
            return
        if cell.fault in ("full disk", "skewed files"):
            return
        if f.by_clock(cell):  # the server itself refuses it
            self.orders.clock_seconds = CLOCK_SECONDS
            self.struck[number] = 1
            return
        spot = f.spot_of(cell)
        operations = frozenset({READ}) if cell.fault == "flip answer" else spot.operations
        times = ALWAYS if fault.endless else fault.times
        if cell.kind in ("file", "state"):
            root = self.state if cell.side == f.STATE else self.places[cell.side].root
            rule: Any = DiskRule(
                cell.fault, str(root), operations, frozenset({fault.step}),
                str(self.home / f"rule-{number}"), spot.marks, fault.after, times,
            )  # fmt: skip
            self.orders.disk = (*self.orders.disk, rule)
        else:
            rule = Rule(
                cell.fault, operations, frozenset({fault.step}), spot.marks,
                fault.after, times, fault.seconds,
            )  # fmt: skip
            if cell.fault not in WIRE:
                self.bench.fronts[cell.side].rules.append(rule)
        self.rules[number] = rule

    # -- the job --------------------------------------------------------------------------------

    def _drive(self) -> World:
        world = self._world()
        decision = world.step()
        for _ in range(LOOKS):
            if isinstance(world.outcome, Running):
                decision = world.finish(self._attempt(world))
            elif self._over(world):
                return world
            else:
                world.wait(decision.requeue_after_seconds or 1)
                decision = world.step()
            self._heal_when_failed(world)
        raise AssertionError(f"no end after {LOOKS} looks: {world.phase} {world.status.message}")

    def _world(self) -> World:
        locations = [
            Location(uri=self.places[side].uri, endpoint=self.refs[side].endpoint)
            for side in (f.SOURCE, f.TARGET)
        ]
        endless = any(one.endless for one in self.case.faults)
        killed = sum(
            one.times for one in self.case.faults if "kill" in one.cell.fault and not one.endless
        )
        spec = {
            "target": {"location": locations[1].model_dump(by_alias=True, exclude_none=True)},
            "verify": VerifyMethod.BYTES if self.case.bytes_proof else VerifyMethod.CHECKSUM,
            "sourceRetention": {"policy": "Delete", "graceSeconds": 30},
            "retry": {"maxAttempts": 3 + killed if endless else 20},
        }
        pin = JobPin(
            source=locations[0], target=locations[1], source_generation=0, data_set_uid="ds"
        )
        data_set = DataSetFacts("ds", "data", DataSetSpec(location=locations[0]), DataSetStatus())
        return World(spec=spec, pin=pin, data_set=data_set)

    def _attempt(self, world: World) -> Any:
        """One attempt at the running step."""
        step = world.outcome.step
        base = JobTask(
            job_uid="job", job_name="move", namespace="default", data_set_uid="ds",
            data_set_name="data", source_generation=0, source=self.refs[f.SOURCE],
            target=self.refs[f.TARGET], writers=Writers.QUIESCED,
            verify=world.facts().job.spec.verify, parallelism=self.case.parallelism,
        )  # fmt: skip
        runtime: Any = SimpleNamespace(
            price_overlay=None,
            settings=SimpleNamespace(quiet_seconds=0, plan_tolerance_percent=10),
        )
        request = request_of(step, base, world.facts().job.spec, world.status, runtime, world.now)
        for front in self.bench.fronts.values():
            front.step = step
        marks = {side: len(front.log) for side, front in self.bench.fronts.items()}
        with self._on_the_wire(step):
            self._order_kills(step)
            answer = self.mover.ask(self.orders, step, OPERATION_OF_STEP[step], request)
        self._count_kills(step, answer)
        self._look_for_copies(self.bench.fronts[f.TARGET].log[marks[f.TARGET] :])
        return answer

    def _order_kills(self, step: str) -> None:
        """A mover dies at its first visit to a stop point, but for the times given."""
        kills = {}
        for number, killed in self.struck.items():
            fault = self.case.faults[number]
            if fault.cell.fault == "kill" and fault.step == step and killed < fault.times:
                kills[fault.cell.spot] = killed + 1
        if kills != self.orders.kills:
            self.mover.end()
            self.orders.kills = kills

    def _count_kills(self, step: str, answer: Any) -> None:
        if isinstance(answer, TaskError) and answer.kind == "ChildDied":
            for number in self.struck:
                fault = self.case.faults[number]
                self.struck[number] += fault.cell.fault == "kill" and fault.step == step

    @contextlib.contextmanager
    def _on_the_wire(self, step: str) -> Iterator[None]:
        """Toxics stay for whole attempts: as many as the fault is to last."""
        proxy = self.bench.toxiproxy
        active = []
        for number, fault in enumerate(self.case.faults):
            rule = self.rules.get(number)
            if fault.cell.fault not in WIRE or fault.step != step or proxy is None:
                continue
            if number in self.healed:
                continue
            if fault.endless or rule.hits < min(rule.times, 2):
                rule.hits += 1
                kind, attributes = WIRE[fault.cell.fault]
                name = f"{self.bench.name}-{fault.cell.side}"
                proxy.add(name, kind, toxic=f"{number}", **attributes)
                active.append((name, f"{number}"))
        try:
            yield
        finally:
            for name, toxic in active:
                proxy.remove(name, toxic)

    def _look_for_copies(self, log: list[Entry]) -> None:
        """What was recorded as moved before may not have been written again."""
        prefix = f"{self.places[f.TARGET].prefix}/"
        for entry in log:
            if entry.asked.operation in ("place", "complete") and entry.status < 300:
                key = entry.asked.key.removeprefix(prefix)
                if key in self.verified and not entry.asked.marks:
                    self.twice.append(f"{key} was written again in {entry.step}")
        now: dict[str, Moved] = {}
        for record in read_lines(JobFiles(self.state, "job").checkpoint):
            if "target_version" in record:
                moved = parse_moved(record)
                now[moved.key] = moved
        for key, old in self.verified.items():
            if now[key].target_version != old.target_version:
                self.twice.append(f"{key} has another copy now")
        self.verified = now

    def _heal_when_failed(self, world: World) -> None:
        """What is wrong ends once the job told of it: its sweep or retirement can succeed."""
        status = world.status
        failed = status.phase is Phase.FAILED
        tired = (
            status.phase is Phase.COMPLETED
            and status.next_attempt_time is not None
            and status.attempts == 0
        )
        if tired and not self.retirement_said:
            self.retirement_said = world.condition(ConditionType.SOURCE_RETIRED).message
        for number, fault in enumerate(self.case.faults):
            if (failed and fault.step != SWEEP) or (tired and fault.step == RETIRE):
                self._heal(number)
        if failed and self.ballast is not None:
            self.ballast.unlink(missing_ok=True)

    def _heal(self, number: int) -> None:
        self.healed.add(number)
        rule = self.rules.get(number)
        if isinstance(rule, Rule):
            rule.times = min(rule.times, rule.hits)
        elif isinstance(rule, DiskRule):
            rule.heal()
        if self.case.faults[number].cell.fault == "skewed" and self.orders.clock_seconds:
            self.orders.clock_seconds = 0.0
            self.mover.end()

    # -- after ----------------------------------------------------------------------------------

    def _over(self, world: World) -> bool:
        status = world.status
        steps = {one.name: one.state for one in status.steps}
        if status.phase is Phase.FAILED:
            return steps.get(SWEEP, "Done") != "Running"
        return status.phase is Phase.COMPLETED and steps.get(RETIRE) == "Done"

    def _hits(self) -> dict[int, int]:
        found = {number: rule.hits for number, rule in self.rules.items()}
        return {**self.struck, **found}

    def _clean(self) -> None:
        self.mover.end()
        for one in self.places.values():
            one.clear()
        shutil.rmtree(self.home, ignore_errors=True)


def contents_of(case: f.Case) -> dict[str, bytes]:
    """Small objects of odd sizes and names, and where asked a large one; by the seed alone."""
    chance = random.Random(f"contents of {case.seed}")
    names = ["a/b c+%2F", "ünï/☃", "Case", "case", "deep/er/and deeper", "empty"]
    sizes = [100, 4096, 65_537, 20_000, 333_333, 0]
    chance.shuffle(names)
    found = {name: chance.randbytes(size) for name, size in zip(names, sizes, strict=True)}
    kept = dict(list(found.items())[: case.objects])
    if case.large:
        kept["large"] = chance.randbytes(1 << 20) * (LARGE_BYTES >> 20) + b"x" * 77
    return kept


def _mounted(at: Path) -> bool:
    command = ["mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK_BYTES}", "tmpfs", str(at)]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0
