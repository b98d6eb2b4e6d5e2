"""Print the software bill of materials of an environment: CycloneDX 1.6 as JSON.

`sbom.py SITE_PACKAGES`. Says nothing of the base image: scan that with its own vendor's list.
Equal environments give equal bytes.
"""

import json
import sys
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any


def component(found: Distribution) -> dict[str, Any]:
    """One installed distribution."""
    name, version = found.metadata["Name"].lower().replace("_", "-"), found.version
    purl = f"pkg:pypi/{name}@{version}"
    entry: dict[str, Any] = {
        "type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl,
    }  # fmt: skip
    expression = found.metadata.get("License-Expression")
    if expression:
        entry["licenses"] = [{"expression": expression}]
    else:
        ending = "License :: OSI Approved :: "
        named = [
            classifier.removeprefix(ending)
            for classifier in found.metadata.get_all("Classifier") or []
            if classifier.startswith(ending)
        ]
        if named:
            entry["licenses"] = [{"license": {"name": one}} for one in sorted(named)]
    return entry


def bill(site: Path) -> dict[str, Any]:
    """The whole document."""
    found = {one["purl"]: one for one in map(component, distributions(path=[str(site)]))}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": "cloudflux-operator"}},
        "components": [found[purl] for purl in sorted(found)],
    }


if __name__ == "__main__":
    print(json.dumps(bill(Path(sys.argv[1])), indent=1, sort_keys=True))
