"""The fence: the leader's token in a file, so that what an old leader left stops writing."""

import fcntl
import os
from pathlib import Path

from cloudflux.errors import FencedOut

FENCE_FILE = "fence"


def read_fence(state_dir: Path) -> int:
    """Return the present leader's token; 0 when no leader has ever written one."""
    try:
        text = (state_dir / FENCE_FILE).read_bytes()
    except FileNotFoundError:
        return 0
    try:
        return int(text)
    except ValueError as error:
        raise FencedOut(
            f"{state_dir / FENCE_FILE} does not hold a number; remove it and start again"
        ) from error


def write_fence(state_dir: Path, token: int) -> None:
    """Make `token` the present leader's. Raises FencedOut when a newer leader already wrote.

    A lock around reading and writing keeps a leader that was suspended from taking the fence back.
    """
    state_dir.mkdir(parents=True, exist_ok=True)
    with (state_dir / f"{FENCE_FILE}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        present = read_fence(state_dir)
        if present > token:
            raise FencedOut(f"the fence holds {present}, newer than our token {token}")
        if present == token:
            return
        write_atomically(state_dir / FENCE_FILE, f"{token}\n")


def write_atomically(path: Path, text: str) -> None:
    """Replace a small file so that a reader sees the old or the new content, also after a crash."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with draft.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
