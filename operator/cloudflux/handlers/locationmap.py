"""The ConfigMap `<data set>-location`: what pods mount to know where the data is."""

from typing import Any

from cloudflux.api.dataset import ActiveLocation
from cloudflux.errors import CloudFluxError
from cloudflux.handlers.kube import CONFIG_MAPS, Conflict, NotFound
from cloudflux.handlers.resources import DataSet, Raw
from cloudflux.handlers.runtime import Runtime

MANAGED_BY = "app.kubernetes.io/managed-by"
OURS = "cloudflux"
DATA_SET_ANNOTATION = "cloudflux.io/dataset"


class ConfigMapConflict(CloudFluxError):
    """The ConfigMap's name is taken by someone else."""

    reason = "ConfigMapConflict"


def map_name(data_set: str) -> str:
    """The ConfigMap's name."""
    return f"{data_set}-location"


def build(data_set: DataSet, location: ActiveLocation) -> Raw:
    """The ConfigMap as it should be."""
    return {
        "metadata": {
            "namespace": data_set.namespace,
            "name": map_name(data_set.name),
            "labels": {MANAGED_BY: OURS},
            "annotations": {DATA_SET_ANNOTATION: data_set.name},
        },
        "data": {
            "uri": location.uri,
            "endpoint": location.endpoint or "",
            "region": location.region or "",
            "generation": str(location.generation),
        },
    }


def is_ours(raw: dict[str, Any], data_set: str) -> bool:
    """Whether we wrote it for a data set of this name."""
    meta = raw["metadata"]
    labels, annotations = meta.get("labels") or {}, meta.get("annotations") or {}
    return labels.get(MANAGED_BY) == OURS and annotations.get(DATA_SET_ANNOTATION) == data_set


async def conflict(runtime: Runtime, namespace: str, data_set: str) -> str | None:
    """Why the ConfigMap can't be written: someone else has the name; None when it can.

    A name that was free a moment ago counts as free: writing the ConfigMap finds out again.
    """
    if runtime.maps_seen.lately((namespace, data_set), None):
        return None
    try:
        raw = await runtime.kube.get(CONFIG_MAPS, namespace, map_name(data_set))
        if not is_ours(raw, data_set):
            return _words(namespace, data_set)
    except NotFound:
        pass
    runtime.maps_seen.note((namespace, data_set), None)
    return None


async def write_location_map(
    runtime: Runtime, data_set: DataSet, *, first_move: bool = False
) -> None:
    """Make the ConfigMap say what status.location says. Raises ConfigMapConflict.

    After a first move nobody has written it yet: then it is created without looking first.
    """
    location = data_set.status.location
    if location is None:
        return
    await _write(runtime, data_set, build(data_set, location), first_move)
    runtime.maps_seen.note((data_set.namespace, data_set.name), location.generation)


async def _write(runtime: Runtime, data_set: DataSet, wanted: Raw, first_move: bool) -> None:
    if first_move:
        try:
            await runtime.kube.create(CONFIG_MAPS, wanted)
            return
        except Conflict:
            pass  # there is one: whose, and what it says, is looked at
    try:
        present = await runtime.kube.get(CONFIG_MAPS, data_set.namespace, map_name(data_set.name))
    except NotFound:
        await runtime.kube.create(CONFIG_MAPS, wanted)
        return
    if not is_ours(present, data_set.name):
        raise ConfigMapConflict(_words(data_set.namespace, data_set.name))
    if present.get("data") != wanted["data"]:
        await runtime.kube.replace(CONFIG_MAPS, {**present, "data": wanted["data"]})


async def repair_location_map(runtime: Runtime, data_set: DataSet) -> None:
    """Write it again if somebody changed or removed it; only for data that was switched."""
    location = data_set.status.location
    if location is None or location.generation == 0:
        return
    key = (data_set.namespace, data_set.name)
    if runtime.maps_seen.lately(key, location.generation):
        return
    try:
        await write_location_map(runtime, data_set)
    except ConfigMapConflict as error:
        runtime.event(data_set, error.reason, str(error))
    except Conflict:
        runtime.queue.add(data_set.key, after=1.0)


def _words(namespace: str, data_set: str) -> str:
    name = map_name(data_set)
    return (
        f"ConfigMap {name} belongs to someone else and is left alone: rename it, or run "
        f"kubectl -n {namespace} delete configmap {name}"
    )
