"""The work list of worker pods, beside the target: who copies what, and what they say is done.

    .cloudflux/work/<job>/<run>/index.json        shards of each worker, digest of each shard
    .cloudflux/work/<job>/<run>/shards/00007      objects to copy, a line each
    .cloudflux/work/<job>/<run>/told/2/000001     worker 2's sums so far, then what it copied
    .cloudflux/work/<job>/<run>/told/2/failed     why its last try ended early

A worker needs no right but to the two stores. What it says is a claim: `merge` takes of it only
what the plan lists and a listing of the target shows in exactly that size and version; every
object is proven afterwards like one that the operator copied itself.
"""

import io
import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import suppress

from pydantic import ValidationError

from cloudflux.api.move_tasks import GatherRequest, GatherResult, ShareRequest, ShareResult
from cloudflux.api.task import TaskError
from cloudflux.errors import ObjectNotFound, PlanChanged
from cloudflux.migration.checkpoint import Moved, parse_moved
from cloudflux.migration.files import JSON, dump, read_json, write_json
from cloudflux.migration.planned import PlannedObject, load_plan, planned_objects
from cloudflux.migration.session import Session
from cloudflux.migration.sharding import Shard, cut, deal, shard_weight
from cloudflux.migration.share_parts import PlannedParts, split
from cloudflux.storage.digests import ALGORITHMS, digest_bytes
from cloudflux.storage.interface import CONTROL_PREFIX, Store, brief_pages
from cloudflux.storage.keys import decode_key, encode_key

INDEX_LIMIT_BYTES = 64 * 1024**2
PART_LIMIT_BYTES = 16 * 1024**2
FAILED_LIMIT_BYTES = 64 * 1024
HEAD_LIMIT_BYTES = 4096


def base_key(job_uid: str, run: str) -> str:
    """Where the work list of one run is."""
    return f"{CONTROL_PREFIX}work/{job_uid}/{run}/"


def index_key(job_uid: str, run: str) -> str:
    """Which shards are whose."""
    return f"{base_key(job_uid, run)}index.json"


def shard_key(job_uid: str, run: str, number: int) -> str:
    """The objects of one shard."""
    return f"{base_key(job_uid, run)}shards/{number:05d}"


def told_key(job_uid: str, run: str, worker: int, number: int) -> str:
    """One part of what a worker tells; numbered from 1."""
    return f"{base_key(job_uid, run)}told/{worker}/{number:06d}"


def failed_key(job_uid: str, run: str, worker: int) -> str:
    """Why a worker's last try ended early."""
    return f"{base_key(job_uid, run)}told/{worker}/failed"


def write_object(store: Store, key: str, data: bytes, *, if_absent: bool = False) -> None:
    """Write a small object. Raises PreconditionFailed where it must be absent and is not."""
    store.put(key, io.BytesIO(data), len(data), if_absent=if_absent)


def read_object(store: Store, key: str, limit_bytes: int) -> bytes | None:
    """Read at most so many bytes of an object; None when it is not there."""
    try:
        with store.open(key) as stream:
            parts, left = [], limit_bytes
            while left > 0 and (data := stream.read(left)):
                parts.append(data)
                left -= len(data)
            return b"".join(parts)
    except ObjectNotFound:
        return None


# -- giving out -------------------------------------------------------------------------------


def share(session: Session, request: ShareRequest) -> ShareResult:
    """Return the run that is under way; with `anew`, or without one, share out what is left."""
    known = read_json(session.files.workers)
    if known is not None and not request.anew:
        return ShareResult(**known)
    if known is not None:
        merge(session, request.job_uid)
    plan = load_plan(session)
    with session.checkpoint() as checkpoint:
        moved = checkpoint.moved
        left = [one for one in planned_objects(session) if not _is_done(moved, one)]
        before = Shard(len(moved), sum(one.size_bytes for one in moved.sorted_values()))
        most = shard_weight(len(left), sum(one.size_bytes for one in left), request.workers)
        items = list(split(session, request, checkpoint, left, most))
    run = secrets.token_hex(4)
    result = ShareResult(
        run=run,
        shards=0,
        workers=0,
        objects=len(left),
        size_bytes=sum(one.size_bytes for one in left),
        objects_before=before.objects,
        bytes_before=before.size_bytes,
        objects_total=plan["objects"],
        bytes_total=plan["bytes"],
    )
    if not left:
        return result
    shards = _write_shards(session, request, run, items, most)
    workers = min(request.workers, len(shards))
    dealt = deal([shard.weight for shard, _ in shards], workers)
    index = {
        "shards": [
            {"objects": shard.objects, "bytes": shard.size_bytes, "sha256": digest}
            for shard, digest in shards
        ],
        "workers": dealt,
    }
    # known here first: what a kill leaves at the target is found and removed
    result = result.model_copy(update={"shards": len(shards), "workers": workers})
    write_json(session.files.workers, result.model_dump())
    write_object(session.target, index_key(request.job_uid, run), dump(index))
    return result


def _is_done(moved: Mapping[str, Moved], one: PlannedObject) -> bool:
    known = moved.get(one.key)
    return known is not None and known.version == one.version


def _write_shards(
    session: Session, request: ShareRequest, run: str, items: list[PlannedObject], most: int
) -> list[tuple[Shard, str]]:
    written = []
    for number, shard in enumerate(cut(items, most)):
        session.context.check()
        data = b"".join(dump(_line(one)) for one in shard)
        write_object(session.target, shard_key(request.job_uid, run, number), data)
        sums = Shard(len(shard), sum(one.size_bytes for one in shard))
        written.append((sums, digest_bytes(data, ("sha256",))["sha256"]))
    return written


def _line(one: PlannedObject) -> JSON:
    line: JSON = {
        "key": encode_key(one.key),
        "size": one.size_bytes,
        "version": one.version,
        "class": one.storage_class,
    }
    if isinstance(one, PlannedParts):
        parts = {"upload": one.upload_id, "of": one.object_bytes, "parts": [one.first, one.last]}
        line |= parts
    return line


def read_shard(store: Store, job_uid: str, run: str, number: int, sha256: str) -> list[JSON]:
    """Lines of a shard. Raises PlanChanged when it is not what the index says."""
    data = read_object(store, shard_key(job_uid, run, number), PART_LIMIT_BYTES)
    if data is None or digest_bytes(data, ("sha256",))["sha256"] != sha256:
        raise PlanChanged(f"shard {number} of the work list is gone or was changed")
    return [json.loads(line) for line in data.splitlines()]


def read_index(store: Store, job_uid: str, run: str) -> JSON:
    """The index of a run. Raises PlanChanged when it is gone."""
    data = read_object(store, index_key(job_uid, run), INDEX_LIMIT_BYTES)
    if data is None:
        raise PlanChanged("the work list is gone: its job ended, or it was removed")
    index: JSON = json.loads(data)
    return index


# -- taking in --------------------------------------------------------------------------------


def gather(session: Session, request: GatherRequest) -> GatherResult:
    """Say how far the workers are, by their newest sums; claims, good for showing only."""
    seen, objects, size_bytes = list(request.seen), 0, 0
    for worker in range(request.workers):
        session.context.check()
        sums = (0, 0)
        if seen[worker]:
            sums = _sums(session.target, request, worker, seen[worker]) or sums
        while (found := _sums(session.target, request, worker, seen[worker] + 1)) is not None:
            seen[worker] += 1
            sums = found
        objects, size_bytes = objects + sums[0], size_bytes + sums[1]
    return GatherResult(
        seen=tuple(seen), objects=objects, size_bytes=size_bytes, error=_failure(session, request)
    )


def _sums(store: Store, request: GatherRequest, worker: int, number: int) -> tuple[int, int] | None:
    key = told_key(request.job_uid, request.run, worker, number)
    data = read_object(store, key, HEAD_LIMIT_BYTES)
    if data is None:
        return None
    try:
        head = json.loads(data.partition(b"\n")[0])
        return max(0, int(head["objects"])), max(0, int(head["bytes"]))
    except (ValueError, LookupError, TypeError):
        return 0, 0


def _failure(session: Session, request: GatherRequest) -> TaskError | None:
    for worker in range(request.workers):
        key = failed_key(request.job_uid, request.run, worker)
        data = read_object(session.target, key, FAILED_LIMIT_BYTES)
        if data is None:
            continue
        with suppress(ValidationError):
            said = TaskError.model_validate_json(data)
            return said.model_copy(update={"message": f"worker {worker}: {said.message[:1024]}"})
    return None


def told(store: Store, job_uid: str, run: str, worker: int) -> Iterator[list[JSON]]:
    """What a worker told, part by part; lines that are no JSON are left out."""
    number = 1
    while (
        data := read_object(store, told_key(job_uid, run, worker, number), PART_LIMIT_BYTES)
    ) is not None:
        lines = []
        for line in data.split(b"\n")[1:]:
            with suppress(ValueError):
                lines.append(json.loads(line))
        yield lines
        number += 1


def merge(session: Session, job_uid: str) -> int:
    """Take into the checkpoint what workers copied and the target shows; returns how many.

    Afterwards the work list is removed. Safe to repeat, and without one does nothing.
    """
    known = read_json(session.files.workers)
    if known is None:
        return 0
    run, workers = known["run"], known["workers"]
    claims = _claims(session, job_uid, run, workers)
    taken = 0
    with session.checkpoint() as checkpoint:
        for page in brief_pages(session.target):
            session.context.check()
            for key, size_bytes, version in page:
                claim = claims.get(key)
                if claim is None or (claim.size_bytes, claim.target_version) != (
                    size_bytes,
                    version,
                ):
                    continue
                present = checkpoint.moved.get(key)
                if present is None or present.version != claim.version:
                    checkpoint.add(claim)
                    taken += 1
    _remove(session.target, job_uid, known)
    session.files.workers.unlink(missing_ok=True)
    return taken


def _claims(session: Session, job_uid: str, run: str, workers: int) -> dict[str, Moved]:
    """What was claimed of objects that the plan lists, in the version that it lists."""
    claims: dict[str, Moved] = {}
    for worker in range(workers):
        for lines in told(session.target, job_uid, run, worker):
            session.context.check()
            for line in lines:
                claim = _claim(line)
                if claim is not None:
                    claims[claim.key] = claim
    planned = {
        one.key
        for one in planned_objects(session)
        if (claim := claims.get(one.key)) is not None
        and (claim.version, claim.size_bytes) == (one.version, one.size_bytes)
    }
    return {key: claim for key, claim in claims.items() if key in planned}


def _claim(line: JSON) -> Moved | None:
    """One claim without what only the operator can know: that the server attested it."""
    try:
        digests = {
            name: str(line["digests"][name]) for name in ALGORITHMS if name in line["digests"]
        }
        if not digests:
            return None  # nothing that the target's bytes could be held to
        return parse_moved({
            "key": str(line["key"]),
            "size": int(line["size"]),
            "version": str(line["version"]),
            "target_version": str(line["target_version"]),
            "class": str(line["class"]),
            "digests": digests,
            "adopted": bool(line.get("adopted", False)),
        })  # fmt: skip
    except (LookupError, TypeError, ValueError, AttributeError):
        return None


def _remove(store: Store, job_uid: str, known: JSON) -> None:
    run = known["run"]
    for worker in range(known["workers"]):
        store.delete(failed_key(job_uid, run, worker))
        number = 1
        while read_object(store, told_key(job_uid, run, worker, number), 1) is not None:
            number += 1
        for part in range(number - 1, 0, -1):  # the last first: a kill leaves a readable rest
            store.delete(told_key(job_uid, run, worker, part))
    for number in range(known["shards"]):
        store.delete(shard_key(job_uid, run, number))
    store.delete(index_key(job_uid, run))


def planned_line(line: JSON) -> PlannedObject:
    """One line of a shard."""
    fields = decode_key(line["key"]), line["size"], line["version"], line["class"]
    if "upload" in line:
        return PlannedParts(*fields, line["upload"], line["of"], *line["parts"])
    return PlannedObject(*fields)
