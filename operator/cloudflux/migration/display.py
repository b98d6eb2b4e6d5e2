"""The strings that `kubectl get migrationjobs` shows."""

from decimal import Decimal

from cloudflux.api.display import display_bytes
from cloudflux.api.migrationjob import JobPin, MigrationJobSpec, PlanStatus, ProgressStatus

_SPANS = ((86400, "d", 3600, "h"), (3600, "h", 60, "m"), (60, "m", 1, "s"))


def human_seconds(seconds: int) -> str:
    """Write a duration with its two largest units: 45s, 2m10s, 3h5m, 2d4h."""
    for size, name, below, below_name in _SPANS:
        if seconds >= size:
            rest = seconds % size // below
            return f"{seconds // size}{name}" + (f"{rest}{below_name}" if rest else "")
    return f"{max(seconds, 0)}s"


def plan_money(plan: PlanStatus) -> str:
    """Write what a plan costs once and what it saves a month; zero is said in words."""
    once, monthly = Decimal(plan.one_off_cost), Decimal(plan.savings_per_month)
    costs = f"costs {plan.one_off_cost} {plan.currency} once" if once else "costs nothing"
    if monthly < 0:
        return f"{costs}, makes each month {-monthly} {plan.currency} dearer"
    if not monthly:
        return f"{costs}, saves nothing"
    return f"{costs}, saves {plan.savings_per_month} {plan.currency} a month"


def source_display(pin: JobPin) -> str:
    """FROM: the location that is read."""
    return pin.source.uri[:253]


def target_display(pin: JobPin) -> str:
    """TO: a storage class, a file tier's root, or another location."""
    return (pin.target_class or pin.target_root or pin.target.uri)[:253]


def wish_displays(spec: MigrationJobSpec, location: str | None) -> dict[str, str]:
    """FROM and TO before source and target are pinned: as the data set and the job say."""
    wish = spec.target
    target = wish.location.uri if wish.location else wish.storage_class or str(wish.tier or "")
    found = {"target_display": target[:253]}
    return found if location is None else {**found, "source_display": location[:253]}


def progress_displays(progress: ProgressStatus) -> dict[str, str | None]:
    """PROGRESS, OBJECTS, BYTES and ETA as fields of the status."""
    eta = progress.estimated_remaining_seconds
    done, total = display_bytes(progress.bytes_done), display_bytes(progress.bytes_total)
    return {
        "progress_display": None if progress.percent is None else f"{progress.percent}%",
        "objects_display": f"{progress.objects_done}/{progress.objects_total}",
        "bytes_display": f"{done}/{total}",
        "eta_display": None if eta is None else human_seconds(eta),
    }
