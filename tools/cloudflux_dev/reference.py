"""`python -m cloudflux_dev.reference [--check]`: write docs/reference/settings.md.

The text comes from the settings themselves, so that it can't fall behind them.
"""

import sys
from pathlib import Path
from typing import Any

from cloudflux.settings import Settings

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


def settings_page() -> str:
    """Return the page."""
    rows = []
    for name, info in Settings.model_fields.items():
        if name not in HIDDEN:
            default = _default(info.get_default(call_default_factory=True))
            meaning = (info.description or "").replace("|", "\\|")
            rows.append(f"| `CLOUDFLUX_{name.upper()}` | {default} | {meaning} |")
    return HEAD + "\n".join(rows) + "\n"


def _default(value: Any) -> str:
    if value is None or value in ((), {}):
        return "none"
    return f"`{getattr(value, 'value', value)}`"


def main(arguments: list[str]) -> int:
    """Write the page, or with --check say whether it is out of date."""
    wanted = settings_page()
    current = PAGE.read_text() if PAGE.exists() else ""
    if "--check" in arguments:
        if current != wanted:
            print(f"Out of date: {PAGE.name}. Run `make crds` and commit the result.")
        return int(current != wanted)
    PAGE.write_text(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
