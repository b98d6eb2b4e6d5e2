"""The files of the outbox: what was fsynced is read back, and only droppable events are dropped."""

from pathlib import Path

from tests.unit.events.samples import event

from cloudflux.events.envelope import Event
from cloudflux.events.segments import Dropped, Position, Segments, decode, encode, read_frames


def gap(dropped: Dropped, number: int) -> Event:
    made = event(900_000 + number)
    return made._replace(id=f"gap-{number}-{dropped.count}")


def open_log(path: Path, max_bytes: int = 1 << 20) -> Segments:
    return Segments(path, max_bytes=max_bytes, say=gap)


def everything(log: Segments) -> list[str]:
    return [one.id for one in log.unconfirmed()]


def test_a_frame_gives_back_the_event(tmp_path: Path) -> None:
    made = event(3)
    frame = encode(made)
    assert decode(frame[16:], made.at_ms) == made


def test_what_was_appended_is_there_after_a_kill_and_a_torn_end_is_left_out(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    log.append([event(n) for n in range(5)])
    path = next(tmp_path.glob("*.log"))
    with path.open("ab") as stream:
        stream.write(encode(event(9))[:-3])
    again = open_log(tmp_path)
    again.append([event(6)])
    wanted = [*(f"job-{n}:1:t" for n in range(5)), "job-6:1:t"]
    assert everything(again) == wanted


def test_a_damaged_frame_ends_its_file_not_the_others(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    log.append([event(0), event(1)])
    path = next(tmp_path.glob("*.log"))
    content = bytearray(path.read_bytes())
    content[-5] ^= 0xFF
    path.write_bytes(content)
    again = open_log(tmp_path)
    again.append([event(2)])
    assert everything(again) == ["job-0:1:t", "job-2:1:t"]


def test_what_is_confirmed_is_deleted_and_not_read_again(tmp_path: Path) -> None:
    log = open_log(tmp_path, max_bytes=64 << 10)
    ends = [log.append([event(n)])[1] for n in range(60)]
    assert len(list(tmp_path.glob("*.log"))) > 3
    log.confirm(ends[49])
    assert everything(open_log(tmp_path)) == [f"job-{n}:1:t" for n in range(50, 60)]
    assert len(list(tmp_path.glob("*.log"))) < 10


def test_reading_from_a_position_gives_all_in_order_across_files(tmp_path: Path) -> None:
    log = open_log(tmp_path, max_bytes=64 << 10)
    for n in range(100):
        log.append([event(n)])
    position, found = Position(1, 0), []
    while position < log.end:
        events, position = log.read(position, max_events=7)
        found += [one.id for one in events]
    assert found == [f"job-{n}:1:t" for n in range(100)]


def test_when_full_the_oldest_progress_goes_first_and_never_a_transition(tmp_path: Path) -> None:
    log = open_log(tmp_path, max_bytes=128 << 10)
    for n in range(600):
        log.append([event(n, droppable=n % 10 != 0)])
    held = everything(log)
    for n in range(0, 600, 10):
        assert held.count(f"job-{n}:1:t") == 1
    kept = [int(one.split(":")[0][4:]) for one in held if not one.startswith("gap")]
    dropped = sorted(set(range(600)) - set(kept))
    assert dropped
    assert max(dropped) < 590  # the newest progress is there
    told = sum(int(one.rsplit("-", 1)[1]) for one in held if one.startswith("gap"))
    assert told == len(dropped) == log.dropped.count


def test_transitions_alone_may_exceed_the_limit(tmp_path: Path) -> None:
    log = open_log(tmp_path, max_bytes=32 << 10)
    for n in range(100):
        log.append([event(n)])
    assert everything(log) == [f"job-{n}:1:t" for n in range(100)]
    assert log.filled(Position(1, 0)) > 1


def test_what_is_being_sent_is_not_rewritten(tmp_path: Path) -> None:
    log = open_log(tmp_path, max_bytes=64 << 10)
    for n in range(20):
        log.append([event(n, droppable=True)])
    events, position = log.read(Position(1, 0), max_events=1000)
    log.hold(3)
    before = [list(read_frames(path)) for path in sorted(tmp_path.glob("*.log"))[:3]]
    for n in range(20, 200):
        log.append([event(n, droppable=True)])
    after = [list(read_frames(path)) for path in sorted(tmp_path.glob("*.log"))[:3]]
    assert before == after
    assert log.dropped.count > 0
    assert log.read(position, max_events=1)[0][0].id == f"job-{len(events)}:1:t"
