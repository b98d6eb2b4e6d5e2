"""Translates S3's errors into ours, once. No response body and no secret passes."""

import io
from collections.abc import Iterator
from contextlib import contextmanager

from botocore import exceptions as boto

from cloudflux.errors import (
    ClockSkewed,
    ConfigurationError,
    ContainerNotFound,
    CredentialsInvalid,
    NotSupported,
    ObjectArchived,
    ObjectNotFound,
    PermissionDenied,
    PreconditionFailed,
    QuotaExceeded,
    StorageError,
    Throttled,
    Unavailable,
)
from cloudflux.storage.digests import DAMAGED
from cloudflux.storage.http_client import Response, TransportError
from cloudflux.storage.keys import printable

ACTIONS = {
    "HeadBucket": "s3:ListBucket",
    "ListObjectsV2": "s3:ListBucket",
    "HeadObject": "s3:GetObject",
    "GetObject": "s3:GetObject",
    "GetObjectTagging": "s3:GetObjectTagging",
    "PutObject": "s3:PutObject (and s3:PutObjectTagging where objects have tags)",
    "CreateMultipartUpload": "s3:PutObject (and s3:PutObjectTagging where objects have tags)",
    "UploadPart": "s3:PutObject",
    "UploadPartCopy": "s3:GetObject and s3:PutObject",
    "CompleteMultipartUpload": "s3:PutObject",
    "AbortMultipartUpload": "s3:AbortMultipartUpload",
    "ListMultipartUploads": "s3:ListBucketMultipartUploads",
    "CopyObject": "s3:GetObject, s3:PutObject, s3:GetObjectTagging and s3:PutObjectTagging",
    "DeleteObject": "s3:DeleteObject",
    "ListParts": "s3:ListMultipartUploadParts",
    "GetBucketLogging": "s3:GetBucketLogging",
    "RestoreObject": "s3:RestoreObject",
    "GetBucketVersioning": "s3:GetBucketVersioning",
    "GetObjectLockConfiguration": "s3:GetBucketObjectLockConfiguration",
    "GetBucketReplication": "s3:GetReplicationConfiguration",
    "GetBucketNotificationConfiguration": "s3:GetBucketNotification",
    "GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
    "ListBucketIntelligentTieringConfigurations": "s3:GetIntelligentTieringConfiguration",
}
"""IAM action that each operation needs, to be named when access is denied."""

_BY_CODE: dict[str, type[StorageError]] = {
    "NoSuchBucket": ContainerNotFound,
    "NoSuchKey": ObjectNotFound,
    "NotFound": ObjectNotFound,
    "NoSuchUpload": ObjectNotFound,
    "InvalidAccessKeyId": CredentialsInvalid,
    "SignatureDoesNotMatch": CredentialsInvalid,
    "InvalidToken": CredentialsInvalid,
    "ExpiredToken": CredentialsInvalid,
    "AuthorizationHeaderMalformed": CredentialsInvalid,
    "InvalidClientTokenId": CredentialsInvalid,
    "XAdminUserNotFound": CredentialsInvalid,
    "XAmzContentSHA256Mismatch": Unavailable,
    "XAmzContentChecksumMismatch": Unavailable,
    "BadDigest": Unavailable,
    "InvalidDigest": Unavailable,
    "RequestTimeTooSkewed": ClockSkewed,
    "RequestExpired": ClockSkewed,
    "AccessDenied": PermissionDenied,
    "PreconditionFailed": PreconditionFailed,
    "ConditionalRequestConflict": PreconditionFailed,
    "OperationAborted": Throttled,
    "InvalidObjectState": ObjectArchived,
    "ObjectNotInActiveTierError": ObjectArchived,
    "RestoreAlreadyInProgress": PreconditionFailed,
    "GlacierExpeditedRetrievalNotAvailable": Throttled,
    "MethodNotAllowed": NotSupported,
    "SlowDown": Throttled,
    "Throttling": Throttled,
    "RequestLimitExceeded": Throttled,
    "TooManyRequests": Throttled,
    "RequestTimeout": Unavailable,
    "NotImplemented": NotSupported,
    "InvalidStorageClass": NotSupported,
    "QuotaExceeded": QuotaExceeded,
    "EntityTooLarge": NotSupported,
    "XMinioStorageFull": QuotaExceeded,
}
_DAMAGED = (
    "BadDigest", "InvalidDigest", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch",
)  # fmt: skip
_BY_STATUS: dict[int, type[StorageError]] = {
    401: CredentialsInvalid,
    403: PermissionDenied,
    404: ObjectNotFound,
    409: PreconditionFailed,
    412: PreconditionFailed,
    429: Throttled,
    500: Unavailable,
    501: NotSupported,
    502: Unavailable,
    503: Throttled,
    504: Unavailable,
    507: QuotaExceeded,
}
_TRANSPORT = (
    boto.ConnectionError,
    boto.HTTPClientError,
    boto.IncompleteReadError,
)
_ADVICE: dict[type[StorageError], str] = {
    ContainerNotFound: "the bucket does not exist; create it or correct the uri",
    ObjectNotFound: "the object does not exist",
    CredentialsInvalid: (
        "the key is wrong, unknown or expired; correct the Secret of credentialsSecretRef"
    ),
    ClockSkewed: (
        "this machine's clock and the server's differ by too much; set both by a time server"
    ),
    PreconditionFailed: "the object changed or exists already; list again",
    ObjectArchived: "the object is archived; restore it before it is read or moved",
    Throttled: "the server asks to slow down; lower the parallelism if it goes on",
    Unavailable: "the server answered with an error; look at its health if it goes on",
    NotSupported: "the server does not support this request",
    QuotaExceeded: "the storage is full; free space or raise the quota",
}


@contextmanager
def translated(operation: str, key: str = "", *, bucket: str = "") -> Iterator[None]:
    """Raise every botocore error of the block as one of `cloudflux.errors`."""
    try:
        yield
    except boto.ClientError as error:
        raise translate(error, operation, key, bucket) from None
    except (boto.NoCredentialsError, boto.PartialCredentialsError, boto.CredentialRetrievalError):
        raise CredentialsInvalid(
            f"S3 {operation}: no credentials are found for the operator's own identity; "
            "set credentialsSecretRef or give the operator a role",
            backend="s3",
            operation=operation,
        ) from None
    except boto.ParamValidationError:
        raise ConfigurationError(
            f"S3 {operation} {_where(bucket, key)}: the bucket name, key or metadata is not valid"
        ) from None
    except (*_TRANSPORT, OSError) as error:
        raise transport_error(error, operation, key, bucket) from None
    except boto.BotoCoreError as error:
        raise StorageError(
            f"S3 {operation} {_where(bucket, key)}: {type(error).__name__}",
            backend="s3",
            operation=operation,
            key=key,
        ) from None


def translate(error: boto.ClientError, operation: str, key: str, bucket: str) -> StorageError:
    """The error of a response that botocore read."""
    code = str(error.response.get("Error", {}).get("Code", ""))
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    return error_of(code, status, operation, key, bucket)


def transport_error(error: Exception, operation: str, key: str, bucket: str) -> Unavailable:
    """No answer, or none that is whole."""
    why = str(error) if isinstance(error, TransportError) else type(error).__name__
    return Unavailable(
        f"S3 {operation} {_where(bucket, key)}: the endpoint does not answer "
        f"({why}); check endpoint, region and network",
        backend="s3",
        operation=operation,
        key=key,
    )


def error_of(code: str, status: int, operation: str, key: str, bucket: str) -> StorageError:
    """The error of a response: by its code, else by its HTTP status."""
    kind = _BY_CODE.get(code) or _BY_STATUS.get(status) or StorageError
    if code == "InvalidRequest" and operation == "CopyObject":
        # "Illegal copy onto itself without a change": the server ignores storage classes.
        kind = NotSupported
    if kind is ObjectNotFound and not key and operation in ("HeadBucket", "ListObjectsV2"):
        kind = ContainerNotFound
    unsaid = not code and operation.startswith("Head")  # an answer without a body
    if unsaid and status == 400:
        kind = CredentialsInvalid
        advice = (
            "the server refuses it and can't say why; the key may be expired or the region wrong: "
            "correct the Secret of credentialsSecretRef, or the region"
        )
    elif kind is PermissionDenied:
        advice = f"access denied; allow {ACTIONS.get(operation, operation)}"
        if unsaid:
            advice += ", or correct the key or this machine's clock"
    else:
        advice = DAMAGED if code in _DAMAGED else _ADVICE.get(kind, "the request failed")
    shown = code if code.isalnum() else str(status)
    error = kind(
        f"S3 {operation} {_where(bucket, key)}: {advice} ({shown})",
        backend="s3",
        operation=operation,
        key=key,
    )
    error.code = code
    return error


def _where(bucket: str, key: str) -> str:
    return f"s3://{bucket}/{printable(key)}" if key else f"s3://{bucket}"


class Body(io.RawIOBase):
    """A response body whose errors are ours."""

    def __init__(self, response: Response, name: str, bucket: str) -> None:
        self._response, self._name, self._bucket = response, name, bucket

    def readable(self) -> bool:
        """Always."""
        return True

    def read(self, size: int = -1, /) -> bytes:
        """Read on. Raises Unavailable when the connection breaks."""
        try:
            return self._response.read(size)
        except TransportError as error:
            raise transport_error(error, "GetObject", self._name, self._bucket) from error

    def close(self) -> None:
        """Drop the connection unless it was read to its end."""
        self._response.close()
        super().close()
