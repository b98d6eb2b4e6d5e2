"""The chart: rendered by helm, checked by a real API server, refused where it should be."""

import base64
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from cloudflux.settings import Settings, WorkerSettings
from cloudflux_dev import chart, parts
from cloudflux_dev.cluster import ControlPlane

pytestmark = pytest.mark.cluster

VALUES: dict[str, list[str]] = {
    "defaults": [],
    "one namespace": [
        *("--set", "watchNamespaces={team-a}", "--set", "rbac.aggregate=false"),
        *("--set", "console.enabled=true"),
    ],
    "everything on": [
        *("--set", "replicas=2", "--set", "podDisruptionBudget.enabled=true"),
        *("--set", "networkPolicy.enabled=true", "--set", "state.persistence.enabled=true"),
        *("--set", "credentials.namespaces={team-a,team-b}"),
        *("--set", "console.enabled=true", "--set", "console.allowedHosts={console.example}"),
        *("--set", "console.operatorLog.enabled=true"),
        *("--set", "workers.enabled=true", "--set", "workers.namespaces={team-a,team-b}"),
        *("--set-json", 'workers.pod={"nodeSelector":{"disk":"fast"}}'),
        *("--set-json", 'operator.fileRoots={"*":["/data"]}'),
        *("--set-json", 'operator.priceOverlay={"figures":[]}'),
        *("--set-json", 'extraEnv=[{"name":"HTTPS_PROXY","value":"http://proxy:3128"}]'),
        *("--set-json", 'extraVolumes=[{"name":"disk","emptyDir":{}}]'),
        *("--set-json", 'extraVolumeMounts=[{"name":"disk","mountPath":"/data"}]'),
        *("--set-json", 'podAnnotations={"a":"b"}', "--set-json", 'podLabels={"c":"d"}'),
        *("--set-json", 'networkPolicy.egress=[{"ports":[{"port":443}]}]'),
    ],
}


@pytest.fixture(scope="module", autouse=True)
def helm() -> Path:
    found = parts.find("helm")
    if found is None:
        pytest.skip(parts.why_missing("helm"))
    return found


def rendered(*arguments: str) -> list[dict[str, Any]]:
    return [item for item in yaml.safe_load_all(chart.template(*arguments)) if item]


def of_kind(items: list[dict[str, Any]], kind: str, ending: str = "") -> dict[str, Any]:
    found = [i for i in items if i["kind"] == kind and i["metadata"]["name"].endswith(ending)]
    assert len(found) == 1, f"{len(found)} of {kind} …{ending}"
    return found[0]


@pytest.mark.parametrize("name", VALUES)
def test_the_api_server_takes_every_object(
    name: str, control_plane: ControlPlane, tmp_path: Path
) -> None:
    namespaces = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
        for namespace in ("cloudflux", "team-a", "team-b")
    ]
    control_plane.kubectl("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump_all(namespaces))
    items = [i for i in rendered(*VALUES[name]) if i["kind"] != "CustomResourceDefinition"]
    path = tmp_path / "chart.yaml"
    path.write_text(yaml.safe_dump_all(items))
    said = control_plane.kubectl(
        "apply", "--server-side", "--dry-run=server", "--validate=strict",
        "--field-manager=test", "-f", str(path),
    )  # fmt: skip
    assert len(said.splitlines()) == len(items)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--set", "operator.movess=Stop"], "movess"),
        (["--set", "operator.moves=Sometimes"], "moves"),
        (["--set", "replicas=-1"], "replicas"),
        (["--set-json", 'workers.pod={"hostNetwork":true}'], "hostNetwork"),
        (["--set", "image.digest=latest"], "digest"),
        (["--set-json", 'operator.fileRoots={"a":["relative"]}'], "fileRoots"),
    ],
)
def test_values_that_can_not_be_meant_are_refused(arguments: list[str], word: str) -> None:
    with pytest.raises(subprocess.CalledProcessError) as refused:
        chart.template(*arguments)
    assert word in refused.value.stderr


def test_the_crds_are_the_generated_ones_and_stay() -> None:
    crds = [i for i in rendered() if i["kind"] == "CustomResourceDefinition"]
    assert len(crds) == 3
    for crd in crds:
        name = crd["metadata"]["name"]
        generated = yaml.safe_load((chart.CHART.parents[1] / "crds" / f"{name}.yaml").read_text())
        assert crd["spec"] == generated["spec"]
        assert crd["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    assert not [
        i for i in rendered("--set", "crds.enabled=false")
        if i["kind"] == "CustomResourceDefinition"
    ]  # fmt: skip


def test_no_role_lists_secrets_and_none_reads_them_without_a_binding() -> None:
    items = rendered("--set", "credentials.namespaces={team-a}")
    roles = {i["metadata"]["name"]: i for i in items if i["kind"] in ("Role", "ClusterRole")}
    touching = {
        name: rule["verbs"]
        for name, role in roles.items()
        for rule in role["rules"]
        if "secrets" in rule["resources"] or "*" in rule["resources"]
    }
    assert touching == {"cloudflux-secrets": ["get"]}
    bindings = [i for i in items if i.get("roleRef", {}).get("name") == "cloudflux-secrets"]
    assert [(b["kind"], b["metadata"]["namespace"]) for b in bindings] == [
        ("RoleBinding", "team-a")
    ]


def test_jobs_may_be_made_only_where_worker_pods_are_wanted() -> None:
    def verbs(*arguments: str) -> dict[str, list[str]]:
        role = of_kind(rendered(*arguments), "ClusterRole", "-serving")
        return {rule["resources"][0]: rule["verbs"] for rule in role["rules"]}

    assert not {"jobs", "serviceaccounts"} & verbs().keys()
    wanted = verbs("--set", "workers.enabled=true")
    assert wanted["jobs"] == ["create", "get", "delete"]
    assert wanted["serviceaccounts"] == ["get"]
    items = rendered("--set", "workers.enabled=true", "--set", "workers.namespaces={team-a}")
    mover = of_kind(items, "ServiceAccount", "cloudflux-mover")
    assert mover["metadata"]["namespace"] == "team-a"
    assert mover["metadata"]["labels"]["cloudflux.io/mover"] == "true"


def test_no_aggregated_role_writes_a_status() -> None:
    for item in rendered():
        labels = item["metadata"].get("labels", {})
        if any(key.startswith("rbac.authorization.k8s.io/aggregate-to") for key in labels):
            for rule in item["rules"]:
                assert not [r for r in rule["resources"] if r.endswith("/status")]


def test_the_pod_is_restricted() -> None:
    pod = of_kind(rendered(), "Deployment")["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    container = pod["containers"][0]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_settings_reach_the_operator() -> None:
    arguments = [
        *("--set", "watchNamespaces={team-a}", "--set", "operator.moves=DryRun"),
        *("--set-json", 'operator.fileRoots={"team-a":["/data"]}'),
        *("--set", "operator.allowedEndpoints={http://10.0.0.1:9000}"),
        *("--set", "workers.enabled=true", "--set", "workers.maxPods=7"),
    ]
    container = of_kind(rendered(*arguments), "Deployment")["spec"]["template"]["spec"][
        "containers"
    ][0]
    env = {e["name"].removeprefix("CLOUDFLUX_").lower(): e["value"] for e in container["env"]}
    given = {name: value for name, value in env.items() if "__" not in name}
    assert set(given) <= set(Settings.model_fields)
    workers = {
        name.removeprefix("workers__"): json.loads(value) if value[:1] in "[{" else value
        for name, value in env.items()
        if name.startswith("workers__")
    }
    worker_settings = WorkerSettings(**workers)
    assert worker_settings.max_pods == 7
    assert worker_settings.image == container["image"]
    assert worker_settings.auto_bytes == 1024**4
    parsed = Settings(**{k: json.loads(v) if v[:1] in "[{" else v for k, v in given.items()})
    assert parsed.namespaces == ("team-a",)
    assert parsed.moves == "DryRun"
    assert parsed.file_roots == {"team-a": ("/data",)}
    assert parsed.allowed_endpoints == ("http://10.0.0.1:9000",)
    assert parsed.service_account == "cloudflux:cloudflux-operator"


def test_rules_and_dashboards_are_installed_where_they_are_wanted() -> None:
    kinds = {item["kind"] for item in rendered()}
    assert "PrometheusRule" not in kinds
    rules = rendered("--set", "prometheusRule.enabled=true", "--set", "prometheusRule.labels.a=b")
    made = of_kind(rules, "PrometheusRule")
    assert made["spec"] == yaml.safe_load((chart.CHART / "files" / "rules.yaml").read_text())
    assert made["metadata"]["labels"]["a"] == "b"
    boards = [
        item
        for item in rendered("--set", "dashboards.enabled=true")
        if item["metadata"].get("labels", {}).get("grafana_dashboard") == "1"
    ]
    shown = {name: text for board in boards for name, text in board["data"].items()}
    assert shown == {
        path.name: path.read_text() for path in (chart.CHART / "dashboards").glob("*.json")
    }
    assert len(shown) == len(boards) == 5


def test_a_monitor_scrapes_the_port_that_the_pod_has() -> None:
    made = rendered("--set", "metrics.podMonitor.enabled=true", "--set", "metrics.service=false")
    endpoint = of_kind(made, "PodMonitor")["spec"]["podMetricsEndpoints"][0]
    container = of_kind(made, "Deployment")["spec"]["template"]["spec"]["containers"][0]
    assert endpoint["port"] in {port["name"] for port in container["ports"]}
    assert "PodMonitor" not in {item["kind"] for item in rendered()}


def test_uninstalling_leaves_crds_and_state() -> None:
    items = rendered("--set", "state.persistence.enabled=true")
    kept = {
        i["kind"]
        for i in items
        if i["metadata"].get("annotations", {}).get("helm.sh/resource-policy") == "keep"
    }
    assert kept == {"CustomResourceDefinition", "PersistentVolumeClaim"}
    assert not [i for i in items if i["metadata"].get("finalizers")]


def test_the_consoles_token_is_in_both_pods_and_asks_for_the_service() -> None:
    on = ("--set", "console.enabled=true", "--set", "console.operatorLog.enabled=true")
    items = rendered(
        *on, "--set", "networkPolicy.enabled=true",
        "--set-json", 'networkPolicy.metricsFrom=[{"podSelector":{"matchLabels":{"a":"b"}}}]',
    )  # fmt: skip
    secret = of_kind(items, "Secret", "-events-token")
    assert len(base64.b64decode(secret["data"]["token"])) >= 32
    for ending in ("-operator", "-console"):
        pod = of_kind(items, "Deployment", ending)["spec"]["template"]["spec"]
        environment = {one["name"]: one.get("value") for one in pod["containers"][0]["env"]}
        path = Path(environment["CLOUDFLUX_EVENTS_TOKEN_FILE"])
        [volume] = [v for v in pod["volumes"] if v["name"] == "events-token"]
        assert volume["secret"]["secretName"] == secret["metadata"]["name"]
        mounts = {m["name"]: m["mountPath"] for m in pod["containers"][0]["volumeMounts"]}
        assert mounts["events-token"] == str(path.parent)
    service = of_kind(items, "Service", "-metrics")["metadata"]
    assert (
        f"//{service['name']}.{service['namespace']}:8080/events"
        in (environment["CLOUDFLUX_CONSOLE__EVENTS_URL"])
    )
    policy = of_kind(items, "NetworkPolicy", "-operator")
    peers = policy["spec"]["ingress"][0]["from"]
    console = of_kind(items, "Deployment", "-console")["spec"]["selector"]
    assert {"podSelector": console} in peers
    own = rendered(*on, "--set", "console.operatorLog.existingSecret=mine")
    assert not [i for i in own if i["kind"] == "Secret"]
    with pytest.raises(subprocess.CalledProcessError):
        rendered(*on, "--set", "metrics.service=false")


def test_the_console_is_off_reads_only_and_asks_who_comes() -> None:
    assert not [i for i in rendered() if i["metadata"]["name"].endswith("-console")]
    items = rendered("--set", "console.enabled=true")
    deployment = of_kind(items, "Deployment", "-console")
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    given = {e["name"]: e["value"] for e in container["env"]}
    assert given["CLOUDFLUX_CONSOLE__AUTH"] == "Token"
    assert given["CLOUDFLUX_CONSOLE__WRITES"] == "false"
    verbs = {
        verb
        for i in items
        if i["kind"] in ("Role", "ClusterRole") and "-console" in i["metadata"]["name"]
        for rule in i["rules"]
        for verb in rule["verbs"]
        if "reviews" not in rule["resources"][0]
    }
    assert verbs == {"get", "list", "watch"}
    operator = of_kind(items, "Deployment", "-operator")["spec"]["selector"]["matchLabels"]
    assert operator.items() - deployment["spec"]["template"]["metadata"]["labels"].items()
