"""The plan: what will move, frozen when shown; what blocks it, what it costs, how long it takes."""

import datetime as dt
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from cloudflux.api.migrationjob import VerifyMethod
from cloudflux.api.tasks import PlanRequest, PlanResult
from cloudflux.brain.money import money_text
from cloudflux.brain.plan import MovePrice, payback_days, price_move
from cloudflux.errors import PlanChanged
from cloudflux.migration.checkpoint import Checkpoint
from cloudflux.migration.files import (
    JSON,
    AtomicLines,
    dump,
    file_digest,
    read_json,
    read_lines,
    write_json,
)
from cloudflux.migration.mapping import class_at_target, key_prefix, provider_of
from cloudflux.migration.selection import Reads, Selector
from cloudflux.migration.session import Session, in_place
from cloudflux.storage.interface import ObjectInfo, Unreadable
from cloudflux.storage.keys import decode_key, encode_key, printable, problems

NAMED = 5
"""So many keys of each kind of problem are named; the rest are counted."""
ASSUMED_BYTES_PER_SECOND = 50_000_000
ASSUMED_SECONDS_PER_OBJECT = 0.03


@dataclass(frozen=True, slots=True)
class PlannedObject:
    """One object of the plan, as it was listed."""

    key: str
    size_bytes: int
    version: str
    storage_class: str


@dataclass(slots=True)
class _Findings:
    """What the listing of the source brought."""

    sizes: list[int] = field(default_factory=list)
    days: list[float] = field(default_factory=list)
    reads: list[float] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)
    targets: list[str] = field(default_factory=list)
    named: dict[str, list[str]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def note(self, kind: str, text: str) -> None:
        """Count a problem, and name the first few of its kind."""
        self.counts[kind] = self.counts.get(kind, 0) + 1
        if self.counts[kind] <= NAMED:
            self.named.setdefault(kind, []).append(text)

    def words(self, kind: str, introduction: str) -> tuple[str, ...]:
        """Return the problem in one sentence, or nothing."""
        if kind not in self.counts:
            return ()
        more = self.counts[kind] - NAMED
        names = "; ".join(self.named[kind]) + (f"; and {more} more" if more > 0 else "")
        return (f"{introduction}: {names}",)


def make_plan(session: Session, request: PlanRequest, reads: Reads) -> PlanResult:
    """List, check, price and freeze; writes plan.jsonl and plan.json."""
    session.source.check()
    if not in_place(request):
        session.target.check()
    findings, blocked = _Findings(), []
    selector = Selector(request, session.context.state_dir, reads)
    with AtomicLines(session.files.plan_list) as lines:
        listed = _list(session, request, selector, findings, lines)
        if in_place(request):
            for _ in listed:
                pass
        else:
            keys = (info.key for info in listed)
            target = session.target.capabilities
            for key, why in problems(keys, target, prefix=key_prefix(session.target)):
                findings.note("unsafe", f"{printable(key)} {why}")
        list_digest = lines.digest
    session.context.stop_point("plan.listed")
    blocked += _problems(session, request, findings, selector)
    price = _price(request, session, findings)
    hash_ = _hash(request, list_digest, price)
    result = PlanResult(
        hash=hash_,
        objects=len(findings.sizes),
        size_bytes=sum(findings.sizes),
        one_off_cost=money_text(price.one_off_cost),
        savings_per_month=money_text(price.savings_per_month),
        currency=price.currency,
        price_date=price.price_date,
        duration_seconds=_duration_seconds(request, findings),
        payback_days=price.payback_days,
        list_path=str(session.files.plan_list),
        warnings=(*_warnings(session, request, findings, selector), *price.warnings)[:10],
        problems=tuple(blocked),
    )
    write_json(
        session.files.plan,
        {"list_digest": list_digest, "objects": result.objects, "bytes": result.size_bytes},
    )
    session.context.stop_point("plan.written")
    return result


def load_plan(session: Session) -> JSON:
    """Return plan.json. Raises PlanChanged when it or its list is not what was planned."""
    plan = read_json(session.files.plan)
    listed = session.files.plan_list
    if plan is None or not listed.exists() or file_digest(listed) != plan["list_digest"]:
        raise PlanChanged("the plan's list of objects is gone or was changed; a new plan is made")
    return plan


def planned_objects(session: Session) -> Iterator[PlannedObject]:
    """Yield the plan's list."""
    for row in read_lines(session.files.plan_list):
        yield PlannedObject(decode_key(row["key"]), row["size"], row["version"], row["class"])


def _list(
    session: Session,
    request: PlanRequest,
    selector: Selector,
    findings: _Findings,
    lines: AtomicLines,
) -> Iterator[ObjectInfo]:
    """Yield each object that is to move, after writing it down."""
    for info in session.source.list(selector.prefix):
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
        if info.archived:
            findings.note("archived", f"{printable(info.key)} ({info.storage_class})")
        idle = (request.now - info.last_modified) / dt.timedelta(days=1)
        findings.sizes.append(info.size_bytes)
        findings.days.append(max(0.0, idle))
        findings.reads.append(selector.reads_30d(info.key))
        findings.classes.append(info.storage_class)
        findings.targets.append(target_class)
        lines.write(
            {
                "key": encode_key(info.key),
                "size": info.size_bytes,
                "version": info.version,
                "class": info.storage_class,
            }
        )
        yield info


def _target_class(session: Session, request: PlanRequest, info: ObjectInfo) -> str:
    if request.target_class is not None:
        return request.target_class
    if request.target_root is not None:
        return request.target_root.rstrip("/")
    return class_at_target(info, session.source.capabilities, session.target.capabilities)


def _problems(
    session: Session, request: PlanRequest, findings: _Findings, selector: Selector
) -> list[str]:
    found = [*selector.problems()]
    found += findings.words("unsafe", "keys that the target can't hold; rename them")
    found += findings.words("archived", "objects that must be restored before they can be read")
    if not in_place(request):
        found += findings.words("unreadable", "entries that can't be moved; remove or replace them")
        found += _occupied(session)
    elif request.target_class is not None:
        classes = session.source.capabilities.storage_classes
        if request.target_class not in classes:
            known = ", ".join(classes)
            found.append(f"{request.target_class} is no class of {session.source.uri}: {known}")
    return found


def _occupied(session: Session) -> tuple[str, ...]:
    """Name objects at the target that the source does not have: they would become its data."""
    wanted = {row["key"] for row in read_lines(session.files.plan_list)}
    with Checkpoint(session.files.checkpoint) as checkpoint:
        ours = set(checkpoint.moved)
    findings = _Findings()
    for info in session.target.list():
        if info.key not in ours and encode_key(info.key) not in wanted:
            findings.note("occupied", printable(info.key))
    return findings.words(
        "occupied", "the target holds objects that the source has not; choose an empty location"
    )


def _warnings(
    session: Session, request: PlanRequest, findings: _Findings, selector: Selector
) -> list[str]:
    found = [*selector.warnings()]
    if in_place(request):
        found += findings.words("unreadable", "entries that are left as they are")
        source = session.source.capabilities
        enforced = source.conditional_copy_source and source.conditional_copy_target
        if not enforced and request.writers.value != "Quiesced":
            found.append(
                "the store does not enforce conditions on copies: an object written in the "
                "instant of its change could be lost; stop its writers (spec.writers: Quiesced)"
            )
    else:
        if request.writers.value == "Active":
            found.append(
                "writers may be active: what they write to the old location after the switch "
                "stays there and is reported; stop them, or point them to the new location"
            )
        if request.verify is VerifyMethod.SIZE:
            found.append("only sizes are compared: that is no proof of the content")
    return found


def _price(request: PlanRequest, session: Session, findings: _Findings) -> MovePrice:
    """Price the move, one call for each class that objects get."""
    sizes, days = np.asarray(findings.sizes, float), np.asarray(findings.days, float)
    reads, targets = np.asarray(findings.reads, float), np.asarray(findings.targets, object)
    classes = np.asarray(findings.classes, object)
    wanted = sorted(set(findings.targets)) or [_any_class(session, request)]
    moves = not in_place(request)
    source, target = provider_of(session.source), provider_of(session.target)
    prices = []
    for name in wanted:
        rows = targets == name
        prices.append(
            price_move(
                source_provider=source,
                source_region=request.source.region,
                source_class=list(classes[rows]),
                size_bytes=sizes[rows],
                days_in_class=days[rows],
                reads_30d=reads[rows],
                target_provider=target,
                target_region=request.target.region,
                target_class=name,
                crosses_region=moves and request.source.region != request.target.region,
                crosses_location=moves,
                overlay=request.price_overlay,
            )
        )
    return prices[0] if len(prices) == 1 else _sum(prices)


def _any_class(session: Session, request: PlanRequest) -> str:
    """Return a class to price an empty plan with."""
    named = request.target_class or request.target_root
    return named or session.target.capabilities.storage_classes[0]


def _sum(prices: list[MovePrice]) -> MovePrice:
    one_off = sum((one.one_off_cost for one in prices), start=prices[0].one_off_cost * 0)
    savings = sum((one.savings_per_month for one in prices), start=prices[0].savings_per_month * 0)
    return MovePrice(
        one_off_cost=one_off,
        savings_per_month=savings,
        payback_days=payback_days(float(one_off), float(savings)),
        currency=prices[0].currency,
        price_date=min(one.price_date for one in prices),
        warnings=tuple(dict.fromkeys(text for one in prices for text in one.warnings)),
    )


def _hash(request: PlanRequest, list_digest: str, price: MovePrice) -> str:
    stands_on: Mapping[str, object] = {
        "source": [request.source.uri, request.source.endpoint, request.source_generation],
        "target": [request.target.uri, request.target.endpoint],
        "class": [request.target_class, request.target_root],
        "objects": list_digest,
        "prices": price.price_date,
    }
    return hashlib.sha256(dump(dict(stands_on))).hexdigest()[:32]


def _duration_seconds(request: PlanRequest, findings: _Findings) -> int:
    rate = min(
        request.bandwidth_bytes_per_second or ASSUMED_BYTES_PER_SECOND, ASSUMED_BYTES_PER_SECOND
    )
    by_server = request.target_class is not None
    stream_seconds = 0.0 if by_server else 2 * sum(findings.sizes) / rate
    calls_seconds = 2 * len(findings.sizes) * ASSUMED_SECONDS_PER_OBJECT / request.parallelism
    return int(stream_seconds + calls_seconds) + 1
