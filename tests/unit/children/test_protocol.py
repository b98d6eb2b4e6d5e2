"""What crosses the pipe."""

import errno
import json

import pytest
from pydantic import SecretStr, ValidationError

import cloudflux.errors
from cloudflux.api.task import Credentials, StoreRef
from cloudflux.api.vocabulary import REASONS
from cloudflux.children.protocol import dump_line, rebuild, task_error
from cloudflux.errors import CloudFluxError, Throttled


def test_a_task_is_written_out_with_its_secrets_and_read_back_the_same() -> None:
    keys = Credentials(access_key_id="AK", secret_access_key=SecretStr("s3cr3t"))
    store = StoreRef(uri="s3://b/ü\nx", credentials=keys)
    line = dump_line({"id": 1, "args": store})
    assert line.count(b"\n") == 1
    assert StoreRef.model_validate(json.loads(line)["args"]) == store


def test_a_request_that_is_refused_is_not_quoted() -> None:
    with pytest.raises(ValidationError) as caught:
        Credentials.model_validate({"access_key_id": "AK", "secretAccessKey": "s3cr3t"})
    error = task_error(caught.value)
    assert "s3cr3t" not in error.message
    assert "secret_access_key: Field required" in error.message
    assert not error.retryable


def test_every_error_of_ours_has_a_reason_of_the_vocabulary() -> None:
    kinds = [
        kind
        for kind in vars(cloudflux.errors).values()
        if isinstance(kind, type) and issubclass(kind, CloudFluxError)
    ]
    assert len(kinds) > 15
    assert {kind.reason for kind in kinds} <= set(REASONS)


def test_an_error_is_made_again_on_the_other_side() -> None:
    again = rebuild(task_error(Throttled("slow down", backend="s3", key="k")))
    assert isinstance(again, Throttled)
    assert (str(again), again.retryable) == ("slow down", True)
    assert isinstance(rebuild(task_error(OSError("x"))), CloudFluxError)


def test_a_full_state_directory_is_called_that() -> None:
    told = task_error(OSError(errno.ENOSPC, "No space left on device", "/state/jobs/1/plan.json"))
    assert (told.reason, told.retryable) == ("StateFull", True)
    assert "state directory is full (/state/jobs/1/plan.json); free space" in told.message
