"""Access events on their way from the collector's counts to a scan of the data set."""

import datetime as dt
import json
from pathlib import Path

from cloudflux.access.store import open_access_store
from cloudflux.api.dataset import AccessSourceType
from cloudflux.api.scan_tasks import AccessSourceRef, ScanRequest, ScanResult
from cloudflux.api.task import StoreRef
from cloudflux.cli.local import LocalContext
from cloudflux.collector.counting import Ledger, Pending, application
from cloudflux.collector.parse import parse
from cloudflux.work.ingest import scan

PART = application("t", 0)


def tell(state: Path, now: dt.datetime, *operations: dict[str, object]) -> None:
    ledger = Ledger(open_access_store(state))
    position = ledger.positions([PART])[PART] or 0
    common = {"op": "read", "time": now.isoformat()}
    values = [json.dumps({**common, **one}).encode() for one in operations]
    parsed = parse(values, now)
    assert parsed.rejected == []
    ledger.commit({PART: Pending(position, position + len(values), [parsed.table], 1)}, now)


def look(state: Path, data: Path, now: dt.datetime) -> ScanResult:
    source = StoreRef(uri=data.as_uri(), file_roots=(str(data),))
    request = ScanRequest(
        data_set_uid="uid-1", source=source, now=now, retention_days=400,
        sources=(AccessSourceRef(type=AccessSourceType.KAFKA),),
    )  # fmt: skip
    return scan(request, LocalContext(state))


def test_events_by_uri_and_by_data_set_are_seen_and_prove_their_days(tmp_path: Path) -> None:
    data, state = tmp_path / "data", tmp_path / "state"
    data.mkdir()
    state.mkdir()
    (data / "a b.txt").write_text("x")
    now = dt.datetime.now(dt.UTC).replace(hour=12)
    quiet = look(state, data, now)
    assert not quiet.fresh
    assert quiet.fresh_reason == "AccessLogsMissing"
    for days in (3, 2, 1, 0):
        at = now - dt.timedelta(days)
        tell(
            state, at,
            {"uri": f"file://{data}/a b.txt", "id": f"u{days}"},
            {"dataSetUid": "uid-1", "key": "a b.txt", "id": f"d{days}"},
            {"uri": "file:///elsewhere/a b.txt", "id": f"x{days}"},
        )  # fmt: skip
    seen = look(state, data, now)
    # two signals tell of the same days: the larger one counts, they are not added
    assert seen.reads_7d == 4
    assert seen.fresh
    assert seen.observed_days == 3
