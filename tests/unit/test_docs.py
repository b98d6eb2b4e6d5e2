"""The documentation holds against the project: links, commands, settings, examples."""

import re
from pathlib import Path

import pytest
import yaml

from cloudflux.api.dataset import DataSetSpec
from cloudflux.api.migrationjob import MigrationJobSpec
from cloudflux.api.tieringpolicy import TieringPolicySpec
from cloudflux_dev import reference

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
MODELS = {
    "DataSet": DataSetSpec,
    "TieringPolicy": TieringPolicySpec,
    "MigrationJob": MigrationJobSpec,
}


def manifests(text: str) -> list[dict[str, object]]:
    return [document for document in yaml.safe_load_all(text) if document]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text)
    missing = [t for t in targets if "://" not in t and not (page.parent / t).exists()]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_manifests_in_pages_are_valid(page: Path) -> None:
    for block in re.findall(r"```yaml\n(.*?)```", page.read_text(), flags=re.DOTALL):
        for document in manifests(block):
            MODELS[str(document["kind"])].model_validate(document["spec"])


@pytest.mark.parametrize("path", sorted(ROOT.glob("examples/*.yaml")), ids=lambda path: path.name)
def test_examples_are_valid(path: Path) -> None:
    documents = manifests(path.read_text())
    assert documents
    for document in documents:
        if document["kind"] != "Secret":
            MODELS[str(document["kind"])].model_validate(document["spec"])


def test_settings_page_is_up_to_date() -> None:
    assert reference.PAGE.read_text() == reference.settings_page()


def test_variables_named_in_pages_exist() -> None:
    known = {name for name, _ in reference.variables()}
    known |= {"CLOUDFLUX_TEST_ASSETS", "CLOUDFLUX_BENCH_CASES"}
    known |= {"CLOUDFLUX_CHAOS", "CLOUDFLUX_CHAOS_RUNS"}
    known |= {f"CLOUDFLUX_TEST_{cloud}_URI" for cloud in ("S3", "AZURE", "GCS")}
    named = {
        word
        for page in PAGES
        for word in re.findall(r"CLOUDFLUX_[A-Z0-9_]+[A-Z]", page.read_text())
    }
    assert named - known == set()


def test_make_targets_named_in_pages_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    named = {
        word
        for page in PAGES
        for word in re.findall(r"(?:`|\$ )make ([a-z][a-z-]+)", page.read_text())
    }
    assert named - targets == set()


def test_lock_files_name_no_host() -> None:
    for path in ROOT.glob("requirements*.lock"):
        assert "://" not in path.read_text()


def test_tests_that_docs_name_exist():
    tests = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    for page in (ROOT / "docs").rglob("*.md"):
        for name in re.findall(r"`(test_\w+)`", page.read_text()):
            assert f"def {name}(" in tests, f"{page.relative_to(ROOT)}: {name}"
