"""`cloudflux bill`: what the provider's own bill says was saved."""

import csv
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from cloudflux.errors import CloudFluxError, ConfigurationError

_BILLED = "cloudflux.io/billed-savings"


def bill(
    files: Annotated[
        list[Path],
        typer.Argument(help="Bills of one provider: CSV, CSV.gz, Parquet or JSON lines."),
    ],
    bucket: Annotated[
        list[str], typer.Option(help="Bucket, or storage account of Azure; may be repeated.")
    ],
    prices: Annotated[
        str | None,
        typer.Option(
            help="provider/region, or a JSON price list, for what the bill itself has no price of."
        ),
    ] = None,
    policy: Annotated[
        str | None, typer.Option(help="TieringPolicy to show beside it, read with kubectl.")
    ] = None,
    namespace: Annotated[
        str | None, typer.Option("--namespace", "-n", help="Namespace of the policy.")
    ] = None,
    record: Annotated[
        bool, typer.Option("--record", help="Write it to the policy: it is then held against it.")
    ] = False,
    as_json: Annotated[
        Path | None, typer.Option("--json", help="JSON file to write everything to.")
    ] = None,
) -> None:
    """Say what a bill says was saved: the same amounts in the base class, less what was billed."""
    from cloudflux.brain.bills.saving import billed_saving
    from cloudflux.brain.money import money_text
    from cloudflux.brain.prices import load_table
    from cloudflux.brain.replay.pricelist import table_for

    try:
        if record and policy is None:
            raise ConfigurationError("--record writes to a policy: name it with --policy")
        provider, lines, left_out = _read(files)
        base = load_table(provider, None).base_class
        saving = billed_saving(lines, bucket, table_for(prices or provider, [base]))
        days = sorted(line.day for line in lines if line.resource in set(bucket))
        last = max(line.last_day for line in lines if line.resource in set(bucket))
        found: dict[str, Any] = {
            "method": "Billed",
            "savingsPerMonth": money_text(saving.per_month),
            "currency": saving.currency,
            "since": days[0].isoformat(),
            "until": last.isoformat(),
            "months": [
                {
                    "month": each.month,
                    "days": each.days,
                    "billed": money_text(each.billed),
                    "inBaseClass": money_text(each.in_base_class),
                    "saved": money_text(each.saved),
                    "byClass": {name: money_text(cost) for name, cost in each.by_class.items()},
                }
                for each in saving.months
            ],
            "unitPrices": {
                kind: {"price": money_text(price), "from": source}
                for kind, (price, source) in saving.unit_prices.items()
            },
            "leftOut": left_out,
        }
        if policy is not None:
            found["policy"] = _beside(policy, namespace, found, record=record)
        if as_json is not None:
            as_json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    except (CloudFluxError, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error
    typer.echo(_in_words(found))


def _read(files: list[Path]) -> tuple[str, list[Any], dict[str, int]]:
    """Read all files. Raises ConfigurationError where they are not of one provider."""
    from cloudflux.brain.bills import aws, azure, gcs

    known = ((aws.is_aws, aws.parse), (azure.is_azure, azure.parse), (gcs.is_gcs, gcs.parse))
    lines: list[Any] = []
    left_out: dict[str, int] = {}
    providers: set[str] = set()
    for path in files:
        columns, rows = _rows(path)
        parse = next((parse for is_it, parse in known if is_it(columns)), None)
        if parse is None:
            raise ConfigurationError(
                f"{path} is no bill that is known: a Cost and Usage Report (AWS), an export of "
                "cost and usage details (Azure) and a detailed usage cost export (Google Cloud) "
                f"are. Its columns are {', '.join(columns[:8])}"
            )
        parsed = parse(columns, rows)
        providers.add(parsed.provider)
        lines += parsed.lines
        for why, count in parsed.left_out.items():
            left_out[why] = left_out.get(why, 0) + count
    if len(providers) > 1:
        raise ConfigurationError(
            f"the files are of {' and '.join(sorted(providers))}: give those of one provider"
        )
    return providers.pop(), lines, left_out


def _rows(path: Path) -> tuple[list[str], Iterator[dict[str, Any]]]:
    name = path.name.removesuffix(".gz")
    if name.endswith(".parquet"):
        import pyarrow.parquet as pq

        file = pq.ParquetFile(path)
        batches = (row for batch in file.iter_batches() for row in batch.to_pylist())
        return list(file.schema_arrow.names), batches
    opened = gzip.open if path.name.endswith(".gz") else open
    if name.endswith((".json", ".jsonl", ".ndjson")):
        with opened(path, "rt", encoding="utf-8") as handle:
            try:
                records = [json.loads(line) for line in handle if line.strip()]
            except ValueError as error:
                raise ConfigurationError(f"{path} is no file of JSON lines: {error}") from error
        return sorted({column for row in records for column in row}), iter(records)
    with opened(path, "rt", encoding="utf-8-sig", newline="") as handle:
        reader = csv.DictReader(handle)
        read = list(reader)
    return list(reader.fieldnames or ()), iter(read)


def _beside(
    policy: str, namespace: str | None, found: dict[str, Any], *, record: bool
) -> dict[str, Any]:
    """Read what the policy's own model says, and write the bill's word to it."""
    from cloudflux.cli.kubectl import POLICIES, Cluster

    cluster = Cluster([f"--namespace={namespace}"] if namespace else [])
    status = cluster.get(POLICIES, policy).get("status") or {}
    if record:
        kept = {name: found[name] for name in ("savingsPerMonth", "currency", "since", "until")}
        cluster.run("annotate", POLICIES, policy, f"{_BILLED}={json.dumps(kept)}", "--overwrite")
    outcome = status.get("outcome") or {}
    return {
        "name": policy,
        "modelledPerMonth": outcome.get("realisedPerMonth"),
        "promisedPerMonth": outcome.get("promisedPerMonth"),
        "currency": status.get("currency"),
        "recorded": record,
    }


def _in_words(found: dict[str, Any]) -> str:
    currency = found["currency"]
    lines = [f"{'month':8} {'days':>5} {'billed':>12} {'in base class':>14} {'saved':>12}"]
    lines += [
        f"{each['month']:8} {each['days']:5} {each['billed']:>12} {each['inBaseClass']:>14} "
        f"{each['saved']:>12}"
        for each in found["months"]
    ]
    lines.append(f"saved, billed: {found['savingsPerMonth']} {currency} a month")
    policy = found.get("policy")
    if policy is not None:
        modelled, promised = policy["modelledPerMonth"], policy["promisedPerMonth"]
        unknown = "not known yet"
        lines.append(f"saved, modelled by {policy['name']}: {modelled or unknown} a month")
        lines.append(f"promised: {promised or unknown}")
        if policy["recorded"]:
            lines.append(f"recorded at TieringPolicy {policy['name']}")
    for kind, price in found["unitPrices"].items():
        lines.append(f"{kind} in the base class at {price['price']} {currency}: {price['from']}")
    left_out = {why: count for why, count in found["leftOut"].items() if count}
    if left_out:
        said = ", ".join(f"{count} {why}" for why, count in left_out.items())
        lines.append(f"lines left out: {said}")
    return "\n".join(lines)
