"""A name that leads to a private address when the connection is made is refused, unsent."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from pydantic import SecretStr

from cloudflux.api.addresses import is_public
from cloudflux.api.task import AnyCredentials, AzureCredentials, Credentials, GcsCredentials
from cloudflux.api.task import StoreRef as Ref
from cloudflux.errors import CloudFluxError, EndpointRefused
from cloudflux.storage.registry import open_store

S3_KEYS = Credentials(access_key_id="A", secret_access_key=SecretStr("s"))
AZURE_KEYS = AzureCredentials(account="acct", account_key=SecretStr("a2V5"))
STORES: list[tuple[str, AnyCredentials]] = [
    ("s3://bucket/data/", S3_KEYS),
    ("az://bucket/data/", AZURE_KEYS),
    ("gs://bucket/data/", GcsCredentials()),
]


class _Heard(ThreadingHTTPServer):
    """Refuses everything, and counts what was asked."""

    asked = 0


class _Refuse(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, _Heard)
        self.server.asked += 1
        self.send_response(403)
        self.send_header("content-length", "0")
        self.end_headers()

    do_HEAD = do_GET  # noqa: N815 - the name that the server looks for

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[_Heard]:
    monkeypatch.setenv("NO_PROXY", "*")
    with _Heard(("127.0.0.1", 0), _Refuse) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("uri", "credentials"), STORES)
def test_no_byte_is_sent_to_a_private_address(
    server: _Heard, uri: str, credentials: AnyCredentials
) -> None:
    endpoint = f"http://localhost:{server.server_port}"
    guarded = Ref(uri=uri, endpoint=endpoint, credentials=credentials, public_only=True)
    with pytest.raises(EndpointRefused, match="CLOUDFLUX_ALLOWED_ENDPOINTS"):
        open_store(guarded).check()
    assert server.asked == 0
    with pytest.raises(CloudFluxError) as refused:
        open_store(guarded.model_copy(update={"public_only": False})).check()
    assert not isinstance(refused.value, EndpointRefused)
    assert server.asked > 0


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.215.14", True),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True),
        ("127.0.0.1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:93.184.215.14", True),
        ("169.254.169.254", False),
        ("fe80::1%eth0", False),
        ("10.96.0.1", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
    ],
)
def test_addresses_are_told_apart(address: str, public: bool) -> None:
    assert is_public(address) is public
