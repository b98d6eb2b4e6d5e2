"""Which task of a child works for which object: at most one at a time for each."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from cloudflux.api.move_tasks import CopyProgress
from cloudflux.api.task import Task, TaskError
from cloudflux.children.protocol import task_error
from cloudflux.children.supervisor import ChildError, ChildPool, TaskHandle
from cloudflux.errors import CloudFluxError
from cloudflux.handlers.queue import WorkQueue

Key = tuple[str, str, str]
Result = TypeVar("Result", bound=Task)
FOLLOW_SECONDS = 0.5


@dataclass(slots=True)
class Entry:
    """One task and whom to wake when it ends."""

    step: str
    key: Key
    handle: TaskHandle
    started: float = field(default_factory=time.monotonic)
    first_bytes: int | None = None
    told: bool = False
    """Its bandwidth was changed since it started, to `bandwidth`."""
    bandwidth: int | None = None
    driver: asyncio.Task[None] | None = None
    """Of a task that is followed here, by several requests, and not by a child alone."""

    @property
    def ended(self) -> bool:
        """The task has a result or an error."""
        return self.handle.done.done()

    def error(self) -> TaskError | None:
        """How it failed; None when it did not."""
        failure = self.handle.done.exception()
        return failure.error if isinstance(failure, ChildError) else None

    def result(self, model: type[Result]) -> Result:
        """Its result; call only when it ended without an error."""
        return model.model_validate(self.handle.done.result())

    def progress(self) -> tuple[CopyProgress | None, int | None]:
        """The last progress told, and bytes a second since the first one."""
        if self.handle.progress is None:
            return None, None
        told = CopyProgress.model_validate(self.handle.progress)
        if self.first_bytes is None:
            self.first_bytes = told.bytes_done
        seconds = max(time.monotonic() - self.started, 0.001)
        return told, int((told.bytes_done - self.first_bytes) / seconds)


class Tasks:
    """The tasks in hand, by the UID of the object that they work for."""

    def __init__(self, queue: WorkQueue[Key]) -> None:
        self._queue = queue
        self._pool: ChildPool | None = None
        self._entries: dict[str, Entry] = {}
        self._keys: dict[int, Key] = {}

    def attach(self, pool: ChildPool) -> None:
        """Say which children serve; once, before the first task."""
        self._pool = pool

    def changed(self, handle: TaskHandle) -> None:
        """Hear of a task from the pool: an ended one wakes its object."""
        if handle.done.done():
            key = self._keys.pop(id(handle), None)
            if key is not None:
                self._queue.add(key)

    def start(self, uid: str, step: str, operation: str, request: Task, key: Key) -> None:
        """Start a task unless the object has one that runs."""
        present = self._entries.get(uid)
        if present is not None and not present.ended:
            return
        assert self._pool is not None  # noqa: S101 - attached at start-up
        handle = self._pool.submit(operation, request)
        self._entries[uid] = Entry(step, key, handle)
        if handle.done.done():
            self._queue.add(key)
        else:
            self._keys[id(handle)] = key

    def run(
        self,
        uid: str,
        step: str,
        request: Task,
        key: Key,
        work: Callable[[TaskHandle], Awaitable[dict[str, Any]]],
    ) -> None:
        """Start a task that `work` carries out with several requests to the children.

        It looks at its handle's `cancelled` at least once a second and tells its progress there.
        """
        present = self._entries.get(uid)
        if present is not None and not present.ended:
            return
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        future.add_done_callback(lambda done: done.cancelled() or done.exception())
        handle = TaskHandle(0, step, request, future)

        async def drive() -> None:
            try:
                future.set_result(await work(handle))
            except ChildError as error:
                future.set_exception(error)
            except CloudFluxError as error:
                future.set_exception(ChildError(task_error(error)))
            except Exception as error:  # noqa: BLE001 - a bug must end the step, not hang it
                future.set_exception(ChildError(task_error(error)))
            self._queue.add(key)

        self._entries[uid] = Entry(step, key, handle, driver=asyncio.create_task(drive()))

    async def ask(self, operation: str, request: Task, outer: TaskHandle) -> dict[str, Any]:
        """Have a child serve one request of a task that is followed here. Raises ChildError."""
        assert self._pool is not None  # noqa: S101 - attached at start-up
        inner = self._pool.submit(operation, request)
        while not inner.done.done():
            await asyncio.wait([inner.done], timeout=FOLLOW_SECONDS)
            if inner.progress is not None:
                outer.progress = inner.progress
            if outer.cancelled:
                self._pool.cancel(inner)
        return inner.done.result()

    def fail(self, uid: str, step: str, error: TaskError, key: Key) -> None:
        """Note that a step could not even be started, as if its task had failed."""
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        future.set_exception(ChildError(error))
        future.exception()
        self._entries[uid] = Entry(step, key, TaskHandle(0, step, Task(), future))
        self._queue.add(key)

    def get(self, uid: str) -> Entry | None:
        """The object's task, running or ended and not yet forgotten."""
        return self._entries.get(uid)

    def items(self) -> list[tuple[str, Entry]]:
        """Every task in hand, with the UID of its object: those that run, and ended ones."""
        return list(self._entries.items())

    def cancel(self, uid: str) -> None:
        """Ask the object's task to stop; its end comes later."""
        entry = self._entries.get(uid)
        if entry is None or entry.ended or self._pool is None:
            return
        if entry.driver is not None:
            entry.handle.cancelled = True
        else:
            self._pool.cancel(entry.handle)

    def forget(self, uid: str) -> None:
        """Drop an ended task, once what it brought is written."""
        self._entries.pop(uid, None)
