"""Values that a JSON Schema allows, as hypothesis draws them: what pydantic writes, no more."""

import json
from typing import Any

from hypothesis import strategies as st

Schema = dict[str, Any]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
"""What a program that has misread the document may send."""


def values(schema: Schema, document: Schema) -> st.SearchStrategy[Any]:
    """Return what a schema allows; references are looked up in the document."""
    if "$ref" in schema:
        return st.deferred(lambda: values(_look_up(schema["$ref"], document), document))
    if "anyOf" in schema:
        return st.one_of([values(one, document) for one in schema["anyOf"]])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "const" in schema:
        return st.just(schema["const"])
    kind = schema.get("type")
    if kind == "null":
        return st.none()
    if kind == "boolean":
        return st.booleans()
    if kind == "integer":
        return st.integers(schema.get("minimum", -(1 << 53)), schema.get("maximum", 1 << 53))
    if kind == "string":
        return _strings(schema)
    if kind == "array":
        return st.lists(
            values(schema.get("items", {}), document),
            min_size=schema.get("minItems", 0), max_size=min(schema.get("maxItems", 3), 3),
        )  # fmt: skip
    if kind == "object":
        return _objects(schema, document)
    if set(schema) - {"title", "description", "default"}:
        raise NotImplementedError(f"a schema that is not drawn from yet: {json.dumps(schema)}")
    return ANYTHING


def _look_up(reference: str, document: Schema) -> Schema:
    found = document
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def _strings(schema: Schema) -> st.SearchStrategy[str]:
    least, most = schema.get("minLength", 0), schema.get("maxLength", 64)
    if "pattern" in schema:
        fits = st.from_regex(schema["pattern"], fullmatch=True)
        return fits.filter(lambda text: least <= len(text) <= most)
    return st.text(min_size=least, max_size=min(most, 64))


def _objects(schema: Schema, document: Schema) -> st.SearchStrategy[Schema]:
    known = {
        name: values(one, document) for name, one in schema.get("properties", {}).items()
    }  # fmt: skip
    required = {name: known.pop(name) for name in schema.get("required", ())}
    if not required and not known and isinstance(schema.get("additionalProperties"), dict):
        inner = values(schema["additionalProperties"], document)
        return st.dictionaries(st.text(max_size=8), inner, max_size=3)
    return st.fixed_dictionaries(required, optional=known)
