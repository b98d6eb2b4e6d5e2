"""Conditions of writes: held by the server, and where it ignores them, looked at by ourselves."""

import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from cloudflux.errors import CloudFluxError, NotSupported, ObjectNotFound, PreconditionFailed
from cloudflux.storage.digests import digest_bytes, hex_to_base64
from cloudflux.storage.interface import CONTROL_PREFIX
from cloudflux.storage.keys import printable
from cloudflux.storage.s3_attributes import unquote_etag
from cloudflux.storage.s3_bucket import Bucket

_PROBE = b"probe"


@dataclass(frozen=True, slots=True)
class Held:
    """What holds the conditions of one write: headers for the server, or a look of our own."""

    headers: Mapping[str, str]
    look: Callable[[], None] | None = None
    """Has to be called immediately before the write; raises PreconditionFailed."""


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

    def of(self, key: str, *, if_absent: bool, if_version: str | None) -> Held:
        """What holds the conditions of a write: the server, or a look where it ignores them.

        Between the look and the write another's write is not seen: a plan says so, and asks
        that nobody else writes.
        """
        headers = conditions_of(if_absent=if_absent, if_version=if_version)
        if not headers or self.enforced():
            return Held(headers)

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

        return Held({}, look)

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


class gone_is_changed:  # noqa: N801  (reads as a word where it is used)
    """A conditional write of an object that is gone fails its condition."""

    def __init__(self, key: str, if_version: str | None) -> None:
        self._key, self._if_version = key, if_version

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if isinstance(error, ObjectNotFound) and self._if_version is not None:
            raise PreconditionFailed(
                f"{printable(self._key)} is gone; list again",
                backend="s3",
                operation="put",
                key=self._key,
            ) from error


def conditions_of(*, if_absent: bool, if_version: str | None) -> dict[str, str]:
    """Return the headers that make a write conditional."""
    conditions: dict[str, str] = {}
    if if_absent:
        conditions["if-none-match"] = "*"
    if if_version is not None:
        conditions["if-match"] = f'"{if_version}"'
    return conditions
