"""Cut from an environment what no command of the image uses, and compile the rest ahead.

`trim.py SITE_PACKAGES LOADED`: LOADED is what smoke.py wrote. Four kinds of things go: files
that only building and testing need, data and libraries named here one by one with the reason,
in packages of generated or rarely used modules those that were not loaded, and the source of
foreign modules that were compiled. smoke.py then runs again and fails the build if too much went.
"""

import hashlib
import os
import py_compile
import shutil
import subprocess
import sys
from pathlib import Path

NAMED = {
    # the services of AWS that are not asked: 25 MB; sso*: profiles that log in through a browser
    "botocore/data/*": ("s3", "sts", "sso", "sso-oidc", "signin", "*.json"),
    # Arrow's own network clients: stores are reached by our own modules
    "pyarrow/libarrow_flight*": (),
    "pyarrow/libarrow_python_flight*": (),
    "pyarrow/_flight*": (),
    "pyarrow/libarrow_s3*": (),
    "pyarrow/_s3fs*": (),
    # plans of other engines (their library stays: another one links to it), and a way to
    # encrypt Parquet that our tables don't use
    "pyarrow/_substrait*": (),
    "pyarrow/_parquet_encryption*": (),
    # of hundreds of languages; a traceback in colour needs one
    "pygments/lexers/*": ("__init__.py", "_mapping.py", "python.py", "special.py"),
    "pyarrow/src": (),
    "pyarrow/include": (),
    "sklearn/datasets/data": (),
    "sklearn/datasets/images": (),
    "sklearn/datasets/descr": (),
    "numpy/_core/include": (),
}
"""What goes, by a pattern; of what matches it, what stays."""
BUILD_ONLY = (
    "*.pyi", "*.pyx", "*.pxd", "*.pxi", "*.pyx.tp", "*.c", "*.cpp", "*.h", "*.hpp", "*.a", "*.lib",
)  # fmt: skip
TESTS = ("tests", "test", "_test", "testing_data", "e2e_test")
TESTED = ("pyarrow", "sklearn", "scipy", "numpy", "kubernetes", "joblib", "skops", "pandas")
"""Packages whose tests are installed with them."""
STRIPPED = (
    "pyarrow/*.so*",
    "_awscrt*.so",
    "cryptography/hazmat/bindings/_rust*.so",
    "aiohttp/**/*.so",
    "aiokafka/**/*.so",
    "frozenlist/*.so",
    "multidict/*.so",
    "propcache/*.so",
    "wcwidth/*.so",
    "wrapt/*.so",
    "yaml/*.so",
    "yarl/*.so",
)
"""Libraries that come with their symbols. Not all of them: what was patched for its wheel, as
OpenBLAS and what links to it are, does not survive it."""
ONLY_LOADED = ("kubernetes", "scipy", "sklearn")
"""A module that nothing loads goes: generated clients of hundreds of kinds; numerics of which
one learner uses a part, all of it when it learns."""
ONLY_LOADED_PARTS = ("numpy", "google")
"""A sub-package of which nothing is loaded goes."""


def main(site: Path, loaded: set[Path]) -> None:
    """Trim one environment."""
    before = _bytes(site)
    for cache in list(site.rglob("__pycache__")):
        shutil.rmtree(cache)
    for pattern, stays in NAMED.items():
        for path in site.glob(pattern):
            if not any(path.match(keep) for keep in stays):
                _remove(path)
    for pattern in BUILD_ONLY:
        for path in site.rglob(pattern):
            path.unlink()
    for package in TESTED:
        for path in sorted((site / package).rglob("*"), reverse=True):
            if path.is_dir() and path.name in TESTS:
                shutil.rmtree(path)
    for package in ONLY_LOADED:
        for path in (site / package).rglob("*"):
            if path.suffix in (".py", ".so") and path not in loaded:
                path.unlink()
    for path in site.glob("numpy/_core/*.so"):
        if path not in loaded:  # what numpy tests itself with
            path.unlink()
    for package in ONLY_LOADED_PARTS:
        for path in (site / package).glob("*"):
            if path.is_dir() and not any(file.is_relative_to(path) for file in loaded):
                shutil.rmtree(path)
    _strip(site)
    _link_copies(site)
    for path in sorted(loaded):
        if path.suffix == ".py" and path.exists() and path.is_relative_to(site.parents[2]):
            _compile(path, foreign=path.is_relative_to(site))
    print(f"{site}: {before / 1e6:.0f} MB, now {_bytes(site) / 1e6:.0f} MB")


def _compile(path: Path, *, foreign: bool) -> None:
    """Compile a module; of a foreign one nothing else stays, of ours the source does, too.

    Its tracebacks then name file and line, and don't quote it. What was not loaded stays source.
    """
    # by content: the same input gives the same image, whenever it is built
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    made = str(path.with_suffix(".pyc")) if foreign else None
    if py_compile.compile(str(path), cfile=made, invalidation_mode=mode, quiet=2) and foreign:
        path.unlink()


def _strip(site: Path) -> None:
    """Take symbols out of libraries, where the build stage has `strip`."""
    strip = shutil.which("strip")
    if strip is None:
        print("no strip here (binutils): libraries keep their symbols", file=sys.stderr)
        return
    for pattern in STRIPPED:
        for path in site.glob(pattern):
            subprocess.run([strip, "--strip-unneeded", str(path)], check=True)


def _link_copies(site: Path) -> None:
    """Wheels hold no links: a library under three names is three files; make two of them links."""
    seen: dict[str, Path] = {}
    for pattern in ("pyarrow/*.so*", "*.libs/*.so*"):
        for path in sorted(site.glob(pattern)):
            first = seen.setdefault(hashlib.sha256(path.read_bytes()).hexdigest(), path)
            if first is not path:
                path.unlink()
                path.symlink_to(os.path.relpath(first, path.parent))


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def _bytes(directory: Path) -> int:
    return sum(p.stat().st_size for p in directory.rglob("*") if p.is_file() and not p.is_symlink())


if __name__ == "__main__":
    main(
        Path(sys.argv[1]).resolve(), {Path(line) for line in Path(sys.argv[2]).read_text().split()}
    )
