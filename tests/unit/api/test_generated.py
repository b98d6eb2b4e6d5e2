"""What is generated from the models is committed, complete and in the API server's dialect."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel, Field

from cloudflux.api.crds import KINDS, SCHEMA_VERSION_ANNOTATION, crd, mismatch, schema_version
from cloudflux.api.generate import generated
from cloudflux.api.rules import ALWAYS_THERE
from cloudflux.api.structural import NotStructuralError, structural_schema

DEFINITIONS = {kind.kind: crd(kind) for kind in KINDS}


def schema_of(kind: str) -> dict[str, Any]:
    version = DEFINITIONS[kind]["spec"]["versions"][0]
    found: dict[str, Any] = version["schema"]["openAPIV3Schema"]
    return found


def nodes(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for name, field in schema.get("properties", {}).items():
        yield from nodes(field, f"{path}.{name}")
    for word in ("items", "additionalProperties"):
        if word in schema:
            yield from nodes(schema[word], f"{path}[]")


@pytest.mark.parametrize("path", list(generated()), ids=lambda path: path.name)
def test_committed_is_what_the_models_give(path):
    assert path.read_text() == generated()[path], "run `make crds` and commit the result"


@pytest.mark.parametrize("kind", list(DEFINITIONS))
def test_every_field_has_a_description_that_says_something(kind):
    for path, node in nodes(schema_of(kind)):
        if path.endswith("[]") or path == ".metadata":
            continue
        text = node.get("description", "")
        assert text.endswith("."), f"{kind}{path}: {text!r}"
        assert text.lower().rstrip(".") != path.rsplit(".", 1)[-1].lower(), f"{kind}{path}"


@pytest.mark.parametrize("kind", list(DEFINITIONS))
def test_every_string_list_and_map_is_bounded(kind):
    for path, node in nodes(schema_of(kind)):
        if path in {".apiVersion", ".kind"}:
            continue
        if node["type"] == "string":
            assert node.keys() & {"maxLength", "enum"} or node.get("format") == "date-time", path
        if node["type"] == "array":
            assert "maxItems" in node, path
        if "additionalProperties" in node:
            assert "maxProperties" in node, path


@pytest.mark.parametrize("kind", list(DEFINITIONS))
def test_spec_has_no_floats_and_status_no_defaults(kind):
    for path, node in nodes(schema_of(kind)):
        assert node["type"] != "number", path
        if path.startswith(".status"):
            assert "default" not in node, path


def test_a_field_that_a_rule_takes_for_granted_is_required_or_has_a_default():
    spec = schema_of("MigrationJob")["properties"]["spec"]
    for field in ALWAYS_THERE:
        assert field in spec["required"] or "default" in spec["properties"][field], field


def test_printer_columns_point_at_fields_that_exist():
    for kind in KINDS:
        fields = {path for path, _ in nodes(schema_of(kind.kind))}
        for column in kind.columns:
            if column.json_path.startswith((".metadata", ".status.conditions")):
                continue
            assert column.json_path in fields, column


def test_schema_version_follows_the_schema():
    definition = DEFINITIONS["DataSet"]
    assert mismatch(definition) is None
    assert schema_version("datasets") != schema_version("migrationjobs")
    other = {**definition, "metadata": {"name": "x", "annotations": {}}}
    assert "no schema version" in str(mismatch(other))
    release = schema_version("datasets").split("-")[0]
    other["metadata"]["annotations"] = {SCHEMA_VERSION_ANNOTATION: f"{release}-0"}
    assert "differs" in str(mismatch(other))
    other["metadata"]["annotations"] = {SCHEMA_VERSION_ANNOTATION: "1000.0.0-0"}
    assert "upgrade the operator" in str(mismatch(other))


class Inner(BaseModel):
    size: int = Field(default=3, ge=1)


class Outer(BaseModel):
    inner: Inner | None = Field(default=None, description="Beside the reference.")
    names: list[str] = Field(default_factory=list, max_length=2)


def test_references_unions_and_defaults_are_written_as_the_api_server_wants():
    schema = structural_schema(Outer, defaults=True)
    assert schema["properties"]["inner"] == {
        "type": "object",
        "description": "Beside the reference.",
        "properties": {"size": {"type": "integer", "format": "int64", "minimum": 1, "default": 3}},
    }
    assert schema["properties"]["names"]["x-kubernetes-list-type"] == "atomic"
    bare = structural_schema(Outer, defaults=False)
    assert "default" not in bare["properties"]["inner"]["properties"]["size"]


class Union(BaseModel):
    value: int | str


class Exclusive(BaseModel):
    value: int = Field(gt=0)


class Anything(BaseModel):
    value: Any


class Tree(BaseModel):
    children: list["Tree"]


@pytest.mark.parametrize("model", [Union, Exclusive, Anything, Tree])
def test_what_a_crd_cannot_say_is_refused_by_name(model):
    with pytest.raises(NotStructuralError, match=model.__name__):
        structural_schema(model, defaults=True)
