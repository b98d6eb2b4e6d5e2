"""Shards hold every object once; no worker has much more to do than another."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from cloudflux.migration.sharding import (
    MOST_OBJECTS,
    OBJECT_BYTES,
    SHARDS_EACH,
    Shard,
    cut,
    deal,
    shard_weight,
)


@dataclass(frozen=True)
class Item:
    number: int
    size_bytes: int


SIZES = st.lists(st.integers(0, 2**40), max_size=200)


@given(sizes=SIZES, workers=st.integers(1, 9))
def test_every_object_is_in_one_shard_in_the_order_of_the_list(
    sizes: list[int], workers: int
) -> None:
    items = [Item(number, size) for number, size in enumerate(sizes)]
    most = shard_weight(len(items), sum(sizes), workers)
    shards = list(cut(items, most))
    assert [item for shard in shards for item in shard] == items
    for shard in shards:
        total = sum(item.size_bytes + OBJECT_BYTES for item in shard)
        assert total <= most or len(shard) == 1
    # a shard and the next are together heavier than one may be, so that there are few
    assert len(shards) <= 2 * workers * SHARDS_EACH + 1


@given(weights=st.lists(st.integers(0, 1000), max_size=100), workers=st.integers(1, 9))
def test_no_worker_gets_more_than_the_average_and_one_shard(
    weights: list[int], workers: int
) -> None:
    dealt = deal(weights, workers)
    assert sorted(number for numbers in dealt for number in numbers) == list(range(len(weights)))
    loads = [sum(weights[number] for number in numbers) for numbers in dealt]
    assert max(loads) <= sum(weights) / workers + max(weights, default=0)


def test_many_small_objects_are_cut_by_their_number() -> None:
    shards = list(cut((Item(n, 0) for n in range(MOST_OBJECTS + 1)), 2**60))
    assert [len(shard) for shard in shards] == [MOST_OBJECTS, 1]


def test_small_objects_weigh_more_than_their_bytes() -> None:
    assert Shard(1000, 1000).weight > Shard(1, 1_000_000).weight
