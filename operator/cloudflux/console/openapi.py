"""The OpenAPI 3.1 document, made from the same declarations that are routed."""

import re
from collections.abc import Iterable
from functools import cache
from typing import Any

from aiohttp import web
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

import cloudflux
from cloudflux.console import analytics, api, past_events, writes
from cloudflux.console.kit import PREFIX, Endpoint, give

ENDPOINTS: tuple[Endpoint, ...] = (
    *api.ENDPOINTS, *analytics.ENDPOINTS, *past_events.ENDPOINTS, *writes.ENDPOINTS
)  # fmt: skip
_PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What is wrong and what to do."},
        "instance": {"type": "string"},
    },
}
_PROBLEMS = (
    "400",
    "401",
    "403",
    "404",
    "405",
    "409",
    "413",
    "415",
    "421",
    "422",
    "429",
    "500",
    "503",
)


async def document_answer(request: web.Request) -> web.Response:
    """Serve /api/v1/openapi.json."""
    return give(request, document())


@cache
def document() -> dict[str, Any]:
    """Return the document."""
    references, schemas = models_json_schema(
        [(model, "serialization") for model in _answers()]
        + [(model, "validation") for model in _bodies()],
        ref_template="#/components/schemas/{model}",
    )
    named = {(model, mode): schema for (model, mode), schema in references.items()}
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in ENDPOINTS:
        operations = paths.setdefault(PREFIX + endpoint.path, {})
        operations[endpoint.method.lower()] = _operation(endpoint, named)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "CloudFlux console",
            "version": cloudflux.__version__,
            "description": (
                "What may be seen is what the caller may list in Kubernetes. POST is off unless "
                "the console was started with --allow-writes, and writes as the caller."
            ),
        },
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}, {"session": []}, {}],
        "paths": paths,
        "components": {
            "schemas": {**_without_nulls(schemas.get("$defs", {})), "Problem": _PROBLEM},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "cloudflux-session"},
            },
        },
    }


def _without_nulls(schemas: dict[str, Any]) -> dict[str, Any]:
    """Ask for no property that may be null: null is not sent."""
    for schema in schemas.values():
        known = schema.get("properties", {})
        nullable = {
            name for name, one in known.items()
            if {"type": "null"} in one.get("anyOf", ())
        }  # fmt: skip
        if "required" in schema:
            schema["required"] = [name for name in schema["required"] if name not in nullable]
    return schemas


def _answers() -> list[type[BaseModel]]:
    return list(dict.fromkeys(e.answer for e in ENDPOINTS if _is_model(e.answer)))


def _bodies() -> list[type[BaseModel]]:
    return list(dict.fromkeys(e.body for e in ENDPOINTS if e.body is not None))


def _is_model(answer: Any) -> bool:
    return isinstance(answer, type) and issubclass(answer, BaseModel)


def _operation(endpoint: Endpoint, named: dict[Any, Any]) -> dict[str, Any]:
    success: dict[str, Any] = {"type": "object"}
    if _is_model(endpoint.answer):
        success = named[endpoint.answer, "serialization"]
    problem = {
        "description": "What is wrong, and what to do.",
        "content": {
            "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
        },
    }
    found: dict[str, Any] = {
        "operationId": _identity(endpoint),
        "summary": endpoint.summary,
        "parameters": [*_in_path(endpoint.path), *_in_query(endpoint)],
        "responses": {
            str(endpoint.status): {
                "description": "As asked.",
                "content": {"application/json": {"schema": success}},
            },
            **dict.fromkeys(_PROBLEMS, problem),
        },
    }
    if endpoint.method == "GET":
        found["responses"]["304"] = {"description": "The client has it: If-None-Match."}
    if endpoint.body is not None:
        schema = named[endpoint.body, "validation"]
        found["requestBody"] = {
            "required": True, "content": {"application/json": {"schema": schema}}
        }  # fmt: skip
    return found


def _identity(endpoint: Endpoint) -> str:
    words: list[str] = re.findall(r"[a-zA-Z]+", f"{endpoint.method.lower()} {endpoint.path}")
    return words[0] + "".join(word.capitalize() for word in words[1:])


def _in_path(path: str) -> Iterable[dict[str, Any]]:
    for name in re.findall(r"{(\w+)}", path):
        yield {
            "name": name, "in": "path", "required": True,
            "schema": {"type": "string", "minLength": 1, "maxLength": 253},
        }  # fmt: skip


def _in_query(endpoint: Endpoint) -> Iterable[dict[str, Any]]:
    for one in endpoint.parameters:
        yield {
            "name": one.name, "in": "query", "description": one.description, "schema": one.schema
        }  # fmt: skip
