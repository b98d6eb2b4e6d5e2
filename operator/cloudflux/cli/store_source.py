"""A data set's history from the operator's access store, for commands that take files, too."""

import datetime as dt
from pathlib import Path

from cloudflux.access.store import AccessStore, open_access_store
from cloudflux.brain.inputs import Objects
from cloudflux.brain.replay.trace import Trace
from cloudflux.errors import ConfigurationError
from cloudflux.work.history import ID_CHARACTERS, objects_of, trace_of

__all__ = ["ID_CHARACTERS", "date_of", "opened", "trace"]

_EPOCH = dt.date(1970, 1, 1)


def utc_now() -> dt.datetime:
    """Return the wall clock's time."""
    return dt.datetime.now(dt.UTC)


def date_of(day: int) -> dt.date:
    """Return the date of a day counted from 1970-01-01."""
    return _EPOCH + dt.timedelta(days=day)


def opened(state: Path | None, data_set_uid: str) -> tuple[AccessStore, Objects, dt.datetime]:
    """Open the store and list the data set's objects. Raises ConfigurationError."""
    if state is None:
        raise ConfigurationError(
            "--data-set needs --state, the state directory of the operator that holds the access "
            "store"
        )
    if not (state / "access").is_dir():
        raise ConfigurationError(f"{state} holds no access store: name the operator's directory")
    store, now = open_access_store(state), utc_now()
    objects = objects_of(store.inventory(data_set_uid), now)
    if not len(objects):
        raise ConfigurationError(
            f"the access store lists no objects of data set {data_set_uid}: `kubectl get datasets "
            "-o custom-columns=NAME:.metadata.name,UID:.metadata.uid` shows the UIDs"
        )
    return store, objects, now


def trace(state: Path | None, data_set_uid: str) -> tuple[Trace, list[str]]:
    """Return the history up to the last day known completely, and the class of each object."""
    store, objects, now = opened(state, data_set_uid)
    recorded = trace_of(store, data_set_uid, now, objects)
    if recorded is None:
        raise ConfigurationError(
            f"no day of reads of data set {data_set_uid} is known completely yet"
        )
    return recorded.trace, [objects.storage_class[row] for row in recorded.rows.tolist()]
