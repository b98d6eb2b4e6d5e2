"""Whether the target can hold the metadata, headers and tags of a location move's objects."""

from dataclasses import dataclass, replace

from cloudflux.errors import ConfigurationError, NotSupported, ObjectNotFound
from cloudflux.migration.mapping import provenance
from cloudflux.migration.plan_findings import Findings
from cloudflux.migration.session import Session
from cloudflux.storage.bucket_facts import Choosy
from cloudflux.storage.interface import ObjectInfo

LOOKED_AT = 64
"""So many objects are looked at, a request each; the rest is found when it is copied."""


@dataclass(slots=True)
class Samples:
    """Looks at the first objects of a plan, where the two stores hold different things."""

    session: Session
    findings: Findings
    job_uid: str
    left: int = LOOKED_AT

    def take(self, info: ObjectInfo) -> None:
        """Look at an object, if it is among the first."""
        source, target = self.session.source, self.session.target
        if self.left == 0 or source.capabilities.scheme == target.capabilities.scheme:
            return
        if not isinstance(target, Choosy):
            self.left = 0
            return
        self.left -= 1
        try:
            whole = source.head(info.key)
        except ObjectNotFound:
            return
        marked = {**whole.metadata, **provenance(self.job_uid, whole.version)}
        try:
            target.require_fits(replace(whole, metadata=marked))
        except (NotSupported, ConfigurationError) as error:
            self.findings.note("unfit", str(error))


def unfit_problems(findings: Findings) -> tuple[str, ...]:
    """What blocks the plan, in sentences."""
    return findings.words(
        "unfit", f"objects that the target can't hold whole (of the first {LOOKED_AT})"
    )
