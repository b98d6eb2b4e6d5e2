"""The lines that a child process and its parent exchange: JSON, one value a line."""

import datetime as dt
import errno
import json
from decimal import Decimal
from enum import Enum
from typing import Any

from pydantic import SecretStr, ValidationError

import cloudflux.errors
from cloudflux.api.task import Task, TaskError
from cloudflux.api.vocabulary import REASONS
from cloudflux.errors import CloudFluxError

_FULL = (errno.ENOSPC, errno.EDQUOT)
MAX_LINE_BYTES = 64 * 1024 * 1024


def dump_line(message: dict[str, Any]) -> bytes:
    """Write one message as a line. Tasks in it are written out, secrets revealed.

    This is the only place that reveals a secret, and its result goes to a pipe only.
    """
    return json.dumps(message, default=_plain, separators=(",", ":")).encode() + b"\n"


def load_line(line: bytes) -> dict[str, Any]:
    """Read one message. Raises ValueError when it is not a JSON object."""
    message = json.loads(line)
    if not isinstance(message, dict):
        raise ValueError("a message must be a JSON object")
    return message


def task_error(error: BaseException) -> TaskError:
    """Say an error in a form that crosses the pipe."""
    if isinstance(error, CloudFluxError):
        return TaskError(
            kind=type(error).__name__,
            message=str(error)[:4096],
            retryable=error.retryable,
            reason=error.reason if error.reason in REASONS else "InternalError",
        )
    if isinstance(error, ValidationError):
        # pydantic's own text repeats the input, which may be a secret
        problems = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        return TaskError(
            kind="ConfigurationError",
            message=f"the request is not understood: {'; '.join(problems)[:3000]}",
            reason="InternalError",
        )
    if isinstance(error, OSError) and error.errno in _FULL:
        where = f" ({error.filename})" if error.filename else ""
        return TaskError(
            kind="StateFull",
            message=f"the operator's state directory is full{where}; free space on its volume, or "
            "enlarge it",
            retryable=True,
            reason="StateFull",
        )
    return TaskError(
        kind="InternalError",
        message=f"{type(error).__name__}: {str(error)[:1024]}",
        retryable=True,
        reason="InternalError",
    )


def rebuild(error: TaskError) -> CloudFluxError:
    """Make the exception again of which a TaskError tells, in the parent."""
    kind = getattr(cloudflux.errors, error.kind, CloudFluxError)
    if not (isinstance(kind, type) and issubclass(kind, CloudFluxError)):
        kind = CloudFluxError
    built = kind(error.message)
    built.reason, built.retryable = error.reason, error.retryable
    return built


def _plain(value: object) -> object:
    match value:
        case Task():
            return value.model_dump()
        case SecretStr():
            return value.get_secret_value()
        case dt.datetime() | dt.date():
            return value.isoformat()
        case Enum():
            return value.value
        case Decimal():
            return str(value)
        case set() | frozenset():
            return sorted(value)
    raise TypeError(f"{type(value).__name__} can't cross the pipe")
