"""What a plan says of archived objects: which they are, what their restore costs and takes."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from cloudflux.api.brain_tasks import RestoreQuote
from cloudflux.api.display import counted
from cloudflux.api.migrationjob import RestoreTier
from cloudflux.api.move_tasks import JobTask
from cloudflux.brain.restore import Archived, quote, refused
from cloudflux.migration.mapping import provider_of
from cloudflux.migration.session import Session, in_place
from cloudflux.storage.archive import Restorable, RestoreState
from cloudflux.storage.interface import ObjectInfo

AUTOMATIC = "INTELLIGENT_TIERING"


@dataclass(slots=True)
class ArchivedObjects:
    """Finds the archived ones of a listing."""

    session: Session
    classes: list[str] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    unseen: bool | None = None

    def take(self, info: ObjectInfo) -> bool:
        """Say whether an object must be restored first, and count it then."""
        if not info.archived and not self._archived_unseen(info):
            return False
        self.classes.append(info.storage_class)
        self.sizes.append(info.size_bytes)
        return True

    def _archived_unseen(self, info: ObjectInfo) -> bool:
        """Of an automatic class, only a look at the object tells."""
        source = self.session.source
        if info.storage_class != AUTOMATIC or not isinstance(source, Restorable):
            return False
        if self.unseen is None:
            self.unseen = source.archives_unseen()
        return self.unseen and source.restoration(info.key).state is not RestoreState.READABLE


def problems_of_restore(found: ArchivedObjects, request: JobTask) -> tuple[str, ...]:
    """Say why the archived objects can't be restored."""
    if not found.classes:
        return ()
    if request.restore_tier is RestoreTier.NEVER:
        objects = counted(len(found.classes), "object")
        return (
            f"{objects} in {', '.join(sorted(set(found.classes)))} must be restored before they "
            "can be moved; choose Bulk, Standard or Expedited (spec.restore.tier, or --restore)",
        )
    if not isinstance(found.session.source, Restorable):
        return ("the store can't restore what is archived; restore it by hand",)
    return refused(found.classes, request.restore_tier)


def quote_of(
    session: Session,
    request: JobTask,
    classes: Sequence[str],
    sizes: Sequence[int],
    *,
    overlay: dict[str, object] | None,
    move_seconds: float,
) -> tuple[RestoreQuote, float]:
    """Price the restore; returns also what it costs beyond one by Standard."""
    return quote(
        Archived.of(classes, np.asarray(sizes)),
        request.restore_tier,
        provider=provider_of(session.source),
        region=request.source.region,
        overlay=overlay,
        days=request.restore_days,
        move_seconds=move_seconds,
    )


def restore_words(found: RestoreQuote, request: JobTask, currency: str) -> tuple[str, ...]:
    """What a person should know of a restore before it is paid for."""
    objects = counted(found.objects, "archived object")
    words = [
        f"{objects} restored first by {found.tier.value}: up to {found.hours} h, "
        f"{found.cost} {currency}, which is spent even if the move is cancelled"
    ]
    if not found.days:
        where = request.target_class if in_place(request) else "Hot"
        words.append(
            f"the archived blobs go to {where} at the source, and stay there; leaving Archive "
            "before 180 days are over is billed"
        )
    if not in_place(request):
        words.append(
            "what is archived at the source is written to the target's first class; "
            "change it there with another job"
        )
    return tuple(words)
