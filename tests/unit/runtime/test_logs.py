"""Logs are one shape and tell no secrets."""

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from cloudflux.handlers.logs import HIDDEN, hide_secrets, set_up_logs


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_ours_and_kopfs_lines_have_one_shape(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs(process="mover")
    structlog.get_logger("cloudflux.x").info("copied", objects=3)
    reference = {"kind": "DataSet", "namespace": "n", "name": "d", "uid": "u"}
    logging.getLogger("kopf.objects").warning("odd %s", "thing", extra={"k8s_ref": reference})
    ours, kopfs = map(json.loads, capsys.readouterr().err.splitlines())
    assert (ours["event"], ours["objects"], ours["level"]) == ("copied", 3, "info")
    assert (ours["logger"], ours["process"]) == ("cloudflux.x", "mover")
    assert (kopfs["event"], kopfs["kind"], kopfs["name"]) == ("odd thing", "DataSet", "d")
    assert set(ours) - {"objects"} <= set(kopfs)


def test_an_exception_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs()
    try:
        raise RuntimeError("boom")
    except RuntimeError:
        structlog.get_logger("x").exception("failed")
    line = json.loads(capsys.readouterr().err)
    assert "RuntimeError: boom" in line["exception"]


@pytest.mark.parametrize("key", ["secret_access_key", "password", "session_token", "Authorization"])
def test_values_of_secret_keys_are_hidden(key: str) -> None:
    assert hide_secrets(None, "", {"event": "x", key: "v"})[key] == HIDDEN


def test_signatures_within_text_are_hidden_and_the_rest_stays() -> None:
    url = "https://b/k?X-Amz-Credential=AK%2F1&X-Amz-Signature=abc&x=1"
    hidden = hide_secrets(None, "", {"event": "get", "url": url, "fencing_token": 4})
    assert hidden["url"] == f"https://b/k?X-Amz-Credential={HIDDEN}&X-Amz-Signature={HIDDEN}&x=1"
    assert hidden["fencing_token"] == 4
