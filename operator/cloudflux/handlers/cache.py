"""The latest known state of every watched object, fed by the watch and by our own writes."""

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator
from typing import Any

Object = dict[str, Any]
Listener = Callable[[str, tuple[str, str, str], Object | None], None]
"""Told of a kind, the object's key, and the object; None when it is gone."""

MAX_TOMBSTONES = 10_000


class Cache:
    """Objects by kind, namespace and name; objects in it are read, never changed in place.

    Resource versions of one object are compared as numbers: the API server gives them in
    order, and only the order within one cluster's store matters here.
    """

    def __init__(self) -> None:
        self._objects: dict[str, dict[tuple[str, str], Object]] = {}
        self._tombstones: OrderedDict[str, int] = OrderedDict()
        self._listeners: list[Listener] = []

    def listen(self, listener: Listener) -> None:
        """Have somebody more told of every change, after it was taken in."""
        self._listeners.append(listener)

    def put(self, kind: str, obj: Object) -> Object:
        """Take an object in unless a newer one is known; returns the one that is kept."""
        metadata = obj["metadata"]
        key = (metadata.get("namespace", ""), metadata["name"])
        objects = self._objects.setdefault(kind, {})
        known = objects.get(key)
        if _version(obj) <= self._tombstones.get(metadata.get("uid", ""), -1):
            return obj
        if known is not None and _version(known) > _version(obj):
            return known
        kept = _without_managed_fields(obj)
        objects[key] = kept
        self._tell(kind, key, kept)
        return kept

    def apply(self, kind: str, event_type: str | None, obj: Object) -> None:
        """Take a watch event in: None or ADDED or MODIFIED (present), DELETED (gone)."""
        if event_type == "DELETED":
            self.remove(kind, obj)
        else:
            self.put(kind, obj)

    def remove(self, kind: str, obj: Object) -> None:
        """Forget an object, unless one of the same name was created since."""
        metadata = obj["metadata"]
        uid = metadata.get("uid", "")
        key = (metadata.get("namespace", ""), metadata["name"])
        self._tombstones[uid] = _version(obj)
        if len(self._tombstones) > MAX_TOMBSTONES:
            self._tombstones.popitem(last=False)
        known = self._objects.get(kind, {}).get(key)
        if known is not None and known["metadata"].get("uid", "") == uid:
            del self._objects[kind][key]
            self._tell(kind, key, None)

    def replace_all(self, kind: str, objs: Collection[Object]) -> None:
        """Take a complete listing: what it does not hold is gone."""
        listed = {(o["metadata"].get("namespace", ""), o["metadata"]["name"]) for o in objs}
        present = self._objects.setdefault(kind, {})
        for key in [k for k in present if k not in listed]:
            del present[key]
            self._tell(kind, key, None)
        for obj in objs:
            self.put(kind, obj)

    def get(self, kind: str, namespace: str, name: str) -> Object | None:
        """Return the latest known object, or None."""
        return self._objects.get(kind, {}).get((namespace, name))

    def list(self, kind: str, namespace: str | None = None) -> Iterator[Object]:
        """Return the objects of a kind, in one namespace or in all, by namespace and name."""
        objects = self._objects.get(kind, {})
        return iter([objects[k] for k in sorted(objects) if namespace is None or k[0] == namespace])

    def _tell(self, kind: str, key: tuple[str, str], obj: Object | None) -> None:
        for listener in self._listeners:
            listener(kind, (kind, *key), obj)


def _version(obj: Object) -> int:
    try:
        return int(obj["metadata"].get("resourceVersion") or 0)
    except ValueError:
        return 0


def _without_managed_fields(obj: Object) -> Object:
    """Return it without metadata.managedFields: half of the object's bytes and nothing we read."""
    if "managedFields" not in obj["metadata"]:
        return obj
    metadata = {k: v for k, v in obj["metadata"].items() if k != "managedFields"}
    return {**obj, "metadata": metadata}
