"""Moves to places that are encrypted: by the store, by its key service, or before it."""

import base64
import io
import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from tests.integration.moving import (
    FakeContext,
    Killed,
    Move,
    contents_of,
    file_ref,
    fill,
    plan_and_move,
)
from tests.servers import gcs_ref, s3_ref
from typer.testing import CliRunner

from cloudflux.api.common import EncryptionType
from cloudflux.api.task import StoreEncryption, StoreRef
from cloudflux.cli.main import app
from cloudflux.errors import ConfigurationError
from cloudflux.migration.files import read_lines
from cloudflux.storage.registry import open_store
from cloudflux.storage.s3 import S3Store
from cloudflux.storage.sealing import MAGIC, key_id
from cloudflux_dev.cloudservers import GcsServer
from cloudflux_dev.gcsstub import GcsStub
from cloudflux_dev.s3servers import S3Server

_NUMBERS = itertools.count()
KEY = bytes(range(32))
MIB = 1 << 20


def sealed(ref: StoreRef, key: bytes = KEY) -> StoreRef:
    secret = SecretStr(base64.b64encode(key).decode())
    asked = StoreEncryption(type=EncryptionType.CLIENT, secret=secret)
    return ref.model_copy(update={"encryption": asked})


def by(ref: StoreRef, type_: EncryptionType, key: str | None = None) -> StoreRef:
    return ref.model_copy(update={"encryption": StoreEncryption(type=type_, key=key)})


@pytest.fixture
def bucket(moto: S3Server) -> tuple[Any, str, StoreRef]:
    client, name = moto.client(), f"sealed-{next(_NUMBERS)}"
    client.create_bucket(Bucket=name)
    return client, name, s3_ref(moto, f"s3://{name}/data")


def test_what_leaves_us_is_ciphertext_and_comes_back_whole(
    bucket: tuple[Any, str, StoreRef], tmp_path: Path
) -> None:
    client, name, ref = bucket
    source = file_ref(tmp_path / "from", tmp_path)
    contents = fill(tmp_path / "from")
    contents["large"] = bytes(17 * MIB) + b"end"
    contents["empty"] = b""
    for key in ("large", "empty"):
        (tmp_path / "from" / key).write_bytes(contents[key])
    move = Move(tmp_path / "state", source, sealed(ref))
    move.plan()
    proven = move.until_switched()
    assert "of the ciphertext computed by the server" in proven.method
    for listed in client.list_objects_v2(Bucket=name, Prefix="data/")["Contents"]:
        if "/.cloudflux/" in listed["Key"]:
            continue
        found = client.get_object(Bucket=name, Key=listed["Key"])
        assert found["Metadata"]["cloudflux-key-id"] == key_id(KEY)
        stored = found["Body"].read()
        assert stored.startswith(MAGIC)
        plain = contents[listed["Key"].removeprefix("data/")]
        assert len(plain) < 16 or plain[:64] not in stored
    header = next(read_lines(tmp_path / "state" / "jobs" / move.uid / "manifest.jsonl"))
    assert header["encryption"]["key_id"] == key_id(KEY)
    assert base64.b64encode(KEY).decode() not in json.dumps(header)
    back = file_ref(tmp_path / "back", tmp_path)
    plan_and_move(Move(tmp_path / "state", sealed(ref), back, uid="job-2"))
    assert contents_of(tmp_path / "back") == contents


@pytest.mark.parametrize("point", ["copy.object.after", "verify.object"])
def test_a_kill_seals_nothing_twice_that_was_proven(
    bucket: tuple[Any, str, StoreRef], tmp_path: Path, point: str
) -> None:
    client, name, ref = bucket
    contents = fill(tmp_path / "from")
    move = Move(tmp_path / "state", file_ref(tmp_path / "from", tmp_path), sealed(ref))
    move.fields["parallelism"] = 1
    move.plan()
    move.context = FakeContext(tmp_path / "state", stop_at=point, hits=3)
    with pytest.raises(Killed):
        move.until_switched()

    def versions() -> dict[str, str]:
        listed = client.list_objects_v2(Bucket=name, Prefix="data/").get("Contents", [])
        return {one["Key"]: one["ETag"] for one in listed if "/.cloudflux/" not in one["Key"]}

    before = versions()
    move.context = FakeContext(tmp_path / "state")
    move.until_switched()
    after = versions()
    assert len(after) == len(contents)
    assert {key: after[key] for key in before} == before, "a new seal would have another ETag"


def test_another_key_and_altered_bytes_are_found(
    bucket: tuple[Any, str, StoreRef], tmp_path: Path
) -> None:
    client, name, ref = bucket
    (tmp_path / "from").mkdir()
    (tmp_path / "from" / "a").write_bytes(b"content" * 1000)
    move = Move(tmp_path / "state", file_ref(tmp_path / "from", tmp_path), sealed(ref))
    plan_and_move(move)
    back = file_ref(tmp_path / "back", tmp_path)
    wrong = Move(tmp_path / "state", sealed(ref, bytes(32)), back, uid="job-2")
    wrong.plan()
    with pytest.raises(ConfigurationError, match=key_id(KEY)):
        wrong.copy()
    stored = bytearray(client.get_object(Bucket=name, Key="data/a")["Body"].read())
    stored[-1] ^= 1
    client.put_object(Bucket=name, Key="data/a", Body=bytes(stored))
    altered = Move(tmp_path / "state", sealed(ref), back, uid="job-3")
    altered.plan()
    with pytest.raises(Exception, match="altered or cut off"):
        altered.copy()
    assert not (tmp_path / "back" / "a").exists()


def test_the_command_line_encrypts_verifies_and_decrypts(tmp_path: Path) -> None:
    contents = fill(tmp_path / "from")
    (tmp_path / "vault").mkdir()
    key, other = tmp_path / "key", tmp_path / "other"
    key.write_text(base64.b64encode(KEY).decode() + "\n")
    other.write_text(base64.b64encode(bytes(32)).decode())
    run = CliRunner()

    def cloudflux(*words: object) -> tuple[int, str]:
        done = run.invoke(app, [str(word) for word in words])
        return done.exit_code, done.output

    places = (tmp_path / "from", tmp_path / "vault")
    code, said = cloudflux(
        "move", *places, "--target-encryption", f"Client={key}", "--state-dir",
        tmp_path / "state", "--json",
    )  # fmt: skip
    assert code == 0, said
    manifest = json.loads(said.strip().splitlines()[-1])["manifest"].removeprefix("file://")
    assert (tmp_path / "vault" / next(iter(contents))).read_bytes().startswith(MAGIC)
    code, said = cloudflux("verify", manifest, "--deep", "--encryption", f"Client={key}")
    assert code == 0, said
    assert cloudflux("decrypt", tmp_path / "vault", tmp_path / "out", "--key-file", key)[0] == 0
    assert contents_of(tmp_path / "out") == contents
    code, said = cloudflux("decrypt", tmp_path / "vault", tmp_path / "no", "--key-file", other)
    assert code == 1
    assert key_id(KEY) in said
    victim = tmp_path / "vault" / next(iter(contents))
    damaged = bytearray(victim.read_bytes())
    damaged[-1] ^= 1
    (tmp_path / "damaged").write_bytes(damaged)
    code, said = cloudflux("decrypt", tmp_path / "damaged", tmp_path / "clear", "--key-file", key)
    assert code == 1
    assert "altered or cut off" in said
    assert not list(tmp_path.glob("*clear*"))


def test_s3_encrypts_with_the_key_that_is_named_and_a_class_change_keeps_it(
    bucket: tuple[Any, str, StoreRef], tmp_path: Path
) -> None:
    client, name, ref = bucket
    made = client.meta.endpoint_url
    assert made
    (tmp_path / "from").mkdir()
    (tmp_path / "from" / "small").write_bytes(b"x")
    (tmp_path / "from" / "large").write_bytes(bytes(17 * MIB))
    key = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    target = by(ref, EncryptionType.KMS, key)
    move = Move(tmp_path / "state", file_ref(tmp_path / "from", tmp_path), target)
    plan_and_move(move)
    client.put_object(Bucket=name, Key="data/own", Body=b"y", ServerSideEncryption="AES256")
    store = open_store(ref)
    assert isinstance(store, S3Store)
    store.single_copy_bytes = 5 * MIB  # so that the large one is copied in parts
    for listed in list(store.list()):
        store.change_class(
            listed.key, "STANDARD_IA", if_version=listed.version, size_bytes=listed.size_bytes
        )  # type: ignore[union-attr]
    for known in ("small", "large"):
        head = client.head_object(Bucket=name, Key=f"data/{known}")
        assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", key), known
        assert head["StorageClass"] == "STANDARD_IA"
    assert client.head_object(Bucket=name, Key="data/own")["ServerSideEncryption"] == "AES256"
    large = client.head_object(Bucket=name, Key="data/large")
    assert large["ContentLength"] == 17 * MIB
    assert int(large["ETag"].strip('"').rpartition("-")[2]) > 1, "it was copied in parts"


def test_google_encrypts_with_the_key_that_is_named_and_a_class_change_keeps_it(
    gcs_stub: GcsStub,
) -> None:
    server, name = GcsServer(gcs_stub.endpoint, 0), f"sealed-{next(_NUMBERS)}"
    server.client().create_bucket(name)
    key = "projects/p/locations/l/keyRings/r/cryptoKeys/k"
    store = open_store(by(gcs_ref(server, f"gs://{name}/data"), EncryptionType.KMS, key))
    for kind, size in (("small", 5), ("large", 16 * MIB + 5)):
        store.put(kind, io.BytesIO(bytes(size)), size)
        resource = gcs_stub.buckets[name][f"data/{kind}"].resource
        assert resource["kmsKeyName"] == f"{key}/cryptoKeyVersions/1"
