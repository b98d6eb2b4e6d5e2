"""Tables whose memory is bounded: the same whether they lie in memory or in a file."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudflux.migration.spill import SpillMap, SpillSet
from cloudflux.storage.keys import key_bytes


def table(path: Path, kept_bytes: int) -> SpillMap[int]:
    return SpillMap(
        path,
        encode=lambda value: json.dumps(value).encode(),
        decode=json.loads,
        value_bytes=28,
        kept_bytes=kept_bytes,
    )


@pytest.fixture(params=[1, 1000, 1 << 20], ids=["each", "some", "never"])
def spilling(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SpillMap[int]]:
    made = table(tmp_path / "index", request.param)
    yield made
    made.close()
    assert list(tmp_path.iterdir()) == []


keys = st.text(st.characters(exclude_categories=()), max_size=5).filter(
    lambda key: not any(0xD800 <= ord(c) < 0xDC80 or 0xDCFF < ord(c) < 0xE000 for c in key)
)
steps = st.lists(st.tuples(st.sampled_from(["set", "pop", "look", "count"]), keys, st.integers()))


@given(steps, st.sampled_from([1, 500, 1 << 20]))
def test_it_is_a_dict_in_the_order_of_bytes(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[tuple[str, str, int]],
    kept_bytes: int,
) -> None:
    found = table(tmp_path_factory.getbasetemp() / "walked", kept_bytes)
    model: dict[str, int] = {}
    for step, key, value in steps:
        if step == "set":
            found[key] = model[key] = value
        elif step == "pop":
            assert found.pop(key, None) == model.pop(key, None)
        elif step == "look":
            assert (key in found, found.get(key)) == (key in model, model.get(key))
        else:
            assert (len(found), bool(found)) == (len(model), bool(model))
    ordered = sorted(model, key=key_bytes)
    assert list(found) == ordered
    assert list(found.sorted_items()) == [(key, model[key]) for key in ordered]
    assert list(found.sorted_values()) == [model[key] for key in ordered]
    found.close()


def test_it_may_be_changed_while_it_is_walked(spilling: SpillMap[int]) -> None:
    for number in range(3000):
        spilling[f"{number:05}"] = number
    seen = []
    for key in spilling:
        seen.append(key)
        if key.endswith("0"):
            del spilling[key]
        spilling[f"!{key}"] = 1  # before it: not seen again
    assert seen == [f"{n:05}" for n in range(3000)]
    assert (spilling["00007"], spilling["!00007"]) == (7, 1)
    assert len(spilling) == 5700
    with pytest.raises(KeyError):
        del spilling["00010"]


def test_what_a_kill_left_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "index"
    killed = table(path, 1)
    killed["old"] = 1
    assert path.exists()
    following = table(path, 1)
    assert "old" not in following
    following["new"] = 2
    assert list(following) == ["new"]
    following.close()
    killed._database.close()  # type: ignore[union-attr]


def test_a_set_holds_more_than_it_keeps_in_memory(tmp_path: Path) -> None:
    with SpillSet(tmp_path / "keys", kept_bytes=2000) as found:
        for number in range(500):
            found.add(f"k{number}")
        found.discard("k7")
        found.discard("k7")
        assert (tmp_path / "keys").stat().st_size > 0
        assert "k7" not in found
        assert "k499" in found
        assert len(found) == 499
        found.clear()
        assert not found
        found.add("again")
        assert set(found) == {"again"}
    assert list(tmp_path.iterdir()) == []
