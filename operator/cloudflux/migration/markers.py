"""Markers: a small object at the old and the new location that says where the data is now."""

import io
import json

from pydantic import ValidationError

from cloudflux.api.display import counted
from cloudflux.api.move_tasks import (
    FindMarkerResult,
    JobTask,
    Marker,
    PrepareSwitchRequest,
    PrepareSwitchResult,
)
from cloudflux.errors import IntegrityError, ObjectNotFound, TargetOccupied
from cloudflux.migration.files import read_json, write_json
from cloudflux.migration.manifest import read_manifest
from cloudflux.migration.session import Session, in_place
from cloudflux.storage.interface import CONTROL_PREFIX, ObjectInfo, Store

MARKER_KEY = f"{CONTROL_PREFIX}location.json"
LIMIT_BYTES = 65_536


def read_marker(store: Store) -> Marker | None:
    """Return the location's marker; None when there is none that can be understood."""
    try:
        with store.open(MARKER_KEY) as stream:
            return Marker.model_validate_json(stream.read(LIMIT_BYTES))
    except (ObjectNotFound, ValidationError):
        return None


def find_marker(source: Store) -> FindMarkerResult:
    """Answer mover.find_marker."""
    source.check()
    return FindMarkerResult(marker=read_marker(source))


def write_marker(store: Store, marker: Marker) -> None:
    """Write the marker over any other."""
    data = marker.model_dump_json().encode()
    store.put(MARKER_KEY, io.BytesIO(data), len(data))


def prepare_switch(session: Session, request: PrepareSwitchRequest) -> PrepareSwitchResult:
    """List once more; when nothing changed since the manifest, write both markers."""
    if in_place(request):
        return PrepareSwitchResult(delta_objects=0)
    _refuse_same_place(session, request)
    delta = _delta(session, request.manifest_digest)
    session.context.stop_point("switch.listed")
    if delta == 0:
        _write_markers(session, request)
    return PrepareSwitchResult(delta_objects=delta)


def remove_markers(session: Session, request: JobTask) -> None:
    """Put back what stood before this job's markers; others' markers are left."""
    before = read_json(session.files.markers) or {}
    _clear_leftovers(session)
    for name, store in (("source", session.source), ("target", session.target)):
        present = read_marker(store)
        if present is None or present.job_uid != request.job_uid:
            continue
        session.context.check()
        if before.get(name):
            write_marker(store, Marker.model_validate(before[name]))
        else:
            store.delete(MARKER_KEY)


def _refuse_same_place(session: Session, request: PrepareSwitchRequest) -> None:
    """Raise TargetOccupied when the target is the source by another name.

    Two endpoints or mounts may lead to one place; then every object is found at the "target"
    and adopted, and retiring the source would delete the only copy.
    """
    if not any(
        one.adopted for one in read_manifest(session.files.manifest, request.manifest_digest)
    ):
        return  # an object that we wrote, create-only, was not there before
    key = f"{CONTROL_PREFIX}same-place-{request.job_uid}"
    session.context.check()
    session.target.put(key, io.BytesIO(b"{}"), 2)
    try:
        session.source.head(key)
    except ObjectNotFound:
        return
    finally:
        session.target.delete(key)
    raise TargetOccupied(
        f"{session.target.uri} is the same place as the source, {session.source.uri}, by another "
        "name; choose another target"
    )


def _delta(session: Session, manifest_digest: str) -> int:
    """Count source objects that are new, changed or gone since the manifest.

    Raises IntegrityError when the target no longer holds what was proven.
    """
    manifest = {one.key: one for one in read_manifest(session.files.manifest, manifest_digest)}
    at_target = 0
    for info in session.target.list():
        known = manifest.get(info.key)
        if known is None or not isinstance(info, ObjectInfo):
            continue
        if info.size_bytes == known.size_bytes and info.version == known.target_version:
            at_target += 1
    if at_target != len(manifest):
        lost = counted(len(manifest) - at_target, "object")
        raise IntegrityError(
            f"{lost} at {session.target.uri} changed or gone since verification; "
            "the data set stays at its source"
        )
    unchanged = delta = 0
    for info in session.source.list():
        session.context.check()
        known = manifest.get(info.key)
        if known is not None and isinstance(info, ObjectInfo) and info.version == known.version:
            unchanged += 1
        else:
            delta += 1
    return delta + len(manifest) - unchanged if delta else len(manifest) - unchanged


def _write_markers(session: Session, request: PrepareSwitchRequest) -> None:
    marker = Marker(
        data_set_uid=request.data_set_uid,
        namespace=request.namespace,
        data_set=request.data_set_name,
        generation=request.generation,
        source_uri=request.source.uri,
        target_uri=request.target.uri,
        target_endpoint=request.target.endpoint,
        target_region=request.target.region,
        target_secret_name=request.target_secret_name,
        target_encryption=request.target.encryption.type if request.target.encryption else None,
        job_uid=request.job_uid,
        manifest_digest=request.manifest_digest,
    )
    _remember(session, request)
    _clear_leftovers(session)
    # The target first: a marker at the source must never lead to a location without one.
    for store in (session.target, session.source):
        session.context.check()
        write_marker(store, marker)
        session.context.stop_point("switch.marker")


def _clear_leftovers(session: Session) -> None:
    """Remove what a kill left of a marker in a directory; a bucket takes it whole or not at all."""
    for store in (session.source, session.target):
        if store.capabilities.hierarchical:
            for key, name in list(store.uploads(CONTROL_PREFIX)):
                session.context.check()
                store.abort_upload(key, name)


def _remember(session: Session, request: JobTask) -> None:
    """Keep the markers that stand now, once; ours, from before a kill, are not worth keeping."""
    if session.files.markers.exists():
        return
    before = {}
    for name, store in (("source", session.source), ("target", session.target)):
        found = read_marker(store)
        if found is not None and found.job_uid != request.job_uid:
            before[name] = json.loads(found.model_dump_json())
    write_json(session.files.markers, before)
