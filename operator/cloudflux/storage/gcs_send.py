"""Whole requests over our lean HTTP client, where there is one for each small object.

The SDK's session spends several times the processor time on it. Everything else stays there.
"""

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from google.auth.credentials import AnonymousCredentials
from requests.structures import CaseInsensitiveDict

from cloudflux.storage.http_client import Pool
from cloudflux.storage.pooling import ca_bundle


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, with as much of the face of a `requests.Response` as is used."""

    status_code: int
    plain_headers: Mapping[str, str]
    """By lower-case name."""
    content: bytes

    @property
    def headers(self) -> Mapping[str, str]:
        """By name in any case."""
        found: Mapping[str, str] = CaseInsensitiveDict(self.plain_headers)
        return found

    def json(self) -> Any:
        """The document. Raises ValueError."""
        return json.loads(self.content)

    def close(self) -> None:
        """Nothing: it was read to its end."""


class Sender:
    """Sends requests of one identity to one endpoint; thread-safe."""

    def __init__(
        self,
        endpoint: str,
        credentials: Any,
        refresh_with: Any,
        *,
        user_agent: str,
        public_only: bool,
    ) -> None:
        """`refresh_with` carries the requests for new tokens."""
        split = urlsplit(endpoint)
        self._origin = f"{split.scheme}://{split.netloc}"
        self._pool = Pool(self._origin, ca_file=ca_bundle(), public_only=public_only)
        self._credentials, self._refresh_with = credentials, refresh_with
        self._anonymous = isinstance(credentials, AnonymousCredentials)
        self._fixed = {"host": split.netloc, "user-agent": user_agent}
        self._lock = threading.Lock()

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send a request to a URL of the endpoint; a token that is refused is replaced, once.

        Raises TransportError, and the identity's own errors.
        """
        answer = self._send(url, headers, body)
        if answer.status_code != 401 or self._anonymous:
            return answer
        with self._lock:
            self._credentials.refresh(self._refresh_with)
        return self._send(url, headers, body)

    def _send(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        sent = {**self._fixed, **headers}
        if not self._anonymous:
            with self._lock:  # a token that ends is asked for by one thread
                self._credentials.before_request(self._refresh_with, "POST", url, sent)
        target = url.removeprefix(self._origin)
        response = self._pool.request("POST", target, sent, body)
        return Answer(response.status, response.headers, response.read())
