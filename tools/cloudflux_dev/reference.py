"""`python -m cloudflux_dev.reference [--check]`: write the pages that tell what the code says.

They are the settings' page, the chart's README and its dashboards.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from cloudflux.settings import Settings
from cloudflux_dev import chart, dashboards

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "settings.md"
HEAD = """<!-- Generated from operator/cloudflux/settings.py by `make crds`; do not edit. -->

# Settings of the operator

Each is an environment variable of `cloudflux operator`. Lists and maps are written as JSON, for
example `CLOUDFLUX_FILE_ROOTS='{"team-a": ["/srv/storage"]}'`. The default grants nothing: no
directory, no endpoint inside the network, not the operator's own cloud identity.

| variable | default | meaning |
|---|---|---|
"""
HIDDEN = {"test_stop_at"}


def variables(
    model: type[BaseModel] = Settings, prefix: str = "CLOUDFLUX_"
) -> Iterator[tuple[str, FieldInfo]]:
    """Yield the name of each variable and its field; nested settings one by one."""
    for name, info in model.model_fields.items():
        if name in HIDDEN:
            continue
        inner = info.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from variables(inner, f"{prefix}{name.upper()}__")
        else:
            yield prefix + name.upper(), info


def settings_page() -> str:
    """Return the page."""
    rows = []
    for name, info in variables():
        default = _default(info.get_default(call_default_factory=True))
        meaning = (info.description or "").replace("|", "\\|")
        rows.append(f"| `{name}` | {default} | {meaning} |")
    return HEAD + "\n".join(rows) + "\n"


def _default(value: Any) -> str:
    if value is None or value in ((), {}, ""):
        return "none"
    return f"`{getattr(value, 'value', value)}`"


PAGES: Mapping[Path, Callable[[], str]] = {PAGE: settings_page, chart.README: chart.readme}


def pages() -> dict[Path, str]:
    """Return every page and dashboard by its path."""
    return {**{path: page() for path, page in PAGES.items()}, **dashboards.files()}


def main(arguments: list[str]) -> int:
    """Write the pages, or with --check say which are out of date."""
    stale = {
        path: wanted
        for path, wanted in pages().items()
        if wanted != (path.read_text() if path.exists() else "")
    }
    if "--check" in arguments:
        for path in stale:
            print(f"Out of date: {path.name}. Run `make crds` and commit the result.")
        return int(bool(stale))
    for path, wanted in stale.items():
        path.write_text(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
