"""What access times prove, and which mounts record them."""

import datetime as dt
from pathlib import Path

import pytest

from cloudflux.access.atime import atime_support, read_by_atime
from cloudflux.access.places import Place
from cloudflux.access.store import AccessStore
from cloudflux.storage.interface import ObjectInfo

NOW = dt.datetime(2026, 5, 20, 12, tzinfo=dt.UTC)
MOUNTS = """\
22 1 0:20 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:21 / /fast rw,noatime shared:2 - xfs /dev/sdb1 rw
31 22 0:22 / /fast/deep rw,nodev - xfs /dev/sdc1 rw
32 22 0:23 / /with\\040blank rw,noatime - xfs /dev/sdd1 rw
33 22 0:24 / /over rw,noatime - tmpfs t rw
34 33 0:25 / /over rw,relatime - tmpfs t rw
35 22 0:26 / /image ro,relatime - iso9660 /dev/loop0 ro
short line
"""


def file(key="a", *, accessed=None, modified=30, size=5):
    return ObjectInfo(
        key,
        size,
        "v",
        "file:///hot",
        NOW - dt.timedelta(modified),
        None if accessed is None else NOW - dt.timedelta(accessed),
    )


@pytest.mark.parametrize(
    ("path", "recorded", "words"),
    [
        ("/srv/data", True, "to the day"),
        ("/fast", False, "mounted noatime"),
        ("/fast/x", False, "mounted noatime"),
        ("/fast/deep/x", True, "exactly"),
        ("/faster", True, "to the day"),
        ("/with blank/x", False, "mounted noatime"),
        ("/over/x", True, "to the day"),
        ("/image/x", False, "read-only"),
    ],
)
def test_mounts(path, recorded, words):
    support = atime_support(Path(path), MOUNTS)
    assert support.recorded is recorded
    assert words in support.message


def test_no_mount_is_no_signal():
    assert not atime_support(Path("/x"), "").recorded


def test_a_read_is_an_access_after_the_last_write():
    assert read_by_atime(file(accessed=3), NOW) == NOW - dt.timedelta(3)
    assert read_by_atime(file(accessed=30), NOW) is None
    assert read_by_atime(file(accessed=31), NOW) is None
    assert read_by_atime(file(), NOW) is None
    assert read_by_atime(file(accessed=-2), NOW) == NOW


def scan(store, files, now=NOW):
    store.register("ds", Place("atime:ds", "", "", now.date()), 400)
    store.write_inventory("ds", iter(files), uses_atime=True, now=now)
    store.note_scan("ds", now, recorded=True)
    table = store.daily_reads("ds", dt.date(2026, 1, 1), dt.date(2026, 12, 31))
    return sorted(
        (r["key"], r["day"].isoformat(), r["reads"], r["bytes"]) for r in table.to_pylist()
    )


def test_each_changed_access_time_is_one_read_on_its_day(tmp_path):
    store = AccessStore(tmp_path)
    first = [("a", "2026-05-17", 1, 5)]
    assert scan(store, [file(accessed=3), file("b")]) == first
    assert scan(store, [file(accessed=3), file("b")]) == first
    assert scan(store, [file(accessed=2.9), file("b", accessed=1)]) == [
        *first,
        ("b", "2026-05-19", 1, 5),
    ]
    assert store.last_read_at("ds") == NOW - dt.timedelta(1)
    assert set(
        store.coverage("ds", dt.date(2026, 4, 20), dt.date(2026, 5, 19))["state"].to_pylist()
    ) == {"complete"}
    assert store.coverage("ds", dt.date(2026, 4, 19), dt.date(2026, 4, 19))[
        "state"
    ].to_pylist() == ["unknown"]


def test_a_kill_between_reads_and_inventory_counts_nothing_twice(tmp_path):
    store = AccessStore(tmp_path)

    def listing():
        yield from (file(f"k{n}", accessed=3) for n in range(9000))
        raise KeyboardInterrupt

    store.register("ds", Place("atime:ds", "", "", NOW.date()), 400)
    with pytest.raises(KeyboardInterrupt):
        store.write_inventory("ds", listing(), uses_atime=True, now=NOW)
    assert store.inventory("ds").num_rows == 0
    found = scan(store, [file(f"k{n}", accessed=3) for n in range(9000)])
    assert len(found) == 9000
    assert {entry[2] for entry in found} == {1}
