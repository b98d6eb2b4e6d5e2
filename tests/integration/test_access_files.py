"""A scan of a directory whose reads are seen by access times."""

import datetime as dt
import os

import pytest

from cloudflux.access.atime import AtimeSupport, atime_support
from cloudflux.access.store import open_access_store
from cloudflux.api.dataset import AccessSourceType
from cloudflux.api.scan_tasks import AccessSourceRef, ScanRequest
from cloudflux.api.task import StoreRef
from cloudflux.work import ingest

NOW = dt.datetime.now(dt.UTC)


class Context:
    def __init__(self, state_dir):
        self.state_dir = state_dir

    def progress(self, value): ...

    def check(self): ...

    def stop_point(self, name): ...


@pytest.fixture
def request_of_scan(tmp_path):
    hot, warm = tmp_path / "hot", tmp_path / "warm"
    hot.mkdir()
    warm.mkdir()
    for name, read_days_ago in (("read", 3), ("idle", None), ("old", 90)):
        path = hot / name
        path.write_bytes(b"12345")
        modified = (NOW - dt.timedelta(100)).timestamp()
        read = modified if read_days_ago is None else modified + (100 - read_days_ago) * 86_400
        os.utime(path, (read, modified))
    roots = (f"file://{hot}", f"file://{warm}")
    return ScanRequest(
        data_set_uid="files",
        source=StoreRef(uri=roots[0], file_roots=(str(tmp_path),)),
        sources=(AccessSourceRef(type=AccessSourceType.FILE_ATIME),),
        tier_roots=roots,
        now=NOW,
    )


def test_access_times_tell_the_last_read(request_of_scan, tmp_path, monkeypatch):
    monkeypatch.setattr(ingest, "atime_support", lambda path: AtimeSupport(True, "recorded"))
    context = Context(tmp_path / "state")
    result = ingest.scan(request_of_scan, context)
    assert (result.objects, result.size_bytes) == (3, 15)
    assert result.fresh, result.fresh_message
    assert (result.reads_7d, result.reads_30d, result.observed_days) == (1, 1, 100)
    assert abs(result.last_read_at - (NOW - dt.timedelta(3))) < dt.timedelta(seconds=1)
    again = ingest.scan(request_of_scan, context)
    assert (again.reads_7d, again.reads_30d) == (1, 1)
    inventory = open_access_store(context.state_dir).inventory("files").to_pylist()
    assert {row["key"] for row in inventory} == {"read", "idle", "old"}


def test_a_noatime_mount_proves_nothing(request_of_scan, tmp_path, monkeypatch):
    mounts = f"1 0 0:1 / {tmp_path / 'warm'} rw,noatime - ext4 x rw\n1 0 0:2 / / rw - ext4 y rw\n"
    monkeypatch.setattr(ingest, "atime_support", lambda path: atime_support(path, mounts))
    result = ingest.scan(request_of_scan, Context(tmp_path / "state"))
    assert (result.fresh, result.fresh_reason) == (False, "AccessTimesOff")
    assert "noatime" in result.fresh_message
    assert result.observed_days == 0
