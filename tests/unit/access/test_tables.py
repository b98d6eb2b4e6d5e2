"""A shared snapshot is opened once a version, and never stale."""

import datetime as dt
from pathlib import Path
from unittest.mock import patch

from cloudflux.access import places, tables
from cloudflux.access.deltalog import newest_version
from cloudflux.access.places import Place


def test_an_absent_table_has_no_version_and_no_snapshot(tmp_path: Path) -> None:
    assert newest_version(tmp_path / "none") is None
    assert tables.shared_snapshot(tmp_path / "none") is None
    assert places.places_of(tmp_path / "none", "u") == []


def test_readers_see_each_commit_and_open_the_table_once_for_each(tmp_path: Path) -> None:
    day = dt.date(2026, 11, 21)
    for number in range(3):
        places.register(tmp_path, "u", Place(f"signal-{number}", "b", "p/", day), 30)
        assert len(places.places_of(tmp_path, "u")) == number + 1
        with patch.object(tables, "DeltaTable", side_effect=AssertionError("opened again")):
            assert len(places.places_of(tmp_path, "u")) == number + 1
    assert newest_version(tmp_path) == 3


def test_the_first_place_of_a_signal_counts_since_ever_and_later_ones_since_their_day(
    tmp_path: Path,
) -> None:
    day = dt.date(2026, 11, 21)
    places.register(tmp_path, "u", Place("signal", "b", "old/", day), 30)
    places.register(tmp_path, "u", Place("signal", "b", "new/", day), 30)
    places.register(tmp_path, "u", Place("signal", "b", "new/", day), 30)
    found = {one.prefix: one.since for one in places.places_of(tmp_path, "u")}
    assert found == {"old/": dt.date(1970, 1, 1), "new/": day}
    assert newest_version(tmp_path) == 2, "repeating it writes nothing"
