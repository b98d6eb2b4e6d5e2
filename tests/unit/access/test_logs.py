"""Log objects are taken in exactly once, whatever happens in between."""

import datetime as dt
import io
import json

import pytest

from cloudflux.access.logs import ingest_logs
from cloudflux.access.places import Place
from cloudflux.access.records import Exclusions
from cloudflux.access.store import AccessStore
from cloudflux.storage.memory import MemoryStore

NOW = dt.datetime(2026, 5, 20, 12, tzinfo=dt.UTC)
SIGNAL = "s3logs:test"
DAY = dt.date(2026, 5, 18)


def line(
    request_id,
    key="data/a",
    *,
    time="18/May/2026:10:00:00 +0000",
    operation="REST.GET.OBJECT",
    status=200,
    agent="curl/8",
    requester="arn:aws:iam::1:user/ann",
    sent=10,
):
    return (
        f"owner bucket [{time}] 192.0.2.3 {requester} {request_id} {operation} {key}"
        f' "GET /bucket/{key} HTTP/1.1" {status} - {sent} 10 7 6 "-" "{agent}" - host SigV4'
        " cipher AuthHeader bucket.s3.amazonaws.com TLSv1.3 - - us-east-1\n"
    )


@pytest.fixture
def access(tmp_path):
    store = AccessStore(tmp_path / "access")
    store.register("ds", Place(SIGNAL, "bucket", "data/"), 400)
    return store


@pytest.fixture
def logs():
    return MemoryStore()


def deliver(logs, name, *lines):
    body = "".join(lines).encode()
    logs.put(name, io.BytesIO(body), len(body))


def ingest(access, logs, **options):
    return ingest_logs(
        access, SIGNAL, logs, now=options.pop("now", NOW), retention_days=400, **options
    )


def reads(access, uid="ds", column="reads"):
    table = access.daily_reads(uid, dt.date(2026, 1, 1), dt.date(2026, 12, 31))
    return {(r["key"], r["day"]): r[column] for r in table.to_pylist()}


def test_counts_by_relative_key_and_day(access, logs):
    deliver(
        logs, "2026-05-18-12-00-00-AA", line("1"), line("2"), line("3", "data/b"), line("4", "x")
    )
    totals = ingest(access, logs)
    assert (totals.log_objects, totals.lines, totals.malformed) == (1, 4, 0)
    assert reads(access) == {("a", DAY): 2, ("b", DAY): 1}
    assert reads(access, column="bytes") == {("a", DAY): 20, ("b", DAY): 10}


def test_a_log_object_is_read_once(access, logs):
    deliver(logs, "2026-05-18-12-00-00-AA", line("1"))
    ingest(access, logs)
    assert ingest(access, logs).log_objects == 0
    assert reads(access) == {("a", DAY): 1}


def test_the_same_log_under_another_name_changes_no_count(access, logs):
    deliver(logs, "2026-05-18-12-00-00-AA", line("1"), line("2"))
    ingest(access, logs)
    deliver(logs, "2026-05-18-13-00-00-BB", line("1"), line("2"), line("3"))
    deliver(logs, "2026-05-18-13-00-00-CC", line("3"))
    ingest(access, logs)
    assert reads(access) == {("a", DAY): 3}


def test_logs_that_come_out_of_order_are_all_counted(access, logs):
    for hour in (15, 12, 14, 11, 13):  # the newest is read first, older ones come later
        lines = [line(f"{hour}-{n}", time=f"18/May/2026:{n:02}:00:00 +0000") for n in (9, 3, 6)]
        deliver(logs, f"2026-05-18-{hour}-00-00-AA", *lines)
        ingest(access, logs)
    assert reads(access) == {("a", DAY): 15}


def test_late_and_repeated_lines_count_once_within_seven_days(access, logs):
    """S3 delivers late, out of order and sometimes twice, in log objects of other names."""
    for day in range(8):
        now = NOW + dt.timedelta(day)
        late = line(f"late-{day}", time=f"18/May/2026:1{day}:00:00 +0000")
        # the id of a request is shared by what it did: the key tells those apart
        deliver(logs, f"{now:%Y-%m-%d}-12-00-00-AA", line("1"), line("1", "data/b"), late)
        assert ingest(access, logs, now=now).lines == 3
        access.maintain(now)
    assert reads(access) == {("a", DAY): 1 + 8, ("b", DAY): 1}


class Killed(BaseException):
    pass


@pytest.mark.parametrize("after_commit", [False, True])
def test_a_kill_around_the_commit_changes_no_count(access, logs, monkeypatch, after_commit):
    deliver(logs, "2026-05-18-12-00-00-AA", line("1"), line("2"))
    append = AccessStore.append

    def killed(self, *arguments):
        if after_commit:
            append(self, *arguments)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(AccessStore, "append", killed)
        with pytest.raises(Killed):
            ingest(access, logs)
    assert reads(access) == ({("a", DAY): 2} if after_commit else {})
    ingest(access, logs)
    assert reads(access) == {("a", DAY): 2}


def test_a_kill_while_reading_counts_nothing(access, logs):
    deliver(logs, "2026-05-18-12-00-00-AA", line("1"))
    deliver(logs, "2026-05-18-12-00-00-BB", line("2"))
    calls = iter(range(100))

    def check():
        if next(calls) == 1:
            raise Killed

    with pytest.raises(Killed):
        ingest(access, logs, check=check)
    assert reads(access) == {}
    ingest(access, logs)
    assert reads(access) == {("a", DAY): 2}


def test_a_commit_by_another_host_is_seen(access, logs, monkeypatch):
    """Two readers without a common lock: the later commit is refused and nothing counts twice."""
    deliver(logs, "2026-05-18-12-00-00-AA", line("1"))
    append = AccessStore.append
    raced = []

    def racing(self, *arguments):
        if not raced:
            raced.append(True)
            other = AccessStore(self.path)
            table = other.counts()
            append(other, table, arguments[1], arguments[2], arguments[3])
        append(self, *arguments)

    monkeypatch.setattr(AccessStore, "append", racing)
    ingest(access, logs)
    assert raced
    assert reads(access) == {("a", DAY): 1}


def test_own_and_excluded_requests_are_no_demand(access, logs):
    deliver(
        logs,
        "2026-05-18-12-00-00-AA",
        line("1", agent="Boto3/1.4 md/x cloudflux/0.1 (mover)"),
        line("2", requester="arn:aws:sts::1:assumed-role/backup/session-7"),
        line("3", requester="arn:aws:sts::1:assumed-role/backup2/x"),
    )
    ingest(
        access,
        logs,
        exclusions=Exclusions(principals=("arn:aws:sts::1:assumed-role/backup",)),
    )
    assert reads(access) == {("a", DAY): 1}
    assert access.coverage("ds", DAY, DAY)["state"].to_pylist() == ["partial"]


def test_a_range_burst_is_one_read(access, logs):
    burst = [line(str(n), status=206, time=f"18/May/2026:10:00:0{n} +0000") for n in range(5)]
    deliver(logs, "2026-05-18-12-00-00-AA", *burst)
    ingest(access, logs)
    deliver(logs, "2026-05-18-12-00-01-BB", line("6", status=206))
    deliver(
        logs, "2026-05-18-12-00-02-CC", line("7", status=206, time="18/May/2026:10:05:00 +0000")
    )
    ingest(access, logs)
    assert reads(access) == {("a", DAY): 2}
    assert reads(access, column="bytes") == {("a", DAY): 70}


def test_failed_and_other_requests_are_no_reads(access, logs):
    deliver(
        logs,
        "2026-05-18-12-00-00-AA",
        line("1", status=404),
        line("2", status=304),
        line("3", operation="REST.HEAD.OBJECT"),
        line("4", operation="REST.PUT.OBJECT"),
    )
    ingest(access, logs)
    assert reads(access) == {}


def test_malformed_lines_are_counted_and_kept_without_what_they_said(access, logs):
    deliver(logs, "2026-05-18-12-00-00-AA", line("1"), "secret 192.0.2.7 half a line\n", "\n")
    assert ingest(access, logs).malformed == 1
    kept = (access.path / "rejected.jsonl").read_text().splitlines()
    assert [json.loads(entry)["shape"] for entry in kept] == ["aaaaaa 000.0.0.0 aaaa a aaaa"]
    deliver(logs, "2026-07-18-12-00-00-AB", *(f"bad line {n}\n" for n in range(300)))
    ingest(access, logs, now=NOW + dt.timedelta(60))
    kept = (access.path / "rejected.jsonl").read_text().splitlines()
    assert len(kept) == 100
    assert "secret" not in str(kept)
    assert all(json.loads(entry)["day"] == "2026-07-19" for entry in kept)


def test_nothing_private_reaches_the_store(access, logs):
    deliver(logs, "2026-05-18-12-00-00-AA", line("REQ77", requester="arn:aws:iam::1:user/ann"))
    ingest(access, logs)
    rows = str(access.counts().to_pyarrow_table().to_pylist())
    assert not any(word in rows for word in ("192.0.2.3", "user/ann", "curl", "HTTP/1.1", "REQ77"))


def test_history_survives_a_move_and_back_fills_a_new_data_set(access, logs):
    deliver(logs, "2026-05-18-12-00-00-AA", line("1"), line("2", "new/a"))
    ingest(access, logs)
    access.register("ds", Place(SIGNAL, "bucket", "new/", dt.date(2026, 5, 19)), 400)
    deliver(logs, "2026-05-19-12-00-00-BB", line("3", "new/a", time="19/May/2026:10:00:00 +0000"))
    ingest(access, logs)
    assert reads(access) == {("a", DAY): 1, ("a", dt.date(2026, 5, 19)): 1}
    access.register("later", Place(SIGNAL, "bucket", "", dt.date(2026, 5, 20)), 400)
    assert reads(access, "later")[("data/a", DAY)] == 1


def test_retention_deletes_rows_and_old_logs_are_not_counted_again(access, logs):
    deliver(logs, "2026-05-18-12-00-00-AA", line("1"))
    ingest(access, logs)
    later = NOW + dt.timedelta(500)
    access.maintain(later)
    assert reads(access) == {}
    assert access.counts().to_pyarrow_table().num_rows == 0
    assert ingest(access, logs, now=later).log_objects == 0
    assert reads(access) == {}


def test_maintenance_compacts_and_changes_no_count(access, logs):
    for n in range(6):
        deliver(logs, f"2026-05-18-12-00-0{n}-AA", line(f"r{n}"))
        ingest(access, logs)
    files = len(access.counts().file_uris())
    access.maintain(NOW)
    assert len(access.counts().file_uris()) < files
    assert reads(access) == {("a", DAY): 6}
    assert ingest(access, logs).log_objects == 0


def test_maintenance_removes_the_files_of_what_it_deleted(access, logs, monkeypatch):
    deliver(logs, "2026-05-18-12-00-00-AA", line("1"))
    ingest(access, logs)
    orphan = access.path / "daily" / "left-by-a-killed-writer.parquet"
    orphan.write_bytes(b"")
    monkeypatch.setattr("cloudflux.access.upkeep._VACUUM_HOURS", 0)
    access.maintain(NOW + dt.timedelta(500))
    assert list((access.path / "daily").glob("kind=reads/**/*.parquet")) == []
    assert not orphan.exists()


def test_maintenance_runs_once_a_day(access, monkeypatch):
    runs = []
    monkeypatch.setattr(AccessStore, "maintain", lambda self, now: runs.append(now))
    access.maintain_if_due(NOW)
    assert len(runs) == 1
    (access.path / "maintained").touch()
    access.maintain_if_due(dt.datetime.now(dt.UTC))
    assert len(runs) == 1
    access.maintain_if_due(dt.datetime.now(dt.UTC) + dt.timedelta(days=2))
    assert len(runs) == 2
