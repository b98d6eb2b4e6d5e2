"""AWS Signature Version 4, for requests whose headers we make ourselves.

The format: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
"""

import hashlib
import hmac
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote

UNSIGNED = "UNSIGNED-PAYLOAD"
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
_BLANKS = re.compile(" +")
_UNSIGNED_HEADERS = frozenset({"user-agent", "connection", "accept-encoding"})


@dataclass(frozen=True, slots=True)
class Keys:
    """What a request is signed with."""

    access_key_id: str
    secret_access_key: str
    session_token: str | None = None


def quote_path(key: str) -> str:
    """A key as it stands in a path: everything but unreserved characters and `/` is escaped."""
    return quote(key, safe="/-_.~")


def quote_query(query: Mapping[str, str]) -> str:
    """A query in canonical form: sorted, all but unreserved characters escaped."""
    return "&".join(
        f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}"
        for name, value in sorted(query.items())
    )


class Signer:
    """Signs for one region; derived keys are kept for a day."""

    def __init__(self, region: str, *, clock: Callable[[], float] = time.time) -> None:
        self.region = region
        self._clock = clock
        self._kept: tuple[str, str, bytes] = ("", "", b"")
        self._dated = (-1, "", "")

    def sign(
        self,
        keys: Keys,
        method: str,
        path: str,
        query: str,
        headers: dict[str, str],
        payload_sha256: str,
    ) -> None:
        """Add date, token and Authorization to `headers` (lower-case names, with `host`)."""
        day, stamp = self._date(int(self._clock()))
        headers["x-amz-date"] = stamp
        headers["x-amz-content-sha256"] = payload_sha256
        if keys.session_token:
            headers["x-amz-security-token"] = keys.session_token
        signed = sorted(name for name in headers if name not in _UNSIGNED_HEADERS)
        names = ";".join(signed)
        lines = "".join([f"{name}:{_trimmed(headers[name])}\n" for name in signed])
        canonical = f"{method}\n{path}\n{query}\n{lines}\n{names}\n{payload_sha256}"
        scope = f"{day}/{self.region}/s3/aws4_request"
        digest = hashlib.sha256(canonical.encode("latin-1")).hexdigest()
        text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}"
        signature = hmac.digest(self._key(keys, day), text.encode(), "sha256").hex()
        headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={keys.access_key_id}/{scope}, "
            f"SignedHeaders={names}, Signature={signature}"
        )

    def _date(self, second: int) -> tuple[str, str]:
        """Day and instant as they are signed; the same for all requests of a second."""
        known, day, stamp = self._dated
        if known != second:
            now = time.gmtime(second)
            day = f"{now.tm_year:04}{now.tm_mon:02}{now.tm_mday:02}"
            stamp = f"{day}T{now.tm_hour:02}{now.tm_min:02}{now.tm_sec:02}Z"
            self._dated = (second, day, stamp)
        return day, stamp

    def _key(self, keys: Keys, day: str) -> bytes:
        of = (keys.secret_access_key, f"{day}/{self.region}")
        secret, scope, kept = self._kept
        if (secret, scope) == of:
            return kept
        key = f"AWS4{keys.secret_access_key}".encode()
        for word in (day, self.region, "s3", "aws4_request"):
            key = hmac.digest(key, word.encode(), "sha256")
        self._kept = (*of, key)
        return key


def _trimmed(value: str) -> str:
    return _BLANKS.sub(" ", value.strip(" ")) if " " in value else value
