"""Encryption keys come from labelled Secrets, and what is missing is said with the command."""

import base64
from typing import Any

import pytest

from cloudflux.handlers.credentials import SecretNotFound, how_to_create_key, key_from_secret
from cloudflux.handlers.resources import CREDENTIALS_LABEL

KEY = base64.b64encode(bytes(range(32))).decode()


def secret(*, labelled: bool = True, **data: str) -> dict[str, Any]:
    labels = {CREDENTIALS_LABEL: "true"} if labelled else {}
    encoded = {name: base64.b64encode(value.encode()).decode() for name, value in data.items()}
    meta = {"name": "vault-key", "namespace": "team-a", "labels": labels}
    return {"metadata": meta, "data": encoded}


def test_the_key_is_read_and_never_shown() -> None:
    found = key_from_secret(secret(encryptionKey=KEY))
    assert found.get_secret_value() == KEY
    assert KEY not in repr(found)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (secret(labelled=False, encryptionKey=KEY), "kubectl -n team-a label secret vault-key"),
        (secret(accessKeyId="x"), "lacks encryptionKey: run kubectl -n team-a create secret"),
        (secret(), "openssl rand -base64 32"),
    ],
)
def test_what_is_missing_is_said_with_the_command(raw: dict[str, Any], words: str) -> None:
    with pytest.raises(SecretNotFound) as refused:
        key_from_secret(raw)
    assert words in str(refused.value)
    assert KEY not in str(refused.value)


def test_the_command_makes_a_labelled_key() -> None:
    assert f"{CREDENTIALS_LABEL}=true" in how_to_create_key("team-a", "vault-key")
