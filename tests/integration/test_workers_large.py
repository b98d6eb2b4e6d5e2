"""A very large object copied by several workers: each its parts, no part twice."""

import os
from pathlib import Path
from typing import Any

import pytest
from tests.integration.test_mover_large import move, put_source, server
from tests.integration.test_workers import shared, work

from cloudflux.errors import Unavailable
from cloudflux.migration import share_parts
from cloudflux.storage import s3_uploads
from cloudflux.storage.interface import PartSharing
from cloudflux.storage.s3 import S3Store
from cloudflux.workers.run import AGAIN, DONE

__all__ = ["move", "server"]
SIZE = (60 << 20) + 12_345
PARTS = 8
PROBE_BYTES = 5


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(share_parts, "SPLIT_BYTES", 16 << 20)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Numbers of the parts that anybody sends, in order."""
    numbers: list[int] = []
    real = s3_uploads.send_part

    def counting(upload: Any, upload_id: str, number: int, body: bytes) -> Any:
        part = real(upload, upload_id, number, body)
        if len(body) > PROBE_BYTES:
            numbers.append(number)
        return part

    monkeypatch.setattr(s3_uploads, "send_part", counting)
    return numbers


@pytest.fixture
def data(move: Any) -> bytes:
    made = os.urandom(SIZE)
    put_source(move, made)
    move.plan()
    return made


def at_target(move: Any) -> bytes:
    with S3Store.from_ref(move.target).open("big") as stream:
        return stream.read()


def test_workers_send_ranges_of_one_object_and_the_operator_only_ends_it(
    move: Any, data: bytes, sent: list[int], tmp_path: Path
) -> None:
    share = shared(move, 3)
    assert share.objects == 1
    assert share.size_bytes == SIZE
    assert share.workers == 3
    sent.clear()
    for worker in range(3):
        before = len(sent)
        assert work(move, share, worker, tmp_path / f"pod-{worker}") == DONE
        assert 0 < len(sent) - before < PARTS
    assert sorted(sent) == list(range(1, PARTS + 1))
    assert move.until_switched().matched == 1
    assert sorted(sent) == list(range(1, PARTS + 1))
    assert at_target(move) == data


def test_after_a_kill_only_what_the_server_lacks_is_sent(
    move: Any, data: bytes, sent: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    share = shared(move, 2)
    sent.clear()
    counting = s3_uploads.send_part

    def dies(*arguments: Any) -> Any:
        if len(sent) >= 2:
            raise Unavailable("the node is going down")
        return counting(*arguments)

    monkeypatch.setattr(s3_uploads, "send_part", dies)
    assert work(move, share, 0, tmp_path / "pod-0") == AGAIN
    monkeypatch.setattr(s3_uploads, "send_part", counting)
    done = set(sent)
    assert done
    # its Job is deleted by hand: what is left is shared anew, and goes to the same upload
    second = shared(move, 2, anew=True)
    assert second.run != share.run
    assert work(move, second, 1, tmp_path / "pod-1") == DONE
    assert move.until_switched().matched == 1
    assert sorted(sent) == list(range(1, PARTS + 1))
    assert at_target(move) == data


def test_a_source_that_changes_is_not_mixed_of_two_versions(
    move: Any, data: bytes, tmp_path: Path
) -> None:
    share = shared(move, 2)
    assert work(move, share, 0, tmp_path / "pod-0") == DONE
    newer = bytes(len(data))
    put_source(move, newer)
    assert work(move, share, 1, tmp_path / "pod-1") == DONE
    assert move.until_switched().matched == 1
    assert at_target(move) == newer


def test_nothing_is_shared_where_the_server_does_not_list_its_parts(
    move: Any, data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = S3Store.from_ref(move.target)
    assert isinstance(store, PartSharing)
    assert store.lists_shared_parts()
    assert list(store.uploads()) == []
    monkeypatch.setattr(S3Store, "lists_shared_parts", lambda _self: False)
    share = shared(move, 3)
    assert (share.shards, share.workers) == (1, 1)
    assert work(move, share, 0, tmp_path / "pod-0") == DONE
    assert at_target(move) == data
