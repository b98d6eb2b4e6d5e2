"""A Lease that is being taken when the operator is told to end is given up."""

import asyncio
from typing import Any

import pytest

from cloudflux.handlers.kube import NotFound
from cloudflux.handlers.lease import Lease


class SlowApi:
    """Applies a write at once and answers when it is allowed to."""

    def __init__(self) -> None:
        self.lease: dict[str, Any] | None = None
        self.written = asyncio.Event()
        self.answer = asyncio.Event()

    async def get(self, *_: Any) -> dict[str, Any]:
        if self.lease is None:
            raise NotFound("no lease")
        return self.lease

    async def create(self, _: Any, body: dict[str, Any]) -> dict[str, Any]:
        return await self.replace(_, body)

    async def replace(self, _: Any, body: dict[str, Any]) -> dict[str, Any]:
        self.lease = body
        self.written.set()
        await self.answer.wait()
        return body


async def test_an_end_during_the_write_leaves_the_lease_to_the_next() -> None:
    api: Any = SlowApi()
    lease = Lease(api, namespace="n", name="l", seconds=15)
    taking = asyncio.create_task(lease.acquire())
    await api.written.wait()
    assert api.lease["spec"]["holderIdentity"] == str(lease.identity)
    taking.cancel()
    await asyncio.sleep(0)
    api.answer.set()
    with pytest.raises(asyncio.CancelledError):
        await taking
    await lease.release()
    assert api.lease["spec"]["holderIdentity"] == ""
