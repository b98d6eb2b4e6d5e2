"""What an S3 bucket's configuration says of changes in it; read-only looks."""

from collections.abc import Callable

from cloudflux.storage.bucket_facts import BucketFacts, Looks
from cloudflux.storage.s3_bucket import Bucket
from cloudflux.storage.s3_wire import local_name, parse_xml

RIGHTS = {
    "versioning": ("GetBucketVersioning", "s3:GetBucketVersioning"),
    "object-lock": ("GetObjectLockConfiguration", "s3:GetBucketObjectLockConfiguration"),
    "replication": ("GetBucketReplication", "s3:GetReplicationConfiguration"),
    "notification": ("GetBucketNotificationConfiguration", "s3:GetBucketNotification"),
    "lifecycle": ("GetBucketLifecycleConfiguration", "s3:GetLifecycleConfiguration"),
}
"""By subresource: the operation, and the right that it needs."""
_BY_AGE = ("Days", "Transition", "Expiration")
_TOLD = (
    "Topic",
    "Queue",
    "CloudFunction",
    "CloudFunctionConfiguration",
    "EventBridgeConfiguration",
)


def bucket_facts(bucket: Bucket) -> BucketFacts:
    """Look at each part that concerns a move."""
    looks = Looks()

    def asks(part: str, says: Callable[[dict[str, str]], bool]) -> bool:
        operation, right = RIGHTS[part]

        def found() -> bool:
            answer = bucket.call(operation, "GET", query={part: ""})
            return says(
                {
                    local_name(element): (element.text or "").strip()
                    for element in parse_xml(answer.body).iter()
                }
            )

        return looks.look(right, found)

    return BucketFacts(
        versioned=asks("versioning", lambda told: told.get("Status") in ("Enabled", "Suspended")),
        locked=asks("object-lock", lambda told: told.get("ObjectLockEnabled") == "Enabled"),
        replicated=asks("replication", lambda told: "Rule" in told),
        notifies=asks("notification", lambda told: any(name in told for name in _TOLD)),
        expires=asks("lifecycle", lambda told: any(name in told for name in _BY_AGE)),
        unknown=tuple(looks.unknown),
    )
