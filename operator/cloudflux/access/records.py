"""What every access log comes down to: requests as columns, and the same without whose they were.

A parser yields requests with their principal and user agent, because both decide what counts;
`anonymous` uses them up, so that nothing behind it can store them.
"""

import datetime as dt
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cloudflux.access.hashing import Hashes, hash_texts

TIME = pa.timestamp("us", "UTC")
REQUESTS = pa.schema(
    [
        ("bucket", pa.string()),
        ("key", pa.string()),
        ("at", TIME),
        ("read", pa.bool_()),
        ("partial", pa.bool_()),
        ("bytes", pa.int64()),
        ("first_byte_millis", pa.int64()),
        ("operation", pa.string()),
        ("request_id", pa.string()),
        ("principal", pa.string()),
        ("user_agent", pa.string()),
    ]
)
"""Reads and writes of content as a log tells them; other requests only prove its day."""
RECORDS = pa.schema(
    [
        ("bucket", pa.string()),
        ("key", pa.string()),
        ("at", TIME),
        ("read", pa.bool_()),
        ("bytes", pa.int64()),
        ("first_byte_millis", pa.int64()),
        ("request", pa.int64()),
        ("burst", pa.int64()),
    ]
)
"""The same anonymous. `request` and `burst` are hashes, 0 for none: of the request id,
operation and key, and of who read parts of which object in which minute."""
SHAPE_CHARS = 400


class Request(NamedTuple):
    """One read or write of content, as a row of REQUESTS."""

    bucket: str
    key: str
    at: dt.datetime
    read: bool
    partial: bool = False
    bytes: int = 0
    first_byte_millis: int | None = None
    operation: str = ""
    request_id: str = ""
    principal: str = ""
    user_agent: str = ""


@dataclass(frozen=True, slots=True)
class Exclusions:
    """Whose requests are no demand."""

    user_agents: Sequence[str] = ("cloudflux/",)
    principals: Sequence[str] = ()


OURS_ALONE = Exclusions()
"""Our own requests only."""


@dataclass(slots=True)
class Part:
    """What was understood of some lines of a log."""

    requests: pa.Table
    lines: int = 0
    days: dict[dt.date, int] = field(default_factory=dict)
    """Understood lines by day, whatever they tell of: proof that the day was logged."""
    malformed: int = 0
    rejected: list[str] = field(default_factory=list)
    """Shapes of some lines that were not understood."""

    def note(self, day: dt.date, lines: int = 1) -> None:
        """Count understood lines of a day."""
        self.days[day] = self.days.get(day, 0) + lines

    def reject(self, text: str) -> None:
        """Count a line that was not understood, and keep its shape."""
        self.malformed += 1
        if len(self.rejected) < 100:
            self.rejected.append(redact(text))

    def reject_all(self, problems: Iterable[str]) -> None:
        """Count what ended the reading before its end, in our own words."""
        for problem in problems:
            self.lines += 1
            self.malformed += 1
            self.rejected.append(problem)


def table_of(requests: Iterable[Request]) -> pa.Table:
    """Return requests as columns."""
    columns = list(zip(*requests, strict=True))
    if not columns:
        return REQUESTS.empty_table()
    arrays = [pa.array(c, f.type) for c, f in zip(columns, REQUESTS, strict=True)]
    return pa.Table.from_arrays(arrays, schema=REQUESTS)


def anonymous(requests: pa.Table, signal: str, exclusions: Exclusions) -> pa.Table:
    """Leave out excluded requests, and of the others whose they were.

    A principal stands for its sessions too (`…/role-name/session`).
    """
    if len(requests) == 0:
        return RECORDS.empty_table()
    kept = _demanded(requests, exclusions)
    identity = [kept[name] for name in ("request_id", "operation", "key")]
    hashes = hash_texts(pc.binary_join_element_wise(*identity, "\0"), signal)
    hashes[np.asarray(pc.equal(kept["request_id"], ""))] = 0
    minute = pc.cast(pc.floor_temporal(kept["at"], unit="minute"), pa.int64()).cast(pa.string())
    burst = _bursts(signal, kept.append_column("minute", minute))
    columns = [kept[name] for name in RECORDS.names[:6]]
    return pa.Table.from_arrays([*columns, pa.array(hashes), pa.array(burst)], schema=RECORDS)


def _demanded(requests: pa.Table, exclusions: Exclusions) -> pa.Table:
    out = None
    for agent in filter(None, exclusions.user_agents):
        found = pc.match_substring(requests["user_agent"], agent)
        out = found if out is None else pc.or_(out, found)
    slashed = None
    for principal in filter(None, exclusions.principals):
        if slashed is None:
            slashed = pc.binary_join_element_wise(requests["principal"], "", "/")
        found = pc.starts_with(slashed, principal + "/")
        out = found if out is None else pc.or_(out, found)
    return requests if out is None else requests.filter(pc.invert(out))


def _bursts(signal: str, requests: pa.Table) -> Hashes:
    """Hash who read parts of what in which minute; 0 for reads of the whole."""
    hashes = np.zeros(len(requests), np.int64)
    where = np.asarray(requests["partial"])
    chosen = requests.filter(requests["partial"])
    if len(chosen):
        columns = [chosen[name] for name in ("principal", "bucket", "key", "minute")]
        texts = pc.binary_join_element_wise(signal, "burst", *columns, "\0")
        hashes[where] = hash_bytes(pc.cast(texts, pa.binary()).to_pylist())
    return hashes


def hash_bytes(texts: Iterable[bytes]) -> Hashes:
    """64-bit hashes, the same in every process; never 0, which means none."""
    digests = b"".join([blake2b(text, digest_size=8).digest() for text in texts])
    found = np.frombuffer(digests, "<i8").astype(np.int64)
    found[found == 0] = 1
    return found


def redact(line: str) -> str:
    """Return the shape of a line, letters as `a`, digits as `0`, and nothing that it said."""
    shape = re.sub(r"[^\W\d_]", "a", re.sub(r"\d", "0", line[:SHAPE_CHARS]))
    return shape.encode("ascii", "replace").decode()
