"""Locations at real servers, filled and read by other means than the product's own stores."""

import hashlib
import json
import shutil
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.chaos.dialects import MARK, Dialect
from tests.servers import azure_ref, gcs_ref, s3_ref

from cloudflux.api.task import StoreRef
from cloudflux_dev.cloudservers import AzureServer, GcsServer
from cloudflux_dev.s3servers import S3Server

Digests = dict[str, str]
Server = S3Server | AzureServer | GcsServer
BUCKET = "chaos"
DIALECTS: dict[str, Dialect] = {
    "minio": "s3", "versitygw": "s3", "azurite": "az", "fakegcs": "gs", "gcs-stub": "gs",
}  # fmt: skip
KINDS = (*DIALECTS, "file")


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass(frozen=True)
class Place:
    """One location: a prefix of a bucket."""

    kind: str
    server: Any
    prefix: str

    @property
    def uri(self) -> str:
        scheme = {"s3": "s3", "az": "az", "gs": "gs"}[DIALECTS[self.kind]]
        return f"{scheme}://{BUCKET}/{self.prefix}"

    def ref(self, endpoint: str) -> StoreRef:
        """The location as the mover is told it, reached through `endpoint`."""
        server = replace(self.server, endpoint=endpoint)
        makers: dict[Dialect, Any] = {"s3": s3_ref, "az": azure_ref, "gs": gcs_ref}
        return makers[DIALECTS[self.kind]](server, self.uri)

    def fill(self, contents: Mapping[str, bytes]) -> None:
        for key, data in contents.items():
            self._put(f"{self.prefix}/{key}", data)

    def read(self) -> Digests:
        """sha256 of every object by key, without our own markers."""
        return {
            name.removeprefix(f"{self.prefix}/"): sha256(self._get(name))
            for name in self._names()
            if MARK not in name
        }

    def own(self) -> list[str]:
        """Markers, and uploads that nobody ended."""
        return [name for name in self._names() if MARK in name] + self._uploads()

    def clear(self) -> None:
        for name in self._names():
            self._delete(name)

    def _put(self, name: str, data: bytes) -> None:
        raise NotImplementedError

    def _get(self, name: str) -> bytes:
        raise NotImplementedError

    def _names(self) -> list[str]:
        raise NotImplementedError

    def _uploads(self) -> list[str]:
        return []

    def _delete(self, name: str) -> None:
        raise NotImplementedError


class _S3(Place):
    def _put(self, name: str, data: bytes) -> None:
        _client(self.server).put_object(Bucket=BUCKET, Key=name, Body=data)

    def _get(self, name: str) -> bytes:
        return _client(self.server).get_object(Bucket=BUCKET, Key=name)["Body"].read()

    def _names(self) -> list[str]:
        asked = {"Bucket": BUCKET, "Prefix": f"{self.prefix}/"}
        found = _client(self.server).list_objects_v2(**asked).get("Contents", ())
        return [entry["Key"] for entry in found]

    def _uploads(self) -> list[str]:
        found = _client(self.server).list_multipart_uploads(Bucket=BUCKET).get("Uploads", ())
        return [f"upload {one['Key']}" for one in found if one["Key"].startswith(self.prefix)]

    def _delete(self, name: str) -> None:
        _client(self.server).delete_object(Bucket=BUCKET, Key=name)


class _Azure(Place):
    def _put(self, name: str, data: bytes) -> None:
        _client(self.server).get_blob_client(BUCKET, name).upload_blob(data, length=len(data))

    def _get(self, name: str) -> bytes:
        return _client(self.server).get_blob_client(BUCKET, name).download_blob().readall()

    def _names(self) -> list[str]:
        container = _client(self.server).get_container_client(BUCKET)
        return list(container.list_blob_names(name_starts_with=f"{self.prefix}/"))

    def _delete(self, name: str) -> None:
        _client(self.server).get_blob_client(BUCKET, name).delete_blob()


class _Google(Place):
    """By plain HTTP: the SDK asks for more than the emulators have."""

    def _put(self, name: str, data: bytes) -> None:
        head = json.dumps({"name": name, "contentType": "text/x-test"})
        body = (
            f"--sep\r\nContent-Type: application/json\r\n\r\n{head}\r\n"
            "--sep\r\nContent-Type: text/x-test\r\n\r\n"
        ).encode() + data + b"\r\n--sep--\r\n"  # fmt: skip
        self._ask(
            "POST",
            f"/upload/storage/v1/b/{BUCKET}/o?uploadType=multipart",
            body,
            {"Content-Type": "multipart/related; boundary=sep"},
        )

    def _get(self, name: str) -> bytes:
        path = f"/download/storage/v1/b/{BUCKET}/o/{quote(name, safe='')}?alt=media"
        return self._ask("GET", path)

    def _names(self) -> list[str]:
        path = f"/storage/v1/b/{BUCKET}/o?prefix={quote(self.prefix + '/', safe='')}"
        return [one["name"] for one in json.loads(self._ask("GET", path)).get("items", ())]

    def _delete(self, name: str) -> None:
        self._ask("DELETE", f"/storage/v1/b/{BUCKET}/o/{quote(name, safe='')}")

    def _ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] = {}
    ) -> bytes:
        asked = urllib.request.Request(
            self.server.endpoint + path, data=body, headers=dict(headers), method=method
        )
        with urllib.request.urlopen(asked, timeout=60) as answer:
            return answer.read()


class _Files(Place):
    """`server` is a directory."""

    @property
    def root(self) -> Path:
        return Path(self.server) / self.prefix

    @property
    def uri(self) -> str:
        return self.root.as_uri()

    def ref(self, endpoint: str) -> StoreRef:
        self.root.mkdir(parents=True, exist_ok=True)
        return StoreRef(uri=self.uri, file_roots=(str(self.server),))

    def clear(self) -> None:
        shutil.rmtree(self.root, ignore_errors=True)

    def read(self) -> Digests:
        return {
            str(path.relative_to(self.root)): sha256(path.read_bytes())
            for path in self.root.rglob("*")
            if path.is_file() and ".cloudflux" not in str(path.relative_to(self.root))
        }

    def own(self) -> list[str]:
        paths = (str(path.relative_to(self.root)) for path in self.root.rglob("*"))
        return [path for path in paths if ".cloudflux" in path]

    def _put(self, name: str, data: bytes) -> None:
        path = Path(self.server) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


_KINDS = {"minio": _S3, "versitygw": _S3, "azurite": _Azure, "fakegcs": _Google,
          "gcs-stub": _Google, "file": _Files}  # fmt: skip


def place(kind: str, server: Any, prefix: str) -> Place:
    """A fresh location; `server` is a directory for files."""
    return _KINDS[kind](kind, server, prefix)


def make_bucket(kind: str, server: Any) -> None:
    """The one bucket below which every run has its own prefixes."""
    dialect = DIALECTS.get(kind)
    if dialect == "s3":
        server.client().create_bucket(Bucket=BUCKET)
    elif dialect == "az":
        server.client().create_container(BUCKET)
    elif dialect == "gs":
        body = json.dumps({"name": BUCKET}).encode()
        asked = urllib.request.Request(
            f"{server.endpoint}/storage/v1/b?project=test",
            data=body,
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(asked, timeout=60):
            pass


@cache
def _client(server: Server) -> Any:
    return server.client()
