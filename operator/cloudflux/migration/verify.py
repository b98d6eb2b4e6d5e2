"""Proving every moved object, and writing the manifest."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from cloudflux.api.dataset import Writers
from cloudflux.api.migrationjob import VerifyMethod
from cloudflux.api.move_tasks import VerifyRequest, VerifyResult
from cloudflux.errors import ObjectArchived, ObjectNotFound, PreconditionFailed
from cloudflux.migration.change import change_class, needs_digest, target_class
from cloudflux.migration.checkpoint import Checkpoint, Moved
from cloudflux.migration.manifest import write_manifest
from cloudflux.migration.planned import PlannedObject
from cloudflux.migration.session import Session, in_place
from cloudflux.migration.spill import SpillSet
from cloudflux.migration.streams import read_digests
from cloudflux.migration.tally import Tally
from cloudflux.storage.digests import ALGORITHMS
from cloudflux.storage.interface import ObjectInfo, brief_pages
from cloudflux.storage.keys import printable

ATTESTED = "class and size attested by the server"
SIZE_ONLY = "size only, as asked"
CHUNK = 1024
"""So many objects are proven side by side before their rows are written in order."""


def verify(session: Session, request: VerifyRequest) -> VerifyResult:
    """Prove every object that was moved; the manifest is written only when all are proven."""
    with session.checkpoint() as checkpoint:
        verifier = _Verifier(session, request, checkpoint)
        digest, counts = write_manifest(session.files.manifest, request, verifier.rows())
    session.context.stop_point("verify.manifest")
    tally = verifier.tally
    if tally.objects_failed:
        session.files.manifest.unlink(missing_ok=True)
    return VerifyResult(
        method=", ".join(sorted(counts))[:256] or "nothing to prove",
        matched=sum(counts.values()),
        mismatched=tally.objects_failed,
        manifest_uri=session.files.manifest.as_uri(),
        digest=digest,
        failures=tuple(tally.failures),
    )


class Mismatch(Exception):
    """An object is not what was moved."""


class _Verifier:
    """The proofs of one call."""

    def __init__(self, session: Session, request: VerifyRequest, checkpoint: Checkpoint) -> None:
        self._session, self._request, self._checkpoint = session, request, checkpoint
        size_bytes = sum(one.size_bytes for one in checkpoint.moved.sorted_values())
        self.tally = Tally(session.context, len(checkpoint.moved), size_bytes)

    def rows(self) -> Iterator[tuple[Moved, str]]:
        """Yield each proven object with its proof, by key order."""
        ordered = self._checkpoint.moved.sorted_values()
        with (
            self._session.keys("proven") as as_written,
            ThreadPoolExecutor(self._request.parallelism, "verify") as pool,
        ):
            self._look(as_written)
            while chunk := tuple(islice(ordered, CHUNK)):
                asked = [moved for moved in chunk if moved.key not in as_written]
                rows = dict(
                    zip((one.key for one in asked), pool.map(self._one, asked), strict=True)
                )
                for moved in chunk:
                    row = rows[moved.key] if moved.key in rows else self._known(moved)
                    if row is not None:
                        yield row

    def _look(self, found: SpillSet) -> None:
        """Add the keys whose listing shows exactly the version that the server attested.

        The server computed that digest when it took the object; a listing, a thousand objects
        a request, shows that this object is still the one there.
        """
        if in_place(self._request):
            self._look_for_changes(found)
            return
        if self._request.verify is VerifyMethod.BYTES:
            return
        moved = self._checkpoint.moved
        if not any(one.attested for one in moved.sorted_values()):
            return
        for page in brief_pages(self._session.target):
            self._session.context.check()
            for key, size_bytes, version in page:
                one = moved.get(key)
                if one is None or not one.attested:
                    continue
                if (one.size_bytes, one.target_version) == (size_bytes, version):
                    found.add(key)

    def _look_for_changes(self, found: SpillSet) -> None:
        """Add those that a listing shows in the class asked for, in the version of the change."""
        if needs_digest(self._session, self._request):
            return
        wanted = target_class(self._request)
        for count, info in enumerate(self._session.source.list()):
            if count % CHUNK == 0:
                self._session.context.check()
            one = self._checkpoint.moved.get(info.key)
            if one is None or not isinstance(info, ObjectInfo) or info.storage_class != wanted:
                continue
            if (one.size_bytes, one.target_version) == (info.size_bytes, info.version):
                found.add(info.key)

    def _known(self, moved: Moved) -> tuple[Moved, str]:
        self._session.context.stop_point("verify.object")
        self.tally.done(moved.size_bytes)
        if in_place(self._request) and self._request.verify is not VerifyMethod.SIZE:
            return moved, ATTESTED
        if self._request.verify is VerifyMethod.SIZE:
            return moved, SIZE_ONLY
        return moved, self._attested(moved.attested)

    def _one(self, moved: Moved) -> tuple[Moved, str] | None:
        self._session.context.check()
        try:
            row = self._prove(moved)
        except (Mismatch, PreconditionFailed, ObjectArchived) as error:
            self.tally.fail(moved.key, "VerificationFailed", f"{printable(moved.key)}: {error}")
            return None
        self._session.context.stop_point("verify.object")
        if row is not None:
            self.tally.done(moved.size_bytes)
        return row

    def _prove(self, moved: Moved) -> tuple[Moved, str] | None:
        try:
            info = self._session.target.head(moved.key)
        except ObjectNotFound:
            if in_place(self._request):
                return None  # removed by its owner since: nothing is left to prove
            raise Mismatch("is gone from the target") from None
        if not in_place(self._request):
            return moved, self._content(moved, info)
        if info.storage_class != target_class(self._request) and self._may_be_written(info, moved):
            return self._again(info)
        if info.storage_class != target_class(self._request):
            raise Mismatch(f"is in {info.storage_class}, not in {target_class(self._request)}")
        if needs_digest(self._session, self._request):
            return moved, self._content(moved, info)
        if info.version != moved.target_version and self._may_be_written(info, moved):
            return self._again(info)
        self._compare_known(moved, info)
        size_only = self._request.verify is VerifyMethod.SIZE
        return moved, SIZE_ONLY if size_only else ATTESTED

    def _content(self, moved: Moved, info: ObjectInfo) -> str:
        """Prove the content, by what the method asks for; returns the proof in words."""
        self._compare_known(moved, info)
        if self._request.verify is VerifyMethod.SIZE:
            return SIZE_ONLY
        common = sorted(info.checksums.keys() & moved.digests.keys())
        if self._request.verify is VerifyMethod.CHECKSUM and common:
            return self._attested(common[-1])
        with self._session.target.open(moved.key, if_version=info.version) as stream:
            name = next(name for name in ALGORITHMS if name in moved.digests)
            found = read_digests(self._session, stream, {name}).hex()[name]
        expected = moved.digests[name]
        if found != expected:
            raise Mismatch(f"its bytes have {name} {found}, moved was {expected}")
        return f"{name} of the bytes read back"

    def _attested(self, digest: str) -> str:
        if self._session.target.capabilities.reads_back:
            return f"{digest} of the bytes read back"
        return f"{digest} computed by the server"

    def _compare_known(self, moved: Moved, info: ObjectInfo) -> None:
        if info.size_bytes != moved.size_bytes:
            raise Mismatch(f"has {info.size_bytes} bytes, moved were {moved.size_bytes}")
        for name in info.checksums.keys() & moved.digests.keys():
            if info.checksums[name] != moved.digests[name]:
                raise Mismatch(f"{name} is {info.checksums[name]}, was {moved.digests[name]}")
        if info.version != moved.target_version and not moved.digests:
            raise Mismatch("was written since it was moved")

    def _may_be_written(self, info: ObjectInfo, moved: Moved) -> bool:
        """Say whether a new version may be the work of the data set's own writers."""
        changed = info.version != moved.target_version
        return changed and self._request.writers is not Writers.QUIESCED

    def _again(self, info: ObjectInfo) -> tuple[Moved, str] | None:
        """Change an object again that was written after its change."""
        planned = PlannedObject(info.key, info.size_bytes, info.version, info.storage_class)
        try:
            moved = change_class(self._session, self._request, self._checkpoint, planned)
        except ObjectNotFound:
            return None
        self._checkpoint.add(moved)
        return moved, ATTESTED
