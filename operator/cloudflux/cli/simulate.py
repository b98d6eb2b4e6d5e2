"""`cloudflux simulate`: make up accesses to data, for load tests and demonstrations."""

import asyncio
import datetime as dt
import heapq
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from cloudflux.cli.local import store_ref
from cloudflux.collector import simulate as outputs
from cloudflux.collector.workloads import HABITS, Kind, Operation, Target, objects_of, operations
from cloudflux.errors import CloudFluxError, ConfigurationError

_KINDS = "; ".join(f"{kind.value} ({habit.meaning})" for kind, habit in HABITS.items())


def simulate(
    location: Annotated[str, typer.Argument(help="Location that is read: s3://bucket/prefix …")],
    kinds: Annotated[
        list[Kind] | None, typer.Option("--kind", help=f"Kind of source; repeat; {_KINDS}.")
    ] = None,
    rate: Annotated[float, typer.Option(min=0.001, help="Operations a second, in all.")] = 10.0,
    duration: Annotated[float, typer.Option(min=0.1, help="Seconds of simulated time.")] = 60.0,
    seed: Annotated[int, typer.Option(help="The same seed gives the same operations.")] = 1,
    objects: Annotated[int, typer.Option(min=1, help="Objects of each kind.")] = 200,
    of: Annotated[
        bool, typer.Option("--real-objects", help="List the location and read what is there.")
    ] = False,
    endpoint: Annotated[str | None, typer.Option(help="S3-compatible server to list.")] = None,
    start: Annotated[
        dt.datetime | None, typer.Option(help="Time of the first operation (UTC); absent: now.")
    ] = None,
    speed: Annotated[
        float, typer.Option(min=0, help="1: in real time; 60: a minute a second; 0: at once.")
    ] = 0.0,
    kafka: Annotated[
        bool, typer.Option("--kafka", help="To the access topic; CLOUDFLUX_KAFKA__… say where.")
    ] = False,
    file: Annotated[Path | None, typer.Option(help="To a file, one event a line.")] = None,
    s3_logs: Annotated[
        Path | None, typer.Option(help="To S3 server access logs in a directory.")
    ] = None,
) -> None:
    """Make up SYNTHETIC accesses to a location: to Kafka, to a file or to S3 access logs."""
    try:
        if sum((kafka, file is not None, s3_logs is not None)) != 1:
            raise ConfigurationError("say where to: one of --kafka, --file and --s3-logs")
        real = _listed(location, endpoint) if of else None
        began = (start or dt.datetime.now(dt.UTC)).replace(tzinfo=dt.UTC)
        wanted = kinds or list(Kind)
        made = heapq.merge(
            *(
                operations(
                    kind,
                    real or objects_of(kind, objects, seed),
                    start=began,
                    duration_seconds=duration,
                    rate_per_second=rate / len(wanted),
                    seed=seed,
                )
                for kind in wanted
            ),
            key=lambda one: one.time,
        )
        count = _write(outputs.paced(made, speed), location, kafka, file, s3_logs)
    except (CloudFluxError, ValueError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from error
    typer.echo(f"{count} synthetic operations on {location}: no evidence of anything")


def _write(
    made: Iterator[Operation], location: str, kafka: bool, file: Path | None, s3_logs: Path | None
) -> int:
    if file is not None:
        return outputs.write_file(made, location, file)
    if s3_logs is not None:
        return outputs.write_s3_logs(made, location, s3_logs)
    if kafka:
        # imported here: files are written without Kafka
        from cloudflux.cli.operator import read_settings
        from cloudflux.collector.tell import send

        settings = read_settings({}).kafka
        if not settings.enabled:
            raise ConfigurationError("set CLOUDFLUX_KAFKA__BROKERS to host:port of your brokers")
        return asyncio.run(send(made, location, settings))
    return 0


def _listed(location: str, endpoint: str | None) -> list[Target]:
    """The objects of a real location."""
    from cloudflux.storage.interface import ObjectInfo
    from cloudflux.storage.registry import open_store

    with closing(open_store(store_ref(location, endpoint=endpoint))) as store:
        found = [
            Target(one.key, one.size_bytes) for one in store.list() if isinstance(one, ObjectInfo)
        ]
    if not found:
        raise ConfigurationError(f"{location} holds no objects")
    return found
