"""The tree of errors. Vendor errors are translated into it once, in the vendor's module."""


class CloudFluxError(Exception):
    """Base of every error raised on purpose.

    `reason` is a word of the vocabulary; `retryable` says that the same call may succeed later.
    """

    reason: str = "InternalError"
    retryable: bool = False


class ConfigurationError(CloudFluxError, ValueError):
    """What the user gave can't work; nothing but an edit mends it."""

    reason = "InvalidSpec"


class LocationRefused(ConfigurationError):
    """The operator's settings do not allow this path."""

    reason = "LocationRefused"


class EndpointRefused(CloudFluxError):
    """The endpoint leads to an address that the operator's settings do not allow."""

    reason = "EndpointRefused"


class StorageError(CloudFluxError):
    """A storage call failed. Carries backend, operation and key, never a response body."""

    reason = "StorageError"
    code: str = ""
    """The vendor's own word for it, where there is one."""

    def __init__(
        self,
        message: str,
        *,
        backend: str = "",
        operation: str = "",
        key: str = "",
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message)
        self.backend, self.operation, self.key = backend, operation, key
        self.retry_after_seconds = retry_after_seconds
        """How long the server asks to wait; None when it does not say."""


class ObjectNotFound(StorageError, FileNotFoundError):
    """The object is not there."""

    reason = "ObjectNotFound"

    def __str__(self) -> str:
        return str(self.args[0])


class ContainerNotFound(StorageError):
    """The bucket or the directory is not there."""

    reason = "LocationNotFound"


class PermissionDenied(StorageError, PermissionError):
    """Access refused."""

    reason = "AccessDenied"

    def __str__(self) -> str:
        return str(self.args[0])


class CredentialsInvalid(PermissionDenied):
    """The key is wrong or unknown."""

    reason = "CredentialsInvalid"


class ClockSkewed(StorageError):
    """The server refuses a request because of its time: one of the two clocks is wrong."""

    reason = "ClockSkewed"


class PreconditionFailed(StorageError):
    """The object is not the version that was asked for, or exists where it must not."""

    reason = "ObjectChanged"


class ObjectArchived(StorageError):
    """The object must be restored before it can be read."""

    reason = "ObjectArchived"


class QuotaExceeded(StorageError):
    """The disk or the account is full."""

    reason = "TargetFull"


class NotSupported(StorageError):
    """The store can't do this."""

    reason = "NotSupported"


class Throttled(StorageError):
    """The store asks to slow down."""

    reason = "Throttled"
    retryable = True


class Unavailable(StorageError):
    """The store did not answer, or with a server error."""

    reason = "EndpointUnreachable"
    retryable = True


class IntegrityError(CloudFluxError):
    """Bytes differ from what they must be. Never retried blindly."""

    reason = "VerificationFailed"


class PlanError(CloudFluxError):
    """No plan can be made, or the plan no longer holds."""

    reason = "PlanBlocked"


class PlanChanged(PlanError):
    """The data is no longer what the plan lists; a new plan is needed."""

    reason = "PlanChanged"


class BudgetExceeded(PlanError):
    """Going on would cost more than the job may spend."""

    reason = "BudgetExceeded"


class RestoreLapsed(PlanError):
    """Restored copies expired again and again before they were moved."""

    reason = "RestoreLapsed"


class SourceInUse(PlanError):
    """The source of a finished move is in use again; nothing there is deleted."""

    reason = "SourceInUse"


class TargetOccupied(PlanError):
    """Objects that the job did not write are where it has to write."""

    reason = "TargetOccupied"


class ModelError(CloudFluxError):
    """A model can't be used; the fall-back is."""

    reason = "ModelFallback"


class PriceUnknown(CloudFluxError):
    """A price is missing; never taken as 0."""

    reason = "PriceUnknown"


class FencedOut(CloudFluxError):
    """Another leader took over; this process must stop writing."""

    reason = "FencedOut"


class Cancelled(CloudFluxError):
    """The work was asked to stop."""

    reason = "Cancelled"


class ChildDied(CloudFluxError):
    """The child process that served the task ended; the task is safe to repeat."""

    reason = "ChildDied"
    retryable = True
