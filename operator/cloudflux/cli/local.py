"""What the commands that need no cluster share: a location from a URI, and a task context."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from pydantic import SecretStr

from cloudflux.api.task import AzureCredentials, GcsCredentials, StoreRef, Task
from cloudflux.errors import ConfigurationError


@dataclass(slots=True)
class LocalContext:
    """Runs an operation of a child in this process: nothing to be fenced from, no one cancels."""

    state_dir: Path
    verbose: bool = False

    def progress(self, value: Task) -> None:
        """Print progress to stderr when asked to."""
        if self.verbose:
            print(value.model_dump_json(), file=sys.stderr)

    def check(self) -> None:
        """Ctrl-C ends the process; nothing else stops it."""

    def stop_point(self, name: str) -> None:
        """Nothing stops here; only children of the operator have stop points."""


def store_ref(uri: str, *, endpoint: str | None = None, region: str | None = None) -> StoreRef:
    """Resolve a URI or a directory with the rights of the person who runs the command.

    Buckets use the usual environment and profiles of their provider; of the file system, exactly
    the named directory may be touched. Raises ConfigurationError for anything else.
    """
    scheme, separator, _ = uri.partition("://")
    if not separator:
        return _directory(Path(uri))
    if scheme == "file":
        return _directory(Path(unquote(uri.removeprefix("file://"))))
    if scheme == "az":
        return _azure(uri, endpoint, region, os.environ)
    if scheme == "gs":
        return _gcs(uri, endpoint, region, os.environ)
    if scheme != "s3":
        raise ConfigurationError(
            f"{uri}: write s3://bucket/prefix, az://container/prefix, gs://bucket/prefix, "
            "file:///directory or a plain path"
        )
    return StoreRef(
        uri=uri,
        endpoint=endpoint or os.environ.get("AWS_ENDPOINT_URL_S3") or None,
        region=region or _region(os.environ),
        ambient=True,
    )


def _azure(
    uri: str, endpoint: str | None, region: str | None, environment: Mapping[str, str]
) -> StoreRef:
    """By the variables of Azure's own command line; without a key, as who is logged in."""
    text = environment.get("AZURE_STORAGE_CONNECTION_STRING", "")
    pairs = dict(part.partition("=")[::2] for part in text.split(";") if part)
    account = pairs.get("AccountName") or environment.get("AZURE_STORAGE_ACCOUNT")
    key = pairs.get("AccountKey") or environment.get("AZURE_STORAGE_KEY")
    sas = pairs.get("SharedAccessSignature") or environment.get("AZURE_STORAGE_SAS_TOKEN")
    endpoint = endpoint or pairs.get("BlobEndpoint")
    if account and endpoint is None:
        suffix = pairs.get("EndpointSuffix", "core.windows.net")
        endpoint = f"https://{account}.blob.{suffix}"
    if not account or not (key or sas):
        return StoreRef(uri=uri, endpoint=endpoint, region=region, ambient=True)
    credentials = AzureCredentials(
        account=account,
        account_key=SecretStr(key) if key else None,
        sas_token=SecretStr(sas.lstrip("?")) if sas else None,
    )
    return StoreRef(uri=uri, endpoint=endpoint, region=region, credentials=credentials)


def _gcs(
    uri: str, endpoint: str | None, region: str | None, environment: Mapping[str, str]
) -> StoreRef:
    """As Google's libraries find who is logged in; an emulator takes everyone."""
    emulator = environment.get("STORAGE_EMULATOR_HOST")
    if emulator and endpoint is None:
        at = emulator if "://" in emulator else f"http://{emulator}"
        return StoreRef(uri=uri, endpoint=at, region=region, credentials=GcsCredentials())
    return StoreRef(uri=uri, endpoint=endpoint, region=region, ambient=True)


def _directory(path: Path) -> StoreRef:
    real = path.expanduser().absolute()
    if not real.is_dir():
        raise ConfigurationError(f"{path} is no directory; name one that exists")
    # the real path: links on the way to it are the caller's own business, not an escape
    real = real.resolve()
    return StoreRef(uri=real.as_uri(), file_roots=(str(real),))


def _region(environment: Mapping[str, str]) -> str | None:
    return environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or None
