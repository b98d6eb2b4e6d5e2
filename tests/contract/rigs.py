"""What the conformance suite needs of each provider. A new provider adds a rig, not tests."""

from collections.abc import Callable
from dataclasses import dataclass

from cloudflux.storage.interface import Store


@dataclass(frozen=True, slots=True)
class Rig:
    """A fresh, empty location of one provider."""

    name: str
    store: Store
    reopen: Callable[[], Store]
    """Another store of the same location, as another process has."""
    other_class: str | None
    """A storage class to change to; None where the server has none."""
    home_class: str
    impossible_keys: tuple[str, ...] = ()
    """Those of the odd keys that the provider can't hold, and that `problems` must name."""
    enforces_writes: bool = True
    enforces_copy_source: bool = True
    enforces_copy_target: bool = True
    large_bytes: int = 1 << 20
    """A size at which the provider writes in several parts, if it ever does."""
    missing: Callable[[], Store] | None = None
    """A store of a container that does not exist."""
