"""What a kill in the middle of a tier change left is mended without losing a write."""

import os
from pathlib import Path

from cloudflux.storage import file_tiers
from cloudflux.storage.file_paths import Paths


def test_a_copy_older_than_what_the_link_leads_to_never_wins(tmp_path: Path) -> None:
    root, cold = tmp_path / "data", tmp_path / "cold"
    root.mkdir()
    cold.mkdir()
    paths = Paths(root.as_uri(), [str(tmp_path)], [cold.as_uri()])
    path, content = root / "a", file_tiers.content_path(paths.tiers[0], "a")
    content.parent.mkdir(parents=True)
    # On its way home, killed before the names were exchanged; then written through the link.
    swapped = file_tiers.named_beside(path, file_tiers._SWAPPED)
    swapped.write_bytes(b"old")
    os.utime(swapped, ns=(1, 1))
    content.write_bytes(b"old and new")
    path.symlink_to(content)
    file_tiers.recover(paths, path, "a")
    assert path.read_bytes() == b"old and new"
    assert not swapped.exists()
