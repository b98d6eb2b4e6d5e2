"""Starts Azurite, fake-gcs-server and toxiproxy for tests and benchmarks."""

import base64
import contextlib
import json
import os
import secrets
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cloudflux_dev.ports import free_port
from cloudflux_dev.s3servers import require, running, wait_until_answering


@dataclass(frozen=True, slots=True)
class AzureServer:
    """A running blob service and the key of its account."""

    endpoint: str
    """With the account as its path, as emulators have it."""
    account: str
    account_key: str
    process_id: int

    @property
    def connection_string(self) -> str:
        """All of it in one string, as Azure's own tools take it."""
        return (
            f"DefaultEndpointsProtocol=http;AccountName={self.account};"
            f"AccountKey={self.account_key};BlobEndpoint={self.endpoint};"
        )

    def client(self) -> Any:
        """A plain BlobServiceClient, to prepare containers."""
        from azure.storage.blob import BlobServiceClient

        return BlobServiceClient.from_connection_string(self.connection_string)


@dataclass(frozen=True, slots=True)
class GcsServer:
    """A running server that asks for no credentials."""

    endpoint: str
    process_id: int

    def client(self) -> Any:
        """A plain storage.Client, to prepare buckets."""
        from google.auth.credentials import AnonymousCredentials
        from google.cloud import storage

        return storage.Client(
            project="test",
            credentials=AnonymousCredentials(),
            client_options={"api_endpoint": self.endpoint},
        )


@contextlib.contextmanager
def start_azurite(
    directory: Path,
    *,
    port: int = 0,
    log: Path | None = None,
    outlives: bool = False,
    host: str = "127.0.0.1",
) -> Iterator[AzureServer]:
    """Run Azurite over `directory` until the block ends. Raises FileNotFoundError without it."""
    program = require("azurite-blob")
    port = port or free_port()
    account, key = "cloudfluxtest", base64.b64encode(secrets.token_bytes(32)).decode()
    endpoint = f"http://{host}:{port}/{account}"
    directory.mkdir(parents=True, exist_ok=True)
    command = [
        str(program), "--skipApiVersionCheck", "--disableTelemetry", "--silent",
        "--blobHost", host, "--blobPort", str(port), "--location", str(directory),
    ]  # fmt: skip
    environment = {**os.environ, "AZURITE_ACCOUNTS": f"{account}:{key}"}
    with running(command, environment, log, outlives=outlives) as process:
        wait_until_answering(f"{endpoint}?comp=list", process)
        yield AzureServer(endpoint, account, key, process.pid)


@contextlib.contextmanager
def start_fakegcs(
    directory: Path, *, port: int = 0, log: Path | None = None, outlives: bool = False
) -> Iterator[GcsServer]:
    """Run fake-gcs-server over `directory` until the block ends.

    Raises FileNotFoundError without it.
    """
    program = require("fake-gcs-server")
    port = port or free_port()
    endpoint = f"http://127.0.0.1:{port}"
    directory.mkdir(parents=True, exist_ok=True)
    command = [
        str(program), "-scheme", "http", "-host", "127.0.0.1", "-port", str(port),
        "-external-url", endpoint, "-public-host", f"127.0.0.1:{port}",
        "-backend", "filesystem", "-filesystem-root", str(directory),
    ]  # fmt: skip
    with running(command, dict(os.environ), log, outlives=outlives) as process:
        wait_until_answering(f"{endpoint}/_internal/healthcheck", process, successfully=True)
        yield GcsServer(endpoint, process.pid)


@dataclass(frozen=True, slots=True)
class Toxiproxy:
    """A running toxiproxy, spoken to over its HTTP interface."""

    endpoint: str
    process_id: int

    def proxy(self, name: str, upstream: str) -> str:
        """Put a proxy before a server; returns the URL to use instead of `upstream`."""
        split = urlsplit(upstream)
        made = self._ask(
            "POST", "/proxies", {"name": name, "listen": "127.0.0.1:0", "upstream": split.netloc}
        )
        return split._replace(netloc=str(made["listen"])).geturl()

    def add(
        self,
        proxy: str,
        kind: str,
        *,
        stream: str = "downstream",
        toxic: str | None = None,
        **attributes: int,
    ) -> None:
        """Add a toxic, as in add("minio", "limit_data", bytes=1000); named, it can be removed."""
        name = toxic or f"{kind}_{stream}"
        told = {"name": name, "type": kind, "stream": stream, "attributes": attributes}
        self._ask("POST", f"/proxies/{proxy}/toxics", told)

    def remove(self, proxy: str, toxic: str) -> None:
        """Remove one toxic by its name."""
        self._ask("DELETE", f"/proxies/{proxy}/toxics/{toxic}", {})

    def heal(self) -> None:
        """Remove all toxics and let every proxy pass again."""
        self._ask("POST", "/reset", {})

    def _ask(self, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        request = urllib.request.Request(
            self.endpoint + path, json.dumps(body).encode(), method=method
        )
        with urllib.request.urlopen(request, timeout=5) as answer:
            found: dict[str, Any] = json.loads(answer.read() or "{}")
        return found


@contextlib.contextmanager
def start_toxiproxy(*, log: Path | None = None) -> Iterator[Toxiproxy]:
    """Run toxiproxy without a proxy until the block ends. Raises FileNotFoundError without it."""
    program = require("toxiproxy-server")
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    command = [str(program), "-host", "127.0.0.1", "-port", str(port)]
    with running(command, dict(os.environ), log, outlives=False) as process:
        wait_until_answering(f"{endpoint}/version", process, successfully=True)
        yield Toxiproxy(endpoint, process.pid)
