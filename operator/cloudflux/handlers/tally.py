"""What happened since this process leads, counted from what passes by: for metrics.

Nothing is written and nothing is asked for: the tally hears every change that the cache takes
in, and compares. What was there when it was first seen is not counted.
"""

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from cloudflux.api.common import PROVIDER_OF_SCHEME
from cloudflux.api.migrationjob import Phase
from cloudflux.api.scan_tasks import ScanResult
from cloudflux.events.families import Distribution
from cloudflux.handlers.resources import JOB, KINDS, POLICY, SWEEP_KIND, Raw, parse_time
from cloudflux.handlers.tasks import Key

BACKENDS = tuple(PROVIDER_OF_SCHEME.values())
RECONCILED = (*KINDS, SWEEP_KIND)
OUTCOMES = ("success", "conflict", "gone", "refused", "error")
"""How a visit ends: done, overtaken by another writer, the object gone, not possible as it is
written, or by an error that was not foreseen."""
RESULTS = {
    Phase.COMPLETED.value: "completed",
    Phase.FAILED.value: "failed",
    Phase.CANCELLED.value: "cancelled",
}
STAGES = ("copied", "verified", "switched", "deleted")
_CLASS_OF_REASON = {
    "VerificationFailed": "integrity",
    "AccessDenied": "denied",
    "CredentialsInvalid": "denied",
    "SecretNotFound": "denied",
    "ClockSkewed": "denied",
    "EndpointRefused": "denied",
    "LocationRefused": "denied",
    "ObjectNotFound": "not_found",
    "LocationNotFound": "not_found",
    "DataSetNotFound": "not_found",
    "ObjectChanged": "changed",
    "PlanChanged": "changed",
    "ObjectArchived": "archived",
    "TargetFull": "quota",
    "BudgetExceeded": "quota",
    "EndpointUnreachable": "unavailable",
    "Throttled": "unavailable",
    "RetriesExhausted": "unavailable",
    "DeadlineExceeded": "deadline",
    "InvalidSpec": "configuration",
    "PlanBlocked": "configuration",
    "NotSupported": "configuration",
    "UnsafeKey": "configuration",
    "TargetOccupied": "configuration",
    "LocationOverlap": "configuration",
}
FAILURE_CLASSES = (*dict.fromkeys(_CLASS_OF_REASON.values()), "other")


@dataclass(slots=True)
class JobRecord:
    """What is remembered of a job: where it is, and what of it was counted."""

    uid: str
    phase: str = Phase.PENDING.value
    attempts: int = 0
    mismatched: int = 0
    reached: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Objects and bytes that were counted, by stage."""
    passed: set[str] = field(default_factory=set)
    """Stages that are over."""
    saves: tuple[str, str, Decimal] | None = None
    """Of a completed job: data set, currency and what it saves a month by its plan."""


@dataclass(slots=True)
class PolicyRecord:
    """What was counted of a policy."""

    uid: str
    evaluated_at: str | None = None
    failing: bool = False
    evaluations: int = 0
    failures: int = 0


class Tally:
    """Counts; fed by the cache, the dispatcher and the reconciler of data sets."""

    def __init__(self) -> None:
        self.reconciled: Counter[tuple[str, str]] = Counter()
        self.reconcile_seconds = Distribution("reconcile_duration_seconds", RECONCILED)
        self.jobs: dict[Key, JobRecord] = {}
        self.policies: dict[Key, PolicyRecord] = {}
        self.ended: Counter[tuple[str, str, str]] = Counter()
        """Jobs by source, target and result."""
        self.objects: Counter[tuple[str, str]] = Counter()
        """By target and stage; `bytes`, too."""
        self.bytes: Counter[tuple[str, str]] = Counter()
        self.migration_seconds = Distribution("migration_duration_seconds", BACKENDS)
        self.failures: Counter[str] = Counter()
        self.mismatched: Counter[str] = Counter()
        self.retries = 0
        self.scans = 0
        self.lines: Counter[str] = Counter()

    def visited(self, kind: str, outcome: str, seconds: float) -> None:
        """Count one visit of a resource."""
        self.reconciled[kind, outcome] += 1
        self.reconcile_seconds.observe(kind, seconds)

    def scanned(self, scan: ScanResult) -> None:
        """Count one listing and the log lines that it read."""
        self.scans += 1
        self.lines["malformed"] += scan.lines_malformed
        self.lines["counted"] += max(0, scan.lines_read - scan.lines_malformed)

    def hear(self, kind: str, key: Key, raw: Raw | None) -> None:
        """Take a change in; None: the object is gone."""
        if kind == JOB:
            self._hear_job(key, raw)
        elif kind == POLICY:
            self._hear_policy(key, raw)

    def _hear_job(self, key: Key, raw: Raw | None) -> None:
        if raw is None:
            self.jobs.pop(key, None)
            return
        uid, status = raw["metadata"].get("uid", ""), raw.get("status") or {}
        record = self.jobs.get(key)
        known = record is not None and record.uid == uid
        if record is None or not known:
            record = self.jobs[key] = JobRecord(uid)
        source, target = backends(status)
        self._count_stages(record, status, target, known)
        before, record.phase = record.phase, status.get("phase") or Phase.PENDING.value
        attempts, record.attempts = record.attempts, status.get("attempts") or 0
        mismatched = (status.get("verification") or {}).get("mismatched") or 0
        if known:
            self.retries += max(0, record.attempts - attempts)
            self.mismatched[target] += max(0, mismatched - record.mismatched)
            if before != record.phase and record.phase in RESULTS:
                self._count_end(status, record.phase, source, target)
        record.mismatched = max(mismatched, record.mismatched)
        plan = status.get("plan")
        if record.phase == Phase.COMPLETED.value and plan is not None and record.saves is None:
            data_set = raw["spec"]["dataSetRef"]["name"]
            saved = Decimal(plan.get("savingsPerMonth") or "0")
            record.saves = (data_set, plan.get("currency") or "USD", saved)

    def _count_stages(
        self, record: JobRecord, status: Mapping[str, Any], target: str, known: bool
    ) -> None:
        for stage, objects, size_bytes, over in _stages(status):
            if stage in record.passed:
                continue
            if over:
                record.passed.add(stage)
            old_objects, old_bytes = record.reached.get(stage, (0, 0))
            new = (max(objects, old_objects), max(size_bytes, old_bytes))
            record.reached[stage] = new
            if known:
                self.objects[target, stage] += new[0] - old_objects
                self.bytes[target, stage] += new[1] - old_bytes

    def _count_end(self, status: Mapping[str, Any], phase: str, source: str, target: str) -> None:
        self.ended[source, target, RESULTS[phase]] += 1
        if phase == Phase.FAILED.value:
            self.failures[_CLASS_OF_REASON.get(status.get("reason") or "", "other")] += 1
        started, ended = status.get("startedAt"), status.get("completedAt")
        if phase == Phase.COMPLETED.value and started and ended:
            took: dt.timedelta = parse_time(ended) - parse_time(started)
            self.migration_seconds.observe(target, max(0.0, took.total_seconds()))

    def _hear_policy(self, key: Key, raw: Raw | None) -> None:
        if raw is None:
            self.policies.pop(key, None)
            return
        uid, status = raw["metadata"].get("uid", ""), raw.get("status") or {}
        record = self.policies.get(key)
        known = record is not None and record.uid == uid
        if record is None or not known:
            record = self.policies[key] = PolicyRecord(uid)
        at, failing = status.get("lastEvaluationTime"), _fails(status)
        if known:
            record.evaluations += at is not None and at != record.evaluated_at
            record.failures += failing and not record.failing
        record.evaluated_at, record.failing = at, failing


def condition(status: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    """Return a condition of a raw status; empty when there is none."""
    for one in status.get("conditions") or ():
        if one["type"] == kind:
            found: Mapping[str, Any] = one
            return found
    return {}


def backends(status: Mapping[str, Any]) -> tuple[str, str]:
    """Return the kinds of storage that a job reads and writes; file until it is planned."""
    pin = status.get("pin") or {}

    def of(side: str) -> str:
        uri: str = (pin.get(side) or {}).get("uri") or "file://"
        return PROVIDER_OF_SCHEME.get(uri.partition("://")[0], "file")

    return of("source"), of("target")


def _stages(status: Mapping[str, Any]) -> Iterator[tuple[str, int, int, bool]]:
    """Yield each stage that was reached: objects and bytes so far, and whether it is over."""
    progress, proof = status.get("progress") or {}, status.get("verification") or {}

    def told(word: str) -> int:
        return progress.get(word) or 0

    def holds(kind: str, reason: str | None = None) -> bool:
        found = condition(status, kind)
        return found.get("status") == "True" and reason in (None, found.get("reason"))

    if status.get("phase") == Phase.COPYING.value:
        yield "copied", told("objectsDone"), told("bytesDone"), False
    elif holds("Copied"):
        left = told("objectsFailed") + told("objectsSkipped")
        yield "copied", max(0, told("objectsTotal") - left), told("bytesTotal"), True
    proven = proof.get("matched") or 0
    for stage, kind, reason in (
        ("verified", "Verified", None),
        ("switched", "Switched", None),
        ("deleted", "SourceRetired", "SourceRetired"),
    ):
        if holds(kind, reason):
            yield stage, proven, told("bytesTotal"), True


def _fails(status: Mapping[str, Any]) -> bool:
    ready = condition(status, "Ready")
    return ready.get("status") == "False" and ready.get("reason") != "Suspended"
