"""Starts S3 servers for demo, tests and benchmarks.

moto knows every storage class, versitygw enforces conditions, MinIO computes checksums and is
fast. Servers of other protocols are in `cloudservers`.
"""

import contextlib
import ctypes
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloudflux_dev import parts
from cloudflux_dev.ports import free_port

START_SECONDS = 60
REGION = "us-east-1"
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class S3Server:
    """A running server and keys that may do everything on it."""

    endpoint: str
    access_key_id: str
    secret_access_key: str
    process_id: int
    region: str = REGION

    def client(self, service: str = "s3") -> Any:
        """A plain boto3 client with these keys, to prepare buckets."""
        import boto3

        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=self.region,
            aws_access_key_id=self.access_key_id,
            aws_secret_access_key=self.secret_access_key,
        )


@contextlib.contextmanager
def start_moto(
    *, port: int = 0, log: Path | None = None, outlives: bool = False
) -> Iterator[S3Server]:
    """Run moto's server in a process of its own, with authentication on, until the block ends.

    With `outlives` it goes on after the block and after this process; end it by its process id.
    """
    port = port or free_port()
    endpoint = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "moto.server", "--port", str(port)]
    with running(command, dict(os.environ), log, outlives=outlives) as process:
        wait_until_answering(f"{endpoint}/moto-api/data.json", process)
        keys = _moto_keys(endpoint)
        yield S3Server(endpoint, keys[0], keys[1], process.pid)


@contextlib.contextmanager
def start_versitygw(
    directory: Path,
    *,
    port: int = 0,
    program: Path | None = None,
    log: Path | None = None,
    outlives: bool = False,
) -> Iterator[S3Server]:
    """Run versitygw over `directory` until the block ends. Raises FileNotFoundError without it."""
    program = program or require("versitygw")
    port = port or free_port()
    endpoint = f"http://127.0.0.1:{port}"
    access_key, secret_key = f"key{secrets.token_hex(8)}", secrets.token_hex(20)
    environment = {
        **os.environ,
        "ROOT_ACCESS_KEY": access_key,
        "ROOT_SECRET_KEY": secret_key,
    }
    directory.mkdir(parents=True, exist_ok=True)
    command = [str(program), "--quiet", "--port", f"127.0.0.1:{port}", "posix", str(directory)]
    with running(command, environment, log, outlives=outlives) as process:
        wait_until_answering(endpoint, process)
        yield S3Server(endpoint, access_key, secret_key, process.pid)


@contextlib.contextmanager
def start_minio(
    directory: Path,
    *,
    port: int = 0,
    log: Path | None = None,
    outlives: bool = False,
    host: str = "127.0.0.1",
) -> Iterator[S3Server]:
    """Run MinIO over `directory` until the block ends. Raises FileNotFoundError without it."""
    program = require("minio")
    port = port or free_port()
    endpoint = f"http://{host}:{port}"
    access_key, secret_key = f"key{secrets.token_hex(8)}", secrets.token_hex(20)
    environment = {
        **os.environ,
        "MINIO_ROOT_USER": access_key,
        "MINIO_ROOT_PASSWORD": secret_key,
        "MINIO_BROWSER": "off",
        "MINIO_UPDATE": "off",
        "MINIO_CALLHOME_ENABLE": "off",
    }
    directory.mkdir(parents=True, exist_ok=True)
    command = [str(program), "server", "--quiet", "--address", f"{host}:{port}", str(directory)]
    with running(command, environment, log, outlives=outlives) as process:
        wait_until_answering(f"{endpoint}/minio/health/ready", process, successfully=True)
        yield S3Server(endpoint, access_key, secret_key, process.pid)


def require(name: str) -> Path:
    """The installed program. Raises FileNotFoundError that says how to get it."""
    program = parts.find(name)
    if program is None:
        raise FileNotFoundError(parts.why_missing(name))
    return program


def _moto_keys(endpoint: str) -> tuple[str, str]:
    iam = S3Server(endpoint, "setup", "setup", 0).client("iam")
    iam.create_user(UserName="cloudflux")
    key = iam.create_access_key(UserName="cloudflux")["AccessKey"]
    iam.put_user_policy(
        UserName="cloudflux",
        PolicyName="everything",
        PolicyDocument='{"Version":"2012-10-17","Statement":'
        '[{"Effect":"Allow","Action":"*","Resource":"*"}]}',
    )
    request = urllib.request.Request(
        f"{endpoint}/moto-api/reset-auth", data=b"0", headers={"Content-Type": "text/plain"}
    )
    with urllib.request.urlopen(request, timeout=5):
        pass
    return key["AccessKeyId"], key["SecretAccessKey"]


@contextlib.contextmanager
def running(
    command: Sequence[str], environment: dict[str, str], log: Path | None, *, outlives: bool
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the block ends, or until it is ended by its id with `outlives`."""
    with contextlib.ExitStack() as stack:
        output: Any = stack.enter_context(log.open("ab")) if log else subprocess.DEVNULL
        process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=None if outlives else _die_with_parent,
        )
        try:
            yield process
        except BaseException:
            _stop(process)
            raise
        if not outlives:
            _stop(process)


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def wait_until_answering(
    url: str, process: subprocess.Popen[bytes], *, successfully: bool = False
) -> None:
    """Wait for an answer, whatever it says unless it must be a success."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        if process.poll() is not None:
            raise RuntimeError(f"the server for {url} ended at once ({process.returncode})")
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError as error:
            if isinstance(error, urllib.error.HTTPError) and not successfully:
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"{url} does not answer after {START_SECONDS} s") from None
            time.sleep(0.05)
