"""Synthetic operations: the same seed gives the same, of the kinds' own habits, in every form."""

import datetime as dt
import json

import pytest
from typer.testing import CliRunner

from cloudflux.access.s3logs import parse_line
from cloudflux.cli.main import app
from cloudflux.collector.parse import parse
from cloudflux.collector.simulate import message, write_s3_logs
from cloudflux.collector.workloads import HABITS, Kind, objects_of, operations

START = dt.datetime(2026, 3, 14, 9, 0, tzinfo=dt.UTC)


def made(kind: Kind, seed: int = 1, hours: float = 1, start: dt.datetime = START):
    objects = objects_of(kind, 100, seed)
    return list(
        operations(
            kind, objects, start=start, duration_seconds=3600 * hours, rate_per_second=2, seed=seed
        )
    )


@pytest.mark.parametrize("kind", list(Kind))
def test_a_seed_gives_the_same_operations_and_another_seed_others(kind):
    assert made(kind) == made(kind)
    assert made(kind) != made(kind, seed=2)
    times = [one.time for one in made(kind)]
    assert times == sorted(times)
    assert len({one.id for one in made(kind)}) == len(times)


def test_every_kind_has_a_habit_and_they_differ():
    assert set(HABITS) == set(Kind)
    assert len(Kind) >= 6
    web, backups = made(Kind.WEB), made(Kind.BACKUPS, start=START.replace(hour=2))
    assert sum(one.op == "write" for one in web) < len(web) / 20
    assert sum(one.op == "write" for one in backups) > len(backups) * 0.9


def test_the_rate_is_kept_in_busy_hours_and_falls_outside_them():
    busy, quiet = made(Kind.WEB), made(Kind.WEB, start=START.replace(hour=2))
    assert 0.9 * 7200 < len(busy) < 1.1 * 7200
    assert len(quiet) < 0.2 * len(busy)


def test_a_training_set_is_read_whole_once_an_epoch():
    reads = made(Kind.TRAINING, start=START.replace(hour=19))
    assert len({one.key for one in reads[:100]}) == 100


def test_events_are_labelled_and_can_be_counted():
    values = [message(one, "s3://data/p") for one in made(Kind.IOT)]
    parsed = parse(values, START + dt.timedelta(hours=1))
    assert parsed.rejected == []
    assert len(parsed.table) == len(values)
    assert all(json.loads(one)["synthetic"] for one in values)


def test_logs_are_read_as_aws_writes_them(tmp_path):
    chosen = made(Kind.ANALYTICS)
    assert write_s3_logs(chosen, "s3://data/p", tmp_path) == len(chosen)
    lines = [line for path in sorted(tmp_path.iterdir()) for line in path.open()]
    records = [parse_line(line.rstrip("\n")) for line in lines]
    assert [one.key for one in records if one] == [f"p/{one.key}" for one in chosen]
    assert [one.is_read for one in records if one] == [one.op == "read" for one in chosen]
    assert all("synthetic" in line for line in lines)


def test_the_command_writes_a_file_of_real_objects(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    (data / "a.txt").write_text("abc")
    out = tmp_path / "events.jsonl"
    command = ["simulate", data.as_uri(), "--real-objects", "--kind", "web", "--file", str(out)]
    done = CliRunner().invoke(app, [*command, "--start", "2026-03-14T09:00:00"])
    assert done.exit_code == 0, done.output
    assert "synthetic" in done.output
    uris = {json.loads(line)["uri"] for line in out.open()}
    assert uris == {f"{data.as_uri()}/a.txt"}


@pytest.mark.parametrize("where", [[], ["--kafka", "--file", "x"]])
def test_one_place_to_write_to_must_be_named(where):
    done = CliRunner().invoke(app, ["simulate", "s3://b/p", *where])
    assert done.exit_code == 2
    assert "one of --kafka, --file and --s3-logs" in done.output
