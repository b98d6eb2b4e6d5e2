"""How the cost of planning and of moving grows: up to a million objects of a made-up bucket.

The listing comes from a server of our own that computes its pages, so that a million objects
need not be written first; it answers what `cloudflux move --dry-run` asks, and nothing else.
Moves go between stores that compute their objects (`move_many`): the mover's own cost.
"""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from benchmarks.figures import Figure
from benchmarks.move_rig import MIB, ROOT, Bench
from cloudflux_dev.ports import free_port
from cloudflux_dev.s3servers import running, wait_until_answering

SIZES = (1_000, 10_000, 100_000, 1_000_000)
MEMORY_AIM_MIB = 256
PAGE = 1000


def growth(bench: Bench, scale: float) -> list[Figure]:
    """Plan and make moves of so many objects; processor time and memory of our processes."""
    counts = [round(count * scale) for count in SIZES]
    return [*_planning(bench, counts), *_moving(bench, counts)]


def _moving(bench: Bench, counts: Sequence[int]) -> list[Figure]:
    figures = []
    for count in counts:
        found = bench.run(
            [sys.executable, "-m", "benchmarks.move_many", str(count), str(bench.directory())],
            PYTHONPATH=f"{ROOT / 'operator'}:{ROOT}",
        )
        told = json.loads(found.output.splitlines()[-1])
        name = f"moving {count:,} made-up objects"
        figures += [
            Figure(f"{name}: processor time", told["move_cpu_seconds"], "s"),
            Figure(f"{name}: a run more", told["again_cpu_seconds"], "s"),
            Figure(f"{name}: memory", found.memory_mib, "MiB", aim=MEMORY_AIM_MIB),
        ]
    return figures


def _planning(bench: Bench, counts: Sequence[int]) -> list[Figure]:
    target = bench.directory()
    figures = []
    with _listing_server() as endpoint:
        bench.environment |= {"AWS_ACCESS_KEY_ID": "made-up", "AWS_SECRET_ACCESS_KEY": "made-up"}
        for objects in counts:
            found = bench.run(
                bench.ours(
                    "move", f"s3://objects-{objects}/data", str(target), "--dry-run",
                    "--source-endpoint", endpoint, "--region", "us-east-1",
                )
            )  # fmt: skip
            if f'"objects": {objects}' not in found.output:
                raise RuntimeError(f"planned something else:\n{found.output[-2000:]}")
            name = f"planning {objects:,} objects"
            figures += [
                Figure(f"{name}: processor time", found.cpu_seconds, "s"),
                Figure(f"{name}: memory", found.memory_mib, "MiB", aim=MEMORY_AIM_MIB),
            ]
    return figures


@contextlib.contextmanager
def _listing_server() -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.move_growth", str(port)]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'operator'}:{ROOT / 'tools'}:{ROOT}"}
    with running(command, environment, None, outlives=False) as process:
        assert isinstance(process, subprocess.Popen)
        wait_until_answering(f"http://127.0.0.1:{port}/objects-1", process)
        yield f"http://127.0.0.1:{port}"


class _Pages(BaseHTTPRequestHandler):
    """ListObjectsV2 of buckets that are called objects-COUNT; of nothing else there is any."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        split = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(split.query).items()}
        count = int(split.path.split("/")[1].rpartition("-")[2])
        start = int(query.get("continuation-token", "0"))
        size = min(int(query.get("max-keys", PAGE)), PAGE)
        end = min(start + size, count)
        entries = "".join(_entry(number) for number in range(start, end))
        more = end < count
        token = f"<NextContinuationToken>{end}</NextContinuationToken>" if more else ""
        body = (
            '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult><EncodingType>url'
            f"</EncodingType><IsTruncated>{str(more).lower()}</IsTruncated>{token}{entries}"
            "</ListBucketResult>"
        ).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


def _entry(number: int) -> str:
    return (
        f"<Contents><Key>data/{number // 1000:06}/{number:09}</Key>"
        "<LastModified>2026-01-01T00:00:00.000Z</LastModified>"
        f"<ETag>&#34;{number:032x}&#34;</ETag><Size>{64 + number % MIB}</Size>"
        "<StorageClass>STANDARD</StorageClass></Contents>"
    )


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), _Pages).serve_forever()
