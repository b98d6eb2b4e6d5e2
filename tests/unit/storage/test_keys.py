"""Keys that a hierarchical target can't hold, found in the order in which stores list."""

from cloudflux.storage.interface import Capabilities
from cloudflux.storage.keys import key_bytes, problems

TREE = Capabilities(scheme="file", hierarchical=True)


def found(*keys: str) -> list[str]:
    return [key for key, _ in problems(sorted(keys, key=key_bytes), TREE)]


def test_keys_below_another_key_are_found_whatever_lies_between() -> None:
    assert found("a", "a!", "a-b", "a.c/d", "a/b", "a/b/c", "ab") == ["a/b", "a/b/c"]
    assert found("a/b", "a/b-c", "a/b.d", "a/b/c/d/e") == ["a/b/c/d/e"]


def test_keys_that_only_look_alike_are_kept_apart() -> None:
    assert found("a", "ab/c", "a-/b", "b", "ba/c", "é", "éa/b") == []


def test_a_directory_that_is_listed_before_its_namesake_is_found_too() -> None:
    assert [key for key, _ in problems(["a/b", "a"], TREE)] == ["a"]
