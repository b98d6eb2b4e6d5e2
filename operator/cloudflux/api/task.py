"""What every request to a child is made of: stores, credentials, and how one fails."""

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from cloudflux.api.common import EncryptionType


class Task(BaseModel):
    """Base: frozen, unknown fields refused, secrets written out only on the pipe."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Credentials(Task):
    """Static keys of S3, read from a labelled Secret."""

    access_key_id: str
    secret_access_key: SecretStr
    session_token: SecretStr | None = None


class AzureCredentials(Task):
    """An account of Azure Storage, with its key or a shared access signature."""

    account: str
    account_key: SecretStr | None = None
    sas_token: SecretStr | None = None


class GcsCredentials(Task):
    """A service account's key file; without one, requests are anonymous."""

    service_account: SecretStr | None = None


AnyCredentials = Credentials | AzureCredentials | GcsCredentials


class StoreEncryption(Task):
    """How a location's objects are encrypted, with the key where we hold one."""

    type: EncryptionType
    key: str | None = None
    secret: SecretStr | None = None
    """32 bytes in base64."""


class StoreRef(Task):
    """A location resolved: with credentials and with what the operator allows for it."""

    uri: str
    endpoint: str | None = None
    region: str | None = None
    credentials: AnyCredentials | None = None
    encryption: StoreEncryption | None = None
    ambient: bool = False
    """The operator's own identity may be used (granted by its configuration)."""
    public_only: bool = False
    """Connections to loopback, private and cluster addresses are refused when they are made:
    a name may lead elsewhere than when it was looked at."""
    file_roots: tuple[str, ...] = ()
    """Directories that file:// may touch, resolved; empty means none."""


class ProbeRequest(Task):
    """mover.probe: find out whether the location is there, readable, and enforces preconditions."""

    store: StoreRef
    write: bool = False


class ProbeResult(Task):
    """What the probe found."""

    reachable: bool
    conditional_writes: bool | None = None
    conditional_copies: bool | None = None
    message: str = ""


class TaskError(Task):
    """An error that crossed the pipe; `kind` is the class name in cloudflux.errors."""

    kind: str
    message: str
    retryable: bool = False
    reason: str = Field(description="A Reason value of the vocabulary.")
