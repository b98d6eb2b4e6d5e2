"""The mover in a process of its own, which faults may kill, and which is started again."""

import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

from tests.chaos.disk import Disk, DiskRule

from cloudflux.api.task import Task, TaskError
from cloudflux.children.protocol import task_error
from cloudflux.work.mover import OPERATIONS

ANSWER_SECONDS = 240
_PRELOADED = [
    "tests.chaos.mover",
    "cloudflux.storage.s3",
    "cloudflux.storage.azure",
    "cloudflux.storage.gcs",
    "cloudflux.storage.file",
    "cloudflux.brain.prices",
]


@dataclass
class Orders:
    """What a mover is to suffer."""

    state_dir: Path
    disk: tuple[DiskRule, ...] = ()
    kills: Mapping[str, int] = field(default_factory=dict)
    """Die when a stop point is reached for the n-th time."""
    clock_seconds: float = 0.0
    """How much this process's clock is ahead."""


class _Context:
    """Passes everything, and dies at a stop point when told to."""

    def __init__(self, orders: Orders) -> None:
        self.state_dir = orders.state_dir
        self._left = dict(orders.kills)
        self._lock = threading.Lock()

    def progress(self, value: Task) -> None:
        """Nobody listens."""

    def check(self) -> None:
        """Never cancelled."""

    def stop_point(self, name: str) -> None:
        with self._lock:
            left = self._left.get(name, 0) - 1
            if name in self._left:
                self._left[name] = left
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def _serve(connection: Connection, orders: Orders) -> None:
    if orders.clock_seconds:
        now = time.time
        time.time = lambda: now() + orders.clock_seconds
        from cloudflux.storage import s3_sign

        s3_sign.Signer.__init__.__kwdefaults__["clock"] = time.time
    logging.disable(logging.CRITICAL)  # the SDKs' own words about what is injected
    disk = Disk(orders.disk)
    disk.install()
    context = _Context(orders)
    while True:
        try:
            step, name, request = connection.recv()
        except EOFError:
            return
        disk.step = step
        try:
            answer: Any = OPERATIONS[name].serve(request, context)
        except BaseException as error:  # noqa: BLE001  (every failure is answered)
            answer = task_error(error)
        disk.step = ""
        connection.send(answer)


def context() -> ForkServerContext:
    """The server that forks movers has loaded all that they need, and runs no thread."""
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload(_PRELOADED)
    return found


class Mover:
    """One mover at a time; a new one takes the place of one that died."""

    def __init__(self) -> None:
        self._context = context()
        self._process: Any = None
        self._connection: Any = None
        self.deaths = 0

    def ask(self, orders: Orders, step: str, operation: str, request: Task) -> Task | TaskError:
        """Serve one step; a death is an error like that which the supervisor tells."""
        if self._process is None:
            self._start(orders)
        try:
            self._connection.send((step, operation, request))
            if not self._connection.poll(ANSWER_SECONDS):
                raise TimeoutError(f"{step} did not end within {ANSWER_SECONDS} s")
            return self._connection.recv()
        except (EOFError, ConnectionError):
            self.deaths += 1
            self.end()
            words = "the child mover ended; the task is tried again in a new one"
            return TaskError(kind="ChildDied", message=words, retryable=True, reason="ChildDied")

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        process = self._process
        if process is not None:
            process.kill()
            process.join()

    def end(self) -> None:
        self.kill()
        if self._connection is not None:
            self._connection.close()
        self._process = self._connection = None

    def _start(self, orders: Orders) -> None:
        ours, theirs = self._context.Pipe()
        self._process = self._context.Process(target=_serve, args=(theirs, orders), daemon=True)
        self._process.start()
        theirs.close()
        self._connection = ours
