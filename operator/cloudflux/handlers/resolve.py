"""From a MigrationJob's spec to a pinned source and target. Pure."""

from cloudflux.api.common import PROVIDER_OF_SCHEME, Location, Tier
from cloudflux.api.migrationjob import JobPin
from cloudflux.errors import CloudFluxError, ConfigurationError
from cloudflux.handlers.resources import DataSet, Job, Policy

_FIELD_OF_PROVIDER = {
    "s3": "s3StorageClass",
    "azure": "azureTier",
    "gcs": "gcsStorageClass",
    "file": "fileRoot",
}


class TierUnknown(CloudFluxError):
    """No policy gives the tier a meaning; an edit of the policy mends it."""

    reason = "InvalidSpec"


def resolve(job: Job, data_set: DataSet, active: Location, policy: Policy | None) -> JobPin:
    """Source and target as spec and data set say now. Raises ConfigurationError, TierUnknown."""
    location = data_set.status.location
    target = job.spec.target
    target_class: str | None = target.storage_class
    target_root: str | None = None
    if target.tier is not None:
        target_class, target_root = meaning_of_tier(target.tier, active, policy)
    if target_class is not None and active.uri.startswith("file://"):
        raise ConfigurationError(
            f"the data is at {active.uri}, which has no storage classes: "
            "give spec.target.tier with a policy, or spec.target.location"
        )
    return JobPin(
        source=active,
        target=target.location or active,
        source_generation=location.generation if location else 0,
        target_class=target_class,
        target_root=target_root,
        data_set_uid=data_set.uid,
    )


def meaning_of_tier(
    tier: Tier, active: Location, policy: Policy | None
) -> tuple[str | None, str | None]:
    """Storage class or file root that a policy means by a tier."""
    if policy is None:
        raise TierUnknown(
            f"spec.target.tier {tier.value} means nothing without a policy: set spec.policyRef "
            "to an existing TieringPolicy"
        )
    meaning = next((item for item in policy.spec.tiers if item.name == tier), None)
    provider = PROVIDER_OF_SCHEME.get(active.uri.partition("://")[0], "")
    name = meaning.named_for(provider) if meaning is not None else None
    if name is None:
        field = _FIELD_OF_PROVIDER.get(provider, "meaning")
        raise TierUnknown(f"policy {policy.name} gives tier {tier.value} no {field}; add one")
    return (None, name) if provider == "file" else (name, None)


def in_place(pin: JobPin) -> bool:
    """Whether the location stays: a class or tier changes."""
    return pin.target_class is not None or pin.target_root is not None
