"""What a checkpoint says after a kill, and after a power failure."""

from pathlib import Path

from cloudflux.migration.checkpoint import Checkpoint, Moved


def moved(key: str) -> Moved:
    return Moved(key, 1, "v", "t", "STANDARD", {"sha256": "00"})


def test_copies_that_may_not_be_on_the_disk_are_forgotten_when_the_machine_went_down(
    tmp_path: Path,
) -> None:
    path = tmp_path / "checkpoint.jsonl"
    with Checkpoint(path, boot="monday") as checkpoint:
        checkpoint.add(moved("settled"), on_disk=False)
        checkpoint.settled()
        checkpoint.add(moved("in memory"), on_disk=False)
        checkpoint.add(moved("attested"))
    with Checkpoint(path, boot="monday") as checkpoint:
        assert set(checkpoint.moved) == {"settled", "in memory", "attested"}
    with Checkpoint(path, boot="tuesday") as checkpoint:
        assert set(checkpoint.moved) == {"settled", "attested"}
        checkpoint.add(moved("in memory"), on_disk=False)
    with Checkpoint(path, boot="tuesday") as checkpoint:
        assert set(checkpoint.moved) == {"settled", "in memory", "attested"}
