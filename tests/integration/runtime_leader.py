"""A process that becomes the leader, says so, and holds the Lease until it is ended."""

import asyncio
import signal
import sys
from pathlib import Path

from cloudflux.handlers.kube import Kube
from cloudflux.handlers.lease import Lease
from cloudflux.settings import Settings


async def main(kubeconfig: str, namespace: str, seconds: str) -> None:
    kube = await Kube.connect(Settings(kubeconfig=Path(kubeconfig)))
    lease = Lease(kube, namespace=namespace, name="leader", seconds=int(seconds))
    token = await lease.acquire()
    print(f"LEADER {token}", flush=True)
    holding = asyncio.create_task(lease.hold())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, holding.cancel)
    try:
        await holding
    except asyncio.CancelledError:
        await lease.release()
    await kube.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
