"""Tables by key whose memory is bounded: what is too much for it lies in a file until the end.

A move of a million objects knows something of each: what was copied, what a listing showed. The
file is SQLite's, used as a sorted index and nothing more: it is made anew by each process and holds
nothing that the checkpoint does not. While all fits into memory it is not even opened.
"""

import sqlite3
import threading
from collections.abc import Callable, Iterator, MutableMapping, MutableSet
from contextlib import suppress
from pathlib import Path
from typing import Any, Generic, TypeVar

from cloudflux.storage.keys import key_bytes, key_from_bytes

Value = TypeVar("Value")

KEPT_BYTES = 24 << 20
"""Of one table, estimated; then all of it goes into the file."""
OVERHEAD_BYTES = 120
"""What Python takes for an entry, beside its key and value."""
CACHE_KIB = 4096
BATCH = 1000


class SpillMap(MutableMapping[str, Value], Generic[Value]):
    """Values by key; iterates in the order of the keys' bytes. Thread-safe.

    What is changed while it is iterated over may be seen or not; nothing else is missed.
    """

    def __init__(
        self,
        path: Path,
        *,
        encode: Callable[[Value], bytes],
        decode: Callable[[bytes], Value],
        value_bytes: int,
        kept_bytes: int = KEPT_BYTES,
    ) -> None:
        """`path` is made when it is needed and removed by `close`; nothing else may use it.

        `value_bytes`: about what a value takes in memory.
        """
        self._path, self._encode, self._decode = path, encode, decode
        self._value_bytes, self._kept_bytes = value_bytes + OVERHEAD_BYTES, kept_bytes
        self._recent: dict[str, Value] = {}
        self._recent_bytes = 0
        self._database: sqlite3.Connection | None = None
        self._lock = threading.RLock()
        path.unlink(missing_ok=True)  # as a kill left it

    def __setitem__(self, key: str, value: Value) -> None:
        with self._lock:
            if key not in self._recent:
                self._recent_bytes += self._value_bytes + len(key)
            self._recent[key] = value
            if self._recent_bytes > self._kept_bytes:
                self._spill()

    def __getitem__(self, key: str) -> Value:
        with self._lock:
            if key in self._recent or self._database is None:
                return self._recent[key]
            found = self._database.execute(
                "SELECT value FROM held WHERE key = ?", (key_bytes(key),)
            ).fetchone()
        if found is None:
            raise KeyError(key)
        return self._decode(found[0])

    def __contains__(self, key: object) -> bool:
        with self._lock:
            if key in self._recent or self._database is None:
                return key in self._recent
            if not isinstance(key, str):
                return False
            asked = "SELECT 1 FROM held WHERE key = ?"
            return self._database.execute(asked, (key_bytes(key),)).fetchone() is not None

    def __delitem__(self, key: str) -> None:
        with self._lock:
            known = self._recent.pop(key, None) is not None
            if known:
                self._recent_bytes -= self._value_bytes + len(key)
            if self._database is not None:
                gone = self._database.execute("DELETE FROM held WHERE key = ?", (key_bytes(key),))
                known = known or gone.rowcount > 0
        if not known:
            raise KeyError(key)

    def __len__(self) -> int:
        with self._lock:
            if self._database is None:
                return len(self._recent)
            self._spill()
            return int(self._database.execute("SELECT count(*) FROM held").fetchone()[0])

    def __bool__(self) -> bool:
        with self._lock:
            if self._recent or self._database is None:
                return bool(self._recent)
            return self._database.execute("SELECT 1 FROM held LIMIT 1").fetchone() is not None

    def __iter__(self) -> Iterator[str]:
        return (key for key, _ in self._rows("key, NULL"))

    def sorted_items(self) -> Iterator[tuple[str, Value]]:
        """Keys and values in the order of the keys' bytes, some in memory at a time."""
        return self._rows("key, value")

    def sorted_values(self) -> Iterator[Value]:
        """The values in the same order."""
        return (value for _, value in self._rows("key, value"))

    def close(self) -> None:
        """Forget everything, and remove the file."""
        with self._lock:
            self._recent.clear()
            self._recent_bytes = 0
            if self._database is not None:
                self._database.close()
                self._database = None
                self._path.unlink(missing_ok=True)

    def _rows(self, columns: str) -> Iterator[tuple[str, Any]]:
        with self._lock:
            ordered = sorted(self._recent, key=key_bytes) if self._database is None else None
        if ordered is None:
            yield from self._stored_rows(columns)
            return
        for key in ordered:
            with suppress(KeyError):  # removed meanwhile
                yield key, self[key]

    def _stored_rows(self, columns: str) -> Iterator[tuple[str, Any]]:
        last, compared = b"", ">="
        while True:
            with self._lock:
                if self._recent:
                    self._spill()
                if self._database is None:
                    return
                rows = self._database.execute(
                    f"SELECT {columns} FROM held WHERE key {compared} ? "  # noqa: S608
                    f"ORDER BY key LIMIT {BATCH}",
                    (last,),
                ).fetchall()
            for key, value in rows:
                yield key_from_bytes(key), None if value is None else self._decode(value)
            if len(rows) < BATCH:
                return
            last, compared = rows[-1][0], ">"

    def _spill(self) -> None:
        """Put what is in memory into the file, in order, so that its pages are written once."""
        database = self._database or self._open()
        rows = ((key_bytes(key), self._encode(value)) for key, value in self._recent.items())
        database.execute("BEGIN")
        database.executemany("INSERT OR REPLACE INTO held VALUES (?, ?)", sorted(rows))
        database.execute("COMMIT")
        self._recent.clear()
        self._recent_bytes = 0

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        database = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        for setting in (
            "journal_mode=OFF",  # nothing in it outlives the process
            "synchronous=OFF",
            "locking_mode=EXCLUSIVE",
            f"cache_size=-{CACHE_KIB}",
        ):
            database.execute(f"PRAGMA {setting}")
        database.execute("CREATE TABLE held (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID")
        self._database = database
        return database


class SpillSet(MutableSet[str]):
    """Keys, likewise."""

    def __init__(self, path: Path, *, kept_bytes: int = KEPT_BYTES) -> None:
        self._keys: SpillMap[bool] = SpillMap(
            path,
            encode=lambda _: b"",
            decode=lambda _: True,
            value_bytes=0,
            kept_bytes=kept_bytes,
        )

    def add(self, key: str) -> None:
        """Add a key."""
        self._keys[key] = True

    def discard(self, key: str) -> None:
        """Remove a key, if it is there."""
        self._keys.pop(key, None)

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)

    def __bool__(self) -> bool:
        return bool(self._keys)

    def clear(self) -> None:
        """Forget them."""
        self._keys.close()

    def close(self) -> None:
        """Forget them, and remove the file."""
        self._keys.close()

    def __enter__(self) -> "SpillSet":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
