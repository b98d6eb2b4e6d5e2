"""What the buckets do with a move: versions that stay, locks, copies that set off other things."""

import numpy as np

from cloudflux.api.display import counted, display_bytes
from cloudflux.api.move_tasks import PlanRequest
from cloudflux.brain.cost import by_class, storage_per_month
from cloudflux.brain.prices import load_table
from cloudflux.migration.mapping import provider_of
from cloudflux.migration.plan_findings import Findings
from cloudflux.migration.session import Session, in_place
from cloudflux.storage.bucket_facts import BucketFacts, Described
from cloudflux.storage.interface import Store

COPIES_ONTO_ITSELF = ("s3", "gs", "memory")
"""Schemes whose change of class writes the object anew."""


def facts_of(store: Store) -> BucketFacts:
    """What a store's bucket does; nothing where the store has no bucket."""
    return store.bucket_facts() if isinstance(store, Described) else BucketFacts()


def problems_of_buckets(
    session: Session, request: PlanRequest, source: BucketFacts
) -> tuple[str, ...]:
    """Say what of the source's bucket forbids the move."""
    uri = session.source.uri
    if in_place(request) and _copies(session):
        if source.own_classes:
            return (
                f"{uri}: the bucket's Autoclass chooses the classes and ignores what others "
                "choose; switch it off, or leave the classes to it",
            )
        if source.locked:
            return (
                f"{uri}: the bucket has object lock, and a copy would be without the retention "
                "and the legal hold of its object; let a lifecycle rule change the classes",
            )
        if source.retained:
            return (
                f"{uri}: the bucket's retention policy forbids to write objects anew; let a "
                "lifecycle rule change the classes",
            )
    if not in_place(request) and request.deletes_source and source.retained:
        return (
            f"{uri}: the bucket's retention policy or legal hold forbids to delete the source; "
            "set spec.sourceRetention.policy to Retain",
        )
    return ()


def noncurrent_rent(
    session: Session, request: PlanRequest, findings: Findings, facts: BucketFacts
) -> float:
    """What the old contents that a class change leaves behind cost a month."""
    if not (facts.versioned or facts.kept_days) or not in_place(request) or not _copies(session):
        return 0.0
    table = load_table(provider_of(session.source), request.source.region, request.price_overlay)
    sizes = np.asarray(findings.sizes, float)
    rents = (
        storage_per_month(table, name, sizes[rows]).sum()
        for name, rows in by_class(findings.classes).items()
    )
    return float(sum(rents))


def warnings_of_buckets(
    session: Session,
    request: PlanRequest,
    findings: Findings,
    source: BucketFacts,
    rent: str,
) -> tuple[str, ...]:
    """What the move sets off in its buckets, counted. `rent` is that of noncurrent versions."""
    if in_place(request):
        found = _side_effects(findings, source, rent) if _copies(session) else []
    else:
        found = _of_location_move(session, request, source)
    if source.unknown:
        found.append(
            f"{session.source.uri}: what the bucket does with changes is not known for lack of "
            f"{', '.join(source.unknown)}"
        )
    return tuple(found)


def _side_effects(findings: Findings, facts: BucketFacts, rent: str) -> list[str]:
    objects = counted(len(findings.sizes), "object")
    found = []
    if facts.versioned:
        found.append(
            f"the bucket keeps versions: {objects} with {display_bytes(sum(findings.sizes))} stay "
            f"as noncurrent versions in their old class, at {rent} a month (left out of the "
            "savings) until a lifecycle rule removes them"
        )
    elif facts.kept_days:
        found.append(
            f"the bucket keeps what is overwritten for {counted(facts.kept_days, 'day')}: "
            f"{objects} are billed in their old class meanwhile, at {rent} a month"
        )
    if facts.replicated:
        found.append(f"the bucket is replicated: {objects} may be copied to its replicas again")
    if facts.notifies:
        found.append(f"the bucket tells of new objects: {objects} are told of as if written")
    if facts.expires:
        found.append("lifecycle rules by age count from the change: each object is new then")
    parts = findings.counts.get("parts", 0)
    if parts:
        found.append(
            f"{counted(parts, 'object')} written in parts may have another ETag after the change"
        )
    return found


def _of_location_move(session: Session, request: PlanRequest, source: BucketFacts) -> list[str]:
    found = []
    if source.versioned:
        words = "only the current version of each object is moved; noncurrent ones stay"
        if request.deletes_source:
            words += ", and deleting the source leaves more of them, which are billed"
        found.append(f"{session.source.uri} keeps versions: {words}")
    if source.locked:
        found.append(
            f"{session.source.uri} has object lock: retention and legal holds stay at the source, "
            "the copies have none"
        )
    target = facts_of(session.target)
    if target.retained or target.locked:
        found.append(
            f"{session.target.uri} has object lock or a retention policy: copies there may not be "
            "removable if the move is cancelled"
        )
    return found


def _copies(session: Session) -> bool:
    return session.source.capabilities.scheme in COPIES_ONTO_ITSELF
