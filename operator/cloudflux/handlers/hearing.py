"""What is heard of an object is taken in, and wakes it and who depends on it."""

from cloudflux.handlers import retirement
from cloudflux.handlers.kube import OURS, NotFound
from cloudflux.handlers.resources import DATA_SET, JOB, POLICY, SWEEP_KIND, Raw
from cloudflux.handlers.runtime import Runtime
from cloudflux.handlers.tasks import Key


def sweep_key(uid: str) -> Key:
    """The queue's key for what a deleted job left."""
    return (SWEEP_KIND, "", uid)


def key_of(kind: str, raw: Raw) -> Key:
    """Return the queue's key of an object."""
    return (kind, raw["metadata"].get("namespace", ""), raw["metadata"]["name"])


def hear(runtime: Runtime, kind: str, event_type: str | None, raw: Raw) -> None:
    """Take a watch event in: remember the object, and queue it and who depends on it.

    The echo of our own write is known already: who wrote looks again by itself.
    """
    metadata = raw["metadata"]
    key = key_of(kind, raw)
    before = runtime.cache.get(kind, key[1], key[2])
    deleted = event_type == "DELETED"
    if not deleted and before is not None and _same_version(before, raw):
        retirement.revoke(runtime, key)
        return
    runtime.cache.apply(kind, event_type, raw)
    now = runtime.cache.get(kind, key[1], key[2])
    if not deleted and before is not None and now is not None and _uid(now) != _uid(before):
        _forget(runtime, kind, before)  # it was created again, and its deletion was not heard
    if deleted:
        _forget(runtime, kind, raw)
    else:
        runtime.queue.add(key)
    retirement.revoke(runtime, key)
    spec_changed = deleted or (
        before is None or before["metadata"].get("generation") != metadata.get("generation")
        or before["metadata"].get("labels") != metadata.get("labels")
    )  # fmt: skip
    if spec_changed:
        _wake_dependants(runtime, kind, key)


def wake_line(runtime: Runtime) -> None:
    """Wake those whose turn it may be now: a slot is free, or somebody before them left."""
    free = runtime.settings.max_running_jobs - len(runtime.standing.moving)
    for key in runtime.standing.first_in_line(max(free, 1)):
        runtime.queue.add(key)
    if not is_busy(runtime):
        for key in runtime.yielding:
            runtime.queue.add(key)
        runtime.yielding.clear()


def is_busy(runtime: Runtime) -> bool:
    """Whether moves take every slot, wait for one, or are being planned."""
    if len(runtime.standing.moving) >= runtime.settings.max_running_jobs:
        return True
    return bool(runtime.standing.first_in_line(1) or runtime.held)


def _same_version(one: Raw, other: Raw) -> bool:
    return bool(
        one["metadata"].get("resourceVersion") == other["metadata"].get("resourceVersion")
        and _uid(one) == _uid(other)
    )


def _uid(raw: Raw) -> str:
    return str(raw["metadata"].get("uid", ""))


def _forget(runtime: Runtime, kind: str, raw: Raw) -> None:
    uid = _uid(raw)
    runtime.publisher.forget(uid)
    if kind == JOB:
        runtime.held.pop(uid, None)
        runtime.queue.add(sweep_key(uid))
        namespace, spec = raw["metadata"].get("namespace", ""), raw.get("spec", {})
        runtime.queue.add((DATA_SET, namespace, spec.get("dataSetRef", {}).get("name", "")))
        if spec.get("policyRef"):
            runtime.queue.add((POLICY, namespace, spec["policyRef"].get("name", "")))
        wake_line(runtime)
    elif kind == DATA_SET:
        runtime.tasks.cancel(uid)
        runtime.tasks.forget(uid)
        runtime.observed.pop(uid, None)
        for key in retirement.held_back(runtime, raw):
            runtime.queue.add(key)
    else:
        runtime.due_rounds.pop(uid, None)


def _wake_dependants(runtime: Runtime, kind: str, key: Key) -> None:
    """A policy speaks for data sets; a data set wakes its policies and its jobs."""
    namespace = key[1]
    if kind == JOB:
        return
    for other in (DATA_SET, POLICY):
        if other == DATA_SET and kind == DATA_SET:
            continue
        for raw in runtime.cache.list(other, namespace):
            runtime.queue.add(key_of(other, raw))
    if kind == DATA_SET:
        for job_key in runtime.standing.jobs_of(namespace, key[2]):
            runtime.queue.add(job_key)


async def refresh(runtime: Runtime, key: Key) -> None:
    """Read an object again that changed or went without our having heard of it.

    It is heard as the watch would tell it: who depends on what has changed is woken.
    """
    kind, namespace, name = key
    if kind not in OURS:
        return
    known = runtime.cache.get(kind, namespace, name)
    try:
        hear(runtime, kind, "MODIFIED", await runtime.kube.get(OURS[kind], namespace, name))
    except NotFound:
        if known is not None:
            hear(runtime, kind, "DELETED", known)
