"""What a bucket does with what is written and deleted in it, as far as a move must know."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar, runtime_checkable

from cloudflux.errors import ContainerNotFound, CredentialsInvalid, PermissionDenied, StorageError
from cloudflux.storage.interface import ObjectInfo

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class BucketFacts:
    """Read from the bucket's configuration; False also where the store has no such thing."""

    versioned: bool = False
    """An overwritten or deleted object stays, and is billed, as a noncurrent version."""
    kept_days: int = 0
    """An overwritten or deleted object is kept, and billed, for so long (soft delete)."""
    locked: bool = False
    """Objects can have a retention or a legal hold of their own, which a copy would lose."""
    retained: bool = False
    """No object can be overwritten or deleted before its time."""
    replicated: bool = False
    notifies: bool = False
    expires: bool = False
    """Lifecycle rules look at the age of objects."""
    own_classes: bool = False
    """The bucket chooses the classes itself, and ignores what others choose."""
    unknown: tuple[str, ...] = ()
    """Rights that were missing to find out."""


@runtime_checkable
class Described(Protocol):
    """A store that can say what its bucket does."""

    def bucket_facts(self) -> BucketFacts:
        """Look it up. Raises Unavailable; what may not be read is `unknown`."""
        ...


@runtime_checkable
class Choosy(Protocol):
    """A store that can hold less of metadata and tags than others."""

    def require_fits(self, info: ObjectInfo) -> None:
        """Raise NotSupported unless a `put` of it would keep all of it."""
        ...


class Looks:
    """Looks at parts of a configuration, and collects the rights that were missing."""

    def __init__(self) -> None:
        self.unknown: list[str] = []

    def load(self, right: str, load: Callable[[], T]) -> T | None:
        """Return what was loaded; None where that was not allowed, or there is no such thing."""
        try:
            return load()
        except (CredentialsInvalid, ContainerNotFound):
            raise
        except PermissionDenied:
            self.unknown.append(right)
        except StorageError as error:
            if error.retryable:
                raise
            # none is set, or the server has no such thing; servers say that in many ways
        return None

    def look(self, right: str, found: Callable[[], bool]) -> bool:
        """Return what was found; False where the store has no such part, or does not tell."""
        return bool(self.load(right, found))
