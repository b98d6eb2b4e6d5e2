"""Cutting a list of objects into shards of about equal work, and dealing them to workers. Pure."""

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

OBJECT_BYTES = 256 * 1024
"""What one object costs beside its own bytes: its requests take as long as so many bytes."""
SHARDS_EACH = 8
"""Shards for each worker, so that the last one to end is not far behind the others."""
MOST_OBJECTS = 20_000
"""Objects of one shard at most: its list is read whole, about 4 MB."""


class Sized(Protocol):
    """What has a size."""

    @property
    def size_bytes(self) -> int:
        """Bytes of its content."""
        ...


Item = TypeVar("Item", bound=Sized)


@dataclass(frozen=True, slots=True)
class Shard:
    """Sums of one shard."""

    objects: int
    size_bytes: int

    @property
    def weight(self) -> int:
        """Its work, in bytes."""
        return weight(self.objects, self.size_bytes)


def weight(objects: int, size_bytes: int) -> int:
    """Work of so many objects of so many bytes in all, in bytes."""
    return size_bytes + objects * OBJECT_BYTES


def shard_weight(objects: int, size_bytes: int, workers: int) -> int:
    """How much work a shard holds when the whole is cut for so many workers; at least 1."""
    return max(1, -(-weight(objects, size_bytes) // (workers * SHARDS_EACH)))


def cut(items: Iterable[Item], most_weight: int) -> Iterator[list[Item]]:
    """Yield the items in order, packed into shards; one that is heavier alone stays alone.

    Memory holds one shard at a time, so that the list may be of any length.
    """
    shard: list[Item] = []
    held = 0
    for item in items:
        own = weight(1, item.size_bytes)
        if shard and (held + own > most_weight or len(shard) >= MOST_OBJECTS):
            yield shard
            shard, held = [], 0
        shard.append(item)
        held += own
    if shard:
        yield shard


def deal(weights: Sequence[int], workers: int) -> list[list[int]]:
    """Numbers of the shards of each worker: the heaviest first, each to who has least.

    No worker gets more than the average and one shard.
    """
    dealt: list[list[int]] = [[] for _ in range(workers)]
    heap = [(0, worker) for worker in range(workers)]
    for number in sorted(range(len(weights)), key=lambda n: (-weights[n], n)):
        load, worker = heapq.heappop(heap)
        dealt[worker].append(number)
        heapq.heappush(heap, (load + weights[number], worker))
    return [sorted(numbers) for numbers in dealt]
