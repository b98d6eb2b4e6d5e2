"""Models on disk: skops (no code is run on loading) with metadata that must fit."""

import dataclasses
import datetime as dt
import hashlib
import json
import os
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from cloudflux.brain.features import FEATURES_VERSION
from cloudflux.brain.forecast import ForecastModel, ModelMetadata
from cloudflux.errors import ModelError

if TYPE_CHECKING:
    from sklearn.ensemble import RandomForestRegressor

TRUSTED_TYPES: tuple[str, ...] = ("sklearn.tree._tree.Tree",)
"""What our model file may hold beyond what skops trusts by itself: the trees' arrays."""


def save_model(model: ForecastModel, directory: Path, name: str) -> None:
    """Write `<name>.skops` and then `<name>.json`, each atomically.

    A kill between the two leaves metadata whose digest does not fit, and loading refuses.
    """
    import skops.io

    directory.mkdir(parents=True, exist_ok=True)
    content = skops.io.dumps(model.forest)
    described = {
        **dataclasses.asdict(model.metadata),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    write_atomically(directory / f"{name}.skops", content)
    text = json.dumps(described, default=_as_text, indent=1)
    write_atomically(directory / f"{name}.json", text.encode())


def load_model(directory: Path, name: str) -> ForecastModel:
    """Load a model. Raises ModelError when it is absent, altered, or of another version."""
    try:
        described = json.loads((directory / f"{name}.json").read_bytes())
        content = (directory / f"{name}.skops").read_bytes()
        digest = described.pop("sha256")
        metadata = _metadata(described)
    except FileNotFoundError as error:
        raise ModelError("no model has been trained yet") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"the metadata of model {name} can't be read; train it again") from error
    if hashlib.sha256(content).hexdigest() != digest:
        raise ModelError(f"model {name} is not the file that its metadata describe; train it again")
    if metadata.features_version != FEATURES_VERSION:
        raise ModelError(
            f"model {name} has features of version {metadata.features_version}, "
            f"this release {FEATURES_VERSION}; train it again"
        )
    installed = version("scikit-learn")
    if metadata.sklearn_version != installed:
        raise ModelError(
            f"model {name} is of scikit-learn {metadata.sklearn_version}, "
            f"installed is {installed}; train it again"
        )
    return ForecastModel(_forest(content, name), metadata)


def write_atomically(path: Path, content: bytes) -> None:
    """Write a whole file or nothing, durable when it returns."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _forest(content: bytes, name: str) -> "RandomForestRegressor":
    import skops.io
    from sklearn.ensemble import RandomForestRegressor

    unknown = set(skops.io.get_untrusted_types(data=content)) - set(TRUSTED_TYPES)
    if unknown:
        raise ModelError(f"model {name} holds types that are not trusted: {sorted(unknown)}")
    forest = skops.io.loads(content, trusted=list(TRUSTED_TYPES))
    if not isinstance(forest, RandomForestRegressor):
        raise ModelError(f"model {name} is a {type(forest).__name__}, not a random forest")
    return forest


def _metadata(raw: dict[str, object]) -> ModelMetadata:
    fields = dict(raw)
    fields["trained_at"] = dt.datetime.fromisoformat(str(raw["trained_at"]))
    fields["training_until"] = dt.date.fromisoformat(str(raw["training_until"]))
    return ModelMetadata(**fields)  # type: ignore[arg-type]


def _as_text(value: object) -> str:
    if isinstance(value, dt.datetime | dt.date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no place in a model's metadata")
