"""SIGKILL at every named step, of a child, of the control process, of all: the job completes."""

import os
import random
import signal
import threading
from pathlib import Path

import pytest
from tests.integration.operator_rig import Operator, World, alive, fill, read_all, wait_for

from cloudflux_dev.cluster import ControlPlane
from cloudflux_dev.kubeapi import KubeApi

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

STEPS = (
    "plan.listed",
    "plan.written",
    "copy.listed",
    "copy.object.before:90",
    "copy.object.after:90",
    "copy.checkpointed",
    "copy.quiet",
    "verify.object:90",
    "verify.manifest",
    "switch.listed",
    "switch.marker",
    "retire.listed",
    "retire.object:90",
)

OFTEN = ("copy.checkpointed", "verify.manifest", "switch.marker")
"""Steps that every `make test` kills at; `make test-kills` takes the rest (a few minutes)."""


def _case(step: str) -> object:
    often = any(step.startswith(one) for one in OFTEN)
    return pytest.param(step, marks=[] if often else [pytest.mark.exhaustive])


FILES = 200
RANDOM_KILLS = 5


def stopped_pid(state_dir: Path) -> int | None:
    """The process that stands at the stop point, once one does."""
    try:
        return int((state_dir / "stopped-at").read_text().split()[1])
    except (FileNotFoundError, IndexError):
        return None


@pytest.fixture
def world(kube_api: KubeApi, namespace: str) -> World:
    return World(kube_api, namespace)


def prepare(world: World, directory: Path) -> tuple[dict[str, bytes], Path, Path]:
    source, target = directory / "data" / "source", directory / "data" / "target"
    source.mkdir(parents=True)
    target.mkdir()
    content = fill(source, FILES)
    world.data_set("books", source.as_uri(), writers="Quiesced")
    retention = {"policy": "Delete", "graceSeconds": 0}
    retry = {"initialBackoffSeconds": 1, "maxBackoffSeconds": 2}
    world.job(
        "move", "books", {"location": {"uri": target.as_uri()}},
        sourceRetention=retention, retry=retry,
    )  # fmt: skip
    return content, source, target


def settle(world: World, content: dict[str, bytes], source: Path, target: Path) -> None:
    world.wait_condition("migrationjobs", "move", "Succeeded", "True", 90)
    world.wait_condition("migrationjobs", "move", "SourceRetired", "True", 60)
    assert read_all(target) == content, "nothing is lost"
    assert read_all(source) == {}, "the source is retired"
    status = world.status("datasets", "books")
    assert status["location"]["uri"] == target.as_uri()
    assert status["location"]["generation"] == 1
    assert len(status["history"]) == 1
    assert "activeMigrationRef" not in status


@pytest.mark.parametrize("step", [_case(step) for step in STEPS])
@pytest.mark.parametrize("whom", ["control", "child"])
def test_a_kill_loses_nothing(
    control_plane: ControlPlane, world: World, tmp_path: Path, step: str, whom: str
) -> None:
    content, source, target = prepare(world, tmp_path)
    operator = Operator(
        control_plane.kubeconfig, world.namespace, tmp_path, lease_seconds=5, test_stop_at=step
    ).start()
    second = None
    try:
        pid = wait_for(f"the stop at {step}", lambda: stopped_pid(operator.state_dir), 60)
        written = {path: path.stat().st_mtime_ns for path in target.rglob("*.bin")}
        if whom == "child":
            # its successor would stop there, too: only the first process to come is stopped
            os.kill(pid, signal.SIGKILL)
            wait_for("the child's end", lambda: not alive(pid), 10)
        operator.stop(signal.SIGKILL)
        assert not alive(pid), "no orphaned child writes on"
        second = Operator(
            control_plane.kubeconfig, world.namespace, tmp_path, name="second", lease_seconds=5
        ).start()
        settle(world, content, source, target)
        again = [path for path, stamp in written.items() if path.stat().st_mtime_ns != stamp]
        assert len(again) <= 4, "at most what was in hand is copied twice"
    finally:
        operator.stop(signal.SIGKILL)
        if second is not None:
            second.stop()


@pytest.mark.parametrize(
    "seed",
    [pytest.param(n, marks=[] if n == 1 else [pytest.mark.exhaustive]) for n in range(1, 9)],
)
def test_kills_at_random_instants_lose_nothing(
    control_plane: ControlPlane, world: World, tmp_path: Path, seed: int
) -> None:
    """Five kills in one job's life: of the control process, of the mover, or of all at once."""
    chance = random.Random(seed)
    content, source, target = prepare(world, tmp_path)
    operators: list[Operator] = []

    def start() -> Operator:
        operators.append(
            Operator(
                control_plane.kubeconfig,
                world.namespace,
                tmp_path,
                name=f"operator-{len(operators)}",
                lease_seconds=5,
            )
        )
        return operators[-1].start()

    try:
        operator = start()
        for _ in range(RANDOM_KILLS):
            seen = operator
            wait_for("children", lambda: seen.children() or done(world))  # noqa: B023
            pause_seconds = chance.uniform(0.0, 1.5)
            threading.Event().wait(pause_seconds)  # the instant is what is tested
            whom = chance.choice(("control", "child", "all"))
            if whom != "control":
                for pid in operator.children():
                    os.kill(pid, signal.SIGKILL)
            if whom != "child":
                operator.stop(signal.SIGKILL)
                operator = start()
        settle(world, content, source, target)
    finally:
        for operator in operators:
            operator.stop(signal.SIGKILL)


def done(world: World) -> bool:
    """The job's source is retired: nothing is left to kill."""
    found = world.condition("migrationjobs", "move", "SourceRetired")
    return bool(found.get("status") == "True")


def test_a_killed_child_is_replaced_within_the_same_operator(
    control_plane: ControlPlane, world: World, tmp_path: Path
) -> None:
    content, source, target = prepare(world, tmp_path)
    operator = Operator(
        control_plane.kubeconfig, world.namespace, tmp_path, test_stop_at="copy.object.after:250"
    ).start()
    try:
        wait_for("children", lambda: len(operator.children()) >= 1)
        wait_for(
            "copying",
            lambda: world.status("migrationjobs", "move").get("phase") in ("Copying", "Completed"),
        )
        for pid in operator.children():
            os.kill(pid, signal.SIGKILL)
        settle(world, content, source, target)
    finally:
        operator.stop()


def test_two_operators_started_at_once_do_the_work_once(
    control_plane: ControlPlane, world: World, tmp_path: Path
) -> None:
    content, source, target = prepare(world, tmp_path)
    pair = [
        Operator(control_plane.kubeconfig, world.namespace, tmp_path, name=f"operator-{number}")
        for number in range(2)
    ]
    try:
        for operator in pair:
            operator.start()
        settle(world, content, source, target)
        leaders = [operator for operator in pair if "lease acquired" in operator.log()]
        assert len(leaders) == 1
        waiting = next(operator for operator in pair if operator is not leaders[0])
        assert "waiting for the lease" in waiting.log()
        assert "holder" in waiting.log()
    finally:
        for operator in pair:
            operator.stop()
