"""Every fee of a replay, by class and object, from a price table.

A move to a class with cheaper storage, or from the base class into the automatic one, is a
lifecycle transition: one request, nothing is read. Every other move is a copy: a read with
retrieval at the source and a write at the target. Both pay what is missing to the source's
minimum duration.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cloudflux.brain.cost import storage_per_month
from cloudflux.brain.prices import BYTES_PER_GB, DAYS_PER_MONTH, PriceTable
from cloudflux.errors import ConfigurationError

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Step:
    """Rent a day of an automatic class after so many days without a read."""

    after_idle_days: int
    rent: Array


@dataclass(frozen=True, slots=True)
class Fees:
    """Prices of the classes that may be used. Positions are those of `names`."""

    names: tuple[str, ...]
    sizes: Array
    """Bytes of each object."""
    base: int
    """Where objects start."""
    automatic: int | None
    """The provider's automatic class, where it is among them."""
    rent: tuple[Array, ...]
    """A day's storage by class and object; of automatic classes the first step."""
    steps: tuple[tuple[Step, ...], ...]
    per_request: Array
    per_gb: Array
    move: tuple[tuple[Array, ...], ...]
    """From class, to class: by object, without what minimum duration adds."""
    min_days: npt.NDArray[np.int32]
    watched: npt.NDArray[np.bool_]
    """Objects large enough for an automatic class to move them."""
    per_gb_month: tuple[float, ...]
    """Storage price of the first step, whatever the objects."""
    archived: tuple[bool, ...]
    currency: str
    as_of: str

    def __len__(self) -> int:
        return len(self.names)

    def read_cost(self, position: int, size_bytes: Array) -> Array:
        """Price one read of whole objects in one class."""
        return np.asarray(
            self.per_request[position] + self.per_gb[position] * size_bytes / BYTES_PER_GB
        )


def build_fees(table: PriceTable, classes: Sequence[str], size_bytes: Array) -> Fees:
    """Price the classes for these sizes. Raises PriceUnknown, ConfigurationError."""
    names = _names(table, classes)
    rents = tuple(storage_per_month(table, name, size_bytes) / DAYS_PER_MONTH for name in names)
    steps = tuple(_steps(table, name, size_bytes) for name in names)
    automatic = [i for i, each in enumerate(steps) if each]
    smallest = [table.prices(names[i]).automatic_min_bytes or 0 for i in automatic]
    return Fees(
        names=names,
        sizes=size_bytes,
        base=names.index(table.base_class),
        automatic=automatic[0] if automatic else None,
        rent=rents,
        steps=steps,
        per_request=np.array([_per_request(table, name) for name in names]),
        per_gb=np.array([table.figure(name, "retrieval_per_gb") for name in names]),
        move=tuple(
            tuple(_move(table, source, target, size_bytes) for target in names) for source in names
        ),
        min_days=np.array(
            [round(table.figure(name, "min_storage_days")) for name in names], dtype=np.int32
        ),
        watched=size_bytes >= min(smallest, default=0),
        per_gb_month=tuple(table.figure(name, "storage_per_gb_month") for name in names),
        archived=tuple(table.prices(name).archived for name in names),
        currency=table.currency,
        as_of=table.date,
    )


def lifecycle(table: PriceTable, source: str, target: str) -> bool:
    """Tell whether a move is billed as the provider's own rule: downwards, nothing is read.

    Into the automatic class that is so from the base class. From a class with a retrieval fee
    it is not: leaving such a class unread through the automatic one would make reads free.
    """
    if table.prices(target).figures.get("transition_in_per_1k") is None:
        return False
    if table.prices(target).automatic_steps and source == table.base_class:
        return True
    figure = "storage_per_gb_month"
    return table.figure(target, figure) < table.figure(source, figure)


def transition_cost(table: PriceTable, target: str, size_bytes: Array) -> Array:
    """Price a move by the provider's own rule."""
    fee = table.figure(target, "transition_in_per_1k") / 1000
    return np.full(size_bytes.shape, fee)


def copy_cost(table: PriceTable, source: str, target: str, size_bytes: Array) -> Array:
    """Price a move by copy: a read with retrieval, and a write where a change is one."""
    read = _per_request(table, source)
    write = table.figure(target, "put_per_1k") / 1000 if table.class_change == "copy" else 0.0
    per_gb = table.figure(source, "retrieval_per_gb")
    return np.asarray(read + write + per_gb * size_bytes / BYTES_PER_GB)


def _names(table: PriceTable, classes: Sequence[str]) -> tuple[str, ...]:
    wanted = list(dict.fromkeys(name.strip() for name in classes if name.strip()))
    for name in wanted:
        table.prices(name)
    if table.base_class not in wanted:
        raise ConfigurationError(
            f"--classes must hold {table.base_class}: every object starts there"
        )
    return tuple(wanted)


def _steps(table: PriceTable, name: str, size_bytes: Array) -> tuple[Step, ...]:
    return tuple(
        Step(
            step.after_idle_days,
            storage_per_month(
                table, name, size_bytes, np.full(size_bytes.shape, float(step.after_idle_days))
            )
            / DAYS_PER_MONTH,
        )
        for step in table.prices(name).automatic_steps
    )


def _per_request(table: PriceTable, name: str) -> float:
    fee = table.figure(name, "get_per_1k")
    if table.prices(name).archived:
        fee += table.limit(name, "restore_request_per_1k")
    return fee / 1000


def _move(table: PriceTable, source: str, target: str, size_bytes: Array) -> Array:
    if source == target:
        return np.zeros(size_bytes.shape)
    leaving = table.limit(source, "leaving_put_per_1k") / 1000
    if lifecycle(table, source, target):
        return transition_cost(table, target, size_bytes) + leaving
    return copy_cost(table, source, target, size_bytes) + leaving
