"""A job's manifest can be taken home by who may see the job, and nothing beside it."""

import pytest
from tests.unit.console.worlds import fill, job

from cloudflux.console.context import CONSOLE
from cloudflux.console.history import manifest_of

PROOF = {"method": "checksum", "matched": 2, "mismatched": 0, "digest": "sha256:00",
         "manifestUri": "file:///var/lib/cloudflux/jobs/u/manifest.jsonl"}  # fmt: skip
PATH = "/migrations/team-a/move-1/manifest"


@pytest.fixture
def kept(client, tmp_path):
    console = client.app[CONSOLE]
    console.settings = console.settings.model_copy(update={"state_dir": tmp_path})
    fill(console.world, MigrationJob=[job("move-1", phase="Completed", verification=PROOF)])
    directory = tmp_path / "jobs" / "uid-team-a-move-1"
    directory.mkdir(parents=True)
    (directory / "manifest.jsonl").write_text('{"key": "a"}\n')
    (tmp_path / "jobs" / "manifest.jsonl").write_text("not yours")
    return client


async def test_it_is_a_file_to_keep(kept):
    answer = await kept.get(PATH)
    assert (answer.status, await answer.text()) == (200, '{"key": "a"}\n')
    assert answer.content_type == "application/x-ndjson"
    wanted = 'attachment; filename="team-a-move-1-manifest.jsonl"'
    assert answer.headers["Content-Disposition"] == wanted
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert f'href="{PATH}"' in await (await kept.get("/migrations/team-a/move-1")).text()


async def test_what_is_not_there_or_not_ours_is_not_served(kept, tmp_path):
    assert (await kept.get("/migrations/team-a/other/manifest")).status == 404
    console = kept.app[CONSOLE]
    for uid in ("..", ".", "", "../jobs/uid-team-a-move-1", "a/b", "x" * 65, "uid\n"):
        assert manifest_of(console, uid) is None, uid
    path = tmp_path / "jobs" / "uid-team-a-move-1" / "manifest.jsonl"
    path.unlink()
    path.symlink_to("/etc/hostname")
    refused = await kept.get(PATH)
    assert refused.status == 404
    assert "--state-dir" in (await refused.json())["detail"]
    assert f'href="{PATH}"' not in await (await kept.get("/migrations/team-a/move-1")).text()
