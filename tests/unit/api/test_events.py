"""The event types: each is declared once, documented, exemplified and of a stable shape."""

import ast
import json
import re
from pathlib import Path

import pytest
import yaml

from cloudflux.api.event_data import AccessOperation, DeadLetter
from cloudflux.api.event_examples import ACCESS_EXAMPLE, DEAD_LETTER_EXAMPLE, EXAMPLES
from cloudflux.api.event_reference import asyncapi, events_page, schemas
from cloudflux.api.events import EVENTS, EventType, schema_uri
from cloudflux.api.vocabulary import LOG_KEYS

SOURCE = Path(__file__).resolve().parents[3] / "operator" / "cloudflux"
LOG_CALLS = {"debug", "info", "warning", "error", "exception", "critical", "bind"}


def test_every_type_is_declared_with_a_meaning_and_an_example():
    assert set(EVENTS) == set(EventType) == set(EXAMPLES)
    assert all(info.meaning.endswith(".") for info in EVENTS.values())
    assert all(re.fullmatch(r"io\.cloudflux\.[a-z_.]+\.v[0-9]+", kind) for kind in EventType)


@pytest.mark.parametrize("kind", list(EventType))
def test_the_example_holds_nothing_that_the_model_does_not_know(kind):
    model = EVENTS[kind].model
    parsed = model.model_validate(EXAMPLES[kind])
    assert parsed.model_dump(mode="json", by_alias=True, exclude_unset=True) == EXAMPLES[kind]


def test_examples_of_access_events_and_dead_letters_are_valid():
    assert AccessOperation.model_validate(ACCESS_EXAMPLE).bytes == 4194304
    assert DeadLetter.model_validate(DEAD_LETTER_EXAMPLE).partition == 3


def test_every_field_says_what_it_is():
    for name, schema in schemas().items():
        for part in [schema, *schema.get("$defs", {}).values()]:
            for field, value in part.get("properties", {}).items():
                assert str(value.get("description", "")).endswith("."), f"{name}: {field}"


def test_the_asyncapi_document_names_every_event_and_its_schema():
    document = yaml.safe_load(asyncapi())
    assert document["asyncapi"] == "3.1.0"
    channel = document["channels"]["events"]["messages"]
    assert len(channel) == len(EventType)
    for reference in channel.values():
        message = document["components"]["messages"][reference["$ref"].rsplit("/", 1)[-1]]
        path = message["payload"]["schema"]["$ref"].removeprefix("./schemas/")
        assert path.removesuffix(".json") in schemas()


def test_schemas_carry_the_address_that_events_name():
    for kind in EventType:
        assert schemas()[kind.value]["$id"] == schema_uri(kind)
    assert all(kind.value in events_page() for kind in EventType)
    assert json.dumps(schemas())


def calls(names: set[str]):
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                func = node.func
                name = func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")
                if name in names:
                    yield node, f"{path.relative_to(SOURCE)}:{node.lineno}"


def test_every_log_key_in_the_code_is_in_the_vocabulary():
    used = {
        (keyword.arg, where)
        for node, where in calls(LOG_CALLS)
        for keyword in node.keywords
        if keyword.arg not in (None, "exc_info")
    }
    assert len(used) > 20  # the search itself works
    assert {f"{key} at {where}" for key, where in used if key not in LOG_KEYS} == set()


def test_metrics_are_made_from_their_declaration_alone():
    families = {"GaugeMetricFamily", "CounterMetricFamily", "HistogramMetricFamily"}
    makers = families | {"Gauge", "Histogram"}
    used = {where.partition(":")[0] for _, where in calls(makers)}
    assert used == {"events/families.py"}
