"""The dashboards are what Grafana's own types say that it takes."""

import json
import re
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from cloudflux_dev import parts
from cloudflux_dev.dashboards import DIRECTORY

TYPES = Path(__file__).parent / "dashboard.ts"
OPTIONS = {
    "strict": True, "noEmit": True, "skipLibCheck": True, "target": "es2022", "types": [],
    "module": "esnext", "moduleResolution": "bundler",
}  # fmt: skip


def check(directory: Path, boards: dict[str, dict[str, Any]]) -> dict[str, list[str]]:
    """What the compiler has to say of each dashboard."""
    compiler = parts.find("tsc")
    if compiler is None:
        pytest.skip(parts.why_missing("tsc"))
    packages = compiler.parents[1]
    # the package's `exports` hide the types of panels, which it ships all the same
    schema = f"{packages}/@grafana/schema"
    paths = {"@grafana/schema": [f"{schema}/dist/esm/index"], "@grafana/schema/*": [f"{schema}/*"]}
    (directory / "tsconfig.json").write_text(
        json.dumps({"compilerOptions": {**OPTIONS, "paths": paths}, "include": ["*.ts"]})
    )
    (directory / "dashboard.ts").write_text(TYPES.read_text())
    for name, board in boards.items():
        (directory / f"{name}.ts").write_text(
            "import type { OurDashboard } from './dashboard';\n"
            f"export const board: OurDashboard = {json.dumps(board, indent=1)};\n"
        )
    done = subprocess.run(
        [str(compiler), "-p", str(directory), "--pretty", "false"],
        cwd=directory, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    found: dict[str, list[str]] = defaultdict(list)
    for line in done.stdout.splitlines():
        if problem := re.match(r"(?:.*/)?([\w-]+)\.ts\(\d+,\d+\): (.*)", line):
            found[problem[1]].append(problem[2])
    assert found or done.returncode == 0, done.stdout + done.stderr
    return found


@pytest.mark.timeout(300)
def test_the_dashboards_are_what_grafana_takes_and_a_slip_would_be_told(tmp_path: Path) -> None:
    boards = {path.stem: json.loads(path.read_text()) for path in DIRECTORY.glob("*.json")}
    assert len(boards) >= 5

    def slip(name: str) -> dict[str, Any]:
        return {name: json.loads((DIRECTORY / "cloudflux-overview.json").read_text())}

    unit, option, query, extra = (slip(n) for n in ("unit", "option", "query", "extra"))
    unit["unit"]["panels"][0]["fieldConfig"]["defaults"]["unit"] = 7
    series = next(p for p in option["option"]["panels"] if p["type"] == "timeseries")
    series["options"] = {"legend": {"displayMode": "tabel"}}
    del query["query"]["panels"][0]["targets"][0]["expr"]
    extra["extra"]["panels"][0]["heigth"] = 3
    slips = {**unit, **option, **query, **extra}
    found = check(tmp_path, boards | slips)
    assert {name: found[name] for name in boards if name in found} == {}
    assert set(found) == set(slips)
