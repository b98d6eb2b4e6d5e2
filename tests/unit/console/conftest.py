"""A console without a cluster: its hub is filled by the test."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest_asyncio
from aiohttp.test_utils import TestClient, TestServer

from cloudflux.console.context import Console
from cloudflux.console.hub import Hub
from cloudflux.console.server import application
from cloudflux.console.sources import SourceState
from cloudflux.console.who import OpenGate
from cloudflux.settings import Settings


@dataclass
class Quiet:
    """A source that says nothing."""

    state: SourceState = field(default_factory=lambda: SourceState("Kafka", True, "reading"))

    async def run(self) -> None:
        await asyncio.Event().wait()


def console(**own: object) -> Console:
    settings = Settings.model_validate({"console": own})
    return Console(
        settings=settings, hub=Hub(epoch="e"), source=Quiet(), gate=OpenGate(), world=None,
        csrf_key=b"k" * 32,
    )  # fmt: skip


@pytest_asyncio.fixture
async def client() -> AsyncIterator[TestClient]:
    made = TestClient(TestServer(application(console()), host="127.0.0.1"))
    await made.start_server()
    yield made
    await made.close()
