"""The pure parts around the reconcilers: overlap, locations, the queue's order, policies."""

import datetime as dt
from pathlib import Path

import pytest

from cloudflux.api.tieringpolicy import Schedule
from cloudflux.errors import ConfigurationError, LocationRefused
from cloudflux.handlers.credentials import SecretNotFound, SecretRefused, from_secret
from cloudflux.handlers.locations import EndpointRefused, check_endpoint, check_file, check_scheme
from cloudflux.handlers.overlap import place, touches
from cloudflux.handlers.policy_plan import job_name, jobs_to_make, next_run
from cloudflux.handlers.resources import DATA_SET, JOB, POLICY, Job, Raw, parse
from cloudflux.handlers.selection import assign
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
    assert from_secret(secret(), None).access_key_id == "A"
    with pytest.raises(SecretNotFound, match="label"):
        from_secret(secret(labels={}), None)
    with pytest.raises(SecretNotFound, match="secretAccessKey"):
        from_secret({**secret(), "data": {"accessKeyId": "QQ=="}}, None)
    bound = secret(annotations={"cloudflux.io/endpoints": "https://s3.example"})
    assert from_secret(bound, "https://s3.example/").access_key_id == "A"
    with pytest.raises(SecretRefused):
        from_secret(bound, "https://evil.example")


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


def standing(*jobs: Job) -> Standing:
    made = Standing({job.key: job for job in jobs}.get)
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
