"""The book of advice: which objects should go where since when, and which of them went.

One Parquet file for each data set, beside its models. It is kept by comparing each decision with
the listing that it stands on, so that it does not matter who made a move, and nothing is lost with
a job. Rows of one object, in the order of their days:

open   advised and not made yet; `source` is where the object is
moved  made; without it the object had stayed in `source`
later  the object changed its class again
"""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cloudflux.brain.inputs import Objects
from cloudflux.brain.model_store import write_atomically
from cloudflux.brain.recommend import Recommended

OPEN, MOVED, LATER = "open", "moved", "later"
MAX_OPEN = 100_000
"""Objects that advice is remembered of, those that promise most: bounds memory and time."""
_FILE = "advice.parquet"
_GONE = b"gone"
SCHEMA = pa.schema(
    [
        ("key", pa.string()),
        ("kind", pa.string()),
        ("day", pa.int32()),  # since 1970-01-01: advised, or first seen in the new class
        ("source", pa.string()),
        ("target", pa.string()),
        ("reads_per_day", pa.float64()),
        ("idle_days", pa.float64()),
        ("promised_per_month", pa.float64()),
    ]
)


@dataclass(frozen=True, slots=True)
class Book:
    """Rows, and how many objects that were moved have been deleted since."""

    rows: pa.Table
    gone: int = 0

    def of(self, *kinds: str) -> pa.Table:
        """Return the rows of some kinds."""
        return self.rows.filter(pc.is_in(self.rows["kind"], pa.array(kinds)))


def load_book(directory: Path) -> Book:
    """Return the book; an empty one where there is none, or none that can be read."""
    try:
        rows = pq.read_table(directory / _FILE)
        return Book(rows.cast(SCHEMA), int((rows.schema.metadata or {}).get(_GONE, b"0")))
    except (OSError, ValueError, pa.ArrowException):
        return Book(SCHEMA.empty_table())


def save_book(directory: Path, book: Book) -> None:
    """Write the book, all or nothing."""
    directory.mkdir(parents=True, exist_ok=True)
    content = BytesIO()
    rows = book.rows.replace_schema_metadata({_GONE: str(book.gone).encode()})
    pq.write_table(rows, content)
    write_atomically(directory / _FILE, content.getvalue())


def kept_up(book: Book, objects: Objects, advice: Sequence[Recommended], *, today: int) -> Book:
    """Return the book after one more decision."""
    keys = pa.array(objects.keys, pa.string())
    present = [each.rstrip("/") for each in objects.storage_class]
    place = pc.index_in(book.rows["key"], value_set=keys)
    there = pc.is_valid(place).to_numpy()
    former = book.rows.filter(pa.array(there))
    place = place.to_numpy(zero_copy_only=False)[there].astype(np.intp)
    lost = book.rows.filter(pa.array(~there))
    gone = book.gone + int(pc.sum(pc.equal(lost["kind"], MOVED)).as_py() or 0)
    went = [row for row in former.to_pylist() if row["kind"] != OPEN]
    last = {row["key"]: row["target"] for row in sorted(went, key=lambda row: row["day"])}
    advised = {
        objects.keys[row]: each.target.rstrip("/") for each in advice for row in each.rows.tolist()
    }
    still: set[str] = set()
    for row, where in zip(former.to_pylist(), place.tolist(), strict=True):
        if row["kind"] != OPEN:
            continue
        if present[where] == row["target"]:
            if row["key"] not in last:
                went.append({**row, "kind": MOVED, "day": today})
                last[row["key"]] = row["target"]
        elif advised.get(row["key"]) == row["target"] and present[where] == row["source"]:
            went.append(row)
            still.add(row["key"])
    where_now = {key: present[i] for key, i in _index(objects, last)}
    went += [
        _row(key, LATER, today, before, where_now[key])
        for key, before in last.items()
        if where_now[key] != before
    ]
    went += _new(objects, advice, still, today)
    return Book(pa.Table.from_pylist(went, SCHEMA), gone)


def _index(objects: Objects, wanted: dict[str, str]) -> list[tuple[str, int]]:
    keys = pa.array(list(wanted), pa.string())
    place = pc.index_in(keys, value_set=pa.array(objects.keys, pa.string())).to_pylist()
    return list(zip(wanted, place, strict=True))


def _row(key: str, kind: str, day: int, source: str, target: str) -> dict[str, object]:
    return {
        "key": key, "kind": kind, "day": day, "source": source, "target": target,
        "reads_per_day": 0.0, "idle_days": 0.0, "promised_per_month": 0.0,
    }  # fmt: skip


def _new(
    objects: Objects, advice: Sequence[Recommended], known: set[str], today: int
) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    room = MAX_OPEN - len(known)
    for each in advice:
        by_promise = np.argsort(-each.saves_per_month, kind="stable").tolist()
        for at in by_promise:
            key = objects.keys[int(each.rows[at])]
            if key in known:
                continue
            if len(found) >= room:
                return found
            row = _row(key, OPEN, today, each.source.rstrip("/"), each.target.rstrip("/"))
            row["reads_per_day"] = float(each.reads_30d[at]) / 30
            row["idle_days"] = float(each.idle_days[at])
            row["promised_per_month"] = float(each.saves_per_month[at])
            found.append(row)
    return found
