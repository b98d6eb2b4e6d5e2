"""What storing, reading and moving costs: every fee, vectorised over objects.

Sizes are bytes, days are days, results are money in the table's currency (float64 inside;
`money` rounds at the edges). Raises PriceUnknown when a figure that is needed is missing.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from cloudflux.brain.automatic import expected_step_shares
from cloudflux.brain.prices import BYTES_PER_GB, DAYS_PER_MONTH, PriceTable

Array = npt.NDArray[np.float64]

COPY_PART_BYTES = 512 * 2**20
"""Above the largest single copy a copy is made in parts, each billed as a write."""
SINGLE_COPY_BYTES = 5 * 2**30
_COPIES_IN_PARTS = frozenset({"s3", "r2"})


def storage_per_month(
    table: PriceTable, name: str, size_bytes: Array, idle_days: Array | None = None
) -> Array:
    """Return the rent a month as things are, with minimum size and overhead.

    For automatic classes: the step that `idle_days` without a read (default 0) has reached,
    and the monitoring fee.
    """
    prices = table.prices(name)
    rate = np.full(size_bytes.shape, table.figure(name, "storage_per_gb_month"))
    if prices.automatic_min_bytes is None:
        return _rent(table, name, size_bytes, rate)
    idle = np.zeros(size_bytes.shape) if idle_days is None else idle_days
    watched = size_bytes >= prices.automatic_min_bytes
    for step in prices.automatic_steps:
        reached = watched & (idle >= step.after_idle_days)
        rate = np.where(reached, table.step_price(name, step), rate)
    return _rent(table, name, size_bytes, rate) + watched * _monitoring(table, name)


def storage_cost(
    table: PriceTable,
    name: str,
    size_bytes: Array,
    reads_per_day: Array,
    idle_days: Array,
    days: int,
) -> Array:
    """Return the rent expected over `days`.

    For automatic classes each read resets the idle clock, which starts at `idle_days`; reads
    come at random at the given rate.
    """
    prices = table.prices(name)
    if prices.automatic_min_bytes is None:
        return storage_per_month(table, name, size_bytes) * (days / DAYS_PER_MONTH)
    steps = prices.automatic_steps
    shares = expected_step_shares(
        reads_per_day, idle_days, days, [step.after_idle_days for step in steps]
    )
    rates = [table.figure(name, "storage_per_gb_month")]
    rates += [table.step_price(name, step) for step in steps]
    watched = size_bytes >= prices.automatic_min_bytes
    mean_rate = sum((share * rate for share, rate in zip(shares, rates, strict=True)), 0.0)
    rate = np.where(watched, mean_rate, rates[0])
    per_month = _rent(table, name, size_bytes, rate) + watched * _monitoring(table, name)
    return per_month * (days / DAYS_PER_MONTH)


def read_cost(table: PriceTable, name: str, size_bytes: Array) -> Array:
    """Price one read of the whole object: request and retrieval, and restore where archived."""
    per_gb = table.figure(name, "retrieval_per_gb")
    requests = table.figure(name, "get_per_1k")
    if table.prices(name).archived:
        requests += table.limit(name, "restore_request_per_1k")
    return requests / 1000 + per_gb * size_bytes / BYTES_PER_GB


def early_deletion(table: PriceTable, name: str, size_bytes: Array, days_in_class: Array) -> Array:
    """Return the rent of the days missing to the minimum duration, prorated by the day.

    Billed on deletion, overwriting and class change alike.
    """
    missing = np.maximum(table.figure(name, "min_storage_days") - days_in_class, 0.0)
    if not missing.any():
        return np.zeros(size_bytes.shape)
    return storage_per_month(table, name, size_bytes) * missing / DAYS_PER_MONTH


def class_change(
    table: PriceTable, source: str, target: str, size_bytes: Array, days_in_class: Array
) -> Array:
    """Price one change of class in place, where the store makes it at our request.

    | provider | down | up |
    |---|---|---|
    | S3, R2, GCS (a copy onto itself) | write at the target, retrieval at the source | the same |
    | Azure (Set Blob Tier) | one write at the target | one read and retrieval at the source |

    Each also bills early deletion, and a restore where the source is archived. What leaves an
    automatic class may bill a write of its own (Azure Smart tier: a Cool write).
    """
    if table.class_name(source) == table.class_name(target) and table.provider != "file":
        return np.zeros(size_bytes.shape)
    retrieval = table.figure(source, "retrieval_per_gb") * size_bytes / BYTES_PER_GB
    if table.class_change == "copy":
        fees = retrieval + entry(table, target, size_bytes)
    elif goes_down(table, source, target) or table.prices(target).automatic_min_bytes is not None:
        fees = entry(table, target, size_bytes)
    else:
        fees = retrieval + table.figure(source, "get_per_1k") / 1000
    per_1k = table.limit(source, "leaving_put_per_1k")
    if table.prices(source).archived:
        per_1k += table.limit(source, "restore_request_per_1k")
    return fees + per_1k / 1000 + early_deletion(table, source, size_bytes, days_in_class)


def entry(table: PriceTable, name: str, size_bytes: Array) -> Array:
    """Price the request that puts an object into a class from a class that bills nothing."""
    if table.class_change != "copy":
        return np.full(size_bytes.shape, table.figure(name, "transition_in_per_1k") / 1000)
    writes = _writes(size_bytes) if table.provider in _COPIES_IN_PARTS else 1.0
    return np.broadcast_to(writes * table.figure(name, "put_per_1k") / 1000, size_bytes.shape)


def goes_down(table: PriceTable, source: str, target: str) -> bool:
    """Tell whether the target is rented for less than the source: a colder tier."""
    rent = "storage_per_gb_month"
    return table.figure(target, rent) < table.figure(source, rent)


def location_change(
    source_table: PriceTable,
    source: str,
    target_table: PriceTable,
    target: str,
    size_bytes: Array,
    days_in_class: Array,
    *,
    crosses_region: bool,
    double_copy_days: float,
) -> Array:
    """Price one move to another location.

    Read, egress, write, one request for the proof, both copies for `double_copy_days`, and
    early deletion when the source is retired.
    """
    gigabytes = size_bytes / BYTES_PER_GB
    fees = read_cost(source_table, source, size_bytes)
    fees = fees + egress_per_gb(source_table, target_table, crosses_region) * gigabytes
    fees = fees + _writes(size_bytes) * target_table.figure(target, "put_per_1k") / 1000
    fees = fees + target_table.figure(target, "get_per_1k") / 1000
    twice = storage_per_month(source_table, source, size_bytes) * double_copy_days / DAYS_PER_MONTH
    held = days_in_class + double_copy_days
    return fees + twice + early_deletion(source_table, source, size_bytes, held)


def egress_per_gb(source: PriceTable, target: PriceTable, crosses_region: bool) -> float:
    """Return what a GB pays to leave: nothing within a region."""
    if source.provider != target.provider:
        return source.transfer("internet_per_gb")
    return source.transfer("inter_region_per_gb") if crosses_region else 0.0


def by_class(names: Sequence[str]) -> dict[str, npt.NDArray[np.intp]]:
    """Find the positions of each name, so that a class is priced once for all its objects."""
    number = {name: position for position, name in enumerate(sorted(set(names)))}
    codes = np.fromiter(map(number.__getitem__, names), dtype=np.intp, count=len(names))
    return {name: np.flatnonzero(codes == position) for name, position in number.items()}


def _rent(table: PriceTable, name: str, size_bytes: Array, rate: Array) -> Array:
    own = table.limit(name, "overhead_own_rate_bytes")
    at_base = table.limit(name, "overhead_standard_rate_bytes")
    billed = np.maximum(size_bytes, table.figure(name, "min_billable_bytes")) + own
    rent = billed / BYTES_PER_GB * rate
    if at_base:
        base_rate = table.figure(table.base_class, "storage_per_gb_month")
        rent = rent + at_base / BYTES_PER_GB * base_rate
    return rent


def _monitoring(table: PriceTable, name: str) -> float:
    return table.figure(name, "monitoring_per_1k_month") / 1000


def _writes(size_bytes: Array) -> Array:
    parts = np.ceil(size_bytes / COPY_PART_BYTES) + 2
    return np.where(size_bytes > SINGLE_COPY_BYTES, parts, 1.0)
