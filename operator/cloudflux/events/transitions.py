"""The local event log: what happened, as CloudEvents, one JSON object a line, bounded."""

import json
import os
from pathlib import Path
from typing import Any

import structlog

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
        self._log = structlog.get_logger("cloudflux.events")

    def append(self, event: dict[str, Any]) -> None:
        """Append one event."""
        line = json.dumps(event, separators=(",", ":")).encode() + b"\n"
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
        events = []
        for path in (self._old, self._path):
            if not path.exists():
                continue
            for line in path.read_bytes().splitlines():
                try:
                    events.append(json.loads(line))
                except ValueError:
                    continue
        return events

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
