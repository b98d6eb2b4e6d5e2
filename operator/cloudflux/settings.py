"""The operator's settings: one frozen value, read from CLOUDFLUX_* variables and flags."""

from enum import StrEnum
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Moves(StrEnum):
    """The one switch over all moves."""

    RUN = "Run"
    DRY_RUN = "DryRun"
    STOP = "Stop"


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
    scan_interval_seconds: int = Field(default=3600, ge=1, description="Least time between scans.")
    resync_seconds: int = Field(default=300, ge=1, description="Level-based resync, jittered.")
    plan_ttl_seconds: int = Field(default=86_400, ge=60, description="A shown plan holds so long.")
    plan_tolerance_percent: int = Field(
        default=10,
        ge=0,
        description="A plan is made, and approved, anew when the data grew by more since.",
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
    allowed_endpoints: tuple[str, ...] = Field(
        default=(),
        description="Endpoint URLs allowed although loopback, link-local or cluster addresses.",
    )
    probe_host: str = Field(
        default="127.0.0.1", description="Address of the probe and metrics server."
    )
    probe_port: int = Field(default=0, description="Port of it; 0: off.")
    price_overlay: Path | None = Field(
        default=None, description="JSON file with prices that override."
    )
    test_stop_at: str | None = Field(
        default=None, description="Fault injection: stop point (tests)."
    )
