"""Whether a bucket's server access logging is on, and where its logs go; a read-only look."""

from cloudflux.api.task import StoreRef
from cloudflux.storage.s3_client import split_uri, wire_for
from cloudflux.storage.s3_wire import local_name, parse_xml


def access_logging(ref: StoreRef) -> str | None:
    """URI below which the bucket's access logs are delivered; None: logging is off.

    Raises PermissionDenied without s3:GetBucketLogging, NotSupported where the server has none.
    """
    bucket, _ = split_uri(ref.uri)
    answer = wire_for(ref).call("GetBucketLogging", "GET", bucket, query={"logging": ""})
    found = {
        local_name(element): (element.text or "").strip()
        for element in parse_xml(answer.body).iter()
    }
    target = found.get("TargetBucket")
    return f"s3://{target}/{found.get('TargetPrefix', '')}".rstrip("/") if target else None
