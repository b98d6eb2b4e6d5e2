"""Limits are shared by all who ask one endpoint; counted with a clock that stands still."""

from collections import Counter

import pytest

from cloudflux.errors import Throttled
from cloudflux.storage.limits import Limits, TokenBucket
from cloudflux.storage.retry import Backoff, Retrier


class Time:
    """A clock that waiting moves on."""

    def __init__(self) -> None:
        self.now = 100.0

    def clock(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def time() -> Time:
    return Time()


def retrier(limits: Limits, time: Time, endpoint: str) -> Retrier:
    return Retrier(
        Backoff(attempts=3), clock=time.clock, wait=time.wait, chance=lambda: 0.0,
        pace=limits.requests_to(endpoint),
    )  # fmt: skip


def test_two_jobs_share_the_requests_to_one_endpoint(time: Time) -> None:
    limits = Limits(clock=time.clock)
    limits.configure(bytes_per_second=None, requests_per_second=10)
    jobs = [
        retrier(limits, time, endpoint)
        for endpoint in ("https://s3.example:9000", "https://S3.example:9000/")
    ]
    sent: Counter[int] = Counter()
    for number in range(100):
        jobs[number % 2].run(lambda: sent.update([int(time.now)]))
    assert sum(sent.values()) == 100
    assert max(sent.values()) <= 12, "a tenth of a second's worth may be used at once"
    assert time.now == pytest.approx(109.8, abs=0.1)
    other = retrier(limits, time, "https://other.example")
    before = time.now
    other.run(lambda: None)
    assert time.now == before, "another endpoint has a bucket of its own"


def test_requests_that_are_repeated_count_too_and_a_pause_is_kept(time: Time) -> None:
    limits = Limits(clock=time.clock)
    limits.configure(bytes_per_second=None, requests_per_second=1)
    sent: list[float] = []

    def busy() -> None:
        sent.append(time.now)
        if len(sent) == 1:
            raise Throttled("slow down", retry_after_seconds=5)

    one = retrier(limits, time, "https://s3.example")
    one.run(busy)
    assert [round(at) for at in sent] == [100, 105]
    one.run(busy)
    assert sent[2] - sent[1] == pytest.approx(1, abs=0.2)


def test_a_rate_changes_while_it_is_used(time: Time) -> None:
    bucket = TokenBucket(10, clock=time.clock)
    for _ in range(20):
        time.wait(bucket.book(1))
    assert time.now == pytest.approx(101.8, abs=0.1)
    bucket.set_rate(100)
    for _ in range(100):
        time.wait(bucket.book(1))
    assert time.now == pytest.approx(102.8, abs=0.2)
    bucket.set_rate(None)
    assert bucket.book(10**12) == 0


def test_a_pause_is_not_saved_up(time: Time) -> None:
    bucket = TokenBucket(100, clock=time.clock)
    time.wait(3600)
    assert bucket.book(10) == 0
    assert bucket.book(100) == 0
    assert bucket.book(1) == pytest.approx(1.0)
