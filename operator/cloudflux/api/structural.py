"""Turn a pydantic model into a structural schema, the dialect that a CRD must be written in.

Pydantic writes references, nullable unions and titles; Kubernetes wants every type inlined,
`type` on every node and optional by absence. See "Specifying a structural schema" in the
Kubernetes documentation.
"""

from typing import Any

from pydantic import BaseModel

Schema = dict[str, Any]

# what pydantic and we ourselves write and Kubernetes understands as it stands
_KEPT = (
    "description", "type", "format", "enum", "pattern", "minLength", "maxLength", "minimum",
    "maximum", "minItems", "maxItems", "minProperties", "maxProperties", "required",
    "x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-map-type",
)  # fmt: skip


class NotStructuralError(TypeError):
    """A model uses something that no structural schema can say."""


def structural_schema(model: type[BaseModel], *, defaults: bool) -> Schema:
    """Return the structural schema of a model.

    With `defaults`, scalar defaults are written down, so that the API server fills them in:
    right for spec, wrong for status, whose absent fields mean "not known". Computed fields,
    which pydantic knows on the way out only, are included.

    Raises NotStructuralError, naming the path, for what can't be expressed.
    """
    schema = model.model_json_schema(mode="validation")
    outgoing = model.model_json_schema(mode="serialization")
    definitions = schema.get("$defs", {})
    _add_computed(schema, outgoing)
    for name, definition in outgoing.get("$defs", {}).items():
        if name in definitions:
            _add_computed(definitions[name], definition)
    return _Converter(definitions, defaults).convert(schema, model.__name__)


def _add_computed(schema: Schema, outgoing: Schema) -> None:
    for name, field in outgoing.get("properties", {}).items():
        if field.get("readOnly"):
            schema["properties"][name] = field


class _Converter:
    def __init__(self, definitions: Schema, defaults: bool) -> None:
        self._definitions = definitions
        self._defaults = defaults

    def convert(self, schema: Schema, path: str, inside: tuple[str, ...] = ()) -> Schema:
        schema, inside = self._resolved(schema, path, inside)
        if "const" in schema:
            schema = {**schema, "enum": [schema["const"]]}
        for word in ("anyOf", "oneOf", "allOf", "prefixItems", "exclusiveMinimum",
                     "exclusiveMaximum", "uniqueItems"):  # fmt: skip
            if word in schema:
                raise NotStructuralError(f"{path}: {word} can't be written in a CRD")
        if "type" not in schema:
            raise NotStructuralError(f"{path}: no type; Any can't be written in a CRD")
        result = {key: schema[key] for key in _KEPT if key in schema}
        if schema["type"] == "integer":
            result["format"] = "int64"
        if self._defaults and isinstance(schema.get("default"), str | int):
            result["default"] = schema["default"]
        if "properties" in schema:
            result["properties"] = {
                name: self.convert(field, f"{path}.{name}", inside)
                for name, field in schema["properties"].items()
            }
        elif isinstance(schema.get("additionalProperties"), dict):
            result["additionalProperties"] = self.convert(
                schema["additionalProperties"], f"{path}.*", inside
            )
        if "items" in schema:
            result["items"] = self.convert(schema["items"], f"{path}[]", inside)
            result.setdefault("x-kubernetes-list-type", "atomic")
        return result

    def _resolved(
        self, schema: Schema, path: str, inside: tuple[str, ...]
    ) -> tuple[Schema, tuple[str, ...]]:
        """Follow references and optional unions; what stands beside them wins."""
        while True:
            if "$ref" in schema:
                name = schema["$ref"].rsplit("/", 1)[1]
                if name in inside:
                    raise NotStructuralError(f"{path}: {name} contains itself")
                beside = {key: value for key, value in schema.items() if key != "$ref"}
                schema = {**self._definitions[name], **beside}
                inside = (*inside, name)
            elif "anyOf" in schema:
                some = [each for each in schema["anyOf"] if each.get("type") != "null"]
                if len(some) != 1:
                    raise NotStructuralError(f"{path}: a union of types can't be written in a CRD")
                beside = {key: value for key, value in schema.items() if key != "anyOf"}
                schema = {**some[0], **beside}
            else:
                return schema, inside
