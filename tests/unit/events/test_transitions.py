"""The local event log."""

from pathlib import Path
from typing import Any

from cloudflux.events.transitions import EventLog


def event(n: int) -> dict[str, Any]:
    return {"specversion": "1.0", "id": f"u:{n}:switched", "data": {"objects": n}}


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
