"""The programs of a node, found in the cache or built from Go modules: once per machine.

They have a directory of their own: what lies beside kube-apiserver is started with it.
"""

import hashlib
import io
import json
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

from cloudflux_dev import assets

CONTAINERD = "v2.1.4"
PLUGINS = "v1.7.1"
FROM_KUBERNETES = ("kubelet", "kube-controller-manager", "kube-scheduler")
FROM_CONTAINERD = ("containerd", "containerd-shim-runc-v2", "ctr")
FROM_PLUGINS = {"ptp": "main/ptp", "loopback": "main/loopback", "host-local": "ipam/host-local"}
BESIDE = ("etcd", "kube-apiserver", "kubectl")


def directory() -> Path:
    """Where they are kept."""
    return assets.cache_directory().parent / "node"


def get(say: Callable[[str], None] = print) -> Path:
    """Return the directory with all of them, built if need be. Raises AssetsError."""
    control = assets.find(say)
    place = directory()
    with assets.locked(place):
        for name in BESIDE:
            _link(place / name, control.kube_apiserver.parent / name)
        steps = (
            (("node", *FROM_KUBERNETES), "kubelet and controllers", _build_kubernetes),
            (("pause",), "pause", _build_pause),
            (FROM_CONTAINERD, f"containerd {CONTAINERD}", _build_containerd),
            (tuple(FROM_PLUGINS), f"CNI plugins {PLUGINS}", _build_plugins),
        )
        for names, what, build in steps:
            if not all((place / name).exists() for name in names):
                say(f"Building {what} from Go modules: once, for minutes …")
                with tempfile.TemporaryDirectory(dir=place.parent) as work:
                    build(assets._need_go("to build a node"), Path(work), place)
    return place


def _link(path: Path, target: Path) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def _build_kubernetes(go: str, work: Path, place: Path) -> None:
    version = "-X k8s.io/component-base/version."
    major, minor = assets.KUBERNETES_MINOR.split(".")
    flags = (
        f"-s -w {version}gitVersion={assets.BUILD_VERSION} {version}gitMajor={major} "
        f"{version}gitMinor={minor}"
    )
    built = work / "node"
    command = [go, "build", "-trimpath", "-ldflags", flags, "-o", str(built), "./node"]
    assets._run(command, assets.BUILD_DIRECTORY)
    built.replace(place / "node")
    for name in FROM_KUBERNETES:
        _link(place / name, Path("node"))


def _build_pause(go: str, work: Path, place: Path) -> None:
    command = [go, "build", "-trimpath", "-ldflags", "-s -w", "-o", str(work / "pause"), "./pause"]
    assets._run(command, assets.BUILD_DIRECTORY, {"CGO_ENABLED": "0"})
    (work / "pause").replace(place / "pause")


def _build_containerd(go: str, work: Path, place: Path) -> None:
    module = "github.com/containerd/containerd/v2/cmd"
    assets._run([go, "mod", "init", "node"], work)
    wanted = [f"{module}/{name}@{CONTAINERD}" for name in FROM_CONTAINERD]
    assets._run([go, "get", "-tool", *wanted], work)
    for name in FROM_CONTAINERD:
        command = [go, "build", "-trimpath", "-ldflags", "-s -w", "-o", name, f"{module}/{name}"]
        assets._run(command, work)
        (work / name).replace(place / name)


def _build_plugins(go: str, work: Path, place: Path) -> None:
    module = "github.com/containernetworking/plugins/plugins"
    for name, package in FROM_PLUGINS.items():
        command = [go, "install", "-ldflags", "-s -w", f"{module}/{package}@{PLUGINS}"]
        assets._run(command, work, {"GOBIN": str(work)})
        (work / name).replace(place / name)


def pause_image(binary: Path, name: str, archive: Path) -> None:
    """Write an image that holds one static program, as `docker load` and containerd read it."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        entry = tarfile.TarInfo("pause")
        entry.mode, entry.size = 0o755, binary.stat().st_size
        with binary.open("rb") as content:
            tar.addfile(entry, content)
    digest = hashlib.sha256(layer.getvalue()).hexdigest()
    machine = subprocess.run(["uname", "-m"], capture_output=True, text=True, check=True).stdout
    config = json.dumps({
        "architecture": {"aarch64": "arm64"}.get(machine.strip(), "amd64"),
        "os": "linux",
        "config": {"Entrypoint": ["/pause"], "User": "65535:65535"},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
    }).encode()  # fmt: skip
    manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
    with tarfile.open(archive, "w") as tar:
        for path, data in (
            ("config.json", config),
            ("layer.tar", layer.getvalue()),
            ("manifest.json", json.dumps(manifest).encode()),
        ):
            entry = tarfile.TarInfo(path)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
