"""Run every check of the project, one after the other, and say how each went.

`python -m cloudflux_dev.check` runs all; `… lint` all but the tests. Arguments after a
`--` go to pytest.
"""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from cloudflux_dev import assets, parts

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
CHECKED = ("operator", "tools", "tests", "benchmarks")


@dataclass(frozen=True, slots=True)
class Check:
    """One command and about how long it takes."""

    name: str
    command: tuple[str, ...]
    about: str


NOT_ALL = ("-m", "not exhaustive")
"""Kills at every step take minutes more: `make test-kills`."""

LINT = (
    Check("style", (str(BIN / "ruff"), "check", *CHECKED), "1 s"),
    Check("types", (str(BIN / "mypy"),), "5 s warm, a minute cold"),
    Check("layers", (str(BIN / "lint-imports"), "--no-cache"), "3 s"),
    Check("generated files", (sys.executable, "-m", "cloudflux.api.generate", "--check"), "1 s"),
    Check("reference", (sys.executable, "-m", "cloudflux_dev.reference", "--check"), "1 s"),
)


def run(check: Check) -> bool:
    """Run one check with its output shown; say whether it passed."""
    print(f"\n== {check.name} ({check.about})", flush=True)
    started = time.monotonic()
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'operator'}:{ROOT / 'tools'}"}
    passed = subprocess.run(check.command, cwd=ROOT, env=environment).returncode == 0
    word = "passed" if passed else "FAILED"
    print(f"== {check.name} {word} after {time.monotonic() - started:.0f} s", flush=True)
    return passed


def get_parts() -> bool:
    """Have the real servers that the tests talk to; False, having said so, when one is missing."""
    print("== servers for the tests (at once; up to 20 minutes on a new machine)", flush=True)
    try:
        print(f"Kubernetes API: {assets.find().kube_apiserver.parent}")
    except assets.AssetsError as error:
        print(f"error: {error}", file=sys.stderr)
        return False
    for line in parts.get_all(parts.NEEDED_BY_TESTS):
        print(f"not to be had, so its tests are skipped: {line}", file=sys.stderr)
    for name in parts.SYSTEM_PROGRAMS:
        if missing := parts.why_system_missing(name):
            print(f"so its tests are skipped: {missing}", file=sys.stderr)
    return True


def main(arguments: list[str]) -> int:
    """Run the checks; the exit status is 0 only when all passed."""
    lint_only = arguments[:1] == ["lint"]
    if not lint_only and not get_parts():
        return 1
    failed = [check.name for check in LINT if not run(check)]
    if not lint_only:
        extra = arguments[1:] if arguments[:1] == ["--"] else []
        workers = "2" if (os.cpu_count() or 1) < 8 else "4"
        tests = Check(
            "tests",
            (
                sys.executable,
                "-m",
                "pytest",
                "-n",
                workers,
                "--dist",
                "loadgroup",
                *NOT_ALL,
                *extra,
            ),
            "under 10 minutes",
        )
        if not run(tests):
            failed.append(tests.name)
    print(f"\nFailed: {', '.join(failed)}." if failed else "\nAll checks passed.", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
