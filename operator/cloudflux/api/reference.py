"""The reference pages of the documentation, from the CRDs and the vocabulary."""

from collections.abc import Iterator
from typing import Any

from cloudflux.api.metrics import METRICS, MetricInfo
from cloudflux.api.structural import Schema
from cloudflux.api.vocabulary import CONDITIONS, LOG_KEYS, METRIC_LABELS, REASONS

_NOTE = "<!-- Generated from operator/cloudflux/api by `make crds`; do not edit. -->\n"


def api_page(definitions: list[dict[str, Any]]) -> str:
    """Return the reference of the three resources as Markdown."""
    lines = [
        _NOTE,
        "# API reference\n",
        "The same text as `kubectl explain` shows. A field marked * is required; "
        "where a default is given, the API server fills it in.\n",
    ]
    for definition in definitions:
        lines.extend(_kind(definition))
    return "\n".join(lines).rstrip() + "\n"


def vocabulary_page() -> str:
    """Return the list of conditions and reasons as Markdown."""
    lines = [
        _NOTE,
        "# Conditions and reasons\n",
        "Conditions are the contract: `kubectl wait`, Argo CD and Flux read them. Phases, columns "
        "and messages are for people and may change. Kubernetes events carry the same reasons.\n",
        "## Conditions\n",
        "| condition | on | meaning when True |",
        "|---|---|---|",
        *(
            f"| `{name}` | {', '.join(info.kinds)} | {_cell(info.meaning)} |"
            for name, info in CONDITIONS.items()
        ),
        "\n## Reasons\n",
        "| reason | event | meaning |",
        "|---|---|---|",
        *(
            f"| `{name}` | {'Warning' if info.warning else 'Normal'} | {_cell(info.meaning)} |"
            for name, info in sorted(REASONS.items())
        ),
        "\n## Keys of log lines\n",
        "Logs are one JSON object a line on standard error. Beside `event`, `level`, `logger` and "
        "`timestamp`:\n",
        *_words("key", LOG_KEYS),
        "\n## Labels of metrics\n",
        *_words("label", METRIC_LABELS),
    ]
    return "\n".join(lines) + "\n"


def metrics_page() -> str:
    """Return the list of metrics as Markdown."""
    lines = [
        _NOTE,
        "# Metrics\n",
        "Served at `/metrics` by the operator (`CLOUDFLUX_PROBE_PORT`) and by `cloudflux "
        "collector --metrics-port`, and by the console at its own port. They are read from what "
        "the process knows when Prometheus asks; series of a resource go with it. Counters start "
        "at 0 with the process that leads: use `rate` and `increase`. Beside these there are the "
        "`process_*` metrics of every "
        "Prometheus client.\n",
        "Labels are told in [Conditions and reasons](conditions-and-reasons.md#labels-of-metrics). "
        "`CLOUDFLUX_METRICS_DATA_SETS` limits how many data sets are shown by name.\n",
    ]
    for process in ("operator", "collector", "console"):
        lines += [
            f"## {process.capitalize()}\n",
            "| metric | type | unit | labels | meaning |",
            "|---|---|---|---|---|",
            *(_metric(name, info) for name, info in METRICS.items() if info.process == process),
            "",
        ]
    return "\n".join(lines).rstrip() + "\n"


def _metric(name: str, info: MetricInfo) -> str:
    labels = ", ".join(f"`{label}`" for label in info.labels)
    when = f" Present: {info.when}." if info.when else ""
    cells = (f"`{name}`", info.kind.value, info.unit, labels, _cell(info.meaning + when))
    return f"| {' | '.join(cells)} |"


def _words(head: str, words: dict[str, str]) -> list[str]:
    rows = [f"| `{name}` | {_cell(text)} |" for name, text in sorted(words.items())]
    return [f"| {head} | meaning |", "|---|---|", *rows]


def _kind(definition: dict[str, Any]) -> Iterator[str]:
    names = definition["spec"]["names"]
    version = definition["spec"]["versions"][0]
    schema = version["schema"]["openAPIV3Schema"]
    yield f"## {names['kind']}\n"
    yield f"{schema['description']}\n"
    yield (
        f"`apiVersion: {definition['spec']['group']}/{version['name']}`, short name "
        f"`{names['shortNames'][0]}`, category `{names['categories'][0]}`, namespaced.\n"
    )
    for part in ("spec", "status"):
        yield f"### {names['kind']}.{part}\n"
        yield "| field | type | meaning |"
        yield "|---|---|---|"
        yield from _rows(schema["properties"][part], "")
        yield ""
    rules = list(_rules(schema))
    if rules:
        yield f"### What the API server refuses in a {names['kind']}\n"
        yield from (f"- `{path or 'metadata'}`: {message}" for path, message in rules)
        yield ""


def _rows(schema: Schema, prefix: str) -> Iterator[str]:
    required = schema.get("required", ())
    for name, field in schema.get("properties", {}).items():
        mark = "*" if name in required else ""
        yield f"| `{prefix}{name}`{mark} | {_type(field)} | {_meaning(field)} |"
        inner = field.get("items", field)
        step = "[]" if "items" in field else ""
        yield from _rows(inner, f"{prefix}{name}{step}.")


def _type(field: Schema) -> str:
    if "items" in field:
        return f"list of {_type(field['items'])}"
    if "additionalProperties" in field:
        return f"map of {_type(field['additionalProperties'])}"
    if "enum" in field:
        return "`" + "`, `".join(field["enum"]) + "`"
    return "time" if field.get("format") == "date-time" else str(field["type"])


def _meaning(field: Schema) -> str:
    text = field.get("description", "")
    if "minimum" in field and "maximum" in field:
        text += f" From {field['minimum']} to {field['maximum']}."
    elif "minimum" in field:
        text += f" At least {field['minimum']}."
    if "default" in field:
        default = field["default"]
        text += f" Default: `{str(default).lower() if isinstance(default, bool) else default}`."
    return _cell(text)


def _rules(schema: Schema, path: str = "") -> Iterator[tuple[str, str]]:
    for rule in schema.get("x-kubernetes-validations", ()):
        yield path, rule["message"]
    for name, field in schema.get("properties", {}).items():
        yield from _rules(field, f"{path}.{name}".lstrip("."))
    if "items" in schema:
        yield from _rules(schema["items"], f"{path}[]")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
