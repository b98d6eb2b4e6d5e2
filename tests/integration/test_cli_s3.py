"""`doctor` and `plan` against a bucket, with the very rights that the README names."""

import datetime as dt
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cloudflux.cli.main import app
from cloudflux_dev.s3servers import S3Server, start_moto
from cloudflux_dev.tracegen import Behaviour, TracedObject, s3_sink, write_logs

ROOT = Path(__file__).resolve().parents[2]
KIBI = 1024


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    """A bucket with cold objects, its access logs, and logging switched on."""
    with start_moto() as moto:
        client = moto.client()
        for bucket in ("my-bucket", "my-logs", "silent"):
            client.create_bucket(Bucket=bucket)
        client.put_bucket_acl(
            Bucket="my-logs",
            GrantWrite='uri="http://acs.amazonaws.com/groups/s3/LogDelivery"',
            GrantReadACP='uri="http://acs.amazonaws.com/groups/s3/LogDelivery"',
        )
        target = {"TargetBucket": "my-logs", "TargetPrefix": "access/"}
        client.put_bucket_logging(
            Bucket="my-bucket", BucketLoggingStatus={"LoggingEnabled": target}
        )
        keys = [f"data/dead-{number:02d}.bin" for number in range(12)]
        for key in keys:
            client.put_object(Bucket="my-bucket", Key=key, Body=bytes(600 * KIBI))
        client.put_object(Bucket="silent", Key="data/a", Body=b"x")
        traced = [TracedObject(key, 600 * KIBI, Behaviour.DEAD, 118) for key in keys]
        traced.append(TracedObject("other/hot.bin", 100, Behaviour.HOT, 118))
        now = dt.datetime.now(dt.UTC)
        write_logs(traced, bucket="my-bucket", now=now, put=s3_sink(client, "my-logs", "access/"))
        yield moto


def policies() -> list[dict[str, Any]]:
    """The two IAM policies of the README: to look, and to move in addition."""
    blocks = re.findall(r"```json\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    found = [json.loads(block) for block in blocks]
    assert len(found) == 2
    return found


def as_user(
    monkeypatch: pytest.MonkeyPatch, server: S3Server, name: str, *granted: dict[str, Any]
) -> None:
    """Be a user of these rights and no others, as the usual environment says it."""
    iam = server.client("iam")
    iam.create_user(UserName=name)
    for number, policy in enumerate(granted):
        iam.put_user_policy(
            UserName=name, PolicyName=f"p{number}", PolicyDocument=json.dumps(policy)
        )
    key = iam.create_access_key(UserName=name)["AccessKey"]
    become(
        monkeypatch,
        replace(server, access_key_id=key["AccessKeyId"], secret_access_key=key["SecretAccessKey"]),
    )


def become(monkeypatch: pytest.MonkeyPatch, server: S3Server) -> None:
    from cloudflux.storage import s3_client

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", server.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", server.secret_access_key)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server.endpoint)
    monkeypatch.setenv("AWS_REGION", server.region)
    s3_client._wire.cache_clear()  # it holds who we were


def doctor(*arguments: str, status: int = 0) -> dict[str, list[tuple[str, str]]]:
    result = CliRunner().invoke(app, ["doctor", *arguments, "--json"])
    assert result.exit_code == status, result.output
    findings: dict[str, list[tuple[str, str]]] = {}
    for one in json.loads(result.output):
        findings.setdefault(one["what"], []).append((one["mark"], one["message"]))
    return findings


def state_of(server: S3Server) -> list[tuple[str, str]]:
    listed = server.client().list_objects_v2(Bucket="my-bucket")["Contents"]
    return [(one["Key"], one["LastModified"].isoformat()) for one in listed]


def test_looking_needs_no_more_than_the_read_only_policy_and_writes_nothing(
    server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    look, _ = policies()
    as_user(monkeypatch, server, "looks", look)
    before = state_of(server)
    found = doctor("s3://my-bucket/data")
    assert found["location"][0][0] == "ok"
    assert found["access logging"] == [("ok", "on, delivered to s3://my-logs/access")]
    assert found["access logs"][0][0] == "ok", "found by the bucket's own setting"
    ((mark, message),) = found["write"]
    assert mark == "unknown"
    assert "s3:PutObject" in message
    assert "--write-probe" in message
    assert found["prices"][0][0] == "ok"
    result = CliRunner().invoke(
        app, ["plan", "s3://my-bucket/data", "--logs", "s3://my-logs/access", "--json"]
    )
    assert result.exit_code == 0, result.output
    plan = json.loads(result.output)
    assert plan["observed"]["objects"] == 12
    recommended = plan["decision"]["recommendations"]
    assert 0 < sum(one["objects"] for one in recommended) <= 12
    assert all(float(one["savings_per_month"]) > 0 and one["reason"] for one in recommended)
    assert state_of(server) == before


def test_a_write_probe_says_what_may_be_written_and_leaves_nothing(
    server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    look, move = policies()
    as_user(monkeypatch, server, "moves", look, move)
    before = state_of(server)
    found = doctor("s3://my-bucket/data", "--write-probe")
    assert [found["write"][0][0], found["delete"][0][0]] == ["ok", "ok"]
    assert any("spec.writers: Quiesced" in message for _, message in found["conditions"])
    assert state_of(server) == before


def test_a_write_probe_without_the_right_names_it(
    server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    look, _ = policies()
    as_user(monkeypatch, server, "may-not", look)
    found = doctor("s3://my-bucket/data", "--write-probe", status=1)
    assert found["write"][0][0] == "failed"
    assert "s3:PutObject" in found["write"][0][1]


def test_logging_that_is_off_or_elsewhere_is_said(
    server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    become(monkeypatch, server)
    off = doctor("s3://silent/data", status=1)
    assert off["access logging"][0][0] == "failed"
    assert "put-bucket-logging" in off["access logging"][0][1]
    elsewhere = doctor("s3://my-bucket/data", "--logs", "s3://silent/x", status=1)
    assert "--logs s3://my-logs/access" in elsewhere["access logging"][0][1]


def test_a_logging_setting_that_may_not_be_read_is_said_and_the_logs_are_looked_at(
    server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    look, _ = policies()
    less = [one for one in look["Statement"] if one["Action"] != ["s3:GetBucketLogging"]]
    as_user(monkeypatch, server, "half", {**look, "Statement": less})
    found = doctor("s3://my-bucket/data", "--logs", "s3://my-logs/access")
    assert found["access logging"][0][0] == "unknown"
    assert "s3:GetBucketLogging" in found["access logging"][0][1]
    assert found["access logs"][0][0] == "ok"


def test_a_bucket_that_is_not_there_fails(
    server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    become(monkeypatch, server)
    assert doctor("s3://no-such-bucket", status=1)["location"][0][0] == "failed"


def test_a_plan_prices_every_way_out_of_the_archive(
    server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    become(monkeypatch, server)
    client = server.client()
    client.create_bucket(Bucket="vault")
    for number in range(3):
        client.put_object(
            Bucket="vault", Key=f"data/{number}", Body=bytes(KIBI), StorageClass="DEEP_ARCHIVE"
        )
    client.put_object(Bucket="vault", Key="data/new", Body=bytes(KIBI))
    result = CliRunner().invoke(app, ["plan", "s3://vault/data", "--json"])
    assert result.exit_code == 0, result.output
    (archived,) = json.loads(result.output)["archived"]
    assert (archived["storage_class"], archived["objects"]) == ("DEEP_ARCHIVE", 3)
    assert {name: way["hours"] for name, way in archived["restores"].items()} == {
        "Bulk": 48, "Standard": 12,
    }  # fmt: skip
    assert float(archived["restores"]["Standard"]["cost"]) == pytest.approx(0.0003, rel=0.05)
    told = CliRunner().invoke(app, ["plan", "s3://vault/data"]).output
    assert "3 objects, 3.00 KiB in DEEP_ARCHIVE can't be read or moved before a restore" in told
    assert "Standard: up to 12 h, 0.0003" in told
