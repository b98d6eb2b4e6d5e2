"""A scan against a real S3 server: synthetic history, real reads through the recording front."""

import datetime as dt
from pathlib import Path

import boto3
import pytest

from cloudflux.access.store import open_access_store
from cloudflux.api.dataset import AccessSourceType
from cloudflux.api.scan_tasks import AccessSourceRef, ScanRequest
from cloudflux.api.task import Credentials, StoreRef
from cloudflux.errors import ContainerNotFound
from cloudflux.work.ingest import OPERATIONS, scan
from cloudflux_dev.recording_front import start_front
from cloudflux_dev.s3servers import start_moto
from cloudflux_dev.tracegen import Behaviour, TracedObject, assign, s3_sink, write_logs

NOW = dt.datetime.now(dt.UTC)
KEYS = {f"set/part {n:02d}.bin": 100 + n for n in range(40)}


class Context:
    """The least context: no stop, no fence."""

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir

    def progress(self, value) -> None: ...

    def check(self) -> None: ...

    def stop_point(self, name: str) -> None: ...


@pytest.fixture(scope="module")
def server():
    with start_moto() as moto:
        client = moto.client()
        client.create_bucket(Bucket="data")
        client.create_bucket(Bucket="logs")
        for key, size in KEYS.items():
            client.put_object(Bucket="data", Key=key, Body=b"x" * size)
        yield moto


def reference(server, uri, endpoint=None):
    keys = Credentials(
        access_key_id=server.access_key_id, secret_access_key=server.secret_access_key
    )
    return StoreRef(uri=uri, endpoint=endpoint or server.endpoint, credentials=keys)


def request(server, logs="s3://logs/demo/", uid="ds-1", uri="s3://data/set", **values):
    source = AccessSourceRef(
        type=AccessSourceType.S3_ACCESS_LOGS, logs=reference(server, logs) if logs else None
    )
    values = {"source": reference(server, uri), "now": NOW} | values
    return ScanRequest(data_set_uid=uid, sources=(source,) if logs else (), **values)


def test_scan_of_a_synthetic_history_and_real_reads(server, tmp_path):
    client = server.client()
    traced = assign(KEYS, seed=3)
    sink = s3_sink(client, "logs", "demo/")
    write_logs(traced, bucket="data", now=NOW, put=sink, seed=3)
    context = Context(tmp_path)
    assert OPERATIONS["ingest.scan"].serve is scan
    first = scan(request(server), context)
    assert (first.objects, first.size_bytes) == (40, sum(KEYS.values()))
    assert [(c.storage_class, c.objects) for c in first.classes] == [("STANDARD", 40)]
    assert first.fresh, first.fresh_message
    assert first.coverage_percent == 100
    assert first.observed_days >= 118
    assert first.lines_malformed == 0

    access = open_access_store(tmp_path)
    first_seen = {r["key"]: r["first_seen"] for r in access.inventory("ds-1").to_pylist()}
    for item in traced:
        written = NOW.date() - dt.timedelta(item.written_days_ago)
        assert first_seen[item.key.removeprefix("set/")] == written
    reads = access.daily_reads("ds-1", NOW.date() - dt.timedelta(30), NOW.date())
    read_keys = {"set/" + key for key in reads["key"].to_pylist()}
    for item in traced:
        if item.behaviour is Behaviour.HOT:
            assert item.key in read_keys
        if item.behaviour is Behaviour.DEAD:
            assert item.key not in read_keys

    front = start_front(server.endpoint, sink, buckets={"data"})
    try:
        through = boto3.client(
            "s3",
            endpoint_url=front.url,
            region_name="us-east-1",
            aws_access_key_id=server.access_key_id,
            aws_secret_access_key=server.secret_access_key,
        )
        key = "set/part 07.bin"
        assert through.get_object(Bucket="data", Key=key)["Body"].read() == b"x" * KEYS[key]
        through.head_object(Bucket="data", Key=key)
        through.put_object(Bucket="data", Key="set/new", Body=b"new " * 100_000)
        assert through.get_object(Bucket="data", Key="set/new")["ContentLength"] == 400_000
        # the operator's own requests are seen and not counted
        own = scan(request(server, source=reference(server, "s3://data/set", front.url)), context)
        assert own.objects == 41
        assert front.flush() >= 5
    finally:
        front.stop()
    second = scan(request(server), context)
    assert second.reads_7d == first.reads_7d + 2
    assert second.lines_read < 20
    third = scan(request(server), context)
    assert (third.reads_30d, third.lines_read) == (second.reads_30d, 0)
    assert third.last_read_at.date() == dt.datetime.now(dt.UTC).date()

    other = scan(request(server, uid="ds-2", uri="s3://data"), context)
    assert (other.lines_read, other.reads_30d) == (0, third.reads_30d)


def test_without_logs_nothing_is_known(server, tmp_path):
    context = Context(tmp_path)
    missing = scan(request(server, logs="s3://logs/nothing/"), context)
    assert (missing.fresh, missing.fresh_reason) == (False, "AccessLogsMissing")
    unreadable = scan(request(server, logs="s3://no-such-bucket/x"), context)
    assert unreadable.fresh_reason == "AccessLogsMissing"
    assert "no-such-bucket" in unreadable.fresh_message
    none = scan(request(server, logs=None, uid="ds-3"), context)
    assert none.fresh_reason == "NoAccessSource"


def test_late_logs_are_said(server, tmp_path):
    sink = s3_sink(server.client(), "logs", "late/")
    traced = [TracedObject("set/part 01.bin", 101, Behaviour.HOT, 20)]
    write_logs(traced, bucket="data", now=NOW - dt.timedelta(4), put=sink, days=30)
    late = scan(request(server, logs="s3://logs/late"), Context(tmp_path))
    assert (late.fresh, late.fresh_reason) == (False, "AccessLogsLate")
    assert late.observed_days >= 28


def test_a_missing_bucket_is_the_callers_to_handle(server, tmp_path):
    with pytest.raises(ContainerNotFound):
        scan(request(server, uri="s3://absent/x"), Context(tmp_path))
