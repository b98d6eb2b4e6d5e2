"""Bytes are counted against a job's own bandwidth and that of all jobs; both may change."""

from pathlib import Path

import pytest
from tests.integration.moving import FakeContext, Killed
from tests.unit.storage.test_limits import Time

from cloudflux.migration.files import JobFiles, write_json
from cloudflux.migration.session import Limiter, Session
from cloudflux.migration.streams import keep_to_bandwidth
from cloudflux.storage.limits import TokenBucket
from cloudflux.storage.memory import MemoryStore

MIB = 1 << 20


def session(tmp_path: Path, time: Time, own: int | None, shared: TokenBucket, uid: str) -> Session:
    store, files = MemoryStore(), JobFiles(tmp_path, uid)
    limiter = Limiter(own, changes=files.limits, shared=shared, clock=time.clock)
    return Session(
        FakeContext(tmp_path), store, store, files, limiter, monotonic=time.clock, sleep=time.wait
    )


@pytest.fixture
def time() -> Time:
    return Time()


def test_two_jobs_share_the_bandwidth_of_all(tmp_path: Path, time: Time) -> None:
    shared = TokenBucket(MIB, clock=time.clock)
    jobs = [session(tmp_path, time, None, shared, uid) for uid in ("one", "two")]
    began, moved = time.now, 0
    for _ in range(8):
        for job in jobs:
            keep_to_bandwidth(job, MIB)
            moved += MIB
            # at no time did more pass than the rate allows, and one piece of half a second
            assert moved <= (time.now - began + 0.6) * MIB + 1
    assert time.now - began == pytest.approx(16, abs=0.7)


def test_a_job_keeps_to_its_own_bandwidth_where_that_is_less(tmp_path: Path, time: Time) -> None:
    job = session(tmp_path, time, MIB // 2, TokenBucket(MIB, clock=time.clock), "one")
    began = time.now
    keep_to_bandwidth(job, 4 * MIB)
    assert time.now - began == pytest.approx(8, abs=0.7)


def test_a_running_job_hears_of_a_new_bandwidth_within_a_chunk(tmp_path: Path, time: Time) -> None:
    job = session(tmp_path, time, 1024, TokenBucket(clock=time.clock), "one")
    keep_to_bandwidth(job, 10 * 1024)
    began = time.now
    write_json(job.files.limits, {"bytes_per_second": MIB})
    keep_to_bandwidth(job, 16 * MIB)  # would take more than four hours
    assert time.now - began == pytest.approx(16, abs=3)
    write_json(job.files.limits, {"bytes_per_second": None})
    time.wait(1)
    began = time.now
    keep_to_bandwidth(job, 1 << 40)
    assert time.now - began < 2


def test_waiting_stops_when_the_job_is_told_to(tmp_path: Path, time: Time) -> None:
    job = session(tmp_path, time, 1, TokenBucket(clock=time.clock), "one")
    context = job.context
    assert isinstance(context, FakeContext)
    context.dead = True
    with pytest.raises(Killed):
        keep_to_bandwidth(job, MIB)
    assert time.now < 102
