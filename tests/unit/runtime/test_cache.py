"""The cache of watched objects."""

from typing import Any

from cloudflux.handlers.cache import Cache


def thing(name: str, version: int, uid: str = "u1", namespace: str = "n") -> dict[str, Any]:
    return {
        "metadata": {
            "namespace": namespace,
            "name": name,
            "uid": uid,
            "resourceVersion": str(version),
            "managedFields": [{"manager": "x"}],
        }
    }


def version(cache: Cache, name: str) -> str | None:
    obj = cache.get("DataSet", "n", name)
    return obj["metadata"]["resourceVersion"] if obj else None


def test_the_newest_version_wins_whatever_the_order() -> None:
    cache = Cache()
    cache.put("DataSet", thing("a", 9))
    cache.apply("DataSet", "MODIFIED", thing("a", 100))
    cache.apply("DataSet", "MODIFIED", thing("a", 99))
    assert version(cache, "a") == "100"


def test_a_deleted_object_does_not_come_back_by_a_late_answer() -> None:
    cache = Cache()
    cache.put("DataSet", thing("a", 5))
    cache.apply("DataSet", "DELETED", thing("a", 7))
    cache.put("DataSet", thing("a", 6))
    assert version(cache, "a") is None
    cache.apply("DataSet", "ADDED", thing("a", 8, uid="u2"))
    assert version(cache, "a") == "8"


def test_a_late_deletion_leaves_the_next_object_of_the_name() -> None:
    cache = Cache()
    cache.put("DataSet", thing("a", 8, uid="u2"))
    cache.apply("DataSet", "DELETED", thing("a", 7, uid="u1"))
    assert version(cache, "a") == "8"


def test_lists_by_kind_and_namespace_without_managed_fields() -> None:
    cache = Cache()
    original = thing("b", 1)
    cache.put("DataSet", original)
    cache.put("DataSet", thing("a", 2, namespace="z"))
    cache.put("MigrationJob", thing("j", 3))
    assert [o["metadata"]["name"] for o in cache.list("DataSet")] == ["b", "a"]
    assert [o["metadata"]["name"] for o in cache.list("DataSet", "n")] == ["b"]
    assert "managedFields" not in cache.get("DataSet", "n", "b")["metadata"]
    assert "managedFields" in original["metadata"]


def test_a_listing_replaces_everything() -> None:
    cache = Cache()
    cache.put("DataSet", thing("gone", 1))
    cache.replace_all("DataSet", [thing("a", 2)])
    assert [o["metadata"]["name"] for o in cache.list("DataSet")] == ["a"]
