"""A real browser for tests and screenshots, and the checks of accessibility that run in it.

Chromium is the system's (`CLOUDFLUX_TEST_CHROMIUM` names another); axe-core comes from npm, once
per machine, and is never part of the project.
"""

import os
import shutil
import tempfile
from pathlib import Path

from cloudflux_dev import assets
from cloudflux_dev.assets import AssetsError, cache_directory

VARIABLE = "CLOUDFLUX_TEST_CHROMIUM"
NAMES = ("chromium", "chromium-browser", "google-chrome")
AXE_VERSION = "4.14.1"
ARGUMENTS = ("--no-sandbox", "--disable-dev-shm-usage")
"""Tests run as any user, also in a container whose shared memory is small."""


def find_chromium() -> Path:
    """Return the browser. Raises AssetsError, which says how to get one."""
    named = os.environ.get(VARIABLE)
    found = named or next((path for name in NAMES if (path := shutil.which(name))), None)
    if not found or not Path(found).exists():
        raise AssetsError(
            "no browser is installed: on Debian and Ubuntu, apt install chromium, or name one with "
            f"{VARIABLE}"
        )
    return Path(found)


def axe_source() -> str:
    """Return axe-core's script, fetched once. Raises AssetsError."""
    directory = cache_directory().parent / "npm" / f"axe-core-{AXE_VERSION}"
    script = directory / "node_modules" / "axe-core" / "axe.min.js"
    with assets.locked(cache_directory()):
        if not script.exists():
            _fetch(directory)
    return script.read_text()


def _fetch(directory: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise AssetsError("npm is needed to fetch axe-core: install Node 20 or newer")
    directory.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory.parent) as work:
        quiet = ["--no-audit", "--no-fund", "--no-save", "--loglevel=error"]
        package = f"axe-core@{AXE_VERSION}"
        assets._run([npm, "install", *quiet, "--prefix", work, package], Path(work))
        shutil.rmtree(directory, ignore_errors=True)
        Path(work).rename(directory)
        Path(work).mkdir()  # for the context's own clean-up
