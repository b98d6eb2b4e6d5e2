"""The bounded local log of the outbox: segment files of framed events, read from a position.

Events are appended and fsynced in groups. What was confirmed is deleted a segment at a time.
When the log is full, the oldest segments are written anew without their droppable events, and
one event in their place says how many there were. Nothing here knows of asyncio or of Kafka.
"""

import datetime as dt
import os
import struct
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from cloudflux.events.envelope import Event

_FRAME = struct.Struct("<IIQ")
"""Length and CRC-32 of the body, time in milliseconds."""
_SEPARATOR = "\x1f"
MAX_FRAME_BYTES = 16 << 20
SEGMENTS = 16
"""The log is cut in so many pieces: what is dropped at a time."""


class Position(NamedTuple):
    """A place in the log: number of the segment and offset in its file."""

    segment: int
    offset: int


@dataclass(slots=True)
class Dropped:
    """Droppable events that were left out, for the event that says so."""

    by_type: Counter[str] = field(default_factory=Counter)
    first_ms: int = 0
    last_ms: int = 0

    def add(self, event: Event) -> None:
        """Count one."""
        self.by_type[event.type] += 1
        self.first_ms = min(self.first_ms or event.at_ms, event.at_ms)
        self.last_ms = max(self.last_ms, event.at_ms)

    @property
    def count(self) -> int:
        """How many."""
        return self.by_type.total()

    def span(self) -> tuple[dt.datetime, dt.datetime]:
        """Times of the first and the last of them."""
        return (
            dt.datetime.fromtimestamp(self.first_ms / 1000, dt.UTC),
            dt.datetime.fromtimestamp(self.last_ms / 1000, dt.UTC),
        )


def encode(event: Event) -> bytes:
    """Return the frame of an event."""
    head = _SEPARATOR.join(event[:7]).encode() + b"\x1e"
    body = head + event.data
    return _FRAME.pack(len(body), zlib.crc32(body), event.at_ms) + body


def decode(body: bytes, at_ms: int) -> Event:
    """Return the event of a frame's body. Raises ValueError."""
    head, _, data = body.partition(b"\x1e")
    kind, identity, source, subject, time, key, trace = head.decode().split(_SEPARATOR)
    return Event(kind, identity, source, subject, time, key, trace, at_ms, data)


def read_frames(path: Path, offset: int = 0) -> Iterator[tuple[Event, int]]:
    """Yield events and the offset after each, up to the end or to a torn or damaged frame."""
    with path.open("rb") as stream:
        stream.seek(offset)
        while len(head := stream.read(_FRAME.size)) == _FRAME.size:
            length, checksum, at_ms = _FRAME.unpack(head)
            if length > MAX_FRAME_BYTES:
                return
            body = stream.read(length)
            if len(body) < length or zlib.crc32(body) != checksum:
                return
            offset += _FRAME.size + length
            try:
                event = decode(body, at_ms)
            except ValueError:
                continue
            yield event, offset


class Segments:
    """The files. One thread at a time may append or make room; reading is safe beside it."""

    def __init__(
        self, directory: Path, *, max_bytes: int, say: Callable[[Dropped, int], Event]
    ) -> None:
        """`say` makes the event that tells of dropped ones, for the segment of that number."""
        directory.mkdir(parents=True, exist_ok=True)
        self._directory, self.max_bytes, self._say = directory, max_bytes, say
        self._segment_bytes = max(max_bytes // SEGMENTS, 4096)
        self._lean: set[int] = set()
        self.held = 0
        """Segments up to this one are not rewritten."""
        self.rewritten = 0
        """How many segments were rewritten: positions in them that were known are void."""
        self._sizes = {
            int(path.stem): path.stat().st_size for path in sorted(directory.glob("*.log"))
        }
        self.dropped = Dropped()
        """Everything dropped since the start."""
        # a new file for a new process: what a kill tore at the end of the old one stays there
        self._active = max(self._sizes, default=0) + 1
        self._descriptor = self._open(self._active)
        self.confirmed = self._read_confirmed()

    @property
    def size_bytes(self) -> int:
        """Bytes held, confirmed ones of the first segment included."""
        return sum(self._sizes.values())

    def filled(self, after: Position) -> float:
        """Share of the limit that what follows a position uses; above 1: transitions alone do."""
        held = sum(size for number, size in self._sizes.items() if number >= after.segment)
        return max(0.0, (held - after.offset) / self.max_bytes)

    @property
    def end(self) -> Position:
        """Where the next event will be."""
        return Position(self._active, self._sizes[self._active])

    def append(self, events: Sequence[Event]) -> tuple[Position, Position, list[Event]]:
        """Append and fsync; returns start, end and what was written.

        That is less when there is no room even after the oldest droppable events were dropped:
        then those of `events` are left out, too. Raises OSError; then nothing was appended.
        """
        frames = [encode(event) for event in events]
        kept: Sequence[Event] = events
        if not self._make_room(sum(map(len, frames))):
            kept, frames = self._without_droppable(events)
        start = self.end  # before the next file begins: where the reader of the last one stands
        if self._sizes[self._active] >= self._segment_bytes:
            self._next_segment()
        content = b"".join(frames)
        if content:
            try:
                _write_all(self._descriptor, content)
                os.fdatasync(self._descriptor)
            except OSError:
                os.ftruncate(self._descriptor, self._sizes[self._active])
                raise
            self._sizes[self._active] += len(content)
        return start, self.end, list(kept)

    def read(self, start: Position, *, max_events: int) -> tuple[list[Event], Position]:
        """Return up to so many events of one segment from a position on, and where they end.

        That segment is held: no room is made in it until a later one is read or held.
        """
        for number in sorted(n for n in self._sizes if n >= start.segment):
            offset = start.offset if number == start.segment else 0
            events: list[Event] = []
            for event, after in read_frames(self._path(number), offset):
                events.append(event)
                offset = after
                if len(events) >= max_events:
                    break
            if events:
                self.hold(number)
                return events, Position(number, offset)
        return [], self.end

    def hold(self, segment: int) -> None:
        """Keep the files up to this segment as they are: events of them are being sent."""
        self.held = max(self.held, segment)

    def confirm(self, position: Position) -> None:
        """Remember that everything before a position was taken; delete what is not needed."""
        self.confirmed = position
        for number in [n for n in self._sizes if n < position.segment]:
            self._path(number).unlink(missing_ok=True)
            del self._sizes[number]
            self._lean.discard(number)
        path = self._directory / "confirmed"
        temporary = path.with_suffix(".new")
        temporary.write_text(f"{position.segment} {position.offset}")
        temporary.replace(path)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def unconfirmed(self) -> Iterator[Event]:
        """Yield everything that was not confirmed, oldest first."""
        for number in sorted(n for n in self._sizes if n >= self.confirmed.segment):
            offset = self.confirmed.offset if number == self.confirmed.segment else 0
            for event, _ in read_frames(self._path(number), offset):
                yield event

    def _make_room(self, more_bytes: int) -> bool:
        """Drop the oldest droppable events until `more_bytes` fit; whether they do now."""
        # the segment that is being sent is left alone, and so is the one being written
        for number in sorted(self._sizes):
            if self.size_bytes + more_bytes <= self.max_bytes:
                return True
            held = max(self.held, self.confirmed.segment)
            if number not in self._lean and held < number < self._active:
                self._slim(number)
        return self.size_bytes + more_bytes <= self.max_bytes

    def _slim(self, number: int) -> None:
        """Write a segment anew without what may be dropped; one event tells of it."""
        path, left_out, kept = self._path(number), Dropped(), []
        for event, _ in read_frames(path):
            if event.droppable:
                left_out.add(event)
                self.dropped.add(event)
            else:
                kept.append(event)
        self._lean.add(number)
        if left_out.count == 0:
            return
        temporary = path.with_suffix(".new")
        with temporary.open("wb") as stream:
            stream.writelines(encode(event) for event in [self._say(left_out, number), *kept])
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
        self._sizes[number] = path.stat().st_size
        self.rewritten += 1

    def _without_droppable(self, events: Iterable[Event]) -> tuple[list[Event], list[bytes]]:
        left_out, kept = Dropped(), []
        for event in events:
            if event.droppable:
                left_out.add(event)
                self.dropped.add(event)
            else:
                kept.append(event)
        if left_out.count:
            kept.insert(0, self._say(left_out, -left_out.last_ms))
        return kept, [encode(event) for event in kept]

    def _next_segment(self) -> None:
        os.close(self._descriptor)
        self._active += 1
        self._descriptor = self._open(self._active)

    def _open(self, number: int) -> int:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        descriptor = os.open(self._path(number), flags, 0o640)
        self._sizes[number] = os.fstat(descriptor).st_size
        directory = os.open(self._directory, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
        return descriptor

    def _path(self, number: int) -> Path:
        return self._directory / f"{number:012d}.log"

    def _read_confirmed(self) -> Position:
        first = Position(min(self._sizes), 0)
        try:
            number, offset = map(int, (self._directory / "confirmed").read_text().split())
        except (FileNotFoundError, ValueError):
            return first
        return max(first, Position(number, offset))


def _write_all(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]
