"""A console without a cluster: hub and cache are filled by the test."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest_asyncio
from aiohttp.test_utils import TestClient, TestServer

from cloudflux.console.context import Console
from cloudflux.console.hub import Hub
from cloudflux.console.server import application
from cloudflux.console.sources import SourceState
from cloudflux.console.trend import Trend
from cloudflux.console.who import OpenGate
from cloudflux.console.world import World
from cloudflux.settings import Settings


@dataclass
class Quiet:
    """A source that says nothing."""

    state: SourceState = field(default_factory=lambda: SourceState("Kafka", True, "reading"))

    async def run(self) -> None:
        await asyncio.Event().wait()


def console(**own: object) -> Console:
    settings = Settings.model_validate({"console": own, "state_dir": "/nonexistent"})
    unused: Any = None  # nothing is asked of the API server here
    world = World(unused)
    return Console(
        settings=settings, hub=Hub(epoch="e"), source=Quiet(), gate=OpenGate(), world=world,
        trend=Trend(world), csrf_key=b"k" * 32,
    )  # fmt: skip


async def serving(console: Console) -> AsyncIterator[TestClient]:
    made = TestClient(TestServer(application(console), host="127.0.0.1"))
    await made.start_server()
    yield made
    await made.close()


@pytest_asyncio.fixture
async def client() -> AsyncIterator[TestClient]:
    async for made in serving(console(simulator=True)):
        yield made
