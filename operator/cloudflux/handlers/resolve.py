"""From a MigrationJob's spec to a pinned source and target. Pure."""

from cloudflux.api.common import Location, Tier
from cloudflux.api.migrationjob import JobPin
from cloudflux.errors import CloudFluxError, ConfigurationError
from cloudflux.handlers.resources import DataSet, Job, Policy


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
        target_class, target_root = _tier(target.tier, active, policy)
    if target_class is not None and not active.uri.startswith("s3://"):
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


def _tier(tier: Tier, active: Location, policy: Policy | None) -> tuple[str | None, str | None]:
    """Storage class or file root that a policy means by a tier."""
    if policy is None:
        raise TierUnknown(
            f"spec.target.tier {tier.value} means nothing without a policy: set spec.policyRef "
            "to an existing TieringPolicy"
        )
    meaning = next((item for item in policy.spec.tiers if item.name == tier), None)
    if active.uri.startswith("file://"):
        if meaning is None or meaning.file_root is None:
            raise TierUnknown(f"policy {policy.name} gives tier {tier.value} no fileRoot; add one")
        return None, meaning.file_root
    if meaning is None or meaning.s3_storage_class is None:
        raise TierUnknown(
            f"policy {policy.name} gives tier {tier.value} no s3StorageClass; add one"
        )
    return meaning.s3_storage_class, None


def in_place(pin: JobPin) -> bool:
    """Whether the location stays: a class or tier changes."""
    return pin.target_class is not None or pin.target_root is not None
