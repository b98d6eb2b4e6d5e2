"""The control process's side of its children: starts them, hands out tasks, hears answers."""

import asyncio
import contextlib
import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

import cloudflux
from cloudflux.api.task import Task, TaskError
from cloudflux.children.fence import write_fence
from cloudflux.children.protocol import MAX_LINE_BYTES, dump_line, load_line, task_error
from cloudflux.children.sent import Sent, add_sent
from cloudflux.errors import Cancelled, ChildDied, CloudFluxError

READY_SECONDS = 120.0
STOP_SECONDS = 5.0
FIRST_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS = 0.5, 30.0
HEALTHY_SECONDS = 60.0


class ChildError(CloudFluxError):
    """A task failed in a child; `error` says how."""

    def __init__(self, error: TaskError) -> None:
        super().__init__(error.message)
        self.error, self.reason, self.retryable = error, error.reason, error.retryable


@dataclass(eq=False, slots=True)
class TaskHandle:
    """One task given to a child: its last progress and, once done, its result."""

    id: int
    op: str
    request: Task
    done: asyncio.Future[dict[str, Any]]
    progress: dict[str, Any] | None = None
    cancelled: bool = False


OnChange = Callable[[TaskHandle], None]


@dataclass(slots=True)
class _Process:
    process: asyncio.subprocess.Process
    started_at: float
    ready: bool = False
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    @property
    def stdin(self) -> asyncio.StreamWriter:
        assert self.process.stdin is not None  # noqa: S101 - started with a pipe
        return self.process.stdin


class Child:
    """One child process, started at its first task and again, with back-off, after a death."""

    def __init__(
        self,
        name: str,
        *,
        state_dir: Path,
        token: int,
        stop_at: str | None = None,
        workers: int | None = None,
        on_change: OnChange | None = None,
        command: Sequence[str] | None = None,
    ) -> None:
        self.name = name
        self.restarts = 0
        self.sent: Counter[Sent] = Counter()
        """Requests to storage servers, over all its lives."""
        self._hello = {
            "token": token,
            "state_dir": str(state_dir),
            "stop_at": stop_at,
            "workers": workers,
        }
        self._on_change = on_change
        self._command = command or (sys.executable, "-m", "cloudflux.cli.child", name)
        self._next_id = 1
        self._outstanding: dict[int, TaskHandle] = {}
        self._process: _Process | None = None
        self._starting: asyncio.Task[None] | None = None
        self._backoff_seconds, self._not_before = FIRST_BACKOFF_SECONDS, 0.0
        self._stopping = False
        self._log = structlog.get_logger("cloudflux.children").bind(child=name)

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._process.process.pid if self._process else None

    @property
    def outstanding(self) -> int:
        """Tasks given and not yet answered."""
        return len(self._outstanding)

    def submit(self, op: str, request: Task) -> TaskHandle:
        """Give a task to the child; starts it if need be. Never blocks.

        `handle.done` gives the result as a dict, or raises ChildError.
        """
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        future.add_done_callback(_mark_retrieved)
        handle = TaskHandle(self._next_id, op, request, future)
        self._next_id += 1
        if self._stopping:
            self._finish(handle, error=task_error(ChildDied(f"child {self.name} is stopped")))
            return handle
        self._outstanding[handle.id] = handle
        if self._process is not None:
            self._write_task(self._process, handle)
        else:
            self._start_soon()
        return handle

    def cancel(self, handle: TaskHandle) -> None:
        """Ask a task to stop; its `done` then raises ChildError with reason Cancelled."""
        if handle.id not in self._outstanding or handle.cancelled:
            return
        handle.cancelled = True
        if self._process is not None:
            self._process.stdin.write(dump_line({"id": handle.id, "cancel": True}))
        else:
            del self._outstanding[handle.id]
            self._finish(handle, error=task_error(Cancelled("stopped before it began")))

    async def start(self) -> None:
        """Start the process now and wait until it is ready, at most two minutes."""
        if self._process is None:
            self._start_soon()
            if self._starting is not None:
                await self._starting

    async def stop(self) -> None:
        """End the process: close its pipe, wait a little, kill. Outstanding tasks fail."""
        self._stopping = True
        if self._starting is not None:
            self._starting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._starting
        running = self._process
        if running is not None:
            running.stdin.close()
            try:
                await asyncio.wait_for(running.process.wait(), STOP_SECONDS)
            except TimeoutError:
                running.process.kill()
                await running.process.wait()
            await asyncio.gather(*running.tasks, return_exceptions=True)
        self._fail_outstanding(f"child {self.name} was stopped")

    def _start_soon(self) -> None:
        if self._starting is None and not self._stopping:
            self._starting = asyncio.create_task(self._start_process(), name=f"start-{self.name}")

    async def _start_process(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            await asyncio.sleep(max(0.0, self._not_before - loop.time()))
            # forked by this thread, the one whose death the kernel reports to the child:
            # the event loop must run in the main thread
            process = await asyncio.create_subprocess_exec(
                *self._command,
                "--parent-pid",
                str(os.getpid()),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=MAX_LINE_BYTES,
                env=_environment(),
            )
        except OSError as error:
            self._died(f"child {self.name} can't be started: {error}")
            return
        finally:
            self._starting = None
        running = _Process(process, loop.time())
        self._process = running
        self._log.info("child started", pid=process.pid)
        running.stdin.write(dump_line({"hello": self._hello}))
        for handle in self._outstanding.values():
            self._write_task(running, handle)
        ready = asyncio.Event()
        running.tasks.append(asyncio.create_task(self._read(running, ready)))
        try:
            await asyncio.wait_for(ready.wait(), READY_SECONDS)
        except TimeoutError:
            self._log.error("child is not ready in time; killed", seconds=READY_SECONDS)
            process.kill()

    def _write_task(self, running: _Process, handle: TaskHandle) -> None:
        running.stdin.write(dump_line({"id": handle.id, "op": handle.op, "args": handle.request}))

    async def _read(self, running: _Process, ready: asyncio.Event) -> None:
        stdout = running.process.stdout
        assert stdout is not None  # noqa: S101 - started with a pipe
        try:
            while line := await stdout.readline():
                message = load_line(line)
                if message.get("ready"):
                    running.ready = True
                    ready.set()
                else:
                    self._hear(message)
        except (ValueError, KeyError):
            self._log.exception("child broke the protocol; killed")
            running.process.kill()
        finally:
            ready.set()
            code = await running.process.wait()
            self._process = None
            if not self._stopping:
                lived_seconds = asyncio.get_running_loop().time() - running.started_at
                self._log.warning("child ended", pid=running.process.pid, exit_code=code)
                self._died(f"child {self.name} ended with {code}", lived_seconds)

    def _hear(self, message: dict[str, Any]) -> None:
        add_sent(self.sent, message.get("sent", ()))
        handle = self._outstanding.get(int(message["id"]))
        if handle is None:
            return
        if "progress" in message:
            handle.progress = message["progress"]
            self._tell(handle)
            return
        del self._outstanding[handle.id]
        if "error" in message:
            self._finish(handle, error=TaskError.model_validate(message["error"]))
        else:
            self._finish(handle, result=message["result"])

    def _died(self, message: str, lived_seconds: float = 0.0) -> None:
        self.restarts += 1
        if lived_seconds >= HEALTHY_SECONDS:
            self._backoff_seconds = FIRST_BACKOFF_SECONDS
        self._not_before = asyncio.get_running_loop().time() + self._backoff_seconds
        self._backoff_seconds = min(self._backoff_seconds * 2, MAX_BACKOFF_SECONDS)
        self._fail_outstanding(message)

    def _fail_outstanding(self, message: str) -> None:
        handles, self._outstanding = list(self._outstanding.values()), {}
        for handle in handles:
            self._finish(handle, error=task_error(ChildDied(message)))

    def _finish(
        self,
        handle: TaskHandle,
        *,
        result: dict[str, Any] | None = None,
        error: TaskError | None = None,
    ) -> None:
        if handle.done.done():
            return
        if error is not None:
            handle.done.set_exception(ChildError(error))
        else:
            handle.done.set_result(result or {})
        self._tell(handle)

    def _tell(self, handle: TaskHandle) -> None:
        if self._on_change is None:
            return
        try:
            self._on_change(handle)
        except Exception:  # noqa: BLE001 - a listener's bug must not cost the child
            self._log.exception("listener failed", op=handle.op)


class ChildPool:
    """The three children; a task goes to the one that its name begins with."""

    def __init__(
        self,
        *,
        state_dir: Path,
        token: int,
        stop_at: str | None = None,
        mover_workers: int = 8,
        on_change: OnChange | None = None,
    ) -> None:
        write_fence(state_dir, token)

        def child(name: str, workers: int) -> Child:
            return Child(
                name,
                state_dir=state_dir,
                token=token,
                stop_at=stop_at,
                workers=workers,
                on_change=on_change,
            )

        self.mover = child("mover", mover_workers)
        self.ingest = child("ingest", 2)
        self.brain = child("brain", 2)

    @property
    def children(self) -> tuple[Child, ...]:
        """All of them."""
        return (self.mover, self.ingest, self.brain)

    def submit(self, op: str, request: Task) -> TaskHandle:
        """Give the task to its child, for example "mover.copy" to the mover."""
        return self._for(op).submit(op, request)

    def cancel(self, handle: TaskHandle) -> None:
        """Ask a task to stop."""
        self._for(handle.op).cancel(handle)

    async def stop(self) -> None:
        """End all children."""
        await asyncio.gather(*(child.stop() for child in self.children))

    def _for(self, op: str) -> Child:
        name = op.partition(".")[0]
        for child in self.children:
            if child.name == name:
                return child
        raise ValueError(f"no child serves {op}")


def _environment() -> dict[str, str]:
    """Ours, with the package's own directory first: the child must run the same code."""
    root = str(Path(cloudflux.__file__).parent.parent)
    path = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{path}" if path else root}


def _mark_retrieved(future: asyncio.Future[dict[str, Any]]) -> None:
    """Keep asyncio from complaining when nobody waits for a task that failed."""
    if not future.cancelled():
        future.exception()
