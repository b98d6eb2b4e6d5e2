"""The Kubernetes API as the console uses it: lists, watches and one request as somebody else."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
from kubernetes.aio.client import ApiClient, Configuration

from cloudflux.handlers.kube import Kube, KubeError, KubeUnavailable, Object, Resource
from cloudflux.handlers.kube_api import error_of
from cloudflux.settings import Settings

PAGE_SIZE = 500
WATCH_SECONDS = 290
TIMEOUT_SECONDS = 10.0

TOKEN_REVIEWS = Resource(
    "apis/authentication.k8s.io/v1", "tokenreviews", "TokenReview", namespaced=False
)
ACCESS_REVIEWS = Resource(
    "apis/authorization.k8s.io/v1", "subjectaccessreviews", "SubjectAccessReview", namespaced=False
)


class Gone(KubeError):
    """The version to watch from is too old: list again."""


class Cluster(Kube):
    """The client that the operator uses, with watches over a whole kind."""

    @classmethod
    async def connect(cls, settings: Settings) -> "Cluster":
        """Connect as the settings say. Raises ConfigurationError when they name no cluster."""
        found = await super().connect(settings)
        found._api.user_agent = "cloudflux-console"
        return cls(found._api)

    def as_user(self, token: str) -> "Cluster":
        """Return a client of the same server with a user's token, and nothing of our own."""
        own = self._api.configuration
        theirs = Configuration(host=own.host)
        theirs.ssl_ca_cert, theirs.verify_ssl = own.ssl_ca_cert, own.verify_ssl
        theirs.api_key = {"BearerToken": f"Bearer {token}"}
        theirs.retries = None
        theirs.client_session_kwargs = getattr(own, "client_session_kwargs", {})
        api = ApiClient(theirs)
        api.user_agent = "cloudflux-console"
        return Cluster(api)

    async def listing(self, resource: Resource, namespace: str | None) -> tuple[list[Object], str]:
        """Return all objects of a kind, and the version that they are of."""
        query = {"limit": str(PAGE_SIZE)}
        found: list[Object] = []
        while True:
            page = await self._call("GET", resource, namespace, query=query)
            found += page.get("items", ())
            metadata: dict[str, Any] = page["metadata"]
            if not metadata.get("continue"):
                return found, str(metadata.get("resourceVersion", ""))
            query["continue"] = metadata["continue"]

    async def changes(
        self, resource: Resource, namespace: str | None, version: str
    ) -> AsyncIterator[Object]:
        """Yield OPEN, then the watch events after a version, until the server closes the stream.

        Raises Gone when the version is too old, KubeUnavailable when the stream breaks.
        """
        query = {
            "watch": "true",
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(WATCH_SECONDS),
        }
        url = self._url(resource, namespace, query=query)
        timeout = aiohttp.ClientTimeout(
            total=WATCH_SECONDS + TIMEOUT_SECONDS, connect=TIMEOUT_SECONDS
        )
        response = None
        try:
            response = await self._send("GET", url, None, timeout)
            if response.status == 410:
                raise Gone("the watched version is gone", status=410)
            if response.status >= 400:
                raise error_of(response.status, await response.read(), "GET", url)
            yield {"type": "OPEN"}
            buffer = b""
            async for chunk in response.content.iter_any():  # lines may be longer than a buffer
                *lines, buffer = (buffer + chunk).split(b"\n")
                for line in filter(None, lines):
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        code = int(event["object"].get("code") or 0)
                        message = str(event["object"].get("message"))
                        raise (Gone if code == 410 else KubeUnavailable)(message, status=code)
                    yield event
        except (aiohttp.ClientError, TimeoutError, ssl.SSLError, OSError) as error:
            raise KubeUnavailable(f"the watch of {resource.plural} broke: {error}") from error
        finally:
            if response is not None:
                response.close()

    async def post(self, resource: Resource, body: Object) -> Object:
        """Ask a question that is put as an object, such as a review."""
        return await self._call("POST", resource, None, body=body)

    async def answers(self) -> bool:
        """Whether the server answers at all."""
        try:
            async with asyncio.timeout(2):
                response = await self._send(
                    "GET", f"{self.host}/version", None, aiohttp.ClientTimeout(total=2)
                )
                async with response:
                    return response.status < 500
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False
