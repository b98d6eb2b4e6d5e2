"""Where the programs of tests and benchmarks come from, and what is said without them."""

import hashlib
import io
import tarfile
import zipfile

import pytest

from cloudflux_dev import assets, parts


@pytest.fixture(autouse=True)
def environment(tmp_path, monkeypatch):
    for variable in ("CLOUDFLUX_TEST_ASSETS", "GOBIN"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("GOPATH", str(tmp_path / "go"))
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(assets, "_answer", lambda _: pytest.fail("asks the network"))
    monkeypatch.setattr(parts.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(parts.platform, "system", lambda: "Linux")


def program(directory, name):
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / name
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def published(monkeypatch, name, content, checksums):
    """Serve one release file and its list of digests."""
    asked = []

    def answer(url):
        asked.append(url)
        return io.BytesIO(content if url.endswith(name) else checksums.encode())

    monkeypatch.setattr(assets, "_answer", answer)
    return asked


def test_the_named_directory_goes_before_the_cache_and_the_go_path(tmp_path, monkeypatch):
    by_go = program(tmp_path / "go" / "bin", "minio")
    assert parts.find("minio") == by_go
    cached = program(assets.cache_directory(), "minio")
    assert parts.find("minio") == cached
    monkeypatch.setenv("CLOUDFLUX_TEST_ASSETS", str(tmp_path / "named"))
    assert parts.find("minio") == cached
    named = program(tmp_path / "named", "minio")
    assert parts.get("minio") == named


def test_a_cached_program_of_another_version_is_not_taken():
    program(assets.cache_directory(), "rclone")
    (assets.cache_directory() / ".rclone.version").write_text("v1.0.0")
    assert parts.find("rclone") is None


def test_an_official_release_is_installed_when_its_digest_is_the_published_one(monkeypatch):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("rclone-v1.75.1-linux-amd64/rclone", "#!/bin/sh\n")
    content = archive.getvalue()
    name = "rclone-v1.75.1-linux-amd64.zip"
    listed = f"{'0' * 64}  other.zip\n{hashlib.sha256(content).hexdigest()}  {name}\n"
    asked = published(monkeypatch, name, content, listed)
    said = []
    path = parts.get("rclone", said.append)
    assert path == assets.cache_directory() / "rclone"
    assert path.read_text() == "#!/bin/sh\n"
    assert parts.find("rclone") == path
    assert asked[0].endswith("/v1.75.1/SHA256SUMS")
    assert said[-1].startswith("Installed rclone v1.75.1 after 0 s")


def test_a_release_with_another_digest_is_refused(monkeypatch):
    name = "toxiproxy-server-linux-amd64"
    published(monkeypatch, name, b"evil", f"{'0' * 64}  {name}\n")
    with pytest.raises(assets.AssetsError, match="does not match its published sha256"):
        parts.get("toxiproxy-server", lambda _: None)
    assert parts.find("toxiproxy-server") is None


def test_without_an_answer_it_is_built_and_without_go_that_is_said(monkeypatch):
    monkeypatch.setattr(assets, "_answer", lambda _: None)
    monkeypatch.setattr(assets.shutil, "which", lambda *_, **__: None)
    missing = parts.get_all(["helm", "minio"], lambda _: None)
    assert [line.partition(":")[0] for line in missing] == ["helm", "minio"]
    assert all("Go 1.26 or newer is needed to build" in line for line in missing)


def test_without_node_the_error_says_what_is_needed():
    with pytest.raises(assets.AssetsError, match="Node 20 or newer with npm is needed"):
        parts.get("azurite-blob", lambda _: None)


def test_a_skipped_test_names_the_command_that_gets_the_part():
    assert parts.why_missing("minio") == (
        "minio v0.0.0-20260212201848-7aac2a2c5b7c is not installed (needs Go 1.26 or newer): "
        "PYTHONPATH=tools python3 -m cloudflux_dev.parts minio"
    )


def test_tar_archives_without_the_program_are_an_error(tmp_path):
    archive = tmp_path / "x.tar.gz"
    with tarfile.open(archive, "w:gz"):
        pass
    with pytest.raises(assets.AssetsError, match=r"x\.tar\.gz holds no helm"):
        parts._take_out(archive, "helm", tmp_path / "helm")
