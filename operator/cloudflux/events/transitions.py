"""The local event log: what happened, as CloudEvents, one JSON object a line, bounded."""

import json
import os
from pathlib import Path
from typing import Any

import structlog

from cloudflux.events.feed import HELD_EVENTS, EventFeed

LOG_FILE = "events.jsonl"
MAX_BYTES = 16 * 1024 * 1024


class EventLog:
    """A log of two files: when the present one is full it becomes the old one, which is dropped.

    Never raises: a full disk must not stop a move. Not fsynced: it is no journal.
    """

    def __init__(self, state_dir: Path, *, max_bytes: int = MAX_BYTES) -> None:
        self._path = state_dir / LOG_FILE
        self._max_bytes = max_bytes
        self.dropped = 0
        """Events that could not be written."""
        self.feed: EventFeed | None = None
        """Who reads over HTTP is told, too."""
        self._log = structlog.get_logger("cloudflux.events")

    def append(self, event: dict[str, Any]) -> None:
        """Append one event."""
        content = json.dumps(event, separators=(",", ":")).encode()
        if self.feed is not None:
            self.feed.put(content)
        line = content + b"\n"
        try:
            self._rotate_before(len(line))
            # one write to a file opened for appending: lines of two processes never mix
            descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
            try:
                os.write(descriptor, line)
            finally:
                os.close(descriptor)
        except OSError as error:
            if self.dropped == 0:
                self._log.warning("the event log can't be written", error=str(error))
            self.dropped += 1

    def read(self) -> list[dict[str, Any]]:
        """Return all events still held, oldest first; a torn last line is left out."""
        return [json.loads(line) for line in filter(_is_whole, self._lines())]

    def _lines(self) -> list[bytes]:
        files = [path for path in (self._old, self._path) if path.exists()]
        return [line for path in files for line in path.read_bytes().splitlines()]

    def open_feed(self) -> EventFeed:
        """Begin to tell who reads over HTTP, from the newest that are still held on."""
        self.feed = EventFeed(filter(_is_whole, self._lines()[-HELD_EVENTS:]))
        return self.feed

    @property
    def _old(self) -> Path:
        return self._path.with_suffix(".old.jsonl")

    def _rotate_before(self, line_bytes: int) -> None:
        try:
            size_bytes = self._path.stat().st_size
        except FileNotFoundError:
            return
        if size_bytes and size_bytes + line_bytes > self._max_bytes // 2:
            self._path.replace(self._old)


def _is_whole(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True
