"""`python -m cloudflux.api.generate [--check]`: write crds/ and docs/reference/ from the models."""

import argparse
import sys
from pathlib import Path
from typing import Any

import yaml

from cloudflux.api.crds import KINDS, crd
from cloudflux.api.event_reference import asyncapi, events_page, schema_text, schemas
from cloudflux.api.reference import api_page, metrics_page, vocabulary_page

ROOT = Path(__file__).resolve().parents[3]
_HEADER = "# Generated from operator/cloudflux/api by `make crds`; do not edit.\n"


class _PlainDumper(yaml.SafeDumper):
    """Writes what occurs twice twice; anchors are hard to read."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def generated() -> dict[Path, str]:
    """Return every generated file's content by its path in the checkout."""
    definitions = [crd(kind) for kind in KINDS]
    chart = ROOT / "charts" / "cloudflux" / "files" / "crds"  # Helm reads nothing outside
    files: dict[Path, str] = {}
    for definition in definitions:
        name = f"{definition['metadata']['name']}.yaml"
        content = yaml.dump(definition, Dumper=_PlainDumper, sort_keys=False, width=100)
        files[ROOT / "crds" / name] = files[chart / name] = _HEADER + content
    reference = ROOT / "docs" / "reference"
    files[reference / "api.md"] = api_page(definitions)
    files[reference / "conditions-and-reasons.md"] = vocabulary_page()
    files[reference / "metrics.md"] = metrics_page()
    files[reference / "events.md"] = events_page()
    files[reference / "asyncapi.yaml"] = asyncapi()
    for name, schema in schemas().items():
        files[reference / "schemas" / f"{name}.json"] = schema_text(schema)
    return files


def main() -> int:
    """Write the files, or with --check say which of them are out of date."""
    parser = argparse.ArgumentParser(prog="python -m cloudflux.api.generate", description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="change nothing; exit 1 if out of date"
    )
    check = parser.parse_args().check
    files = generated()
    stale = [
        path for path, content in files.items() if not path.exists() or path.read_text() != content
    ]
    names = ", ".join(str(path.relative_to(ROOT)) for path in stale)
    if check:
        if stale:
            sys.stderr.write(f"Out of date: {names}. Run `make crds` and commit the result.\n")
        return 1 if stale else 0
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(files[path])
    sys.stdout.write(f"Wrote {names}\n" if stale else "Everything is up to date.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
