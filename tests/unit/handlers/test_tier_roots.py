"""A policy with a mistake in its tiers does not stop the scans and moves of its neighbours."""

from pathlib import Path
from types import SimpleNamespace as Fake
from typing import Any

from cloudflux.handlers.requests import tier_roots
from cloudflux.settings import Settings


def a_runtime(granted: Path, *roots: str) -> Any:
    policy = Fake(spec=Fake(tiers=[Fake(file_root=root) for root in roots]))
    settings = Settings(file_roots={"team": (str(granted),)})
    return Fake(settings=settings, all=lambda *_: [policy])


def test_roots_that_are_refused_or_absent_are_left_out(tmp_path: Path) -> None:
    cold, gone = tmp_path / "cold", tmp_path / "gone"
    cold.mkdir()
    runtime = a_runtime(tmp_path, cold.as_uri(), gone.as_uri(), "file:///etc", "s3://no/file")
    assert tier_roots(runtime, "team", tmp_path.as_uri()) == (cold.as_uri(),)
    assert tier_roots(runtime, "other", tmp_path.as_uri()) == ()
    assert tier_roots(runtime, "team", "s3://bucket/") == ()


def test_the_root_that_a_job_moves_to_stays_so_that_its_mistake_is_said(tmp_path: Path) -> None:
    gone = (tmp_path / "gone").as_uri()
    runtime = a_runtime(tmp_path, gone)
    assert tier_roots(runtime, "team", tmp_path.as_uri(), gone) == (gone,)
