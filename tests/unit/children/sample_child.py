"""A child process for the tests: the real server with operations that misbehave on demand."""

import contextlib
import os
import sys
import threading
import time

from cloudflux.api.task import Credentials, Task
from cloudflux.children.context import Context, Operation
from cloudflux.children.sent import SENT
from cloudflux.children.server import die_with_parent, serve
from cloudflux.errors import PriceUnknown, Throttled


class Say(Task):
    text: str
    credentials: Credentials | None = None


class Said(Task):
    text: str
    thread: str = ""


def ask(request: Say, context: Context) -> Said:
    """Send two requests to a store, of which one is refused."""
    with SENT.counted("s3", "GetObject"):
        pass
    with contextlib.suppress(Throttled), SENT.counted("s3", "GetObject"):
        raise Throttled("slow down")
    return Said(text=request.text)


def echo(request: Say, context: Context) -> Said:
    print("noise on stdout must not break the protocol")
    secret = request.credentials.secret_access_key.get_secret_value() if request.credentials else ""
    return Said(text=request.text + secret, thread=threading.current_thread().name)


def fail(request: Say, context: Context) -> Said:
    if request.text == "throttled":
        raise Throttled("slow down")
    if request.text == "price":
        raise PriceUnknown("no price for X")
    raise RuntimeError("a bug")


def die(request: Say, context: Context) -> Said:
    os._exit(7)


def spin(request: Say, context: Context) -> Said:
    for n in range(10_000):
        context.progress(Said(text=str(n)))
        context.check()
        context.stop_point("spin.turn")
        time.sleep(0.01)
    return Said(text="end")


OPERATIONS = {
    f"sample.{function.__name__}": Operation(Say, function)
    for function in (ask, echo, fail, die, spin)
}

OPERATIONS["sample.wait"] = Operation(Say, spin, gives_way=True)

if __name__ == "__main__":
    die_with_parent(int(sys.argv[sys.argv.index("--parent-pid") + 1]))
    serve(OPERATIONS)
