"""The checkpoint: what was moved, appended object by object; a kill loses at most a torn line.

What it says is never believed without the world: a copy it does not name is found at the
target by its provenance, and each that it names is proven before the switch.
"""

import json
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from cloudflux.migration.files import JSON, cut_torn_line, dump, read_lines, sync_directory
from cloudflux.migration.proof import Piece
from cloudflux.migration.spill import SpillMap, SpillSet
from cloudflux.storage.digests import crc_hex
from cloudflux.storage.keys import decode_key, encode_key

MOVED_BYTES = 800
"""About what one `Moved` takes in memory."""
SYNC_RECORDS = 2048
SYNC_SECONDS = 5.0
"""Records are made durable in groups, at the latest after so many or so long."""
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str:
    """A name for the time since the machine was started; a kill of ours does not change it."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return "unknown"


@dataclass(frozen=True, slots=True)
class Moved:
    """One object that is at its target."""

    key: str
    size_bytes: int
    version: str
    """Of the source that was read, or of the object before its change in place."""
    target_version: str
    storage_class: str
    digests: Mapping[str, str]
    """Of the content, hex by algorithm; {} where no byte passed through us."""
    adopted: bool = False
    """The identical object was there already and is not ours to remove."""
    attested: str = ""
    """The digest that the server computed when it took exactly this version; "" for none."""

    def record(self) -> JSON:
        """As a line of checkpoint and manifest."""
        return {
            "key": encode_key(self.key),
            "size": self.size_bytes,
            "version": self.version,
            "target_version": self.target_version,
            "class": self.storage_class,
            "digests": dict(self.digests),
            **({"adopted": True} if self.adopted else {}),
            **({"attested": self.attested} if self.attested else {}),
        }


def parse_moved(record: JSON) -> Moved:
    """Undo `Moved.record`."""
    return Moved(
        key=decode_key(record["key"]),
        size_bytes=record["size"],
        version=record["version"],
        target_version=record["target_version"],
        storage_class=record["class"],
        digests=record["digests"],
        adopted=record.get("adopted", False),
        attested=record.get("attested", ""),
    )


class Checkpoint:
    """Append-only; used from several threads. Open it as a context manager."""

    def __init__(self, path: Path, *, boot: str | None = None) -> None:
        """`boot` names the present start of the machine.

        Objects that were written but not yet on the disk when the machine was started anew are
        forgotten: who goes on finds what is left of them at the target, and proves it or
        writes it again.
        """
        self.boot = boot or boot_id()
        self._unsettled = False
        """Whether something was written since that would not outlive a power failure."""
        self.moved: SpillMap[Moved] = SpillMap(
            path.with_name("checkpoint.index"),
            encode=lambda moved: dump(moved.record()),
            decode=lambda line: parse_moved(json.loads(line)),
            value_bytes=MOVED_BYTES,
        )
        self.intents: dict[str, tuple[str, str]] = {}
        """(version, sha256) of objects whose change in place was about to begin, by key."""
        self.uploads: dict[str, tuple[str, str]] = {}
        """(source version, upload id) of large objects that were begun, by key."""
        self.pieces: dict[str, dict[int, Piece]] = {}
        """Pieces of these that were read, by key and start."""
        self.skipped: dict[str, str] = {}
        """Reasons of objects that were left as they are, by key."""
        self.begun_before = path.exists()
        """Whether an earlier run, which may have been killed at once, had opened it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with SpillSet(path.with_name("checkpoint.lost")) as lost:
            for record in read_lines(path):
                self._apply(record)
                self._note_lost(record, lost)
            for key in lost:
                self.moved.pop(key, None)
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        cut_torn_line(self._descriptor)
        if not self.begun_before:
            sync_directory(path.parent)
        self._lock = threading.Lock()
        self._unsynced, self._synced_at = 0, time.monotonic()

    def add(self, moved: Moved, *, on_disk: bool = True) -> None:
        """Record a moved object; with `on_disk` False it counts until the machine goes down."""
        self._append({**moved.record(), **({} if on_disk else {"boot": self.boot})})

    def settled(self) -> None:
        """Record that all objects so far would outlive a power failure."""
        if self._unsettled:
            self._append({"settled": self.boot})

    def forget(self, key: str) -> None:
        """Record that an object's copy was removed."""
        self._append({"gone": encode_key(key)})

    def intend(self, key: str, version: str, sha256: str) -> None:
        """Record the content's digest before its change in place begins."""
        self._append({"intent": encode_key(key), "version": version, "sha256": sha256})

    def begin(self, key: str, version: str, upload_id: str) -> None:
        """Record that an object's upload in parts has begun, so that it can be gone on with."""
        self._append({"upload": encode_key(key), "version": version, "id": upload_id})

    def read(self, key: str, start: int, piece: Piece) -> None:
        """Record what was read of an object whose upload has begun."""
        crcs = {name: crc_hex(name, crc) for name, crc in piece.crcs.items()}
        self._append(
            {"piece": encode_key(key), "at": start, "size": piece.size_bytes, "crcs": crcs}
        )

    def skip(self, key: str, reason: str) -> None:
        """Record that an object is left as it is, and why."""
        self._append({"skipped": encode_key(key), "reason": reason})

    def __enter__(self) -> "Checkpoint":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def sync(self) -> None:
        """Make durable what was recorded."""
        with self._lock:
            if self._unsynced:
                os.fsync(self._descriptor)
                self._unsynced = 0

    def close(self) -> None:
        """Do the same, and release the files."""
        self.moved.close()
        self.sync()
        os.close(self._descriptor)

    def _append(self, record: JSON) -> None:
        line = dump(record)
        with self._lock:
            os.write(self._descriptor, line)
            self._apply(record)
            self._unsynced += 1
            now = time.monotonic()
            if self._unsynced < SYNC_RECORDS and now - self._synced_at < SYNC_SECONDS:
                return
            self._unsynced, self._synced_at = 0, now
        os.fsync(self._descriptor)  # the others go on meanwhile

    def _note_lost(self, record: JSON, lost: SpillSet) -> None:
        """Keep in `lost` the keys whose last record did not outlive the machine's start."""
        if "settled" in record:
            lost.clear()
        elif "key" in record:
            key = decode_key(record["key"])
            if record.get("boot", self.boot) != self.boot:
                lost.add(key)
            else:
                lost.discard(key)

    def _apply(self, record: JSON) -> None:
        if "gone" in record:
            self.moved.pop(decode_key(record["gone"]), None)
        elif "intent" in record:
            key = decode_key(record["intent"])
            self.intents[key] = (record["version"], record["sha256"])
        elif "upload" in record:
            key = decode_key(record["upload"])
            self.uploads[key] = (record["version"], record["id"])
            self.pieces.pop(key, None)
        elif "piece" in record:
            crcs = {name: int(crc, 16) for name, crc in record["crcs"].items()}
            pieces = self.pieces.setdefault(decode_key(record["piece"]), {})
            pieces[record["at"]] = Piece(record["size"], crcs)
        elif "settled" in record:
            self._unsettled = False
        elif "skipped" in record:
            self.skipped[decode_key(record["skipped"])] = record["reason"]
        else:
            moved = parse_moved(record)
            self.moved[moved.key] = moved
            self._unsettled = self._unsettled or "boot" in record
            self.intents.pop(moved.key, None)
            self.skipped.pop(moved.key, None)
            self.uploads.pop(moved.key, None)
            self.pieces.pop(moved.key, None)
