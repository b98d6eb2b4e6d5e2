"""Which restores a job asked for and what it knows of them: append-only, safe to kill.

The store is the journal: what is not written down is found there. The file spares requests
and counts what was paid for.
"""

import datetime as dt
import os
import threading
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from types import TracebackType

from cloudflux.migration.files import JSON, cut_torn_line, dump, read_lines
from cloudflux.storage.keys import decode_key, encode_key


@dataclass(slots=True)
class Entry:
    """What is known of one object."""

    size_bytes: int = 0
    storage_class: str = ""
    rounds: int = 0
    """How often it was asked for."""
    ready: bool = False
    ready_until: dt.datetime | None = None


class RestoreLedger:
    """Used from several threads. Open it as a context manager."""

    def __init__(self, path: Path) -> None:
        self.entries: dict[str, Entry] = {}
        self.requests = 0
        self.cost = Decimal(0)
        self.again = Decimal(0)
        """The part of `cost` that went into asking again for what expired."""
        path.parent.mkdir(parents=True, exist_ok=True)
        for record in read_lines(path):
            self._apply(record)
        self._stream = path.open("a+b")
        cut_torn_line(self._stream.fileno())
        self._lock = threading.Lock()

    def needed(self, key: str, size_bytes: int, storage_class: str) -> None:
        """Record an object that was found archived, or archived again."""
        self._append({"needs": encode_key(key), "size": size_bytes, "class": storage_class})

    def asked(self, key: str, cost: Decimal) -> None:
        """Record a request that was made, and what it costs."""
        self._append({"asked": encode_key(key), "cost": f"{cost:f}"})

    def ready(self, key: str, until: dt.datetime | None) -> None:
        """Record that an object can be read, and until when."""
        self._append({"ready": encode_key(key), "until": until.isoformat() if until else None})

    def __enter__(self) -> "RestoreLedger":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock, self._stream:
            self._stream.flush()
            os.fsync(self._stream.fileno())

    def _append(self, record: JSON) -> None:
        with self._lock:
            self._stream.write(dump(record))
            self._stream.flush()
            self._apply(record)

    def _apply(self, record: JSON) -> None:
        if "needs" in record:
            entry = self.entries.setdefault(decode_key(record["needs"]), Entry())
            entry.size_bytes, entry.storage_class = record["size"], record["class"]
            entry.ready, entry.ready_until = False, None
        elif "asked" in record:
            entry = self.entries.setdefault(decode_key(record["asked"]), Entry())
            self.requests += 1
            self.cost += Decimal(record["cost"])
            self.again += Decimal(record["cost"]) if entry.rounds else Decimal(0)
            entry.rounds, entry.ready = entry.rounds + 1, False
        elif "ready" in record:
            entry = self.entries.setdefault(decode_key(record["ready"]), Entry())
            until = record["until"]
            entry.ready = True
            entry.ready_until = dt.datetime.fromisoformat(until) if until else None
