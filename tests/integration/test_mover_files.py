"""The mover between directories: the whole way, and everything that can go wrong."""

import hashlib
import json
import threading
from pathlib import Path

import pytest
from tests.integration.moving import FakeContext, Killed, Move, contents_of, file_ref, fill

from cloudflux.api.migrationjob import VerifyMethod
from cloudflux.errors import IntegrityError, PlanChanged, QuotaExceeded
from cloudflux.migration.checkpoint import Checkpoint
from cloudflux.migration.steps import STOP_POINTS
from cloudflux.storage import file_exchange
from cloudflux.storage.file import FileStore

Place = tuple[Path, Path, Move]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    old, new = tmp_path / "old", tmp_path / "new"
    move = Move(tmp_path / "state", file_ref(old, tmp_path), file_ref(new, tmp_path))
    return old, new, move


def test_a_directory_moves_whole_and_is_retired_object_by_object(place: Place) -> None:
    old, new, move = place
    contents = fill(old)
    plan = move.plan()
    assert plan.problems == ()
    assert (plan.objects, plan.size_bytes) == (6, sum(map(len, contents.values())))
    proven = move.until_switched()
    assert (proven.matched, proven.method) == (6, "crc64nvme of the bytes read back")
    assert contents_of(new) == contents == contents_of(old)
    for root in (old, new):
        marker = json.loads((root / ".cloudflux/location.json").read_text())
        assert (marker["target_uri"], marker["generation"]) == (move.target.uri, 1)
    (old / "late.bin").write_bytes(b"late")
    changed = old / next(iter(contents))
    changed.write_bytes(b"changed")
    first = move.retire(proven.digest, max_objects=2)
    assert first.remaining > 0
    last = move.retire(proven.digest)
    assert last.remaining == 0
    assert last.kept_objects == 2
    assert set(contents_of(old)) == {"late.bin", next(iter(contents))} == set(last.kept)
    assert contents_of(new) == contents


def test_the_same_data_gives_the_same_plan(place: Place) -> None:
    old, _, move = place
    fill(old)
    first = move.plan()
    assert move.plan().hash == first.hash
    (old / "one more").write_bytes(b"x")
    assert move.plan().hash != first.hash


def test_unsafe_entries_and_an_occupied_target_block_the_plan(place: Place) -> None:
    old, new, move = place
    fill(old)
    (old / "link").symlink_to("/etc/passwd")
    (new / "stranger").write_bytes(b"not ours")
    problems = "\n".join(move.plan().problems)
    assert "link is a symbolic link" in problems
    assert "stranger" in problems
    assert (new / "stranger").read_bytes() == b"not ours"


@pytest.mark.parametrize("point", [p for p in STOP_POINTS if p != "sweep.object"])
@pytest.mark.parametrize("hit", [1, 3])
def test_a_kill_at_any_step_loses_and_repeats_nothing(place: Place, point: str, hit: int) -> None:
    old, new, move = place
    contents = fill(old)
    move.context = FakeContext(move.state_dir, stop_at=point, hits=hit)

    def whole_way() -> None:
        if not (move.state_dir / "jobs/job-1/plan.json").exists():
            move.plan()
        proven = move.until_switched()
        move.retire(proven.digest)

    killed = False
    try:
        whole_way()
    except Killed:
        killed = True
    assert killed or hit > 1
    written = {path: path.stat().st_ino for path in new.rglob("*.bin")}
    for key, data in contents.items():
        assert data in {path.read_bytes() for path in (old / key, new / key) if path.is_file()}, (
            f"{key} is lost"
        )
    move.context = FakeContext(move.state_dir)
    if point != "retire.object" or not killed:
        if not (move.state_dir / "jobs/job-1/plan.json").exists():
            move.plan()
        if contents_of(old):
            move.until_switched()
    manifest = move.state_dir / "jobs/job-1/manifest.jsonl"
    digest = hashlib.sha256(manifest.read_bytes()).hexdigest()
    while move.retire(digest).remaining:
        pass
    assert contents_of(new) == contents
    assert contents_of(old) == {}
    for path, inode in written.items():
        assert path.stat().st_ino == inode, f"{path} was copied twice"


def test_a_torn_checkpoint_line_is_forgotten(place: Place) -> None:
    old, new, move = place
    contents = fill(old)
    move.plan()
    move.copy()
    checkpoint = move.state_dir / "jobs/job-1/checkpoint.jsonl"
    checkpoint.write_bytes(checkpoint.read_bytes()[:-20])
    before = {path: path.stat().st_ino for path in new.rglob("*.bin")}
    assert move.until_switched().matched == 6
    assert {path: path.stat().st_ino for path in new.rglob("*.bin")} == before
    assert contents_of(new) == contents


@pytest.mark.parametrize("method", [VerifyMethod.CHECKSUM, VerifyMethod.BYTES])
def test_a_flipped_byte_is_caught(place: Place, method: VerifyMethod) -> None:
    old, new, move = place
    key = next(iter(fill(old)))
    move.fields["verify"] = method
    move.plan()
    move.copy()
    data = bytearray((new / key).read_bytes())
    data[50] ^= 1
    (new / key).write_bytes(data)
    proven = move.verify()
    assert proven.mismatched == 1
    assert "sha256" in proven.failures[0].message
    assert not (move.state_dir / "jobs/job-1/manifest.jsonl").exists()


def test_damage_between_proof_and_switch_stops_the_switch(place: Place) -> None:
    old, new, move = place
    key = next(iter(fill(old)))
    move.plan()
    move.copy()
    proven = move.verify()
    (new / key).write_bytes(b"damaged")
    with pytest.raises(IntegrityError):
        move.switch(proven.digest)
    assert not (old / ".cloudflux").exists()


def test_a_kill_before_the_first_record_leaves_no_half_written_copy(place: Place) -> None:
    old, new, move = place
    contents = fill(old, 6)
    move.plan()
    half = new / "part-0" / ".cloudflux-tmp-8d2ea5a6-5d19-4c7e-9b81-04e96e518703"

    def die(name: str) -> None:
        if name == "copy.object.before":
            half.parent.mkdir(parents=True, exist_ok=True)
            half.write_bytes(b"half")
            raise Killed

    move.context.on_point = die
    with pytest.raises(Killed):
        move.copy()
    move.context.on_point = lambda _name: None
    move.copy()
    assert not half.exists()
    assert contents_of(new) == contents


def test_what_appears_changes_and_goes_while_copying_is_followed(place: Place) -> None:
    old, new, move = place
    keys = list(fill(old, 9))
    move.plan()

    once = threading.Lock()  # several threads copy; never given back

    def meddle(name: str) -> None:
        if name == "copy.checkpointed" and once.acquire(blocking=False):
            (old / "new.bin").write_bytes(b"new")
            (old / keys[0]).write_bytes(b"changed")
            (old / keys[1]).unlink()

    move.context.on_point = meddle
    copied = move.copy()
    assert copied.objects_failed == 0
    assert contents_of(new) == contents_of(old)
    assert (new / keys[0]).read_bytes() == b"changed"
    proven = move.verify()
    (old / keys[2]).write_bytes(b"changed after the proof")
    assert move.switch(proven.digest) > 0
    move.until_switched()
    assert contents_of(new) == contents_of(old)


def test_a_foreign_object_at_the_target_is_never_overwritten(place: Place) -> None:
    old, new, move = place
    key = next(iter(fill(old)))
    (new / key).parent.mkdir(parents=True)
    (new / key).write_bytes(b"x" * (old / key).stat().st_size)
    move.plan()
    copied = move.copy()
    assert copied.failures[0].reason == "TargetOccupied"
    residue = move.sweep()
    assert residue.removed_objects == 5
    assert list(contents_of(new)) == [key]
    assert set((new / key).read_bytes()) == set(b"x")


def test_an_identical_object_is_adopted_and_not_swept(place: Place) -> None:
    old, new, move = place
    contents = fill(old)
    key = next(iter(contents))
    (new / key).parent.mkdir(parents=True)
    (new / key).write_bytes(contents[key])
    move.plan()
    assert move.copy().objects_failed == 0
    move.sweep()
    assert list(contents_of(new)) == [key]


def test_a_sweep_puts_back_the_marker_that_was_there(place: Place) -> None:
    old, new, move = place
    fill(old)
    move.plan()
    move.until_switched()
    earlier = (old / ".cloudflux/location.json").read_text()
    third = Move(move.state_dir, move.source, file_ref(new.parent / "c", new.parent), uid="job-2")
    third.plan()
    third.until_switched()
    assert (old / ".cloudflux/location.json").read_text() != earlier
    third.sweep()
    assert json.loads((old / ".cloudflux/location.json").read_text()) == json.loads(earlier)
    assert contents_of(old)
    assert contents_of(new.parent / "c") == {}


def test_a_full_target_is_said_and_leaves_no_part(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new, move = place
    fill(old)
    move.plan()

    def full(*args: object, **kwargs: object) -> None:
        raise QuotaExceeded("no space left on device")

    monkeypatch.setattr(FileStore, "put", full)
    with pytest.raises(QuotaExceeded):
        move.copy()
    assert contents_of(new) == {}


def test_a_grown_data_set_is_planned_again(place: Place) -> None:
    old, _, move = place
    fill(old)
    move.plan()
    (old / "big").write_bytes(b"x" * 100_000)
    with pytest.raises(PlanChanged):
        move.copy(tolerance_percent=10)


@pytest.mark.parametrize("change", ["fewer objects", "fewer bytes"])
def test_a_shrunk_data_set_is_planned_again(place: Place, change: str) -> None:
    old, new, move = place
    largest = max(fill(old).items(), key=lambda item: len(item[1]))[0]
    move.plan()
    if change == "fewer objects":
        (old / largest).unlink()
    else:
        (old / largest).write_bytes(b"")
    with pytest.raises(PlanChanged, match="over 10 % differ"):
        move.copy(tolerance_percent=10)
    assert contents_of(new) == {}
    move.copy(tolerance_percent=100)
    assert contents_of(new) == contents_of(old)


def test_a_deletion_that_a_kill_left_half_done_is_ended_when_the_source_is_retired(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, _, move = place
    fill(old)
    move.plan()
    digest = move.until_switched().digest
    discard = file_exchange.discard

    def dies(*_: object) -> None:
        raise Killed

    monkeypatch.setattr(file_exchange, "discard", dies)
    with pytest.raises(Killed):
        move.retire(digest)
    monkeypatch.setattr(file_exchange, "discard", discard)
    assert list(old.rglob("*aside*")) != []
    assert move.retire(digest).remaining == 0
    left = [path for path in old.rglob("*") if path.is_file() or path.is_symlink()]
    assert [path for path in left if ".cloudflux/" not in str(path)] == []


def test_a_retirement_looks_before_each_deletion_whether_it_was_revoked(place: Place) -> None:
    old, _, move = place
    contents = fill(old)
    move.plan()
    digest = move.until_switched().digest
    revoked = threading.Event()

    class Revoked(FakeContext):
        def check(self) -> None:
            if revoked.is_set():
                raise Killed

    move.context = Revoked(move.state_dir, on_point=lambda name: (
        revoked.set() if name == "retire.object" else None
    ))  # fmt: skip
    with pytest.raises(Killed):
        move.retire(digest)
    assert len(contents_of(old)) == len(contents) - 1


def test_a_source_with_a_later_marker_is_not_retired(place: Place) -> None:
    old, _, move = place
    contents = fill(old)
    move.plan()
    proven = move.until_switched()
    back = Move(move.state_dir, move.target, move.source, uid="job-2")
    back.plan()
    back.until_switched()
    with pytest.raises(Exception, match="later move"):
        move.retire(proven.digest)
    assert contents_of(old) == contents


def test_nothing_is_proven_before_the_disk_has_it(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, _, move = place
    fill(old)

    def full(_: FileStore) -> None:
        raise QuotaExceeded("the disk is full")

    move.plan()
    with monkeypatch.context() as patch:
        patch.setattr(FileStore, "settle", full)
        with pytest.raises(QuotaExceeded):
            move.copy()
    with Checkpoint(move.state_dir / "jobs/job-1/checkpoint.jsonl", boot="another day") as found:
        assert found.moved == {}
    assert move.until_switched().matched == 6
