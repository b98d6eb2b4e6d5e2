"""What a GCS bucket's configuration says of changes in it; a read-only look."""

from collections.abc import Callable
from typing import Any

from cloudflux.storage.bucket_facts import BucketFacts, Looks

RIGHT = "storage.buckets.get"


def bucket_facts(load: Callable[[], Any]) -> BucketFacts:
    """`load` returns the SDK's bucket, loaded."""
    looks = Looks()
    found = looks.load(RIGHT, load)
    if found is None:
        return BucketFacts(unknown=tuple(looks.unknown))
    soft_seconds = found.soft_delete_policy.retention_duration_seconds or 0
    return BucketFacts(
        versioned=bool(found.versioning_enabled),
        kept_days=-(-int(soft_seconds) // 86_400),
        locked=bool(found.default_event_based_hold),
        retained=bool(found.retention_period),
        expires=any("age" in (rule.get("condition") or {}) for rule in found.lifecycle_rules),
        own_classes=bool(found.autoclass_enabled),
    )
