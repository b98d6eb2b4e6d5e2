"""Requests to Google of our own: who they say we are, and what a refused token leads to."""

from collections.abc import Mapping
from typing import Any

from google.auth.credentials import AnonymousCredentials

from cloudflux.storage.gcs_send import Sender

URL = "https://storage.example/upload/storage/v1/b/box/o?uploadType=multipart"


class Token:
    """Credentials whose token counts up as it is renewed."""

    def __init__(self) -> None:
        self.number = 1

    def before_request(self, _: Any, method: str, url: str, headers: dict[str, str]) -> None:
        headers["authorization"] = f"Bearer {self.number}"

    def refresh(self, _: Any) -> None:
        self.number += 1


class Server:
    """Takes the place of the connections; accepts one token."""

    def __init__(self, accepts: str | None) -> None:
        self.accepts = accepts
        self.heard: list[tuple[str, Mapping[str, str]]] = []

    def request(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Any:
        self.heard.append((target, headers))
        said = headers.get("authorization")
        return Heard(200 if said == self.accepts else 401)


class Heard:
    headers: Mapping[str, str] = {"retry-after": "3"}

    def __init__(self, status: int) -> None:
        self.status = status

    def read(self) -> bytes:
        return b'{"generation": "7"}'


def sender(credentials: Any, server: Server) -> Sender:
    made = Sender(
        "https://storage.example", credentials, None, user_agent="test", public_only=False
    )
    made._pool = server  # type: ignore[assignment]
    return made


def test_a_token_that_is_refused_is_replaced_once() -> None:
    server = Server("Bearer 2")
    answer = sender(Token(), server).post(URL, {"x": "y"}, b"content")
    assert (answer.status_code, answer.json()) == (200, {"generation": "7"})
    assert answer.headers.get("Retry-After") == "3"
    said = [headers["authorization"] for _, headers in server.heard]
    assert said == ["Bearer 1", "Bearer 2"]
    assert server.heard[0][0] == "/upload/storage/v1/b/box/o?uploadType=multipart"
    assert server.heard[0][1]["host"] == "storage.example"


def test_a_token_that_is_never_accepted_is_not_asked_for_again() -> None:
    server = Server("Bearer 9")
    assert sender(Token(), server).post(URL, {}, b"").status_code == 401
    assert len(server.heard) == 2


def test_nobody_proves_nothing() -> None:
    server = Server(None)
    assert sender(AnonymousCredentials(), server).post(URL, {}, b"").status_code == 200
    assert "authorization" not in server.heard[0][1]
