"""One worker: copies the shards that are its own, and tells beside the target what it copied."""

import datetime as dt
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from cloudflux.api.move_tasks import WorkerTask
from cloudflux.api.task import Task
from cloudflux.children.protocol import task_error
from cloudflux.errors import (
    Cancelled,
    CloudFluxError,
    IntegrityError,
    ObjectArchived,
    ObjectNotFound,
    PreconditionFailed,
    TargetOccupied,
)
from cloudflux.migration import share_parts, worklist
from cloudflux.migration.checkpoint import Checkpoint, Moved
from cloudflux.migration.files import JSON, dump
from cloudflux.migration.place import SourceChanged, place
from cloudflux.migration.place_large import IN_FLIGHT_BYTES
from cloudflux.migration.planned import PlannedObject
from cloudflux.migration.session import Session
from cloudflux.migration.streams import run_parallel
from cloudflux.storage.interface import ObjectInfo, Store
from cloudflux.storage.keys import printable

DONE, AGAIN, NEVER = 0, 1, 3
"""Exit codes: every shard was gone through; a new try may do it; no try will."""
TELL_RECORDS, TELL_SECONDS = 1000, 5.0
"""What was copied is told after so many objects or so long: a kill costs no more than that."""
_LEFT = (
    SourceChanged,
    ObjectNotFound,
    ObjectArchived,
    PreconditionFailed,
    TargetOccupied,
    IntegrityError,
)
"""Of one object only: the operator meets it again in its own pass, and says what it means."""
_NO_TIME = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(slots=True)
class WorkerContext:
    """Stops a worker when its pod is asked to end."""

    state_dir: Path
    stopping: threading.Event = field(default_factory=threading.Event)

    def progress(self, value: Task) -> None:
        """Told beside the target instead."""

    def check(self) -> None:
        """Raise Cancelled when the pod is asked to end."""
        if self.stopping.is_set():
            raise Cancelled("the worker was asked to end")

    def stop_point(self, name: str) -> None:
        """Nothing stops here; only children of the operator have stop points."""


class Teller:
    """Writes what was copied beside the target, in numbered parts that are never overwritten."""

    def __init__(
        self,
        store: Store,
        task: WorkerTask,
        worker: int,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._task, self._worker = store, task, worker
        self._monotonic, self._lock = monotonic, threading.Lock()
        self._records: list[JSON] = []
        self._told_at = monotonic()
        self._number = 0
        self.objects = self.size_bytes = 0
        self.done: dict[str, str] = {}
        """Source version by encoded key of what an earlier try copied."""
        for lines in worklist.told(store, task.job_uid, task.run, worker):
            self._number += 1
            for line in lines:
                self.done[line["key"]] = line["version"]
                self._count(line)

    def add(self, moved: Moved) -> None:
        """Note a copied object; from time to time a part is written."""
        with self._lock:
            record = moved.record()
            self._records.append(record)
            self._count(record)
            late = self._monotonic() - self._told_at >= TELL_SECONDS
            if late or len(self._records) >= TELL_RECORDS:
                self._tell()

    def add_bytes(self, size_bytes: int) -> None:
        """Note some parts of an object; the server knows which, so that only the sum is told."""
        with self._lock:
            self.size_bytes += size_bytes
            if self._monotonic() - self._told_at >= TELL_SECONDS:
                self._tell()

    def flush(self) -> None:
        """Write what is not told yet."""
        with self._lock:
            if self._records:
                self._tell()

    def _count(self, record: JSON) -> None:
        self.objects += 1
        self.size_bytes += record["size"]

    def _tell(self) -> None:
        head = {"objects": self.objects, "bytes": self.size_bytes}
        data = dump(head) + b"".join(dump(record) for record in self._records)
        while True:
            self._number += 1
            key = worklist.told_key(self._task.job_uid, self._task.run, self._worker, self._number)
            try:
                worklist.write_object(self._store, key, data, if_absent=True)
                break
            except PreconditionFailed:
                continue  # of an earlier pod that had not ended, or whose answer got lost
        self._records.clear()
        self._told_at = self._monotonic()


def run_worker(session: Session, task: WorkerTask, worker: int) -> int:
    """Copy everything that is this worker's; returns the exit code, and never raises."""
    log = structlog.get_logger("cloudflux.worker").bind(worker=worker, name=task.job_name)
    try:
        left = _Worker(session, task, worker, log).run()
    except Exception as error:  # noqa: BLE001 - whatever it is, the operator must learn of it
        said = task_error(error)
        log.error("worker ended early", reason=said.reason, error=said.message)
        key = worklist.failed_key(task.job_uid, task.run, worker)
        if not isinstance(error, Cancelled):
            try:
                worklist.write_object(session.target, key, said.model_dump_json().encode())
            except CloudFluxError as unsaid:
                log.error("the operator can't be told why", error=str(unsaid))
        return AGAIN if said.retryable or isinstance(error, Cancelled) else NEVER
    log.info("worker is done; objects left to the operator are counted", count=left)
    return DONE


class _Worker:
    def __init__(
        self,
        session: Session,
        task: WorkerTask,
        worker: int,
        log: "structlog.typing.FilteringBoundLogger",
    ) -> None:
        self._session, self._task, self._number, self._log = session, task, worker, log
        self._left = 0

    def run(self) -> int:
        """Go through the shards; returns how many objects were left as they are."""
        session, task = self._session, self._task
        index = worklist.read_index(session.target, task.job_uid, task.run)
        teller = Teller(session.target, task, self._number)
        self._log.info(
            "worker starts; its shards are counted", count=len(index["workers"][self._number])
        )
        with Checkpoint(session.files.checkpoint) as uploads:
            try:
                for number in index["workers"][self._number]:
                    session.context.check()
                    digest = index["shards"][number]["sha256"]
                    lines = worklist.read_shard(
                        session.target, task.job_uid, task.run, number, digest
                    )
                    new = [one for one in lines if teller.done.get(one["key"]) != one["version"]]
                    run_parallel(
                        map(worklist.planned_line, new),
                        lambda one: self._copy(one, uploads, teller),
                        task.parallelism,
                    )
                    self._log.info(
                        "shard is done; objects copied so far are counted",
                        shard=number,
                        count=teller.objects,
                    )
            finally:
                teller.flush()
        return self._left

    def _copy(self, planned: PlannedObject, uploads: Checkpoint, teller: Teller) -> None:
        self._session.context.check()
        if isinstance(planned, share_parts.PlannedParts):
            self._send(planned, teller)
            return
        listed = ObjectInfo(
            key=planned.key,
            size_bytes=planned.size_bytes,
            version=planned.version,
            storage_class=planned.storage_class,
            last_modified=_NO_TIME,
        )
        try:
            moved = place(self._session, self._task, listed, None, uploads)
        except _LEFT as error:
            self._left += 1
            self._log.warning("object is left", object_key=printable(planned.key), error=str(error))
            return
        teller.add(moved)

    def _send(self, planned: share_parts.PlannedParts, teller: Teller) -> None:
        try:
            with self._session.memory.hold(IN_FLIGHT_BYTES):
                share_parts.send(self._session, planned)
        except _LEFT as error:
            self._left += 1
            self._log.warning("parts are left", object_key=printable(planned.key), error=str(error))
            return
        teller.add_bytes(planned.size_bytes)
