"""Times and durations as people say them."""

import datetime as dt

_UNITS = (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))


def duration(seconds: float | None) -> str:
    """Say a duration in its two largest units: 3 h 12 min. Unknown: a dash."""
    if seconds is None:
        return "—"
    left = int(max(0, seconds))
    parts: list[str] = []
    for name, size in _UNITS:
        if left >= size and len(parts) < 2:
            parts.append(f"{left // size} {name}")
            left %= size
        elif parts:
            break
    return " ".join(parts) or "0 s"


def parse(text: object) -> dt.datetime | None:
    """Read a time of the API; None for anything else."""
    if not isinstance(text, str):
        return None
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=dt.UTC)


def ago(text: object, now: dt.datetime) -> str:
    """Say how long ago a time was, or how long it is until then."""
    at = parse(text)
    if at is None:
        return ""
    seconds = (now - at).total_seconds()
    if abs(seconds) < 1:
        return "now"
    words = duration(abs(seconds)).split(" ")
    rough = " ".join(words[:2])
    return f"{rough} ago" if seconds > 0 else f"in {rough}"
