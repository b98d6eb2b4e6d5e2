"""The operator's settings: one frozen value, read from CLOUDFLUX_* variables and flags."""

from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Moves(StrEnum):
    """The one switch over all moves."""

    RUN = "Run"
    DRY_RUN = "DryRun"
    STOP = "Stop"


class KafkaProtocol(StrEnum):
    """How brokers are spoken to."""

    PLAINTEXT = "PLAINTEXT"
    SSL = "SSL"
    SASL_PLAINTEXT = "SASL_PLAINTEXT"
    SASL_SSL = "SASL_SSL"


class SaslMechanism(StrEnum):
    """How the operator proves to brokers who it is."""

    PLAIN = "PLAIN"
    SCRAM_SHA_256 = "SCRAM-SHA-256"
    SCRAM_SHA_512 = "SCRAM-SHA-512"
    OAUTHBEARER = "OAUTHBEARER"


class Compression(StrEnum):
    """How batches of events are compressed."""

    NONE = "none"
    GZIP = "gzip"
    SNAPPY = "snappy"
    LZ4 = "lz4"
    ZSTD = "zstd"


class KafkaSettings(BaseModel):
    """Kafka, for events and access events. Secrets are files, read at each connection."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    brokers: str = Field(
        default="", description="Brokers as host:port, separated by commas; empty: no Kafka."
    )
    protocol: KafkaProtocol = Field(
        default=KafkaProtocol.PLAINTEXT, description="PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL."
    )
    ca_file: Path | None = Field(
        default=None, description="Certificates to trust (PEM); absent: those of the system."
    )
    certificate_file: Path | None = Field(
        default=None, description="Our own certificate (PEM), where brokers ask for one."
    )
    key_file: Path | None = Field(default=None, description="Its key (PEM).")
    sasl_mechanism: SaslMechanism = Field(
        default=SaslMechanism.SCRAM_SHA_512,
        description="PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER; for SASL protocols.",
    )
    username: str = Field(default="", description="User, for PLAIN and SCRAM.")
    password_file: Path | None = Field(
        default=None, description="File with the password, for PLAIN and SCRAM."
    )
    token_file: Path | None = Field(
        default=None,
        description="File with the token, for OAUTHBEARER; read again at every connection.",
    )
    token_url: str = Field(
        default="",
        description=(
            "Endpoint that gives tokens by client credentials, for OAUTHBEARER, instead of a file."
        ),
    )
    client_id: str = Field(default="", description="Our client id at the token endpoint.")
    client_secret_file: Path | None = Field(
        default=None, description="File with its secret; read again for every token."
    )
    token_scope: str = Field(default="", description="Scope to ask for; empty: none.")
    token_ca_file: Path | None = Field(
        default=None, description="Certificates to trust for the token endpoint (PEM)."
    )
    events_topic: str = Field(
        default="cloudflux.events.v1", description="Topic that events are sent to."
    )
    access_topic: str = Field(
        default="cloudflux.access-events", description="Topic that access events are read from."
    )
    minio_topics: tuple[str, ...] = Field(
        default=(),
        description=(
            "Topics with audit entries or bucket notifications of MinIO, read as access events "
            "of s3:// locations (JSON)."
        ),
    )
    dead_letter_topic: str = Field(
        default="cloudflux.access-events.dead-letters",
        description="Topic for the shapes of access events that could not be counted.",
    )
    group: str = Field(
        default="cloudflux-collector", description="Consumer group of the collectors."
    )
    history_days: int = Field(
        default=400,
        ge=1,
        description="How long collectors keep costs and savings out of the events topic.",
    )
    history_event_days: int = Field(
        default=90,
        ge=1,
        description="How long collectors keep the events themselves; progress for a week.",
    )
    create_topics: bool = Field(
        default=True, description="Create topics that are missing; false: say that they are."
    )
    partitions: int = Field(default=6, ge=1, description="Partitions of topics that are created.")
    replication_factor: int = Field(
        default=-1, ge=-1, description="Replicas of topics that are created; -1: the broker's."
    )
    retention_hours: int = Field(
        default=168, ge=1, description="How long topics that are created keep their messages."
    )
    compression: Compression = Field(
        default=Compression.LZ4, description="none, gzip, snappy, lz4 or zstd."
    )
    outbox_max_bytes: int = Field(
        default=256 * 1024 * 1024,
        ge=1024 * 1024,
        description="Limit of the local log that holds events until a broker has taken them.",
    )

    @property
    def enabled(self) -> bool:
        """Whether there is a broker to speak to."""
        return bool(self.brokers.strip())


class ConsoleAuth(StrEnum):
    """How the console knows who asks."""

    NONE = "None"
    TOKEN = "Token"  # noqa: S105 - the name of a way, no password


class ConsoleSettings(BaseModel):
    """The console: web pages and HTTP API."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field(default="127.0.0.1", description="Address that the console listens on.")
    port: int = Field(default=8090, ge=0, le=65535, description="Port of it; 0: a free one.")
    auth: ConsoleAuth = Field(
        default=ConsoleAuth.NONE,
        description=(
            "None: whoever reaches the loopback address sees what the kubeconfig sees. Token: a "
            "bearer token, checked by the API server, and each namespace by it."
        ),
    )
    token_header: str = Field(
        default="Authorization",
        description="Header with the token, such as X-Forwarded-Access-Token behind an OIDC proxy.",
    )
    allowed_hosts: tuple[str, ...] = Field(
        default=(),
        description="Names by which browsers may reach the console; loopback names always may.",
    )
    events_url: str = Field(
        default="",
        description=(
            "The operator's event log, such as http://cloudflux-metrics:8080/events, read with "
            "the token of CLOUDFLUX_EVENTS_TOKEN_FILE; empty: Kafka, or the kinds' statuses."
        ),
    )
    collector_url: str = Field(
        default="",
        description="A collector's figures, such as http://collector:9090/metrics, for health.",
    )
    writes: bool = Field(
        default=False,
        description="Allow approving, suspending, cancelling and creating, as the user himself.",
    )
    simulator: bool = Field(
        default=False, description="Offer to simulate activity; what it makes is marked so."
    )


WORKER_POD_FIELDS = frozenset({
    "nodeSelector",
    "tolerations",
    "affinity",
    "topologySpreadConstraints",
    "priorityClassName",
    "runtimeClassName",
})  # fmt: skip
"""What may be set on worker pods: where they run, never what or as whom."""
WORKER_JOB_FIELDS = frozenset({
    "resources", "nodeSelector", "affinity", "tolerations", "priorityClassName",
})  # fmt: skip
"""What of them may be left to jobs and policies; annotations are allowed one by one."""


class WorkerSettings(BaseModel):
    """Worker pods: big moves as Indexed Jobs in the data set's namespace."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = Field(
        default=False, description="Whether the operator may make Jobs of worker pods."
    )
    image: str = Field(default="", description="Image of worker pods: the operator's own.")
    image_pull_secrets: tuple[str, ...] = Field(
        default=(), description="Names of Secrets to pull it with, in the data set's namespace."
    )
    service_account: str = Field(
        default="cloudflux-mover",
        description="ServiceAccount that pods run as; it must carry the label cloudflux.io/mover.",
    )
    max_pods: int = Field(default=32, ge=1, description="Pods of one job at most.")
    auto_objects: int = Field(
        default=200_000, ge=1, description="Auto: worker pods from so many objects on."
    )
    auto_bytes: int = Field(
        default=1024**4, ge=1, description="Auto: worker pods from so many bytes on."
    )
    retries: int = Field(
        default=6, ge=0, description="How often one worker may fail; evictions don't count."
    )
    ttl_seconds: int = Field(
        default=3600, ge=0, description="A Job that nobody took back is removed so long after."
    )
    resources: dict[str, dict[str, str | int]] = Field(
        default_factory=dict, description="Requests and limits of a worker pod (JSON)."
    )
    pod: dict[str, object] = Field(
        default_factory=dict,
        description=(
            "Further fields of a worker pod's spec (JSON): nodeSelector, tolerations, affinity, "
            "topologySpreadConstraints, priorityClassName, runtimeClassName."
        ),
    )
    annotations: dict[str, str] = Field(
        default_factory=dict, description="Annotations of worker pods (JSON)."
    )
    allowed_fields: tuple[str, ...] = Field(
        default=("resources", "nodeSelector", "affinity"),
        description=(
            "What jobs and policies may set of their worker pods (JSON): resources, nodeSelector, "
            "affinity (to nodes), tolerations, priorityClassName."
        ),
    )
    max_resources: dict[str, str] = Field(
        default_factory=lambda: {"cpu": "4", "memory": "8Gi", "ephemeral-storage": "10Gi"},
        description="The most of each resource that they may ask for, for one pod (JSON).",
    )
    allowed_priority_classes: tuple[str, ...] = Field(
        default=(), description="Priority classes that they may name (JSON)."
    )
    allowed_annotations: tuple[str, ...] = Field(
        default=(),
        description=(
            "Annotations that they may set (JSON): keys, or prefixes that end in a slash. One can "
            "give a pod rights, as a cloud's role."
        ),
    )

    @field_validator("allowed_fields")
    @classmethod
    def _only_known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        other = sorted(set(value) - WORKER_JOB_FIELDS)
        if other:
            allowed = ", ".join(sorted(WORKER_JOB_FIELDS))
            raise ValueError(f"{', '.join(other)} can't be left to jobs; only {allowed}")
        return value

    @field_validator("pod")
    @classmethod
    def _only_where(cls, value: dict[str, object]) -> dict[str, object]:
        other = sorted(value.keys() - WORKER_POD_FIELDS)
        if other:
            allowed = ", ".join(sorted(WORKER_POD_FIELDS))
            raise ValueError(f"{', '.join(other)} can't be set for worker pods; only {allowed}")
        return value


class Settings(BaseSettings):
    """Every setting has a unit in its name and a reason in its description."""

    model_config = SettingsConfigDict(
        env_prefix="CLOUDFLUX_", env_nested_delimiter="__", frozen=True
    )

    kubeconfig: Path | None = Field(default=None, description="Kubeconfig; absent: in-cluster.")
    kube_context: str | None = Field(default=None, description="Context in it; absent: current.")
    namespaces: tuple[str, ...] = Field(default=(), description="Namespaces served; empty: all.")
    state_dir: Path = Field(default=Path("/var/lib/cloudflux"), description="State directory.")
    lease_namespace: str = Field(default="default", description="Namespace of the leader Lease.")
    lease_name: str = Field(default="cloudflux-operator", description="Name of the leader Lease.")
    lease_seconds: int = Field(
        default=10, description="Lease duration; a dead leader is replaced after it."
    )
    moves: Moves = Field(default=Moves.RUN, description="Run, DryRun (plan only) or Stop.")
    max_running_jobs: int = Field(
        default=4, ge=1, description="Jobs moving at a time; the rest queue."
    )
    max_running_jobs_per_namespace: int | None = Field(
        default=None,
        ge=1,
        description=(
            "Jobs of one namespace moving at a time; fewer than all keep a slot for the others, "
            "whatever priority one namespace gives its jobs. Absent: no limit of its own."
        ),
    )
    bandwidth_bytes_per_second: int | None = Field(
        default=None, ge=1, description="Bytes that all jobs together move a second at most."
    )
    requests_per_second: float | None = Field(
        default=None,
        gt=0,
        description="Requests that all jobs together send a second to each endpoint at most.",
    )
    scan_interval_seconds: int = Field(default=3600, ge=1, description="Least time between scans.")
    resync_seconds: int = Field(default=300, ge=1, description="Level-based resync, jittered.")
    plan_ttl_seconds: int = Field(default=86_400, ge=60, description="A shown plan holds so long.")
    plan_tolerance_percent: int = Field(
        default=10,
        ge=0,
        description="A plan is made, and approved, anew when the data changed its size by more.",
    )
    quiet_seconds: int = Field(default=2, ge=0, description="No change so long before a switch.")
    file_roots: dict[str, tuple[str, ...]] = Field(
        default_factory=dict,
        description="Directories that file:// may touch, by namespace (JSON); '*' is any.",
    )
    ambient_namespaces: tuple[str, ...] = Field(
        default=(), description="Namespaces that may use the operator's own cloud identity."
    )
    service_account: str = Field(
        default="cloudflux:cloudflux-operator",
        description="NAMESPACE:NAME of the operator's ServiceAccount, for messages.",
    )
    secrets_role: str = Field(
        default="cloudflux-secrets",
        description="ClusterRole that a namespace's owner binds so that its Secrets can be read.",
    )
    excluded_principals: tuple[str, ...] = Field(
        default=(),
        description=(
            "Whose requests in access logs and events are no demand (scanners, backups), and "
            "their sessions; ARNs, account names or ids as the log has them (JSON)."
        ),
    )
    excluded_user_agents: tuple[str, ...] = Field(
        default=(), description="The same by a part of the User-Agent (JSON)."
    )
    allowed_endpoints: tuple[str, ...] = Field(
        default=(),
        description="Endpoint URLs allowed although loopback, link-local or cluster addresses.",
    )
    probe_host: str = Field(
        default="127.0.0.1", description="Address of the probe and metrics server."
    )
    probe_port: int = Field(default=0, description="Port of it; 0: off.")
    events_token_file: Path | None = Field(
        default=None,
        description=(
            "File with the token (16 characters or more) that opens the operator's event log over "
            "HTTP, /events on the probe's port, to a console; absent: it is not served."
        ),
    )
    metrics_data_sets: int = Field(
        default=200,
        ge=0,
        description="Data sets, policies and running jobs shown by name in metrics, each.",
    )
    price_overlay: Path | None = Field(
        default=None, description="JSON file with prices that override."
    )
    cluster: str = Field(
        default="default", max_length=128, description="Name of this cluster in events."
    )
    kafka: KafkaSettings = Field(
        default_factory=KafkaSettings, description="Kafka, for events and access events."
    )
    console: ConsoleSettings = Field(
        default_factory=ConsoleSettings, description="The console: web pages and HTTP API."
    )
    workers: WorkerSettings = Field(
        default_factory=WorkerSettings, description="Worker pods for big moves."
    )
    test_stop_at: str | None = Field(
        default=None, description="Fault injection: stop point (tests)."
    )
