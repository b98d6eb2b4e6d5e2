"""From what a scan and a decision found to the status of a DataSet. Pure."""

import datetime as dt

from cloudflux.api.brain_tasks import EvaluateResult, OutcomeTask, RecommendationTask
from cloudflux.api.common import ConditionStatus, Tier
from cloudflux.api.conditions import find, set_condition
from cloudflux.api.dataset import (
    AccessStatus,
    DataSetStatus,
    ForecastStatus,
    InventoryStatus,
    Recommendation,
    Temperature,
    TierUsage,
    TrendStatus,
)
from cloudflux.api.display import counted, display_bytes
from cloudflux.api.results import OutcomeStatus
from cloudflux.api.scan_tasks import ScanResult
from cloudflux.api.vocabulary import REASONS, ConditionType
from cloudflux.handlers.resources import DataSet


def first_visit(data_set: DataSet, now: dt.datetime) -> DataSetStatus:
    """The status that says: seen, nothing known yet. Keeps what is known from before."""
    status = data_set.status
    for kind in (ConditionType.READY, ConditionType.ACCESS_HISTORY_FRESH):
        if find(status.conditions, kind) is None:
            status = with_condition(
                status, data_set, kind, ConditionStatus.UNKNOWN, "Pending",
                REASONS["Pending"].meaning, now,
            )  # fmt: skip
    return status.model_copy(update={"observed_generation": data_set.generation})


def with_condition(
    status: DataSetStatus,
    data_set: DataSet,
    kind: ConditionType,
    value: ConditionStatus,
    reason: str,
    message: str,
    now: dt.datetime,
) -> DataSetStatus:
    """The status with one condition set, and the generation observed."""
    conditions = set_condition(
        status.conditions, kind, value, reason, message, generation=data_set.generation, now=now
    )
    return status.model_copy(
        update={"conditions": conditions, "observed_generation": data_set.generation}
    )


def not_ready(
    data_set: DataSet,
    reason: str,
    message: str,
    now: dt.datetime,
    value: ConditionStatus = ConditionStatus.FALSE,
) -> DataSetStatus:
    """Ready=False for a reason; the last good values stay."""
    status = first_visit(data_set, now)
    return with_condition(status, data_set, ConditionType.READY, value, reason, message, now)


def ready(data_set: DataSet, status: DataSetStatus, now: dt.datetime) -> DataSetStatus:
    """Ready=True: listed, and its signals read."""
    inventory = status.inventory
    words = "scanned"
    if inventory is not None:
        words = f"{counted(inventory.objects, 'object')}, {display_bytes(inventory.bytes)}"
    return with_condition(
        status, data_set, ConditionType.READY, ConditionStatus.TRUE, "Scanned", words, now
    )


def scanned(data_set: DataSet, scan: ScanResult, now: dt.datetime) -> DataSetStatus:
    """The status after a scan."""
    status = first_visit(data_set, now).model_copy(
        update={
            "inventory": InventoryStatus(
                objects=scan.objects, bytes=scan.size_bytes, scanned_at=scan.scanned_at
            ),
            "access": AccessStatus(
                reads7d=scan.reads_7d,
                reads30d=scan.reads_30d,
                last_read_at=scan.last_read_at,
                observed_days=scan.observed_days,
                coverage_percent=scan.coverage_percent,
                first_byte_millis=scan.first_byte_millis,
            ),
            "served_scan_token": scan_token(data_set),
        }
    )
    fresh = ConditionStatus.TRUE if scan.fresh else ConditionStatus.FALSE
    reason = scan.fresh_reason or ("AccessLogsFresh" if scan.fresh else "NoAccessSource")
    message = scan.fresh_message or REASONS[reason].meaning
    if scan.lines_malformed:
        message += f" ({scan.lines_malformed} malformed log lines kept aside)"
    status = with_condition(
        status, data_set, ConditionType.ACCESS_HISTORY_FRESH, fresh, reason, message, now
    )
    return ready(data_set, status, now)


def scan_token(data_set: DataSet) -> str | None:
    """The value of the annotation that asks for a scan now."""
    token = data_set.annotations.get("cloudflux.io/scan-now")
    return token[:64] if token else None


def evaluated(data_set: DataSet, found: EvaluateResult, now: dt.datetime) -> DataSetStatus:
    """The status after a decision."""
    return data_set.status.model_copy(
        update={
            "temperature": Temperature(found.temperature),
            "confidence_percent": found.confidence_percent,
            "tiers": [
                TierUsage(
                    tier=usage.tier,
                    storage_class=usage.storage_class,
                    objects=usage.objects,
                    bytes=usage.size_bytes,
                    monthly_cost=usage.monthly_cost,
                )
                for usage in found.tiers[:16]
            ],
            "monthly_cost": found.monthly_cost,
            "savings_per_month": found.savings_per_month,
            "currency": found.currency,
            "forecast": _forecast(found),
            "recommendations": [_recommendation(item) for item in found.recommendations[:10]],
            "outcome": _outcome(found.outcome),
            "why_not": found.why_not[:1024] if found.why_not else None,
            "evaluated_at": now,
        }
    )


def _forecast(found: EvaluateResult) -> ForecastStatus | None:
    if found.forecast_7d is None or found.forecast_30d is None:
        return None
    return ForecastStatus(
        reads7d=found.forecast_7d,
        reads30d=found.forecast_30d,
        low=found.forecast_low if found.forecast_low is not None else found.forecast_7d,
        high=found.forecast_high if found.forecast_high is not None else found.forecast_7d,
        model=found.forecast_model or "fall-back",
        trend=[
            TrendStatus(
                bytes=one.size_bytes,
                bytes_low=one.size_bytes_low,
                bytes_high=one.size_bytes_high,
                **one.model_dump(include={"days", "reads", "reads_low", "reads_high"}),
            )
            for one in found.trend
        ],
    )


def _outcome(found: OutcomeTask | None) -> OutcomeStatus | None:
    if found is None:
        return None
    days = {"since": found.since.isoformat(), "until": found.until.isoformat()}
    return OutcomeStatus(**{**found.model_dump(), **days})


def _recommendation(item: RecommendationTask) -> Recommendation:
    return Recommendation(
        id=item.id,
        objects=item.objects,
        bytes=item.size_bytes,
        source=item.source,
        target=item.target,
        tier=Tier(item.tier),
        savings_per_month=item.savings_per_month,
        one_off_cost=item.one_off_cost,
        payback_days=item.payback_days,
        confidence_percent=item.confidence_percent,
        reason=item.reason[:1024],
    )
