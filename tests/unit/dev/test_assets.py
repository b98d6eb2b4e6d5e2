"""Where the control plane's programs come from, and what is said when they can't be had."""

import hashlib
import io
import os
import re
import socketserver
import sys
import tarfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

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


class Releases:
    """A server on 127.0.0.1 with the archive of this machine, as the releases have it."""

    def __init__(self, content, digest=None, *, cut=0, silent=False):
        self.asked = []
        digest = digest or hashlib.sha512(content).hexdigest()
        over = threading.Event()

        asked = self.asked

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                asked.append(self.path)
                if silent:
                    over.wait(30)
                    return
                name = self.path.rpartition("/")[2]
                if not re.fullmatch(
                    r"envtest-v[\d.]+-linux-(amd64|arm64)\.tar\.gz(\.sha512)?", name
                ):
                    self.send_error(404)
                    return
                sums = name.endswith(".sha512")
                body = f"{digest}  {name}\n".encode() if sums else content
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body if sums else body[: len(body) - cut])

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.over = over
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/releases"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self.over.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def releases(monkeypatch):
    servers = []

    def serve(*arguments, **options):
        server = Releases(*arguments, **options)
        servers.append(server)
        monkeypatch.setattr(assets, "RELEASES", server.url)
        return server

    yield serve
    for server in servers:
        server.close()


@pytest.fixture
def built(monkeypatch):
    """The way that is left when the download fails: a build, here of nothing."""
    builds = []

    def build(cache, _say):
        builds.append(cache)
        for program in assets.PROGRAMS:
            (cache / program).write_text("#!/bin/sh\necho Kubernetes v1.36.3\n")
            (cache / program).chmod(0o755)

    monkeypatch.setattr(assets, "_build", build)
    return builds


def test_the_official_archive_is_verified_and_installed(releases, built):
    server = releases(archive())
    found = assets.find()
    assert assets._output([str(found.kube_apiserver)]) == "Kubernetes v1.36.0"
    assert built == []
    assert sorted(path.rpartition(".")[2] for path in server.asked) == ["gz", "sha512"]
    left = sorted(path.name for path in assets.cache_directory().parent.iterdir())
    assert left == ["bin", "bin.lock"], "no half download stays"
    assets.find()
    assert len(server.asked) == 2, "what is cached is not fetched again"


def test_an_archive_that_does_not_match_its_checksum_is_refused(releases, built):
    releases(archive(), "0" * 128)
    with pytest.raises(assets.AssetsError, match="does not match its published sha512"):
        assets.find()
    assert built == []
    assert list(assets.cache_directory().iterdir()) == []


def test_an_archive_that_lacks_a_program_is_refused(releases):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        tar.addfile(tarfile.TarInfo("controller-tools/envtest/etcd"), io.BytesIO())
    releases(buffer.getvalue())
    with pytest.raises(assets.AssetsError, match="holds no kube-apiserver, kubectl"):
        assets.find()
    assert list(assets.cache_directory().iterdir()) == []


@pytest.mark.parametrize("way", ["silent", "cut", "refused", "no such archive"])
def test_without_an_answer_it_is_built(releases, built, monkeypatch, way):
    if way == "silent":
        releases(archive(), silent=True)
        monkeypatch.setattr(assets, "ANSWER_SECONDS", 0.2)
    elif way == "cut":
        releases(archive(), cut=10)
    elif way == "refused":
        with socketserver.TCPServer(("127.0.0.1", 0), None) as closed:
            address = closed.server_address[1]
        monkeypatch.setattr(assets, "RELEASES", f"http://127.0.0.1:{address}")
    else:
        releases(archive())
        monkeypatch.setattr(assets.platform, "machine", lambda: "riscv64")
    said = []
    started = time.monotonic()
    assets.find(said.append)
    assert built == [assets.cache_directory()]
    assert time.monotonic() - started < 30
    assert any("No answer" in line or "broke off" in line for line in said)


def test_it_gives_up_after_three_seconds():
    assert assets.ANSWER_SECONDS == 3


@pytest.mark.exhaustive
@pytest.mark.timeout(3600)
@pytest.mark.skipif(assets.shutil.which("go") is None, reason="needs Go")
def test_a_cold_cache_is_built_from_go_modules(tmp_path, monkeypatch):
    """The real build: minutes of CPU; the programs answer with the version that was asked for."""
    monkeypatch.setenv("PATH", os.environ["PATH"] + ":/usr/local/go/bin")
    monkeypatch.setattr(assets, "_download", lambda *_: False)
    found = assets.find(lambda text: print(text, file=sys.stderr))
    assert assets.BUILD_VERSION in assets._output([str(found.kube_apiserver), "--version"])
    assert "etcd Version" in assets._output([str(found.etcd), "--version"])
