"""A small asynchronous client of the Kubernetes API: plain JSON, few kinds, clear errors."""

import asyncio
import json
import random
import ssl
from collections import Counter
from collections.abc import AsyncIterator
from urllib.parse import quote, urlencode

import aiohttp
from kubernetes.aio.client import ApiClient

from cloudflux.handlers.kube_api import (
    CONFIG_MAPS,
    CRDS,
    DATA_SETS,
    EVENTS,
    JOBS,
    LEASES,
    MIGRATION_JOBS,
    OURS,
    SECRETS,
    SERVICE_ACCOUNTS,
    TIERING_POLICIES,
    VOLUME_CLAIMS,
    Conflict,
    Forbidden,
    KubeError,
    KubeUnavailable,
    NotFound,
    Object,
    Resource,
    error_of,
    repeatable,
    with_kind,
)
from cloudflux.handlers.kube_connection import is_proxied, load_configuration
from cloudflux.settings import Settings

__all__ = [
    "CONFIG_MAPS",
    "CRDS",
    "DATA_SETS",
    "EVENTS",
    "JOBS",
    "LEASES",
    "MIGRATION_JOBS",
    "OURS",
    "SECRETS",
    "SERVICE_ACCOUNTS",
    "TIERING_POLICIES",
    "VOLUME_CLAIMS",
    "Conflict",
    "Forbidden",
    "Kube",
    "KubeError",
    "KubeUnavailable",
    "NotFound",
    "Object",
    "Resource",
    "load_configuration",
]

TIMEOUT_SECONDS = 10.0
MAX_CONNECTIONS = 32
PAGE_SIZE = 500
MAX_TRIES = 4
WATCH_SECONDS = 300
NO_ANSWER = "none"
"""Stands for the HTTP status where there was none."""


class Kube:
    """One bounded connection pool to one API server.

    Open with `await Kube.connect(settings)`.
    """

    def __init__(self, api: ApiClient) -> None:
        self._api = api
        self.writes: Counter[tuple[str, str]] = Counter()
        """API writes by (verb, resource[/subresource]), every attempt counted."""
        self.reads: Counter[str] = Counter()
        """API reads by resource, every attempt and page counted."""
        self.statuses: Counter[tuple[str, str, str]] = Counter()
        """The same and watches by verb, resource and HTTP status, or NO_ANSWER."""

    @classmethod
    async def connect(cls, settings: Settings) -> "Kube":
        """Connect as the settings say. Raises ConfigurationError when they name no cluster."""
        configuration = await load_configuration(settings)
        configuration.connection_pool_maxsize = MAX_CONNECTIONS
        # retried here, where it is known what may be repeated; the environment is asked for a
        # proxy once, not at every request
        configuration.retries = None
        proxied = is_proxied(configuration.host)
        configuration.client_session_kwargs = {"trust_env": proxied}
        api = ApiClient(configuration)
        api.user_agent = "cloudflux-operator"
        return cls(api)

    @property
    def host(self) -> str:
        """URL of the API server."""
        return str(self._api.configuration.host)

    async def close(self) -> None:
        """Close all connections."""
        await self._api.close()

    async def get(self, resource: Resource, namespace: str | None, name: str) -> Object:
        """Read one object. Raises NotFound."""
        return await self._call("GET", resource, namespace, name)

    async def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        label_selector: str | None = None,
    ) -> list[Object]:
        """Read all objects of a kind, page by page; those of one namespace if it is given."""
        return [o async for o in self.pages(resource, namespace, label_selector=label_selector)]

    async def pages(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        label_selector: str | None = None,
        field_selector: str | None = None,
    ) -> AsyncIterator[Object]:
        """Iterate over all objects of a kind holding one page of 500 at a time."""
        query = {"limit": str(PAGE_SIZE)}
        if label_selector:
            query["labelSelector"] = label_selector
        if field_selector:
            query["fieldSelector"] = field_selector
        while True:
            page = await self._call("GET", resource, namespace, query=query)
            for item in page.get("items", ()):
                item.setdefault("kind", resource.kind)
                item.setdefault("apiVersion", resource.api_version)
                yield item
            token = page["metadata"].get("continue")
            if not token:
                return
            query["continue"] = token

    async def create(self, resource: Resource, obj: Object) -> Object:
        """Create an object. Raises Conflict if one of its name exists."""
        namespace = obj["metadata"].get("namespace")
        return await self._call("POST", resource, namespace, body=with_kind(resource, obj))

    async def replace(self, resource: Resource, obj: Object, *, subresource: str = "") -> Object:
        """Replace an object; with metadata.resourceVersion in it, Conflict if it changed since."""
        metadata = obj["metadata"]
        return await self._call(
            "PUT",
            resource,
            metadata.get("namespace"),
            metadata["name"],
            subresource=subresource,
            body=with_kind(resource, obj),
        )

    async def patch(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        body: Object,
        *,
        subresource: str = "",
    ) -> Object:
        """Merge-patch an object (null removes a field, a list replaces the whole list)."""
        return await self._call(
            "PATCH", resource, namespace, name, subresource=subresource, body=body
        )

    async def replace_status(self, resource: Resource, obj: Object) -> Object:
        """Replace the whole status by obj["status"], compare-and-swap on its resourceVersion."""
        return await self.replace(resource, obj, subresource="status")

    async def delete(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        *,
        uid: str | None = None,
        resource_version: str | None = None,
        propagation: str | None = None,
    ) -> None:
        """Delete an object; with preconditions, Conflict when it is another one by now.

        `propagation` is Foreground where the object must stay until what it owns is gone.

        An object that is gone already is fine.
        """
        preconditions = {"uid": uid, "resourceVersion": resource_version}
        preconditions = {k: v for k, v in preconditions.items() if v is not None}
        body: Object = {
            "kind": "DeleteOptions", "apiVersion": "v1", "preconditions": preconditions,
        }  # fmt: skip
        if propagation is not None:
            body["propagationPolicy"] = propagation
        try:
            await self._call("DELETE", resource, namespace, name, body=body)
        except NotFound:
            return

    async def create_event(self, event: Object) -> None:
        """Create an event (events.k8s.io/v1)."""
        await self.create(EVENTS, event)

    async def patch_event(self, namespace: str, name: str, body: Object) -> None:
        """Merge-patch an event."""
        await self.patch(EVENTS, namespace, name, body)

    async def watch(
        self, resource: Resource, namespace: str, name: str, *, idle_seconds: float = WATCH_SECONDS
    ) -> AsyncIterator[Object]:
        """Watch one object: its present state as ADDED first, then every change, without end.

        The stream is opened again when the server closes it; errors, and a stream that is
        silent for `idle_seconds`, raise KubeUnavailable or what the server answered.
        """
        query = {
            "watch": "true",
            "fieldSelector": f"metadata.name={name}",
            "timeoutSeconds": str(WATCH_SECONDS),
        }
        url = self._url(resource, namespace, query=query)
        while True:
            timeout = aiohttp.ClientTimeout(
                total=WATCH_SECONDS + TIMEOUT_SECONDS,
                connect=TIMEOUT_SECONDS,
                sock_read=idle_seconds + 1,
            )
            response = None
            try:
                response = await self._send("GET", url, None, timeout)
                self.statuses["watch", resource.plural, str(response.status)] += 1
                if response.status >= 400:
                    raise error_of(response.status, await response.read(), "GET", url)
                async for line in response.content:
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        raise KubeUnavailable(str(event["object"].get("message")))
                    yield event
            except (aiohttp.ClientError, TimeoutError, ssl.SSLError) as error:
                raise KubeUnavailable(f"the watch of {name} broke: {error}") from error
            finally:
                if response is not None:
                    response.close()
            await asyncio.sleep(0.1)  # a server that closes at once must not be hammered

    def _url(
        self,
        resource: Resource,
        namespace: str | None,
        name: str = "",
        subresource: str = "",
        query: dict[str, str] | None = None,
    ) -> str:
        if name in (".", ".."):  # on the way they would become another path
            raise NotFound(f"{resource.plural} {name}: no object has such a name", status=404)
        parts = [self.host.rstrip("/"), resource.path]
        if resource.namespaced and namespace:
            parts += ["namespaces", quote(namespace, safe="")]
        parts.append(resource.plural)
        parts += [quote(part, safe="") for part in (name, subresource) if part]
        return "/".join(parts) + (f"?{urlencode(query)}" if query else "")

    async def _send(
        self, method: str, url: str, body: Object | None, timeout: aiohttp.ClientTimeout
    ) -> aiohttp.ClientResponse:
        headers = {"Accept": "application/json", "User-Agent": self._api.user_agent}
        headers["Content-Type"] = (
            "application/merge-patch+json" if method == "PATCH" else "application/json"
        )
        await self._api.update_params_for_auth(headers, [], ["BearerToken"], url, method, body)
        answer = await self._api.call_api(method, url, headers, body=body, _request_timeout=timeout)
        return answer.response  # type: ignore[no-any-return]

    async def _call(
        self,
        method: str,
        resource: Resource,
        namespace: str | None,
        name: str = "",
        *,
        subresource: str = "",
        query: dict[str, str] | None = None,
        body: Object | None = None,
    ) -> Object:
        url = self._url(resource, namespace, name, subresource, query)
        label = f"{resource.plural}/{subresource}" if subresource else resource.plural
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
        failure: KubeError | None = None
        for attempt in range(MAX_TRIES):
            if failure is not None:
                await asyncio.sleep(0.2 * 2**attempt * random.uniform(0.5, 1.0))  # noqa: S311
            if method != "GET":
                self.writes[method.lower(), label] += 1
            else:
                self.reads[label] += 1
            verb, code = method.lower(), NO_ANSWER
            try:
                response = await self._send(method, url, body, timeout)
                async with response:
                    content = await response.read()
                code = str(response.status)
            except (aiohttp.ClientError, TimeoutError, ssl.SSLError, OSError) as error:
                failure = KubeUnavailable(f"{self.host} does not answer: {error or 'timed out'}")
                if not repeatable(method, body):
                    raise failure from error
                continue
            finally:
                self.statuses[verb, label, code] += 1
            if response.status < 400:
                return json.loads(content)  # type: ignore[no-any-return]
            refused = error_of(response.status, content, method, url)
            if response.status != 429 and not (response.status >= 500 and repeatable(method, body)):
                raise refused
            failure = refused
        assert failure is not None  # noqa: S101 - the loop ends with a failure or returns
        raise failure
