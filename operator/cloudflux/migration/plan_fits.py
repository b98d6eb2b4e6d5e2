"""Whether the target can hold the metadata, headers and tags of a location move's objects."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import cast

from cloudflux.api.display import counted
from cloudflux.errors import NotSupported, ObjectNotFound
from cloudflux.migration.mapping import provenance
from cloudflux.migration.plan_findings import Findings
from cloudflux.migration.session import Session
from cloudflux.storage.bucket_facts import Choosy
from cloudflux.storage.interface import ObjectInfo, Telling, Unreadable

LOOKED_AT = 64
"""Where the listing does not tell, so many objects are looked at, a request each.

The rest is found when it is copied, before a byte is written.
"""


@dataclass(slots=True)
class Fits:
    """Lists a source so that it can say of its objects what the target can't hold.

    Stores of one kind hold the same things, and are not asked.
    """

    session: Session
    findings: Findings
    job_uid: str
    looked_at: int = 0
    unseen: int = 0

    def list(self, prefix: str) -> Iterator[ObjectInfo | Unreadable]:
        """The source's objects, with what they carry where that costs no request for each."""
        source = self.session.source
        if self._matters and hasattr(source, "list_whole"):
            return cast("Telling", source).list_whole(prefix)
        return source.list(prefix)

    def take(self, info: ObjectInfo) -> None:
        """Look at an object of the plan, if that is to be done."""
        source = self.session.source
        if not self._matters:
            return
        if not hasattr(source, "list_whole"):
            if self.looked_at == LOOKED_AT:
                self.unseen += 1
                return
            try:
                info = source.head(info.key)
            except ObjectNotFound:
                return
        self.looked_at += 1
        marked = {**info.metadata, **provenance(self.job_uid, info.version)}
        try:
            cast("Choosy", self.session.target).require_fits(replace(info, metadata=marked))
        except NotSupported as error:
            self.findings.note("unfit", str(error))

    def problems(self) -> tuple[str, ...]:
        """What blocks the plan, in sentences."""
        among = f" (of the first {LOOKED_AT})" if self.unseen else ""
        return self.findings.words("unfit", f"objects that the target can't hold whole{among}")

    def warnings(self) -> tuple[str, ...]:
        """What the plan does not know, in sentences."""
        if not self.unseen:
            return ()
        source, target = self.session.source.uri, self.session.target.uri
        return (
            f"the listing of {source} tells no metadata and tags: they were looked at for "
            f"{LOOKED_AT} objects, not for {counted(self.unseen, 'other')}; one that {target} "
            "can't hold whole fails by name when it is copied, before anything is switched",
        )

    @property
    def _matters(self) -> bool:
        source, target = self.session.source, self.session.target
        other = source.capabilities.scheme != target.capabilities.scheme
        return other and isinstance(target, Choosy)
