"""What runbooks tell somebody at three in the morning to look at and to type does exist."""

import re
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from cloudflux.api.metrics import METRICS, MetricKind
from cloudflux.cli.main import app
from cloudflux.settings import Settings

ROOT = Path(__file__).resolve().parents[3]
RUNBOOKS = sorted((ROOT / "docs" / "how-to" / "runbooks").glob("CloudFlux*.md"))
KUBECTL = {"get", "describe", "patch", "annotate", "apply", "logs", "rollout"}
CORE = {"pods", "lease", "deployment"}
PROMETHEUS = {"le", "job", "instance"}
page = pytest.mark.parametrize("page", RUNBOOKS, ids=lambda path: path.stem)


def code(page: Path) -> list[str]:
    return re.findall(r"`([^`]+)`", page.read_text())


def resources() -> set[str]:
    names = set(CORE)
    for path in (ROOT / "crds").glob("*.yaml"):
        given = yaml.safe_load(path.read_text())["spec"]["names"]
        names |= {given["plural"], given["singular"], *given["shortNames"]}
    return names


def schemas() -> list[dict[str, Any]]:
    found = []
    for path in sorted((ROOT / "crds").glob("*.yaml")):
        (version,) = yaml.safe_load(path.read_text())["spec"]["versions"]
        found.append(version["schema"]["openAPIV3Schema"])
    return found


def has(schema: dict[str, Any], path: list[str]) -> bool:
    for name in path:
        schema = schema.get("properties", {}).get(name) or {}
    return bool(schema)


@page
def test_there_is_something_to_type_and_something_to_do(page: Path) -> None:
    text = page.read_text()
    diagnosis = text.partition("## Diagnosis")[2].partition("## Mitigation")[0]
    assert re.search(r"`(kubectl|cloudflux|sum|cloudflux_)[^`]*`", diagnosis)
    assert text.partition("## Mitigation")[2].count("\n* ") >= 1


@page
def test_metrics_and_their_labels_exist(page: Path) -> None:
    for text in code(page):
        for name in re.findall(r"\bcloudflux_[a-z0-9_]+", text):
            assert name in METRICS, f"{name} in {text}"
            info = METRICS[name]
            if info.kind is MetricKind.COUNTER:
                assert "(" not in text or re.search(rf"(rate|increase)\({name}", text), text
            for labels in re.findall(r"by \(([^)]*)\)", text):
                given = {label.strip() for label in labels.split(",")}
                assert given <= {*info.labels, *PROMETHEUS}, f"{given} in {text}"


@page
def test_fields_settings_and_chart_values_exist(page: Path) -> None:
    values = yaml.safe_load((ROOT / "charts" / "cloudflux" / "values.yaml").read_text())
    for text in code(page):
        for path in re.findall(r"(?:^|=\.|\s)((?:spec|status)\.[A-Za-z.]+)", text):
            assert any(has(schema, path.split(".")) for schema in schemas()), path
        for path in re.findall(r"(?:^|--set )((?:operator|networkPolicy)\.[A-Za-z.]+)", text):
            place: Any = values
            for name in path.split("."):
                assert name in place, f"{path} is no value of the chart"
                place = place[name]
        for name in re.findall(r"CLOUDFLUX_([A-Z_]+)", text):
            model: Any = Settings
            for part in name.lower().split("__"):
                assert part in model.model_fields, f"CLOUDFLUX_{name} is no setting"
                model = model.model_fields[part].annotation


@page
def test_commands_and_resources_exist(page: Path) -> None:
    commands = typer.main.get_command(app).list_commands(None)  # type: ignore[attr-defined]
    for text in code(page):
        words = text.split()
        if words[0] == "cloudflux":
            assert words[1] in commands, text
        if words[0] == "kubectl":
            verb, kind = [word for word in typed(words[1:]) if not word.startswith("-")][:2]
            assert verb in KUBECTL, text
            if verb not in ("apply", "logs", "rollout"):
                assert set(kind.split(",")) <= resources(), text


def typed(words: list[str]) -> list[str]:
    """The words without the flag that names a namespace."""
    return words[2:] if words[:1] == ["-n"] else words
