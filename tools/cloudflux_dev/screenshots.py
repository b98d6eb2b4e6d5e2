"""Takes the pictures of the console that the documentation shows, over made-up resources.

    PYTHONPATH=operator:tools python -m cloudflux_dev.screenshots

Everything shown is invented here; the pages, the stream and the browser are real.
"""

import asyncio
import datetime as dt
import io
import math
import sys
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest import mock

from aiohttp import web
from PIL import Image
from playwright.async_api import async_playwright

from cloudflux.api.event_examples import EXAMPLES
from cloudflux.api.events import EventType
from cloudflux.console import past
from cloudflux.console.context import Console
from cloudflux.console.hub import Hub
from cloudflux.console.server import application
from cloudflux.console.sources import SourceState
from cloudflux.console.trend import Trend
from cloudflux.console.who import OpenGate
from cloudflux.console.world import World
from cloudflux.settings import Settings
from cloudflux_dev.assets import AssetsError
from cloudflux_dev.browser import ARGUMENTS, find_chromium

PICTURES = Path(__file__).resolve().parents[2] / "docs" / "images"
COLOURS = 255
GIB = 1 << 30
SHOTS: tuple[tuple[str, str, str, tuple[int, int]], ...] = (
    ("overview", "/", "light", (1200, 860)),
    ("live", "/live", "dark", (1200, 760)),
    ("data-sets", "/datasets?sort=-savings", "light", (1200, 620)),
    ("data-set", "/datasets/team-a/telemetry", "light", (1200, 1250)),
    ("policies", "/policies", "light", (1200, 640)),
    ("migrations", "/migrations", "light", (1200, 560)),
    ("migration", "/migrations/team-a/telemetry-4f1c2a9b", "dark", (1200, 760)),
    ("phone", "/live", "light", (390, 844)),
)


class Quiet:
    """A source that has said everything."""

    state = SourceState("Kafka", True, "reading cloudflux.events.v1")

    async def run(self) -> None:
        """Say nothing more."""


def ago(**span: float) -> str:
    """A time so long ago, as the API writes it."""
    return (dt.datetime.now(dt.UTC) - dt.timedelta(**span)).isoformat().replace("+00:00", "Z")


def thing(name: str, spec: dict[str, Any], status: dict[str, Any]) -> dict[str, Any]:
    """An object of the API."""
    metadata = {
        "namespace": "team-a", "name": name, "uid": f"uid-{name}", "resourceVersion": "1",
        "creationTimestamp": ago(hours=5), "labels": {"cloudflux.io/policy": "save-money"},
    }  # fmt: skip
    return {"metadata": metadata, "spec": spec, "status": status}


def data_set(name: str, uri: str, warmth: str, sure: int, tiers: list[Any], **more: Any) -> Any:
    """A data set; tiers as (tier, class, objects, GiB, cost a month)."""
    usages = [
        {"tier": tier, "storageClass": name_, "objects": objects, "bytes": int(gib * GIB),
         "monthlyCost": str(cost)}
        for tier, name_, objects, gib, cost in tiers
    ]  # fmt: skip
    ready = {"type": "Ready", "status": "True", "reason": "Scanned", "message": "",
             "lastTransitionTime": ago(hours=5)}  # fmt: skip
    status = {
        "currency": "USD", "temperature": warmth, "confidencePercent": sure,
        "monthlyCost": str(sum(Decimal(str(t[4])) for t in tiers)), "evaluatedAt": ago(minutes=12),
        "inventory": {"objects": sum(t[2] for t in tiers), "scannedAt": ago(minutes=14),
                      "bytes": sum(int(t[3] * GIB) for t in tiers)},
        "tiers": usages, "savingsPerMonth": "0", "conditions": [ready], **more,
    }  # fmt: skip
    return thing(name, {"location": {"uri": uri}}, status)


def resources() -> dict[str, list[dict[str, Any]]]:
    """Everything that the pages show."""
    reason = "not read for 74 days; GLACIER_IR saves 83 % after all fees, STANDARD_IA 46 %"
    recommended = {
        "id": "4f1c2a9b77aa01ce", "objects": 812_000, "bytes": 3100 * GIB, "from": "STANDARD",
        "to": "GLACIER_IR", "tier": "Cold", "savingsPerMonth": "58.90", "oneOffCost": "16.24",
        "paybackDays": 9, "confidencePercent": 93, "reason": reason,
    }  # fmt: skip
    seen = {"reads7D": 1151, "reads30D": 5486, "observedDays": 120, "coveragePercent": 100,
            "lastReadAt": ago(hours=2)}  # fmt: skip
    ahead = {"reads7D": 1315, "reads30D": 4843, "low": 962, "high": 1660,
             "model": "random-forest-100"}  # fmt: skip
    replay = {"madeAt": ago(hours=7), "firstDay": ago(days=120)[:10], "lastDay": ago(days=1)[:10],
              "objects": 40_000, "ofObjects": 1_550_000, "strategy": "CostOptimal",
              "cost": "412.60", "alwaysHotCost": "604.10", "automaticClassCost": "455.30",
              "optimumCost": "371.90"}  # fmt: skip
    away = {"type": "Ready", "status": "False", "reason": "CredentialsInvalid",
            "message": "the store refuses the key: renew the Secret bucket-keys",
            "lastTransitionTime": ago(hours=1)}  # fmt: skip
    data_sets = [
        data_set("telemetry", "s3://data/telemetry", "Cold", 93, [
            ("Hot", "STANDARD", 1_240_000, 4800, 110.4), ("Cold", "GLACIER_IR", 310_000, 1900, 7.6),
        ], recommendations=[recommended], savingsPerMonth="58.90", access=seen, forecast=ahead,
            replay=replay, history=[{
                "job": "telemetry-0b1d", "completedAt": ago(days=45), "from": "STANDARD",
                "to": "GLACIER_IR", "objects": 310_000, "bytes": 1900 * GIB,
                "manifestUri": "file:///var/lib/cloudflux/jobs/9c1e44d2/manifest.jsonl",
            }]),
        data_set("images", "gs://media/images", "Warm", 81, [
            ("Hot", "STANDARD", 92_000, 2100, 42.0), ("Warm", "NEARLINE", 40_000, 900, 9.0),
        ], savingsPerMonth="12.40", recommendations=[{
            **recommended, "id": "b2", "to": "NEARLINE", "savingsPerMonth": "12.40",
            "reason": "read once in 30 days; NEARLINE saves 41 % after all fees"}]),
        data_set("backups", "az://vault/backups", "Cold", 97, [
            ("Cold", "Cold", 4_100, 7300, 26.3)], whyNot="it is in its cheapest tier"),
        data_set("reports", "file:///srv/storage/reports", "Hot", 88, [
            ("Hot", "file:///srv/storage", 18_000, 64, 5.1)], whyNot="read every day"),
        data_set("web-logs", "s3://data/web-logs", "Unknown", 0, [], conditions=[away]),
    ]  # fmt: skip
    policy = {"tiers": [{"name": "Hot", "s3StorageClass": "STANDARD"}]}
    told = {"currency": "USD", "monthlyCost": "200.40", "projectedSavingsPerMonth": "71.30",
            "realisedSavingsPerMonth": "410.02", "dataSetsMatched": 4,
            "lastEvaluationTime": ago(minutes=12)}  # fmt: skip
    return {
        "DataSet": data_sets,
        "TieringPolicy": [
            thing("save-money", {**policy, "mode": "Auto"}, told),
            thing("ask-first", {**policy, "mode": "Approve"}, {
                **told, "dataSetsMatched": 1, "realisedSavingsPerMonth": "3.20",
                "monthlyCost": "5.10", "projectedSavingsPerMonth": "0"}),
        ],
        "MigrationJob": jobs(),
    }  # fmt: skip


def jobs() -> list[dict[str, Any]]:
    """Moves in several phases."""
    plan = {"hash": "a41f0c9d2e7788aa", "objects": 812_000, "bytes": 3100 * GIB,
            "oneOffCost": "16.24", "savingsPerMonth": "58.90", "durationSeconds": 9400,
            "priceDate": "2026-11-01", "paybackDays": 9, "warnings": [],
            "listUri": "file:///var/lib/cloudflux/jobs/3b0d7a52/plan.jsonl"}  # fmt: skip
    progress = {"percent": 41, "objectsTotal": 812_000, "objectsDone": 332_920,
                "bytesTotal": 3100 * GIB, "bytesDone": 1271 * GIB, "bytesPerSecond": 340 << 20,
                "estimatedRemainingSeconds": 5640}  # fmt: skip
    steps = [
        {"name": "Plan", "state": "Done", "startedAt": ago(hours=2), "finishedAt": ago(hours=1.98),
         "message": "812,000 objects, 3.03 TiB: costs 16.24 USD, saves 58.90 USD a month"},
        {"name": "Copy", "state": "Running", "startedAt": ago(hours=1.2),
         "message": "332,920 of 812,000 objects have their new class"},
    ]  # fmt: skip

    def job(name: str, of: str, phase: str, **status: Any) -> dict[str, Any]:
        spec = {"dataSetRef": {"name": of}, "target": {"tier": "Cold"}}
        shown = {"phase": phase, "plan": plan, "sourceDisplay": "STANDARD",
                 "targetDisplay": "GLACIER_IR", **status}  # fmt: skip
        return thing(name, spec, shown)

    return [
        job("telemetry-4f1c2a9b", "telemetry", "Copying", progress=progress, steps=steps,
            reason="Copying", message="332,920 of 812,000 objects are done"),
        job("images-b2aa01ce", "images", "AwaitingApproval", targetDisplay="NEARLINE",
            message="copy status.plan.hash into spec.approval to let it move"),
        job("backups-77aa01ce", "backups", "Completed", completedAt=ago(days=1),
            targetDisplay="Cold", progress={**progress, "percent": 100}),
        job("reports-0d9a2f6c", "reports", "Failed", completedAt=ago(hours=3), reason="TargetFull",
            targetDisplay="file:///srv/cold", message="the target is full: free 12 GiB"),
    ]  # fmt: skip


def story(hub: Hub) -> None:
    """Put events into the ring."""
    for number in range(40):
        speed = int((280 + 70 * math.sin(number / 4)) * (1 << 20))
        data = {**EXAMPLES[EventType.MIGRATION_PROGRESS], "namespace": "team-a",
                "jobUid": "uid-telemetry-4f1c2a9b", "percent": number, "bytesPerSecond": speed,
                "message": ""}  # fmt: skip
        if number % 8 == 0 or number < 32:
            hub.publish({
                "specversion": "1.0", "id": f"progress:{number}",
                "type": EventType.MIGRATION_PROGRESS.value,
                "source": "/clusters/example/namespaces/team-a/migrationjobs/telemetry-4f1c2a9b",
                "time": ago(minutes=60 - number), "data": data,
            })  # fmt: skip
    kinds = [kind for kind in EventType if kind is not EventType.EVENTS_DROPPED]
    for number, kind in enumerate(kinds):
        data = {**EXAMPLES[kind], "namespace": "team-a"}
        hub.publish({
            "specversion": "1.0", "id": f"example:{number}", "type": kind.value,
            "source": "/clusters/example/namespaces/team-a/migrationjobs/telemetry-4f1c2a9b",
            "time": ago(seconds=7 * (len(kinds) - number)), "data": data,
        })  # fmt: skip


def days(_: Path, asked: past.Asked) -> list[past.Day]:
    """Ninety days of which moves make each a little cheaper."""
    whole = asked.data_set is None
    found = []
    for number in range((asked.until - asked.since).days + 1):
        moved = 1 / (1 + math.exp((45 - number) / 6)) if not whole else 0.5 + number / 60
        hot, scale = 6900 - 2100 * moved, 2.4 if whole else 1.0
        found.append(past.Day(
            asked.since + dt.timedelta(number),
            cost=Decimal(f"{(160 - 42 * moved + 2 * math.sin(number / 3)) * scale:.2f}"),
            possible=Decimal(f"{101 - 42 * moved:.2f}"),
            realised=Decimal(f"{42 * moved * (9.8 if whole else 1):.2f}"),
            bytes_by_tier={"Hot": int(hot * GIB), "Cold": int((6700 - hot) * GIB)
                           if hot < 6700 else 0},
        ))  # fmt: skip
    return found


async def reads(*_: Any) -> list[tuple[dt.date, int]]:
    """Ninety days of reads, fewer on Sundays."""
    today = dt.datetime.now(dt.UTC).date()
    found = []
    for number in range(90):
        day = today - dt.timedelta(89 - number)
        count = 190 + 40 * math.sin(number / 5) - (90 if day.weekday() == 6 else 0)
        found.append((day, int(count)))
    return found


def made(state: Path) -> Console:
    """A console over all of it."""
    unused: Any = None
    world = World(unused)
    for kind, objects in resources().items():
        for one in objects:
            world.cache.put(kind, one)
    hub = Hub(epoch="example")
    story(hub)
    (state / past.DIRECTORY).mkdir()
    settings = Settings.model_validate({"state_dir": state})
    return Console(
        settings=settings, hub=hub, source=Quiet(), gate=OpenGate(), world=world,
        trend=Trend(world), csrf_key=b"example",
    )  # fmt: skip


async def take() -> None:
    """Serve, look and save; what tables would tell is invented, too."""
    with (
        tempfile.TemporaryDirectory(prefix="cloudflux-pictures-") as state,
        mock.patch("cloudflux.console.past.read_days", days),
        mock.patch("cloudflux.console.browse.reads_by_day", reads),
    ):
        await _take(Path(state))


async def _take(state: Path) -> None:
    runner = web.AppRunner(application(made(state)), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    PICTURES.mkdir(exist_ok=True)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=str(find_chromium()), args=list(ARGUMENTS)
        )
        for name, path, scheme, (width, height) in SHOTS:
            page = await browser.new_page(
                color_scheme="dark" if scheme == "dark" else "light",
                viewport={"width": width, "height": height},
            )
            await page.goto(url + path)
            await page.wait_for_timeout(600)
            save(await page.screenshot(), PICTURES / f"console-{name}.png")
            await page.close()
        await browser.close()
    await runner.cleanup()


def save(content: bytes, path: Path) -> None:
    """Save a picture with few colours: a quarter of the size, and nobody sees it."""
    picture = Image.open(io.BytesIO(content)).convert("RGB")
    fewer = picture.quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    fewer.save(path, optimize=True)
    print(f"{path.name}: {path.stat().st_size // 1024} KiB")


def main() -> int:
    """Take all pictures."""
    try:
        asyncio.run(take())
    except AssetsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
