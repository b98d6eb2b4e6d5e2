"""Markers are followed by generation to the newest."""

import datetime as dt
from functools import partial
from types import SimpleNamespace as Fake
from typing import Any

import pytest

from cloudflux.api.common import Location, SecretRef
from cloudflux.api.dataset import DataSetSpec, DataSetStatus
from cloudflux.api.move_tasks import Marker
from cloudflux.errors import ConfigurationError
from cloudflux.handlers import finding
from cloudflux.handlers.credentials import SecretRefused
from cloudflux.handlers.runtime import Runtime
from cloudflux.settings import Settings

NOW = dt.datetime(2026, 11, 21, tzinfo=dt.UTC)
A, B, C = "s3://bucket/a/", "s3://bucket/b/", "file:///srv/c"


def data_set() -> Any:
    spec = DataSetSpec(
        location=Location(
            uri=A, region="eu-west-1", credentials_secret_ref=SecretRef(name="origin-keys")
        )
    )
    return Fake(namespace="team", name="books", generation=1, spec=spec, status=DataSetStatus())


def marker(generation: int, target: str, secret: str | None = "", name: str = "books") -> Marker:
    return Marker(
        data_set_uid="old", namespace="team", data_set=name, generation=generation, source_uri=A,
        target_uri=target, target_secret_name=secret, job_uid="job", manifest_digest="d",
    )  # fmt: skip


def find(markers: dict[str, Marker]) -> finding.Trail:
    """Follow until the end, asking a world in which these markers stand."""
    trail, ended = finding.begin(data_set()), False
    while not ended:
        trail, ended = finding.follow(data_set(), trail, markers.get(trail.here.uri))
    return trail


def test_without_a_marker_the_data_is_at_the_origin() -> None:
    trail = find({})
    assert (trail.here.uri, trail.generation, trail.hops) == (A, 0, 0)


def test_the_newest_of_several_moves_is_found() -> None:
    first, second = marker(1, B), marker(2, C)
    trail = find({A: first, B: second, C: second})
    assert (trail.here.uri, trail.generation, trail.hops) == (C, 2, 2)
    location = finding.located(data_set(), trail, NOW).location
    assert location is not None
    assert (location.uri, location.generation, location.previous) == (C, 2, A)


def test_a_move_back_ends_at_the_origin_with_its_generation() -> None:
    back = marker(2, A)
    trail = find({A: back, B: back})
    assert (trail.here.uri, trail.generation) == (A, 2)


def test_there_and_back_and_on_ends_where_the_newest_leads() -> None:
    trail = find({A: marker(1, B), B: marker(3, B), C: marker(3, B)})
    assert (trail.here.uri, trail.generation) == (B, 3)


def test_markers_of_others_and_older_ones_lead_nowhere() -> None:
    assert find({A: marker(1, B, name="other")}).here.uri == A
    assert find({A: marker(2, B), B: marker(1, C)}).here.uri == B
    assert find({A: marker(1, B), B: marker(1, A)}).here.uri == B, "no circle"


def test_a_marker_never_brings_a_key() -> None:
    sealed = marker(1, B).model_copy(update={"target_encryption": "Client"})
    with pytest.raises(ConfigurationError, match=r"encrypted there \(Client\); create the DataSet"):
        find({A: sealed})


def test_an_endless_chain_is_said() -> None:
    chain = {f"s3://b/{n}": marker(n + 1, f"s3://b/{n + 1}") for n in range(200)}
    with pytest.raises(ConfigurationError, match="present location"):
        find({A: marker(1, "s3://b/1"), **chain})


@pytest.mark.parametrize(
    ("target", "secret", "found"),
    [
        (B, "target-keys", "target-keys"),
        (B, "", None),
        (B, None, "origin-keys"),
        (C, None, None),
    ],
)
def test_the_secret_of_the_move_is_used(target: str, secret: str | None, found: str | None) -> None:
    trail = find({A: marker(1, target, secret)})
    ref = trail.here.credentials_secret_ref
    assert (ref.name if ref else None) == found
    status = finding.located(data_set(), trail, NOW)
    assert status.location is not None
    assert status.location.credentials_secret_name == found


@pytest.mark.parametrize(
    "bad",
    [
        marker(1, "nonsense"),
        marker(1, "s3://" + "x" * 3000),
        marker(1, B, secret="s" * 300),
    ],
)
def test_a_marker_that_leads_to_no_location_is_said_and_not_followed(bad: Marker) -> None:
    """Whoever can write to a bucket can write a marker."""
    with pytest.raises(ConfigurationError, match=r"\.cloudflux/location\.json"):
        find({A: bad})


@pytest.mark.parametrize(
    ("origin", "here", "hearsay"),
    [
        (None, Location(uri=B), False),
        (None, Location(uri=B, endpoint="https://collector.example"), True),
        ("https://store.example/", Location(uri=B, endpoint="https://store.example"), False),
        ("https://store.example", Location(uri="gs://b/", endpoint="https://store.example"), True),
        ("https://store.example", Location(uri=B, endpoint="http://store.example"), True),
        ("https://store.example", Location(uri=B), False),
    ],
)
def test_an_endpoint_that_only_a_marker_names_is_hearsay(
    origin: str | None, here: Location, hearsay: bool
) -> None:
    mine = data_set()
    mine.spec = DataSetSpec(location=Location(uri=A, endpoint=origin))
    assert finding.is_hearsay(mine, here) is hearsay


async def test_a_marker_alone_has_no_identity_sent_to_its_endpoint() -> None:
    here = Location(uri=B, endpoint="https://93.184.215.14")
    runtime = Fake(settings=Settings(ambient_namespaces=("team",)))
    runtime.credentials = partial(Runtime.credentials, runtime)
    runtime.encryption = partial(Runtime.encryption, runtime)
    assert (await Runtime.store(runtime, here, "team")).ambient
    with pytest.raises(SecretRefused, match="present location"):
        await Runtime.store(runtime, here, "team", hearsay=True)
    runtime.settings = Settings(
        ambient_namespaces=("team",), allowed_endpoints=("https://93.184.215.14",)
    )
    assert (await Runtime.store(runtime, here, "team", hearsay=True)).ambient
