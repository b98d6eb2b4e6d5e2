"""The plan: what will move, frozen when shown; what blocks it, what it costs, how long it takes."""

import datetime as dt
import hashlib
import sys
from collections.abc import Iterator, Mapping

from cloudflux.api.brain_tasks import RestoreQuote
from cloudflux.api.move_tasks import PlanRequest, PlanResult
from cloudflux.brain.money import money_text, with_currency
from cloudflux.brain.plan import MovePrice
from cloudflux.brain.price_table import DAYS_PER_MONTH
from cloudflux.migration.files import (
    AtomicLines,
    dump,
    write_json,
)
from cloudflux.migration.mapping import class_at_target, key_prefix
from cloudflux.migration.plan_bucket import (
    facts_of,
    noncurrent_rent,
    problems_of_buckets,
    warnings_of_buckets,
)
from cloudflux.migration.plan_findings import Findings, problems_of, warnings_of
from cloudflux.migration.plan_fits import Fits
from cloudflux.migration.plan_price import duration_seconds, price_of, with_fee, with_rent
from cloudflux.migration.plan_restore import (
    ArchivedObjects,
    problems_of_restore,
    quote_of,
    restore_words,
)
from cloudflux.migration.selection import Reads, Selector
from cloudflux.migration.session import Session, in_place
from cloudflux.storage.interface import ObjectInfo, Unreadable
from cloudflux.storage.keys import encode_key, printable, problems


def make_plan(session: Session, request: PlanRequest, reads: Reads) -> PlanResult:
    """List, check, price and freeze; writes plan.jsonl and plan.json."""
    session.source.check()
    if not in_place(request):
        session.target.check()
    findings, archived = Findings(), ArchivedObjects(session)
    selector = Selector(request, session.context.state_dir, reads)
    fits = Fits(session, findings, request.job_uid)
    with AtomicLines(session.files.plan_list) as lines:
        listed = _list(session, request, selector, findings, archived, lines, fits)
        if in_place(request):
            for _ in listed:
                pass
        else:
            keys = (_looked_at(fits, info) for info in listed)
            target = session.target.capabilities
            for key, why in problems(keys, target, prefix=key_prefix(session.target)):
                findings.note("unsafe", f"{printable(key)} {why}")
        list_digest = lines.digest
    session.context.stop_point("plan.listed")
    facts = facts_of(session.source)
    stuck = (*problems_of_restore(archived, request), *problems_of_buckets(session, request, facts))
    blocked = [
        *stuck,
        *fits.problems(),
        *problems_of(session, request, findings, selector),
    ]
    price = price_of(session, request, findings)
    rent = noncurrent_rent(session, request, findings, facts)
    if facts.versioned:
        price = with_rent(price, rent)
    elif rent:
        price = with_fee(price, rent * facts.kept_days / DAYS_PER_MONTH)
    seconds = duration_seconds(request, findings)
    restore, warnings = None, [*fits.warnings(), *warnings_of(request, findings, selector)]
    told = with_currency(rent, price.currency)
    warnings += warnings_of_buckets(session, request, findings, facts, told)
    if archived.classes and not stuck:
        restore, beyond = quote_of(
            session, request, archived.classes, archived.sizes,
            overlay=request.price_overlay, move_seconds=seconds,
        )  # fmt: skip
        price = with_fee(price, beyond)
        seconds += restore.hours * 3600
        warnings = [*restore_words(restore, request, price.currency), *warnings]
    hash_ = _hash(request, list_digest, price, restore)
    result = PlanResult(
        hash=hash_,
        objects=len(findings.sizes),
        size_bytes=sum(findings.sizes),
        one_off_cost=money_text(price.one_off_cost),
        savings_per_month=money_text(price.savings_per_month),
        currency=price.currency,
        price_date=price.price_date,
        duration_seconds=seconds,
        payback_days=price.payback_days,
        list_path=str(session.files.plan_list),
        restore=restore,
        warnings=(*warnings, *price.warnings)[:10],
        problems=tuple(blocked),
    )
    frozen = {"list_digest": list_digest, "objects": result.objects, "bytes": result.size_bytes}
    if restore is not None:
        frozen["restore"] = restore.model_dump(mode="json")
    write_json(session.files.plan, frozen)
    session.context.stop_point("plan.written")
    return result


def _looked_at(fits: Fits, info: ObjectInfo) -> str:
    fits.take(info)
    return info.key


def _list(
    session: Session,
    request: PlanRequest,
    selector: Selector,
    findings: Findings,
    archived: ArchivedObjects,
    lines: AtomicLines,
    fits: Fits,
) -> Iterator[ObjectInfo]:
    """Yield each object that is to move, after writing it down."""
    for info in fits.list(selector.prefix):
        if len(findings.sizes) % 256 == 0:
            session.context.check()
        if isinstance(info, Unreadable):
            findings.note("unreadable", f"{printable(info.key)} {info.reason}")
            continue
        target_class = _target_class(session, request, info)
        if info.storage_class == target_class and in_place(request):
            findings.counts["there"] = findings.counts.get("there", 0) + 1
            continue
        if not selector.wants(info):
            continue
        must_be_restored = archived.take(info)
        idle = (request.now - info.last_modified) / dt.timedelta(days=1)
        if (info.multipart_parts or 0) > 1:
            findings.counts["parts"] = findings.counts.get("parts", 0) + 1
        findings.sizes.append(info.size_bytes)
        findings.days.append(max(0.0, idle))
        findings.reads.append(selector.reads_30d(info.key))
        findings.classes.append(sys.intern(info.storage_class))  # once, not once an object
        findings.targets.append(target_class)
        lines.write(
            {
                "key": encode_key(info.key),
                "size": info.size_bytes,
                "version": info.version,
                "class": info.storage_class,
                **({"archived": True} if must_be_restored else {}),
            }
        )
        yield info


def _target_class(session: Session, request: PlanRequest, info: ObjectInfo) -> str:
    if request.target_class is not None:
        return request.target_class
    if request.target_root is not None:
        return request.target_root.rstrip("/")
    return class_at_target(info, session.source.capabilities, session.target.capabilities)


def _hash(
    request: PlanRequest, list_digest: str, price: MovePrice, restore: RestoreQuote | None
) -> str:
    stands_on: Mapping[str, object] = {
        "source": [request.source.uri, request.source.endpoint, request.source_generation],
        "target": [request.target.uri, request.target.endpoint],
        "class": [request.target_class, request.target_root],
        "objects": list_digest,
        "prices": price.price_date,
    }
    if restore is not None:
        stands_on = {**stands_on, "restore": [restore.tier.value, restore.days, restore.cost]}
    return hashlib.sha256(dump(dict(stands_on))).hexdigest()[:32]
