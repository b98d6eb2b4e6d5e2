"""Filters: the same words in the address, in the API and in a subscription."""

from urllib.parse import parse_qs

import pytest
from tests.unit.console.test_hub import sample

from cloudflux.console.filters import EventFilter, parse_filter
from cloudflux.console.shown import show

SHOWN = show(sample(1, source="/clusters/c/namespaces/team-a/migrationjobs/j"))


@pytest.mark.parametrize(
    ("given", "matches"),
    [
        ({}, True),
        ({"type": ["migration.started"]}, True),
        ({"type": ["migration"]}, True),
        ({"type": ["migration.failed"]}, False),
        ({"type": ["migration.failed", "migration.started"]}, True),
        ({"namespace": ["team-a"]}, True),
        ({"namespace": ["team-b"]}, False),
        ({"dataset": ["telemetry"], "provider": ["s3"], "severity": ["info"]}, True),
        ({"severity": ["warning"]}, False),
        ({"q": ["GLACIER"]}, True),
        ({"q": ["nowhere"]}, False),
        ({"type": [""], "q": [" "]}, True),
    ],
)
def test_fields_must_agree_and_values_are_alternatives(given, matches):
    assert parse_filter(given).matches(SHOWN) is matches


def test_a_filter_and_its_query_are_the_same():
    wanted = parse_filter({"type": ["a", "b"], "namespace": ["n&x=1"], "q": ["ä <b>"]})
    assert parse_filter(parse_qs(wanted.query())) == wanted
    assert wanted
    assert not EventFilter()


@pytest.mark.parametrize(
    "given", [{"q": ["a", "b"]}, {"type": ["x" * 300]}, {"type": [str(n) for n in range(40)]}]
)
def test_what_can_not_be_meant_is_refused(given):
    with pytest.raises(ValueError, match=r"type|q"):
        parse_filter(given)
