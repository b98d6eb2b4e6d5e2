"""The console in a real browser: what a person sees, hears and types."""

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from playwright.async_api import Browser, Page, async_playwright, expect
from tests.unit.console.conftest import console as make_console
from tests.unit.console.test_api import FORECAST, RECOMMENDED
from tests.unit.console.test_hub import sample
from tests.unit.console.test_pages import EVIL
from tests.unit.console.worlds import condition, data_set, fill, job, policy

from cloudflux.console import shield
from cloudflux.console.context import Console
from cloudflux.console.hub import Hub
from cloudflux.console.server import application
from cloudflux_dev import browser as chromium
from cloudflux_dev.assets import AssetsError

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]
PAGES = ("/", "/live", "/datasets", "/datasets/team-a/telemetry", "/policies", "/migrations",
         "/migrations/team-a/move-1", "/nothing-here")  # fmt: skip


class Served:
    """A console on a port that stays the same over a restart."""

    def __init__(self) -> None:
        self.console: Console = make_console(simulator=True, writes=True)
        self.port = 0
        self._runner: web.AppRunner | None = None

    async def start(self, epoch: str = "first") -> None:
        self.console.hub = Hub(epoch=epoch)
        app = application(self.console)
        app[shield.BUCKETS] = shield.Buckets(rate=1e6, burst=1e6)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def hub(self) -> Hub:
        return self.console.hub


@pytest_asyncio.fixture(loop_scope="module")
async def served() -> AsyncIterator[Served]:
    made = Served()
    fill(
        made.console.world,
        DataSet=[
            data_set("telemetry", recommendations=[RECOMMENDED], forecast=FORECAST, access={
                "reads7D": 5, "reads30D": 20, "observedDays": 40, "coveragePercent": 100,
            }),
            data_set("logs", temperature="Unknown",
                     conditions=[condition("Ready", "False", "CredentialsInvalid", "mend them")]),
        ],
        TieringPolicy=[policy("save-money")],
        MigrationJob=[
            job("move-1", phase="AwaitingApproval", plan={
                "hash": "abc", "objects": 1, "bytes": 1, "oneOffCost": "0", "savingsPerMonth": "1",
                "durationSeconds": 1, "listUri": "file:///x", "warnings": ["careful"],
            }, steps=[{"name": "Plan", "state": "Done"}, {"name": "Copy", "state": "Running"}]),
            job("move-2", phase="Failed", reason="TargetFull", message="the target is full"),
        ],
    )  # fmt: skip
    await made.start()
    yield made
    await made.stop()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser() -> AsyncIterator[Browser]:
    try:
        path = chromium.find_chromium()
    except AssetsError as error:
        pytest.skip(str(error))
    async with async_playwright() as playwright:
        found = await playwright.chromium.launch(
            executable_path=str(path), args=list(chromium.ARGUMENTS)
        )
        yield found
        await found.close()


@contextlib.asynccontextmanager
async def opened(browser: Browser, url: str, **options: Any) -> AsyncIterator[Page]:
    """A page on which nothing was refused or failed when it is closed."""
    context = await browser.new_context(**options)
    page = await context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("dialog", lambda dialog: wrong.append(dialog.message))
    page.on("console", lambda said: wrong.append(said.text) if "Security" in said.text else None)
    await page.goto(url)
    yield page
    assert wrong == []
    await context.close()


def events(page: Page) -> Any:
    return page.locator("#rows tr.event")


async def live(page: Page) -> None:
    await expect(page.locator("#state-text")).to_have_text("Live", timeout=15_000)


async def test_the_live_page_from_the_first_event_to_the_servers_death(served, browser):
    for n in range(3):
        served.hub.publish(sample(n))
    async with opened(browser, f"{served.url}/live") as page:
        await live(page)
        assert await events(page).count() == 3
        served.hub.publish(sample(10, data={"namespace": "n", "dataSet": "newest"}))
        await expect(events(page).first).to_contain_text("n/newest")

        # pause: nothing moves, what waits is counted, and comes with Resume
        await page.get_by_role("button", name="Pause").click()
        for n in range(20, 27):
            served.hub.publish(sample(n))
        await expect(page.locator("#state-text")).to_have_text("Paused: 7 waiting")
        assert await events(page).count() == 4
        await page.get_by_role("button", name="Resume").click()
        await expect(events(page)).to_have_count(11)

        # a row opens to the whole event, by keyboard, and closes again
        badge = events(page).first.locator(".badge")
        await badge.focus()
        await page.keyboard.press("Enter")
        shown = json.loads(await page.locator("tr.detail pre").inner_text())
        assert shown == sample(26)
        assert await page.locator("tr.detail code").inner_text() == (
            "kubectl describe migrationjob telemetry-4f1c2a9b -n team-a"
        )
        await page.keyboard.press("Enter")
        await expect(page.locator("tr.detail")).to_have_count(0)

        # the server dies: it is said; another comes with an event known to the page: no gap
        await served.stop()
        await expect(page.locator("#state-text")).to_contain_text("Reconnecting", timeout=15_000)
        await served.start("second")
        for n in (25, 26, 30):
            served.hub.publish(sample(n))
        await live(page)
        await expect(events(page)).to_have_count(12)
        assert await page.locator("tr.gap").count() == 0

        # and with none that it knows: an explicit gap
        await served.stop()
        await served.start("third")
        served.hub.publish(sample(40))
        await expect(page.locator("tr.gap")).to_contain_text("started anew", timeout=15_000)
        await expect(events(page)).to_have_count(13)


async def test_what_an_event_says_is_never_run(served, browser):
    evil = {"namespace": EVIL, "dataSet": EVIL, "message": EVIL, "from": EVIL, "provider": EVIL}
    served.hub.publish(sample(1, id=EVIL, type=EVIL, data=evil))
    async with opened(browser, f"{served.url}/live") as page:
        await live(page)
        served.hub.publish(sample(2, id=f"2{EVIL}", type=EVIL, severity=EVIL, time=EVIL, data=evil))
        await expect(events(page)).to_have_count(2)
        await events(page).first.locator(".badge").click()
        await expect(page.locator("tr.detail pre")).to_contain_text("<script>alert(1)</script>")
        assert await page.locator("#rows script, #rows img").count() == 0


async def test_a_thousand_events_a_second_leave_the_page_alive(served, browser):
    async with opened(browser, f"{served.url}/live") as page:
        await live(page)

        async def pour() -> None:
            for n in range(150):
                for m in range(20):
                    served.hub.publish(sample(n * 20 + m))
                await asyncio.sleep(0.02)

        pouring = asyncio.create_task(pour())
        longest = await page.evaluate(
            """async () => {
                let longest = 0, last = performance.now();
                const end = last + 2500;
                while (performance.now() < end) {
                    await new Promise((done) => setTimeout(done, 0));
                    const now = performance.now();
                    longest = Math.max(longest, now - last);
                    last = now;
                }
                return longest;
            }"""
        )
        await pouring
        assert longest < 2000, "the tab was frozen"
        await expect(events(page).first).to_contain_text("telemetry")
        # not by wait_for_function: where it has to ask twice, the page's policy forbids its eval
        last = page.locator("#rows tr").first
        await expect(last).to_have_attribute("data-id", re.compile("2999"))
        assert await page.locator("#rows tr").count() <= 300
        await page.get_by_role("button", name="Pause").click()


async def test_a_slow_network_is_told_what_it_missed_and_goes_on(served, browser):
    async with opened(browser, f"{served.url}/live") as page:
        await live(page)
        session = await page.context.new_cdp_session(page)
        slow = {"offline": False, "latency": 300, "downloadThroughput": 20_000,
                "uploadThroughput": 20_000}  # fmt: skip
        await session.send("Network.enable")
        await session.send("Network.emulateNetworkConditions", slow)
        for n in range(50):
            served.hub.publish(sample(n))
        await expect(events(page).first).to_contain_text("telemetry", timeout=20_000)
        fast = {**slow, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
        await session.send("Network.emulateNetworkConditions", fast)
        await expect(events(page)).to_have_count(50, timeout=20_000)


async def test_the_filter_is_in_the_address_and_works_without_scripts(served, browser):
    served.hub.publish(sample(1))
    served.hub.publish(sample(2, type="io.cloudflux.policy.evaluated.v1"))
    async with opened(browser, f"{served.url}/live", java_script_enabled=False) as page:
        assert await events(page).count() == 2
        await page.get_by_label("Type").select_option("policy")
        await page.get_by_role("button", name="Apply").click()
        assert "type=policy" in page.url
        assert await events(page).count() == 1
        await events(page).first.locator(".badge").click()
        assert "/events?id=" in page.url
        await expect(page.locator("pre")).to_contain_text("policy.evaluated")
    async with opened(browser, f"{served.url}/live?type=policy") as page:
        await live(page)
        served.hub.publish(sample(3))
        served.hub.publish(sample(4, type="io.cloudflux.policy.evaluated.v1"))
        await expect(events(page)).to_have_count(2)


async def test_no_rule_of_accessibility_is_broken_in_light_dark_and_narrow(served, browser):
    try:
        axe = chromium.axe_source()
    except AssetsError as error:
        pytest.skip(str(error))
    for n in range(3):
        served.hub.publish(sample(n))
    served.hub.publish(sample(5, severity="warning", type="io.cloudflux.migration.failed.v1"))
    light = {"color_scheme": "light", "viewport": {"width": 1280, "height": 900}}
    # what the colours and the width change
    changed = "{runOnly: ['color-contrast', 'target-size', 'scrollable-region-focusable']}"
    async with opened(browser, f"{served.url}/", bypass_csp=True, **light) as page:
        for path in PAGES:
            await page.emulate_media(color_scheme="light")
            await page.set_viewport_size({"width": 1280, "height": 900})
            await page.goto(served.url + path)
            await page.evaluate(axe)
            wide = await page.evaluate("axe.run(document, {resultTypes: ['violations']})")
            await page.emulate_media(color_scheme="dark")
            await page.set_viewport_size({"width": 390, "height": 844})
            narrow = await page.evaluate(f"axe.run(document, {changed})")
            found = [*wide["violations"], *narrow["violations"]]
            assert [(v["id"], v["nodes"][0]["html"][:200]) for v in found] == [], path


async def test_pages_fit_a_phone_and_two_hundred_percent(served, browser):
    for n in range(3):
        served.hub.publish(sample(n))
    # 1280 pixels at 200 % are 640, at 400 % are 320
    for width in (640, 320):
        size = {"viewport": {"width": width, "height": 700}}
        async with opened(browser, f"{served.url}/", **size) as page:
            for path in PAGES:
                await page.goto(served.url + path)
                over = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
                assert over <= 0, (path, width)


@pytest.mark.parametrize("scripts", [True, False])
async def test_colours_are_chosen_by_keyboard_and_remembered(served, browser, scripts):
    background = "getComputedStyle(document.documentElement).backgroundColor"
    wanted = {"color_scheme": "light", "java_script_enabled": scripts}
    async with opened(browser, f"{served.url}/datasets?sort=-cost", **wanted) as page:
        dark = page.get_by_role("button", name="Dark")
        await expect(dark).to_have_attribute("aria-pressed", "false")
        await dark.focus()
        await page.keyboard.press("Enter")
        await expect(dark).to_have_attribute("aria-pressed", "true")
        assert page.url.endswith("/datasets?sort=-cost")
        await page.goto(f"{served.url}/policies")
        if scripts:
            assert await page.evaluate(background) == "rgb(15, 19, 24)"
            await page.get_by_role("button", name="System").click()
            await expect(page.get_by_role("button", name="System")).to_have_attribute(
                "aria-pressed", "true"
            )
            assert await page.evaluate(background) == "rgb(245, 246, 248)"
        else:
            await expect(page.locator("html")).to_have_attribute("data-theme", "dark")


async def test_everything_is_reached_by_keyboard(served, browser):
    served.hub.publish(sample(1))
    async with opened(browser, f"{served.url}/live") as page:
        await live(page)
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.activeElement.textContent") == "Skip to the content"
        await page.keyboard.press("Enter")
        reached = []
        for _ in range(25):
            await page.keyboard.press("Tab")
            reached.append(await page.evaluate(
                "document.activeElement.id || document.activeElement.name || "
                "document.activeElement.className || document.activeElement.textContent.trim()"
            ))  # fmt: skip
            outline = await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none", reached[-1]
            if "badge" in reached[-1]:
                break
        fields = {"type", "namespace", "dataset", "provider", "severity", "q"}
        assert {"pause", "announce", *fields} <= set(reached)
        assert "badge" in reached[-1]


async def tab_to(page: Page, text: str) -> None:
    for _ in range(60):
        await page.keyboard.press("Tab")
        if await page.evaluate("document.activeElement.textContent.trim()") == text:
            return
    raise AssertionError(f"{text} is not reached by the Tab key")


async def test_a_job_is_found_and_approved_by_keyboard_alone(served, browser):
    async with opened(browser, served.url) as page:
        for text, heading in (
            ("Migrations", "Migrations"),
            ("team-a/move-1", "team-a/move-1"),
            ("Approve plan abc", "Service Unavailable"),  # no cluster here
        ):
            await tab_to(page, text)
            await page.keyboard.press("Enter")
            await expect(page.locator("h1")).to_have_text(heading)


async def test_a_job_is_approved_only_by_its_own_button(served, browser):
    async with opened(browser, f"{served.url}/migrations/team-a/move-1") as page:
        assert await page.get_by_role("button", name="Approve plan abc").count() == 1
        assert re.search("approval.*abc", await page.locator("main").inner_text())
        await page.get_by_role("button", name="Approve plan abc").click()
        await expect(page.locator("h1")).to_have_text("Service Unavailable")  # no cluster here
