"""Events for readers and programs: the docs page, JSON Schemas and the AsyncAPI 3.1 document."""

import json
from collections.abc import Iterator
from typing import Any

import yaml
from pydantic import BaseModel

from cloudflux import __version__
from cloudflux.api.event_data import AccessOperation, DeadLetter
from cloudflux.api.event_examples import ACCESS_EXAMPLE, DEAD_LETTER_EXAMPLE, EXAMPLES
from cloudflux.api.events import EVENTS, SCHEMA_BASE, EventType, schema_uri

_NOTE = "<!-- Generated from operator/cloudflux/api/events.py by `make crds`; do not edit. -->\n"
ACCESS_SCHEMA, DEAD_LETTER_SCHEMA = "access-event.v1", "dead-letter.v1"
EVENTS_TOPIC = "cloudflux.events.v1"
ACCESS_TOPIC = "cloudflux.access-events"
DEAD_LETTER_TOPIC = "cloudflux.access-events.dead-letters"

_HEADERS = {
    "ce_specversion": "1.0.",
    "ce_id": "uid:generation:transition; a repeated delivery has the same.",
    "ce_source": "/clusters/…/namespaces/…/resource/name of the object that it tells of.",
    "ce_type": "Type of the event.",
    "ce_subject": "namespace/name of the data set, or of the policy.",
    "ce_time": "When it happened, RFC 3339.",
    "ce_dataschema": "JSON Schema of the value, with its version.",
    "ce_partitionkey": "UID of the data set, the same as the key of the message.",
    "ce_traceparent": "W3C trace context; all events of one job share a trace.",
    "ce_severity": "info or warning.",
    "content-type": "application/json.",
}

_INTRO = f"""# Events

The operator says what happens as [CloudEvents](https://cloudevents.io) 1.0: in its state directory
(`events.jsonl`, the newest 16 MiB, one JSON object a line) and, where Kafka is configured, in the
topic `{EVENTS_TOPIC}` in binary mode. [asyncapi.yaml](asyncapi.yaml) and [schemas/](schemas/) say
the same to programs.

* **Key** = UID of the data set (of the policy, for what a policy says): what one data set's
  consumers need in order is in order.
* **At least once.** `ce_id` is `uid:generation:transition`. After a kill of the operator or of a
  broker an event may come again, always with the same id: keep the ids that you have seen.
* **An event tells of a status that was written**, never of one that may still fail. The next leader
  tells again what was not handed over.
* **Value** = JSON as below. Within `.v1` only optional fields are added: ignore what is unknown.

## Headers

| header | meaning |
|---|---|
"""


def schemas() -> dict[str, dict[str, Any]]:
    """Return every JSON Schema (draft 2020-12) by its name."""
    found = {kind.value: _schema(info.model, schema_uri(kind)) for kind, info in EVENTS.items()}
    for name, model in ((ACCESS_SCHEMA, AccessOperation), (DEAD_LETTER_SCHEMA, DeadLetter)):
        found[name] = _schema(model, f"{SCHEMA_BASE}{name}.json")
    return found


def _schema(model: type[BaseModel], uri: str) -> dict[str, Any]:
    schema = model.model_json_schema(by_alias=True, mode="validation")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": uri, **schema}


def schema_text(schema: dict[str, Any]) -> str:
    """Return a schema as it is committed."""
    return json.dumps(schema, indent=1) + "\n"


def asyncapi() -> str:
    """Return the AsyncAPI document."""
    messages = {_short(kind): _message(kind) for kind in EVENTS}
    messages["accessEvent"] = _plain("accessEvent", ACCESS_SCHEMA, AccessOperation, ACCESS_EXAMPLE)
    messages["deadLetter"] = _plain(
        "deadLetter", DEAD_LETTER_SCHEMA, DeadLetter, DEAD_LETTER_EXAMPLE
    )
    channels = {
        "events": (EVENTS_TOPIC, "What the operator tells.", [_short(kind) for kind in EVENTS]),
        "accessEvents": (ACCESS_TOPIC, "Reads and writes, told to the operator.", ["accessEvent"]),
        "deadLetters": (DEAD_LETTER_TOPIC, "What could not be counted.", ["deadLetter"]),
    }
    document = {
        "asyncapi": "3.1.0",
        "info": {
            "title": "CloudFlux events",
            "version": __version__,
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {
            name: {
                "address": address,
                "description": text,
                "messages": {one: {"$ref": f"#/components/messages/{one}"} for one in names},
            }
            for name, (address, text, names) in channels.items()
        },
        "operations": {
            "tell": _operation("send", "events"),
            "hear": _operation("receive", "accessEvents"),
            "refuse": _operation("send", "deadLetters"),
        },
        "components": {"messages": messages, "messageTraits": {"cloudEvent": _trait()}},
    }
    note = "# Generated from operator/cloudflux/api by `make crds`; do not edit.\n"
    return note + yaml.safe_dump(document, sort_keys=False, width=100, allow_unicode=True)


def _operation(action: str, channel: str) -> dict[str, Any]:
    return {"action": action, "channel": {"$ref": f"#/channels/{channel}"}}


def _short(kind: EventType) -> str:
    return kind.value.removeprefix("io.cloudflux.")


def _message(kind: EventType) -> dict[str, Any]:
    plain = _plain(_short(kind), kind.value, EVENTS[kind].model, EXAMPLES[kind])
    return {**plain, "summary": EVENTS[kind].meaning, "traits": [_REF]}


_REF = {"$ref": "#/components/messageTraits/cloudEvent"}


def _plain(
    name: str, schema: str, model: type[BaseModel], example: dict[str, Any]
) -> dict[str, Any]:
    return {
        "name": name,
        "summary": (model.__doc__ or "").split("\n")[0],
        "payload": {
            "schemaFormat": "application/schema+json;version=draft-2020-12",
            "schema": {"$ref": f"./schemas/{schema}.json"},
        },
        "examples": [{"payload": example}],
    }


def _trait() -> dict[str, Any]:
    return {
        "contentType": "application/json",
        "headers": {
            "type": "object",
            "required": list(_HEADERS),
            "properties": {
                name: {"type": "string", "description": text} for name, text in _HEADERS.items()
            },
        },
        "bindings": {"kafka": {"key": {"type": "string", "description": "UID of the data set."}}},
    }


def events_page() -> str:
    """Return the page of the docs."""
    lines = [_NOTE, _INTRO.rstrip("\n")]
    lines += [f"| `{name}` | {_cell(text)} |" for name, text in _HEADERS.items()]
    lines += [
        "\n## Types\n",
        "May be dropped: while no broker takes events for so long that the local log is full, "
        "these go first, and `io.cloudflux.events.dropped.v1` says how many.\n",
        "| type | when | may be dropped |",
        "|---|---|---|",
        *(
            f"| [`{kind}`](#{_anchor(_short(kind))}) | {info.meaning} | "
            f"{'yes' if info.droppable else 'never'} |"
            for kind, info in EVENTS.items()
        ),
    ]
    for kind, info in EVENTS.items():
        lines += [f"\n## {_short(kind)}\n", *_body(info.model, EXAMPLES[kind])]
    lines += [
        "\n## Access events\n",
        f"Not told by the operator but to it: whoever reads or writes data sends them to "
        f"`{ACCESS_TOPIC}`, and `cloudflux collector` counts them. Key: the object, so that "
        "partitions share the load.\n",
        *_body(AccessOperation, ACCESS_EXAMPLE),
        "\n## Dead letters\n",
        f"What can't be counted goes to `{DEAD_LETTER_TOPIC}`, as a shape without content.\n",
        *_body(DeadLetter, DEAD_LETTER_EXAMPLE),
    ]
    return "\n".join(lines) + "\n"


def _body(model: type[BaseModel], example: dict[str, Any]) -> Iterator[str]:
    yield f"{(model.__doc__ or '').strip()}\n"
    yield "| field | type | meaning |"
    yield "|---|---|---|"
    schema = model.model_json_schema(by_alias=True)
    for name, field in schema["properties"].items():
        mark = "*" if name in schema.get("required", ()) else ""
        text = _cell(str(field.get("description", "")))
        yield f"| `{name}`{mark} | {_type(field)} | {text} |"
    yield f"\n```json\n{json.dumps(example, ensure_ascii=False)}\n```"


def _type(field: dict[str, Any]) -> str:
    options = [one for one in field.get("anyOf", [field]) if one.get("type") != "null"]
    one = options[0]
    if "$ref" in one:
        return f"`{one['$ref'].rsplit('/', 1)[-1]}`"
    if one.get("type") == "array":
        return f"list of {_type(one['items'])}"
    return "time" if one.get("format") == "date-time" else str(one.get("type", "string"))


def _anchor(heading: str) -> str:
    return heading.replace(".", "").lower()


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
