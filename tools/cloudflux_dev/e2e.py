"""Run the tests of pods: programs, image, then a node in namespaces of its own.

`python -m cloudflux_dev.e2e [--or-skip] [arguments of pytest]`. CLOUDFLUX_E2E_IMAGE names an
archive of an image that is built already. Where the machine can't run a node, says why and tests
nothing; with `--or-skip` also where a program or the image can't be had.
"""

import os
import subprocess
import sys
from pathlib import Path

import cloudflux
from cloudflux_dev import assets, image, node, node_programs, parts
from cloudflux_dev.kafka_server import find_kafka

ROOT = Path(__file__).resolve().parents[2]
UNSHARE = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
REPOSITORY = "localhost/cloudflux/operator"


def main(arguments: list[str]) -> int:
    """Return the status of the tests; 0 where there can be none."""
    may_skip = "--or-skip" in arguments
    arguments = [one for one in arguments if one != "--or-skip"]
    why = node.why_impossible()
    if why:
        print(f"SKIPPED: no pods were run. {why}")
        return 0
    try:
        node_programs.get()
        for name in ("minio", "helm", "azurite-blob"):
            parts.get(name)
        find_kafka()
        archive = Path(os.environ.get("CLOUDFLUX_E2E_IMAGE") or _built())
    except assets.AssetsError as error:
        if may_skip:
            print(f"SKIPPED: no pods were run. {error}")
            return 0
        print(f"error: {error}", file=sys.stderr)
        return 1
    environment = {
        **os.environ,
        "CLOUDFLUX_E2E_IMAGE": str(archive),
        "PYTHONPATH": f"{ROOT / 'operator'}:{ROOT / 'tools'}:{ROOT}",
    }
    tests = [sys.executable, "-m", "pytest", "-x", "-p", "no:cacheprovider", "tests/e2e"]
    try:
        done = subprocess.run(
            [*UNSHARE, *tests, *arguments], cwd=ROOT, env=environment, check=False
        )
    finally:
        node.remove_cgroups()
    return done.returncode


def _built() -> Path:
    chosen = image.engine()
    image.REPOSITORY = REPOSITORY
    image.build(chosen)
    archive = assets.cache_directory().parent / "operator-image.tar"
    image.save(chosen, f"{REPOSITORY}:{cloudflux.__version__}", archive)
    return archive


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
