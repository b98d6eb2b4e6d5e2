"""Retiring the source: object by object from the manifest, each on condition of its version."""

from cloudflux.api.move_tasks import RetireRequest, RetireResult
from cloudflux.errors import ObjectNotFound, PreconditionFailed, SourceInUse
from cloudflux.migration.files import read_json, write_json
from cloudflux.migration.manifest import read_manifest
from cloudflux.migration.markers import read_marker
from cloudflux.migration.session import Session
from cloudflux.storage.interface import ObjectInfo
from cloudflux.storage.keys import decode_key, encode_key, printable

NAMED = 10
SAVED_EVERY = 500
"""So many deletions are looked at again after a kill or a stop."""


def retire(session: Session, request: RetireRequest) -> RetireResult:
    """Delete at most max_objects; new and changed objects are kept and reported.

    The control process stops the task as soon as it hears of something that needs the source;
    that is looked for immediately before each deletion. How far it came is kept beside the
    manifest, so that a long listing is not repeated.
    """
    _require_ours(session, request)
    manifest = {
        one.key: one.version
        for one in read_manifest(session.files.manifest, request.manifest_digest)
    }
    state = read_json(session.files.retirement) or {"after": "", "kept": [], "kept_objects": 0}
    after, kept, kept_objects = state["after"], list(state["kept"]), state["kept_objects"]
    deleted, complete = 0, True
    session.context.stop_point("retire.listed")
    for info in session.source.list(start_after=decode_key(after)):
        if deleted >= request.max_objects:
            complete = False
            break
        version = manifest.get(info.key)
        unchanged = isinstance(info, ObjectInfo) and version == info.version
        if unchanged and _delete(session, info.key, version):
            deleted += 1
        else:
            kept_objects += 1
            if len(kept) < NAMED:
                kept.append(printable(info.key))
        after = encode_key(info.key)
        if unchanged and deleted % SAVED_EVERY == 0:
            _save(session, after, kept, kept_objects)
    session.context.check()
    if complete:
        _end_deletions(session)
    _save(session, after, kept, kept_objects)
    left = sum(1 for key in manifest if encode_key(key) > after) if not complete else 0
    return RetireResult(
        deleted=deleted,
        remaining=0 if complete else max(left, 1),
        kept=tuple(kept),
        kept_objects=kept_objects,
    )


def _save(session: Session, after: str, kept: list[str], kept_objects: int) -> None:
    progress = {"after": after, "kept": kept, "kept_objects": kept_objects}
    write_json(session.files.retirement, progress)


def _delete(session: Session, key: str, version: str | None) -> bool:
    """Delete one object if it is still the version of the manifest; False: it is kept."""
    session.context.check()
    try:
        session.source.delete(key, if_version=version)
    except ObjectNotFound:
        return True
    except PreconditionFailed:
        return False
    session.context.stop_point("retire.object")
    return True


def _end_deletions(session: Session) -> None:
    """Bring to their end those that a kill left half done: what is aside is in no listing."""
    source = session.source
    if source.capabilities.hierarchical:
        for directory, name in list(source.uploads()):
            session.context.check()
            source.abort_upload(directory, name)


def _require_ours(session: Session, request: RetireRequest) -> None:
    """Raise SourceInUse when a later job's marker says that the source is used again."""
    marker = read_marker(session.source)
    if marker is not None and marker.job_uid != request.job_uid:
        raise SourceInUse(
            f"{session.source.uri} bears the marker of a later move; nothing there is deleted"
        )
