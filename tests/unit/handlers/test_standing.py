"""The index of places and turns answers as looking at everybody would."""

import asyncio
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from cloudflux.handlers.overlap import PlaceIndex, place, touches
from cloudflux.handlers.resources import DATA_SET
from cloudflux.handlers.standing import Standing

paths = st.lists(st.sampled_from("abc"), max_size=4).map(lambda p: "s3://bucket/" + "/".join(p))


@given(owned=st.lists(st.tuples(st.sampled_from("uvwxyz"), paths)), asked=paths)
def test_touching_places_are_found_as_by_comparing_all(
    owned: list[tuple[str, str]], asked: str
) -> None:
    index, truth = PlaceIndex(), {}
    for owner, uri in owned:
        index.put(owner, ((uri, None),))
        truth[owner] = uri
    if "u" in truth:
        index.drop("u")
        del truth["u"]
    mine = place(asked)
    assert index.touching(mine) == {o for o, uri in truth.items() if touches(mine, place(uri))}


def test_other_servers_touch_nothing() -> None:
    index = PlaceIndex()
    index.put("one", (("s3://bucket/a", "http://one:9000"),))
    assert index.touching(place("s3://bucket/a")) == set()
    assert index.touching(place("s3://bucket/a/b", "http://one:9000")) == {"one"}


def test_a_data_set_that_moved_or_went_is_no_longer_found_where_it_was() -> None:
    standing, key = Standing(lambda _: None), (DATA_SET, "n", "d")
    raw = {"metadata": {"uid": "u"}, "spec": {"location": {"uri": "s3://b/old"}}}
    standing.hear(DATA_SET, key, raw)
    assert standing.data_sets_touching(place("s3://b/old/x"), "n") == {"u"}
    standing.hear(DATA_SET, key, {**raw, "status": {"location": {"uri": "s3://b/new"}}})
    assert standing.data_sets_touching(place("s3://b/old/x"), "n") == set()
    assert standing.data_sets_touching(place("s3://b/new"), "n") == {"u"}
    standing.hear(DATA_SET, key, None)
    assert standing.data_sets_touching(place("s3://b/new"), "n") == set()


def test_a_bucket_that_was_only_named_stops_nobody_in_another_namespace() -> None:
    standing, key, there = Standing(lambda _: None), (DATA_SET, "n", "d"), place("s3://b/data")
    raw = {"metadata": {"uid": "u"}, "spec": {"location": {"uri": "s3://b/data"}}}
    standing.hear(DATA_SET, key, raw)
    assert standing.data_sets_touching(there, "n") == {"u"}
    assert standing.data_sets_touching(there, "victim") == set()
    assert standing.claimed_unreached(there, "victim")
    assert not standing.claimed_unreached(there, "n")
    standing.hear(DATA_SET, key, {**raw, "status": {"location": {"uri": "s3://b/data"}}})
    assert standing.data_sets_touching(there, "victim") == {"u"}
    assert not standing.claimed_unreached(there, "victim")
    standing.hear(DATA_SET, key, {**raw, "metadata": {"uid": "again"}})
    assert standing.data_sets_touching(there, "victim") == set()


async def test_a_symbolic_link_that_was_turned_is_followed_anew(tmp_path: Path) -> None:
    one, two, link = tmp_path / "one", tmp_path / "two", tmp_path / "link"
    one.mkdir()
    two.mkdir()
    link.symlink_to(one)
    standing = Standing(lambda _: None)
    raw = {"metadata": {"uid": "u"}, "spec": {"location": {"uri": link.as_uri()}}}
    standing.hear(DATA_SET, (DATA_SET, "n", "d"), raw)
    link.unlink()
    link.symlink_to(two)
    fresh = asyncio.create_task(standing.keep_fresh())
    async with asyncio.timeout(10):
        while standing.data_sets_touching(place(two.as_uri()), "n") != {"u"}:
            await asyncio.sleep(0)
    fresh.cancel()
    assert standing.data_sets_touching(place(one.as_uri()), "n") == set()
