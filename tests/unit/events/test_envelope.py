"""CloudEvents as Kafka messages."""

import json

import pytest
from tests.unit.events.samples import event

from cloudflux.events.envelope import from_message, headers, to_json


def test_a_message_of_the_binary_mode_reads_back_as_the_event():
    made = event(7)
    read = from_message(made.key.encode(), made.data, headers(made))
    assert read == to_json(made)
    assert read["id"] == "job-7:1:t"
    assert read["partitionkey"] == "ds-1"
    assert read["dataschema"].endswith("/schemas/io.cloudflux.migration.started.v1.json")
    assert read["time"] == "2026-03-14T10:00:07Z"


def test_header_names_are_those_of_the_kafka_binding():
    names = [name for name, _ in headers(event(1))]
    assert {"ce_specversion", "ce_id", "ce_source", "ce_type", "content-type"} <= set(names)
    assert len(names) == len(set(names))


def test_trace_context_is_well_formed_and_one_trace_for_one_object():
    first, second = event(1), event(1)._replace(id="other")
    version, trace, span, flags = first.traceparent.split("-")
    assert (len(version), len(trace), len(span), len(flags)) == (2, 32, 16, 2)
    assert first.traceparent == second.traceparent
    assert first.traceparent != event(2).traceparent


def test_a_message_that_is_no_event_is_refused_in_words():
    with pytest.raises(ValueError, match="ce_id"):
        from_message(None, json.dumps({}).encode(), [("content-type", b"application/json")])
