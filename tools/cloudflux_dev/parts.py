"""Find or get the programs that tests and benchmarks run: object stores, peers, toxiproxy, helm.

Each comes from, in this order: the directory that CLOUDFLUX_TEST_ASSETS names, the cache, the
Go and shell paths, the official release where there is one for this machine (given up when it
does not answer in three seconds, installed only when it matches its published digest), a build
from Go modules or an npm package of the same version. `python -m cloudflux_dev.parts` gets
those that the tests need; names as arguments choose.
"""

import argparse
import hashlib
import os
import platform
import shutil
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http.client import HTTPResponse
from pathlib import Path

from cloudflux_dev import assets
from cloudflux_dev.assets import AssetsError, cache_directory

Say = Callable[[str], None]
MINIMUM_NODE = 20


@dataclass(frozen=True, slots=True)
class Release:
    """Where a project publishes its builds; `{os}` and `{cpu}` stand for this machine's names."""

    url: str
    checksums: str
    """A file of the same release with lines `digest  name`, sha256."""
    cpus: tuple[str, str] = ("amd64", "arm64")
    linux: str = "linux"


@dataclass(frozen=True, slots=True)
class Part:
    """One program at one version, and the ways to get it."""

    name: str
    version: str
    about: str
    """How long the slow way takes."""
    go: str = ""
    """Main package; empty when it is no Go program."""
    as_tool: bool = False
    """Its go.mod has replacements, which `go install` refuses: built in a module of our own."""
    npm: str = ""
    """Package whose program it is."""
    npm_beside: tuple[str, ...] = ()
    """Packages, with their versions, that are installed beside it."""
    release: Release | None = None

    @property
    def command(self) -> str:
        """What a person types to have it."""
        return f"PYTHONPATH=tools python3 -m cloudflux_dev.parts {self.name}"


_GITHUB = "https://github.com"
_PARTS = (
    Part(
        "versitygw",
        "v1.8.0",
        "2 minutes",
        go="github.com/versity/versitygw/cmd/versitygw",
    ),
    Part(
        "minio",
        "v0.0.0-20260212201848-7aac2a2c5b7c",
        "5 minutes",
        go="github.com/minio/minio",
    ),
    Part(
        "fake-gcs-server",
        "v1.56.1",
        "1 minute",
        go="github.com/fsouza/fake-gcs-server",
        release=Release(
            f"{_GITHUB}/fsouza/fake-gcs-server/releases/download/v1.56.1/"
            "fake-gcs-server_1.56.1_{os}_{cpu}.tar.gz",
            "checksums.txt",
        ),
    ),
    Part("azurite-blob", "3.37.0", "1 minute", npm="azurite"),
    Part(
        "tsc", "5.9.3", "10 s", npm="typescript", npm_beside=("@grafana/schema@11.6.0",)
    ),  # the version of Grafana that the dashboards are built for
    Part(
        "toxiproxy-server",
        "v2.12.0",
        "10 s",
        go="github.com/Shopify/toxiproxy/v2/cmd/server",
        release=Release(
            f"{_GITHUB}/Shopify/toxiproxy/releases/download/v2.12.0/toxiproxy-server-{{os}}-{{cpu}}",
            "checksums.txt",
        ),
    ),
    Part(
        "rclone",
        "v1.75.1",
        "3 minutes",
        go="github.com/rclone/rclone",
        release=Release(
            f"{_GITHUB}/rclone/rclone/releases/download/v1.75.1/rclone-v1.75.1-{{os}}-{{cpu}}.zip",
            "SHA256SUMS",
        ),
    ),
    Part(
        "s5cmd",
        "v2.3.0",
        "1 minute",
        go="github.com/peak/s5cmd/v2",
        as_tool=True,
        release=Release(
            f"{_GITHUB}/peak/s5cmd/releases/download/v2.3.0/s5cmd_2.3.0_{{os}}-{{cpu}}.tar.gz",
            "s5cmd_checksums.txt",
            cpus=("64bit", "arm64"),
            linux="Linux",
        ),
    ),
    Part(
        "helm",
        "v3.22.0",
        "3 minutes",
        go="helm.sh/helm/v3/cmd/helm",
        release=Release(
            "https://get.helm.sh/helm-v3.22.0-{os}-{cpu}.tar.gz",
            "helm-v3.22.0-{os}-{cpu}.tar.gz.sha256sum",
        ),
    ),
)
PARTS = {part.name: part for part in _PARTS}
NEEDED_BY_TESTS = (
    "versitygw",
    "minio",
    "fake-gcs-server",
    "azurite-blob",
    "toxiproxy-server",
    "helm",
    "tsc",
)

SYSTEM_PROGRAMS = {"promtool": "prometheus", "prometheus": "prometheus"}
"""Programs that come with the system, and the package of Debian and Ubuntu that holds each."""


def why_system_missing(name: str) -> str:
    """One line for a test that is skipped for want of one of SYSTEM_PROGRAMS; empty: it is here."""
    if shutil.which(name) is not None:
        return ""
    return f"{name} is not installed: on Debian and Ubuntu, apt install {SYSTEM_PROGRAMS[name]}"


def find(name: str) -> Path | None:
    """The program where it is installed; None when it has to be got first."""
    part = PARTS[name]
    named = os.environ.get("CLOUDFLUX_TEST_ASSETS")
    places = [Path(named)] if named else []
    if _cached_is_current(part):
        places.append(cache_directory())
    if part.npm:
        places.append(_npm_directory(part) / "node_modules" / ".bin")
    places += assets._go_bin_directories()
    for directory in places:
        if os.access(directory / name, os.X_OK):
            return directory / name
    # one from elsewhere does not have what is installed beside ours
    on_path = None if part.npm_beside else shutil.which(name)
    return Path(on_path) if on_path else None


def get(name: str, say: Say = print) -> Path:
    """The program, installed if need be. Raises AssetsError, which says what is missing."""
    part = PARTS[name]
    with assets.locked(cache_directory()):
        found = find(name)
        if found is not None:
            return found
        started = time.monotonic()
        path = _install(part, say)
        say(f"Installed {name} {part.version} after {time.monotonic() - started:.0f} s: {path}")
        return path


def why_missing(name: str) -> str:
    """One line for a test that is skipped: what it needs and how to get it."""
    part = PARTS[name]
    need = f"Node {MINIMUM_NODE}" if part.npm else f"Go {'.'.join(map(str, assets.MINIMUM_GO))}"
    return f"{name} {part.version} is not installed (needs {need} or newer): {part.command}"


def get_all(names: Iterable[str], say: Say = print) -> list[str]:
    """Get the programs one after the other; returns why some can't be had, one line each."""
    missing = []
    for name in names:
        try:
            say(f"{name}: {get(name, say)}")
        except AssetsError as error:
            missing.append(f"{name}: {error}")
    return missing


def _install(part: Part, say: Say) -> Path:
    cache = cache_directory()
    if part.npm:
        return _install_from_npm(part, say)
    with tempfile.TemporaryDirectory(dir=cache.parent) as work:
        built = Path(work) / "built" / part.name
        built.parent.mkdir()
        if not _download(part, built, say):
            _build(part, built, say)
        built.chmod(0o755)
        built.replace(cache / part.name)
        _stamp(part).write_text(part.version)
    return cache / part.name


def _stamp(part: Part) -> Path:
    return cache_directory() / f".{part.name}.version"


def _cached_is_current(part: Part) -> bool:
    """Whether the cached program is of our version; one put there by hand has no stamp."""
    stamp = _stamp(part)
    return not stamp.exists() or stamp.read_text() == part.version


# -- the ways ---------------------------------------------------------------------------------


def _download(part: Part, target: Path, say: Say) -> bool:
    """Fetch the official release; False where there is none or it does not answer."""
    machine = {"x86_64": 0, "amd64": 0, "aarch64": 1, "arm64": 1}.get(platform.machine().lower())
    if part.release is None or machine is None:
        return False
    system = platform.system().lower()
    words = {
        "os": part.release.linux if system == "linux" else system,
        "cpu": part.release.cpus[machine],
    }
    url = part.release.url.format(**words)
    checksums = f"{url.rpartition('/')[0]}/{part.release.checksums.format(**words)}"
    say(f"Looking for {url} (giving up after {assets.ANSWER_SECONDS} s) …")
    published = assets._answer(checksums)
    answer = assets._answer(url) if published is not None else None
    if published is None or answer is None:
        say("No answer or no such file.")
        return False
    name = url.rpartition("/")[2]
    try:
        expected = _digest_of(name, published.read().decode())
        archive = target.parent / name
        found = _save(answer, archive)
    except OSError as error:
        say(f"The download broke off: {error}")
        return False
    if expected is None:
        say(f"{checksums} does not list {name}.")
        return False
    if found != expected:
        raise AssetsError(f"{url} does not match its published sha256; try again later.")
    _take_out(archive, part.name, target)
    return True


def _digest_of(name: str, checksums: str) -> str | None:
    for line in checksums.splitlines():
        digest, _, listed = line.partition(" ")
        if listed.strip().lstrip("*").rpartition("/")[2] == name:
            return digest.lower()
    return None


def _save(answer: HTTPResponse, path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("wb") as file:
        while chunk := answer.read(1 << 20):
            digest.update(chunk)
            file.write(chunk)
    return digest.hexdigest()


def _take_out(archive: Path, program: str, target: Path) -> None:
    """Take the program out of a tar or zip archive; any other file is the program itself."""
    if archive.name.endswith(".zip"):
        with zipfile.ZipFile(archive) as opened:
            member = next((n for n in opened.namelist() if Path(n).name == program), None)
            if member is not None:
                target.write_bytes(opened.read(member))
    elif archive.name.endswith(".tar.gz"):
        with tarfile.open(archive) as tar:
            entry = next((m for m in tar if m.isfile() and Path(m.name).name == program), None)
            content = tar.extractfile(entry) if entry is not None else None
            if content is not None:
                target.write_bytes(content.read())
    elif archive != target:
        archive.replace(target)
    if not target.exists():
        raise AssetsError(f"{archive.name} holds no {program}.")


def _build(part: Part, target: Path, say: Say) -> None:
    """Build a Go program into `target`."""
    go = assets._need_go(f"to build {part.name}")
    say(f"Building {part.name} {part.version} from Go modules: about {part.about}, once …")
    work = target.parent
    if part.as_tool:
        assets._run([go, "mod", "init", "parts"], work)
        assets._run([go, "get", "-tool", f"{part.go}@{part.version}"], work)
        assets._run([go, "build", "-trimpath", "-o", str(target), part.go], work)
        return
    binaries = work / "bin"
    assets._run([go, "install", f"{part.go}@{part.version}"], work, {"GOBIN": str(binaries)})
    (built,) = binaries.iterdir()
    built.replace(target)


def _npm_directory(part: Part) -> Path:
    return cache_directory().parent / "npm" / f"{part.npm}-{part.version}"


def _install_from_npm(part: Part, say: Say) -> Path:
    node, npm = shutil.which("node"), shutil.which("npm")
    version = assets._output([node, "--version"]).lstrip("v") if node else ""
    if npm is None or not version or int(version.partition(".")[0]) < MINIMUM_NODE:
        raise AssetsError(
            f"Node {MINIMUM_NODE} or newer with npm is needed for {part.name}, found "
            f"{version or 'none'}: install it from https://nodejs.org, or put {part.name} on PATH"
        )
    say(f"Installing {part.npm} {part.version} from npm: about {part.about}, once …")
    directory = _npm_directory(part)
    directory.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory.parent) as work:
        packages = [f"{part.npm}@{part.version}", *part.npm_beside]
        quiet = ["--no-audit", "--no-fund", "--no-save", "--loglevel=error"]
        assets._run([npm, "install", *quiet, "--prefix", work, *packages], Path(work))
        shutil.rmtree(directory, ignore_errors=True)
        Path(work).rename(directory)
        Path(work).mkdir()  # for the context's own clean-up
    return directory / "node_modules" / ".bin" / part.name


def main() -> int:
    """Get the parts that are named, or those that the tests need, and print where they are."""
    parser = argparse.ArgumentParser(prog="python -m cloudflux_dev.parts", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(PARTS))
    names = parser.parse_args().names or list(NEEDED_BY_TESTS)
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    missing = get_all(names)
    for line in missing:
        print(f"error: {line}", file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
