"""Archived objects are restored first; restores take hours, cost money, and expire."""

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.moving import NOW, FakeContext, Killed, Move, contents_of, file_ref
from tests.servers import s3_ref

from cloudflux.api.migrationjob import RestoreTier
from cloudflux.api.move_tasks import RestoreRequest, RestoreResult
from cloudflux.cli.restoring import await_restore
from cloudflux.errors import BudgetExceeded, NotSupported, RestoreLapsed
from cloudflux_dev.archivefront import ArchiveFront, start_archive_front
from cloudflux_dev.s3servers import S3Server

CONTENTS = {"old/a": b"a" * 1000, "old/b": b"b" * 2000, "old/c": b""}


class Clock:
    """The front's time, and that of the requests."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> dt.datetime:
        return self.now

    def on(self, hours: float) -> None:
        self.now += dt.timedelta(hours=hours)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def front(moto: S3Server, clock: Clock) -> Iterator[ArchiveFront]:
    with start_archive_front(moto.endpoint, clock) as running:
        yield running


@pytest.fixture
def archive(
    moto: S3Server, front: ArchiveFront, tmp_path: Path, request: pytest.FixtureRequest
) -> "Archive":
    before = S3Server(front.endpoint, moto.access_key_id, moto.secret_access_key, 0)
    bucket = f"r{abs(hash(request.node.nodeid)):x}"
    client = before.client()
    client.create_bucket(Bucket=bucket)
    for key, data in CONTENTS.items():
        client.put_object(Bucket=bucket, Key=f"data/{key}", Body=data, StorageClass="GLACIER")
    client.put_object(Bucket=bucket, Key="data/new", Body=b"new", StorageClass="STANDARD_IA")
    source = s3_ref(before, f"s3://{bucket}/data")
    return Archive(client, bucket, Move(tmp_path / "state", source, source))


class Archive:
    """A bucket with archived objects, and the move that restores them."""

    def __init__(self, client: Any, bucket: str, move: Move) -> None:
        self.client, self.bucket, self.move = client, bucket, move
        move.fields |= {"target_class": "STANDARD", "restore_tier": RestoreTier.STANDARD}

    def look(self, clock: Clock, **more: Any) -> RestoreResult:
        request = RestoreRequest(**self.move.base(), now=clock.now, **more)
        return self.move.serve("mover.restore", request)

    def classes(self) -> set[str]:
        listed = self.client.list_objects_v2(Bucket=self.bucket, Prefix="data/")["Contents"]
        return {one["StorageClass"] for one in listed}


def test_a_class_change_waits_for_the_archive_and_asks_once(
    archive: Archive, front: ArchiveFront, clock: Clock
) -> None:
    plan = archive.move.plan()
    assert plan.problems == ()
    assert plan.restore is not None
    assert (plan.restore.objects, plan.restore.hours, plan.restore.days) == (3, 5, 2)
    # 3 requests at 0.05 a thousand; 3000 bytes weigh nothing
    assert 0.00015 <= float(plan.restore.cost) < 0.000151
    assert plan.duration_seconds >= 5 * 3600
    assert any("3 archived objects restored first" in words for words in plan.warnings)
    first = archive.look(clock)
    assert (first.waiting, first.ready, first.requested, first.hours) == (3, 0, 3, 5)
    clock.on(hours=4)
    assert archive.look(clock).waiting == 3
    clock.on(hours=2)
    last = archive.look(clock)
    assert (last.waiting, last.ready, last.requested) == (0, 3, 3)
    assert front.requests == 3
    archive.move.until_switched()
    assert archive.classes() == {"STANDARD"}


def test_what_expires_before_it_is_moved_is_asked_for_again_within_the_budget(
    archive: Archive, front: ArchiveFront, clock: Clock
) -> None:
    archive.move.plan()
    archive.look(clock)
    clock.on(hours=6)
    assert archive.look(clock).waiting == 0
    clock.on(hours=24 * 3)
    copied = archive.move.copy()
    assert [one.reason for one in copied.failures] == ["ObjectArchived"] * 3
    with pytest.raises(BudgetExceeded, match=r"spec\.budget\.maxCost leaves 0"):
        archive.look(clock, budget_left="0")
    again = archive.look(clock, budget_left="0.0002")
    assert (again.waiting, again.requested) == (3, 6)
    assert float(again.cost) == pytest.approx(2 * 0.00015, rel=0.01)
    clock.on(hours=6)
    assert archive.look(clock).waiting == 0
    assert archive.move.copy().objects_failed == 0
    assert archive.classes() == {"STANDARD"}


def test_objects_that_always_expire_are_not_asked_for_for_ever(
    archive: Archive, front: ArchiveFront, clock: Clock
) -> None:
    archive.move.plan()
    for _ in range(2):
        archive.look(clock, max_rounds=2)
        clock.on(hours=24 * 4)
    with pytest.raises(RestoreLapsed, match=r"spec\.restore\.days"):
        archive.look(clock, max_rounds=2)
    assert front.requests == 6


@pytest.mark.parametrize("point", ["restore.object.before", "restore.object.after"])
def test_a_kill_asks_for_nothing_twice(
    archive: Archive, front: ArchiveFront, clock: Clock, point: str
) -> None:
    archive.move.plan()
    archive.move.fields["parallelism"] = 1
    archive.move.context = FakeContext(archive.move.state_dir, stop_at=point, hits=2)
    with pytest.raises(Killed):
        archive.look(clock)
    archive.move.context = FakeContext(archive.move.state_dir)
    archive.look(clock)
    assert front.requests == 3
    clock.on(hours=6)
    assert archive.look(clock).waiting == 0


def test_a_move_to_another_place_reads_what_was_restored(
    archive: Archive, clock: Clock, tmp_path: Path
) -> None:
    move = archive.move
    move.target = file_ref(tmp_path / "target", tmp_path)
    del move.fields["target_class"]
    plan = move.plan()
    assert plan.problems == ()
    assert plan.restore is not None
    archive.look(clock)
    clock.on(hours=6)
    assert archive.look(clock).waiting == 0
    move.until_switched()
    assert contents_of(tmp_path / "target") == {**CONTENTS, "new": b"new"}


def test_without_a_tier_archived_objects_block_the_plan(archive: Archive) -> None:
    archive.move.fields["restore_tier"] = RestoreTier.NEVER
    (problem,) = archive.move.plan().problems
    assert "3 objects in GLACIER must be restored" in problem
    assert "--restore" in problem


def test_the_command_line_waits_and_moves_what_it_finds_archived(
    archive: Archive, front: ArchiveFront, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    archive.move.plan()
    request = RestoreRequest(**archive.move.base(), now=clock.now)
    context = archive.move.context

    def sleep(seconds: float) -> None:
        clock.on(hours=seconds / 3600)

    assert not await_restore(request, context, wait=False, clock=clock, sleep=sleep)
    assert await_restore(request, context, wait=True, clock=clock, sleep=sleep)
    assert clock.now >= NOW + dt.timedelta(hours=5)
    assert front.requests == 3
    assert "0 of 3 restored; up to 5 h" in capsys.readouterr().err


def test_a_store_without_an_archive_says_so(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    ref = file_ref(tmp_path / "data", tmp_path)
    move = Move(tmp_path / "state", ref, ref)
    quote = {"objects": 0, "size_bytes": 0, "tier": "Bulk", "hours": 1, "days": 1, "cost": "0"}
    plan = tmp_path / "state" / "jobs" / move.uid / "plan.json"
    plan.parent.mkdir(parents=True)
    plan.write_text(json.dumps({"restore": {**quote, "terms": []}}))
    with pytest.raises(NotSupported, match="can't restore"):
        move.serve("mover.restore", RestoreRequest(**move.base(), now=NOW))
