"""Forecast models in one file: skops, which runs no code on loading, with what the model is."""

import dataclasses
import datetime as dt
import json
import zipfile
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from cloudflux.brain.model_store import write_atomically
from cloudflux.brain.replay.histories import FEATURES_VERSION, NAMES
from cloudflux.brain.replay.learning import Forecaster
from cloudflux.errors import ModelError

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingRegressor

TRUSTED_TYPES = ("sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",)
"""What a model file may hold beyond what skops trusts by itself."""
_MODEL, _DESCRIPTION = "model.skops", "description.json"
_EPOCH = dt.date(1970, 1, 1)


@dataclasses.dataclass(frozen=True, slots=True)
class Description:
    """What a model is; one whose description does not fit is refused."""

    features_version: int
    features: list[str]
    sklearn_version: str
    trained_until: str
    rows: int
    seed: int


def save_forecaster(path: Path, forecaster: Forecaster, seed: int) -> None:
    """Write model and description, all or nothing."""
    import skops.io

    until = _EPOCH + dt.timedelta(days=forecaster.trained_until)
    description = Description(
        FEATURES_VERSION, list(NAMES), _installed(), str(until), forecaster.rows, seed
    )
    content = BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(_MODEL, skops.io.dumps(forecaster.model))
        archive.writestr(_DESCRIPTION, json.dumps(dataclasses.asdict(description), indent=1))
    write_atomically(path, content.getvalue())


def load_forecaster(path: Path, *, decide_from: dt.date) -> Forecaster:
    """Read a model. Raises ModelError when it is absent, altered, of another version, or too new.

    A model that was trained past the first day of deciding has seen what it would forecast.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            content = archive.read(_MODEL)
            found = Description(**json.loads(archive.read(_DESCRIPTION)))
        until = dt.date.fromisoformat(found.trained_until)
    except FileNotFoundError as error:
        raise ModelError(f"{path} does not exist; make it with `cloudflux train`") from error
    except (OSError, zipfile.BadZipFile, KeyError, ValueError, TypeError) as error:
        raise ModelError(f"{path} is no model of `cloudflux train`: {error}") from error
    if (found.features_version, tuple(found.features)) != (FEATURES_VERSION, NAMES):
        raise ModelError(f"{path} has other features than this release; train it again")
    if found.sklearn_version != _installed():
        raise ModelError(
            f"{path} is of scikit-learn {found.sklearn_version}, installed is "
            f"{_installed()}; train it again"
        )
    if until > decide_from:
        raise ModelError(
            f"{path} was trained until {until}, past --decide-from {decide_from}: it has seen "
            "what it would forecast. Train one until then, or decide from later"
        )
    return Forecaster(_model(path, content), (until - _EPOCH).days, found.rows)


def _installed() -> str:
    return version("scikit-learn")


def _model(path: Path, content: bytes) -> "HistGradientBoostingRegressor":
    import skops.io
    from sklearn.ensemble import HistGradientBoostingRegressor

    unknown = set(skops.io.get_untrusted_types(data=content)) - set(TRUSTED_TYPES)
    if unknown:
        raise ModelError(f"{path} holds types that are not trusted: {sorted(unknown)}")
    model = skops.io.loads(content, trusted=list(TRUSTED_TYPES))
    if not isinstance(model, HistGradientBoostingRegressor):
        raise ModelError(f"{path} holds a {type(model).__name__}, not a forecast model")
    return model
