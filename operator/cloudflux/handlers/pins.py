"""jobs/<uid>/pin.json: what a job reads and writes, without secrets, for when the job is gone."""

import datetime as dt
import json
from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from cloudflux.api.dataset import Writers
from cloudflux.api.migrationjob import JobPin, VerifyMethod
from cloudflux.children.fence import write_atomically

PIN_FILE = "pin.json"


class Stage(StrEnum):
    """How far the job was when it wrote last."""

    RUNNING = "Running"
    """Copies at the target are nobody's yet."""
    SWITCHING = "Switching"
    """The data set may already point to the target: its copies are never swept."""


class Pin(BaseModel):
    """What is needed to sweep after a job that no longer exists."""

    model_config = ConfigDict(frozen=True)

    uid: str
    name: str
    namespace: str
    data_set: str
    stage: Stage
    pin: JobPin
    writers: Writers
    verify: VerifyMethod
    parallelism: int
    written_at: dt.datetime


def _path(state_dir: Path, uid: str) -> Path:
    return state_dir / "jobs" / uid / PIN_FILE


def write_pin(state_dir: Path, pin: Pin) -> None:
    """Write it durably. Blocks for a disk flush: call it in a thread."""
    path = _path(state_dir, pin.uid)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, pin.model_dump_json() + "\n")


def read_pin(state_dir: Path, uid: str) -> Pin | None:
    """The pin of a job; None when there is none or it can't be read."""
    try:
        return Pin.model_validate(json.loads(_path(state_dir, uid).read_bytes()))
    except (FileNotFoundError, ValueError, ValidationError):
        return None


def remove_pin(state_dir: Path, uid: str) -> None:
    """Say that nothing is left to sweep; the manifest beside it stays."""
    _path(state_dir, uid).unlink(missing_ok=True)


def pinned_jobs(state_dir: Path) -> list[str]:
    """UIDs of all jobs that may have left something."""
    return sorted(path.parent.name for path in (state_dir / "jobs").glob(f"*/{PIN_FILE}"))
