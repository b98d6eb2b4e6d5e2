"""The synthetic trace: the same for the same seed, read by the parser like any other log."""

import datetime as dt
import time

from cloudflux.access.s3logs import parse_line
from cloudflux.collector.s3logformat import LogEntry, format_line
from cloudflux_dev import recording_front, tracegen
from cloudflux_dev.tracegen import Behaviour, TracedObject, assign, generate

NOW = dt.datetime(2026, 5, 20, 12, tzinfo=dt.UTC)


def records(objects, **options):
    log = list(generate(objects, bucket="b", now=NOW, **options))
    return [parse_line(text) for _, body in log for text in body.decode().splitlines()]


def reads_by_days_ago(behaviour, written=100):
    found = records([TracedObject("k", 10, behaviour, written)])
    return [(NOW.date() - r.time.date()).days for r in found if r.is_read]


def test_the_seed_decides_everything():
    objects = assign({f"k{n}": n for n in range(20)}, seed=1)
    assert objects == assign({f"k{n}": n for n in range(20)}, seed=1)
    assert objects != assign({f"k{n}": n for n in range(20)}, seed=2)
    same = [list(generate(objects, bucket="b", now=NOW, seed=4)) for _ in range(2)]
    assert same[0] == same[1]
    assert same[0] != list(generate(objects, bucket="b", now=NOW, seed=5))


def test_every_line_is_understood_and_every_day_has_logs():
    objects = assign({f"dir/a b%41é {n}": 5 for n in range(10)}, seed=1)
    found = records(objects, prefix="p/")
    assert None not in found
    assert {r.key for r in found if r.is_write} == {"p/" + o.key for o in objects}
    assert len({r.time.date() for r in found}) == 120
    assert max(r.time for r in found).date() == NOW.date() - dt.timedelta(1)
    assert len({r.request_id for r in found}) == len(found)


def test_behaviours_differ_as_named():
    assert len(set(reads_by_days_ago(Behaviour.HOT))) > 70
    assert max(reads_by_days_ago(Behaviour.HOT)) <= 100
    assert len(set(reads_by_days_ago(Behaviour.PERIODIC))) < 20
    decaying = reads_by_days_ago(Behaviour.DECAYING)
    assert sum(ago > 80 for ago in decaying) > 5 * sum(ago < 50 for ago in decaying)
    assert min(reads_by_days_ago(Behaviour.DEAD), default=100) > 90


def test_120_days_of_300_objects_are_quick_and_few_log_objects():
    objects = assign({f"k{n}": 1000 for n in range(300)}, seed=1)
    started = time.process_time()
    log = list(generate(objects, bucket="b", now=NOW))
    assert time.process_time() - started < 3
    assert len(log) <= 3 * 120
    assert all(name < f"{NOW:%Y-%m-%d-%H}" for name, _ in log)
    assert tracegen.__doc__.startswith("SYNTHETIC")


def test_operations_are_named_as_aws_does():
    name = recording_front.operation
    assert name("GET", "k", "", False) == "REST.GET.OBJECT"
    assert name("GET", "k", "tagging", False) == "REST.GET.OBJECT_TAGGING"
    assert name("GET", None, "list-type=2", False) == "REST.GET.BUCKET"
    assert name("PUT", "k", "", True) == "REST.COPY.OBJECT"
    assert name("PUT", "k", "partNumber=1&uploadId=x", False) == "REST.PUT.PART"
    assert name("POST", "k", "uploadId=x", False) == "REST.POST.UPLOAD"
    assert name("POST", "k", "uploads", False) == "REST.POST.UPLOADS"
    assert name("POST", None, "delete", False) == "REST.POST.MULTI_OBJECT_DELETE"


def test_a_written_line_reads_back():
    entry = LogEntry(NOW, "b", "REST.GET.OBJECT", "a b/é%", "GET", "/b/x", 206, "ID", 5, 9)
    record = parse_line(format_line(entry))
    assert (record.key, record.status, record.bytes_sent, record.time) == ("a b/é%", 206, 5, NOW)
