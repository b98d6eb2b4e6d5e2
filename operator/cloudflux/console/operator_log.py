"""Events out of the operator's own log, over HTTP with a token: for clusters without Kafka.

More than the statuses tell: what came and went between two looks is in the log, and what happened
before this console was started.
"""

import asyncio
import contextlib
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import structlog

from cloudflux.console.hub import Gap, Hub
from cloudflux.console.sources import SourceState

WAIT_SECONDS = 20.0
ANSWER_SECONDS = 15.0
BACKOFF_SECONDS = (0.5, 1.0, 2.0, 5.0)


class Away(Exception):
    """The operator can't be read now; says why and what to do."""


class OperatorEvents:
    """Follows the log of the operator that leads."""

    def __init__(self, url: str, token_file: Path, hub: Hub) -> None:
        self._url, self._token_file, self._hub = url, token_file, hub
        self._position, self._seen = "", ""
        """Where we stand in the log, and the id of the last event: kept over connections."""
        self.state = SourceState("Operator")
        self._log = structlog.get_logger("cloudflux.console")

    async def run(self) -> None:
        """Follow the log; after a failure ask again and go on where it was."""
        failures = 0
        # a connection for each question: behind a Service it then finds the operator that leads
        connector = aiohttp.TCPConnector(force_close=True)
        timeout = aiohttp.ClientTimeout(total=WAIT_SECONDS + ANSWER_SECONDS, connect=ANSWER_SECONDS)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            while True:
                try:
                    await self._take(await self._ask(session))
                    failures = 0
                    continue
                except Away as error:
                    why = str(error)
                except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
                    why = f"the operator does not answer: {error or type(error).__name__}"
                if self.state.message != why:
                    self._log.warning("events can't be read from the operator", error=why)
                self.state.connected, self.state.message = False, why
                await asyncio.sleep(BACKOFF_SECONDS[min(failures, len(BACKOFF_SECONDS) - 1)])
                failures += 1

    async def _ask(self, session: aiohttp.ClientSession) -> dict[str, Any]:
        """Ask for what came since. Raises Away, aiohttp.ClientError, OSError, ValueError."""
        # what is there comes at once; only who was answered before waits for more
        wait = WAIT_SECONDS if self.state.connected else 0.0
        query = urlencode({"after": self._position, "seen": self._seen, "wait": wait})
        try:
            token = (await asyncio.to_thread(self._token_file.read_text)).strip()
        except OSError as error:
            raise Away(f"the token of CLOUDFLUX_EVENTS_TOKEN_FILE can't be read: {error}") from None
        headers = {"Authorization": f"Bearer {token}"}
        async with session.get(
            f"{self._url}?{query}", headers=headers, allow_redirects=False
        ) as answer:
            if answer.status == 401:
                raise Away("the operator refuses the token: give both the same file")
            if answer.status != 200:
                detail = ""
                with contextlib.suppress(ValueError, aiohttp.ClientError):
                    detail = str((await answer.json(content_type=None)).get("detail", ""))[:256]
                raise Away(f"the operator answers with {answer.status} {detail}".rstrip())
            found = json.loads(await answer.read())
        if not isinstance(found, dict) or not isinstance(found.get("events"), list):
            raise Away("what answers is no operator: look at CLOUDFLUX_CONSOLE__EVENTS_URL")
        return found

    async def _take(self, found: dict[str, Any]) -> None:
        self.state.connected, self.state.message = True, "reading the operator's log"
        if found.get("missed"):
            self._hub.tell_gap(
                Gap("Source", "the operator's log no longer holds all events since the last one")
            )
        events = [event for event in found["events"] if isinstance(event, dict)]
        await self._hub.publish_all(events)
        self._position = str(found.get("position", ""))[:64]
        if events:
            self._seen = str(events[-1].get("id", ""))[:512]
