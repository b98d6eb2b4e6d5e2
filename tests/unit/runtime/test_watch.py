"""kopf only watches: signals stay with the operator, which ends its children first."""

import asyncio
import json
import os
import signal
from pathlib import Path
from types import SimpleNamespace as Fake

from cloudflux.handlers.watch import watch
from cloudflux.settings import Settings


async def test_a_signal_after_kopfs_start_is_the_operators(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    nowhere = {"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}
    context = {"name": "c", "context": {"cluster": "c", "user": "u"}}
    kubeconfig.write_text(
        json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "c", "clusters": [nowhere],
            "contexts": [context], "users": [{"name": "u", "user": {}}],
        })
    )  # fmt: skip
    runtime = Fake(settings=Settings(kubeconfig=kubeconfig, namespaces=("here",)))
    stop, ready, told = asyncio.Event(), asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def hear_signals() -> None:
        loop.add_signal_handler(signal.SIGTERM, told.set)

    hear_signals()
    watching = asyncio.create_task(watch(runtime, stop, ready, hear_signals))  # type: ignore[arg-type]
    try:
        async with asyncio.timeout(20):
            await ready.wait()
            os.kill(os.getpid(), signal.SIGTERM)
            await told.wait()
        assert not watching.done()
    finally:
        stop.set()
        await asyncio.wait([watching], timeout=20)
        loop.remove_signal_handler(signal.SIGTERM)
        loop.remove_signal_handler(signal.SIGINT)
    assert watching.done()
