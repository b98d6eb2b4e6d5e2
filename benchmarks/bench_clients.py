"""What one small object costs on the wire: our HTTP client beside others, processor time.

Each client writes and reads CLOUDFLUX_BENCH_OBJECTS (1,500) objects of 16 KiB with 16 threads on
one MinIO. Processor time of this process is what bounds a mover on a busy machine; the rate
depends on the server as well. `boto3` is the SDK with its own settings.
"""

import http.client
import os
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from urllib3 import HTTPConnectionPool

from benchmarks.figures import Figure, print_figures
from cloudflux.storage.http_client import Pool
from cloudflux.storage.s3_sign import EMPTY_SHA256, Keys, Signer, quote_path
from cloudflux.storage.s3_wire import payload_sha256
from cloudflux_dev.s3servers import S3Server, start_minio

OBJECTS = int(os.environ.get("CLOUDFLUX_BENCH_OBJECTS", "1500"))
THREADS = 16
BODY = os.urandom(16 << 10)
Call = Callable[[str, str, bytes], bytes]
"""Method, key and body; returns the answer's body."""


def signed(server: S3Server) -> Callable[[str, str, bytes], tuple[str, dict[str, str]]]:
    """Makes the path and the signed headers of a request."""
    keys, signer = Keys(server.access_key_id, server.secret_access_key), Signer(server.region)
    host = server.endpoint.removeprefix("http://")

    def sign(method: str, key: str, body: bytes) -> tuple[str, dict[str, str]]:
        path, headers = f"/bench/{quote_path(key)}", {"host": host}
        digest = payload_sha256(body) if body else EMPTY_SHA256
        signer.sign(keys, method, path, "", headers, digest)
        return path, headers

    return sign


def clients(server: S3Server) -> dict[str, Call]:
    """Every client by name."""
    sign, local = signed(server), threading.local()
    host = server.endpoint.removeprefix("http://")
    pool, other = Pool(server.endpoint), HTTPConnectionPool(host, maxsize=THREADS)
    sdk = server.client()

    def ours(method: str, key: str, body: bytes) -> bytes:
        path, headers = sign(method, key, body)
        return pool.request(method, path, headers, body).read()

    def urllib3(method: str, key: str, body: bytes) -> bytes:
        path, headers = sign(method, key, body)
        return other.request(method, path, headers=headers, body=body or None, retries=False).data

    def standard(method: str, key: str, body: bytes) -> bytes:
        path, headers = sign(method, key, body)
        if not hasattr(local, "connection"):
            local.connection = http.client.HTTPConnection(host)
        local.connection.request(method, path, body=body or None, headers=headers)
        return local.connection.getresponse().read()

    def boto3(method: str, key: str, body: bytes) -> bytes:
        if method == "PUT":
            sdk.put_object(Bucket="bench", Key=key, Body=body)
            return b""
        return sdk.get_object(Bucket="bench", Key=key)["Body"].read()

    return {"ours": ours, "http.client": standard, "urllib3": urllib3, "boto3": boto3}


def microseconds(call: Call) -> float:
    """Processor time of this process for one object written and read."""
    keys, lock = iter(range(OBJECTS)), threading.Lock()

    def work() -> None:
        while True:
            with lock:
                number = next(keys, None)
            if number is None:
                return
            call("PUT", f"k{number}", BODY)
            if call("GET", f"k{number}", b"") != BODY:
                raise RuntimeError("other bytes came back")

    began = time.process_time()
    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return (time.process_time() - began) / OBJECTS * 1e6


def main() -> None:
    """Measure every client on one server."""
    with tempfile.TemporaryDirectory() as home, start_minio(Path(home)) as server:
        server.client().create_bucket(Bucket="bench")
        found = {name: microseconds(call) for name, call in clients(server).items()}
    print_figures(
        [Figure(f"one object with {name}", value, "µs", peer=found["boto3"])
         for name, value in found.items()]
    )  # fmt: skip


if __name__ == "__main__":
    main()
