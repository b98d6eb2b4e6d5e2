"""Messages that MinIO sends to Kafka, audit entries and bucket notifications, as access events."""

import datetime as dt
import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from cloudflux.access.formats.base import Understood
from cloudflux.access.formats.minio import parse_entry
from cloudflux.collector.parse import COLUMNS, Parsed, Rejected, out_of_time, reject, screen


def parse_minio(
    values: Sequence[bytes | None], now: dt.datetime, user_agents: Sequence[str]
) -> Parsed:
    """Parse a batch of messages. Never raises for what they hold.

    Requests of excluded `user_agents` are no demand, but prove that requests are told.
    """
    rejected: list[Rejected] = []
    rows: list[tuple[Any, ...]] = []
    for row, value in screen(values, rejected):
        try:
            entry = json.loads(value)
            found = parse_entry(entry) if isinstance(entry, dict) else None
        except RecursionError:
            found = None
        except (KeyError, TypeError, ValueError, AttributeError):
            found = None
        if not found:
            text = "the message is no audit entry or bucket notification of MinIO"
            rejected.append(reject(row, value, "InvalidJson", text))
            continue
        for one in found:
            untimely = out_of_time(row, value, one.at, now)
            if untimely is not None:
                rejected.append(untimely)
            elif one.request is not None or one.bucket:
                rows.append(_row(row, one, user_agents))
    columns = list(zip(*rows, strict=True)) or [()] * len(COLUMNS)
    arrays = [pa.array(c, f.type) for c, f in zip(columns, COLUMNS, strict=True)]
    return Parsed(pa.Table.from_arrays(arrays, schema=COLUMNS), rejected)


def _row(row: int, one: Understood, user_agents: Sequence[str]) -> tuple[Any, ...]:
    request = one.request
    if request is None:
        return (row, None, one.at, False, f"s3://{one.bucket}", "", 0, None, "", False, one.proves)
    # MinIO sends again what it did not hear confirmed
    identity = f"{request.request_id} {request.read} {request.key}" if request.request_id else None
    ours = any(agent in request.user_agent for agent in user_agents)
    return (
        row, identity, request.at, request.read, f"s3://{request.bucket}", request.key,
        request.bytes, request.first_byte_millis, request.principal, not ours, one.proves,
    )  # fmt: skip
