"""Restoring archived objects before they are moved: one pass asks and looks, and may be repeated.

Every object must be readable before the first one is moved: copies that are restored early wait
for the late ones, which is why they live longer than the slowest restore takes.
"""

import threading
from collections.abc import Container, Iterator, Sequence
from decimal import Decimal
from typing import cast

from cloudflux.api.brain_tasks import RestoreQuote
from cloudflux.api.move_tasks import JobTask, RestoreRequest, RestoreResult
from cloudflux.brain.money import money_text
from cloudflux.brain.price_table import BYTES_PER_GB
from cloudflux.errors import (
    BudgetExceeded,
    NotSupported,
    ObjectArchived,
    ObjectNotFound,
    RestoreLapsed,
)
from cloudflux.migration.files import read_json, read_lines
from cloudflux.migration.planned import PlannedObject
from cloudflux.migration.restore_ledger import Entry, RestoreLedger
from cloudflux.migration.session import Session, in_place
from cloudflux.migration.streams import run_parallel
from cloudflux.storage.archive import Restorable, RestoreState
from cloudflux.storage.keys import decode_key, printable

ENOUGH_WAITING = 64
"""A pass that asked for nothing ends when so many objects are found to be still under way."""


def restore(session: Session, request: RestoreRequest) -> RestoreResult:
    """Ask for what is archived and look how far the rest is.

    Raises NotSupported, BudgetExceeded and RestoreLapsed.
    """
    terms = RestoreQuote.model_validate((read_json(session.files.plan) or {}).get("restore"))
    if not hasattr(session.source, "restoration"):
        raise NotSupported(f"{session.source.uri}: the store can't restore what is archived")
    with RestoreLedger(session.files.restores) as ledger:
        _note_planned(session, ledger)
        one = _Pass(session, request, terms, ledger)
        run_parallel(one.left(), one.look, request.parallelism)
        return one.result()


def note_archived(session: Session, found: Sequence[PlannedObject]) -> None:
    """Write down objects that could not be moved because they are archived, or are so again."""
    if found:
        with RestoreLedger(session.files.restores) as ledger:
            for one in found:
                ledger.needed(one.key, one.size_bytes, one.storage_class)


class _Pass:
    """One look at all that is not readable as far as we know."""

    def __init__(
        self,
        session: Session,
        request: RestoreRequest,
        terms: RestoreQuote,
        ledger: RestoreLedger,
    ) -> None:
        self._session, self._request, self._ledger = session, request, ledger
        self._source = cast("Restorable", session.source)
        self._terms = terms
        self._fees = {one.storage_class: one for one in terms.terms}
        self._waiting: list[str] = []
        self._gone: set[str] = set()
        self._again, self._lock = ledger.again, threading.Lock()

    def left(self) -> Iterator[tuple[str, Entry]]:
        """Yield what may not be readable."""
        now = self._request.now
        moved = _moved(self._session)
        for key, entry in list(self._ledger.entries.items()):
            if key in moved or (entry.ready and (entry.ready_until or now) >= now):
                continue
            # a pass that has something to ask for goes through all: the hours run from then on
            if entry.rounds and len(self._waiting) >= ENOUGH_WAITING:
                continue
            yield key, entry

    def look(self, item: tuple[str, Entry]) -> None:
        """Look at one object, and ask for it where it is archived."""
        key, entry = item
        session = self._session
        session.context.check()
        try:
            found = self._source.restoration(key)
            if found.state is RestoreState.READABLE:
                self._ledger.ready(key, found.until)
                return
            if found.state is RestoreState.ARCHIVED:
                self._ask(key, entry)
        except ObjectNotFound:
            self._gone.add(key)  # the copy finds out what that means
            return
        self._waiting.append(key)

    def result(self) -> RestoreResult:
        """Say how far it is."""
        entries = self._ledger.entries
        ready = sum(1 for one in entries.values() if one.ready)
        hours = [self._fees[entries[key].storage_class].hours for key in self._waiting]
        return RestoreResult(
            objects=len(entries) - len(self._gone),
            ready=ready,
            waiting=len(self._waiting),
            requested=self._ledger.requests,
            cost=money_text(self._ledger.cost),
            hours=max(hours, default=0),
        )

    def _ask(self, key: str, entry: Entry) -> None:
        session, request = self._session, self._request
        fee = self._fee(key, entry)
        if entry.rounds:
            self._require_again(key, entry, fee)
        session.context.stop_point("restore.object.before")
        self._source.restore(
            key,
            tier=request.restore_tier.value,
            days=max(self._terms.days, 1),
            to_class=request.target_class if in_place(request) else None,
        )
        session.context.stop_point("restore.object.after")
        self._ledger.asked(key, fee)

    def _fee(self, key: str, entry: Entry) -> Decimal:
        terms = self._fees.get(entry.storage_class)
        if terms is None:
            raise ObjectArchived(
                f"{printable(key)} is in {entry.storage_class}, and the plan has no price of its "
                "restore: the object was archived since; make a new job",
                key=key,
            )
        return Decimal(terms.per_object) + Decimal(terms.per_gb) * entry.size_bytes / BYTES_PER_GB

    def _require_again(self, key: str, entry: Entry, fee: Decimal) -> None:
        """Raise unless what expired may be asked for once more."""
        if entry.rounds >= self._request.max_rounds:
            raise RestoreLapsed(
                f"{printable(key)} was restored {entry.rounds} times and expired each time before "
                "it was moved; make a new job with more spec.restore.days"
            )
        if self._request.budget_left is None:
            return
        with self._lock:
            again = self._again + fee
            if again > Decimal(self._request.budget_left):
                raise BudgetExceeded(
                    f"restored copies expired, and asking for {printable(key)} again brings what "
                    f"that costs to {money_text(again)}; spec.budget.maxCost leaves "
                    f"{self._request.budget_left}; make a new job with a larger budget"
                )
            self._again = again


def _note_planned(session: Session, ledger: RestoreLedger) -> None:
    for row in read_lines(session.files.plan_list):
        if row.get("archived") and decode_key(row["key"]) not in ledger.entries:
            ledger.needed(decode_key(row["key"]), row["size"], row["class"])


def _moved(session: Session) -> Container[str]:
    if not session.files.checkpoint.exists():  # opening it would say that copying was begun
        return ()
    with session.checkpoint() as checkpoint:
        return checkpoint.moved  # the session keeps it open


def wants_restore(request: JobTask) -> bool:
    """Say whether archived objects may be restored."""
    return request.restore_tier.value != "Never"
