"""Tokens for OAUTHBEARER: out of a file, or from an endpoint by client credentials."""

import ipaddress
import json
import ssl
import time
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus, urlsplit

import aiohttp
from aiokafka.abc import AbstractTokenProvider

from cloudflux.errors import ConfigurationError
from cloudflux.events.outbox import SinkError
from cloudflux.settings import KafkaSettings

ASK_SECONDS = 10.0
MAX_ANSWER_BYTES = 256 * 1024
USED_SHARE = 0.8
"""A token is used for so much of its life: then a new one is asked for."""
SHORT_SECONDS = 60.0
"""Of a token whose life is not told."""


def secret_of(path: Path, what: str) -> str:
    """Read a secret. Raises ConfigurationError."""
    try:
        return path.read_text().strip()
    except OSError as error:
        raise ConfigurationError(f"the {what} for Kafka can't be read: {error}") from error


class FileToken(AbstractTokenProvider):  # type: ignore[misc]
    """A token out of a file, such as a projected ServiceAccount token, read at each use."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def token(self) -> str:
        """Return the token."""
        return secret_of(self._path, "token")


class EndpointToken(AbstractTokenProvider):  # type: ignore[misc]
    """A token from an endpoint, asked for again before it expires; the secret is a file."""

    def __init__(
        self, settings: KafkaSettings, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings, self._clock = settings, clock
        self._token, self._until = "", 0.0
        _check_url(settings.token_url)
        if settings.client_secret_file is None or not settings.client_id:
            raise ConfigurationError(
                "CLOUDFLUX_KAFKA__TOKEN_URL needs CLOUDFLUX_KAFKA__CLIENT_ID and "
                "CLOUDFLUX_KAFKA__CLIENT_SECRET_FILE"
            )
        self._secret_file = settings.client_secret_file

    async def token(self) -> str:
        """Return the token. Raises SinkError when the endpoint gives none."""
        if not self._token or self._clock() >= self._until:
            asked_at = self._clock()
            answer = await self._ask()
            token, seconds = answer.get("access_token"), answer.get("expires_in")
            if not isinstance(token, str) or not token:
                raise self._failed("answered without an access_token")
            used = SHORT_SECONDS
            if isinstance(seconds, int | float) and seconds > 0:
                used = USED_SHARE * seconds
            self._token, self._until = token, asked_at + used
        return self._token

    async def _ask(self) -> dict[str, Any]:
        settings = self._settings
        secret = secret_of(self._secret_file, "client secret")
        form = {"grant_type": "client_credentials"}
        if settings.token_scope:
            form["scope"] = settings.token_scope
        # RFC 6749, 2.3.1: both are encoded before they are joined
        who = f"{quote_plus(settings.client_id)}:{quote_plus(secret)}".encode()
        sent = {"Authorization": f"Basic {b64encode(who).decode()}"}
        timeout = aiohttp.ClientTimeout(total=ASK_SECONDS)
        try:
            tls = ssl.create_default_context(
                cafile=str(settings.token_ca_file) if settings.token_ca_file else None
            )
            async with (
                aiohttp.ClientSession(timeout=timeout, trust_env=True) as session,
                session.post(
                    settings.token_url, data=form, headers=sent, ssl=tls, allow_redirects=False
                ) as response,
            ):
                content = await response.content.read(MAX_ANSWER_BYTES)
                status = response.status
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            why = str(error) or type(error).__name__
            raise self._failed(f"does not answer: {why}", "EndpointUnreachable") from error
        if status != 200:
            ours = status in (400, 401, 403)
            hint = "check the client id and its secret" if ours else "look at its own log"
            raise self._failed(f"answered with status {status}; {hint}")
        try:
            answer = json.loads(content)
        except ValueError as error:
            raise self._failed("answered with no JSON") from error
        return answer if isinstance(answer, dict) else {}

    def _failed(self, what: str, reason: str = "CredentialsInvalid") -> SinkError:
        return SinkError(f"the token endpoint {self._settings.token_url} {what}", reason)


def _check_url(url: str) -> None:
    """Refuse to send a secret in the clear, but to this machine itself."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = host == "localhost"
    if not host or (parts.scheme != "https" and not (parts.scheme == "http" and loopback)):
        raise ConfigurationError(f"CLOUDFLUX_KAFKA__TOKEN_URL must be https://, and is {url!r}")
    if parts.username or parts.password:
        raise ConfigurationError("CLOUDFLUX_KAFKA__TOKEN_URL must hold no user or password")
