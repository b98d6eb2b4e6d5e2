"""Kubernetes events: stable reasons, repeated ones counted, never in the way of the work."""

import asyncio
import datetime as dt
import hashlib
import os
import socket
import time
import zlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from cloudflux.api.vocabulary import REASONS

CONTROLLER = "cloudflux.io/operator"
NOTE_CHARS = 1024
BURST_PER_OBJECT = 25
REFILL_SECONDS = 300.0
SERIES_SECONDS = 60.0
FORGET_SECONDS = 3600.0
MAX_QUEUED, MAX_REMEMBERED = 10_000, 5000
WRITERS = 4
"""Writes at a time: one after the other is slower than a thousand jobs at once tell."""


class EventApi(Protocol):
    """What the recorder needs of the Kubernetes API."""

    async def create_event(self, event: dict[str, Any]) -> None:
        """Create an event."""
        ...

    async def patch_event(self, namespace: str, name: str, body: dict[str, Any]) -> None:
        """Merge-patch an event."""
        ...


@dataclass(slots=True)
class _Series:
    """One event that was written, and how often it was seen since."""

    namespace: str
    name: str
    count: int = 1
    written_count: int = 1
    last_seen: float = 0.0
    last_written: float = 0.0


@dataclass(slots=True)
class _Bucket:
    tokens: float = BURST_PER_OBJECT
    filled_at: float = 0.0


class Recorder:
    """Writes events in the background; when the API is slow or down, events are dropped.

    The same reason and message about the same object is one event whose series count grows.
    """

    def __init__(self, api: EventApi, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._api, self._clock = api, clock
        self._queues: list[asyncio.Queue[tuple[str, Any]]] = [
            asyncio.Queue(MAX_QUEUED // WRITERS) for _ in range(WRITERS)
        ]
        """Each has one writer, and an object always the same: what is said of it stays in order."""
        self._series: OrderedDict[tuple[str, str, str], _Series] = OrderedDict()
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        self._instance = f"{socket.gethostname()}-{os.getpid()}"[:128]
        self.dropped = 0
        """Events not written: too many for one object, or the API too slow."""
        self._log = structlog.get_logger("cloudflux.events")

    def event(
        self, obj_ref: Mapping[str, Any], reason: str, message: str, *, action: str = "Reconcile"
    ) -> None:
        """Record that something happened to an object (the object itself, or kind/metadata of it).

        `reason` is a word of the vocabulary, which also says whether it is a warning; any other
        is logged as a bug and not written. Never raises.
        """
        info = REASONS.get(reason)
        if info is None:
            self._log.error("reason is not in the vocabulary", reason=reason, note=message)
            self.dropped += 1
            return
        metadata = obj_ref["metadata"]
        uid, now = metadata.get("uid", ""), self._clock()
        note = _cut(message)
        key = (uid, reason, note)
        series = self._series.get(key)
        if series is not None and now - series.last_seen < FORGET_SECONDS:
            self._seen_again(key, series, now)
            return
        if not self._take_token(uid, now):
            self.dropped += 1
            return
        event = self._build(obj_ref, reason, note, action, "Warning" if info.warning else "Normal")
        self._series[key] = _Series(
            event["metadata"]["namespace"],
            event["metadata"]["name"],
            last_seen=now,
            last_written=now,
        )
        _bound(self._series)
        self._put(uid, "create", event)

    async def run(self) -> None:
        """Write what was recorded; until cancelled. Failures are logged and forgotten."""
        async with asyncio.TaskGroup() as writers:
            for queue in self._queues:
                writers.create_task(self._write(queue))

    async def _write(self, queue: asyncio.Queue[tuple[str, Any]]) -> None:
        while True:
            kind, value = await queue.get()
            try:
                if kind == "create":
                    await self._api.create_event(value)
                else:
                    await self._write_series(value)
            except Exception as error:  # noqa: BLE001 - events never disturb the work
                self._log.warning("event not written", error=f"{type(error).__name__}: {error}")
            finally:
                queue.task_done()

    async def drain(self, seconds: float = 2.0) -> None:
        """Wait until everything recorded is written, at most so long; for a clean exit."""
        try:
            async with asyncio.timeout(seconds):
                for queue in self._queues:
                    await queue.join()
        except TimeoutError:
            left = sum(queue.qsize() for queue in self._queues)
            self._log.warning("events left unwritten", events=left)

    def _seen_again(self, key: tuple[str, str, str], series: _Series, now: float) -> None:
        series.count += 1
        series.last_seen = now
        self._series.move_to_end(key)
        if now - series.last_written >= SERIES_SECONDS:
            series.last_written = now
            self._put(key[0], "series", series)

    async def _write_series(self, series: _Series) -> None:
        if series.count == series.written_count:
            return
        series.written_count = series.count
        body = {"series": {"count": series.count, "lastObservedTime": _micro_time()}}
        await self._api.patch_event(series.namespace, series.name, body)

    def _take_token(self, uid: str, now: float) -> bool:
        """Allow 25 events an object at once and one more every five minutes."""
        bucket = self._buckets.setdefault(uid, _Bucket(filled_at=now))
        self._buckets.move_to_end(uid)
        _bound(self._buckets)
        refill = (now - bucket.filled_at) / REFILL_SECONDS
        bucket.tokens = min(BURST_PER_OBJECT, bucket.tokens + refill)
        bucket.filled_at = now
        if bucket.tokens < 1:
            return False
        bucket.tokens -= 1
        return True

    def _put(self, uid: str, kind: str, value: Any) -> None:
        try:
            self._queues[zlib.crc32(uid.encode()) % WRITERS].put_nowait((kind, value))
        except asyncio.QueueFull:
            self.dropped += 1

    def _build(
        self, obj: Mapping[str, Any], reason: str, note: str, action: str, event_type: str
    ) -> dict[str, Any]:
        metadata = obj["metadata"]
        now = _micro_time()
        unique = hashlib.sha256(f"{metadata.get('uid')}{reason}{note}{now}".encode()).hexdigest()
        name = f"{metadata['name'][:230]}.{unique[:16]}"
        return {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"namespace": metadata.get("namespace") or "default", "name": name},
            "eventTime": now,
            "reportingController": CONTROLLER,
            "reportingInstance": self._instance,
            "action": action,
            "reason": reason,
            "type": event_type,
            "note": note,
            "regarding": {
                "apiVersion": obj.get("apiVersion", ""),
                "kind": obj.get("kind", ""),
                "namespace": metadata.get("namespace", ""),
                "name": metadata["name"],
                "uid": metadata.get("uid", ""),
                "resourceVersion": metadata.get("resourceVersion", ""),
            },
        }


def _cut(message: str) -> str:
    """Cut to what the API takes: 1024 bytes, which for it is the length of a note."""
    encoded = message.encode()
    if len(encoded) <= NOTE_CHARS:
        return message
    return encoded[: NOTE_CHARS - 3].decode(errors="ignore") + "…"


def _bound(remembered: OrderedDict[Any, Any]) -> None:
    while len(remembered) > MAX_REMEMBERED:
        remembered.popitem(last=False)


def _micro_time() -> str:
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
