"""Many readers of one event stream, in one process, that cost little themselves.

Fifty clients at a thousand events a second are fifty thousand messages a second. One reader (the
ruler) reads every message and notes when each number of the stream was sent; the others look only
for the last whole message of what they received. What lies between it and the one before arrived
now, and the delays are taken from the ruler's notes, many at once.
"""

import re
import selectors
import socket
import time
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

SENT = re.compile(rb'"message": ?"sent-(\d+)"')
NUMBERED = re.compile(rb'\nid: [^-\n]*-(\d+)\nevent: cloudevent\ndata: [^\n]*?"sent-(\d+)"')
FIRST = re.compile(rb"\nid: [^-\n]*-(\d+)\n")
NOTED = 1 << 20
"""Numbers whose time is kept: a quarter of an hour at a thousand a second."""
SETTLE_SECONDS = 0.25
TENTH_NANOS = 100_000


@dataclass(slots=True)
class Client:
    """One stream."""

    connection: socket.socket
    ruler: bool
    rest: bytes = b""
    last: int = 0
    """Number of the last whole message that was received; 0 before the first."""


@dataclass(slots=True)
class Heard:
    """What all clients received."""

    counts: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(200_000, dtype=np.int64))
    """Messages by their delay in tenths of a millisecond; the last stands for all above."""
    sent: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(NOTED, dtype=np.int64))
    known: int = 0
    gaps: int = 0
    lost: int = 0
    """Messages that a client's numbers lead over."""
    pending: list[tuple[int, int, int]] = field(default_factory=list)
    """First and last number of what arrived, and when."""

    def take(self, client: Client, chunk: bytes, now: int) -> None:
        """Note what came."""
        content = client.rest + chunk
        end = content.rfind(b"\n\n")
        if end < 0:
            client.rest = content
            return
        client.rest = content[end + 1 :]
        begin = content.rfind(b"\nid: ", 0, end)
        if begin < 0:
            return
        last = int(content[content.index(b"-", begin) + 1 : content.index(b"\n", begin + 1)])
        if client.ruler:
            for match in NUMBERED.finditer(content, 0, end):
                self.sent[int(match[1]) % NOTED] = int(match[2])
            self.known = last
        first = client.last + 1
        if not client.last:
            found = FIRST.search(content)
            first = int(found[1]) if found else last
        self.gaps += content.count(b"\nevent: gap\n", 0, end)
        self.lost += last + 1 - first - content.count(b"\nevent: cloudevent\n", 0, end)
        client.last = last
        self.pending.append((first, last, now))

    def settle(self) -> None:
        """Count the delays of what the ruler knows by now."""
        ready = [one for one in self.pending if one[1] <= self.known]
        self.pending = [one for one in self.pending if one[1] > self.known]
        if not ready:
            return
        first, last, now = np.array(ready, dtype=np.int64).T
        sizes = last - first + 1
        starts = np.repeat(first - (np.cumsum(sizes) - sizes), sizes)
        sent = self.sent[(starts + np.arange(sizes.sum())) % NOTED]
        tenths = (np.repeat(now, sizes) - sent)[sent > 0] // TENTH_NANOS
        self.counts += np.bincount(
            np.clip(tenths, 0, len(self.counts) - 1), minlength=len(self.counts)
        )

    def percentile(self, percent: float) -> float:
        """Return the delay in milliseconds that so many do not exceed."""
        share = np.cumsum(self.counts) / max(int(self.counts.sum()), 1)
        return float(np.searchsorted(share, percent / 100)) / 10


def listen(port: int, clients: int, seconds: float, warm_seconds: float) -> dict[str, float]:
    """Read so many streams of the console; what comes first is left out."""
    begin = time.monotonic()
    heard = Heard()
    selector = selectors.DefaultSelector()
    for number in range(clients):
        stream = socket.create_connection(("127.0.0.1", port))
        stream.sendall(b"GET /events/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        selector.register(stream, selectors.EVENT_READ, Client(stream, ruler=number == 0))
    warm, settled, spent = False, begin, time.process_time()
    while (at := time.monotonic()) - begin < seconds:
        for key, _ in selector.select(0.5):
            chunk = key.data.connection.recv(1 << 20)
            if not chunk:
                raise SystemExit("a stream ended")
            heard.take(key.data, chunk, time.time_ns())
        if at - settled > SETTLE_SECONDS:
            settled = at
            heard.settle()
            if not warm and at - begin > warm_seconds:
                warm, spent = True, time.process_time()
                heard.counts[:] = 0
    used = (time.process_time() - spent) / (time.monotonic() - begin - warm_seconds)
    return {
        "p50": heard.percentile(50), "p99": heard.percentile(99), "p999": heard.percentile(99.9),
        "events": int(heard.counts.sum()), "gaps": heard.gaps, "lost": heard.lost, "cpu": used,
    }  # fmt: skip
