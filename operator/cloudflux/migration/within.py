"""Letting one server copy by itself, where source and target lie on it and that can be proven."""

import threading
from typing import cast

from cloudflux.api.dataset import Writers
from cloudflux.api.move_tasks import CopyRequest
from cloudflux.errors import NotSupported, PreconditionFailed
from cloudflux.migration.checkpoint import Checkpoint, Moved
from cloudflux.migration.mapping import class_at_target, class_to_write
from cloudflux.migration.session import Session
from cloudflux.storage.interface import CopyingWithin, ObjectInfo, brief_pages
from cloudflux.storage.probe import probe_conditions

MOST_STRANGERS = 100_000
"""So many objects that are not ours are remembered of the target; with more, bytes are streamed."""


class Within:
    """Copies of one job that the server makes; None from `copy` means: read and write it.

    A copy carries no mark of the job: it is ours as it was recorded. So one that a kill left
    unrecorded is compared and adopted like anyone's, and never removed or written over later.
    """

    def __init__(self, session: Session, request: CopyRequest, checkpoint: Checkpoint) -> None:
        self._session, self._request, self._checkpoint = session, request, checkpoint
        self._target = session.target
        self._possible = hasattr(self._target, "copies_from") and cast(
            "CopyingWithin", self._target
        ).copies_from(session.source)
        self._strangers: set[str] | None = None
        self._lock = threading.Lock()

    def copy(self, listed: ObjectInfo) -> Moved | None:
        """Have one new object copied, never over another one."""
        if not self._possible or listed.archived or listed.key in self._checkpoint.moved:
            return None
        if self._checkpoint.uploads.get(listed.key, ("", ""))[1]:
            return None  # parts of it are there: whoever sent them, they are gone on with
        store = cast("CopyingWithin", self._target)
        if not store.may_copy(listed) or listed.key in self._known_strangers():
            return None
        if not self._possible:  # as was found just now
            return None
        target = self._target.capabilities
        name = class_at_target(listed, self._session.source.capabilities, target)
        self._session.context.check()
        try:
            written = store.copy_within(
                self._session.source, listed, storage_class=class_to_write(name, target)
            )
        except (PreconditionFailed, NotSupported):
            return None  # what is wrong is said on the other way
        if not written.checksums:
            # Encrypted with a key of each place, perhaps: their versions can't be compared.
            self._possible = False
            self._target.delete(listed.key, if_version=written.version)
            return None
        return Moved(
            key=listed.key,
            size_bytes=listed.size_bytes,
            version=listed.version,
            target_version=written.version,
            storage_class=name,
            digests=dict(written.checksums),
            attested=written.attested or next(iter(written.checksums)),
        )

    def _known_strangers(self) -> set[str]:
        """Keys at the target that this job did not write; looked at once, before the first copy."""
        with self._lock:
            if self._strangers is None:
                self._strangers = self._look()
        return self._strangers

    def _look(self) -> set[str]:
        strangers: set[str] = set()
        if not self._conditions_count():
            self._possible = False
            return strangers
        for page in brief_pages(self._target):
            self._session.context.check()
            strangers.update(key for key, _, _ in page if key not in self._checkpoint.moved)
            if len(strangers) > MOST_STRANGERS:
                self._possible = False
                break
        return strangers

    def _conditions_count(self) -> bool:
        """Whether nothing can be written over: by the server's word, or as nobody writes there."""
        if self._request.writers is Writers.QUIESCED:
            return True
        _, copies = probe_conditions(self._target)
        return copies is True
