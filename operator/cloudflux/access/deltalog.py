"""The version of a Delta table by the names in its log: no library, one listing."""

import re
from pathlib import Path

PLACES_TABLE = "places"
"""Directory, in the access store, of the table of places."""

_COMMIT = re.compile(r"(\d{20})\.json")


def newest_version(table: Path) -> int | None:
    """The newest commit's number; None when there is no table."""
    try:
        names = [path.name for path in (table / "_delta_log").iterdir()]
    except FileNotFoundError:
        return None
    found = [int(match[1]) for match in map(_COMMIT.fullmatch, names) if match]
    return max(found, default=None)
