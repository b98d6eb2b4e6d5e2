"""Bills of the three providers in their recorded shapes, and what they say was saved."""

import csv
import datetime as dt
import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from cloudflux.cli.main import app

AWS = (
    "lineItem/LineItemType", "lineItem/UsageStartDate", "lineItem/UsageEndDate",
    "lineItem/ProductCode", "lineItem/UsageType", "lineItem/Operation", "lineItem/ResourceId",
    "lineItem/UsageAmount", "lineItem/CurrencyCode", "lineItem/UnblendedCost",
)  # fmt: skip


def aws_row(usage, amount, cost, *, operation="StandardStorage", bucket="data", kind="Usage",
            day=1, product="AmazonS3"):  # fmt: skip
    start = f"2026-10-{day:02}T00:00:00Z"
    end = f"2026-10-{day + 1:02}T00:00:00Z"
    return (kind, start, end, product, usage, operation, bucket, amount, "USD", cost)


AWS_ROWS = [
    # 1,000 GB-months stay, 9,000 went to GLACIER_IR
    aws_row("EUC1-TimedStorage-ByteHrs", "1000", "24.5"),
    aws_row("EUC1-TimedStorage-GIR-ByteHrs", "9000", "45.0", operation="GlacierIRStorage"),
    aws_row("EUC1-Requests-Tier2", "1000000", "0.43", operation="GetObject"),
    aws_row("EUC1-Requests-GIR-Tier2", "10000", "0.10", operation="GetObject", day=2),
    aws_row("EUC1-Requests-GIR-Tier1", "5000", "0.10", operation="S3-GIRTransition"),
    aws_row("EUC1-Requests-GIR-Tier1", "100", "0.002", operation="CopyObject"),
    aws_row("EUC1-Retrieval-GIR", "50", "1.5", operation="GetObject"),
    aws_row("EUC1-EarlyDelete-SIA", "1", "0.02"),
    aws_row("EUC1-Monitoring-Automation-INT", "1000", "0.0025"),
    aws_row("EUC1-DataTransfer-Out-Bytes", "10", "0.9"),
    aws_row("EUC1-TimedStorage-ByteHrs", "77", "1.9", bucket="other"),
    aws_row("EUC1-TimedStorage-ByteHrs", "1", "19", kind="Tax"),
    aws_row("BoxUsage:m5.large", "24", "2.3", product="AmazonEC2", bucket="i-1"),
]
AWS_BILLED = 24.5 + 45 + 0.43 + 0.10 + 0.10 + 0.002 + 1.5 + 0.02 + 0.0025
AWS_BASE = 10_000 * (24.5 + 1.9) / 1077 + 1_010_000 * 0.43 / 1_000_000


def run(*arguments):
    return CliRunner().invoke(app, ["bill", *map(str, arguments)])


def result(tmp_path, *arguments):
    out = tmp_path / "out.json"
    done = run(*arguments, "--json", out)
    assert done.exit_code == 0, done.output
    return json.loads(out.read_text()), done.output


def write_csv(path, columns, rows):
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "wt", newline="") as handle:
        csv.writer(handle).writerows([columns, *rows])
    return path


def cur2(path):
    """The same report as CUR 2.0 writes it: other names, typed, Parquet."""
    names = [
        "line_item_line_item_type", "line_item_usage_start_date", "line_item_usage_end_date",
        "line_item_product_code", "line_item_usage_type", "line_item_operation",
        "line_item_resource_id", "line_item_usage_amount", "line_item_currency_code",
        "line_item_unblended_cost",
    ]  # fmt: skip
    columns = dict(zip(names, zip(*AWS_ROWS, strict=True), strict=True))
    for name in names[1:3]:
        columns[name] = [dt.datetime.fromisoformat(each) for each in columns[name]]
    for name in (names[7], names[9]):
        columns[name] = [float(each) for each in columns[name]]
    pq.write_table(pa.table({name: list(each) for name, each in columns.items()}), path)
    return path


@pytest.mark.parametrize("form", ["csv", "csv.gz", "parquet"])
def test_aws_a_report_of_either_form_says_what_was_saved(tmp_path, form):
    path = tmp_path / f"cur.{form}"
    if form == "parquet":
        cur2(path)
    else:
        write_csv(path, AWS, AWS_ROWS)
    found, said = result(tmp_path, path, "--bucket", "data")
    [month] = found["months"]
    assert (month["month"], month["days"]) == ("2026-10", 2)
    assert float(month["billed"]) == pytest.approx(AWS_BILLED, rel=1e-3)
    assert float(month["inBaseClass"]) == pytest.approx(AWS_BASE, rel=1e-3)
    saved = AWS_BASE - AWS_BILLED
    assert float(found["savingsPerMonth"]) == pytest.approx(saved / 2 * 30.4375, rel=1e-3)
    assert "the bill's own lines of STANDARD" in found["unitPrices"]["storage"]["from"]
    assert "list price of STANDARD" in found["unitPrices"]["writes"]["from"]
    left = found["leftOut"]
    assert (left["tax, credits, fees"], left["of other services"]) == (1, 1)
    assert f"saved, billed: {found['savingsPerMonth']} USD a month" in said


def test_a_monthly_report_is_for_all_days_of_its_month(tmp_path):
    rows = [list(row) for row in AWS_ROWS[:2]]
    for row in rows:
        row[1:3] = "2026-10-01T00:00:00Z", "2026-11-01T00:00:00Z"
    found, _ = result(tmp_path, write_csv(tmp_path / "cur.csv", AWS, rows), "--bucket", "data")
    assert found["months"][0]["days"] == 31
    assert (found["since"], found["until"]) == ("2026-10-01", "2026-10-31")


AZURE = (
    "Date", "MeterCategory", "MeterSubCategory", "MeterName", "Quantity", "UnitOfMeasure",
    "CostInBillingCurrency", "BillingCurrency", "ResourceId",
)  # fmt: skip
ACCOUNT = "/subscriptions/1/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/media"


def azure_row(meter, quantity, unit, cost, category="Storage", day="10/03/2026"):
    sub = "General Block Blob v2"
    return (day, category, sub, meter, quantity, unit, cost, "EUR", ACCOUNT)


AZURE_ROWS = [
    azure_row("Hot LRS Data Stored", "100", "1 GB/Month", "1.8"),
    azure_row("Cool LRS Data Stored", "9", "100 GB/Month", "9.0"),
    azure_row("Hot Read Operations", "3", "10K", "0.012"),
    azure_row("Cool Read Operations", "2", "10K", "0.02"),
    azure_row("Hot LRS Write Operations", "1", "10K", "0.05"),
    azure_row("Cool Data Retrieval", "40", "1 GB", "0.4"),
    azure_row("Cool LRS Early Delete", "1", "1 GB", "0.01"),
    azure_row("All Other Operations", "1", "10K", "0.004"),
    azure_row("Standard Data Transfer Out", "1", "1 GB", "0.08"),
    azure_row("D2s v3", "24", "1 Hour", "2", category="Virtual Machines"),
]


def test_azure_an_export_says_what_was_saved_in_its_own_units(tmp_path):
    path = write_csv(tmp_path / "azure.csv", AZURE, AZURE_ROWS)
    found, _ = result(tmp_path, path, "--bucket", "media")
    [month] = found["months"]
    assert float(month["billed"]) == pytest.approx(
        1.8 + 9 + 0.012 + 0.02 + 0.05 + 0.4 + 0.01, rel=1e-3
    )
    # 1,000 GB at 0.018; 50,000 reads at 0.4 for a million, 10,000 writes as billed
    assert float(month["inBaseClass"]) == pytest.approx(18 + 0.02 + 0.05, rel=1e-3)
    assert month["byClass"]["Cool"] == "9.430"
    assert found["currency"] == "EUR"


def gcp_record(sku, amount, unit, cost, bucket="archive"):
    return {
        "service": {"id": "95FF-2EF5-5EA1", "description": "Cloud Storage"},
        "sku": {"id": "x", "description": sku},
        "usage_start_time": "2026-10-05 00:00:00 UTC",
        "usage_end_time": "2026-10-06 00:00:00 UTC",
        "cost": cost,
        "currency": "USD",
        "usage": {"amount": amount, "unit": unit},
        "resource": {"name": f"projects/_/buckets/{bucket}"},
    }


BYTE_SECONDS = 2**30 * 30.4375 * 86_400
GCP = [
    gcp_record("Standard Storage Iowa", 100 * BYTE_SECONDS, "byte-seconds", 2.0),
    gcp_record("Nearline Storage Iowa", 900 * BYTE_SECONDS, "byte-seconds", 9.0),
    gcp_record("Regional Standard Class B Operations", 10_000, "requests", 0.04),
    gcp_record("Regional Nearline Class B Operations", 10_000, "requests", 0.10),
    gcp_record("Nearline Data Retrieval", 2**30, "bytes", 0.01),
    gcp_record("Nearline Storage Iowa (Early Deletion)", 1, "byte-seconds", 0.5),
    gcp_record("Download Worldwide Destinations", 2**30, "bytes", 0.12),
    {**gcp_record("N1", 1, "hours", 3.0), "service": {"description": "Compute Engine"}},
]


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet"])
def test_google_an_export_says_what_was_saved_however_it_was_written_out(tmp_path, form):
    path = tmp_path / f"export.{form}"
    if form == "jsonl":
        path.write_text("".join(json.dumps(each) + "\n" for each in GCP))
    elif form == "parquet":
        pq.write_table(pa.Table.from_pylist(GCP), path)
    else:
        flat = [
            {
                **{k: v for k, v in each.items() if not isinstance(v, dict)},
                **{
                    f"{k}_{i}": x
                    for k, v in each.items()
                    if isinstance(v, dict)
                    for i, x in v.items()
                },
            }
            for each in GCP
        ]
        write_csv(path, list(flat[0]), [[row.get(n, "") for n in flat[0]] for row in flat])
    found, _ = result(tmp_path, path, "--bucket", "archive")
    [month] = found["months"]
    assert float(month["billed"]) == pytest.approx(2 + 9 + 0.04 + 0.10 + 0.01 + 0.5, rel=1e-3)
    assert float(month["inBaseClass"]) == pytest.approx(20 + 0.08, rel=1e-3)


def without(column, columns=AWS, rows=AWS_ROWS):
    at = columns.index(column)
    return [n for n in columns if n != column], [[*r[:at], *r[at + 1 :]] for r in rows]


@pytest.mark.parametrize(
    ("columns", "rows", "bucket", "words"),
    [
        (*without("lineItem/ResourceId"), "data", "Include resource IDs"),
        (*without("lineItem/UsageAmount"), "data", "Cost and Usage Report"),
        (*without("ResourceId", AZURE, AZURE_ROWS), "media", "Cost and usage details"),
        (AWS, AWS_ROWS, "dta", "no lines of dta; it has data, other"),
        (("a", "b"), [(1, 2)], "data", "is no bill that is known"),
        (AZURE, [azure_row("Hot LRS Data Stored", "1", "per month", "1")], "media", "not unders"),
        (AZURE, [azure_row("Hot LRS Data Stored", "x", "1 GB", "1")], "media", "no number"),
        (AZURE, [azure_row("Cool LRS Data Stored", "1", "1 GB", "1")], "media", "with --prices"),
        (AZURE, [azure_row("Hot LRS Data Stored", "1", "1 GB", "1", day="?")], "media", "no day"),
    ],
)  # fmt: skip
def test_what_is_missing_is_said(tmp_path, columns, rows, bucket, words):
    done = run(write_csv(tmp_path / "bill.csv", columns, rows), "--bucket", bucket)
    assert done.exit_code == 1
    assert words in done.output.replace("\n", " ")


def test_google_the_standard_export_names_no_bucket(tmp_path):
    path = tmp_path / "export.jsonl"
    records = [{k: v for k, v in each.items() if k != "resource"} for each in GCP]
    path.write_text("".join(json.dumps(each) + "\n" for each in records))
    done = run(path, "--bucket", "archive")
    assert "detailed" in done.output


def test_files_of_two_providers_are_not_added_up(tmp_path):
    one = write_csv(tmp_path / "one.csv", AWS, AWS_ROWS)
    other = write_csv(tmp_path / "other.csv", AZURE, AZURE_ROWS)
    done = run(one, other, "--bucket", "data")
    assert "of azure and s3" in done.output


def test_it_stands_beside_the_modelled_saving_and_is_recorded(tmp_path, monkeypatch):
    """Through kubectl: what the policy says is read, what the bill says is written to it."""
    program = tmp_path / "kubectl"
    status = {"status": {"outcome": {"realisedPerMonth": "41", "promisedPerMonth": "50"}}}
    program.write_text(
        f"#!/bin/sh\necho \"$@\" >> {tmp_path}/calls\ncat <<'END'\n{json.dumps(status)}\nEND\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    path = write_csv(tmp_path / "cur.csv", AWS, AWS_ROWS)
    beside = "--policy", "save", "-n", "team", "--record"
    found, said = result(tmp_path, path, "--bucket", "data", *beside)
    assert "saved, modelled by save: 41 a month" in said
    get, annotate = (tmp_path / "calls").read_text().splitlines()
    assert get.startswith("--namespace=team get tieringpolicies.cloudflux.io save")
    written = json.loads(annotate.split("billed-savings=")[1].removesuffix(" --overwrite"))
    assert written["savingsPerMonth"] == found["savingsPerMonth"]
    assert run(path, "--bucket", "data", "--record").exit_code == 1
