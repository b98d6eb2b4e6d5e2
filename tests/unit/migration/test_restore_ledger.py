"""What a job knows of its restores outlives a kill, and counts what was paid for."""

import datetime as dt
from decimal import Decimal
from pathlib import Path

from cloudflux.migration.restore_ledger import RestoreLedger

UNTIL = dt.datetime(2026, 12, 1, tzinfo=dt.UTC)


def test_requests_and_their_cost_are_counted_over_restarts(tmp_path: Path) -> None:
    path = tmp_path / "restores.jsonl"
    with RestoreLedger(path) as ledger:
        ledger.needed("a", 10, "GLACIER")
        ledger.needed("b", 20, "GLACIER")
        ledger.asked("a", Decimal("0.5"))
        ledger.asked("b", Decimal("0.25"))
        ledger.ready("a", UNTIL)
    with RestoreLedger(path) as ledger:
        assert (ledger.requests, ledger.cost, ledger.again) == (2, Decimal("0.75"), 0)
        assert (ledger.entries["a"].ready, ledger.entries["a"].ready_until) == (True, UNTIL)
        ledger.needed("a", 10, "GLACIER")  # it expired
        assert not ledger.entries["a"].ready
        ledger.asked("a", Decimal("0.5"))
    with RestoreLedger(path) as ledger:
        assert (ledger.requests, ledger.cost) == (3, Decimal("1.25"))
        assert ledger.again == Decimal("0.5"), "what was asked for a second time"
        assert ledger.entries["a"].rounds == 2


def test_a_torn_last_line_is_forgotten_and_the_next_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "restores.jsonl"
    with RestoreLedger(path) as ledger:
        ledger.needed("a", 10, "GLACIER")
        ledger.asked("a", Decimal(1))
    whole = path.read_bytes()
    for kept in range(len(whole) - 1, len(whole) - 12, -1):
        path.write_bytes(whole[:kept])
        with RestoreLedger(path) as ledger:
            assert ledger.requests == 0
            ledger.asked("a", Decimal(1))
        with RestoreLedger(path) as ledger:
            assert (ledger.requests, ledger.entries["a"].size_bytes) == (1, 10)
