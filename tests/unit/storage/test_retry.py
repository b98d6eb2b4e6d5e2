"""The one layer that repeats requests."""

import pytest

from cloudflux.errors import PermissionDenied, Throttled, Unavailable
from cloudflux.storage.retry import Backoff, Retrier, retry_after_seconds


class World:
    """A clock that only waiting moves, and a request that fails as it is told."""

    def __init__(self, *errors):
        self.now, self.waits, self.errors, self.sent = 100.0, [], list(errors), 0
        self.retrier = Retrier(clock=lambda: self.now, wait=self.wait, chance=lambda: 1.0)

    def wait(self, seconds):
        self.waits.append(round(seconds, 3))
        self.now += seconds

    def request(self):
        self.sent += 1
        if self.errors:
            raise self.errors.pop(0)
        return "answer"


def test_a_request_is_repeated_after_growing_pauses():
    world = World(Unavailable("a"), Unavailable("b"), Unavailable("c"))
    assert world.retrier.run(world.request) == "answer"
    assert world.waits == [0.2, 0.4, 0.8]


def test_the_last_error_is_raised_after_four_attempts():
    world = World(*(Unavailable(str(number)) for number in range(9)))
    with pytest.raises(Unavailable, match="3"):
        world.retrier.run(world.request)
    assert world.sent == 4


def test_what_repeating_does_not_mend_is_raised_at_once():
    world = World(PermissionDenied("no"))
    with pytest.raises(PermissionDenied):
        world.retrier.run(world.request)
    assert (world.sent, world.waits) == (1, [])


def test_the_pause_that_the_server_asks_for_is_kept():
    world = World(Throttled("slow down", retry_after_seconds=5))
    assert world.retrier.run(world.request) == "answer"
    assert world.waits == [5.5]


def test_a_pause_of_minutes_is_left_to_the_jobs_backoff():
    world = World(Throttled("slow down", retry_after_seconds=120))
    with pytest.raises(Throttled) as raised:
        world.retrier.run(world.request)
    assert raised.value.retry_after_seconds == 120
    assert world.waits == []


def test_when_one_is_told_to_slow_down_all_wait():
    world = World(Throttled("slow down", retry_after_seconds=4))
    assert world.retrier.run(world.request) == "answer"
    world.now -= 4.4  # another thread, just after the first was told
    assert world.retrier.run(world.request) == "answer"
    assert world.waits == [4.4, 4.4]


def test_pauses_are_spread():
    backoff = Backoff(initial_seconds=1)
    assert backoff.delay_seconds(1, None, 0.0) == 0.5
    assert backoff.delay_seconds(1, None, 1.0) == 1.0
    assert backoff.delay_seconds(3, None, 0.5) == 3.0


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("0.5", 0.5),
        ("-3", 0.0),
        ("Sat, 21 Nov 2026 16:00:30 GMT", 30.0),
        ("Sat, 21 Nov 2026 15:00:00 GMT", 0.0),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header, seconds):
    assert retry_after_seconds(header, now=1795276800.0) == seconds
