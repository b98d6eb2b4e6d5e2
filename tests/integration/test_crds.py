"""What the real API server accepts, refuses and shows of our resources."""

import copy
import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
from tests.integration.samples import LOCATION, SPECS, put, resource

from cloudflux.api.common import Condition, ConditionStatus
from cloudflux.api.crds import KINDS, SCHEMA_VERSION_ANNOTATION, crd, mismatch
from cloudflux.api.dataset import LOG_SCHEMES, REPORT_SCHEMES, DataSetStatus, InventoryStatus
from cloudflux.api.migrationjob import Execution, MigrationJobStatus, Phase
from cloudflux.api.rules import LIVE_EXECUTION_FIELDS, RULES
from cloudflux_dev.cluster import ControlPlane
from cloudflux_dev.kubeapi import CLOUDFLUX, ApiError, KubeApi, plural_of

pytestmark = pytest.mark.cluster

AT_AZURE = "https://acct.blob.core.windows.net"
S3_LOCATION = {"uri": "s3://archive/logs"}
FILE_SOURCE = [{"type": "FileAtime"}]


def only(target: str, value: Any) -> dict[str, Any]:
    """Changes that leave a job one target and no selection."""
    return {"target": {target: value}, "selection": None}


CLAIM = {"name": "disk", "mountPath": "/logs"}

# kind, path of the rule, changes that break it alone, its message
BAD_LOCATIONS = [
    ({**LOCATION, "uri": "S3://logs/x"}, "uri must start with s3://, az://, gs:// or file://"),
    ({**LOCATION, "uri": "s3://B/x"}, "uri must name a bucket, as in s3://bucket/prefix"),
    (
        {"uri": "az://box"},
        "az:// needs endpoint, which names the account: https://ACCOUNT.blob.core.windows.net",
    ),
    (
        {"uri": "az://B/x", "endpoint": AT_AZURE},
        "uri must name a container, as in az://container/prefix",
    ),
    ({**LOCATION, "uri": "gs://B/x"}, "uri must name a bucket, as in gs://bucket/prefix"),
    ({"uri": "file://logs"}, "uri must be an absolute path, as in file:///directory"),
    ({"uri": "file:///logs/.."}, "uri must not contain '..'"),
    (
        {**LOCATION, "endpoint": "host:9000"},
        "endpoint must be https://host:port or http://host:port, without path or credentials; "
        "for az:// the account may follow, as emulators have it",
    ),
    ({**LOCATION, "uri": "file:///logs"}, "endpoint is for s3://, az:// and gs:// only"),
    ({**LOCATION, "volumeClaim": CLAIM}, "volumeClaim is for file:// only"),
    (
        {"uri": "file:///logs", "volumeClaim": {**CLAIM, "mountPath": "/logs/../etc"}},
        "volumeClaim.mountPath must not contain '..'",
    ),
]

CREATIONS = [
    (
        "DataSet", "spec.location", {"location": {"uri": "ftp://host/x"}},
        "uri must start with s3://, az://, gs:// or file://",
    ),
    (
        "DataSet", "spec.location", {"location.uri": "s3:///no-bucket"},
        "uri must name a bucket, as in s3://bucket/prefix",
    ),
    (
        "DataSet", "spec.location",
        {"location": {"uri": "az://two--hyphens/x", "endpoint": AT_AZURE}, "access": None},
        "uri must name a container, as in az://container/prefix",
    ),
    (
        "DataSet", "spec.location", {"location": {"uri": "az://box"}, "access": None},
        "az:// needs endpoint, which names the account: https://ACCOUNT.blob.core.windows.net",
    ),
    (
        "DataSet", "spec.location", {"location": {"uri": "gs://Capital/x"}, "access": None},
        "uri must name a bucket, as in gs://bucket/prefix",
    ),
    (
        "DataSet", "spec.location",
        {
            "location": {"uri": "az://box", "endpoint": "https://host/acct/more"},
            "access": None,
        },
        "endpoint must be https://host:port or http://host:port, without path or credentials; "
        "for az:// the account may follow, as emulators have it",
    ),
    (
        "DataSet", "spec.location",
        {"location": {"uri": "file://relative/path"}, "access": {"sources": FILE_SOURCE}},
        "uri must be an absolute path, as in file:///directory",
    ),
    (
        "DataSet", "spec.location",
        {"location": {"uri": "file:///srv/../etc"}, "access": {"sources": FILE_SOURCE}},
        "uri must not contain '..'",
    ),
    (
        "DataSet", "spec.location", {"location.endpoint": "http://key:secret@127.0.0.1:9000"},
        "endpoint must be https://host:port or http://host:port, without path or credentials; "
        "for az:// the account may follow, as emulators have it",
    ),
    (
        "DataSet", "spec.location",
        {"location.uri": "file:///srv/data", "access": {"sources": FILE_SOURCE}},
        "endpoint is for s3://, az:// and gs:// only",
    ),
    (
        "DataSet", "spec.location", {"location.volumeClaim": CLAIM},
        "volumeClaim is for file:// only",
    ),
    (
        "DataSet", "spec.location",
        {
            "location": {"uri": "file:///x", "volumeClaim": {**CLAIM, "mountPath": "/x/.."}},
            "access": {"sources": FILE_SOURCE},
        },
        "volumeClaim.mountPath must not contain '..'",
    ),
    (
        "DataSet", "spec", {"access": {"sources": FILE_SOURCE}},
        "FileAtime is for file:// locations only",
    ),
    *(
        (
            "DataSet", "spec",
            {"location": {"uri": "file:///srv/data"}, "access.sources.0.type": kind.value},
            f"{kind} is for {scheme}:// locations only",
        )
        for kind, scheme in LOG_SCHEMES.items()
    ),
    *(
        (
            "DataSet", "spec.access.sources[]",
            {"access.sources.0.type": kind.value, "access.sources.0.logs": None},
            f"{kind} needs logs: the location where the access logs are delivered",
        )
        for kind in LOG_SCHEMES
    ),
    *(
        (
            "DataSet", "spec",
            {
                "location": {"uri": "file:///srv/data"}, "access": {"sources": FILE_SOURCE},
                "inventory": {"source": kind.value, "reports": LOCATION},
            },
            f"{kind} is for {scheme}:// locations only",
        )
        for kind, scheme in REPORT_SCHEMES.items()
    ),
    (
        "DataSet", "spec.inventory", {"inventory": {"source": "S3Inventory"}},
        "reports is needed for all sources but Listing, which takes none",
    ),
    (
        "DataSet", "spec.access.sources[]",
        {
            "location": {"uri": "file:///srv/data"},
            "access": {"sources": [{"type": "FileAtime", "logs": LOCATION}]},
        },
        "FileAtime takes no logs",
    ),
    ("DataSet", "spec.access.sources[]", {"access.sources.0.type": "Kafka"}, "Kafka takes no logs"),
    *(
        ("DataSet", "spec.access.sources[].logs", {"access.sources.0.logs": location}, message)
        for location, message in BAD_LOCATIONS
    ),
    *(
        (
            "DataSet", "spec.inventory.reports",
            {"inventory": {"source": "S3Inventory", "reports": location}}, message,
        )
        for location, message in BAD_LOCATIONS
    ),
    (
        "TieringPolicy", "spec.tiers[]", {"tiers.0": {"name": "Hot"}},
        "a tier needs s3StorageClass, azureTier, gcsStorageClass, fileRoot or several of them",
    ),
    (
        "TieringPolicy", "spec.tiers[]", {"tiers.0.fileRoot": "file://hot"},
        "fileRoot must be an absolute path, as in file:///directory",
    ),
    (
        "TieringPolicy", "spec.tiers[]", {"tiers.0.fileRoot": "file:///mnt/../hot"},
        "fileRoot must not contain '..'",
    ),
    (
        "TieringPolicy", "spec.schedule", {"schedule.cron": "0 0 3 * * *"},
        "cron must have five fields: minute, hour, day, month and day of the week",
    ),
    (
        "MigrationJob", "spec", {"target": {"location": S3_LOCATION}},
        "selection is for in-place moves (tier or storageClass) only: "
        "a move to another location takes the whole data set",
    ),
    (
        "MigrationJob", "spec.target", {"target": {"tier": "Cold", "storageClass": "GLACIER"}},
        "give exactly one of tier, storageClass and location",
    ),
    (
        "MigrationJob", "spec.target", {"target": {}},
        "give exactly one of tier, storageClass and location",
    ),
    (
        "MigrationJob", "spec.target.location", only("location", {"uri": "ftp://host/x"}),
        "uri must start with s3://, az://, gs:// or file://",
    ),
    (
        "MigrationJob", "spec.target.location", only("location", {"uri": "s3://a"}),
        "uri must name a bucket, as in s3://bucket/prefix",
    ),
    (
        "MigrationJob", "spec.target.location", only("location", {"uri": "az://box"}),
        "az:// needs endpoint, which names the account: https://ACCOUNT.blob.core.windows.net",
    ),
    (
        "MigrationJob", "spec.target.location",
        only("location", {"uri": "az://a", "endpoint": AT_AZURE}),
        "uri must name a container, as in az://container/prefix",
    ),
    (
        "MigrationJob", "spec.target.location", only("location", {"uri": "gs://a"}),
        "uri must name a bucket, as in gs://bucket/prefix",
    ),
    (
        "MigrationJob", "spec.target.location", only("location", {"uri": "file://x/y"}),
        "uri must be an absolute path, as in file:///directory",
    ),
    (
        "MigrationJob", "spec.target.location", only("location", {"uri": "file:///../etc"}),
        "uri must not contain '..'",
    ),
    (
        "MigrationJob", "spec.target.location",
        only("location", {"uri": "s3://archive", "endpoint": "ftp://host"}),
        "endpoint must be https://host:port or http://host:port, without path or credentials; "
        "for az:// the account may follow, as emulators have it",
    ),
    (
        "MigrationJob", "spec.target.location",
        only("location", {"uri": "file:///x", "endpoint": "http://host"}),
        "endpoint is for s3://, az:// and gs:// only",
    ),
    (
        "MigrationJob", "spec.target.location",
        only("location", {"uri": "s3://archive", "volumeClaim": CLAIM}),
        "volumeClaim is for file:// only",
    ),
    (
        "MigrationJob", "spec.target.location",
        only("location", {"uri": "file:///x", "volumeClaim": {**CLAIM, "mountPath": "/x/.."}}),
        "volumeClaim.mountPath must not contain '..'",
    ),
    (
        "MigrationJob", "spec.retry", {"retry.initialBackoffSeconds": 61},
        "maxBackoffSeconds must not be less than initialBackoffSeconds",
    ),
]  # fmt: skip

TOO_LONG = "the name must have at most 63 characters, so that it fits in a label"
CANT_UNCANCEL = "cancel can't be taken back; make a new MigrationJob"
URI_FIXED = (
    "location.uri can't be changed; move the data with a MigrationJob, or make a new DataSet"
)

# field of a job's spec and another value for it
JOB_CHANGES: dict[str, Any] = {
    "dataSetRef": {"name": "other"},
    "policyRef": {"name": "other"},
    "target": {"storageClass": "GLACIER"},
    "selection": {"prefix": "2025/"},
    "verify": "Size",
    "sourceRetention": {"policy": "Delete", "graceSeconds": 0},
    "retry": {"maxAttempts": 4},
    "restore": {"tier": "Bulk"},
    "activeDeadlineSeconds": 1,
    "progressDeadlineSeconds": 601,
    "budget": {"maxCost": "2.00"},
    "ttlSecondsAfterFinished": 61,
    "requireApproval": False,
}
# removing these changes nothing or another rule forbids it: required, or filled in again
NOT_REMOVABLE = {"dataSetRef", "target"}


def dry_create(api: KubeApi, manifest: dict[str, Any]) -> dict[str, Any]:
    namespace = manifest["metadata"]["namespace"]
    path = f"/apis/{CLOUDFLUX}/namespaces/{namespace}/{plural_of(manifest['kind'])}"
    return api.request("POST", f"{path}?dryRun=All&fieldValidation=Strict", manifest)


def refusal(api: KubeApi, manifest: dict[str, Any]) -> list[str]:
    """Return the messages with which the server refuses to create a resource."""
    with pytest.raises(ApiError) as refused:
        dry_create(api, manifest)
    assert refused.value.code == 422, refused.value
    return [cause["message"] for cause in refused.value.body["details"]["causes"]]


@pytest.fixture
def job(kube_api: KubeApi, namespace: str) -> str:
    kube_api.create(resource("MigrationJob", namespace))
    return namespace


def edit(api: KubeApi, namespace: str, spec: dict[str, Any], plural: str = "migrationjobs") -> None:
    api.patch(CLOUDFLUX, plural, "sample", {"spec": spec}, namespace)


def edit_refusal(api: KubeApi, namespace: str, spec: dict[str, Any], **kind: str) -> list[str]:
    with pytest.raises(ApiError) as refused:
        edit(api, namespace, spec, **kind)
    assert refused.value.code == 422
    return [cause["message"] for cause in refused.value.body["details"]["causes"]]


@pytest.mark.parametrize("kind", list(SPECS))
def test_complete_sample_is_accepted_and_kept(kube_api: KubeApi, namespace: str, kind: str) -> None:
    made = kube_api.create(resource(kind, namespace))
    for field, value in SPECS[kind].items():
        assert_kept(made["spec"][field], value)


def assert_kept(found: Any, given: Any) -> None:
    """What was given is there; defaults may stand beside it."""
    if isinstance(given, dict):
        for key, value in given.items():
            assert_kept(found[key], value)
    elif isinstance(given, list):
        assert len(found) == len(given)
        for one, other in zip(found, given, strict=True):
            assert_kept(one, other)
    else:
        assert found == given


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        ("DataSet", {"location": {"uri": "s3://bucket"}}),
        ("DataSet", {"location": {"uri": "s3://a.bucket-1/deep/prefix/"}}),
        ("DataSet", {"location": {"uri": "az://$web/deep/prefix", "endpoint": AT_AZURE}}),
        ("DataSet", {"location": {"uri": "az://box", "endpoint": "http://127.0.0.1:10000/acct"}}),
        ("DataSet", {"location": {"uri": "gs://a.bucket_1", "endpoint": "https://host:443"}}),
        ("TieringPolicy", {"tiers": [{"name": "Cold", "azureTier": "Archive"}]}),
        ("TieringPolicy", {"tiers": [{"name": "Cold", "gcsStorageClass": "ARCHIVE"}]}),
        (
            "DataSet",
            {"location": {"uri": "file:///srv/a..b"}, "access": {"sources": FILE_SOURCE}},
        ),
        ("TieringPolicy", {"tiers": [{"name": "Cold", "fileRoot": "file:///mnt/cold"}]}),
        (
            "MigrationJob",
            {"dataSetRef": {"name": "x"}, "target": {"location": {"uri": "file:///x"}}},
        ),
        ("MigrationJob", {"dataSetRef": {"name": "x"}, "target": {"storageClass": "GLACIER_IR"}}),
    ],
)
def test_short_specs_are_accepted(
    kube_api: KubeApi, namespace: str, kind: str, spec: dict[str, Any]
) -> None:
    manifest = {**resource(kind, namespace), "spec": spec}
    assert_kept(dry_create(kube_api, manifest)["spec"], spec)


@pytest.mark.parametrize(("kind", "path", "changes", "message"), CREATIONS)
def test_rule_refuses(
    kube_api: KubeApi, namespace: str, kind: str, path: str, changes: dict[str, Any], message: str
) -> None:
    messages = refusal(kube_api, resource(kind, namespace, changes))
    assert any(message in each for each in messages), messages
    assert all(each.startswith("Invalid value") for each in messages)


@pytest.mark.parametrize("kind", ["DataSet", "TieringPolicy"])
def test_name_must_fit_in_a_label(kube_api: KubeApi, namespace: str, kind: str) -> None:
    dry_create(kube_api, resource(kind, namespace, name="x" * 63))
    messages = refusal(kube_api, resource(kind, namespace, name="x" * 64))
    assert any(TOO_LONG in each for each in messages), messages


def test_uri_of_data_set_cannot_change_but_the_rest_can(kube_api: KubeApi, namespace: str) -> None:
    kube_api.create(resource("DataSet", namespace))
    changed = {"location": {"uri": "s3://other/logs"}}
    messages = edit_refusal(kube_api, namespace, changed, plural="datasets")
    assert any(URI_FIXED in each for each in messages), messages
    edit(
        kube_api, namespace, {"location": {"region": "us-east-1"}, "writers": "Active"}, "datasets"
    )


def _unchanged_message(field: str) -> str:
    return f"{field} can't be changed; make a new MigrationJob"


@pytest.mark.parametrize("field", list(JOB_CHANGES))
def test_field_of_job_cannot_be_changed_removed_or_added(
    kube_api: KubeApi, namespace: str, field: str
) -> None:
    kube_api.create(resource("MigrationJob", namespace))
    # a merge patch keeps what it does not name: null takes the old members of an object away
    old = SPECS["MigrationJob"][field]
    value = JOB_CHANGES[field]
    if isinstance(old, dict):
        value = {**dict.fromkeys(old), **value}
    messages = edit_refusal(kube_api, namespace, {field: value})
    assert any(_unchanged_message(field) in each for each in messages), messages
    if field in NOT_REMOVABLE:
        return
    messages = edit_refusal(kube_api, namespace, {field: None})
    assert any(_unchanged_message(field) in each for each in messages), messages
    kube_api.create(resource("MigrationJob", namespace, {field: None}, name="without"))
    with pytest.raises(ApiError) as refused:
        kube_api.patch(CLOUDFLUX, "migrationjobs", "without", {"spec": {field: old}}, namespace)
    assert _unchanged_message(field) in str(refused.value)


def test_of_execution_only_the_bandwidth_can_be_changed(kube_api: KubeApi, job: str) -> None:
    edit(kube_api, job, {"execution": {"bandwidthBytesPerSecond": 1000}})
    edit(kube_api, job, {"execution": {"bandwidthBytesPerSecond": None}})
    usual = SPECS["MigrationJob"]["execution"]["parallelism"]
    for edited in ({"parallelism": usual + 1}, {"parallelism": None}):
        messages = edit_refusal(kube_api, job, {"execution": edited})
        assert any("execution.parallelism can't be changed" in one for one in messages)
    kube_api.create(resource("MigrationJob", job, {"execution": None}, name="plain"))
    given = {"spec": {"execution": {"bandwidthBytesPerSecond": 5}}}
    kube_api.patch(CLOUDFLUX, "migrationjobs", "plain", given, job)  # absent is the default


def test_job_lets_suspend_cancel_approval_and_priority_change(kube_api: KubeApi, job: str) -> None:
    edit(kube_api, job, {"suspend": True, "priority": 7, "approval": "abc"})
    edit(kube_api, job, {"suspend": False, "priority": None, "approval": None})
    edit(kube_api, job, {"cancel": True})
    for back in (False, None):
        messages = edit_refusal(kube_api, job, {"cancel": back})
        assert any(CANT_UNCANCEL in each for each in messages), messages


def test_every_rule_is_tested() -> None:
    """A rule that is added without a resource that breaks it fails here."""
    tested = {(kind, path, message) for kind, path, _, message in CREATIONS}
    tested |= {("DataSet", "", TOO_LONG), ("TieringPolicy", "", TOO_LONG)}
    tested |= {("DataSet", "spec", URI_FIXED), ("MigrationJob", "spec", CANT_UNCANCEL)}
    tested |= {("MigrationJob", "spec", _unchanged_message(field)) for field in JOB_CHANGES}
    tested |= {
        ("MigrationJob", "spec", _unchanged_message(f"execution.{field.alias or name}"))
        for name, field in Execution.model_fields.items()
        if name not in LIVE_EXECUTION_FIELDS
    }
    rules = {
        (kind, path, rule.message)
        for kind, paths in RULES.items()
        for path, several in paths.items()
        for rule in several
    }
    assert rules == tested


def enums(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, list[str]]]:
    """Yield the path and the values of every enum of a schema; a list's first item is taken."""
    if "enum" in schema:
        yield path, schema["enum"]
    for name, field in schema.get("properties", {}).items():
        yield from enums(field, f"{path}.{name}".lstrip("."))
    if "items" in schema:
        yield from enums(schema["items"], f"{path}.0")


def schema_of(kind: str, part: str) -> dict[str, Any]:
    definition = crd(next(each for each in KINDS if each.kind == kind))
    version = definition["spec"]["versions"][0]
    found: dict[str, Any] = version["schema"]["openAPIV3Schema"]["properties"][part]
    return found


SPEC_ENUMS = [
    (kind, path, values) for kind in SPECS for path, values in enums(schema_of(kind, "spec"))
]


@pytest.mark.parametrize(("kind", "path", "values"), SPEC_ENUMS)
def test_enum_of_spec_refuses_another_value(
    kube_api: KubeApi, namespace: str, kind: str, path: str, values: list[str]
) -> None:
    manifest = resource(kind, namespace, {path: "Bogus"})
    supported = ", ".join(f'"{value}"' for value in values)
    expected = f'Unsupported value: "Bogus": supported values: {supported}'
    assert expected in refusal(kube_api, manifest)


STATUSES: dict[str, dict[str, Any]] = {
    "DataSet": {
        "temperature": "Hot",
        "tiers": [
            {
                "tier": "Hot", "storageClass": "STANDARD", "objects": 1, "bytes": 1,
                "monthlyCost": "0.01",
            }
        ],
        "recommendations": [
            {
                "id": "a", "objects": 1, "bytes": 1, "from": "STANDARD", "to": "GLACIER",
                "tier": "Cold", "savingsPerMonth": "1", "oneOffCost": "0", "reason": "cold",
                "confidencePercent": 90,
            }
        ],
    },
    "TieringPolicy": {},
    "MigrationJob": {"phase": "Pending", "suspendedFrom": "Copying"},
}  # fmt: skip
CONDITION = {
    "type": "Ready", "status": "True", "reason": "Scanned", "message": "",
    "lastTransitionTime": "2026-01-01T00:00:00Z",
}  # fmt: skip


@pytest.mark.parametrize("kind", list(SPECS))
def test_enums_of_status_refuse_another_value(kube_api: KubeApi, namespace: str, kind: str) -> None:
    kube_api.create(resource(kind, namespace))
    status = {**STATUSES[kind], "conditions": [CONDITION]}
    where = (CLOUDFLUX, plural_of(kind), "sample")
    kube_api.patch(*where, {"status": status}, namespace, subresource="status")
    paths = list(enums(schema_of(kind, "status")))
    assert paths
    for path, values in paths:
        broken = {"status": copy.deepcopy(status)}
        put(broken["status"], path, "Bogus")
        with pytest.raises(ApiError) as refused:
            kube_api.patch(*where, broken, namespace, subresource="status")
        messages = [cause["message"] for cause in refused.value.body["details"]["causes"]]
        supported = ", ".join(f'"{value}"' for value in values)
        assert f'Unsupported value: "Bogus": supported values: {supported}' in messages, path


def test_unknown_fields_are_refused_when_strict_and_pruned_when_not(
    kube_api: KubeApi, namespace: str
) -> None:
    manifest = resource("DataSet", namespace, {"location.colour": "red"})
    with pytest.raises(ApiError, match=r'unknown field "spec.location.colour"'):
        kube_api.create(manifest)
    made = kube_api.create(manifest, validation="Ignore")
    assert "colour" not in made["spec"]["location"]


def test_spec_writes_leave_status_alone(kube_api: KubeApi, namespace: str) -> None:
    made = kube_api.create({**resource("DataSet", namespace), "status": {"temperature": "Hot"}})
    assert "status" not in made


def test_defaults_are_filled_in(kube_api: KubeApi, namespace: str) -> None:
    manifest = resource("MigrationJob", namespace)
    manifest["spec"] = {"dataSetRef": {"name": "x"}, "target": {"tier": "Cold"}, "retry": {}}
    spec = dry_create(kube_api, manifest)["spec"]
    assert spec["verify"] == "Checksum"
    assert spec["suspend"] is False
    assert spec["retry"] == {
        "maxAttempts": 6, "initialBackoffSeconds": 10, "maxBackoffSeconds": 600,
    }  # fmt: skip


COLUMNS = {
    "datasets": "NAME TEMPERATURE OBJECTS BYTES COST/MO SAVINGS/MO READY REASON AGE",
    "tieringpolicies": "NAME MODE DATASETS SAVINGS/MO REALISED/MO LAST NEXT READY REASON AGE",
    "migrationjobs": "NAME DATASET FROM TO PHASE PROGRESS OBJECTS BYTES ETA REASON AGE",
}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_columns_and_short_name(control_plane: ControlPlane, kube_api: KubeApi, namespace: str,
                                kind: Any) -> None:  # fmt: skip
    kube_api.create(resource(kind.kind, namespace))
    shown = control_plane.kubectl("get", kind.short_name, "-n", namespace)
    assert shown.splitlines()[0].split() == COLUMNS[kind.plural].split()
    assert "sample" in control_plane.kubectl("get", "cloudflux", "-n", namespace)


def condition(type_: str, reason: str, status: ConditionStatus) -> Condition:
    return Condition(
        type=type_, status=status, reason=reason, message="",
        # kubectl wait does not believe a condition of an older generation
        observed_generation=1,
        last_transition_time=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    )  # fmt: skip


def write_status(api: KubeApi, plural: str, namespace: str, status: Any) -> None:
    content = status.model_dump(mode="json", by_alias=True, exclude_none=True)
    api.patch(CLOUDFLUX, plural, "sample", {"status": content}, namespace, subresource="status")


def test_row_of_data_set(control_plane: ControlPlane, kube_api: KubeApi, namespace: str) -> None:
    kube_api.create(resource("DataSet", namespace))
    status = DataSetStatus(
        conditions=[condition("Ready", "Scanned", ConditionStatus.TRUE)],
        inventory=InventoryStatus(
            objects=12, bytes=3 * 2**30, scanned_at=dt.datetime.now(dt.UTC)
        ),
        monthly_cost="0.0690001", savings_per_month="0.05", currency="USD",
    )  # fmt: skip
    write_status(kube_api, "datasets", namespace, status)
    row = control_plane.kubectl("get", "datasets", "-n", namespace, "--no-headers")
    for text in ("Unknown", "12", "3.00 GiB", "0.06900 USD", "0.05000 USD", "True", "Scanned"):
        assert text in row


def test_wait_for_a_job(control_plane: ControlPlane, kube_api: KubeApi, job: str) -> None:
    status = MigrationJobStatus(
        phase=Phase.COMPLETED, reason="Completed",
        conditions=[condition("Succeeded", "Completed", ConditionStatus.TRUE)],
    )  # fmt: skip
    write_status(kube_api, "migrationjobs", job, status)
    said = control_plane.kubectl(
        "wait", "--for=condition=Succeeded", "migrationjob/sample", "-n", job, "--timeout=10s"
    )
    assert "condition met" in said
    assert "Completed" in control_plane.kubectl("get", "migrationjob", "sample", "-n", job)


@pytest.mark.parametrize("kind", [kind.kind for kind in KINDS])
def test_explain_reads_well(control_plane: ControlPlane, kind: str) -> None:
    text = control_plane.kubectl("explain", f"{kind.lower()}.spec", "--recursive")
    assert "<empty>" not in text
    text = control_plane.kubectl("explain", f"{kind.lower()}.spec")
    for field, schema in schema_of(kind, "spec")["properties"].items():
        assert field in text
        assert " ".join(schema["description"].split()[:5]) in " ".join(text.split())


def test_installed_crds_are_recognised_and_others_are_told(kube_api: KubeApi) -> None:
    for kind in KINDS:
        installed = kube_api.get(
            "apiextensions.k8s.io/v1", "customresourcedefinitions", f"{kind.plural}.cloudflux.io"
        )
        assert mismatch(installed) is None
        for version, word in (("0.0.1-abc", "older"), ("99.0.0-abc", "newer"), (None, "no schema")):
            installed["metadata"]["annotations"] = (
                {SCHEMA_VERSION_ANNOTATION: version} if version else {}
            )
            assert word in str(mismatch(installed))
