"""What `move`, `settier` and `verify` share: locations with keys, a state directory, progress."""

import fcntl
import hashlib
import os
import sys
import time
from collections.abc import Iterator
from configparser import ConfigParser
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from cloudflux.api.move_tasks import CopyProgress
from cloudflux.api.task import Credentials, StoreRef, Task
from cloudflux.cli.local import store_ref
from cloudflux.errors import ConfigurationError

DONE, FAILED, WRONG_USE, INCOMPLETE = 0, 1, 2, 3
"""Exit codes: all is done and proven; nothing could be done; bad arguments; some objects failed."""
SHOWN_EVERY_SECONDS = 0.2


@dataclass(slots=True)
class TerminalContext:
    """Runs the mover in this process and shows how far it is."""

    state_dir: Path
    show: "Progress | None" = None
    _shown_at: float = field(default=0.0)

    def progress(self, value: Task) -> None:
        """Show it, a few times a second."""
        if self.show is None or not isinstance(value, CopyProgress):
            return
        now = time.monotonic()
        if now - self._shown_at >= SHOWN_EVERY_SECONDS:
            self._shown_at = now
            self.show.update(value)

    def check(self) -> None:
        """Ctrl-C ends the process; nothing else stops it."""

    def stop_point(self, name: str) -> None:
        """Nothing stops here; only children of the operator have stop points."""


class Progress:
    """A bar with rate and remaining time on a terminal."""

    def __init__(self) -> None:
        from rich import progress

        self._bar = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.TextColumn("{task.fields[objects]}"),
            progress.DownloadColumn(binary_units=True),
            progress.TransferSpeedColumn(),
            progress.TimeRemainingColumn(),
            transient=True,
        )
        self._task = self._bar.add_task("", total=None, objects="")

    def phase(self, words: str) -> None:
        """Begin the next part of the work."""
        self._bar.reset(self._task, description=words, total=None, objects="")

    def update(self, value: CopyProgress) -> None:
        """Show counts."""
        self._bar.update(
            self._task,
            completed=value.bytes_done,
            total=value.bytes_total or None,
            objects=f"{value.objects_done:,}/{value.objects_total:,}",
        )

    def __enter__(self) -> "Progress":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()


@contextmanager
def progress_on(stream: Any) -> Iterator[Progress | None]:
    """A bar where a person looks, else nothing."""
    if not stream.isatty():
        yield None
        return
    with Progress() as shown:
        yield shown


def location(
    uri: str, *, endpoint: str | None = None, region: str | None = None, profile: str | None = None
) -> StoreRef:
    """A location with the keys of a profile, of the environment, or of the SDK's own chain.

    Raises ConfigurationError.
    """
    ref = store_ref(uri, endpoint=endpoint, region=region)
    if not ref.uri.startswith("s3://"):
        return ref
    found = _profile_keys(profile) if profile else _environment_keys()
    if profile and found is None:
        raise ConfigurationError(
            f"profile {profile} holds no static keys; set AWS_PROFILE={profile} instead, "
            "then the SDK resolves it"
        )
    return ref if found is None else ref.model_copy(update={"credentials": found})


def job_uid(*words: str | None) -> str:
    """A name for one piece of work, the same each time that it is asked for."""
    text = "\0".join(word or "" for word in words)
    return f"cli-{hashlib.sha256(text.encode('utf-8', 'surrogateescape')).hexdigest()[:24]}"


def state_directory(given: Path | None) -> Path:
    """Where checkpoints and manifests are kept."""
    if given is not None:
        return given
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base) / "cloudflux"


@contextmanager
def alone(directory: Path) -> Iterator[None]:
    """Hold the state directory of one piece of work. Raises ConfigurationError when it is held."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ConfigurationError(
                "the same command is running already; wait for it, or end it"
            ) from None
        yield


def say(text: str) -> None:
    """To people, beside the result."""
    print(text, file=sys.stderr)


def _environment_keys() -> Credentials | None:
    # Read here what the SDK would read first anyway: loading it takes half a second.
    key, secret = os.environ.get("AWS_ACCESS_KEY_ID"), os.environ.get("AWS_SECRET_ACCESS_KEY")
    if not key or not secret:
        return None
    return _credentials(key, secret, os.environ.get("AWS_SESSION_TOKEN"))


def _profile_keys(profile: str) -> Credentials | None:
    home = Path(os.environ.get("AWS_SHARED_CREDENTIALS_FILE") or Path.home() / ".aws/credentials")
    parser = ConfigParser(interpolation=None)
    parser.read(home)
    if not parser.has_section(profile):
        raise ConfigurationError(f"{home} has no profile {profile}")
    section = parser[profile]
    key, secret = section.get("aws_access_key_id"), section.get("aws_secret_access_key")
    if not key or not secret:
        return None
    return _credentials(key, secret, section.get("aws_session_token"))


def _credentials(key: str, secret: str, token: str | None) -> Credentials:
    return Credentials(
        access_key_id=key,
        secret_access_key=SecretStr(secret),
        session_token=SecretStr(token) if token else None,
    )
