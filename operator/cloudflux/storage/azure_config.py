"""What an Azure container says of changes in it; a read-only look.

Blob versioning and soft delete belong to the account, whose settings a container's key can't
read; a change of tier makes no version.
"""

from collections.abc import Callable
from typing import Any

from cloudflux.storage.bucket_facts import BucketFacts, Looks

RIGHT = "read (of the container)"


def bucket_facts(load: Callable[[], Any]) -> BucketFacts:
    """`load` returns the container's properties."""
    looks = Looks()
    found = looks.load(RIGHT, load)
    if found is None:
        return BucketFacts(unknown=tuple(looks.unknown))
    return BucketFacts(
        locked=bool(found.immutable_storage_with_versioning_enabled),
        retained=bool(found.has_immutability_policy or found.has_legal_hold),
    )
