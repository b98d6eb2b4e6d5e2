"""Log objects that were read and not yet committed, and the rows that they become."""

import datetime as dt
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from cloudflux.access.hashing import Hashes
from cloudflux.access.latency import latency_rows
from cloudflux.access.records import RECORDS, Part
from cloudflux.access.rows import (
    make_row,
    merged,
    put_rows,
    read_rows,
    seen_rows,
    unseen,
    with_signal,
)
from cloudflux.access.tables import COUNTS

REJECTED_LINES = 100
_EMPTY: Hashes = np.empty(0, np.int64)


@dataclass(slots=True)
class Batch:
    """Log objects read and not yet committed. Nothing in it says whose requests they were."""

    signal: str
    records: list[pa.Table] = field(default_factory=list)
    ledger: list[dict[str, object]] = field(default_factory=list)
    objects: int = 0
    lines: int = 0
    malformed: int = 0
    rejected: list[str] = field(default_factory=list)

    def add(self, part: Part, records: pa.Table) -> None:
        """Take a part of a log object, and its requests without whose they were."""
        self.lines += part.lines
        self.malformed += part.malformed
        self.rejected = (self.rejected + part.rejected)[-REJECTED_LINES:]
        if len(records):
            self.records.append(records)

    def end(self, key: str, at: dt.datetime, days: dict[dt.date, int], malformed: int) -> None:
        """Note that a log object was read to its end."""
        self.objects += 1
        for day, requests in (days or {at.date(): 0}).items():
            row = make_row("ledger", day, key, requests=requests, malformed=malformed, at=at)
            self.ledger.append(row)

    def rows(self, seen: Hashes, today: dt.date) -> tuple[pa.Table, Hashes]:
        """Rows to commit, and the hashes that are new; repeated requests are left out."""
        constant = {"signal": self.signal, "ingested": today}
        ledger = pa.Table.from_pylist([row | constant for row in self.ledger], COUNTS)
        if not self.records:
            return ledger, _EMPTY
        records = pa.concat_tables([RECORDS.empty_table(), *self.records])
        new = unseen(records["request"].to_numpy(), seen)
        kept = records.filter(pa.array(new))
        bursts = kept["burst"].to_numpy()
        counted = unseen(bursts, seen)
        fresh = merged(kept["request"].to_numpy(), bursts[counted])
        fresh = fresh[fresh != 0]
        tables = [
            read_rows(kept, counted, today),
            put_rows(kept, today),
            latency_rows(kept, today),
        ]
        counts = with_signal(pa.concat_tables(tables), self.signal)
        known = seen_rows(self.signal, fresh, today)
        return pa.concat_tables([counts, known, ledger]), fresh
