"""The Job of worker pods: when there is one, and what its pods may and may not."""

import json
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from cloudflux.api.common import Encryption, EncryptionType, Location, SecretRef
from cloudflux.api.migrationjob import JobPin, MigrationJobSpec, MigrationJobStatus, PlanStatus
from cloudflux.api.move_tasks import JobTask, ShareResult, WorkerTask
from cloudflux.api.task import Credentials, StoreEncryption, StoreRef
from cloudflux.cli.worker import with_credentials
from cloudflux.errors import ConfigurationError
from cloudflux.handlers.resources import JOB, parse
from cloudflux.handlers.worker_pods import (
    ended,
    job_name,
    refusal,
    wanted,
    worker_job,
    worker_task,
)
from cloudflux.settings import Settings, WorkerSettings
from cloudflux.workers.run import NEVER

ON = WorkerSettings(enabled=True, image="operator:1", auto_objects=100, auto_bytes=1000)
SHARE = ShareResult(
    run="r1", shards=9, workers=3, objects=5, size_bytes=6,
    objects_before=0, bytes_before=0, objects_total=5, bytes_total=6,
)  # fmt: skip


def pin(source: str = "s3://a/x", target: str = "s3://b/y", **fields: Any) -> JobPin:
    return JobPin(
        source=Location(uri=source, credentials_secret_ref=SecretRef(name="keys")),
        target=Location(uri=target),
        source_generation=0,
        data_set_uid="ds",
        **fields,
    )


def spec(mode: str) -> MigrationJobSpec:
    return MigrationJobSpec.model_validate(
        {"dataSetRef": {"name": "d"}, "target": {"tier": "Cold"}, "execution": {"mode": mode}}
    )


def planned(objects: int, size_bytes: int) -> MigrationJobStatus:
    plan = PlanStatus.model_construct(objects=objects, bytes=size_bytes)
    return MigrationJobStatus.model_construct(plan=plan)


def job(name: str = "move.big") -> Any:
    return parse(JOB, {
        "metadata": {"name": name, "namespace": "team", "uid": "u-1", "generation": 1,
                     "resourceVersion": "1", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": spec("Job").model_dump(by_alias=True, mode="json", exclude_none=True),
    })  # fmt: skip


def task() -> WorkerTask:
    keys = Credentials(access_key_id="AKIA", secret_access_key=SecretStr("hidden"))
    request = JobTask(
        job_uid="u-1", job_name="move", namespace="team", data_set_uid="ds", source_generation=0,
        source=StoreRef(uri="s3://a/x", endpoint="http://store", credentials=keys, ambient=True),
        target=StoreRef(uri="s3://b/y", credentials=keys), bandwidth_bytes_per_second=10,
    )  # fmt: skip
    return worker_task(request, SHARE)


@pytest.mark.parametrize(
    ("mode", "status", "where", "expected"),
    [
        ("Local", planned(10**6, 10**12), pin(), False),
        ("Job", planned(1, 1), pin(), True),
        ("Auto", planned(99, 999), pin(), False),
        ("Auto", planned(100, 1), pin(), True),
        ("Auto", planned(1, 1000), pin(), True),
        ("Auto", planned(10**6, 10**12), pin("file:///d"), False),
        ("Job", planned(1, 1), pin(target_class="GLACIER"), False),
    ],
)
def test_worker_pods_copy_what_is_asked_or_large(
    mode: str, status: MigrationJobStatus, where: JobPin, expected: bool
) -> None:
    assert wanted(spec(mode), status, where, ON) is expected


def test_auto_makes_no_pods_where_they_are_off_and_job_says_what_to_do() -> None:
    off = WorkerSettings()
    assert not wanted(spec("Auto"), planned(10**9, 10**15), pin(), off)
    assert "workers.enabled=true" in (refusal(pin(), off) or "")
    assert "file:///d" in (refusal(pin(target="file:///d"), ON) or "")
    assert refusal(pin(), ON) is None


def test_a_worker_is_told_no_credentials_and_its_share_of_the_bandwidth() -> None:
    told = task()
    assert told.source.credentials is None
    assert told.target.credentials is None
    assert not told.source.ambient
    assert told.source.endpoint == "http://store"
    assert told.bandwidth_bytes_per_second == 3


def test_what_is_encrypted_with_our_key_never_goes_to_a_worker_in_clear() -> None:
    sealed = Encryption(type=EncryptionType.CLIENT, key_secret_ref=SecretRef(name="vault-key"))
    place = Location(uri="s3://b/y", encryption=sealed)
    vault = pin().model_copy(update={"target": place})
    assert not wanted(spec("Auto"), planned(100, 1000), vault, ON)
    assert "worker pods are given no encryption key" in str(refusal(vault, ON))
    held = StoreEncryption(type=EncryptionType.CLIENT, secret=SecretStr("k"))
    asked = task().model_copy(update={"target": StoreRef(uri="s3://b/y", encryption=held)})
    with pytest.raises(ConfigurationError, match="no encryption key"):
        worker_task(asked, SHARE)
    named = StoreEncryption(type=EncryptionType.KMS, key="arn")
    asked = task().model_copy(update={"target": StoreRef(uri="s3://b/y", encryption=named)})
    assert worker_task(asked, SHARE).target.encryption == named


def test_a_worker_itself_writes_nothing_plain_where_a_key_is_missing() -> None:
    ref = StoreRef(uri="s3://b/y", encryption=StoreEncryption(type=EncryptionType.CLIENT))
    with pytest.raises(ConfigurationError, match="no encryption key"):
        with_credentials(ref, None)
    assert with_credentials(StoreRef(uri="s3://b/y"), None).ambient


def test_a_worker_connects_only_where_the_operator_would() -> None:
    guarded = task().model_copy(update={"target": StoreRef(uri="s3://b/y", public_only=True)})
    assert worker_task(guarded, SHARE).target.public_only


def test_the_limits_of_all_jobs_are_shared_among_workers() -> None:
    limits = {"total_bytes_per_second": 30, "requests_per_second": 6.0}
    told = worker_task(task().model_copy(update=limits), SHARE)
    assert (told.total_bytes_per_second, told.requests_per_second) == (10, 2.0)


def test_the_pod_has_no_right_on_the_api_and_no_credentials_but_the_mounted_secret() -> None:
    made = worker_job(job(), pin(), task(), SHARE, Settings(workers=ON))
    text = json.dumps(made)
    assert "hidden" not in text
    assert "AKIA" not in text
    pod = made["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    container = pod["containers"][0]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["args"] == ["worker", "--source-credentials=/credentials/source"]
    secrets = [v["secret"]["secretName"] for v in pod["volumes"] if "secret" in v]
    assert secrets == ["keys"]
    assert made["metadata"]["ownerReferences"][0]["uid"] == "u-1"


def test_an_exit_that_no_try_can_mend_fails_the_job_and_an_eviction_counts_for_nothing() -> None:
    rules = worker_job(job(), pin(), task(), SHARE, Settings(workers=ON))["spec"][
        "podFailurePolicy"
    ]["rules"]
    assert rules[0]["action"] == "FailJob"
    assert rules[0]["onExitCodes"]["values"] == [NEVER]
    assert rules[1]["action"] == "Ignore"


def test_only_where_pods_run_can_be_set() -> None:
    chosen = ON.model_copy(update={"pod": {"nodeSelector": {"disk": "fast"}}})
    made = worker_job(job(), pin(), task(), SHARE, Settings(workers=chosen))
    assert made["spec"]["template"]["spec"]["nodeSelector"] == {"disk": "fast"}
    with pytest.raises(ValidationError, match="hostNetwork can't be set"):
        WorkerSettings(pod={"hostNetwork": True})


def test_names_fit_and_differ() -> None:
    long = job("a" * 63)
    assert len(job_name(long)) <= 52  # the index and a suffix follow in a pod's name
    assert job_name(job("move.big")).startswith("move-big-")


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ([], None),
        ([{"type": "Suspended", "status": "True"}], None),
        ([{"type": "Complete", "status": "True", "message": "m"}], (True, "m")),
        ([{"type": "Failed", "status": "True", "reason": "PodFailurePolicy"}],
         (False, "PodFailurePolicy")),
        ([{"type": "Failed", "status": "False"}], None),
    ],
)  # fmt: skip
def test_how_a_job_ended(conditions: list[dict[str, str]], expected: Any) -> None:
    assert ended({"status": {"conditions": conditions}}) == expected
