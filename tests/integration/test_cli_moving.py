"""`move`, `settier` and `verify` as a person calls them: between directories, and on S3."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.moving import contents_of, fill
from typer.testing import CliRunner

from cloudflux.cli.main import app
from cloudflux.migration import checkpoint, settled
from cloudflux.storage.file import FileStore
from cloudflux_dev.s3servers import S3Server, start_moto


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with start_moto() as running:
        yield running


@pytest.fixture
def bucket(server: S3Server, request: pytest.FixtureRequest) -> str:
    name = f"b{abs(hash(request.node.nodeid)):x}"
    server.client().create_bucket(Bucket=name)
    return name


@pytest.fixture
def keys(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", server.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", server.secret_access_key)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server.endpoint)
    monkeypatch.setenv("AWS_REGION", server.region)


class Moves:
    """Runs commands with one state directory."""

    def __init__(self, home: Path) -> None:
        self.source, self.target = home / "source", home / "target"
        self.state = home / "state"
        self.source.mkdir()
        self.target.mkdir()
        self.contents = fill(self.source)

    def move(self, *more: str, status: int = 0, target: str | None = None) -> dict[str, Any]:
        words = [str(self.source), target or str(self.target), *more]
        return self.run("move", *words, "--state-dir", str(self.state), status=status)

    @staticmethod
    def run(*words: str, status: int = 0) -> dict[str, Any]:
        result = CliRunner().invoke(app, [*words, "--json"])
        assert result.exit_code == status, result.output
        return json.loads(result.stdout) if result.stdout.startswith("{") else {}


@pytest.fixture
def moves(tmp_path: Path) -> Moves:
    return Moves(tmp_path)


def test_a_move_copies_and_proves(moves: Moves) -> None:
    found = moves.move()
    assert contents_of(moves.target) == moves.contents
    assert contents_of(moves.source) == moves.contents
    assert (found["objects"], found["failed"]) == (len(moves.contents), 0)
    assert found["method"] == "crc64nvme of the bytes read back"


def test_a_second_run_reads_nothing(moves: Moves, monkeypatch: pytest.MonkeyPatch) -> None:
    moves.move()

    def never(*_: object, **__: object) -> None:
        raise AssertionError("an object was read")

    monkeypatch.setattr(FileStore, "open", never)
    monkeypatch.setattr(FileStore, "head", never)
    found = moves.move()
    assert found["already_there"]
    assert found["objects"] == len(moves.contents)


def test_after_a_power_failure_what_did_not_wait_for_the_disk_is_looked_at(
    moves: Moves, monkeypatch: pytest.MonkeyPatch
) -> None:
    moves.move()
    assert moves.move()["already_there"]
    monkeypatch.setattr(checkpoint, "boot_id", lambda: "another day")
    monkeypatch.setattr(settled, "boot_id", lambda: "another day")
    found = moves.move("--durable")
    assert not found["already_there"]
    assert (found["objects"], found["failed"]) == (len(moves.contents), 0)
    monkeypatch.setattr(settled, "boot_id", lambda: "a third day")
    assert moves.move()["already_there"]


def test_what_changed_at_the_source_is_moved_again(moves: Moves) -> None:
    moves.move()
    (moves.source / "part-0" / "object 0.bin").write_bytes(b"other content")
    (moves.source / "new").write_bytes(b"new")
    found = moves.move()
    assert not found["already_there"]
    assert contents_of(moves.target) == contents_of(moves.source)


def test_what_was_removed_at_the_target_is_moved_again(moves: Moves) -> None:
    moves.move()
    (moves.target / "part-0" / "object 0.bin").unlink()
    assert not moves.move()["already_there"]
    assert contents_of(moves.target) == moves.contents


def test_what_was_altered_at_the_target_is_found_and_kept(moves: Moves) -> None:
    moves.move()
    altered = moves.target / "part-0" / "object 0.bin"
    altered.write_bytes(b"someone else's")
    found = moves.move(status=3)
    assert found["failed"] == 1
    assert "object%200.bin" in found["failures"][0]["key"]
    assert altered.read_bytes() == b"someone else's"


def test_copies_stay_when_the_source_is_gone(moves: Moves) -> None:
    moves.move()
    (moves.source / "part-0" / "object 0.bin").unlink()
    moves.move()
    assert contents_of(moves.target) == moves.contents


def test_the_source_is_deleted_only_when_asked_and_only_what_was_proven(moves: Moves) -> None:
    found = moves.move("--delete-source")
    assert found["deleted"] == len(moves.contents)
    assert contents_of(moves.source) == {}
    assert contents_of(moves.target) == moves.contents
    assert moves.move("--delete-source")["failed"] == 0
    assert contents_of(moves.target) == moves.contents


def test_a_dry_run_says_the_price_and_writes_nothing(moves: Moves) -> None:
    plan = moves.move("--dry-run")
    assert plan["objects"] == len(moves.contents)
    assert float(plan["one_off_cost"]) >= 0
    assert contents_of(moves.target) == {}


def test_objects_of_others_are_refused(moves: Moves) -> None:
    other = moves.target / "part-0" / "object 0.bin"
    other.parent.mkdir()
    other.write_bytes(b"not ours")
    found = moves.move(status=3)
    assert found["failures"][0]["reason"] == "TargetOccupied"
    assert other.read_bytes() == b"not ours"


def test_mistakes_are_said_in_a_sentence(moves: Moves, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["move", str(moves.source), str(tmp_path / "nowhere")])
    assert result.exit_code == 1
    assert "is no directory" in result.output
    assert "Traceback" not in result.output
    same = CliRunner().invoke(app, ["move", str(moves.source), str(moves.source)])
    assert same.exit_code == 1
    assert "settier" in same.output


def test_a_manifest_proves_again_later(moves: Moves) -> None:
    manifest = moves.move()["manifest"].removeprefix("file://")
    assert moves.run("verify", manifest, "--deep")["matched"] == len(moves.contents)
    damaged = moves.target / "part-1" / "object 1.bin"
    status = damaged.stat()
    damaged.write_bytes(bytes(status.st_size))
    os.utime(damaged, ns=(status.st_atime_ns, status.st_mtime_ns))
    found = moves.run("verify", manifest, "--deep", status=3)
    assert found["matched"] == len(moves.contents) - 1
    assert "object 1.bin" in found["differences"][0]
    damaged.unlink()
    assert "is gone" in moves.run("verify", manifest, status=3)["differences"][0]


@pytest.mark.usefixtures("keys")
def test_a_move_to_s3_and_back(moves: Moves, bucket: str, tmp_path: Path) -> None:
    found = moves.move(target=f"s3://{bucket}/data")
    assert found["objects"] == len(moves.contents)
    assert found["method"].endswith("computed by the server")
    assert moves.move(target=f"s3://{bucket}/data")["already_there"]
    back = tmp_path / "back"
    back.mkdir()
    state = str(tmp_path / "state")
    moves.run("move", f"s3://{bucket}/data", str(back), "--state-dir", state)
    assert contents_of(back) == moves.contents


@pytest.mark.usefixtures("keys")
def test_classes_change_in_place_and_only_once(
    moves: Moves, server: S3Server, bucket: str, tmp_path: Path
) -> None:
    client = server.client()
    for key, data in moves.contents.items():
        client.put_object(Bucket=bucket, Key=f"data/{key}", Body=data, Tagging="a=b")
    words = ("settier", f"s3://{bucket}/data", "STANDARD_IA", "--quiesced")
    state = ("--state-dir", str(tmp_path / "state"))
    assert moves.run(*words, "--dry-run", *state)["changed"] == 0
    assert moves.run(*words, *state)["changed"] == len(moves.contents)
    listed = client.list_objects_v2(Bucket=bucket)["Contents"]
    assert {one["StorageClass"] for one in listed} == {"STANDARD_IA"}
    tags = client.get_object_tagging(Bucket=bucket, Key=listed[0]["Key"])["TagSet"]
    assert tags == [{"Key": "a", "Value": "b"}]
    assert moves.run(*words, *state)["objects"] == 0
    client.put_object(Bucket=bucket, Key=listed[0]["Key"], Body=b"written anew")
    assert moves.run(*words, *state)["changed"] == 1


def test_every_command_can_be_asked_for_help() -> None:
    listed = CliRunner().invoke(app, ["--help"]).output
    for name in ("move", "settier", "verify", "plan", "prices"):
        assert name in listed
        assert CliRunner().invoke(app, [name, "--help"]).exit_code == 0
