"""Translates the errors of Google's libraries into ours, once. No body and no secret passes."""

import io
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import requests
from google.api_core import exceptions as google
from google.auth import exceptions as auth
from urllib3 import exceptions as http

from cloudflux.children.sent import SENT
from cloudflux.errors import (
    ContainerNotFound,
    CredentialsInvalid,
    NotSupported,
    ObjectNotFound,
    PermissionDenied,
    PreconditionFailed,
    QuotaExceeded,
    StorageError,
    Throttled,
    Unavailable,
)
from cloudflux.storage.digests import DAMAGED
from cloudflux.storage.http_client import TransportError
from cloudflux.storage.keys import printable
from cloudflux.storage.retry import Retrier, retry_after_seconds

T = TypeVar("T")

_BY_REASON: dict[str, type[StorageError]] = {
    "rateLimitExceeded": Throttled,
    "userRateLimitExceeded": Throttled,
    "quotaExceeded": QuotaExceeded,
    "conditionNotMet": PreconditionFailed,
    "retentionPolicyNotMet": PermissionDenied,
    "objectUnderActiveHold": PermissionDenied,
}
_BY_STATUS: dict[int, type[StorageError]] = {
    304: PreconditionFailed,
    400: NotSupported,
    401: CredentialsInvalid,
    403: PermissionDenied,
    404: ObjectNotFound,
    408: Unavailable,
    409: Throttled,
    410: Unavailable,
    412: PreconditionFailed,
    413: NotSupported,
    429: Throttled,
    500: Unavailable,
    501: NotSupported,
    502: Unavailable,
    503: Throttled,
    504: Unavailable,
}
_ADVICE: dict[type[StorageError], str] = {
    ContainerNotFound: "the bucket does not exist; create it or correct the uri",
    ObjectNotFound: "the object does not exist",
    CredentialsInvalid: (
        "the service account's key is wrong, unknown or expired; correct the Secret of "
        "credentialsSecretRef"
    ),
    PreconditionFailed: "the object changed or exists already; list again",
    Throttled: "the server asks to slow down; lower the parallelism if it goes on",
    Unavailable: "the server answered with an error; look at its health if it goes on",
    NotSupported: "the server refuses this request",
    QuotaExceeded: "a quota of the project is used up; raise it",
}
_RIGHTS = {
    "buckets.get": "storage.buckets.get",
    "objects.list": "storage.objects.list",
    "objects.get": "storage.objects.get",
    "objects.insert": "storage.objects.create and storage.objects.delete",
    "objects.rewrite": "storage.objects.get, storage.objects.create and storage.objects.delete",
    "objects.delete": "storage.objects.delete",
}
_DIGESTS_DIFFER = re.compile(r"(crc32c|md5)\b.*\bmatch", re.IGNORECASE)
_PROTECTED = ("retentionPolicyNotMet", "objectUnderActiveHold")
_TRANSPORT = (
    requests.exceptions.RequestException,
    auth.TransportError,
    google.RetryError,
    http.HTTPError,
    TransportError,
    ConnectionError,
)


class Requests:
    """Sends requests about one location; repeats them, and raises our errors only."""

    def __init__(self, uri: str) -> None:
        self._uri = uri

    def send(self, retrier: Retrier, operation: str, key: str, request: Callable[[], T]) -> T:
        """Send one request, named as the JSON API names it."""

        def once() -> T:
            with SENT.counted("gcs", operation), self.translated(operation, key):
                return request()

        return retrier.run(once)

    def require_success(self, answer: requests.Response, operation: str, key: str) -> None:
        """Raise the error of a plain response."""
        if answer.status_code < 300 or answer.status_code == 308:
            return
        try:
            told = answer.json()["error"]
            reason, message = told["errors"][0].get("reason", ""), str(told.get("message", ""))
        except (ValueError, LookupError, TypeError, AttributeError):
            reason, message = "", ""
        answer.close()
        raise self._error(
            answer.status_code, reason, message, answer.headers, operation=operation, key=key
        )

    @contextmanager
    def translated(self, operation: str, key: str = "") -> Iterator[None]:
        """Raise every error of Google's libraries in the block as one of `cloudflux.errors`."""
        try:
            yield
        except google.GoogleAPICallError as error:
            reason = next((str(one.get("reason", "")) for one in error.errors), "")
            headers = getattr(error.response, "headers", {})
            status = int(error.code or 0)
            raise self._error(
                status, reason, str(error.message), headers, operation=operation, key=key
            ) from None
        except _TRANSPORT as error:
            raise Unavailable(
                f"GCS {operation} {self._where(key)}: the endpoint does not answer "
                f"({type(error).__name__}); check endpoint and network",
                backend="gcs",
                operation=operation,
                key=key,
            ) from None
        except auth.GoogleAuthError:
            raise CredentialsInvalid(
                f"GCS {operation} {self._where(key)}: no token can be had; correct the Secret of "
                "credentialsSecretRef, or give the operator a workload identity",
                backend="gcs",
                operation=operation,
            ) from None

    def _error(
        self,
        status: int,
        reason: str,
        message: str,
        headers: Mapping[str, str],
        *,
        operation: str,
        key: str,
    ) -> StorageError:
        kind = _BY_REASON.get(reason) or _BY_STATUS.get(status) or StorageError
        damaged = status == 400 and _DIGESTS_DIFFER.search(message) is not None
        if damaged:
            kind = Unavailable
        if kind is ObjectNotFound and (not key or "specified bucket" in message.lower()):
            kind = ContainerNotFound
        advice = _ADVICE.get(kind, "the request failed")
        if damaged:
            advice = DAMAGED
        elif reason in _PROTECTED:
            advice = "a hold or retention policy protects the object; it is left as it is"
        elif kind is PermissionDenied:
            advice = f"access denied; allow {_RIGHTS.get(operation, operation)}"
        shown = reason if reason.isalnum() else str(status)
        return kind(
            f"GCS {operation} {self._where(key)}: {advice} ({shown})",
            backend="gcs",
            operation=operation,
            key=key,
            retry_after_seconds=retry_after_seconds(headers.get("Retry-After")),
        )

    def _where(self, key: str) -> str:
        return f"{self._uri}/{printable(key)}" if key else self._uri


class Body(io.RawIOBase):
    """A response body, as it is stored, whose errors are ours."""

    def __init__(self, answer: Any, requests: Requests, key: str) -> None:
        self._answer, self._requests, self._key = answer, requests, key

    def readable(self) -> bool:
        """Always."""
        return True

    def read(self, size: int = -1, /) -> bytes:
        """Read on. Raises Unavailable when the connection breaks."""
        with self._requests.translated("objects.get", self._key):
            # Not decoded: what was stored compressed is moved compressed.
            raw = self._answer.raw
            return bytes(raw.read(None if size < 0 else size, decode_content=False))

    def close(self) -> None:
        """Drop the connection unless it was read to its end."""
        self._answer.close()
        super().close()
