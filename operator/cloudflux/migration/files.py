"""A job's own files below the state directory: JSON lines, written whole and durably."""

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

JSON = dict[str, Any]
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode
"""Made once: `json.dumps` would make it for every line."""


class JobFiles:
    """Paths of one job's files."""

    def __init__(self, state_dir: Path, job_uid: str) -> None:
        self.directory = state_dir / "jobs" / job_uid
        self.plan = self.directory / "plan.json"
        """What the plan stands on, and the digest of its list."""
        self.plan_list = self.directory / "plan.jsonl"
        self.checkpoint = self.directory / "checkpoint.jsonl"
        self.manifest = self.directory / "manifest.jsonl"
        self.limits = self.directory / "limits.json"
        """The bandwidth that the job has now, where it was changed while it ran."""
        self.settled = self.directory / "settled.tsv"
        """What a finished move left, for telling quickly that nothing changed."""
        self.restores = self.directory / "restores.jsonl"
        """What was restored from the archive, and what that cost."""
        self.workers = self.directory / "workers.json"
        """The run of worker pods that is under way."""
        self.retirement = self.directory / "retirement.json"
        self.markers = self.directory / "markers.json"
        """The markers that stood before ours, to be put back by a sweep."""


def dump(value: JSON) -> bytes:
    """One JSON line; equal values give equal bytes."""
    return _encode(value).encode() + b"\n"


class AtomicLines:
    """A file of JSON lines that is there whole or not at all; `digest` is its sha256 as hex."""

    def __init__(self, path: Path) -> None:
        self._path, self._temporary = path, path.with_name(path.name + ".tmp")
        path.parent.mkdir(parents=True, exist_ok=True)
        self._stream = self._temporary.open("wb")
        self._sha256 = hashlib.sha256()

    @property
    def digest(self) -> str:
        """sha256 of the lines so far, as hex."""
        return self._sha256.hexdigest()

    def write(self, value: JSON) -> None:
        """Add a line."""
        line = dump(value)
        self._sha256.update(line)
        self._stream.write(line)

    def __enter__(self) -> "AtomicLines":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._stream:
            if kind is not None:
                self._temporary.unlink(missing_ok=True)
                return
            self._stream.flush()
            os.fsync(self._stream.fileno())
        self._temporary.replace(self._path)
        sync_directory(self._path.parent)


def write_json(path: Path, value: JSON) -> None:
    """Write one value atomically and durably."""
    with AtomicLines(path) as lines:
        lines.write(value)


def read_json(path: Path) -> JSON | None:
    """Read one value; None when the file is not there."""
    try:
        value: JSON = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    return value


def read_lines(path: Path) -> Iterator[JSON]:
    """Yield the lines; a torn last line, as a kill leaves it, ends the file. Absent is empty."""
    try:
        stream = path.open("rb")
    except FileNotFoundError:
        return
    with stream:
        for line in stream:
            if not line.endswith(b"\n"):
                return
            yield json.loads(line)


def cut_torn_line(descriptor: int) -> None:
    """Cut off what a kill left of a last line, which `read_lines` never counted."""
    size = os.fstat(descriptor).st_size
    end = size
    while end > 0:
        start = max(0, end - 4096)
        cut = os.pread(descriptor, end - start, start).rfind(b"\n")
        if cut >= 0:
            end = start + cut + 1
            break
        end = start
    if end != size:
        os.ftruncate(descriptor, end)


def file_digest(path: Path) -> str:
    """sha256 of a file as hex. Raises FileNotFoundError."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
