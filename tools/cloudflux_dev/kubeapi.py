"""A small synchronous client of the Kubernetes API for tests and the demo.

It sends and returns plain JSON and hides nothing: what a test asserts is what the server
said.
"""

import base64
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import urllib3
import yaml

from cloudflux_dev.cluster import refuse_foreign_context

Json = dict[str, Any]
CLOUDFLUX = "cloudflux.io/v1alpha1"
MERGE_PATCH = "application/merge-patch+json"


class ApiError(Exception):
    """The server refused; `code` is the HTTP status, `body` its Status object."""

    def __init__(self, code: int, body: Json) -> None:
        super().__init__(f"{code} {body.get('reason')}: {body.get('message')}")
        self.code = code
        self.body = body


class KubeApi:
    """Create, read, patch and delete by apiVersion, plural and name."""

    def __init__(self, kubeconfig: Path) -> None:
        content = yaml.safe_load(kubeconfig.read_text())
        refuse_foreign_context(kubeconfig, content["current-context"])
        cluster = content["clusters"][0]["cluster"]
        self.server: str = cluster["server"]
        self._headers = {"Authorization": f"Bearer {content['users'][0]['user']['token']}"}
        self._pool = urllib3.PoolManager(ca_certs=cluster["certificate-authority"], maxsize=4)

    def close(self) -> None:
        """Close the connections."""
        self._pool.clear()

    def request(
        self, method: str, path: str, body: Any = None, content_type: str = "application/json"
    ) -> Json:
        """Send one request and return its JSON; raise ApiError for anything but 2xx."""
        answer = self._pool.request(
            method,
            self.server + path,
            body=None if body is None else json.dumps(body),
            headers={**self._headers, "Content-Type": content_type},
            timeout=30,
        )
        content: Json = json.loads(answer.data) if answer.data else {}
        if not 200 <= answer.status < 300:
            raise ApiError(answer.status, content)
        return content

    def text(self, path: str) -> str:
        """Return the body of a path that is not JSON, such as /metrics."""
        answer = self._pool.request("GET", self.server + path, headers=self._headers, timeout=30)
        return answer.data.decode()

    def create(self, manifest: Json, *, validation: str = "Strict") -> Json:
        """Create an object; unknown fields are refused unless `validation` says otherwise."""
        path = self._path(
            manifest["apiVersion"],
            plural_of(manifest["kind"]),
            manifest["metadata"].get("namespace"),
        )
        return self.request(
            "POST", f"{path}?{urlencode({'fieldValidation': validation})}", manifest
        )

    def get(self, api_version: str, plural: str, name: str, namespace: str | None = None) -> Json:
        """Return one object; ApiError 404 if it is not there."""
        return self.request("GET", self._path(api_version, plural, namespace, name))

    def list(
        self, api_version: str, plural: str, namespace: str | None = None, **query: str
    ) -> list[Json]:
        """Return all objects of a kind, in one namespace or in all."""
        path = self._path(api_version, plural, namespace)
        items: list[Json] = self.request("GET", f"{path}?{urlencode(query)}")["items"]
        return items

    def patch(
        self,
        api_version: str,
        plural: str,
        name: str,
        patch: Json,
        namespace: str | None = None,
        *,
        subresource: str = "",
    ) -> Json:
        """Merge-patch an object or one of its subresources."""
        path = self._path(api_version, plural, namespace, name)
        suffix = f"/{subresource}" if subresource else ""
        return self.request("PATCH", path + suffix, patch, MERGE_PATCH)

    def delete(
        self, api_version: str, plural: str, name: str, namespace: str | None = None
    ) -> Json:
        """Delete an object."""
        return self.request("DELETE", self._path(api_version, plural, namespace, name))

    def create_namespace(self, name: str) -> None:
        """Create a namespace."""
        self.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})

    def delete_namespace(self, name: str) -> None:
        """Delete a namespace and our resources in it.

        No controller manager runs here, so the emptying and the finalising are ours to do.
        """
        for plural in ("migrationjobs", "tieringpolicies", "datasets"):
            self.request("DELETE", self._path(CLOUDFLUX, plural, name))
        for plural in ("secrets", "configmaps", "events"):
            self.request("DELETE", self._path("v1", plural, name))
        namespace = self.delete("v1", "namespaces", name)
        namespace["spec"]["finalizers"] = []
        self.request("PUT", f"/api/v1/namespaces/{quote(name)}/finalize", namespace)

    def create_secret(
        self, namespace: str, name: str, values: dict[str, str], labels: dict[str, str]
    ) -> Json:
        """Create an opaque Secret."""
        data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
        metadata = {"name": name, "namespace": namespace, "labels": labels}
        return self.create(
            {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}
        )

    @staticmethod
    def _path(
        api_version: str, plural: str, namespace: str | None = None, name: str | None = None
    ) -> str:
        root = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
        scope = f"/namespaces/{quote(namespace)}" if namespace else ""
        return f"{root}{scope}/{plural}" + (f"/{quote(name)}" if name else "")


def plural_of(kind: str) -> str:
    """Return the plural by which the API addresses a kind."""
    lower = kind.lower()
    return f"{lower[:-1]}ies" if lower.endswith("cy") else f"{lower}s"
