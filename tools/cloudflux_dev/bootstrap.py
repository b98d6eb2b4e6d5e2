"""Make .venv from requirements.lock. Runs on a bare Python: the standard library only.

Every package is checked against the hashes of the lock file. The installer (uv) is pinned
and checked the same way; where there is none for the machine, pip does its work, slower.
"""

import hashlib
import os
import subprocess
import sys
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = ROOT / ".venv"
LOCK = ROOT / "requirements.lock"
BOOTSTRAP_LOCK = ROOT / "requirements-bootstrap.lock"
STAMP = ENVIRONMENT / "cloudflux-stamp"
LAUNCHER = """#!{python}
import sys

from cloudflux.cli.main import app

sys.exit(app())
"""


class SetupError(RuntimeError):
    """The environment can't be made; the message says what to do."""


def stamp() -> str:
    """Return what the environment is made of: the lock files, this file and where it stands."""
    digest = hashlib.sha256(f"{sys.version_info[:2]} {ROOT}".encode())
    for path in (LOCK, BOOTSTRAP_LOCK, Path(__file__)):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def up_to_date() -> bool:
    """Say whether the environment is there and made of the present lock file."""
    if not (ENVIRONMENT / "bin" / "python").exists() or not STAMP.exists():
        return False
    return STAMP.read_text() == stamp()


def make() -> None:
    """Make or mend the environment; raise SetupError with what to do when it fails."""
    started = time.monotonic()
    python = ENVIRONMENT / "bin" / "python"
    if not _works(python):
        print(f"Making {ENVIRONMENT} with Python {sys.version.split()[0]} (5 s) …", flush=True)
        venv.create(ENVIRONMENT, clear=True, with_pip=True)
    print("Installing the locked packages, hashes checked (1 to 3 minutes, once) …", flush=True)
    pip = [str(python), "-m", "pip", "--disable-pip-version-check"]
    uv = ENVIRONMENT / "bin" / "uv"
    got_uv = _run([*pip, "install", "--quiet", "--only-binary", ":all:", "--require-hashes",
                   "-r", str(BOOTSTRAP_LOCK)], quiet=True)  # fmt: skip
    locked = ["--require-hashes", "-r", str(LOCK)]
    fast = [str(uv), "pip", "install", "--quiet", "--python", str(python), *locked]
    if not (got_uv and uv.exists() and _run(fast)):
        # pip knows of mirrors, certificates and proxies that only its own configuration names
        print("uv is not to be had, or can't; pip does it (up to 5 minutes) …", flush=True)
        if not _run([*pip, "install", "--quiet", "--no-deps", *locked]):
            raise SetupError(
                "The packages could not be installed; the lines above say why. A package registry "
                "must be reachable (pip's own configuration and proxies are used)."
            )
    # compiled now: else every process compiles what it imports, where bytecode is not written
    _run([str(python), "-m", "compileall", "-q", "-j", "0", str(_packages())], quiet=True)
    _link_sources(python)
    STAMP.write_text(stamp())
    print(f"Environment ready after {time.monotonic() - started:.0f} s.", flush=True)


def _works(python: Path) -> bool:
    """Say whether the environment's Python starts and is the version that runs this."""
    probe = "import pip, sys; print(sys.version_info[:2])"
    try:
        done = subprocess.run([str(python), "-c", probe], capture_output=True, text=True)
    except OSError:
        return False
    return done.returncode == 0 and done.stdout.strip() == str(sys.version_info[:2])


def _packages() -> Path:
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    return ENVIRONMENT / "lib" / version / "site-packages"


def _link_sources(python: Path) -> None:
    """Make the checkout importable and `.venv/bin/cloudflux` start it."""
    (_packages() / "cloudflux-checkout.pth").write_text(f"{ROOT / 'operator'}\n{ROOT / 'tools'}\n")
    launcher = ENVIRONMENT / "bin" / "cloudflux"
    launcher.write_text(LAUNCHER.format(python=python))
    launcher.chmod(0o755)


def _run(command: list[str], *, quiet: bool = False) -> bool:
    """Run one command, say whether it succeeded."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    output = subprocess.DEVNULL if quiet else None
    return subprocess.run(command, env=environment, stdout=output, stderr=output).returncode == 0


def main() -> int:
    """Make the environment unless it is up to date."""
    if up_to_date():
        return 0
    try:
        make()
    except (SetupError, OSError, subprocess.SubprocessError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
