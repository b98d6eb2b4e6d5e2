"""The interface of a log format, and what formats of lines have in common."""

import datetime as dt
import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, NamedTuple

from cloudflux.access.records import Part, Request, table_of
from cloudflux.storage.interface import ObjectInfo

MAX_LINE_BYTES = 64 << 10
"""Longer lines are malformed: a request line and a user agent have 8 KiB each at most."""
BLOCK_BYTES = 4 << 20
MAX_PLAIN_BYTES = 8 << 30
"""A compressed log object that grows beyond it is not read on."""
_PART_LINES = 20_000

_NAME_TIME = re.compile(r"(\d{4})[-_](\d{2})[-_](\d{2})[-_](\d{2})[-_](\d{2})[-_](\d{2})[-_]")


class Understood(NamedTuple):
    """One line: when it happened, and the request if it reads or writes content.

    `proves`: reads of that day are logged. Where reads and writes are logged apart, a write
    says nothing of it.
    """

    at: dt.datetime
    request: Request | None = None
    proves: bool = True
    bucket: str = ""
    """The bucket of a line without a request, where it has to be known."""


@dataclass(frozen=True, slots=True)
class LogFormat:
    """How the log objects of one kind are named and read."""

    slug: str
    """Begins the names of signals; never changed, since history is kept under it."""
    read: Callable[[BinaryIO, bool], Iterator[Part]]
    """Reads one log object, plain; True: more may come at its end. Never raises ValueError."""
    wants: Callable[[str], bool] = lambda _: True
    """Whether an object below the prefix, by its key, is such a log."""
    grows: bool = False
    """Whether log objects are appended to: then they are read again when they have changed."""

    def ledger_key(self, info: ObjectInfo) -> str:
        """Name under which the ledger holds that this log object was read."""
        return f"{info.key}@{info.version}" if self.grows else info.key


def delivered_at(info: ObjectInfo) -> dt.datetime:
    """When a log object was delivered: the time in its name, else when it was modified."""
    found = _NAME_TIME.search(info.key.rpartition("/")[2])
    if found is None:
        return info.last_modified
    year, month, day, hour, minute, second = map(int, found.groups())
    try:
        return dt.datetime(year, month, day, hour, minute, second, tzinfo=dt.UTC)
    except ValueError:
        return info.last_modified


def plain(stream: BinaryIO, key: str) -> BinaryIO:
    """Return the stream decompressed, where its name says that it is compressed."""
    return gzip.GzipFile(fileobj=stream) if key.endswith(".gz") else stream  # type: ignore[return-value]


def blocks(stream: BinaryIO, problems: list[str], *, growing: bool) -> Iterator[bytes]:
    """Yield whole lines, a few MB at a time; `problems` says why there are no more.

    Never holds more than a block. The last line counts without an end, unless the object is
    `growing`: then it is read with the rest of it.
    """
    rest, size = b"", 0
    try:
        while block := stream.read(BLOCK_BYTES):
            size += len(block)
            if size > MAX_PLAIN_BYTES:
                problems.append(f"larger than {MAX_PLAIN_BYTES >> 30} GiB")
                return
            whole, end, rest = (rest + block).rpartition(b"\n")
            if end:
                yield whole
            elif len(rest) > MAX_LINE_BYTES:
                rest = rest[: MAX_LINE_BYTES + 1]
    except (EOFError, gzip.BadGzipFile, zlib.error):
        problems.append("compressed data that is damaged or cut")
        return
    if rest and not growing:
        yield rest


def lines_of(block: bytes) -> list[str]:
    """Return the lines of a block that hold something."""
    text = block.decode("utf-8", "replace")
    lines = text.split("\n")
    if "\r" in text:
        lines = [line.rstrip("\r") for line in lines]
    return [line for line in lines if line]


def reader_of_lines(
    parse: Callable[[str], Understood | None],
) -> Callable[[BinaryIO, bool], Iterator[Part]]:
    """Make the reader of a format whose lines each stand for themselves."""

    def read(stream: BinaryIO, growing: bool) -> Iterator[Part]:
        part, found, problems = Part(table_of(())), list[Request](), list[str]()
        for block in blocks(stream, problems, growing=growing):
            for line in lines_of(block):
                part.lines += 1
                understood = parse(line) if len(line) <= MAX_LINE_BYTES else None
                if understood is None:
                    part.reject(line)
                    continue
                if understood.proves:
                    part.note(understood.at.date())
                if understood.request is not None:
                    found.append(understood.request)
                if part.lines >= _PART_LINES:
                    part.requests = table_of(found)
                    yield part
                    part, found = Part(table_of(())), []
        part.requests = table_of(found)
        part.reject_all(problems)
        yield part

    return read


def reader_of_json(
    parse: Callable[[dict[str, Any]], Understood],
) -> Callable[[BinaryIO, bool], Iterator[Part]]:
    """Make the reader of a format with one JSON object a line.

    `parse` may raise KeyError, TypeError, ValueError or AttributeError: the line is malformed.
    """
    return reader_of_lines(lambda line: of_json(line, parse))


def of_json(line: str | bytes, parse: Callable[[dict[str, Any]], Understood]) -> Understood | None:
    """Parse one JSON object; None when it is none, or not of this kind."""
    try:
        entry = json.loads(line)
        return parse(entry) if isinstance(entry, dict) else None
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError, OverflowError):
        return None


def time_of(text: str) -> dt.datetime:
    """Parse an ISO 8601 time of any precision into UTC. Raises ValueError."""
    # finer than a microsecond (Azure, Google) is cut
    at = dt.datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))
    return at.replace(tzinfo=dt.UTC) if at.tzinfo is None else at.astimezone(dt.UTC)


def count(value: object) -> int:
    """Read a count that may be absent, a number or text. Raises ValueError."""
    if value in (None, "", "-"):
        return 0
    found = int(value) if isinstance(value, int | str) else int(float(str(value)))
    if not 0 <= found < 1 << 62:
        raise ValueError(f"{found} is no count")
    return found
