"""A study on disk: what it found as JSON, and the model beside it. Nothing of it is run."""

import dataclasses
import datetime as dt
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloudflux.api.tieringpolicy import Strategy
from cloudflux.brain.model_store import write_atomically
from cloudflux.brain.replay.model_file import load_forecaster, save_forecaster
from cloudflux.brain.replay.study import Placing, Replayed, Study
from cloudflux.errors import ModelError

_VERSION = 1
_FOUND, _MODEL = "study.json", "placing.zip"
_EPOCH = dt.date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Kept:
    """A study and what it was made for."""

    study: Study
    made_at: dt.datetime
    strategy: Strategy
    """What the policy asked for then."""
    classes: tuple[str, ...]
    objects: int
    """In the data set, of which the study may have taken a part."""
    seed: int


def save_study(directory: Path, kept: Kept) -> None:
    """Write the model first: a study without its model is refused, never half believed."""
    directory.mkdir(parents=True, exist_ok=True)
    if kept.study.forecaster is not None:
        save_forecaster(directory / _MODEL, kept.study.forecaster, kept.seed)
    else:
        (directory / _MODEL).unlink(missing_ok=True)
    found = dataclasses.asdict(dataclasses.replace(kept.study, forecaster=None))
    del found["forecaster"]
    described = {
        "version": _VERSION,
        "made_at": kept.made_at.isoformat(),
        "strategy": kept.strategy.value,
        "classes": list(kept.classes),
        "objects": kept.objects,
        "seed": kept.seed,
        "has_model": kept.study.forecaster is not None,
        "study": found,
    }
    write_atomically(directory / _FOUND, json.dumps(described, indent=1).encode())


def load_study(directory: Path, *, day: int, with_model: bool = True) -> Kept | None:
    """Return the last study; None when there was none.

    Raises ModelError when it can't be read, is of another version, or has seen later days than
    `day`, the last one known.
    """
    try:
        raw = json.loads((directory / _FOUND).read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ModelError(f"the study of this data set can't be read: {error}") from error
    try:
        if raw["version"] != _VERSION:
            raise ModelError(
                f"the study of this data set is of version {raw['version']}, this release's is "
                f"{_VERSION}"
            )
        kept = Kept(
            study=_study(raw["study"]),
            made_at=dt.datetime.fromisoformat(raw["made_at"]),
            strategy=Strategy(raw["strategy"]),
            classes=tuple(raw["classes"]),
            objects=int(raw["objects"]),
            seed=int(raw["seed"]),
        )
        has_model = bool(raw["has_model"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelError(f"the study of this data set can't be read: {error!r}") from error
    if not (has_model and with_model):
        return kept
    decide_from = _EPOCH + dt.timedelta(days=day)
    model = load_forecaster(directory / _MODEL, decide_from=decide_from)
    return dataclasses.replace(kept, study=dataclasses.replace(kept.study, forecaster=model))


def _study(raw: dict[str, Any]) -> Study:
    replayed = raw["replayed"]
    if replayed is not None:
        costs = {Strategy(name): float(cost) for name, cost in replayed["by_strategy"].items()}
        replayed = Replayed(**{**replayed, "by_strategy": costs})
    placings = {
        name: None if raw[name] is None else Placing(**raw[name]) for name in ("start", "going_on")
    }
    rest = {**raw, **placings, "replayed": replayed, "decided_by": Strategy(raw["decided_by"])}
    return Study(**rest)
