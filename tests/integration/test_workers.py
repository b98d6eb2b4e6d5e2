"""Workers as plain calls: every object once, whatever is killed; claims are checked."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.integration.moving import Move, contents_of, file_ref, fill

from cloudflux.api.move_tasks import (
    GatherRequest,
    GatherResult,
    ShareRequest,
    ShareResult,
    WorkerTask,
)
from cloudflux.errors import PermissionDenied, Unavailable
from cloudflux.migration import worklist
from cloudflux.migration.files import JobFiles
from cloudflux.migration.place import place
from cloudflux.migration.session import Limiter, Session
from cloudflux.storage.registry import open_store
from cloudflux.workers import run as worker_run
from cloudflux.workers.run import AGAIN, DONE, NEVER, WorkerContext, run_worker


@pytest.fixture
def move(tmp_path: Path) -> Move:
    made = Move(
        tmp_path / "state", file_ref(tmp_path / "a", tmp_path), file_ref(tmp_path / "b", tmp_path)
    )
    fill(tmp_path / "a", 40)
    made.plan()
    return made


def shared(move: Move, workers: int = 2, *, anew: bool = False) -> ShareResult:
    return move.serve("mover.share", ShareRequest(**move.base(), workers=workers, anew=anew))


def gathered(move: Move, share: ShareResult, seen: tuple[int, ...]) -> GatherResult:
    return move.serve(
        "mover.gather",
        GatherRequest(**move.base(), run=share.run, workers=share.workers, seen=seen),
    )


def work(move: Move, share: ShareResult, worker: int, directory: Path) -> int:
    """One pod's life; its directory is its own and is lost with it."""
    source, target = open_store(move.source), open_store(move.target)
    session = Session(
        WorkerContext(directory), source, target, JobFiles(directory, move.uid), Limiter(None)
    )
    try:
        return run_worker(session, WorkerTask(**move.base(), run=share.run), worker)
    finally:
        source.close()
        target.close()


@pytest.fixture
def placed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Keys of the objects that anybody copies, in order."""
    keys: list[str] = []

    def counting(session: Any, request: Any, listed: Any, *rest: Any) -> Any:
        moved = place(session, request, listed, *rest)
        keys.append(listed.key)
        return moved

    monkeypatch.setattr(worker_run, "place", counting)
    monkeypatch.setattr("cloudflux.migration.copy.place", counting)
    return keys


def left_at(directory: Path) -> list[str]:
    return [str(p) for p in (directory / ".cloudflux").rglob("*") if p.is_file()]


def test_workers_copy_everything_and_the_operator_proves_it(
    move: Move, tmp_path: Path, placed: list[str]
) -> None:
    share = shared(move, 3)
    assert (share.workers, share.objects) == (3, 40)
    for worker in range(3):
        assert work(move, share, worker, tmp_path / f"pod-{worker}") == DONE
    got = gathered(move, share, (0, 0, 0))
    assert (got.objects, got.error) == (40, None)
    assert got.size_bytes == share.size_bytes
    assert gathered(move, share, got.seen) == got
    assert move.until_switched().matched == 40
    assert sorted(placed) == sorted(contents_of(tmp_path / "a"))
    assert contents_of(tmp_path / "a") == contents_of(tmp_path / "b")
    assert [Path(p).name for p in left_at(tmp_path / "b")] == ["location.json"]


def test_what_a_killed_worker_told_is_not_copied_again(
    move: Move, tmp_path: Path, placed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_run, "TELL_RECORDS", 1)
    share = shared(move, 1)
    counting, calls = worker_run.place, []

    def dies(*arguments: Any) -> Any:
        calls.append(1)
        if len(calls) > 15:
            raise Unavailable("the node is going down")
        return counting(*arguments)

    monkeypatch.setattr(worker_run, "place", dies)
    assert work(move, share, 0, tmp_path / "pod-0") == AGAIN
    monkeypatch.setattr(worker_run, "place", counting)
    before = list(placed)
    assert before
    assert work(move, share, 0, tmp_path / "pod-0-again") == DONE
    assert not set(placed[len(before) :]) & set(before)
    assert sorted(placed) == sorted(contents_of(tmp_path / "a"))


def test_a_job_deleted_by_hand_is_shared_anew_without_what_was_told(
    move: Move, tmp_path: Path, placed: list[str]
) -> None:
    first = shared(move, 2)
    assert work(move, first, 0, tmp_path / "pod-0") == DONE
    done = len(placed)
    assert 0 < done < 40
    assert shared(move, 2) == first
    second = shared(move, 2, anew=True)
    assert second.run != first.run
    assert (second.objects, second.objects_before) == (40 - done, done)
    for worker in range(second.workers):
        assert work(move, second, worker, tmp_path / f"again-{worker}") == DONE
    assert move.until_switched().matched == 40
    assert sorted(placed) == sorted(contents_of(tmp_path / "a"))


def test_the_operator_copies_what_no_worker_did(
    move: Move, tmp_path: Path, placed: list[str]
) -> None:
    share = shared(move, 2)
    assert work(move, share, 1, tmp_path / "pod-1") == DONE
    assert move.until_switched().matched == 40
    assert sorted(placed) == sorted(contents_of(tmp_path / "a"))


def test_claims_that_the_target_does_not_show_are_not_believed(
    move: Move, tmp_path: Path, placed: list[str]
) -> None:
    share = shared(move, 1)
    store = open_store(move.target)
    line = {"size": 100, "version": "v", "target_version": "t", "class": "", "digests": {}}
    planned = next(iter(contents_of(tmp_path / "a")))
    (tmp_path / "b" / "stranger").write_bytes(b"not ours")
    claims = [
        {**line, "key": "stranger"},
        {**line, "key": "../../etc/passwd"},
        {**line, "key": planned.replace(" ", "%20"), "attested": "crc32c"},
        {"key": 7},
        {**line, "key": planned, "digests": "no mapping"},
    ]
    data = b'{"objects":-5,"bytes":"x"}\n' + b"\n".join(json.dumps(c).encode() for c in claims)
    worklist.write_object(
        store, worklist.told_key(move.uid, share.run, 0, 1), data + b"\nnonsense{\n"
    )
    assert gathered(move, share, (0,)).objects == 0
    copied = move.copy()
    assert copied.objects_done == 40
    assert sorted(placed) == sorted(contents_of(tmp_path / "a"))
    assert (tmp_path / "b" / "stranger").read_bytes() == b"not ours"


def test_a_claim_without_a_digest_proves_nothing_and_is_not_taken(
    move: Move, tmp_path: Path, placed: list[str]
) -> None:
    share = shared(move, 1)
    assert work(move, share, 0, tmp_path / "pod") == DONE
    store = open_store(move.target)
    key = worklist.told_key(move.uid, share.run, 0, 1)
    with store.open(key) as stream:
        head, *lines = stream.read().splitlines()
    bare = [json.dumps({**json.loads(line), "digests": {"crc9": "0"}}).encode() for line in lines]
    store.delete(key)
    worklist.write_object(store, key, b"\n".join([head, *bare, b""]))
    assert move.until_switched().matched == 40
    assert len(placed) == 80


@pytest.mark.parametrize(
    ("error", "code"), [(PermissionDenied("may not write"), NEVER), (Unavailable("is slow"), AGAIN)]
)
def test_a_worker_that_gives_up_says_why(
    move: Move, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, code: int
) -> None:
    share = shared(move, 1)

    def refuses(*_: Any) -> Any:
        raise error

    monkeypatch.setattr(worker_run, "place", refuses)
    assert work(move, share, 0, tmp_path / "pod") == code
    told = gathered(move, share, (0,)).error
    assert told is not None
    assert told.message == f"worker 0: {error}"
    assert told.retryable is (code == AGAIN)


def test_a_sweep_leaves_no_copy_and_no_work_list(move: Move, tmp_path: Path) -> None:
    share = shared(move, 2)
    assert work(move, share, 0, tmp_path / "pod-0") == DONE
    assert contents_of(tmp_path / "b")
    move.sweep()
    assert contents_of(tmp_path / "b") == {}
    assert left_at(tmp_path / "b") == []


def test_a_shard_that_was_changed_is_not_worked_on(move: Move, tmp_path: Path) -> None:
    share = shared(move, 1)
    store = open_store(move.target)
    worklist.write_object(store, worklist.shard_key(move.uid, share.run, 0), b"{}\n")
    assert work(move, share, 0, tmp_path / "pod") == NEVER
    assert contents_of(tmp_path / "b") == {}
