"""What a finished move left: one sorted line an object, to tell quickly that nothing changed.

A run over a finished move lists both sides and compares them with this, in bounded memory and
without a request or a JSON document for each object. Anything unexpected, and be it only the
order of a listing, is a difference; then the whole procedure runs.
"""

import os
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from cloudflux.migration.checkpoint import Moved, boot_id
from cloudflux.migration.files import sync_directory
from cloudflux.migration.session import Session
from cloudflux.storage.interface import Brief, brief_pages
from cloudflux.storage.keys import decode_key, encode_key, key_bytes

FORMAT = "cloudflux-settled/1"


@dataclass(frozen=True, slots=True)
class Settled:
    """All is as it was left."""

    objects: int
    size_bytes: int


def write_settled(path: Path, moved: Iterable[Moved], boot: str = "") -> None:
    """Write the lines, whole or not at all, for objects in the order of their keys' bytes.

    With `boot` they count until the machine goes down.
    """
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("w", encoding="ascii") as stream:
        stream.write(f"{FORMAT} {boot}".rstrip() + "\n")
        for one in moved:
            words = (encode_key(one.key), str(one.size_bytes), one.version, one.target_version)
            stream.write("\t".join(words) + "\n")
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)
    sync_directory(path.parent)


def unchanged(session: Session, path: Path) -> Settled | None:
    """List both sides at a time; None unless each object is the one that was left there.

    Objects at the target that the source never had are not looked at.
    """
    if not path.exists():
        return None
    with (
        ThreadPoolExecutor(2, "listing") as pool,
        closing(_ahead(pool, brief_pages(session.source))) as source,
        closing(_ahead(pool, brief_pages(session.target))) as target,
    ):
        return _compare(session, _lines(path), source, target)


def _compare(
    session: Session,
    lines: Iterator[tuple[str, int, str, str]],
    source: Iterator[Brief],
    target: Iterator[Brief],
) -> Settled | None:
    objects = size_bytes = 0
    for key, size, version, target_version in lines:
        if next(source, None) != (key, size, version):
            return None
        there = next(target, None)
        while there is not None and there[0] != key and key_bytes(there[0]) < key_bytes(key):
            there = next(target, None)
        if there != (key, size, target_version):
            return None
        objects += 1
        size_bytes += size
        if objects % 1024 == 0:
            session.context.check()
    return Settled(objects, size_bytes) if next(source, None) is None else None


def _lines(path: Path) -> Iterator[tuple[str, int, str, str]]:
    with path.open(encoding="ascii") as stream:
        words = next(stream, "").split()
        if words not in ([FORMAT], [FORMAT, boot_id()]):
            yield ("", -1, "", "")  # of another version, or not yet on a disk: equal to nothing
            return
        for line in stream:
            key, size, version, target_version = line[:-1].split("\t")
            yield decode_key(key) if "%" in key else key, int(size), version, target_version


def _ahead(
    pool: ThreadPoolExecutor, pages: Iterator[Iterable[Brief]]
) -> Generator[Brief, None, None]:
    """Flatten pages; the next one is on its way while one is used."""
    following = pool.submit(next, pages, None)
    while (page := following.result()) is not None:
        following = pool.submit(next, pages, None)
        yield from page
