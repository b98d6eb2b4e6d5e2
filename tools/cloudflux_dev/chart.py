"""The chart's README, from the comments of its values.yaml, and the install file for kubectl."""

import re
import subprocess
from pathlib import Path

from cloudflux_dev import assets, parts

CHART = Path(__file__).resolve().parents[2] / "charts" / "cloudflux"
README = CHART / "README.md"
HEAD = """<!-- Generated from values.yaml by `make crds`; do not edit. -->

# The cloudflux chart

Installs the operator, its three CustomResourceDefinitions and the rights that it needs.

```console
helm install cloudflux charts/cloudflux --namespace cloudflux --create-namespace
```

`values.schema.json` refuses keys that do not exist and values of a wrong kind. Uninstalling
deletes no data, no CustomResourceDefinition and no state volume; nothing carries a finalizer.

| value | default | meaning |
|---|---|---|
"""
_KEY = re.compile(
    r"^(?P<indent> *)(?P<key>[A-Za-z]+):(?: +(?P<value>[^#]*?))?(?: +# (?P<say>.*))?$"
)


def values_page(text: str) -> str:
    """Return the README for the text of a values.yaml: one row a value, nested keys dotted."""
    rows, path = [], [""]
    above: list[str] = []
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("#"):
            above.append(stripped.lstrip("# "))
            continue
        match = _KEY.match(line)
        if match is None:
            above = []
            continue
        depth = len(match["indent"]) // 2
        path = [*path[:depth], match["key"]]
        if match["value"]:
            say = " ".join(filter(None, [match["say"], *above]))
            default = match["value"].replace("|", "\\|")
            rows.append(f"| `{'.'.join(path)}` | `{default}` | {say} |")
        above = []
    return HEAD + "\n".join(rows) + "\n"


def readme() -> str:
    """Return what the chart's README should be."""
    return values_page((CHART / "values.yaml").read_text())


def template(*arguments: str, release: str = "cloudflux", namespace: str = "cloudflux") -> str:
    """Return the rendered chart. Raises subprocess.CalledProcessError with helm's words."""
    helm = parts.get("helm", lambda _line: None)
    # a helm built from its module knows no version of Kubernetes and assumes an old one
    flags = ["--namespace", namespace, "--kube-version", assets.BUILD_VERSION]
    command = [str(helm), "template", release, str(CHART), *flags, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def install_file() -> str:
    """Return one file for `kubectl apply -f`: the namespace and everything of the chart."""
    head = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: cloudflux\n"
    return head + template("--set", "fullnameOverride=cloudflux")
