"""Trimming the image, its bill of materials, and saying why no pods can be run."""

import importlib.machinery
import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

import cloudflux
from cloudflux_dev import e2e, image, node
from cloudflux_dev.assets import AssetsError

ROOT = Path(__file__).resolve().parents[3]


def tool(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / "image" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", "/nowhere")  # no strip
    made = tmp_path / "venv" / "lib" / "python3" / "site-packages"
    for name in (
        "botocore/data/s3/service.json", "botocore/data/ec2/service.json",
        "botocore/data/endpoints.json", "kubernetes/used.py", "kubernetes/unused.py",
        "sklearn/tree/_tree.py", "sklearn/tests/test_tree.py", "numpy/linalg/a.py",
        "numpy/unused/b.py", "app/module.py", "app/module.pyi", "app/tests/data.py",
        "pyarrow/libarrow.so", "pyarrow/libarrow_flight.so", "app/__pycache__/old.pyc",
        "pygments/lexers/cobol.py", "numpy/_core/used.so", "numpy/_core/_its_tests.so",
    ):  # fmt: skip
        path = made / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("value = 1\n")
    (made / "pyarrow" / "libarrow.so.1").write_text("value = 1\n")
    return made


def test_what_nothing_loads_goes_and_what_is_named_stays(site: Path) -> None:
    loaded = (
        "kubernetes/used.py", "sklearn/tree/_tree.py", "numpy/linalg/a.py", "app/module.py",
        "numpy/_core/used.so",
    )  # fmt: skip
    tool("trim").main(site, {site / name for name in loaded})
    left = {
        str(path.relative_to(site))
        for path in site.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert left == {
        "botocore/data/s3/service.json", "botocore/data/endpoints.json", "app/tests/data.py",
        "numpy/_core/used.so", "pyarrow/libarrow.so", "pyarrow/libarrow.so.1",
    }  # fmt: skip
    assert (site / "pyarrow" / "libarrow.so.1").is_symlink()


def test_what_is_loaded_is_compiled_and_only_our_own_keeps_its_source(site: Path) -> None:
    ours = site.parents[2] / "source" / "ours.py"
    ours.parent.mkdir()
    ours.write_text("value = 1\n")
    tool("trim").main(site, {site / "app" / "module.py", ours})
    module = site / "app" / "module"
    assert not module.with_suffix(".py").exists()
    loader = importlib.machinery.SourcelessFileLoader("module", str(module.with_suffix(".pyc")))
    assert loader.get_code("module").co_filename == str(module.with_suffix(".py"))
    assert (site / "app" / "tests" / "data.py").exists()  # never loaded: stays as it was
    assert ours.exists()
    assert list(ours.parent.glob("__pycache__/ours.*.pyc"))


def test_the_bill_of_materials_names_each_distribution_once_with_its_licence(
    tmp_path: Path,
) -> None:
    for name, licence in (("B_b", "License-Expression: MIT"), ("aaa", "Classifier: x")):
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.4\nName: {name}\nVersion: 1.0\n{licence}\n"
        )
    made = tool("sbom").bill(tmp_path)
    assert made["bomFormat"] == "CycloneDX"
    assert [one["purl"] for one in made["components"]] == ["pkg:pypi/aaa@1.0", "pkg:pypi/b-b@1.0"]
    assert made["components"][1]["licenses"] == [{"expression": "MIT"}]
    assert json.dumps(made, sort_keys=True) == json.dumps(
        tool("sbom").bill(tmp_path), sort_keys=True
    )


def test_without_a_node_no_pods_are_tested_and_the_reason_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(node.os, "geteuid", lambda: 1000)
    assert e2e.main([]) == 0
    assert "SKIPPED: no pods were run. a node needs root" in capsys.readouterr().out


@pytest.mark.parametrize(("arguments", "status"), [([], 1), (["--or-skip"], 0)])
def test_what_can_not_be_had_fails_who_asked_for_pods_and_not_the_build_machine(
    arguments: list[str],
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def missing() -> None:
        raise AssetsError("no kubelet here")

    monkeypatch.setattr(e2e.node, "why_impossible", lambda: "")
    monkeypatch.setattr(e2e.node_programs, "get", missing)
    assert e2e.main(arguments) == status
    said = capsys.readouterr()
    assert "no kubelet here" in said.out + said.err


def test_without_an_engine_the_image_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(AssetsError, match="docker, podman or buildah"):
        image.engine()


def test_the_image_is_named_by_version_and_commit() -> None:
    repository, _, tag = image.tag().rpartition(":")
    assert repository == image.REPOSITORY
    assert tag.startswith(cloudflux.__version__)
