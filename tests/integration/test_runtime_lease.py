"""The leader Lease between real processes on a real API server."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from queue import Empty, SimpleQueue

import pytest
import pytest_asyncio

from cloudflux.handlers.kube import LEASES, Kube
from cloudflux.handlers.lease import LOST_EXIT_CODE, Identity, Lease
from cloudflux.settings import Settings
from cloudflux_dev.cluster import ControlPlane

pytestmark = pytest.mark.cluster

LEADER = Path(__file__).parent / "runtime_leader.py"
SECONDS = 10


class Leader:
    """One operator that does nothing but lead."""

    def __init__(self, control_plane: ControlPlane, namespace: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(LEADER), str(control_plane.kubeconfig), namespace, str(SECONDS)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "operator")},
        )
        self.lines: list[str] = []
        self._queue: SimpleQueue[str] = SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self._queue.put(line)

    def says(self, text: str, seconds: float) -> str:
        """Wait for a line with this text."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                line = self._queue.get(timeout=max(0.01, deadline - time.monotonic()))
            except Empty:
                pytest.fail(f"never said {text!r}: {''.join(self.lines)}")
            self.lines.append(line)
            if text in line:
                return line


@pytest.fixture
def leader(control_plane: ControlPlane, namespace: str) -> Iterator[Callable[[], Leader]]:
    started: list[Leader] = []

    def start() -> Leader:
        started.append(Leader(control_plane, namespace))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.wait()


@pytest_asyncio.fixture
async def kube(control_plane: ControlPlane) -> AsyncIterator[Kube]:
    kube = await Kube.connect(Settings(kubeconfig=control_plane.kubeconfig))
    yield kube
    await kube.close()


def test_the_second_waits_says_for_whom_and_follows_a_kill(leader: Callable[[], Leader]) -> None:
    first = leader()
    assert first.says("LEADER", 15).split() == ["LEADER", "1"]
    second = leader()
    waiting = second.says("waiting for the lease", 15)
    assert f"_{first.process.pid}_" in waiting
    assert "until=" in waiting
    first.process.send_signal(signal.SIGKILL)
    # not even reaped yet: a zombie does not lead
    assert second.says("LEADER", 5).split() == ["LEADER", "2"]


def test_a_clean_end_hands_over_at_once(leader: Callable[[], Leader]) -> None:
    first = leader()
    first.says("LEADER", 15)
    second = leader()
    second.says("waiting for the lease", 15)
    first.process.send_signal(signal.SIGTERM)
    assert second.says("LEADER", 5).split() == ["LEADER", "2"]
    assert first.process.wait(5) == 0


async def test_a_leader_whose_lease_is_taken_ends(
    leader: Callable[[], Leader], kube: Kube, namespace: str
) -> None:
    first = leader()
    await asyncio.to_thread(first.says, "LEADER", 15)
    await kube.patch(LEASES, namespace, "leader", {"spec": {"holderIdentity": "a thief"}})
    assert await asyncio.to_thread(first.process.wait, 10) == LOST_EXIT_CODE
    first.says("lease lost", 1)


async def test_a_foreign_holder_is_replaced_only_when_its_record_stood_still(
    kube: Kube, namespace: str
) -> None:
    """The record's own times are years ahead and behind; only our clock counts."""
    spec = {"holderIdentity": "elsewhere", "leaseDurationSeconds": 1, "leaseTransitions": 41}
    spec["renewTime"] = "2099-01-01T00:00:00.000000Z"
    await kube.create(
        LEASES, {"metadata": {"namespace": namespace, "name": "leader"}, "spec": spec}
    )
    lease = Lease(kube, namespace=namespace, name="leader", seconds=SECONDS)
    acquiring = asyncio.create_task(lease.acquire())
    for year in range(2001, 2005):  # alive, with a clock of its own
        await kube.patch(
            LEASES, namespace, "leader", {"spec": {"renewTime": f"{year}-01-01T00:00:00.000000Z"}}
        )
        done, _ = await asyncio.wait([acquiring], timeout=0.6)
        assert not done
    started = time.monotonic()
    assert await asyncio.wait_for(acquiring, 10) == 42
    assert time.monotonic() - started > 0.3
    assert lease.held


async def test_two_at_once_make_one_leader(kube: Kube, namespace: str) -> None:
    leases = [Lease(kube, namespace=namespace, name="leader", seconds=SECONDS) for _ in range(5)]
    tasks = [asyncio.create_task(lease.acquire()) for lease in leases]
    done, waiting = await asyncio.wait(tasks, timeout=2.5)
    for task in waiting:
        task.cancel()
    assert len(done) == 1
    assert sum(lease.held for lease in leases) == 1


async def test_the_token_is_above_the_fence_even_when_the_lease_was_deleted(
    kube: Kube, namespace: str
) -> None:
    lease = Lease(kube, namespace=namespace, name="leader", seconds=SECONDS, least_token=17)
    assert await lease.acquire() == 17


async def test_a_label_set_by_someone_else_costs_no_leadership(kube: Kube, namespace: str) -> None:
    lost: list[str] = []
    lease = Lease(kube, namespace=namespace, name="leader", seconds=2, on_lost=lost.append)
    await lease.acquire()
    holding = asyncio.create_task(lease.hold())
    label = {"metadata": {"labels": {"seen": "yes"}}}
    written = await kube.patch(LEASES, namespace, "leader", label)
    deadline = time.monotonic() + 10
    while (await kube.get(LEASES, namespace, "leader"))["spec"] == written["spec"]:
        assert time.monotonic() < deadline, "it was not renewed"
        await asyncio.sleep(0.05)
    assert lease.held
    assert not lost
    await lease.release()
    holding.cancel()


async def test_a_lease_that_cannot_be_renewed_is_lost_in_time(kube: Kube, namespace: str) -> None:
    lost: list[str] = []
    lease = Lease(kube, namespace=namespace, name="leader", seconds=2, on_lost=lost.append)
    await lease.acquire()
    await kube.delete(LEASES, namespace, "leader")
    await asyncio.wait_for(lease.hold(), 5)
    assert lost
    assert not lease.held


def test_identities_survive_the_round_trip_and_tell_the_dead() -> None:
    own = Identity.own()
    assert Identity.parse(str(own)) == own
    assert Identity.parse("someone-else") is None
    assert not own.proven_dead(own)
    ended = subprocess.Popen(["true"])
    ended.wait()
    dead = Identity(own.host, own.boot_id, ended.pid, "12", "x")
    assert dead.proven_dead(own)
    reused = Identity(own.host, own.boot_id, os.getpid(), "12", "x")
    assert reused.proven_dead(own)
    elsewhere = Identity("other", own.boot_id, ended.pid, "12", "x")
    assert not elsewhere.proven_dead(own)
