"""The local event log."""

import datetime as dt
from pathlib import Path
from typing import Any

from cloudflux.events.transitions import EventLog, EventType, cloud_event


def event(n: int, transition: str = "Switched") -> dict[str, Any]:
    return cloud_event(
        EventType.MIGRATION_SWITCHED,
        uid="u",
        generation=n,
        transition=transition,
        subject="n/j",
        data={"objects": n},
        time=dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC),
    )


def test_the_shape_is_that_of_cloudevents_and_the_id_repeats() -> None:
    built = event(3)
    assert built["id"] == event(3)["id"] == "u:3:Switched"
    assert built["time"] == "2026-01-02T03:04:05Z"
    assert built["type"] == "io.cloudflux.migration.switched.v1"
    assert {"specversion", "source", "subject", "datacontenttype", "data"} <= set(built)


def test_what_was_appended_is_read_in_order_and_a_torn_line_is_skipped(tmp_path: Path) -> None:
    log = EventLog(tmp_path)
    log.append(event(1))
    log.append(event(2))
    with (tmp_path / "events.jsonl").open("ab") as stream:
        stream.write(b'{"torn')
    assert [e["data"]["objects"] for e in EventLog(tmp_path).read()] == [1, 2]


def test_it_is_bounded_and_keeps_the_newest(tmp_path: Path) -> None:
    log = EventLog(tmp_path, max_bytes=4000)
    for n in range(200):
        log.append(event(n))
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 4000
    kept = [e["data"]["objects"] for e in log.read()]
    assert kept == list(range(kept[0], 200))
    assert len(kept) >= 4


def test_a_disk_that_refuses_is_counted_not_raised(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "missing")
    log.append(event(1))
    assert log.dropped == 1
