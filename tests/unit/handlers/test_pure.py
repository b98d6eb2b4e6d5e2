"""The pure parts around the reconcilers: overlap, locations, the queue's order, policies."""

import base64
import datetime as dt
from pathlib import Path

import pytest

from cloudflux.api.common import Location, Tier
from cloudflux.api.task import AzureCredentials, Credentials, GcsCredentials
from cloudflux.api.tieringpolicy import Schedule
from cloudflux.errors import ConfigurationError, EndpointRefused, LocationRefused
from cloudflux.handlers.credentials import SecretNotFound, SecretRefused, from_secret
from cloudflux.handlers.locations import check_endpoint, check_file, check_scheme
from cloudflux.handlers.overlap import place, touches
from cloudflux.handlers.policy_plan import job_name, jobs_to_make, next_run
from cloudflux.handlers.resolve import TierUnknown, meaning_of_tier
from cloudflux.handlers.resources import DATA_SET, JOB, POLICY, Job, Raw, parse
from cloudflux.handlers.selection import assign, conflict_message
from cloudflux.handlers.standing import Standing

NOW = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)


def raw(kind: str, name: str, spec: Raw, status: Raw | None = None, **labels: str) -> Raw:
    metadata = {
        "namespace": "ns", "name": name, "uid": f"uid-{name}", "generation": 1,
        "resourceVersion": "1", "labels": labels, "creationTimestamp": "2026-03-01T00:00:00Z",
    }  # fmt: skip
    return {"kind": kind, "metadata": metadata, "spec": spec, "status": status or {}}


def a_job(name: str, phase: str = "Pending", reason: str = "", priority: int = 0):
    spec = {"dataSetRef": {"name": "d"}, "target": {"storageClass": "X"}, "priority": priority}
    return parse(JOB, raw(JOB, name, spec, {"phase": phase, "reason": reason}))


def a_policy(name: str, **labels: str):
    tiers = [{"name": "Cold", "s3StorageClass": "GLACIER_IR"}]
    spec = {"tiers": tiers, "mode": "Auto", "selector": {"matchLabels": labels}}
    return parse(POLICY, raw(POLICY, name, spec))


def a_data_set(status: Raw | None = None, **labels: str):
    return parse(DATA_SET, raw(DATA_SET, "d", {"location": {"uri": "s3://b/p"}}, status, **labels))


@pytest.mark.parametrize(
    ("one", "other", "touch"),
    [
        ("s3://b/p", "s3://b/p/", True),
        ("s3://b/p", "s3://b/p/deeper", True),
        ("s3://b", "s3://b/p", True),
        ("s3://b/p", "s3://b/pq", False),
        ("s3://b/p", "s3://c/p", False),
    ],
)
def test_prefixes_touch_by_whole_parts(one: str, other: str, touch: bool) -> None:
    assert touches(place(one), place(other)) is touch
    assert touches(place(other), place(one)) is touch


def test_endpoints_are_compared_by_what_serves_them() -> None:
    same = place("s3://b", "http://LOCALHOST:9000/"), place("s3://b/p", "http://127.0.0.1:9000")
    assert touches(*same)
    assert not touches(place("s3://b", "http://127.0.0.1:9000"), place("s3://b"))


def test_a_bucket_of_google_is_one_place_by_either_protocol() -> None:
    google = "https://storage.googleapis.com"
    assert touches(place("gs://b/p"), place("gs://b", f"{google}:443/"))
    assert touches(place("gs://b/p"), place("s3://b", google))
    assert not touches(place("gs://b"), place("s3://b"))
    assert not touches(place("gs://b", "http://127.0.0.1:1"), place("gs://b"))
    assert not touches(place("az://b", AT_AZURE), place("az://b", "https://x.example"))


def test_a_directory_is_compared_by_its_real_path(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    link, deeper = (tmp_path / "link").as_uri(), (tmp_path / "real" / "x").as_uri()
    assert touches(place(link), place(deeper))


def test_a_link_out_of_the_roots_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").symlink_to("/etc")
    roots = (str(tmp_path.resolve()),)
    check_file(f"file://{tmp_path}/in", roots, "ns")
    for uri in (f"file://{tmp_path}/out", f"file://{tmp_path}/../x", "file:///etc"):
        with pytest.raises(LocationRefused):
            check_file(uri, roots, "ns")


@pytest.mark.parametrize(
    "endpoint",
    ["http://169.254.169.254", "http://localhost:1", "http://10.0.0.1", "http://minio.ns.svc",
     "http://minio", "http://[::1]:9000"],
)  # fmt: skip
async def test_addresses_inside_are_refused_unless_allowed(endpoint: str) -> None:
    with pytest.raises(EndpointRefused):
        await check_endpoint(endpoint, ())
    await check_endpoint(endpoint, (endpoint + "/",))


def test_an_unknown_scheme_is_named() -> None:
    with pytest.raises(ConfigurationError, match="s3://"):
        check_scheme("ftp://host/x")


def secret(**changes: Raw) -> Raw:
    metadata = {"name": "keys", "namespace": "ns", "labels": {"cloudflux.io/credentials": "true"}}
    return {
        "metadata": metadata | changes,
        "data": {"accessKeyId": "QQ==", "secretAccessKey": "Qg=="},
    }


def test_a_secret_must_be_labelled_whole_and_meant_for_the_endpoint() -> None:
    found = from_secret(secret(), None, "s3://bucket")
    assert isinstance(found, Credentials)
    assert found.access_key_id == "A"
    with pytest.raises(SecretNotFound, match="label"):
        from_secret(secret(labels={}), None, "s3://bucket")
    with pytest.raises(SecretNotFound, match="secretAccessKey"):
        from_secret({**secret(), "data": {"accessKeyId": "QQ=="}}, None, "s3://bucket")
    bound = secret(annotations={"cloudflux.io/endpoints": "https://s3.example"})
    assert from_secret(bound, "https://s3.example/", "s3://bucket") == found
    with pytest.raises(SecretRefused):
        from_secret(bound, "https://evil.example", "s3://bucket")
    heard = "https://s3.example"
    assert from_secret(bound, heard, "s3://bucket", must_list=True) == found
    with pytest.raises(SecretRefused, match=f"cloudflux.io/endpoints={heard}"):
        from_secret(secret(), heard, "s3://bucket", must_list=True)


def azure_secret(**data: str) -> Raw:
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    return {**secret(), "data": encoded}


AT_AZURE = "https://acct.blob.core.windows.net"
AZURITE = "http://127.0.0.1:10000/acct"


@pytest.mark.parametrize(
    ("data", "endpoint"),
    [
        ({"accountName": "acct", "accountKey": "a2V5"}, AT_AZURE),
        ({"accountName": "acct", "sasToken": "?sv=1"}, AT_AZURE),
        ({"connectionString": "AccountName=acct;AccountKey=a2V5"}, AT_AZURE),
        (
            {"connectionString": f"AccountName=acct;AccountKey=a2V5;BlobEndpoint={AZURITE}/;"},
            AZURITE,
        ),
        (
            {
                "connectionString": "BlobEndpoint=https://acct.blob.core.windows.net;"
                "SharedAccessSignature=sv=1"
            },
            f"{AT_AZURE}/",
        ),
    ],
)
def test_azure_secrets_name_the_account_with_a_key_or_a_signature(
    data: dict[str, str], endpoint: str
) -> None:
    found = from_secret(azure_secret(**data), endpoint, "az://box")
    assert isinstance(found, AzureCredentials)
    assert found.account == "acct"
    key, sas = found.account_key, found.sas_token
    assert (key and key.get_secret_value()) in (None, "a2V5")
    assert (sas and sas.get_secret_value()) in (None, "sv=1")
    assert key or sas


@pytest.mark.parametrize(
    ("data", "endpoint", "error"),
    [
        ({}, AT_AZURE, "accountName"),
        ({"accountName": "acct"}, AT_AZURE, "accountKey or sasToken"),
        ({"connectionString": "AccountKey=a2V5"}, "https://x.example", "is for https://"),
        (
            {"connectionString": f"AccountName=acct;AccountKey=a2V5;BlobEndpoint={AZURITE}"},
            AT_AZURE,
            "write that into the location's endpoint",
        ),
    ],
)
def test_azure_secrets_that_are_not_whole_or_lead_elsewhere_are_refused(
    data: dict[str, str], endpoint: str | None, error: str
) -> None:
    with pytest.raises((SecretNotFound, SecretRefused), match=error) as raised:
        from_secret(azure_secret(**data), endpoint, "az://box")
    assert "a2V5" not in str(raised.value)


def test_an_azure_secret_bound_to_an_endpoint_goes_nowhere_else() -> None:
    data = azure_secret(accountName="acct", accountKey="a2V5")
    data["metadata"]["annotations"] = {"cloudflux.io/endpoints": AT_AZURE}
    assert from_secret(data, AT_AZURE, "az://box")
    with pytest.raises(SecretRefused):
        from_secret(data, "https://evil.example", "az://box")


def test_google_secrets_hold_a_service_account_or_say_that_none_is_needed() -> None:
    key = '{"type": "service_account", "client_email": "a@b"}'
    found = from_secret(azure_secret(serviceAccountJson=key), None, "gs://bucket")
    assert isinstance(found, GcsCredentials)
    assert found.service_account is not None
    assert found.service_account.get_secret_value() == key
    assert from_secret(azure_secret(anonymous="true"), None, "gs://bucket") == GcsCredentials()
    for wrong in ("", "no json", '{"type": "authorized_user"}', "[]"):
        with pytest.raises(SecretNotFound, match="--from-file=serviceAccountJson"):
            from_secret(azure_secret(serviceAccountJson=wrong), None, "gs://bucket")


@pytest.mark.parametrize(
    ("uri", "named"),
    [("s3://a", "GLACIER_IR"), ("az://abc", "Cool"), ("gs://abc", "NEARLINE")],
)
def test_a_tier_means_what_the_policy_says_for_the_provider(uri: str, named: str) -> None:
    tiers = [
        {"name": "Warm", "s3StorageClass": "GLACIER_IR", "azureTier": "Cool",
         "gcsStorageClass": "NEARLINE"},
        {"name": "Cold", "fileRoot": "file:///cold"},
    ]  # fmt: skip
    policy = parse(POLICY, raw(POLICY, "p", {"tiers": tiers}))
    assert meaning_of_tier(Tier.WARM, Location(uri=uri), policy) == (named, None)
    with pytest.raises(TierUnknown, match=r"Cold no (s3StorageClass|azureTier|gcsStorageClass)"):
        meaning_of_tier(Tier.COLD, Location(uri=uri), policy)
    at_home = meaning_of_tier(Tier.COLD, Location(uri="file:///a"), policy)
    assert at_home == (None, "file:///cold")


def test_the_queue_goes_by_priority_and_counts_only_those_who_wait_for_a_slot() -> None:
    running = a_job("running", "Copying")
    waiting = a_job("a", "Queued", "Queued")
    busy = a_job("b", "Queued", "DataSetBusy")
    mine = a_job("c")
    line = standing(running, waiting, busy, mine)
    assert line.turn(mine, (), 2).queue_position == 2
    assert line.turn(mine, (), 3).slot_available
    assert line.turn(mine, [waiting.uid], 3).slot_available, "who is let in waits no more"
    assert line.turn(a_job("d", priority=5), (), 2).slot_available
    assert line.turn(running, (), 1).slot_available, "who moves keeps its slot"
    assert not standing(mine).turn(mine, ["uid-other"], 1).slot_available
    assert line.first_in_line(5) == [waiting.key]
    assert line.waiting == {busy.key}


def in_namespace(job: Job, namespace: str) -> Job:
    metadata = {**job.raw["metadata"], "namespace": namespace, "uid": f"{namespace}-{job.name}"}
    return parse(JOB, {**job.raw, "metadata": metadata})


def test_a_namespace_that_holds_its_share_keeps_no_other_from_a_slot() -> None:
    greedy = [in_namespace(a_job(f"long{n}", "Copying"), "greedy") for n in range(3)]
    more = [
        in_namespace(a_job(f"more{n}", "Queued", "Queued", priority=1000), "greedy")
        for n in range(9)
    ]
    modest = in_namespace(a_job("modest", "Queued", "Queued"), "modest")
    fair = standing(*greedy, *more, modest, most_each=3)
    assert fair.turn(modest, (), 4).slot_available
    assert not fair.turn(more[0], (), 4).slot_available
    assert fair.first_in_line(2) == [modest.key]
    # who was let in just now counts, though no status says so yet
    assert not fair.turn(modest, [in_namespace(a_job("x"), "modest").uid], 4).slot_available
    assert not standing(*greedy, *more, modest).turn(modest, (), 4).slot_available
    ended = standing(*greedy[:2], *more, modest, most_each=3)
    assert ended.turn(more[0], (), 4).slot_available
    assert not ended.turn(more[1], (), 4).slot_available
    assert ended.turn(modest, (), 4).slot_available


def standing(*jobs: Job, most_each: int | None = None) -> Standing:
    made = Standing({job.key: job for job in jobs}.get, most_each)
    for job in jobs:
        made.hear(JOB, job.key, job.raw)
    return made


def test_a_data_set_of_two_policies_has_none() -> None:
    data_set = a_data_set(team="x")
    assert assign([a_policy("one", team="x"), a_policy("two", team="y")], data_set).policy
    both = assign([a_policy("two", team="x"), a_policy("one")], data_set)
    assert (both.policy, both.conflict) == (None, ("one", "two"))


def test_a_policy_makes_each_recommendations_job_once() -> None:
    item = {
        "id": "abcdef0123456789", "objects": 1, "bytes": 5, "from": "STANDARD", "to": "GLACIER_IR",
        "tier": "Cold", "savingsPerMonth": "1", "oneOffCost": "1", "confidencePercent": 90,
        "reason": "idle",
    }  # fmt: skip
    data_set, policy = a_data_set({"recommendations": [item]}), a_policy("p")
    made = jobs_to_make(policy, data_set, [], NOW)
    assert [one["metadata"]["name"] for one in made] == ["d-abcdef01"]
    assert made[0]["spec"]["target"] == {"storageClass": "GLACIER_IR"}
    assert jobs_to_make(policy, data_set, [a_job("d-abcdef01")], NOW) == []
    assert jobs_to_make(policy, data_set, [a_job("other")], NOW) == []
    assert len(jobs_to_make(policy, data_set, [a_job("other", "Completed")], NOW)) == 1
    assert len(job_name("x" * 253, "abcdef0123")) == 253


def test_a_schedule_is_read_in_its_zone() -> None:
    schedule = Schedule(cron="0 3 * * *", time_zone="Europe/Paris")
    assert next_run(schedule, NOW) == dt.datetime(2026, 3, 2, 2, tzinfo=dt.UTC)
    for bad in ({"cron": "not a cron"}, {"cron": "0 3 * * *", "time_zone": "Mars/Phobos"}):
        with pytest.raises(ConfigurationError):
            next_run(Schedule(**bad), NOW)


def test_two_policies_are_both_and_three_are_all() -> None:
    assert conflict_message("d", ("a", "b")).startswith("policies a and b both select data set d;")
    assert conflict_message("d", ("a", "b", "c")).startswith("policies a, b and c all select")
