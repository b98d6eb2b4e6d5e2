"""Find, download or build the Kubernetes control plane that tests and demo run on.

etcd, kube-apiserver and kubectl come from, in this order: the directory that
CLOUDFLUX_TEST_ASSETS or KUBEBUILDER_ASSETS names, the cache, the official envtest
archive, a build from Go modules. Other programs are in `parts`.
"""

import argparse
import contextlib
import fcntl
import hashlib
import os
import platform
import queue
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path

KUBERNETES_MINOR = "1.36"
BUILD_VERSION = "v1.36.3"
ENVTEST_VERSION = "v1.36.0"
MINIMUM_GO = (1, 26)
BUILD_DISK_BYTES = 10 * 1000**3
ANSWER_SECONDS = 3
PROGRAMS = ("etcd", "kube-apiserver", "kubectl")
RELEASES = "https://github.com/kubernetes-sigs/controller-tools/releases/download"
BUILD_DIRECTORY = Path(__file__).resolve().parents[1] / "controlplane"


class AssetsError(RuntimeError):
    """Something needed is missing; the message says what and how to get it."""


@dataclass(frozen=True, slots=True)
class Assets:
    """Paths of the programs of a control plane."""

    etcd: Path
    kube_apiserver: Path
    kubectl: Path
    controller_manager: Path | None = None
    """Collects garbage and runs Jobs; nothing here needs it, and the envtest archive has none."""


def cache_directory() -> Path:
    """Directory where downloaded and built programs are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "cloudflux" / "bin"


def find(say: Callable[[str], None] = print) -> Assets:
    """Return the control plane's programs, getting them first if need be."""
    named = _named_directory()
    if named is not None:
        return _assets_in(named)
    cache = cache_directory()
    if _cached(cache):
        return _assets_in(cache)
    with locked(cache):
        if not _cached(cache) and not _download(cache, say):
            _build(cache, say)
    return _assets_in(cache)


def _named_directory() -> Path | None:
    for variable in ("CLOUDFLUX_TEST_ASSETS", "KUBEBUILDER_ASSETS"):
        value = os.environ.get(variable)
        if value:
            directory = Path(value)
            missing = [p for p in PROGRAMS[:2] if not os.access(directory / p, os.X_OK)]
            if missing:
                raise AssetsError(
                    f"{variable}={value} holds no executable {' and no '.join(missing)}; "
                    f"unset it, or put them there."
                )
            return directory
    return None


def _assets_in(directory: Path) -> Assets:
    kubectl = directory / "kubectl"
    if not os.access(kubectl, os.X_OK):
        on_path = shutil.which("kubectl")
        if on_path is None:
            raise AssetsError(f"No kubectl in {directory} nor on PATH; put one there.")
        kubectl = Path(on_path)
    manager = directory / "kube-controller-manager"
    return Assets(
        directory / "etcd",
        directory / "kube-apiserver",
        kubectl,
        manager if os.access(manager, os.X_OK) else None,
    )


def _cached(cache: Path) -> bool:
    """Say whether the cache holds a control plane of the version that we want."""
    if not all(os.access(cache / program, os.X_OK) for program in PROGRAMS):
        return False
    version = _output([str(cache / "kube-apiserver"), "--version"])
    return re.search(rf"\bv{re.escape(KUBERNETES_MINOR)}\.\d+", version) is not None


def _output(command: list[str]) -> str:
    try:
        return subprocess.run(
            command, capture_output=True, text=True, timeout=30, check=True
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


@contextlib.contextmanager
def locked(cache: Path) -> Iterator[None]:
    """Let one process at a time fill the cache."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache.parent / "bin.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


# -- download ---------------------------------------------------------------------------------


def _download(cache: Path, say: Callable[[str], None]) -> bool:
    """Fetch the envtest archive; False where there is no answer or no archive for us."""
    machine = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}.get(platform.machine())
    name = f"envtest-{ENVTEST_VERSION}-{platform.system().lower()}-{machine}.tar.gz"
    url = f"{RELEASES}/envtest-{ENVTEST_VERSION}/{name}"
    say(f"Looking for {name} at github.com (giving up after {ANSWER_SECONDS} s) …")
    published = _answer(url + ".sha512")
    archive = _answer(url) if published is not None else None
    if published is None or archive is None:
        say("No answer or no such archive.")
        return False
    with tempfile.TemporaryDirectory(dir=cache.parent) as work:
        path = Path(work) / name
        digest = hashlib.sha512()
        try:
            expected = published.read().decode().split()[0]
            with path.open("wb") as file:
                while chunk := archive.read(1 << 20):
                    digest.update(chunk)
                    file.write(chunk)
        except (OSError, HTTPException, IndexError) as error:
            say(f"The download broke off: {error!r}")
            return False
        if archive.length:  # so many bytes were announced and never came
            say("The download broke off.")
            return False
        if digest.hexdigest() != expected:
            raise AssetsError(f"{url} does not match its published sha512; try again later.")
        _unpack(path, cache)
    say(f"Installed Kubernetes {ENVTEST_VERSION} in {cache}")
    return True


def _answer(url: str) -> HTTPResponse | None:
    """Open a URL; None if the answer takes too long (name look-up included) or is an error."""
    answers: queue.Queue[HTTPResponse | None] = queue.Queue()

    def ask() -> None:
        try:
            answers.put(urllib.request.urlopen(url, timeout=30))
        except OSError:
            answers.put(None)

    threading.Thread(target=ask, daemon=True).start()
    try:
        return answers.get(timeout=ANSWER_SECONDS)
    except queue.Empty:
        return None


def _unpack(archive: Path, cache: Path) -> None:
    with tarfile.open(archive) as tar:
        for member in tar.getmembers():
            program = Path(member.name).name
            content = tar.extractfile(member) if member.isfile() else None
            if program in PROGRAMS and content is not None:
                path = archive.parent / program
                with path.open("wb") as file:
                    shutil.copyfileobj(content, file)
                path.chmod(0o755)
    missing = [p for p in PROGRAMS if not (archive.parent / p).exists()]
    if missing:
        raise AssetsError(f"{archive.name} holds no {', '.join(missing)}.")
    for program in PROGRAMS:
        (archive.parent / program).replace(cache / program)


# -- build ------------------------------------------------------------------------------------


def _build(cache: Path, say: Callable[[str], None]) -> None:
    """Build the control plane from Go modules into the cache."""
    go = _need_go("to build the Kubernetes control plane")
    for variable in ("GOCACHE", "GOMODCACHE"):
        _need_disk(Path(_output([go, "env", variable]) or cache), BUILD_DISK_BYTES)
    say(
        f"Building etcd, kube-apiserver and kubectl {BUILD_VERSION} from Go modules: "
        "5 to 10 minutes, once per machine …"
    )
    major, minor = KUBERNETES_MINOR.split(".")
    version = "-X k8s.io/component-base/version."
    flags = (
        f"-s -w {version}gitVersion={BUILD_VERSION} {version}gitMajor={major} "
        f"{version}gitMinor={minor}"
    )
    with tempfile.TemporaryDirectory(dir=cache.parent) as work:
        built = Path(work) / "controlplane"
        _run([go, "build", "-trimpath", "-ldflags", flags, "-o", str(built), "."], BUILD_DIRECTORY)
        built.replace(cache / built.name)
        for program in PROGRAMS:
            link = Path(work) / program
            link.symlink_to(built.name)
            link.replace(cache / program)
    say(f"Installed Kubernetes {BUILD_VERSION} in {cache}")


def _run(command: list[str], directory: Path, environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        command, cwd=directory, env={**os.environ, **(environment or {})}, check=False
    )
    if done.returncode != 0:
        raise AssetsError(f"`{' '.join(command[:2])}` failed; its output above says why.")


def _need_go(purpose: str) -> str:
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    if go is None:
        raise AssetsError(
            f"Go {MINIMUM_GO[0]}.{MINIMUM_GO[1]} or newer is needed {purpose}: install it from "
            "https://go.dev/dl, or set CLOUDFLUX_TEST_ASSETS to a directory that holds "
            "etcd, kube-apiserver and kubectl."
        )
    found = re.search(r"go(\d+)\.(\d+)", _output([go, "env", "GOVERSION"]))
    if found is None or (int(found[1]), int(found[2])) < MINIMUM_GO:
        raise AssetsError(
            f"{go} is {found[0] if found else 'of an unknown version'}; {purpose}, Go "
            f"{MINIMUM_GO[0]}.{MINIMUM_GO[1]} or newer is needed: https://go.dev/dl"
        )
    return go


def _need_disk(path: Path, needed_bytes: int) -> None:
    while not path.exists():
        path = path.parent
    free = shutil.disk_usage(path).free
    if free < needed_bytes:
        raise AssetsError(
            f"The build needs {needed_bytes / 1e9:.0f} GB of free disk at {path}; "
            f"{free / 1e9:.1f} GB are free."
        )


def _go_bin_directories() -> list[Path]:
    home = os.environ.get("GOPATH") or str(Path.home() / "go")
    named = os.environ.get("GOBIN")
    return [*([Path(named)] if named else []), Path(home) / "bin"]


def main() -> int:
    """Get the programs and print where they are."""
    parser = argparse.ArgumentParser(prog="python -m cloudflux_dev.assets", description=__doc__)
    parser.parse_args()
    try:
        print(find().kube_apiserver.parent)
    except AssetsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
