"""Logs: one JSON object a line (a table for people at a terminal), kopf's in the same shape."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

_SECRET_KEY = re.compile(
    r"secret|password|token$|authorization|credential|signature|access_key|accesskey", re.IGNORECASE
)
_SECRET_TEXT = re.compile(
    r"(?i)(X-Amz-(?:Signature|Credential|Security-Token)=|Signature=|Bearer\s+|AWSAccessKeyId=)"
    r"[^\s&\"']+"
)
HIDDEN = "[hidden]"


def set_up_logs(*, process: str = "control", level: int = logging.INFO) -> None:
    """Send all logs to stderr, in one shape; safe to call again."""
    pretty = sys.stderr.isatty()
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(allow=("k8s_ref",)),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _name_process(process),
        _flatten_kopf,
        structlog.processors.format_exc_info,
        hide_secrets,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if pretty
        else structlog.processors.JSONRenderer(default=str)
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in ("kopf", "aiohttp.access", "asyncio", "urllib3", "botocore", "boto3"):
        logging.getLogger(noisy).setLevel(max(level, logging.WARNING))
    for name in list(logging.root.manager.loggerDict):
        if name.startswith("kopf"):  # kopf's own handlers would print each line a second time
            logging.getLogger(name).handlers[:] = []
            logging.getLogger(name).propagate = True


def hide_secrets(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Replace values whose key or text looks like a secret; the last net, not the first."""
    for key, value in event.items():
        if key not in ("event", "fencing_token") and _SECRET_KEY.search(key):
            event[key] = HIDDEN
        elif isinstance(value, str):
            event[key] = _SECRET_TEXT.sub(rf"\g<1>{HIDDEN}", value)
    return event


def _name_process(process: str) -> structlog.typing.Processor:
    def name(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event.setdefault("process", process)
        return event

    return name


def _flatten_kopf(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Rename what kopf calls `k8s_ref` to kind, namespace, name and uid, as everywhere."""
    reference = event.pop("k8s_ref", None)
    if isinstance(reference, dict):
        for key in ("kind", "namespace", "name", "uid"):
            if reference.get(key):
                event.setdefault(key, reference[key])
    return event
