"""A target that is the source by another name is found before the switch."""

from pathlib import Path

import pytest
from tests.integration.moving import Move, contents_of, file_ref, fill

from cloudflux.errors import TargetOccupied


def test_a_target_that_is_the_source_is_never_switched_to(tmp_path: Path) -> None:
    old = tmp_path / "old"
    contents = fill(old)
    move = Move(tmp_path / "state", file_ref(old, tmp_path), file_ref(old, tmp_path))
    move.plan()
    move.copy()
    proven = move.verify()
    with pytest.raises(TargetOccupied, match="same place"):
        move.switch(proven.digest)
    assert contents_of(old) == contents
    assert not (old / ".cloudflux/location.json").exists()


def test_identical_objects_at_another_place_are_adopted(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    contents = fill(old)
    for name, data in contents.items():
        (new / name).parent.mkdir(parents=True, exist_ok=True)
        (new / name).write_bytes(data)
    move = Move(tmp_path / "state", file_ref(old, tmp_path), file_ref(new, tmp_path))
    move.plan()
    move.until_switched()
    assert '"data_set":"' in (new / ".cloudflux/location.json").read_text()
    assert list((new / ".cloudflux").iterdir()) == [new / ".cloudflux/location.json"]
