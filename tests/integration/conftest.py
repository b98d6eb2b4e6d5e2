"""What several files of these tests share."""

from collections.abc import Iterator

import pytest
from tests.integration.scene import Scene, open_scene

from cloudflux_dev.cluster import ControlPlane


@pytest.fixture(scope="session")
def scene(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """One operator for all that happens to jobs and their data while it runs."""
    with open_scene(control_plane, tmp_path_factory.mktemp("life")) as opened:
        yield opened
