"""One ring of events, read by every client at its own place: nobody waits for the slowest.

A client holds a position, not a queue: what it has not read yet is the part of the ring behind
it, so its queue is bounded by the ring. Events are written as bytes once for all clients, and what
came since the last turn is put together once for all that stand at one place and want the same.
"""

import asyncio
import json
import time
from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from cloudflux.console.shown import Shown, show

RING_EVENTS = 1000
TICK_SECONDS = 0.02
"""Clients are woken at most so often: many events make one write for each client."""
BEAT_SECONDS = 0.25
"""Clients are woken at least so often, all by one timer, to look at their own clocks."""
MAX_JOINED = 32
"""Pieces that are kept until the next turn, for those who want the same."""
BURST_EVENTS = 200
"""After so many at once the clients get their turn, so that a burst drops nobody."""


class Entry(NamedTuple):
    """One place of the ring: an event, or a gap that the source told of."""

    number: int
    identity: str
    """Its id in the stream."""
    shown: Shown | None
    frame: bytes
    """As a message of an event stream."""
    gap: "Gap | None" = None


def frame_of(entry: Entry) -> bytes:
    """Return an entry as a message of an event stream."""
    return entry.frame


@dataclass(frozen=True, slots=True)
class Gap:
    """Events that are missing, and why."""

    reason: str
    """Expired, Restarted, Slow or Source."""
    message: str
    missed: int | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it as it is sent."""
        return {"reason": self.reason, "message": self.message, "missed": self.missed}

    def frame(self, identity: str = "") -> bytes:
        """Return it as a message of an event stream."""
        head = f"id: {identity}\n" if identity else ""
        return f"{head}event: gap\ndata: {json.dumps(self.as_json())}\n\n".encode()


class Hub:
    """The ring, and who is woken when something is put into it."""

    def __init__(self, *, epoch: str = "", size: int = RING_EVENTS) -> None:
        self.epoch = epoch or f"{time.time_ns() // 1_000_000:x}"
        self.size = size
        self.last = 0
        """Number of the newest entry."""
        self.published: Counter[str] = Counter()
        """Events taken since the start, by type."""
        self.repeated = 0
        self.unreadable = 0
        self._ring: list[Entry | None] = [None] * size
        self._numbers: dict[str, int] = {}
        self._known: deque[str] = deque()
        self._changed = asyncio.Event()
        self._waking: asyncio.TimerHandle | None = None
        self._beating: asyncio.TimerHandle | None = None
        self._joined: dict[Hashable, bytes] = {}
        self._rate: deque[tuple[float, int]] = deque(maxlen=60)

    @property
    def oldest(self) -> int:
        """Number of the oldest entry that is held; `last + 1` while there is none."""
        return max(1, self.last - self.size + 1) if self.last else 1

    def identity(self, number: int) -> str:
        """Return the id of an entry in the stream."""
        return f"{self.epoch}-{number}"

    def publish(self, event: dict[str, Any]) -> bool:
        """Take one event; False when it is a repetition or can't be read."""
        try:
            shown = show(event)
        except ValueError:
            self.unreadable += 1
            return False
        if shown.id in self._numbers:
            self.repeated += 1
            return False
        number = self._put(shown, None)
        self._numbers[shown.id] = number
        self._known.append(shown.id)
        if len(self._known) > 4 * self.size:  # repetitions come later than the ring is long
            self._numbers.pop(self._known.popleft(), None)
        self.published[shown.type] += 1
        return True

    async def publish_all(self, events: Iterable[dict[str, Any]]) -> int:
        """Take many; the clients get their turn meanwhile. Returns how many were new."""
        taken = 0
        for event in events:
            taken += self.publish(event)
            if taken and taken % BURST_EVENTS == 0:
                await asyncio.sleep(TICK_SECONDS)
        return taken

    def tell_gap(self, gap: Gap) -> None:
        """Put a gap of the source into everybody's stream."""
        self._put(None, gap)

    def after(self, position: int) -> list[Entry]:
        """Return what came after a position, as far as it is held."""
        first = max(position + 1, self.oldest)
        found = (self._ring[n % self.size] for n in range(first, self.last + 1))
        return [entry for entry in found if entry is not None]

    def joined(
        self,
        position: int,
        write: Callable[[Entry], bytes] = frame_of,
        *,
        gives: Callable[[Entry], bool] | None = None,
        who: Hashable = None,
    ) -> bytes:
        """Return what came after a position in one piece, made once for all who want the same.

        `gives` says which entries, all without it; `who` is equal for those of whom it says the
        same.
        """
        key = (position, self.last, write, who)
        found = self._joined.get(key)
        if found is None:
            if len(self._joined) >= MAX_JOINED:
                self._joined.clear()
            entries = self.after(position)
            if gives is not None:
                entries = [entry for entry in entries if gives(entry)]
            found = self._joined[key] = b"".join([write(entry) for entry in entries])
        return found

    def resume(self, last_id: str, seen: str = "") -> tuple[int, Gap | None]:
        """Return where a client goes on, and what it missed.

        `last_id`: the id of the last message it had; empty: it begins now. `seen`: the CloudEvent
        id of its last event, by which it is found again after this process was started anew.
        """
        if not last_id and not seen:
            return self.last, None
        epoch, _, text = last_id.rpartition("-")
        if epoch == self.epoch and text.isascii() and text.isdigit() and int(text) <= self.last:
            number = int(text)
            missed = self.oldest - 1 - number
            if missed <= 0:
                return number, None
            message = f"{missed} events are older than the last {self.size} that are kept"
            return self.oldest - 1, Gap("Expired", message, missed)
        found = self._numbers.get(seen, 0)
        if found >= self.oldest:
            return found, None
        return self.oldest - 1, Gap(
            "Restarted",
            "the console was started anew and its source holds no event that was seen before: "
            "what happened between may be missing",
        )

    def find(self, event_id: str) -> Shown | None:
        """Return an event that is held, by its CloudEvent id."""
        number = self._numbers.get(event_id, 0)
        entry = self._ring[number % self.size] if number >= self.oldest else None
        return entry.shown if entry is not None else None

    def recent(self, count: int) -> Sequence[Entry]:
        """Return the newest entries, oldest first."""
        return self.after(max(self.last - count, self.oldest - 1))

    async def wait(self, position: int) -> None:
        """Return when there is something after a position, and now and then without."""
        if self.last <= position:
            await self.turn()

    async def turn(self) -> None:
        """Return when the clients are woken next."""
        if self._beating is None:
            self._beating = asyncio.get_running_loop().call_later(BEAT_SECONDS, self._wake)
        await self._changed.wait()

    def per_second(self) -> float:
        """Return the events of the last five seconds, by second."""
        now, total = time.monotonic(), self.published.total()
        self._rate.append((now, total))
        while len(self._rate) > 1 and now - self._rate[0][0] > 5:
            self._rate.popleft()
        (then, before) = self._rate[0]
        return 0.0 if now - then < 0.5 else (total - before) / (now - then)

    def _put(self, shown: Shown | None, gap: Gap | None) -> int:
        self.last += 1
        identity = self.identity(self.last)
        if shown is not None:
            frame = b"id: %s\nevent: cloudevent\ndata: %s\n\n" % (identity.encode(), shown.body)
        else:
            assert gap is not None  # noqa: S101 - one of the two is given
            frame = gap.frame(identity)
        self._ring[self.last % self.size] = Entry(self.last, identity, shown, frame, gap)
        if self._waking is None:
            self._waking = asyncio.get_running_loop().call_later(TICK_SECONDS, self._wake)
        return self.last

    def _wake(self) -> None:
        for timer in (self._waking, self._beating):
            if timer is not None:
                timer.cancel()
        self._waking = self._beating = None
        self._joined.clear()
        self._changed.set()
        self._changed = asyncio.Event()
