"""Conditions of writes: held by the server, and where it ignores them, looked at by ourselves."""

import uuid
from collections.abc import Callable
from contextlib import suppress

from cloudflux.errors import CloudFluxError, NotSupported, ObjectNotFound, PreconditionFailed
from cloudflux.storage.digests import digest_bytes, hex_to_base64
from cloudflux.storage.interface import CONTROL_PREFIX
from cloudflux.storage.keys import printable
from cloudflux.storage.s3_attributes import unquote_etag
from cloudflux.storage.s3_bucket import Bucket

_PROBE = b"probe"


class Conditions:
    """What the bucket's server does with if-none-match and if-match of a write."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def enforced(self) -> bool:
        """Whether a write that must create refuses to overwrite; measured once for a bucket.

        Amazon's own is known to; elsewhere a scratch object below `.cloudflux/` is written twice
        and removed.
        """
        wire, bucket = self._bucket.wire, self._bucket.bucket
        if wire.is_amazon:
            return True
        known = wire.holds_conditions.get(bucket)
        if known is None:
            known = wire.holds_conditions[bucket] = self._measure()
        return known

    def look(
        self, key: str, *, if_absent: bool, if_version: str | None
    ) -> Callable[[], None] | None:
        """What has to be called immediately before the write; None where the server sees to it.

        It raises PreconditionFailed. Between it and the write another's write is not seen:
        a plan says so, and asks that nobody else writes.
        """
        if not (if_absent or if_version is not None) or self.enforced():
            return None

        def look() -> None:
            present: str | None = None
            with suppress(ObjectNotFound):
                present = unquote_etag(self._bucket.head(key)["etag"])
            if present != if_version:  # None: absent is as wanted
                raise PreconditionFailed(
                    f"{self._bucket.uri}/{printable(key)} is not as it was when it was looked at",
                    backend="s3",
                    operation="put",
                    key=key,
                )

        return look

    def _measure(self) -> bool:
        name = f"{self._bucket.prefix}{CONTROL_PREFIX}probe-{uuid.uuid4()}"
        md5 = hex_to_base64(digest_bytes(_PROBE, {"md5"})["md5"])
        headers = {"content-md5": md5, "if-none-match": "*"}
        try:
            self._bucket.call("PutObject", "PUT", name, headers=headers, body=_PROBE)
        except NotSupported:
            return False  # a server that knows no conditions, and says so
        try:
            self._bucket.call("PutObject", "PUT", name, headers=headers, body=_PROBE)
        except (PreconditionFailed, NotSupported) as refused:
            return isinstance(refused, PreconditionFailed)
        finally:
            with suppress(CloudFluxError):
                self._bucket.call("DeleteObject", "DELETE", name)
        return False
