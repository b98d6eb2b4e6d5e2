"""Inside a child process: reads tasks from its pipe, serves them in threads, answers."""

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO

import structlog

from cloudflux.api.task import Task
from cloudflux.children.context import Operations
from cloudflux.children.fence import read_fence
from cloudflux.children.protocol import dump_line, load_line, task_error
from cloudflux.children.sent import SENT
from cloudflux.children.stoppoints import StopPoints
from cloudflux.errors import Cancelled, CloudFluxError, ConfigurationError, FencedOut

PROGRESS_SECONDS = 0.5
GOODBYE_SECONDS = 2.0
DEFAULT_WORKERS = 8
GIVING_WAY_WORKERS = 4
_PR_SET_PDEATHSIG = 1

Send = Callable[[dict[str, Any]], None]


class TaskContext:
    """The Context of one task in this process."""

    def __init__(
        self, task_id: int, *, state_dir: Path, token: int, stop_points: StopPoints, send: Send
    ) -> None:
        self.state_dir = state_dir
        self._task_id, self._token, self._send = task_id, token, send
        self._stop_points = stop_points
        self._cancelled = threading.Event()
        self._next_progress = 0.0
        self._lock = threading.Lock()

    def cancel(self) -> None:
        """Ask the task to stop; it does at its next check()."""
        self._cancelled.set()

    def progress(self, value: Task) -> None:
        """Tell the control process how far it is, at most twice a second; never raises."""
        now = time.monotonic()
        with self._lock:
            if now < self._next_progress:
                return
            self._next_progress = now + PROGRESS_SECONDS
        self._send({"id": self._task_id, "progress": value})

    def check(self) -> None:
        """Raise Cancelled when asked to stop, FencedOut when another leader took over."""
        if self._cancelled.is_set():
            raise Cancelled("the task was asked to stop")
        present = read_fence(self.state_dir)
        if present != self._token:
            raise FencedOut(f"the leader's token is {present}, ours is {self._token}")

    def stop_point(self, name: str) -> None:
        """Let a test stop the process here."""
        self._stop_points.reach(name)


class Server:
    """Serves one child's operations over a pair of streams."""

    def __init__(self, operations: Operations, requests: BinaryIO, answers: BinaryIO) -> None:
        self._operations, self._requests, self._answers = operations, requests, answers
        self._contexts: dict[int, TaskContext] = {}
        self._write_lock, self._lock = threading.Lock(), threading.Lock()
        self._log = structlog.get_logger("cloudflux.children.server")

    def run(self) -> None:
        """Serve until the parent closes the pipe, then give the running tasks a moment to stop."""
        first = self._requests.readline()
        if not first:
            return
        hello = load_line(first)["hello"]
        state_dir, token = Path(hello["state_dir"]), int(hello["token"])
        stop_points = StopPoints(hello.get("stop_at"), state_dir)
        pool = ThreadPoolExecutor(hello.get("workers") or DEFAULT_WORKERS, "task")
        behind = ThreadPoolExecutor(GIVING_WAY_WORKERS, "behind")
        self._send({"ready": True})
        while line := self._requests.readline():
            message = load_line(line)
            task_id = int(message["id"])
            with self._lock:
                context = self._contexts.get(task_id)
            if message.get("cancel"):
                if context is not None:
                    context.cancel()
                continue
            context = TaskContext(
                task_id, state_dir=state_dir, token=token, stop_points=stop_points, send=self._send
            )
            with self._lock:
                self._contexts[task_id] = context
            operation = self._operations.get(message["op"])
            threads = behind if operation is not None and operation.gives_way else pool
            threads.submit(self._serve, context, task_id, message["op"], message["args"])
        self._say_goodbye(pool, behind)

    def _serve(self, context: TaskContext, task_id: int, name: str, args: Any) -> None:
        try:
            operation = self._operations.get(name)
            if operation is None:
                raise ConfigurationError(f"no operation {name} here")
            context.check()
            answer: dict[str, Any] = {
                "result": operation.serve(operation.request.model_validate(args), context)
            }
        except BaseException as error:  # noqa: BLE001 - every failure must be answered
            self._log_failure(name, error)
            answer = {"error": task_error(error)}
        finally:
            with self._lock:
                self._contexts.pop(task_id, None)
        self._send({"id": task_id, **answer})

    def _log_failure(self, name: str, error: BaseException) -> None:
        if isinstance(error, CloudFluxError):
            self._log.info("task failed", op=name, reason=error.reason, error=str(error))
        else:
            self._log.error("task failed", op=name, error=type(error).__name__, exc_info=error)

    def _send(self, message: dict[str, Any]) -> None:
        if sent := SENT.take():
            message = {**message, "sent": sent}
        line = dump_line(message)
        try:
            with self._write_lock:
                self._answers.write(line)
                self._answers.flush()
        except OSError:
            # the parent is gone: nobody reads; the read loop sees the end of its stream next
            self._log.info("the parent closed the pipe")

    def _say_goodbye(self, *pools: ThreadPoolExecutor) -> None:
        with self._lock:
            for context in self._contexts.values():
                context.cancel()
        deadline = time.monotonic() + GOODBYE_SECONDS
        waiters = [threading.Thread(target=pool.shutdown, daemon=True) for pool in pools]
        for waiter in waiters:
            waiter.start()
        for waiter in waiters:
            waiter.join(max(0.0, deadline - time.monotonic()))


def serve(operations: Operations) -> None:
    """Serve the operations on this process's stdin and stdout; never returns.

    stdout belongs to the protocol, so that file descriptor 1 becomes stderr: a library that
    prints can't break it.
    """
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    code = 0
    try:
        Server(operations, sys.stdin.buffer, answers).run()
    except Exception:  # noqa: BLE001 - said, then the process ends
        structlog.get_logger("cloudflux.children.server").exception("the child failed")
        code = 1
    # threads may still run; every operation is safe to kill
    os._exit(code)


def die_with_parent(parent_pid: int) -> None:
    """Have the kernel kill this process when its parent dies; ends it if that has happened."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent_pid:
        os._exit(1)
