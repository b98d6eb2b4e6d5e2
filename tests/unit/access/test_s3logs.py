"""Lines of S3 server access logs, as AWS documents them and worse."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudflux.access.records import redact
from cloudflux.access.s3logs import AccessRecord, decode_key, parse_line, parse_time

OWNER = "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"
DOCUMENTED = (
    f"{OWNER} amzn-s3-demo-bucket1 [06/Feb/2019:00:00:38 +0000] 192.0.2.3 {OWNER}"
    " 3E57427F3EXAMPLE REST.GET.VERSIONING - "
    '"GET /amzn-s3-demo-bucket1?versioning HTTP/1.1" 200 - 113 - 7 - "-" "S3Console/0.4" -'
    " s9lzHYrFp76ZVxRcpX9+5cjAnEH2ROuNkd2BHfIa6UkFVdtjf5mKR3/eTPFvsiP/XV/VLi31234= SigV4"
    " ECDHE-RSA-AES128-GCM-SHA256 AuthHeader amzn-s3-demo-bucket1.s3.us-west-1.amazonaws.com"
    " TLSV1.2 arn:aws:s3:us-west-1:123456789012:accesspoint/example-AP Yes us-east-1"
)


def get(
    key="a.txt",
    uri=None,
    referer='"-"',
    agent='"curl/8.4"',
    tail=" - hostid SigV4 x y z TLSv1.2 - -",
):
    uri = f'"GET /b/{key} HTTP/1.1"' if uri is None else uri
    return (
        f"{OWNER} b [06/Feb/2019:00:00:38 +0000] 192.0.2.3 - REQ1 REST.GET.OBJECT {key}"
        f" {uri} 200 - 2662992 3462992 70 10 {referer} {agent}{tail}"
    )


def test_documented_line():
    assert parse_line(DOCUMENTED) == AccessRecord(
        bucket="amzn-s3-demo-bucket1",
        time=dt.datetime(2019, 2, 6, 0, 0, 38, tzinfo=dt.UTC),
        requester=OWNER,
        request_id="3E57427F3EXAMPLE",
        operation="REST.GET.VERSIONING",
        key=None,
        status=200,
        bytes_sent=113,
        user_agent="S3Console/0.4",
    )


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (get(), {"key": "a.txt", "bytes_sent": 2662992, "is_read": True, "requester": ""}),
        (get(tail=" -"), {"user_agent": "curl/8.4"}),
        (get(tail=" - h SigV4 c A host TLSv1.3 - - us-east-1 new fields 7"), {"status": 200}),
        (get(agent="-"), {"user_agent": ""}),
        (get(referer="-", agent="-"), {"user_agent": ""}),
        (get(referer="-", agent='"x" y'), {"user_agent": "x"}),
        (get(referer='""', agent='""'), {"user_agent": ""}),
        (get(agent='"Mozilla "quoted" (x) [y]"'), {"user_agent": 'Mozilla "quoted" (x) [y]'}),
        (get(referer='"http://x/?q="a b""', agent='"ua"'), {"user_agent": "ua"}),
        (get(uri='"GET /b/a.txt?x="y" 1 HTTP/1.1"'), {"status": 200, "key": "a.txt"}),
        (get(uri="-"), {"status": 200, "key": "a.txt", "user_agent": "curl/8.4"}),
        (get("a%20b/%C3%A9.txt"), {"key": "a b/é.txt"}),
        (get("a%2520b", uri='"GET /b/a%20b HTTP/1.1"'), {"key": "a b"}),
        (get("a%2520b", uri='"GET /b/a%2520b HTTP/1.1"'), {"key": "a%20b"}),
        (get().replace(" - REQ1", " AWS Internal REQ1"), {"requester": "AWS Internal"}),
        (get().replace(" 200 ", " 206 "), {"is_read": True}),
        (get().replace(" 200 ", " 304 "), {"is_read": False}),
        (get().replace(" 200 ", " - "), {"status": None, "is_read": False}),
        (get().replace("GET.OBJECT ", "PUT.OBJECT "), {"is_write": True, "is_read": False}),
        (get().replace("GET.OBJECT ", "GET.OBJECT_TAGGING "), {"is_read": False}),
        (get().replace("REST.GET", "BATCH.DELETE").replace("curl", "-"), {"is_read": False}),
    ],
)
def test_variants(line, expected):
    record = parse_line(line)
    assert record is not None
    assert {name: getattr(record, name) for name in expected} == expected


@pytest.mark.parametrize(
    "line",
    [
        "",
        "garbage",
        DOCUMENTED[:150],
        DOCUMENTED.replace("Feb", "Fob"),
        DOCUMENTED.replace("06/Feb", "31/Feb"),
        DOCUMENTED.replace(" 200 ", " OK "),
        get("k" * 70_000),
        '" ' * 30_000,
    ],
)
def test_malformed(line):
    assert parse_line(line) is None


@given(st.text(max_size=400))
def test_no_text_raises(text):
    parse_line(text)
    redact(text)
    decode_key(text, text)


@given(st.data())
def test_no_damage_raises(data):
    line = get("a%2520b", referer='"r "x""')
    start = data.draw(st.integers(0, len(line)))
    end = data.draw(st.integers(start, len(line)))
    parse_line(line[:start] + data.draw(st.text(max_size=30)) + line[end:])


def test_time_zones_become_utc():
    assert parse_time("06/Feb/2019:00:30:38 +0100").isoformat() == "2019-02-05T23:30:38+00:00"
    assert parse_time("06/Feb/2019:00:30:38 -0130").isoformat() == "2019-02-06T02:00:38+00:00"


def test_redaction_keeps_the_shape_alone():
    assert redact('Ann 10.1.2.3 "GET /é?k=S3cret"') == 'aaa 00.0.0.0 "aaa /a?a=a0aaaa"'
    assert len(redact("x" * 10_000)) == 400
