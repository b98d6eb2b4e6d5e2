"""The demo's data: a bucket with its access logs, and a tree of real files.

Objects and files are real. The bucket's history of reads is SYNTHETIC (tracegen, seeded)
but for today's reads, which are made here and recorded by a front in AWS's log format.
"""

import datetime as dt
import os
import random
import shutil
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml

from cloudflux_dev import tracegen
from cloudflux_dev.recording_front import start_front
from cloudflux_dev.s3servers import S3Server

BUCKET, PREFIX = "example-sensors", "readings/"
LOG_BUCKET, LOG_PREFIX = "example-sensors-logs", "access/"
EXAMPLE_DIRECTORY = "file:///srv/storage"
SEED = 20
DAYS = 120
OBJECTS = 200
BUCKET_BYTES = 288 * 2**20
TREE_BYTES = 60 * 2**20
READS_TODAY = 60
DAY_SECONDS = 86_400


def make_bucket(server: S3Server) -> list[str]:
    """Fill the bucket and its log bucket; return what was done, in words."""
    client = server.client()
    for bucket in (BUCKET, LOG_BUCKET):
        client.create_bucket(Bucket=bucket)
    sizes = _sizes()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: _put(client, key, sizes[key]), sizes))
    objects = tracegen.assign(sizes, seed=SEED, days=DAYS)
    lines = 0

    def deliver(item: tuple[str, bytes]) -> int:
        name, content = item
        client.put_object(Bucket=LOG_BUCKET, Key=LOG_PREFIX + name, Body=content)
        return content.count(b"\n")

    now = dt.datetime.now(dt.UTC)
    trace = tracegen.generate(objects, bucket=BUCKET, now=now, days=DAYS, seed=SEED, prefix=PREFIX)
    with ThreadPoolExecutor(8) as pool:
        lines = sum(pool.map(deliver, trace))
    reads = _read_today(server, objects)
    total = sum(sizes.values())
    shares = ", ".join(
        f"{sum(o.behaviour is b for o in objects)} {b.value}" for b in tracegen.Behaviour
    )
    return [
        f"s3://{BUCKET}: {len(sizes)} objects, {total / 2**20:.0f} MiB ({shares})",
        f"s3://{LOG_BUCKET}: {lines} lines of SYNTHETIC access logs over {DAYS} days, "
        f"and {reads} real reads of today",
    ]


def _sizes() -> dict[str, int]:
    """Real sizes: many small objects, most bytes in few large ones; scaled to a fixed total."""
    rng = random.Random(SEED)
    drawn = [min(max(rng.lognormvariate(14.2, 1.1), 4096), 8 * 2**20) for _ in range(OBJECTS)]
    factor = BUCKET_BYTES / sum(drawn)
    return {
        f"2026/plant-{number % 6}/run-{number:04}.parquet": max(4096, int(size * factor))
        for number, size in enumerate(drawn)
    }


def _put(client: Any, key: str, size: int) -> None:
    client.put_object(
        Bucket=BUCKET,
        Key=PREFIX + key,
        Body=random.Random(key).randbytes(size),
        ContentType="application/vnd.apache.parquet",
        Metadata={"plant": key.split("/")[1]},
    )


def _read_today(server: S3Server, objects: list[tracegen.TracedObject]) -> int:
    """Read hot objects through a front that records the requests, and deliver its log."""
    plain = server.client()

    def sink(name: str, content: bytes) -> None:
        plain.put_object(Bucket=LOG_BUCKET, Key=LOG_PREFIX + name, Body=content)

    front = start_front(server.endpoint, sink, buckets={BUCKET})
    try:
        through = S3Server(
            front.url, server.access_key_id, server.secret_access_key, server.process_id
        ).client()
        hot = [o for o in objects if o.behaviour is tracegen.Behaviour.HOT]
        for number in range(READS_TODAY):
            key = PREFIX + hot[number % len(hot)].key
            through.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    finally:
        front.stop()
    return READS_TODAY


def make_files(directory: Path) -> list[str]:
    """Copy a part of the environment's packages; set back when most of it was read last."""
    rng = random.Random(SEED)
    home = directory / "hot" / "packages"
    for tier in ("hot", "warm", "cold"):
        (directory / tier).mkdir(parents=True)
    packages = Path(sysconfig.get_paths()["purelib"])
    total = count = aged = 0
    now = dt.datetime.now(dt.UTC).timestamp()
    for source in sorted(packages.rglob("*")):
        parts = source.relative_to(packages).parts
        if source.is_symlink() or not source.is_file() or "__pycache__" in parts:
            continue
        size = source.stat().st_size
        # what is worth moving: modules and libraries, not the thousands of tiny files
        if size < 48 * 1024 or size > 4 * 2**20 or total + size > TREE_BYTES:
            continue
        target = home.joinpath(*parts)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        written = now - rng.randint(200, 400) * DAY_SECONDS
        unread = rng.random() < 0.7
        read = now - (rng.randint(100, 190) * DAY_SECONDS if unread else rng.randint(60, 7200))
        os.utime(target, (read, written))
        total, count, aged = total + size, count + 1, aged + unread
    return [
        f"{home}: {count} real files, {total / 2**20:.0f} MiB, copied from this environment; "
        f"read times of {aged} are SET BACK 100 to 190 days"
    ]


def for_this_machine(path: Path, server: S3Server, directory: Path) -> str:
    """Return an example with this machine's values: endpoint, keys and directories.

    Four things are set, and nothing else: `endpoint` of every s3:// location, the Secret's keys,
    file:///srv/storage → the demo's own directory, and `writers: Quiesced` for the bucket: the
    embedded server enforces no conditions on copies, and nobody writes to it while it runs.
    """
    text = path.read_text().replace(EXAMPLE_DIRECTORY, directory.as_uri())
    documents = list(yaml.safe_load_all(text))
    for document in documents:
        if document["kind"] == "Secret":
            document["stringData"] = {
                "accessKeyId": server.access_key_id,
                "secretAccessKey": server.secret_access_key,
            }
        if document["kind"] == "DataSet":
            spec = document["spec"]
            if spec["location"]["uri"].startswith("s3://"):
                spec["writers"] = "Quiesced"
            locations = [spec["location"], *(s.get("logs") for s in spec["access"]["sources"])]
            for location in locations:
                if location and location["uri"].startswith("s3://"):
                    location["endpoint"] = server.endpoint
    return yaml.safe_dump_all(documents, sort_keys=False)
