"""Which classes can be the cheapest at all, for an object of a size in a region.

Over a stay of so many days a class costs rent, the way in, and so much for each read: a straight
line over the number of reads. A class whose line is nowhere the lowest is dominated: whatever
the reads, some other class is as cheap. Which ones differs by region and size (Azure Cool is
dominated in eastus and not in eastus2), so ladders are computed, never written down.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from cloudflux.brain import cost
from cloudflux.brain.prices import DAYS_PER_MONTH, PriceTable

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

_TOLERANCE = 1e-12


def useful(table: PriceTable, names: Sequence[str], size_bytes: Array, days: int) -> Mask:
    """Tell which classes (rows) are the cheapest at some number of reads, by size (columns).

    A class is only held against classes that answer as fast and survive the loss of a zone as
    it does. Automatic classes are no straight line: they are always useful and dominate nothing.
    Raises PriceUnknown.
    """
    found = np.ones((len(names), size_bytes.size), dtype=np.bool_)
    straight = [n for n in names if table.prices(n).automatic_min_bytes is None]
    lines = {name: _line(table, name, size_bytes, days) for name in straight}
    for position, name in enumerate(names):
        rivals = [lines[other] for other in straight if _rivals(table, name, other)]
        if name in lines and rivals:
            costs, slopes = (np.stack(rows) for rows in zip(*rivals, strict=True))
            found[position] = _lowest_somewhere(*lines[name], costs, slopes)
    return found


def dominated(
    table: PriceTable, names: Sequence[str], size_bytes: Array, days: int
) -> tuple[str, ...]:
    """Name the classes that are useful to no object of these sizes. Raises PriceUnknown."""
    if not size_bytes.size or len(names) < 2:
        return ()
    used = useful(table, names, np.unique(size_bytes), days)
    return tuple(name for name, row in zip(names, used, strict=True) if not row.any())


def _line(table: PriceTable, name: str, size_bytes: Array, days: int) -> tuple[Array, Array]:
    rent = cost.storage_per_month(table, name, size_bytes) * (days / DAYS_PER_MONTH)
    read = cost.read_cost(table, name, size_bytes)
    return rent + cost.entry(table, name, size_bytes), np.broadcast_to(read, size_bytes.shape)


def _rivals(table: PriceTable, name: str, rival: str) -> bool:
    one, other = table.prices(name), table.prices(rival)
    as_fast = other.first_byte_millis <= one.first_byte_millis
    return rival != name and as_fast and (one.one_zone or not other.one_zone)


def _lowest_somewhere(own: Array, own_slope: Array, rivals: Array, slopes: Array) -> Mask:
    """Tell where some number of reads of at least 0 puts the line strictly below all rivals'."""
    head_start = rivals - own[None, :]
    steeper = own_slope[None, :] - slopes
    with np.errstate(divide="ignore", invalid="ignore"):
        crossing = head_start / steeper
    flat = np.abs(steeper) < _TOLERANCE
    least = np.where(~flat & (steeper < 0), crossing, 0.0).max(axis=0)
    most = np.where(~flat & (steeper > 0), crossing, np.inf).min(axis=0)
    beaten = (flat & (head_start <= _TOLERANCE * np.abs(own)[None, :])).any(axis=0)
    return np.asarray(~beaten & (np.maximum(least, 0.0) < most), dtype=np.bool_)
