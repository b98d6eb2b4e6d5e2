"""SYNTHETIC S3 server access logs: made from named behaviours, not recorded from anyone.

    objects = assign({"a.bin": 1024, …}, seed=1)
    write_logs(objects, bucket="data", now=now, put=s3_sink(client, "logs", "data-logs/"))

The same seed gives the same bytes. Logs end with the day before `now`; from there on the
requests are real ones.
"""

import datetime as dt
import math
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import quote

from cloudflux.collector.s3logformat import LogEntry, format_line, object_name

_SLICE_HOURS = 8
_READER = "arn:aws:sts::111122223333:assumed-role/analytics/session"
_WRITER = "arn:aws:sts::111122223333:assumed-role/loader/session"
_AGENT = "Boto3/1.40.0 md/Botocore#1.40.0 ua/2.1 os/linux lang/python#3.12.3 app/synthetic-trace"


class Behaviour(StrEnum):
    """How an object is read over its life."""

    HOT = "hot"
    """Every day, several times."""
    PERIODIC = "periodic"
    """A burst every 7 or 30 days, nothing between."""
    DECAYING = "decaying"
    """Much after it was written, half as much every ten days."""
    DEAD = "dead"
    """Written, read a few times in its first days, then never again."""


@dataclass(frozen=True, slots=True)
class TracedObject:
    """One object of a trace."""

    key: str
    size_bytes: int
    behaviour: Behaviour
    written_days_ago: int


def assign(
    sizes: Mapping[str, int],
    *,
    seed: int,
    days: int = 120,
    shares: Sequence[float] = (15, 15, 20, 50),
) -> list[TracedObject]:
    """Give each key a behaviour by the shares of hot, periodic, decaying, dead, and an age."""
    rng = random.Random(seed)
    objects = []
    for key in sorted(sizes):
        behaviour = rng.choices(list(Behaviour), shares)[0]
        earliest = days * 3 // 4 if behaviour is not Behaviour.DECAYING else days // 3
        age = rng.randint(min(earliest, days - 1), days - 1)
        objects.append(TracedObject(key, sizes[key], behaviour, age))
    return objects


def generate(
    objects: Iterable[TracedObject],
    *,
    bucket: str,
    now: dt.datetime,
    days: int = 120,
    seed: int = 1,
    prefix: str = "",
) -> Iterator[tuple[str, bytes]]:
    """Yield (name, content) of log objects, oldest first, three a day.

    `prefix` is put before each key of `objects` to get the key in the bucket.
    """
    rng = random.Random(seed)
    today = now.astimezone(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    start = today - dt.timedelta(days)
    plans = [(traced, _daily_rates(traced, days, rng)) for traced in objects]
    for offset in range(days):
        day = start + dt.timedelta(offset)
        slices: list[list[LogEntry]] = [[] for _ in range(24 // _SLICE_HOURS)]
        for entry in _day(plans, days - offset, day, bucket, prefix, rng):
            slices[entry.time.hour // _SLICE_HOURS].append(entry)
        for number, entries in enumerate(slices, 1):
            if entries:
                entries.sort(key=lambda entry: entry.time)
                minutes = _SLICE_HOURS * 60 * number + rng.randint(5, 90)
                delivered = min(day + dt.timedelta(minutes=minutes), now)
                name = object_name(delivered, _hex(rng, 16))
                yield name, "".join(map(format_line, entries)).encode()


def daily_reads(
    objects: Iterable[TracedObject], *, days: int = 120, seed: int = 1
) -> list[list[int]]:
    """Draw the reads of each object and day, oldest first, without the logs.

    The same behaviours as `generate`, other draws.
    """
    rng = random.Random(seed)
    plans = [_daily_rates(traced, days, rng) for traced in objects]
    return [[_poisson(rate, rng) if rate else 0 for rate in plan[:0:-1]] for plan in plans]


def write_logs(
    objects: Iterable[TracedObject],
    *,
    bucket: str,
    now: dt.datetime,
    put: Callable[[str, bytes], None],
    days: int = 120,
    seed: int = 1,
    prefix: str = "",
) -> int:
    """Write a whole trace through `put` and return the number of log objects."""
    number = 0
    trace = generate(objects, bucket=bucket, now=now, days=days, seed=seed, prefix=prefix)
    for number, (name, content) in enumerate(trace, 1):  # noqa: B007 - the count is the result
        put(name, content)
    return number


def s3_sink(client: Any, bucket: str, prefix: str = "") -> Callable[[str, bytes], None]:
    """Return what puts log objects into a bucket with a boto3 client."""

    def put(name: str, content: bytes) -> None:
        client.put_object(Bucket=bucket, Key=prefix + name, Body=content)

    return put


def _daily_rates(traced: TracedObject, days: int, rng: random.Random) -> list[float]:
    """Expected reads by days ago (index 1 is yesterday)."""
    level = rng.lognormvariate(0, 0.5)
    period, phase = rng.choice((7, 30)), rng.randint(0, 29)
    rates = [0.0] * (days + 1)
    for ago in range(1, min(days, traced.written_days_ago) + 1):
        age = traced.written_days_ago - ago
        match traced.behaviour:
            case Behaviour.HOT:
                rates[ago] = 4 * level
            case Behaviour.PERIODIC:
                rates[ago] = 6 * level if (ago + phase) % period == 0 else 0.0
            case Behaviour.DECAYING:
                rates[ago] = 8 * level * math.exp2(-age / 10)
            case Behaviour.DEAD:
                rates[ago] = 1.5 * level if age < 5 else 0.0
    return rates


def _day(
    plans: list[tuple[TracedObject, list[float]]],
    ago: int,
    day: dt.datetime,
    bucket: str,
    prefix: str,
    rng: random.Random,
) -> Iterator[LogEntry]:
    # somebody's nightly listing: proof that logging was on, on days without a read too
    listing = day + dt.timedelta(hours=23, minutes=rng.randint(0, 59))
    yield LogEntry(
        listing,
        bucket,
        "REST.GET.BUCKET",
        None,
        "GET",
        f"/{bucket}?list-type=2",
        200,
        _hex(rng, 16),
        4096,
        None,
        25,
        "inventory-agent/2.3",
        _READER,
    )
    for traced, rates in plans:
        key = prefix + traced.key
        uri = quote(f"/{bucket}/{key}")
        size = traced.size_bytes
        if traced.written_days_ago == ago:
            at = day + dt.timedelta(seconds=rng.randint(0, 3599))
            yield LogEntry(
                at,
                bucket,
                "REST.PUT.OBJECT",
                key,
                "PUT",
                uri,
                200,
                _hex(rng, 16),
                0,
                size,
                30,
                _AGENT,
                _WRITER,
            )
        for _ in range(_poisson(rates[ago], rng) if rates[ago] else 0):
            at = day + dt.timedelta(seconds=rng.randint(3600, 86_399))
            yield LogEntry(
                at,
                bucket,
                "REST.GET.OBJECT",
                key,
                "GET",
                uri,
                200,
                _hex(rng, 16),
                size,
                size,
                12,
                _AGENT,
                _READER,
            )


def _poisson(rate: float, rng: random.Random) -> int:
    """Draw a count (Knuth's product method; rates here are small)."""
    limit, product, count = math.exp(-rate), rng.random(), 0
    while product > limit:
        product *= rng.random()
        count += 1
    return count


def _hex(rng: random.Random, length: int) -> str:
    return f"{rng.getrandbits(4 * length):0{length}X}"
