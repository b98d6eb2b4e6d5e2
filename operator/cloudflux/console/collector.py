"""How the collector is: by its own figures where they are named, else by what it kept last."""

import asyncio
import datetime as dt
import re
from pathlib import Path

import aiohttp

from cloudflux.console import ages
from cloudflux.console.answers import Check
from cloudflux.console.context import Console
from cloudflux.console.past import DIRECTORY

NAME = "collector"
ANSWER_SECONDS = 2.0
MAX_BYTES = 4 * 1024 * 1024
_LAG = re.compile(r"^cloudflux_(?:access|fleet)_events_lag(?:{[^}]*})? (\S+)$", re.MULTILINE)


async def collector_check(console: Console) -> Check:
    """Return how the collector is."""
    url = console.settings.console.collector_url
    if url:
        return await _asked(url)
    log = console.settings.state_dir / DIRECTORY / "events" / "_delta_log"
    kept = await asyncio.to_thread(_newest, log)
    if kept is None:
        message = (
            "not known: name its /metrics in CLOUDFLUX_CONSOLE__COLLECTOR_URL, or start the "
            "console with --state-dir on what it keeps"
        )
        return Check(name=NAME, state="unknown", message=message)
    since = ages.ago(kept.isoformat(), dt.datetime.now(dt.UTC))
    message = f"it kept something {since}; name its /metrics in CLOUDFLUX_CONSOLE__COLLECTOR_URL"
    return Check(name=NAME, state="unknown", message=f"{message} to know whether it runs")


async def _asked(url: str) -> Check:
    timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(url, allow_redirects=False) as answer,
        ):
            if answer.status != 200:
                return _failed(f"its figures answer with {answer.status}")
            text = (await answer.content.read(MAX_BYTES)).decode(errors="replace")
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        return _failed(f"its figures can't be read: {error or type(error).__name__}")
    lags = [float(found) for found in _LAG.findall(text)]
    if not lags:
        return _failed("what CLOUDFLUX_CONSOLE__COLLECTOR_URL names has no figures of a collector")
    behind = int(sum(lags))
    return Check(name=NAME, state="ok", message=f"it answers, {behind:,} events behind")


def _failed(message: str) -> Check:
    return Check(name=NAME, state="failed", message=message)


def _newest(log: Path) -> dt.datetime | None:
    """Return when the newest commit of a table was made."""
    try:
        newest = max((path.stat().st_mtime for path in log.glob("*.json")), default=None)
    except OSError:
        return None
    return None if newest is None else dt.datetime.fromtimestamp(newest, dt.UTC)
