"""Build the image with the first engine that answers, and say how large it is.

`python -m cloudflux_dev.image [--archive FILE]`. BASE and BUILDER (variables of the environment)
name other bases. Where no registry can be reached and buildah and debootstrap are installed, a
base of this machine's own Debian is made, once, so that the image can be tried here.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import cloudflux
from cloudflux_dev import assets
from cloudflux_dev.assets import AssetsError

ROOT = Path(__file__).resolve().parents[2]
REPOSITORY = os.environ.get("IMAGE_REPOSITORY", "cloudflux/operator")
LOCAL_BASE, LOCAL_BUILDER = "localhost/cloudflux/base:1", "localhost/cloudflux/builder:1"
PACKAGES = "python3,python3-venv,ca-certificates"
PULL_SECONDS = 20
AUTHORITIES = "/etc/ssl/certs"


@dataclass(frozen=True, slots=True)
class Engine:
    """A program that builds images."""

    name: str

    @property
    def build(self) -> list[str]:
        """Command that a build begins with."""
        return [self.name, "build"]


def engine() -> Engine:
    """The first that answers. Raises AssetsError."""
    for name in ("docker", "podman", "buildah"):
        if shutil.which(name) and _quiet([name, "info"]):
            return Engine(name)
    raise AssetsError("docker, podman or buildah is needed to build the image")


def tag() -> str:
    """The image's name: version, and commit where one is known; equal content, equal name."""
    revision = assets._output(["git", "-C", str(ROOT), "rev-parse", "--short=12", "HEAD"])
    changed = assets._output(["git", "-C", str(ROOT), "status", "--porcelain"])
    suffix = f"-{revision}{'-changed' if changed else ''}" if revision else ""
    return f"{REPOSITORY}:{cloudflux.__version__}{suffix}"


def build(chosen: Engine) -> str:
    """Build the image; return its name. Raises AssetsError."""
    name = tag()
    revision = assets._output(["git", "-C", str(ROOT), "rev-parse", "HEAD"]) or "unknown"
    # the time of the commit, not of the build: equal sources give equal layers
    when = assets._output(["git", "-C", str(ROOT), "log", "-1", "--format=%ct"]) or "0"
    command = [
        *chosen.build, "-t", name, "-t", f"{REPOSITORY}:{cloudflux.__version__}",
        "--build-arg", f"REVISION={revision}",
        "--build-arg", f"VERSION={cloudflux.__version__}",
    ]  # fmt: skip
    environment = {"SOURCE_DATE_EPOCH": when}
    base, builder = os.environ.get("BASE"), os.environ.get("BUILDER")
    if chosen.name == "buildah":
        command += ["--layers", "--timestamp", when]
        if os.geteuid() == 0:
            # needs no rights that a container may lack
            environment |= {"BUILDAH_ISOLATION": os.environ.get("BUILDAH_ISOLATION", "chroot")}
        if not base and not _pulls(_default_base()):
            base, builder = _local_bases()
            command += ["--volume", f"{AUTHORITIES}:{AUTHORITIES}:ro"]
    for argument, value in (("BASE", base), ("BUILDER", builder or base)):
        if value:
            command += ["--build-arg", f"{argument}={value}"]
    print(" ".join(command), flush=True)
    assets._run([*command, "."], ROOT, environment)
    return name


def save(chosen: Engine, name: str, archive: Path) -> None:
    """Write the image to a file that containerd and docker load."""
    archive.unlink(missing_ok=True)
    if chosen.name == "buildah":
        assets._run(
            [chosen.name, "push", "--quiet", name, f"docker-archive:{archive}:{name}"], ROOT
        )
    else:
        assets._run([chosen.name, "save", "--output", str(archive), name], ROOT)


def _default_base() -> str:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    return next(line.partition("=")[2] for line in lines if line.startswith("ARG BASE="))


def _pulls(image: str) -> bool:
    return _quiet(["timeout", str(PULL_SECONDS), "buildah", "pull", "--quiet", image])


def _local_bases() -> tuple[str, str]:
    """Bases made by debootstrap: the smallest Debian with Python, and the same with `strip`."""
    for name, packages in ((LOCAL_BASE, PACKAGES), (LOCAL_BUILDER, f"{PACKAGES},binutils")):
        if _quiet(["buildah", "inspect", "--type", "image", name]):
            continue
        if shutil.which("debootstrap") is None:
            raise AssetsError(
                f"{_default_base()} can't be pulled: name a base with BASE=…, or install "
                "debootstrap to make one"
            )
        print(f"No registry answers: making {name} by debootstrap, for minutes …", flush=True)
        with tempfile.TemporaryDirectory() as work:
            root = Path(work) / "root"
            bootstrap = ["debootstrap", "--variant=minbase", f"--include={packages}"]
            assets._run([*bootstrap, "bookworm", str(root)], ROOT)
            tarball = Path(work) / "base.tar"
            exclude = ["--exclude=./var/cache/apt/*", "--exclude=./var/lib/apt/lists/*"]
            assets._run(["tar", "-C", str(root), *exclude, "-cf", str(tarball), "."], ROOT)
            (Path(work) / "Dockerfile").write_text("FROM scratch\nADD base.tar /\n")
            (Path(work) / ".dockerignore").write_text("root\n")
            isolation = {"BUILDAH_ISOLATION": "chroot"}
            assets._run(["buildah", "build", "-t", name, work], ROOT, isolation)
    return LOCAL_BASE, LOCAL_BUILDER


def _quiet(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def main() -> int:
    """Build, and save where asked."""
    parser = argparse.ArgumentParser(prog="python -m cloudflux_dev.image", description=__doc__)
    parser.add_argument("--archive", type=Path, help="write the image to this file, too")
    archive: Path | None = parser.parse_args().archive
    try:
        chosen = engine()
        name = build(chosen)
        print(name)
        if archive is not None:
            save(chosen, name, archive)
            print(f"{archive}: {archive.stat().st_size / 1e6:.0f} MB")
    except AssetsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
