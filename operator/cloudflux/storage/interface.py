"""The storage contract: what every provider promises, and how it says what it can't.

All calls block; callers run them in threads. A `Store` may be used from several threads.
Keys are relative to the store's location, `str`, without a leading slash; names that are
not UTF-8 are carried with surrogateescape. One HTTP request is repeated a few times when that
may help (`storage.retry`); callers repeat whole steps. A conditional write whose answer was lost
may so find its own object and say PreconditionFailed. Errors are those of `cloudflux.errors`.
"""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, Protocol, cast, runtime_checkable

from cloudflux.errors import StorageError

CONTROL_PREFIX = ".cloudflux/"
"""Our own objects below a location (markers); `list` never yields them, `get`/`put` reach them."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a store can do; asked instead of its type."""

    scheme: str
    storage_classes: tuple[str, ...] = ()
    archive_classes: tuple[str, ...] = ()
    """Those whose objects must be restored before they can be read."""
    in_place_class_change: bool = False
    tiers_by_link: bool = False
    """Tier change moves the content to another root and leaves a link (file)."""
    conditional_create: bool = True
    conditional_write: bool = True
    conditional_delete: bool = True
    conditional_copy_source: bool = True
    conditional_copy_target: bool = True
    checksums: tuple[str, ...] = ()
    """Digests that the server itself computes, by preference."""
    reads_back: tuple[str, ...] = ()
    """Digests that a write returns of the bytes read back: there is no server to compute them."""
    version_may_be_md5: bool = False
    """A version that looks like an MD5 is one, on most servers (S3's ETag)."""
    max_copy_bytes: int | None = None
    max_key_bytes: int = 1024
    hierarchical: bool = False
    """`a` and `a/b` can't both be keys; `..`, empty segments and NUL are impossible."""
    max_segment_bytes: int | None = None
    forbidden_in_keys: str = ""
    """Characters that no key can hold."""
    forbidden_segment_end: str = ""
    """Characters that no segment of a key can end with."""
    reserved_key_start: str = ""
    """What no key of a whole bucket can begin with; nothing is reserved when empty."""


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """One object as a listing or a head shows it."""

    key: str
    size_bytes: int
    version: str
    """Opaque token of exactly this content: ETag, or inode:size:mtime_ns:ctime_ns."""
    storage_class: str
    last_modified: dt.datetime
    last_accessed: dt.datetime | None = None
    checksums: Mapping[str, str] = field(default_factory=dict)
    """Server-computed digests by algorithm, hex; {} in listings."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    archived: bool = False
    multipart_parts: int | None = None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An entry that a listing found and can't offer as an object; data, not a log line."""

    key: str
    reason: str


BRIEF_PAGE = 1000
Brief = tuple[str, int, str]
"""Key, size in bytes and version of an object: what a comparison of two listings needs."""


@dataclass(frozen=True, slots=True)
class Written:
    """What a write returned."""

    version: str
    checksums: Mapping[str, str] = field(default_factory=dict)
    attested: str = ""
    """What the server proved of the bytes where that is no digest of the content; in words."""


@runtime_checkable
class Store(Protocol):
    """One location (bucket and prefix, or directory)."""

    uri: str
    capabilities: Capabilities

    def check(self) -> None:
        """Raise a clear error unless the location exists and can be listed."""
        ...

    def list(self, prefix: str = "", start_after: str = "") -> Iterator[ObjectInfo | Unreadable]:
        """Yield in pages, bounded memory, by key order (bytes) for S3; any fixed order for file."""
        ...

    def head(self, key: str) -> ObjectInfo:
        """Everything known of one object. Raises ObjectNotFound."""
        ...

    def open(self, key: str, *, if_version: str | None = None) -> BinaryIO:
        """Stream the content (a context manager). Raises PreconditionFailed, ObjectArchived."""
        ...

    def put(
        self,
        key: str,
        stream: BinaryIO,
        size_bytes: int,
        *,
        info: ObjectInfo | None = None,
        storage_class: str | None = None,
        metadata: Mapping[str, str] | None = None,
        if_absent: bool = False,
        if_version: str | None = None,
        sha256: str | None = None,
    ) -> Written:
        """Write atomically: the object is whole or not there.

        `info` carries metadata, tags and content headers to keep; `metadata` is added (provenance).
        Raises PreconditionFailed (exists, or other version), QuotaExceeded, IntegrityError.
        """
        ...

    def delete(self, key: str, *, if_version: str | None = None) -> None:
        """Remove; absent is not an error unless if_version is given (ObjectNotFound)."""
        ...

    def change_class(
        self, key: str, target: str, *, if_version: str, size_bytes: int
    ) -> ObjectInfo:
        """Change the storage class in place, server side (S3), or the tier root by link (file).

        Conditional on the object being `if_version`; the class is read back, and
        NotSupported is raised when the server did not change it. Repeating it is harmless.
        """
        ...

    def uploads(self, prefix: str = "") -> Iterator[tuple[str, str]]:
        """Unfinished multipart uploads (or temporary files) below prefix: (key, upload id)."""
        ...

    def abort_upload(self, key: str, upload_id: str) -> None:
        """Drop one; absent is not an error."""
        ...

    def close(self) -> None:
        """Release connections."""
        ...


@runtime_checkable
class Fetching(Protocol):
    """A store that tells everything of an object with its content: one request instead of two."""

    def fetch(self, key: str, *, if_version: str) -> tuple[ObjectInfo, BinaryIO]:
        """What `head` and `open` give. Raises PreconditionFailed, ObjectArchived."""
        ...


@runtime_checkable
class Settling(Protocol):
    """A store that can make many writes durable at once, instead of each by itself."""

    def postpone(self) -> None:
        """Make later writes durable by `settle` only; what is written is whole all the same."""
        ...

    def settle(self) -> None:
        """Return when everything that was written would outlive a power failure."""
        ...


@runtime_checkable
class Brisk(Protocol):
    """A store that lists by pages of little more than names, for comparing what is there."""

    def list_briefs(self, start_after: str = "") -> Iterator[Sequence[Brief]]:
        """Pages in the order of `list`, without what `list` does not offer as an object."""
        ...


@runtime_checkable
class Telling(Protocol):
    """A store whose listing can tell what objects carry, without a request for each."""

    def list_whole(self, prefix: str = "") -> Iterator[ObjectInfo | Unreadable]:
        """`list`, with metadata and headers, and tags where these could exceed any store's."""
        ...


@runtime_checkable
class Ranged(Protocol):
    """A store whose objects can be read in pieces, several at a time."""

    def read_range(self, key: str, start: int, length: int, *, if_version: str) -> bytes:
        """Exactly these bytes. Raises PreconditionFailed, Unavailable when they break off."""
        ...


@runtime_checkable
class BulkChanging(Protocol):
    """A store that changes the classes of many objects in one request."""

    def change_classes(
        self, objects: Sequence[Brief], target: str
    ) -> Mapping[str, "ObjectInfo | StorageError"]:
        """Do what `change_class` does for each of them; its result or its error by key.

        Errors that concern all of them, such as missing rights, are raised.
        """
        ...


@runtime_checkable
class CopyingWithin(Protocol):
    """A store whose server can copy from another place of its own, without a byte through us."""

    def copies_from(self, source: Store) -> bool:
        """Whether `source` is on the same server, under the same identity."""
        ...

    def may_copy(self, listed: ObjectInfo) -> bool:
        """Whether such a copy of this object could be proven."""
        ...

    def copy_within(
        self, source: Store, listed: ObjectInfo, *, storage_class: str | None
    ) -> Written:
        """Copy one object as it was listed, where the key is not taken.

        A digest among `checksums` proves the copy; with none it is not proven. Raises
        PreconditionFailed where the source changed or the key is taken; not every server
        looks at the latter.
        """
        ...


class Pieces(Protocol):
    """The content of a large object, for a store that writes it by parts."""

    size_bytes: int

    def read(self, start: int, length: int) -> bytes:
        """Exactly these bytes; called from several threads, in any order."""
        ...

    def recall(self, start: int, length: int) -> int | None:
        """The CRC, as `parts_digest` names it, of these bytes as they were read last.

        None when it is not known. It outlives a kill.
        """
        ...


@runtime_checkable
class PartWriting(Protocol):
    """A store that writes large objects by parts, several at a time, and can go on after a kill."""

    least_parts_bytes: int
    """Objects of at least this size are written by parts."""
    parts_digest: str
    """The CRC of the whole that `put_parts` always returns."""

    def put_parts(
        self,
        key: str,
        pieces: Pieces,
        *,
        info: ObjectInfo,
        storage_class: str | None = None,
        metadata: Mapping[str, str] | None = None,
        if_absent: bool = False,
        if_version: str | None = None,
        upload_id: str | None = None,
        begun: Callable[[str], None] = lambda _: None,
    ) -> tuple[Written, Mapping[str, str]]:
        """Write like `put`; returns also the digests of what was sent.

        `begun` hears the upload's id before the first part. With `upload_id`, parts that the
        server holds are not read again; an upload that is gone begins anew.
        """
        ...


@runtime_checkable
class PartSharing(Protocol):
    """A store to one of whose uploads several processes can send parts; `put_parts` ends it."""

    parts_digest: str
    """The CRC of the whole, from those of the parts."""

    def lists_shared_parts(self) -> bool:
        """Measure whether the server tells which parts it holds, with their checksums."""
        ...

    def shared_part_bytes(self, size_bytes: int) -> int:
        """Length of each part of an object of so many bytes, but for the last."""
        ...

    def begin_parts(
        self,
        key: str,
        *,
        info: ObjectInfo,
        storage_class: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> str:
        """Begin an upload, and return its id."""
        ...

    def send_parts(self, key: str, pieces: Pieces, upload_id: str, first: int, last: int) -> None:
        """Send parts, from 1, that the server does not hold; ObjectNotFound: the upload is gone."""
        ...


def brief_pages(store: Store, start_after: str = "") -> Iterator[Sequence[Brief]]:
    """What a store holds, by pages of key, size and version, in the order of its `list`."""
    if hasattr(store, "list_briefs"):
        yield from cast("Brisk", store).list_briefs(start_after)
        return
    page: list[Brief] = []
    for info in store.list(start_after=start_after):
        if isinstance(info, ObjectInfo):
            page.append((info.key, info.size_bytes, info.version))
        if len(page) == BRIEF_PAGE:
            yield page
            page = []
    yield page
