"""Restoring archived objects: RestoreObject, and what HeadObject says of it.

Rules: https://docs.aws.amazon.com/AmazonS3/latest/API/API_RestoreObject.html
"""

import datetime as dt
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from cloudflux.errors import NotSupported, PreconditionFailed
from cloudflux.storage import s3_attributes as attributes
from cloudflux.storage.archive import Restoration, RestoreState
from cloudflux.storage.bucket_facts import Looks
from cloudflux.storage.keys import printable
from cloudflux.storage.s3_bucket import Bucket
from cloudflux.storage.s3_wire import local_name, parse_xml

AUTOMATIC = "INTELLIGENT_TIERING"
UNDERWAY_CODE = "RestoreAlreadyInProgress"
_EXPIRY = re.compile(r'expiry-date="([^"]+)"')


def restoration_of(headers: Mapping[str, str]) -> Restoration:
    """What the headers of an object say of its restore."""
    told = headers.get("x-amz-restore", "")
    if 'ongoing-request="true"' in told:
        return Restoration(RestoreState.UNDERWAY)
    if attributes.is_archived(headers.get(attributes.CLASS, ""), headers):
        return Restoration(RestoreState.ARCHIVED)
    return Restoration(RestoreState.READABLE, _expiry(told))


def request_restore(bucket: Bucket, key: str, *, tier: str, days: int) -> None:
    """Send the request; one that is under way already is as good.

    What an automatic class archived goes back to its frequent tier for good: the request of a
    number of days is refused there.
    """
    headers = bucket.head(key)
    span = f"<Days>{days}</Days>"
    asked = f"<GlacierJobParameters><Tier>{tier}</Tier></GlacierJobParameters>"
    if headers.get(attributes.CLASS) == AUTOMATIC:
        span = ""
    try:
        bucket.call(
            "RestoreObject",
            "POST",
            bucket.name(key),
            query={"restore": ""},
            headers={"content-type": "application/xml"},
            body=f"<RestoreRequest>{span}{asked}</RestoreRequest>".encode(),
        )
    except PreconditionFailed as error:
        if error.code != UNDERWAY_CODE:
            raise
    except NotSupported as error:
        raise NotSupported(
            f"{printable(key)}: the server can't restore it with the tier {tier}; choose another "
            "tier, or restore it by hand",
            backend="s3",
            operation="RestoreObject",
            key=key,
        ) from error


def archives_unseen(bucket: Bucket) -> bool:
    """Whether the bucket lets its automatic class archive objects: no listing tells which."""
    query = {"intelligent-tiering": "", "x-id": "ListBucketIntelligentTieringConfigurations"}

    def found() -> bool:
        answer = bucket.call("ListBucketIntelligentTieringConfigurations", "GET", query=query)
        names = {local_name(element) for element in parse_xml(answer.body).iter()}
        return "AccessTier" in names

    looks = Looks()
    # a look at each object costs less than the surprise that it is archived
    return looks.look("s3:GetIntelligentTieringConfiguration", found) or bool(looks.unknown)


def _expiry(told: str) -> dt.datetime | None:
    found = _EXPIRY.search(told)
    try:
        return parsedate_to_datetime(found.group(1)).astimezone(dt.UTC) if found else None
    except ValueError:
        return None
