"""The newest events that the operator told, numbered, for who reads them over HTTP.

A reader holds a position (`epoch-number`) and asks for what came after it. After a start of the
operator the numbers begin anew; the reader is then found again by the id of its last event, and
told of a gap where that is no longer held.
"""

import asyncio
import json
import time
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

HELD_EVENTS = 4000
"""At about a kilobyte each."""


class Part(NamedTuple):
    """What came after a position."""

    position: str
    """Where the reader stands after it."""
    missed: bool
    """Whether events between are no longer held."""
    lines: list[bytes]
    """Events in the JSON format."""


class EventFeed:
    """A ring of the newest events."""

    def __init__(
        self, lines: Iterable[bytes] = (), *, held: int = HELD_EVENTS, epoch: str = ""
    ) -> None:
        """`lines`: the events told before, as the local log holds them."""
        self._epoch = epoch or f"{time.time_ns() // 1_000_000:x}"
        self._lines: deque[bytes] = deque(maxlen=held)
        self._last = 0
        self._came = asyncio.Event()
        for line in lines:
            self.put(line)

    def put(self, line: bytes) -> None:
        """Take an event in the JSON format."""
        self._lines.append(line)
        self._last += 1
        self._came.set()
        self._came = asyncio.Event()

    def after(self, position: str, seen: str, *, limit: int) -> Part:
        """Return what came after a position, the oldest first, so many at most.

        `seen`: the id of the last event that the reader had. Both empty: everything that is held.
        """
        first = self._last - len(self._lines)
        number, missed = self._stand(position, seen)
        lines = list(self._lines)[number - first : number - first + limit]
        return Part(f"{self._epoch}-{number + len(lines)}", missed, lines)

    async def wait(self, position: str, seconds: float) -> None:
        """Return when there is something after a position, or the time is over."""
        if position != f"{self._epoch}-{self._last}":
            return
        try:
            async with asyncio.timeout(seconds):
                await self._came.wait()
        except TimeoutError:
            return

    def _stand(self, position: str, seen: str) -> tuple[int, bool]:
        """Return the number after which a reader goes on, and whether it missed something."""
        first = self._last - len(self._lines)
        epoch, _, text = position.rpartition("-")
        if epoch == self._epoch and text.isascii() and text.isdigit():
            number = int(text)
            if number <= self._last:
                return max(number, first), number < first
        if not position and not seen:
            return first, False
        for back, line in enumerate(reversed(self._lines)):
            if seen and _is(line, seen):
                return self._last - back, False
        return first, True


def _is(line: bytes, event_id: str) -> bool:
    # most lines are not it, and need not be parsed to know that
    return event_id.encode() in line and json.loads(line).get("id") == event_id
