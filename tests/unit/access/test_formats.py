"""Each format of access log, in the shapes that its provider documents, and damaged."""

import datetime as dt
import gzip
import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudflux.access.formats import FORMATS
from cloudflux.access.formats.base import of_json
from cloudflux.access.formats.minio import parse_entry
from cloudflux.access.formats.s3 import S3_TEXT, parse_block
from cloudflux.access.logs import ingest_logs
from cloudflux.access.places import Place
from cloudflux.access.records import Exclusions, anonymous
from cloudflux.access.store import AccessStore
from cloudflux.api.dataset import AccessSourceType as Kind
from cloudflux.storage.memory import MemoryStore

DAY = dt.date(2026, 5, 18)
NOW = dt.datetime(2026, 5, 20, 12, tzinfo=dt.UTC)
PRIVATE = ("192.0.2.3", "secret-signature", "ann@example.com", "user/ann", "curl/8", "AKIAEXAMPLE")


def lines(*entries):
    return "".join(json.dumps(entry) + "\n" for entry in entries).encode()


def s3_json(n, **more):
    return {
        "schema_version_id": "V_1_0", "bucket_arn": "arn:aws:s3:::data", "bucket_name": "data",
        "request_time": "2026-05-18T10:00:00.123Z", "bucket_owner_id": "79a59df9",
        "remote_ip": "192.0.2.3", "requester": "arn:aws:iam::1:user/ann", "request_id": f"R{n}",
        "operation": "REST.GET.OBJECT", "key_name": "in/a%20b.csv",
        "request_uri": "GET /data/in/a%20b.csv?X-Amz-Signature=secret-signature HTTP/1.1",
        "http_status": 200, "error_code": None, "bytes_sent": 70, "object_size": 70,
        "total_time": 30, "turn_around_time": 28, "referer": None, "user_agent": "curl/8",
        "version_id": None, "acl_required": None, "source_region": "us-east-1", **more,
    }  # fmt: skip


def trail(n, **more):
    return {
        "eventVersion": "1.10", "eventTime": "2026-05-18T10:00:00Z",
        "eventSource": "s3.amazonaws.com", "eventName": "GetObject", "awsRegion": "us-east-1",
        "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::1:user/ann"},
        "sourceIPAddress": "192.0.2.3", "userAgent": "[curl/8]", "readOnly": True,
        "requestParameters": {"bucketName": "data", "Host": "data.s3.amazonaws.com",
                              "key": "in/a b.csv"},
        "responseElements": None, "managementEvent": False, "eventCategory": "Data",
        "additionalEventData": {"SignatureVersion": "SigV4", "bytesTransferredIn": 0,
                                "bytesTransferredOut": 70},
        "requestID": f"R{n}", "eventID": f"e-{n}", **more,
    }  # fmt: skip


def azure(n, **more):
    return {
        "time": "2026-05-18T10:00:00.1234567Z", "category": "StorageRead",
        "resourceId": "/subscriptions/s/providers/Microsoft.Storage/storageAccounts/acct",
        "operationName": "GetBlob", "operationVersion": "2024-08-04", "schemaVersion": "1.0",
        "statusCode": 200, "statusText": "Success", "durationMs": 30,
        "callerIpAddress": "192.0.2.3:49152", "correlationId": f"c-{n}",
        "identity": {"type": "OAuth", "requester": {"objectId": "ann@example.com"}},
        "properties": {"accountName": "acct", "userAgentHeader": "curl/8",
                       "serviceType": "blob", "objectKey": "/acct/data/in/a b.csv",
                       "serverLatencyMs": 28, "responseBodySize": 70, "requestBodySize": 0},
        "uri": "https://acct.blob.core.windows.net:443/data/in/a%20b.csv?sig=secret-signature",
        "protocol": "HTTPS", **more,
    }  # fmt: skip


def audit(n, method="storage.objects.get", **payload):
    return {
        "insertId": f"i-{n}", "timestamp": "2026-05-18T10:00:00.123456789Z", "severity": "INFO",
        "logName": "projects/p/logs/cloudaudit.googleapis.com%2Fdata_access",
        "resource": {"type": "gcs_bucket", "labels": {"bucket_name": "data"}},
        "protoPayload": {
            "@type": "type.googleapis.com/google.cloud.audit.AuditLog", "methodName": method,
            "serviceName": "storage.googleapis.com", "status": {},
            "authenticationInfo": {"principalEmail": "ann@example.com"},
            "requestMetadata": {"callerIp": "192.0.2.3", "callerSuppliedUserAgent": "curl/8"},
            "resourceName": "projects/_/buckets/data/objects/in/a b.csv", **payload,
        },
    }  # fmt: skip


USAGE_HEAD = (
    '"time_micros","c_ip","c_ip_type","c_ip_region","cs_method","cs_uri","sc_status","cs_bytes",'
    '"sc_bytes","time_taken_micros","cs_host","cs_referer","cs_user_agent","s_request_id",'
    '"cs_operation","cs_bucket","cs_object"\n'
)


def usage(
    n, method="GET", operation="GET_Object", uri="/data/in/a%20b.csv", status=200, agent="curl/8"
):
    micros = int(dt.datetime(2026, 5, 18, 10, tzinfo=dt.UTC).timestamp() * 1e6)
    return (
        f'"{micros}","192.0.2.3","1","","{method}","{uri}","{status}","0","70","30000",'
        f'"storage.googleapis.com","","{agent}","r-{n}","{operation}","data","in/a%20b.csv"\n'
    )


SAMPLES = {
    Kind.S3_ACCESS_LOGS: (
        "2026-05-18-12-00-00-AA",
        lines(
            s3_json(1), s3_json(1), s3_json(2), s3_json(3, http_status=304),
            s3_json(4, operation="REST.HEAD.OBJECT"), s3_json(5, user_agent="x cloudflux/1 y"),
        ),
    ),
    Kind.CLOUD_TRAIL: (
        "AWSLogs/1/CloudTrail/us-east-1/2026/05/18/1_CloudTrail_us-east-1_20260518T1005Z_x.json.gz",
        gzip.compress(json.dumps({"Records": [
            trail(1), trail(1), trail(2), trail(3, errorCode="AccessDenied"),
            trail(4, eventName="HeadObject"), trail(5, userAgent="[x cloudflux/1 y]"),
        ]}).encode()),
    ),
    Kind.AZURE_LOGS: (
        "resourceId=/subscriptions/s/blobServices/default/y=2026/m=05/d=18/h=10/m=00/PT1H.json",
        lines(
            azure(1), azure(1), azure(2), azure(3, statusCode=404),
            azure(4, operationName="GetBlobProperties"),
            azure(5, properties={**azure(5)["properties"], "userAgentHeader": "cloudflux/1"}),
        ),
    ),
    Kind.GCS_AUDIT_LOGS: (
        "cloudaudit.googleapis.com/data_access/2026/05/18/10:00:00_10:59:59_S0.json",
        lines(
            audit(1), audit(1), audit(2), audit(3, status={"code": 5}),
            audit(4, "storage.objects.list"),
            audit(5, requestMetadata={"callerSuppliedUserAgent": "cloudflux/1"}),
        ),
    ),
    Kind.GCS_USAGE_LOGS: (
        "data_usage_2026_05_18_10_00_00_0123abcd_v0",
        (USAGE_HEAD + usage(1) + usage(1)
         + usage(2, operation="storage.objects.get", uri="/download/b/data/o/x?alt=media")
         + usage(3, status=404) + usage(4, operation="storage.objects.get", uri="/storage/v1/b/x")
         + usage(5, agent="cloudflux/1")).encode(),
    ),
}  # fmt: skip
NO_LOGS = {
    Kind.CLOUD_TRAIL: ("AWSLogs/1/CloudTrail-Digest/x.json.gz", "AWSLogs/1/x.txt"),
    Kind.AZURE_LOGS: ("README.txt",),
    Kind.GCS_AUDIT_LOGS: ("README.txt",),
    Kind.GCS_USAGE_LOGS: ("data_storage_2026_05_18_07_00_00_0123abcd_v0",),
}


@pytest.fixture
def access(tmp_path):
    return AccessStore(tmp_path / "access")


def take(access, kind, logs, **options):
    signal = f"{FORMATS[kind].slug}:test"
    access.register("ds", Place(signal, "data", "in/"), 400)
    return ingest_logs(
        access, signal, logs, now=NOW, retention_days=400, log_format=FORMATS[kind], **options
    )


def deliver(logs, name, body):
    logs.put(name, io.BytesIO(body), len(body))


def reads(access):
    table = access.daily_reads("ds", dt.date(2026, 1, 1), dt.date(2026, 12, 31))
    return {(row["key"], row["day"]): (row["reads"], row["bytes"]) for row in table.to_pylist()}


@pytest.mark.parametrize("kind", SAMPLES)
def test_a_documented_log_counts_what_was_read_and_nothing_else(access, kind):
    """A repeated line, a failure, a look at metadata and a request of ours are no reads."""
    name, body = SAMPLES[kind]
    logs = MemoryStore()
    deliver(logs, name, body)
    for other in NO_LOGS.get(kind, ()):
        deliver(logs, other, b"no log of ours")
    totals = take(access, kind, logs)
    assert (totals.lines, totals.malformed) == (6, 0)
    per_read = 0 if kind is Kind.GCS_AUDIT_LOGS else 70
    assert reads(access) == {("a b.csv", DAY): (2, 2 * per_read)}
    assert access.coverage("ds", DAY, DAY)["state"].to_pylist() != ["unknown"]


@pytest.mark.parametrize("kind", SAMPLES)
def test_read_again_and_delivered_again_changes_no_count(access, kind):
    name, body = SAMPLES[kind]
    logs = MemoryStore()
    deliver(logs, name, body)
    take(access, kind, logs)
    before = reads(access)
    assert take(access, kind, logs).lines == 0
    head, _, tail = name.rpartition("/")
    deliver(logs, f"{head}/again/{tail}" if head else f"again/{tail}", body)
    assert take(access, kind, logs).lines == 6
    assert reads(access) == before


@pytest.mark.parametrize("kind", SAMPLES)
def test_nothing_private_is_stored(access, kind):
    name, body = SAMPLES[kind]
    logs = MemoryStore()
    deliver(logs, name, body if name.endswith(".gz") else body + b'{"c_ip": "192.0.2.3"}\n')
    take(access, kind, logs)
    stored = str(access.counts().to_pyarrow_table().to_pylist())
    kept = access.path / "rejected.jsonl"
    stored += kept.read_text() if kept.exists() else ""
    assert not [word for word in PRIVATE if word in stored]


@pytest.mark.parametrize("kind", SAMPLES)
def test_excluded_principals_are_no_demand(access, kind):
    if kind is Kind.GCS_USAGE_LOGS:
        pytest.skip("usage logs do not tell who")
    name, body = SAMPLES[kind]
    logs = MemoryStore()
    deliver(logs, name, body)
    who = Exclusions(principals=("arn:aws:iam::1:user/ann", "ann@example.com"))
    take(access, kind, logs, exclusions=who)
    assert reads(access) == {}


@pytest.mark.parametrize("kind", SAMPLES)
@pytest.mark.parametrize("cut", [0.2, 0.5, 0.97])
def test_a_log_cut_in_the_middle_is_counted_as_far_as_it_is_whole(access, kind, cut):
    name, body = SAMPLES[kind]
    logs = MemoryStore()
    deliver(logs, name, body[: int(len(body) * cut)])
    totals = take(access, kind, logs)
    if not FORMATS[kind].grows:
        assert totals.malformed == 1
    deliver(
        logs, name + "_again_usage_x.json" if kind is not Kind.CLOUD_TRAIL else "b.json.gz", body
    )
    take(access, kind, logs)
    assert {count for count, _ in reads(access).values()} == {2}


@pytest.mark.parametrize("kind", SAMPLES)
@given(data=st.data())
@settings(max_examples=30, deadline=None)
def test_no_damage_raises(kind, data):
    name, body = SAMPLES[kind]
    plain = gzip.decompress(body) if name.endswith(".gz") else body
    at = data.draw(st.integers(0, len(plain)))
    damaged = plain[:at] + data.draw(st.binary(max_size=40)) + plain[at + 20 :]
    for part in FORMATS[kind].read(io.BytesIO(damaged), False):
        anonymous(part.requests, "x", Exclusions())


def test_a_growing_log_is_read_on_without_counting_twice(access):
    """Azure appends to the blob of an hour; half a line waits for its end."""
    name, logs = SAMPLES[Kind.AZURE_LOGS][0], MemoryStore()
    first, second = lines(azure(1)), lines(azure(2))
    deliver(logs, name, first + second[:100])
    assert take(access, Kind.AZURE_LOGS, logs).malformed == 0
    assert reads(access) == {("a b.csv", DAY): (1, 70)}
    deliver(logs, name, first + second)
    assert take(access, Kind.AZURE_LOGS, logs).malformed == 0
    assert reads(access) == {("a b.csv", DAY): (2, 140)}


@pytest.mark.parametrize(
    ("kind", "entry"),
    [
        (Kind.AZURE_LOGS, azure(1, category="StorageWrite", operationName="PutBlob")),
        (Kind.GCS_AUDIT_LOGS, audit(1, "storage.objects.create")),
    ],
)
def test_logs_of_writes_do_not_prove_that_reads_are_logged(access, kind, entry):
    logs = MemoryStore()
    deliver(logs, "x.json", lines(entry))
    take(access, kind, logs)
    assert access.coverage("ds", DAY, DAY)["state"].to_pylist() == ["unknown"]


def test_usage_logs_without_a_needed_column_say_which(access):
    logs = MemoryStore()
    deliver(logs, "data_usage_x", USAGE_HEAD.replace('"cs_object"', '"other"').encode() + b"1\n")
    assert take(access, Kind.GCS_USAGE_LOGS, logs).malformed == 1
    assert "does not name cs_object" in (access.path / "rejected.jsonl").read_text()


# -- S3, a column at a time ---------------------------------------------------------------

OWNER = "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"


def s3_line(n, key="in/a", **more):
    values = {
        "time": f"18/May/2026:10:{n % 60:02d}:00 +0000", "who": "-", "op": "REST.GET.OBJECT",
        "uri": f'"GET /data/{key} HTTP/1.1"', "numbers": "200 - 70 70 30 28", "agent": '"ua"',
        "tail": " - host SigV4 cipher AuthHeader data.s3.amazonaws.com TLSv1.3 - Yes us-east-1",
        "referer": '"-"', **more,
    }  # fmt: skip
    return (
        "{owner} data [{time}] 192.0.2.3 {who} R{n} {op} {key} {uri} {numbers} {referer}"
        " {agent}{tail}"
    ).format(owner=OWNER, key=key, n=n, **values)


ODD = [
    s3_line(1, agent='"Mozilla "quoted" x"'), s3_line(2, who="AWS Internal"), s3_line(3, uri="-"),
    s3_line(4, time="18/May/2026:10:00:00 +0200"), s3_line(5, time="31/Feb/2026:10:00:00 +0000"),
    s3_line(6, time="18/Mai/2026:10:00:00 +0000"), s3_line(7, time="18/May/2026:24:00:00 +0000"),
    s3_line(8, "in/a%2520b"), s3_line(9, "in/a%2520b", uri='"GET /data/in/a%20b HTTP/1.1"'),
    s3_line(10, "in/%C3%A9%0Ax"), s3_line(11, numbers="206 - 7 70 30 -"), s3_line(12, "-"),
    s3_line(13, numbers="- - - - - -"), s3_line(14, op="REST.PUT.OBJECT"), s3_line(15)[:140],
    s3_line(16, tail=" - a b c d e f g h i j new fields"), s3_line(17, tail=" -"),
    s3_line(18, agent="-"), s3_line(19, referer="-", agent='"a "b" c"'), "garbage", s3_line(20)[9:],
    s3_line(21, uri='"GET /data/in/a?x="y" 1 HTTP/1.1"'), s3_line(22, tail="x" * 70_000),
    s3_line(23, "in/a%zz"), s3_line(24, "in/%FF"), json.dumps(s3_json(25)),
    s3_line(26, time="29/Feb/2028:23:59:60 +0000"), s3_line(27, time="29/Feb/2028:23:59:59 +0000"),
    # quotes that nothing closes, or that are not where quotes belong
    s3_line(30, agent='"cut', tail=""), s3_line(31, agent='" x'), s3_line(32, 'in/a"b'),
    s3_line(33, who='"x'), s3_line(34, referer='"http://x/?q="a b""'), s3_line(35, agent='"a"b"'),
    s3_line(36, referer='"x"y"', agent='""'), s3_line(37, uri='"GET /data/in/a HTTP/1.1'),
    # line ends, no text, no numbers, nothing between blanks
    s3_line(40, agent='"a\rb"'), s3_line(41, agent='"\0"'), s3_line(42, agent='"\u2028 \x0b é"'),
    s3_line(43, numbers="200 - -5 70 30 28"), s3_line(44, numbers="200 - +5 70 30 28"),
    s3_line(45, numbers=f"200 - {'9' * 18} 70 30 28"), s3_line(46, numbers="2000 - 5 70 30 28"),
    s3_line(47, numbers="200 - 5 70 30 28x"), s3_line(48, numbers="200  70 70 30 28"),
    s3_line(49, numbers="200 - 70 70 30 "), s3_line(50, who=""), s3_line(51, op="REST.GET-OBJECT"),
    # requests that read nothing for anybody, and some that do
    s3_line(60, op="BATCH.DELETE.OBJECT", numbers="204 - - 70 - -", uri="-", agent="-"),
    s3_line(61, op="S3.EXPIRE.OBJECT", numbers="- - - 70 - -", uri='"-"', who="AmazonS3"),
    s3_line(62, op="S3.TRANSITION_SIA.OBJECT", numbers="- - - 70 - -", uri="-", who="AmazonS3"),
    s3_line(63, op="S3.CREATE.DELETEMARKER", numbers="- - - - - -", uri="-", tail=" v1"),
    s3_line(64, op="REST.COPY.OBJECT_GET", numbers="200 - - 70 - -", uri="-", referer="-"),
    s3_line(65, op="REST.COPY.OBJECT", uri='"PUT /data/in/a HTTP/1.1"'),
    s3_line(66, "-", op="REST.POST.MULTI_OBJECT_DELETE"), s3_line(67, op="REST.OPTIONS.PREFLIGHT"),
    s3_line(68, op="WEBSITE.GET.OBJECT", numbers="304 - - 70 30 28"),
    s3_line(69, op="REST.PUT.PART", numbers="200 - - 70 30 28"),
    s3_line(70).replace("192.0.2.3", "2001:db8:85a3::8a2e:370:7334"),
    s3_line(71).replace("192.0.2.3", "-"), s3_line(72, who="Anonymous"), s3_line(73, who="svc:x,y"),
    s3_line(74, "in/%25C3%25A9", uri='"GET /data/in/%C3%A9 HTTP/1.1"'),
    s3_line(75, "in/%25C3%25A9", uri='"GET /in/%C3%A9?versionId=3 HTTP/1.1"'),
    s3_line(76, "in/a+b%2Bc"), s3_line(77, "in/é".encode().decode("latin-1")), s3_line(78)[:-40],
    s3_line(79).partition('"-"')[0], s3_line(80).partition(" 28 ")[0],
]  # fmt: skip


def test_columns_find_what_single_lines_do():
    """The fast way and the way that copes with anything agree on every line."""
    ordinary = [s3_line(100 + n, f"in/day%3D{n}/k", who=f"arn:{n}") for n in range(60)]
    older = [s3_line(200 + n, "in/old", tail=" - h SigV2 c A d TLSv1.2") for n in range(60)]
    every = [*ordinary[:30], *ODD[:40], *older, *ODD[40:], *ordinary[30:]]
    together = parse_block("\n".join(every).encode())
    alone = [parse_block(line.encode()) for line in every]

    def rows(parts):
        return sorted(str(r) for part in parts for r in part.requests.to_pylist())

    assert rows([together]) == rows(alone)
    assert together.malformed == sum(part.malformed for part in alone)
    days: dict[dt.date, int] = {}
    for part in alone:
        for day, found in part.days.items():
            days[day] = days.get(day, 0) + found
    assert together.days == days


FIELDS = st.sampled_from(
    ["-", '"', '"-"', '""', '"a b"', '"a', 'b"', "200", "70", "0x1F", "", "R1", "in/a%20b", "{",
     "REST.GET.OBJECT", "[18/May/2026:10:00:00", "+0000]", "\r", "x" * 70_000]
)  # fmt: skip


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_line_whose_fields_are_mixed_up_changes_no_other_line(data):
    odd: list[str] = []
    for n in range(data.draw(st.integers(1, 4))):
        fields = s3_line(n).split(" ")
        at = data.draw(st.integers(0, len(fields)))
        fields[at : at + data.draw(st.integers(0, 2))] = data.draw(st.lists(FIELDS, max_size=2))
        odd.append(" ".join(fields))
    ordinary = [s3_line(100 + n) for n in range(60)]
    together = parse_block("\n".join([*ordinary[:30], *odd, *ordinary[30:]]).encode())
    expected = parse_block("\n".join(ordinary).encode()).requests.to_pylist()
    found = {row["request_id"]: row for row in together.requests.to_pylist()}
    assert [found[row["request_id"]] for row in expected] == expected
    assert together.lines == 60 + len(odd)
    assert together.malformed + sum(together.days.values()) == together.lines


@given(st.lists(st.text(max_size=200), max_size=60))
@settings(max_examples=50, deadline=None)
def test_columns_cope_with_any_text(texts):
    found = [*texts, *(s3_line(n) for n in range(60))]
    assert len(parse_block("\n".join(found).encode("utf-8", "replace")).requests) >= 60


def test_the_first_byte_is_timed():
    (part,) = S3_TEXT.read(io.BytesIO(s3_line(1).encode()), False)
    assert part.requests["first_byte_millis"].to_pylist() == [28]


# -- MinIO --------------------------------------------------------------------------------

MINIO_AUDIT = {
    "version": "1", "deploymentid": "8a1d8091", "time": "2026-05-18T10:00:00.123456789Z",
    "event": "", "trigger": "incoming",
    "api": {"name": "GetObject", "bucket": "data", "object": "in/a b.csv", "status": "OK",
            "statusCode": 206, "rx": 0, "tx": 70, "txHeaders": 400,
            "timeToFirstByte": "28000000ns", "timeToFirstByteInNS": "28000000"},
    "remotehost": "192.0.2.3", "requestID": "16913736591C237F", "userAgent": "curl/8",
    "requestHeader": {"Authorization": "AWS4-HMAC-SHA256 Signature=secret-signature"},
    "accessKey": "AKIAEXAMPLE",
}  # fmt: skip
MINIO_EVENT = {
    "EventName": "s3:ObjectAccessed:Get", "Key": "data/in/a b.csv",
    "Records": [{
        "eventVersion": "2.0", "eventSource": "minio:s3", "eventTime": "2026-05-18T10:00:00.123Z",
        "eventName": "s3:ObjectAccessed:Get", "userIdentity": {"principalId": "AKIAEXAMPLE"},
        "responseElements": {"x-amz-request-id": "16913736591C237F"},
        "s3": {"bucket": {"name": "data", "arn": "arn:aws:s3:::data"},
               "object": {"key": "in%2Fa+b.csv", "size": 70, "sequencer": "16913736591C2380"}},
        "source": {"host": "192.0.2.3", "userAgent": "curl/8"},
    }],
}  # fmt: skip


@pytest.mark.parametrize("entry", [MINIO_AUDIT, MINIO_EVENT])
def test_minio_tells_reads_by_audit_and_by_notification(entry):
    (found,) = parse_entry(entry)
    request = found.request
    assert found.proves
    assert (request.bucket, request.key, request.read) == ("data", "in/a b.csv", True)
    assert (request.bytes, request.request_id) == (70, "16913736591C237F")
    assert (request.principal, request.user_agent) == ("AKIAEXAMPLE", "curl/8")
    assert request.at.date() == DAY


@pytest.mark.parametrize(
    ("change", "read"),
    [
        ({"name": "PutObject"}, False), ({"name": "HeadObject"}, None),
        ({"name": "GetObject", "statusCode": 404}, None), ({"name": "ListBuckets"}, None),
    ],
)  # fmt: skip
def test_minio_audit_tells_writes_and_other_calls_apart(change, read):
    entry = {**MINIO_AUDIT, "api": {**MINIO_AUDIT["api"], **change}}
    (found,) = parse_entry(entry)
    assert (found.request.read if found.request else None) is read


def test_a_minio_notification_of_a_write_proves_no_reads():
    record = {**MINIO_EVENT["Records"][0], "eventName": "s3:ObjectCreated:Put"}
    (found,) = parse_entry({"Records": [record]})
    assert not found.proves
    assert not found.request.read


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"api": 1}', "nul", "[" * 100_000])
def test_what_is_no_entry_is_none(text):
    assert of_json(text, lambda entry: parse_entry(entry)[0]) is None
