"""`cloudflux backtest` as a person calls it: files in, files out, errors in words."""

import datetime as dt
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from cloudflux.cli.main import app

START = dt.date(2024, 1, 1)


def day(number: int) -> dt.date:
    return START + dt.timedelta(days=number)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Hot, dead and odd objects, with rows that can't be."""
    names = ["hot", "dead", "empty", "small", "huge", "unsized", "unborn"]
    sizes = [10**8, 10**8, 0, 127 * 1024, 5 * 2**40, None, 10**6]
    births = [day(0)] * 6 + [day(900)]
    pq.write_table(
        pa.table({"object_id": names, "size_bytes": sizes, "first_day": births, "owner": names}),
        tmp_path / "objects.parquet",
    )
    rows = [("hot", day(number), 2) for number in range(0, 400)]
    rows += [("dead", day(number), 1) for number in range(40)]
    rows += [("dead", day(3), -5), ("hot", day(5000), 1), ("nobody", day(9), 1), ("hot", None, 1)]
    columns = dict(
        zip(("object_id", "day", "reads"), map(list, zip(*rows, strict=True)), strict=True)
    )
    pq.write_table(pa.table(columns), tmp_path / "reads.parquet")
    return tmp_path


def run(files: Path, *more: str, until: int = 399):
    return CliRunner().invoke(
        app,
        [
            "backtest",
            *("--reads", str(files / "reads.parquet")),
            *("--objects", str(files / "objects.parquet")),
            *("--prices", "aws/us-east-1"),
            *("--classes", "STANDARD,INTELLIGENT_TIERING,STANDARD_IA,GLACIER_IR"),
            *("--train-from", str(day(0)), "--decide-from", str(day(200))),
            *("--until", str(day(until)), "--strategy", "predictive"),
            *("--decisions", str(files / "out.parquet"), "--json", str(files / "out.json")),
            *more,
        ],
    )


def test_moves_and_costs_are_written_and_bad_rows_are_counted(files: Path):
    result = run(files)
    assert result.exit_code == 0, result.output
    found = json.loads((files / "out.json").read_text())
    assert found["rejected_rows"] == {
        "missing": 1,
        "negative": 1,
        "future": 1,
        "unknown_object": 1,
        "before_first_day": 0,
    }
    assert any("unknown size" in note for note in found["notes"])
    ratios = {line["policy"]: line["ratio_to_optimum"] for line in found["policies"]}
    assert ratios["offline optimum"] == 1.0
    assert min(ratios.values()) == 1.0
    moves = pq.read_table(files / "out.parquet")
    assert moves.schema.names == [
        "object_id", "day", "from_class", "to_class", "reason", "expected_saving", "confidence",
    ]  # fmt: skip
    assert moves.schema.field("day").type == pa.date32()
    # an empty and a small object gain nothing anywhere
    assert set(moves["object_id"].to_pylist()) == {"hot", "dead", "huge", "unsized"}
    assert set(moves["day"].to_pylist()) == {day(200)}


def test_without_any_history_and_without_objects(files: Path):
    empty = pa.table({"object_id": pa.array([], pa.string()), "day": pa.array([], pa.date32()),
                      "reads": pa.array([], pa.int64())})  # fmt: skip
    pq.write_table(empty, files / "reads.parquet")
    assert run(files).exit_code == 0
    nothing = pa.table({"object_id": pa.array([], pa.string())})
    pq.write_table(nothing, files / "objects.parquet")
    result = run(files)
    assert result.exit_code == 0, result.output
    assert pq.read_table(files / "out.parquet").num_rows == 0


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--prices", "aws/mars-north-1"), "mars-north-1"),
        (("--classes", "STANDARD,COLDEST"), "COLDEST"),
        (("--classes", "GLACIER_IR"), "STANDARD"),
        (("--until", "2020-01-01"), "order"),
        (("--decide-from", "soon"), "YYYY-MM-DD"),
        (("--reads", "/nowhere.parquet"), "nowhere"),
    ],
)
def test_what_can_not_be_is_refused_in_words(files: Path, more, message):
    result = run(files, *more)
    assert result.exit_code == 1
    assert "error: " in result.stderr
    assert message in result.stderr


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A synthetic history in files, as `cloudflux generate` writes it."""
    arguments = ["generate", "superseded", "--count", "120", "--days", "420"]
    arguments += ["--first-day", str(START), "--seed", "4"]
    arguments += ["--reads", str(tmp_path / "reads.parquet")]
    arguments += ["--objects", str(tmp_path / "objects.parquet")]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    return tmp_path


def train(files: Path, until: dt.date):
    arguments = ["train", "--until", str(until), "--model", str(files / "model.bin")]
    arguments += ["--reads", str(files / "reads.parquet")]
    arguments += ["--objects", str(files / "objects.parquet")]
    return CliRunner().invoke(app, arguments)


def test_a_trained_model_decides_and_the_result_is_drawn(made: Path):
    trained = train(made, day(200))
    assert trained.exit_code == 0, trained.output
    result = run(
        made, "--model", str(made / "model.bin"), "--chart", str(made / "chart.svg"), until=330
    )
    assert result.exit_code == 0, result.output
    assert "predictive" in (made / "chart.svg").read_text()
    assert run(made, "--chart", str(made / "chart.pdf"), until=205).exit_code == 1


def test_a_model_that_has_seen_the_future_is_refused(made: Path):
    assert train(made, day(201)).exit_code == 0
    result = run(made, "--model", str(made / "model.bin"))
    assert result.exit_code == 1
    assert "past --decide-from" in result.stderr


def test_a_file_that_is_no_model_is_refused(made: Path):
    (made / "model.bin").write_bytes(b"not a model")
    result = run(made, "--model", str(made / "model.bin"))
    assert result.exit_code == 1
    assert "no model of" in result.stderr


def test_too_little_history_trains_nothing(made: Path):
    result = train(made, day(30))
    assert result.exit_code == 1
    assert "too little" in result.stderr
    assert not (made / "model.bin").exists()


def test_blank_days_are_missing_days_and_days_that_are_none_are_named(files: Path):
    text = {name: [] for name in ("object_id", "day", "reads")}
    for number in range(0, 400, 2):
        for name, value in zip(text, ("dead", str(day(number)), 1), strict=True):
            text[name].append(value)
    for name, value in zip(text, ("hot", " ", 1), strict=True):
        text[name].append(value)
    pq.write_table(pa.table(text), files / "reads.parquet")
    things = {"object_id": ["hot", "dead"], "size_bytes": [1, 2], "first_day": ["", str(day(0))]}
    pq.write_table(pa.table(things), files / "objects.parquet")
    result = run(files)
    assert result.exit_code == 0, result.output
    found = json.loads((files / "out.json").read_text())
    assert found["rejected_rows"]["missing"] == 1
    assert any("without first_day" in note for note in found["notes"])

    pq.write_table(pa.table({**text, "day": ["soon"] * len(text["day"])}), files / "reads.parquet")
    refused = run(files)
    assert refused.exit_code == 1
    assert "column day must hold days" in refused.stderr
