"""Where the control plane's programs come from, and what is said when they can't be had."""

import hashlib
import io
import tarfile

import pytest

from cloudflux_dev import assets


@pytest.fixture(autouse=True)
def environment(tmp_path, monkeypatch):
    for variable in ("CLOUDFLUX_TEST_ASSETS", "KUBEBUILDER_ASSETS", "GOBIN"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("GOPATH", str(tmp_path / "go"))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")


def programs(directory, version="v1.36.9"):
    directory.mkdir(parents=True)
    for name in assets.PROGRAMS:
        path = directory / name
        path.write_text(f"#!/bin/sh\necho Kubernetes {version}\n")
        path.chmod(0o755)
    return directory


@pytest.mark.parametrize("variable", ["CLOUDFLUX_TEST_ASSETS", "KUBEBUILDER_ASSETS"])
def test_named_directory_goes_before_the_cache(tmp_path, monkeypatch, variable):
    programs(assets.cache_directory())
    named = programs(tmp_path / "named")
    monkeypatch.setenv(variable, str(named))
    assert assets.find().etcd == named / "etcd"


def test_named_directory_without_programs_is_an_error_that_names_them(tmp_path, monkeypatch):
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
    with pytest.raises(assets.AssetsError, match="no executable etcd and no kube-apiserver"):
        assets.find()


def test_cache_of_the_right_version_is_used_as_it_is(monkeypatch):
    cache = programs(assets.cache_directory())
    monkeypatch.setattr(assets, "_download", lambda *_: pytest.fail("downloads"))
    assert assets.find().kube_apiserver == cache / "kube-apiserver"


def test_cache_of_another_version_is_filled_anew(monkeypatch):
    cache = programs(assets.cache_directory(), "v1.20.0")
    asked = []
    monkeypatch.setattr(assets, "_download", lambda *_: asked.append("download") or False)
    monkeypatch.setattr(assets, "_build", lambda *_: asked.append("build"))
    assert assets.find().kube_apiserver == cache / "kube-apiserver"
    assert asked == ["download", "build"]


def test_without_go_the_error_says_what_to_do(monkeypatch):
    monkeypatch.setattr(assets, "_download", lambda *_: False)
    monkeypatch.setattr(assets.shutil, "which", lambda *_, **__: None)
    with pytest.raises(assets.AssetsError, match=r"Go 1\.26 or newer .* CLOUDFLUX_TEST_ASSETS"):
        assets.find()


def test_without_disk_the_error_says_how_much(tmp_path):
    with pytest.raises(assets.AssetsError, match="needs 1000000000 GB"):
        assets._need_disk(tmp_path / "not" / "there", 10**18)


def archive():
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name in assets.PROGRAMS:
            content = b"#!/bin/sh\necho Kubernetes v1.36.0\n"
            member = tarfile.TarInfo(f"controller-tools/envtest/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def served(content, digest):
    def answer(url):
        return io.BytesIO(f"{digest}  file\n".encode() if url.endswith(".sha512") else content)

    return answer


def test_download_is_verified_and_installed(monkeypatch):
    content = archive()
    answer = served(content, hashlib.sha512(content).hexdigest())
    monkeypatch.setattr(assets, "_answer", answer)
    found = assets.find()
    assert assets._output([str(found.kube_apiserver)]) == "Kubernetes v1.36.0"


def test_download_that_does_not_match_its_checksum_is_refused(monkeypatch):
    monkeypatch.setattr(assets, "_answer", served(archive(), "0" * 128))
    with pytest.raises(assets.AssetsError, match="does not match its published sha512"):
        assets.find()
    assert not (assets.cache_directory() / "etcd").exists()


def test_download_gives_up_when_there_is_no_answer(monkeypatch):
    blocked = assets.threading.Event()
    monkeypatch.setattr(assets, "ANSWER_SECONDS", 0.05)
    monkeypatch.setattr(assets.urllib.request, "urlopen", lambda *_, **__: blocked.wait(5))
    assert assets._answer("https://example.invalid/x") is None
    blocked.set()


def test_versitygw_is_found_where_go_installs_it(tmp_path):
    assert assets.find_versitygw(build=False) is None
    path = tmp_path / "go" / "bin" / "versitygw"
    path.parent.mkdir(parents=True)
    path.write_text("")
    path.chmod(0o755)
    assert assets.find_versitygw() == path
