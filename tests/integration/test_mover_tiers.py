"""File tiers: content moves to another root, a link stays, and the proof is the bytes."""

from pathlib import Path

import pytest
from tests.integration.moving import (
    FakeContext,
    Killed,
    Move,
    contents_of,
    file_ref,
    fill,
    plan_and_move,
)

from cloudflux.migration.steps import STOP_POINTS

POINTS = [p for p in STOP_POINTS if p.startswith(("plan.", "copy.o", "copy.c", "verify."))]


@pytest.fixture
def move(tmp_path: Path) -> Move:
    (tmp_path / "cold").mkdir()
    ref = file_ref(tmp_path / "home", tmp_path)
    root = (tmp_path / "cold").as_uri()
    return Move(tmp_path / "state", ref, ref, {"target_root": root, "tier_roots": (root,)})


@pytest.mark.parametrize("point", POINTS)
def test_a_tier_change_survives_a_kill_at_every_step(
    tmp_path: Path, move: Move, point: str
) -> None:
    home = tmp_path / "home"
    contents = fill(home)
    move.context = FakeContext(move.state_dir, stop_at=point, hits=1)
    with pytest.raises(Killed):
        plan_and_move(move)
    assert contents_of(home) == contents, "the name is never absent"
    move.context = FakeContext(move.state_dir)
    if not (move.state_dir / "jobs/job-1/plan.json").exists():
        move.plan()
    proven = move.until_switched()
    assert (proven.matched, proven.method) == (6, "sha256 of the bytes read back")
    assert contents_of(home) == contents
    assert all((home / key).is_symlink() for key in contents)
    assert move.plan().objects == 0


def test_content_comes_home_again(tmp_path: Path, move: Move) -> None:
    home = tmp_path / "home"
    contents = fill(home)
    move.plan()
    move.until_switched()
    fields = {**move.fields, "target_root": home.as_uri()}
    back = Move(move.state_dir, move.source, move.target, fields, uid="job-2")
    assert back.plan().objects == 6
    back.until_switched()
    assert contents_of(home) == contents
    assert not any((home / key).is_symlink() for key in contents)


def test_a_byte_flipped_in_the_tier_is_caught(tmp_path: Path, move: Move) -> None:
    key = next(iter(fill(tmp_path / "home")))
    move.plan()
    move.copy()
    content = (tmp_path / "home" / key).resolve()
    data = bytearray(content.read_bytes())
    data[7] ^= 1
    content.write_bytes(data)
    proven = move.verify()
    assert proven.mismatched == 1
    assert "sha256" in proven.failures[0].message
