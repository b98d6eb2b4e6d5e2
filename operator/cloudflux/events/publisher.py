"""From what was committed to what is told: each transition once, as far as anyone can know.

The publisher is shown every status that was read or written. It derives the transitions, leaves
out those that were told before, and puts the others into the local log and the outbox. What was
told is remembered in a file, written after the events are durable: a kill between the two tells
an event twice, with the same id.
"""

import datetime as dt
import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Protocol

import structlog

from cloudflux.events.derive import transitions
from cloudflux.events.envelope import Event, make_event, to_json
from cloudflux.events.seen import Seen, Transition, source_of
from cloudflux.events.transitions import EventLog

TOLD_FILE = "told"
COMPACT_LINES = 50_000


class Told:
    """Which marks were told, by object and slot; a file of lines, compacted now and then."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._marks: dict[str, dict[str, str]] = {}
        self._noted: set[tuple[str, str, str]] = set()
        """Being told, and not durable yet: never in the file."""
        self._lines = 0
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            for line in path.read_text(errors="replace").splitlines():
                self._take(line)
        self._descriptor = self._open()

    def holds(self, uid: str, slot: str, mark: str) -> bool:
        """Whether this was told."""
        return self._marks.get(uid, {}).get(slot) == mark

    def note(self, uid: str, slot: str, mark: str) -> None:
        """Remember in this process that it is being told."""
        self._marks.setdefault(uid, {})[slot] = mark
        self._noted.add((uid, slot, mark))

    def write(self, entries: Iterable[tuple[str, str, str]]) -> None:
        """Remember over a restart that these were told. Raises OSError."""
        entries = list(entries)
        self._noted.difference_update(entries)
        lines = [f"{uid}\t{slot}\t{mark}\n" for uid, slot, mark in entries]
        self._lines += len(lines)
        os.write(self._descriptor, "".join(lines).encode())
        if self._lines > COMPACT_LINES + 2 * sum(map(len, self._marks.values())):
            self.compact()

    def retain(self, uids: set[str]) -> None:
        """Forget objects that are gone."""
        for uid in self._marks.keys() - uids:
            del self._marks[uid]
        self.compact()

    def forget(self, uid: str) -> None:
        """Forget one object that is gone."""
        self._marks.pop(uid, None)

    def compact(self) -> None:
        """Write the file anew with what is still known. Raises OSError."""
        lines = [
            f"{uid}\t{slot}\t{mark}\n"
            for uid, slots in self._marks.items()
            for slot, mark in slots.items()
            if (uid, slot, mark) not in self._noted
        ]
        temporary = self._path.with_suffix(".new")
        temporary.write_text("".join(lines))
        os.close(self._descriptor)
        temporary.replace(self._path)
        self._descriptor, self._lines = self._open(), len(lines)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def _open(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)

    def _take(self, line: str) -> None:
        parts = line.split("\t")
        if len(parts) == 3:
            self._marks.setdefault(parts[0], {})[parts[1]] = parts[2]
            self._lines += 1


class Putter(Protocol):
    """What takes events on: the outbox."""

    def put(self, event: Event) -> None:
        """Take an event."""
        ...


class Publisher:
    """Tells each transition to the local log and, where there is one, to the outbox."""

    def __init__(
        self,
        state_dir: Path,
        event_log: EventLog,
        *,
        cluster: str = "default",
        clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self._event_log, self._cluster, self._clock = event_log, cluster, clock
        self._told = Told(state_dir / "events" / TOLD_FILE)
        self._outbox: Putter | None = None
        self.told: Counter[str] = Counter()
        """Events told since the start, by type."""
        self._waiting: dict[str, tuple[str, str, str]] = {}
        """By id of an event that is not durable yet: what is told by it."""
        self._log = structlog.get_logger("cloudflux.events")

    def attach(self, outbox: Putter) -> None:
        """From now on events go to this outbox, too; it must call `durable`."""
        self._outbox = outbox

    def saw(self, seen: Seen, data_set: Seen | None = None) -> None:
        """Tell what an object's committed status tells and was not told. Never raises."""
        try:
            for transition in transitions(seen, self._clock(), data_set):
                if not self._told.holds(seen.uid, transition.slot, transition.mark):
                    self._tell(seen, transition)
        except Exception:  # noqa: BLE001 - saying must never disturb doing
            self._log.exception("events of an object could not be told", uid=seen.uid)

    def durable(self, events: Sequence[Event]) -> None:
        """Note that the outbox holds these events on disk."""
        entries = [
            entry for event in events if (entry := self._waiting.pop(event.id, None)) is not None
        ]
        self._write(entries)

    def retain(self, uids: set[str]) -> None:
        """Forget what was told of objects that are gone; after everything was listed."""
        try:
            self._told.retain(uids)
        except OSError as error:
            self._log.warning("the list of what was told can't be written", error=str(error))

    def forget(self, uid: str) -> None:
        """Forget a deleted object."""
        self._told.forget(uid)

    def close(self) -> None:
        """Close files."""
        self._told.close()

    def _tell(self, seen: Seen, transition: Transition) -> None:
        event = make_event(
            transition.type,
            transition.data,
            uid=seen.uid,
            generation=transition.generation,
            transition=transition.transition,
            source=source_of(seen, self._cluster),
            subject=transition.subject,
            time=transition.time,
        )
        entry = (seen.uid, transition.slot, transition.mark)
        self._told.note(*entry)
        self.told[transition.type.value] += 1
        self._event_log.append(to_json(event))
        if self._outbox is None:
            self._write([entry])
        else:
            self._waiting[event.id] = entry
            self._outbox.put(event)

    def _write(self, entries: Sequence[tuple[str, str, str]]) -> None:
        if not entries:
            return
        try:
            self._told.write(entries)
        except OSError as error:
            self._log.warning("the list of what was told can't be written", error=str(error))
