"""The strings that `kubectl get migrationjobs` shows."""

from cloudflux.api.migrationjob import JobPin, ProgressStatus

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_SPANS = ((86400, "d", 3600, "h"), (3600, "h", 60, "m"), (60, "m", 1, "s"))


def human_bytes(size_bytes: int) -> str:
    """Write a size with three significant digits: 999 B, 1.50 GiB."""
    value, unit = float(size_bytes), 0
    while value >= 1000 and unit < len(_UNITS) - 1:
        value, unit = value / 1024, unit + 1
    if unit == 0:
        return f"{size_bytes} B"
    digits = 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:.{digits}f} {_UNITS[unit]}"


def human_seconds(seconds: int) -> str:
    """Write a duration with its two largest units: 45s, 2m10s, 3h5m, 2d4h."""
    for size, name, below, below_name in _SPANS:
        if seconds >= size:
            rest = seconds % size // below
            return f"{seconds // size}{name}" + (f"{rest}{below_name}" if rest else "")
    return f"{max(seconds, 0)}s"


def source_display(pin: JobPin) -> str:
    """FROM: the location that is read."""
    return pin.source.uri[:253]


def target_display(pin: JobPin) -> str:
    """TO: a storage class, a file tier's root, or another location."""
    return (pin.target_class or pin.target_root or pin.target.uri)[:253]


def progress_displays(progress: ProgressStatus) -> dict[str, str | None]:
    """PROGRESS, OBJECTS, BYTES and ETA as fields of the status."""
    eta = progress.estimated_remaining_seconds
    return {
        "progress_display": None if progress.percent is None else f"{progress.percent}%",
        "objects_display": f"{progress.objects_done}/{progress.objects_total}",
        "bytes_display": f"{human_bytes(progress.bytes_done)}/{human_bytes(progress.bytes_total)}",
        "eta_display": None if eta is None else human_seconds(eta),
    }
