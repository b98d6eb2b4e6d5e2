"""Use every part of the image once: what was cut away and is needed is found when it is built.

Run by the image's own Python, in the build stage before and after trimming and in the finished
image. With `--loaded FILE` the paths of the modules that were imported are written there, one
a line: only these are compiled ahead.
"""

import argparse
import asyncio
import datetime as dt
import importlib
import io
import os
import pkgutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

# not needed to run: charts are an extra
OPTIONAL = {"cloudflux.brain.replay.chart"}


def every_module() -> None:
    """Import all of cloudflux."""
    import cloudflux

    for found in pkgutil.walk_packages(cloudflux.__path__, "cloudflux."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)


def access_store(directory: Path) -> None:
    """Write, read, compact and vacuum a table; keep Parquet."""
    import deltalake
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    rows = pa.table({"key": ["a", "b", "a"], "day": [1, 2, 3], "reads": [1, 2, 3]})
    place = str(directory / "table")
    for _ in range(2):
        deltalake.write_deltalake(place, rows, mode="append", partition_by=["day"])
    table = deltalake.DeltaTable(place)
    table.optimize.compact()
    table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    found = table.to_pyarrow_dataset().to_table(filter=pc.field("reads") > 1)
    assert found.num_rows == 4
    total = found.group_by("key").aggregate([("reads", "sum")]).sort_by("key")
    assert total.to_pydict() == {"key": ["a", "b"], "reads_sum": [6, 4]}
    for codec in ("zstd", "snappy", "gzip"):
        pq.write_table(rows, directory / f"{codec}.parquet", compression=codec)
        assert pq.read_table(directory / f"{codec}.parquet").num_rows == 3


def brain(directory: Path) -> None:
    """Learn, save, load and replay through the command line."""
    from cloudflux.cli.backtest import StrategyName, run_backtest
    from cloudflux.cli.generate import generate
    from cloudflux.cli.train import train

    reads, objects, model = (directory / name for name in ("r.parquet", "o.parquet", "m.skops"))
    generate("bursts", reads, objects, count=400, days=400, first_day="2024-01-01", seed=1)
    train(reads, objects, "2024-12-01", model, None, 0)
    day = dt.date.fromisoformat
    result = run_backtest(
        reads=reads,
        objects=objects,
        train_from=None,
        decide_from=day("2024-12-01"),
        until=day("2025-01-31"),
        prices="aws/us-east-1",
        classes=["STANDARD", "STANDARD_IA", "GLACIER_IR"],
        strategy=StrategyName.PREDICTIVE,
        model=model,
    )
    assert result["json"]


def stores() -> None:
    """Make a client of each store, with the identities of all clouds; checksums."""
    import boto3
    import google.auth
    from awscrt import checksums
    from azure.identity import DefaultAzureCredential, WorkloadIdentityCredential
    from botocore.config import Config

    DefaultAzureCredential()
    WorkloadIdentityCredential(tenant_id="t", client_id="c", token_file_path=os.devnull)
    session = boto3.Session("k", "s", region_name="eu-central-1")
    for service in ("s3", "sts", "sso", "sso-oidc"):
        session.client(service, config=Config(retries={"mode": "standard"}))
    assert checksums.crc64nvme(b"abc")
    assert checksums.crc32c(b"abc")
    # the ways that workload identity takes
    for name in ("identity_pool", "impersonated_credentials", "compute_engine", "aws"):
        assert importlib.import_module(f"google.auth.{name}")
    assert google.auth.default


def kafka() -> None:
    """The codecs and ways to log in that the sink and the collector know."""
    import cramjam
    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
    from aiokafka.codec import has_gzip, has_lz4, has_snappy, has_zstd

    assert all((has_gzip(), has_lz4(), has_snappy(), has_zstd(), cramjam))

    async def made() -> None:
        for mechanism in ("PLAIN", "SCRAM-SHA-512"):
            words = {
                "bootstrap_servers": "127.0.0.1:1",
                "security_protocol": "SASL_PLAINTEXT",
                "sasl_mechanism": mechanism,
                "sasl_plain_username": "u",
                "sasl_plain_password": "p",
            }
            producer = AIOKafkaProducer(**words, compression_type="zstd")
            consumer = AIOKafkaConsumer("t", **words)
            await producer.stop()
            await consumer.stop()

    asyncio.run(made())


def kubernetes(directory: Path) -> None:
    """Read a kubeconfig and open a client, as the operator does."""
    from cloudflux.handlers.kube import Kube
    from cloudflux.settings import Settings

    config = directory / "kubeconfig"
    config.write_text(
        "{apiVersion: v1, kind: Config, current-context: a,"
        " clusters: [{name: a, cluster: {server: 'https://127.0.0.1:1'}}],"
        " users: [{name: a, user: {token: t}}],"
        " contexts: [{name: a, context: {cluster: a, user: a}}]}"
    )

    async def opened() -> None:
        kube = await Kube.connect(Settings(kubeconfig=config, state_dir=directory))
        await kube.close()

    asyncio.run(opened())


def commands(directory: Path) -> None:
    """Every command answers, and those that need no cluster, store or broker do their work."""
    from typer.testing import CliRunner

    from cloudflux.cli.kubectl import app as plugin
    from cloudflux.cli.main import _COMMANDS, app

    for name in _COMMANDS:
        answer = CliRunner().invoke(app, [name, "--help"])
        assert answer.exit_code == 0, f"{name}: {answer.output} {answer.exception!r}"
    assert CliRunner().invoke(plugin, ["--help"]).exit_code == 0
    source, target = directory / "source", directory / "target"
    source.mkdir()
    target.mkdir()
    (source / "a").write_bytes(b"content")
    said = ran(directory, "move", str(source), str(target))
    assert (target / "a").read_bytes() == b"content"
    manifest = next(directory.rglob("manifest.jsonl"), None)
    assert manifest is not None, said
    ran(directory, "verify", str(manifest), "--deep")
    ran(directory, "plan", str(target), "--json")
    ran(directory, "prices", "show", "aws/us-east-1", "--json")
    ran(directory, "simulate", "s3://bucket/data", "--duration", "1", "--speed", "0",
        "--file", str(directory / "events"))  # fmt: skip
    history = ("--reads", str(directory / "r.parquet"), "--objects", str(directory / "o.parquet"))
    ran(directory, "explain", *history, "--day", "2024-12-01")
    ran(directory, "evaluate", *history, "--until", "2025-01-31", "--origins", "1")
    for child in ("mover", "ingest", "brain"):
        ended = subprocess.run(
            [sys.executable, "-m", "cloudflux.cli.child", child, "--parent-pid", str(os.getpid())],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert ended.returncode == 0, ended.stderr


def ran(directory: Path, *arguments: str, code: int = 0) -> str:
    """Run a command as the image's entry point does; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "cloudflux", *arguments],
        capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "HOME": str(directory)},
    )  # fmt: skip
    assert done.returncode == code, f"{arguments}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def services(directory: Path) -> None:
    """The long-running ones start, serve and end when they are asked to."""
    said = ran(directory, "collector", "--state-dir", str(directory), code=2)
    assert "CLOUDFLUX_KAFKA__BROKERS" in said
    said = ran(directory, "worker", "--work", "{}", "--index", "0", code=3)
    assert "error:" in said
    for command, address in (
        (("console", "--port", "18090"), "http://127.0.0.1:18090/healthz"),
        (("operator", "--state-dir", str(directory)), "http://127.0.0.1:18091/healthz"),
    ):
        environment = {
            **os.environ,
            "CLOUDFLUX_KUBECONFIG": str(directory / "kubeconfig"),
            "CLOUDFLUX_PROBE_PORT": "18091",
        }  # fmt: skip
        process = subprocess.Popen(
            [sys.executable, "-m", "cloudflux", *command],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        try:
            assert answers(address, process), f"{command} serves nothing at {address}"
        finally:
            process.terminate()
            print(f"{command[0]}: ended with {process.wait(30)}")


def answers(address: str, process: subprocess.Popen[str]) -> bool:
    """Whether a URL answers within a minute, while a process lives."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=5) as found:
                return bool(found.status == 200)
        except OSError:
            time.sleep(0.2)
    return False


def main() -> int:
    """Run all; the first that fails says why by its traceback."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--loaded", type=Path)
    loaded: Path | None = parser.parse_args().loaded
    with tempfile.TemporaryDirectory() as work:
        directory = Path(work)
        parts: list[Callable[[], object]] = [
            every_module,
            lambda: access_store(directory),
            lambda: brain(directory),
            stores,
            kafka,
            lambda: kubernetes(directory),
            lambda: commands(directory),
            lambda: services(directory),
        ]
        for part in parts:
            part()
    if loaded is not None:
        files = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
        text = io.StringIO()
        for file in sorted(filter(None, files)):
            text.write(f"{Path(file).resolve()}\n")
        loaded.write_text(text.getvalue())
    print("The image's parts work.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
