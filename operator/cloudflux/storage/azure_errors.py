"""Translates the errors of Azure's SDK into ours, once. No response body and no secret passes."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

from azure.core import exceptions as azure
from requests import exceptions as http

from cloudflux.children.sent import SENT
from cloudflux.errors import (
    ContainerNotFound,
    CredentialsInvalid,
    NotSupported,
    ObjectArchived,
    ObjectNotFound,
    PermissionDenied,
    PreconditionFailed,
    StorageError,
    Throttled,
    Unavailable,
)
from cloudflux.storage.digests import DAMAGED
from cloudflux.storage.http_client import TransportError
from cloudflux.storage.keys import printable
from cloudflux.storage.retry import Retrier, retry_after_seconds

T = TypeVar("T")

_BY_CODE: dict[str, type[StorageError]] = {
    "ContainerNotFound": ContainerNotFound,
    "ContainerBeingDeleted": ContainerNotFound,
    "ContainerDisabled": ContainerNotFound,
    "BlobNotFound": ObjectNotFound,
    "ResourceNotFound": ObjectNotFound,
    "AuthenticationFailed": CredentialsInvalid,
    "InvalidAuthenticationInfo": CredentialsInvalid,
    "NoAuthenticationInformation": CredentialsInvalid,
    "AccountIsDisabled": PermissionDenied,
    "AuthorizationFailure": PermissionDenied,
    "AuthorizationPermissionMismatch": PermissionDenied,
    "AuthorizationProtocolMismatch": PermissionDenied,
    "AuthorizationResourceTypeMismatch": PermissionDenied,
    "AuthorizationServiceMismatch": PermissionDenied,
    "AuthorizationSourceIPMismatch": PermissionDenied,
    "InsufficientAccountPermissions": PermissionDenied,
    "PublicAccessNotPermitted": PermissionDenied,
    "BlobImmutableDueToPolicy": PermissionDenied,
    "BlobImmutableDueToLegalHold": PermissionDenied,
    "ConditionNotMet": PreconditionFailed,
    "BlobAlreadyExists": PreconditionFailed,
    "InvalidBlockList": PreconditionFailed,  # another writer's commit dropped our blocks
    "LeaseIdMissing": PreconditionFailed,
    "LeaseAlreadyPresent": PreconditionFailed,
    "LeaseIdMismatchWithBlobOperation": PreconditionFailed,
    "SnapshotsPresent": NotSupported,
    "BlobArchived": ObjectArchived,
    "BlobBeingRehydrated": ObjectArchived,
    "CannotChangeToLowerTier": ObjectArchived,
    "ServerBusy": Throttled,
    "InternalError": Unavailable,
    "OperationTimedOut": Unavailable,
    "Md5Mismatch": Unavailable,
    "Crc64Mismatch": Unavailable,
}
_BY_STATUS: dict[int, type[StorageError]] = {
    400: NotSupported,
    401: CredentialsInvalid,
    403: PermissionDenied,
    404: ObjectNotFound,
    408: Unavailable,
    409: PreconditionFailed,
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
    ContainerNotFound: "the container does not exist; create it or correct uri and endpoint",
    ObjectNotFound: "the blob does not exist",
    CredentialsInvalid: (
        "the key or signature is wrong, unknown or expired; correct the Secret of "
        "credentialsSecretRef, or this machine's clock where it is wrong by minutes"
    ),
    PreconditionFailed: "the blob changed, exists already or is leased; list again",
    ObjectArchived: "the blob is archived; restore it before it is read or moved",
    Throttled: "the account asks to slow down; lower the parallelism if it goes on",
    Unavailable: "the server answered with an error; look at its health if it goes on",
    NotSupported: "the server refuses this request",
}
_RIGHTS = {
    "List Blobs": "list",
    "Get Container Properties": "read (of the container)",
    "Get Blob": "read",
    "Get Blob Properties": "read",
    "Get Blob Tags": "tags",
    "Put Blob": "create and write (and tags where blobs have tags)",
    "Put Block": "write",
    "Get Block List": "read",
    "Put Block List": "create and write (and tags where blobs have tags)",
    "Set Blob Tier": "write",
    "Blob Batch": "write",
    "Lease Blob": "write",
    "Delete Blob": "delete",
}
_TRANSPORT = (
    azure.ServiceRequestError,
    azure.ServiceResponseError,
    azure.IncompleteReadError,
    http.RequestException,
    TransportError,
    ConnectionError,
)


class Requests:
    """Sends requests about one location; repeats them, and raises our errors only."""

    def __init__(self, uri: str, retrier: Retrier) -> None:
        self.uri, self._retrier = uri, retrier

    def send(self, operation: str, key: str, request: Callable[[], T]) -> T:
        """Send one request, named as Azure names it."""

        def once() -> T:
            with SENT.counted("azure", operation), self.translated(operation, key):
                return request()

        return self._retrier.run(once)

    def refusal(
        self, operation: str, key: str, status: int, headers: Mapping[str, str]
    ) -> StorageError:
        """The error of an answer with headers by lower-case name."""
        code, where = headers.get("x-ms-error-code", ""), f"{self.uri}/{printable(key)}"
        found = error_of(code, status, operation, key, where)
        found.retry_after_seconds = retry_after_seconds(headers.get("retry-after"))
        return found

    @contextmanager
    def translated(self, operation: str, key: str = "") -> Iterator[None]:
        """Raise every error of the SDK in the block as one of `cloudflux.errors`."""
        where = f"{self.uri}/{printable(key)}" if key else self.uri
        try:
            yield
        except azure.HttpResponseError as error:
            raise _translate(error, operation, key, where) from None
        except azure.ClientAuthenticationError:
            raise CredentialsInvalid(
                f"Azure {operation} {where}: no credentials are found for the operator's own "
                "identity; set credentialsSecretRef or give the operator a workload identity",
                backend="azure",
                operation=operation,
            ) from None
        except _TRANSPORT as error:
            raise Unavailable(
                f"Azure {operation} {where}: the endpoint does not answer "
                f"({type(error).__name__}); check endpoint and network",
                backend="azure",
                operation=operation,
                key=key,
            ) from None
        except azure.AzureError as error:
            damaged = str(error).startswith("MD5 mismatch")
            kind = Unavailable if damaged else StorageError
            why = DAMAGED if damaged else type(error).__name__
            raise kind(
                f"Azure {operation} {where}: {why}",
                backend="azure",
                operation=operation,
                key=key,
            ) from None


def _translate(
    error: azure.HttpResponseError, operation: str, key: str, where: str
) -> StorageError:
    """The error of a response: by its code, else by its HTTP status."""
    raw = getattr(error, "error_code", None) or ""
    code = str(getattr(raw, "value", raw))
    status = int(error.status_code or 0)
    refused = isinstance(error, azure.ClientAuthenticationError)
    found = error_of(code, status, operation, key, where, refused=refused)
    headers = getattr(error.response, "headers", {})
    found.retry_after_seconds = retry_after_seconds(headers.get("Retry-After"))
    return found


def error_of(
    code: str, status: int, operation: str, key: str, where: str, *, refused: bool = False
) -> StorageError:
    """The error of an answer: by its code, else by its HTTP status; 0 where none came."""
    if not status:
        # No response: no token was to be had, or a body broke off.
        kind: type[StorageError] = CredentialsInvalid if refused else Unavailable
    else:
        kind = _BY_CODE.get(code) or _BY_STATUS.get(status) or StorageError
    if kind is ObjectNotFound and not key:
        kind = ContainerNotFound
    advice = _ADVICE.get(kind, "the request failed")
    if not status and kind is Unavailable:
        advice = "the endpoint does not answer to the end; check endpoint and network"
    if code in ("Md5Mismatch", "Crc64Mismatch"):
        advice = DAMAGED
    if kind is PermissionDenied:
        advice = f"access denied; allow {_RIGHTS.get(operation, operation)}"
        if code == "AuthorizationFailure":
            advice += "; its key may be wrong, too, or the account's network rules refuse"
        if code.startswith("BlobImmutable"):
            advice = "a legal hold or retention policy protects the blob; it is left as it is"
    if code == "SnapshotsPresent":
        advice = "the blob has snapshots; delete them or keep the blob"
    return kind(
        f"Azure {operation} {where}: {advice} ({code if code.isalnum() else status})",
        backend="azure",
        operation=operation,
        key=key,
    )
