"""What jobs and policies may ask of worker pods, as somebody who wants more would ask."""

from typing import Any

import pytest
from pydantic import ValidationError
from tests.integration.samples import PODS
from tests.unit.handlers.test_worker_pods import ON, SHARE, job, pin, task

from cloudflux.api.common import Location
from cloudflux.api.migrationjob import JobPin
from cloudflux.api.worker_pods import WorkerPods
from cloudflux.errors import ConfigurationError
from cloudflux.handlers import worker_volumes
from cloudflux.handlers.worker_pods import refusal, wanted, worker_job
from cloudflux.handlers.worker_shape import quantity, shape
from cloudflux.settings import Settings, WorkerSettings

WIDE = ON.model_copy(update={
    "allowed_fields": (
        "resources", "nodeSelector", "affinity", "tolerations", "priorityClassName",
    ),
    "allowed_priority_classes": ("low",),
    "allowed_annotations": ("example.com/",),
})  # fmt: skip


def pods(**fields: Any) -> WorkerPods:
    return WorkerPods.model_validate(fields)


def on_disk(
    uri: str = "file:///data/a", claim: str | None = "disk", path: str = "/data", **more: Any
) -> JobPin:
    volume = {"volumeClaim": {"name": claim, "mountPath": path}} if claim else {}
    return JobPin(
        source=Location.model_validate({"uri": uri, **volume}),
        target=Location(uri="s3://b/y"),
        source_generation=0, data_set_uid="ds",
    ).model_copy(update=more)  # fmt: skip


def test_what_is_asked_and_allowed_reaches_the_pod() -> None:
    form = shape([WorkerPods.model_validate(PODS)], WIDE)
    made = worker_job(job(), pin(), task(), SHARE, Settings(workers=WIDE), form)
    template = made["spec"]["template"]
    for name in ("nodeSelector", "tolerations", "affinity", "priorityClassName"):
        assert template["spec"][name] == PODS[name]
    assert template["metadata"]["annotations"] == PODS["annotations"]
    # what nobody asked for stays the operator's default
    assert template["spec"]["containers"][0]["resources"] == {
        "requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"memory": "2Gi"},
    }  # fmt: skip


def test_the_job_goes_before_the_policy_and_both_before_the_default() -> None:
    policy = pods(resources={"requests": {"cpu": "1", "memory": "1Gi"}}, nodeSelector={"a": "1"})
    own = pods(resources={"requests": {"cpu": "2"}})
    form = shape([policy, own], ON)
    assert form.resources["requests"] == {"cpu": "2", "memory": "1Gi"}
    assert form.pod["nodeSelector"] == {"a": "1"}


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"tolerations": [{"operator": "Exists"}]}, "workers.allowed.fields"),
        ({"priorityClassName": "system-node-critical"}, "workers.allowed.fields"),
        ({"annotations": {"iam.amazonaws.com/role": "admin"}}, "workers.allowed.annotations"),
        ({"resources": {"limits": {"cpu": "400"}}}, "4 at most"),
        ({"resources": {"requests": {"memory": "9Gi"}}}, "8Gi at most"),
        ({"resources": {"limits": {"nvidia.com/gpu": "1"}}}, "workers.allowed.maxResources"),
    ],
)
def test_by_default_nobody_gets_rights_priority_or_all_of_a_node(
    asked: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words):
        shape([pods(**asked)], ON)


@pytest.mark.parametrize(
    "asked",
    [
        {"priorityClassName": "system-node-critical"},
        {"annotations": {"example.community/x": "1"}},
        {"annotations": {"example.com/ok": "1", "iam.amazonaws.com/role": "admin"}},
    ],
)
def test_what_is_allowed_is_allowed_by_name(asked: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="not allowed"):
        shape([pods(**asked)], WIDE)


@pytest.mark.parametrize(
    "field", ["hostNetwork", "volumes", "serviceAccountName", "containers", "securityContext"]
)
def test_what_a_pod_is_and_as_whom_can_not_even_be_said(field: str) -> None:
    with pytest.raises(ValidationError):
        pods(**{field: "x"})
    with pytest.raises(ValidationError, match="can't be left to jobs"):
        WorkerSettings(allowed_fields=(field,))


def test_what_an_administrator_set_for_all_pods_stays() -> None:
    own = {
        "nodeSelector": {"pool": "movers"}, "tolerations": [{"key": "movers"}],
        "affinity": {"nodeAffinity": {}},
    }  # fmt: skip
    fixed = WIDE.model_copy(update={"pod": own, "annotations": {"example.com/a": "1"}})
    form = shape([pods(nodeSelector={"disk": "fast"}, tolerations=[{"key": "x"}])], fixed)
    assert form.pod["nodeSelector"] == {"pool": "movers", "disk": "fast"}
    assert form.pod["tolerations"] == [{"key": "movers"}, {"key": "x"}]
    for asked in (
        {"nodeSelector": {"pool": "control-plane"}},
        {"affinity": PODS["affinity"]},
        {"annotations": {"example.com/a": "2"}},
    ):
        with pytest.raises(ConfigurationError, match="leave it out"):
            shape([pods(**asked)], fixed)


def test_quantities() -> None:
    assert quantity("500m") * 2 == quantity(1)
    assert quantity("1Gi") == 2**30
    assert quantity("1.5") > quantity("1k") / 1000
    with pytest.raises(ConfigurationError, match="no quantity"):
        quantity("1e99")


def test_a_directory_needs_a_claim_and_is_mounted_where_the_operator_has_it() -> None:
    bare = on_disk(claim=None)
    assert "volumeClaim" in str(refusal(bare, ON, ("/data",)))
    where = on_disk()
    assert refusal(where, ON, ("/data",)) is None
    spec = worker_job(job(), where, task(), SHARE, Settings(workers=ON))["spec"]["template"]["spec"]
    claim = next(one for one in spec["volumes"] if "persistentVolumeClaim" in one)
    assert claim["persistentVolumeClaim"] == {"claimName": "disk", "readOnly": True}
    mounts = spec["containers"][0]["volumeMounts"]
    assert {"name": claim["name"], "mountPath": "/data", "readOnly": True} in mounts


def test_a_claim_that_is_written_to_is_mounted_once_and_writable() -> None:
    target = Location.model_validate({
        "uri": "file:///data/b", "volumeClaim": {"name": "disk", "mountPath": "/data"},
    })  # fmt: skip
    both = on_disk(target=target)
    assert refusal(both, ON, ("/data",)) is None
    ((volume, mount),) = worker_volumes.mounted(both)
    assert not volume["persistentVolumeClaim"]["readOnly"]
    assert not mount["readOnly"]


@pytest.mark.parametrize(
    ("where", "roots", "words"),
    [
        (on_disk(path="/other"), ("/data", "/other"), "not below /other"),
        (on_disk("file:///opt/cloudflux/lib", path="/opt/cloudflux"), ("/",), "can't be mounted"),
        (on_disk("file:///credentials/x", path="/credentials"), ("/",), "can't be mounted"),
        (on_disk("file:///var/lib/x", path="/var/lib"), ("/",), "can't be mounted"),
        (on_disk("file:///data", path="//"), ("/",), "can't be mounted"),
        (on_disk(), ("/elsewhere",), "outside the directories"),
        (on_disk(), (), "outside the directories"),
        (
            on_disk(target=Location.model_validate({
                "uri": "file:///data/b", "volumeClaim": {"name": "another", "mountPath": "/data"},
            })),
            ("/data",), "can't both be at /data",
        ),
    ],
)  # fmt: skip
def test_a_claim_lies_over_nothing_that_a_worker_needs_and_inside_what_is_granted(
    where: JobPin, roots: tuple[str, ...], words: str
) -> None:
    assert words in str(refusal(where, ON, roots))


def test_auto_uses_pods_for_a_directory_only_with_its_claim() -> None:
    from tests.unit.handlers.test_worker_pods import planned, spec

    assert wanted(spec("Auto"), planned(100, 1), on_disk(), ON)
    assert not wanted(spec("Auto"), planned(100, 1), on_disk(claim=None), ON)
