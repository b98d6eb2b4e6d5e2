"""The inventory is replaced whole or not at all, and remembers when an object was first seen."""

import datetime as dt

import pytest

from cloudflux.access.deltalog import PLACES_TABLE, newest_version
from cloudflux.access.inventory import KeyedDays, hash_keys
from cloudflux.access.store import AccessStore
from cloudflux.errors import ConfigurationError, Unavailable
from cloudflux.storage.interface import ObjectInfo

NOW = dt.datetime(2026, 5, 20, 12, tzinfo=dt.UTC)


def thing(key, *, days=10, size=7, storage_class="STANDARD"):
    return ObjectInfo(key, size, f"v-{key}", storage_class, NOW - dt.timedelta(days))


def write(store, *objects):
    return store.write_inventory("ds", iter(objects), now=NOW)


def first_seen(store):
    return {
        r["key"]: (NOW.date() - r["first_seen"]).days for r in store.inventory("ds").to_pylist()
    }


def test_replaced_whole(tmp_path):
    store = AccessStore(tmp_path)
    totals = write(store, thing("a"), thing("ä", size=3, storage_class="GLACIER"))
    assert totals.classes == {"STANDARD": [1, 7], "GLACIER": [1, 3]}
    rows = {r["key"]: r for r in store.inventory("ds").to_pylist()}
    assert rows["ä"]["version"] == "v-ä"
    assert rows["a"]["last_modified"] == NOW - dt.timedelta(10)
    write(store, thing("b"))
    assert first_seen(store) == {"b": 10}
    write(store)
    assert store.inventory("ds").num_rows == 0


def test_first_seen_is_the_earliest_ever_known(tmp_path):
    store = AccessStore(tmp_path)
    write(store, thing("a", days=50), thing("b", days=5))
    write(store, thing("a", days=1), thing("b", days=9))
    assert first_seen(store) == {"a": 50, "b": 9}


def test_a_failed_listing_keeps_the_previous_one_and_its_error(tmp_path):
    store = AccessStore(tmp_path)
    write(store, thing("a"))

    def failing():
        yield thing("b")
        raise Unavailable("the store did not answer", backend="s3")

    with pytest.raises(Unavailable, match="did not answer"):
        store.write_inventory("ds", failing(), now=NOW)
    assert first_seen(store) == {"a": 10}


def test_a_name_that_is_no_text_is_counted_and_not_tiered(tmp_path):
    store = AccessStore(tmp_path)
    totals = write(store, thing("a"), thing("b\udcff"))
    assert (totals.classes, totals.unnamed) == ({"STANDARD": [2, 14]}, 1)
    assert first_seen(store) == {"a": 10}


def test_a_uid_can_not_leave_the_store(tmp_path):
    with pytest.raises(ConfigurationError):
        AccessStore(tmp_path).inventory("../x")


def test_keyed_days_find_the_smallest():
    hashes = hash_keys(["a", "b", "a"])
    keyed = KeyedDays.sorted(hashes, hashes * 0 + [5, 7, 3])
    assert keyed.find(hash_keys(["a", "b"])).tolist() == [3, 7]
    assert keyed.find(hash_keys(["c"]))[0] > 1 << 60


def test_old_inventories_are_removed_with_their_data_set(tmp_path):
    store = AccessStore(tmp_path)
    write(store, thing("a"))
    now = dt.datetime.now(dt.UTC)
    store.maintain(now)
    assert store.inventory("ds").num_rows == 1
    store.maintain(now + dt.timedelta(401))
    assert store.inventory("ds").num_rows == 0


def test_upkeep_lets_listings_be_written_meanwhile(tmp_path):
    """Another thread is about to write a first inventory, and another one a further version."""
    store, now = AccessStore(tmp_path), dt.datetime.now(dt.UTC)
    store.write_inventory("known", iter(()), now=now)
    inventories = store.path / "inventory"
    (inventories / "new").mkdir()
    draft = inventories / "known" / "_delta_log" / "_commit_1.json.tmp"
    draft.symlink_to(tmp_path / "gone")
    store.maintain(now)
    assert (store.path / "maintained").exists()
    assert (inventories / "new").exists()
    assert newest_version(store.path / PLACES_TABLE) is None, "a signal would make movers load it"
