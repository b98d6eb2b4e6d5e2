"""A whole move of very many objects between made-up stores: what it costs the mover alone.

    python -m benchmarks.move_many OBJECTS STATE_DIRECTORY

Nothing is kept of the objects but two bytes each, so that all other memory is the mover's: it
lists, copies, verifies, writes the manifest, and finds on a second run that nothing is to be
done, and on a third what was removed from the target. Prints a JSON line.
"""
# ruff: noqa: ARG002  (the signatures are those of the contract)

import datetime as dt
import hashlib
import io
import json
import resource
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, cast

from cloudflux.api.dataset import Writers
from cloudflux.api.move_tasks import CopyRequest
from cloudflux.api.task import StoreRef
from cloudflux.cli.move import run
from cloudflux.errors import ObjectNotFound
from cloudflux.storage import registry
from cloudflux.storage.digests import Whole
from cloudflux.storage.interface import Brief, Capabilities, ObjectInfo, Written

PAGE = 1000
LONG_AGO = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def key_of(number: int) -> str:
    """Keys as long as usual ones."""
    return f"data/year=2026/part-{number // 1000:06}/{number:012}.parquet"


def content_of(number: int) -> bytes:
    """The content of an object."""
    return number.to_bytes(8, "big") * 8


class MadeUp:
    """Objects that are computed; `there` has a byte for each that is there."""

    def __init__(self, uri: str, count: int, *, full: bool) -> None:
        self.uri = uri
        self.capabilities = Capabilities(
            scheme="memory", storage_classes=("STANDARD",), checksums=("md5",)
        )
        self.there = bytearray((b"\1" if full else b"\0") * count)
        self.written = 0

    def check(self) -> None:
        """Always there."""

    def list(self, prefix: str = "", start_after: str = "") -> Iterator[ObjectInfo]:
        """By key order."""
        for number, present in enumerate(self.there):
            if present:
                yield self._info(number)

    def list_briefs(self, start_after: str = "") -> Iterator[Sequence[Brief]]:
        """The same, briefly."""
        for start in range(0, len(self.there), PAGE):
            numbers = range(start, min(start + PAGE, len(self.there)))
            yield [
                (key_of(number), 64, _version(number)) for number in numbers if self.there[number]
            ]

    def head(self, key: str) -> ObjectInfo:
        """Raises ObjectNotFound."""
        number = _number(key)
        if not self.there[number]:
            raise ObjectNotFound(key)
        return self._info(number)

    def fetch(self, key: str, *, if_version: str) -> tuple[ObjectInfo, BinaryIO]:
        """Everything of an object."""
        number = _number(key)
        return self._info(number), io.BytesIO(content_of(number))

    def put(self, key: str, stream: BinaryIO, size_bytes: int, **_: object) -> Written:
        """Note that it is there."""
        number = _number(key)
        md5 = cast("Whole", stream).digests["md5"]
        self.there[number] = 1
        self.written += 1
        return Written(_version(number), {"md5": md5})

    def delete(self, key: str, *, if_version: str | None = None) -> None:
        """Remove it."""
        self.there[_number(key)] = 0

    def uploads(self, prefix: str = "") -> Iterator[tuple[str, str]]:
        """None."""
        yield from ()

    def close(self) -> None:
        """Nothing."""

    def _info(self, number: int) -> ObjectInfo:
        md5 = hashlib.md5(content_of(number), usedforsecurity=False).hexdigest()
        checksums: Mapping[str, str] = {"md5": md5}
        return ObjectInfo(
            key_of(number), 64, _version(number), "STANDARD", LONG_AGO, checksums=checksums
        )


def _number(key: str) -> int:
    return int(key[-20:-8])


def _version(number: int) -> str:
    return f"{number:032x}"


def main(count: int, state: Path) -> None:
    """Move, and go over it again."""
    source = MadeUp("memory://source", count, full=True)
    target = MadeUp("memory://target", count, full=False)
    stores = {source.uri: source, target.uri: target}
    registry.open_store = lambda ref, **_: stores[ref.uri]  # type: ignore[assignment]
    fields = CopyRequest(
        job_uid="many", job_name="many", namespace="", data_set_uid="many", source_generation=0,
        source=StoreRef(uri=source.uri), target=StoreRef(uri=target.uri), parallelism=4,
        writers=Writers.QUIESCED, quiet_seconds=0,
    )  # fmt: skip
    job = {name: getattr(fields, name) for name in fields.model_fields_set - {"quiet_seconds"}}
    found: dict[str, float] = {"objects": count}

    def move(name: str) -> bool:
        began = time.process_time()
        outcome = run(job, state, None, delete_source=False)
        found[f"{name}_cpu_seconds"] = round(time.process_time() - began, 2)
        found[f"{name}_memory_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        if (outcome.objects, outcome.failed) != (count, 0):
            raise RuntimeError(f"{name}: {outcome}")
        return outcome.already_there

    if move("move") or not move("again"):
        raise RuntimeError("what was to be done was not told from what was done")
    target.delete(key_of(count // 2))
    if move("mend") or target.written != count + 1:
        raise RuntimeError("what was removed was not found, or more than that was copied")
    print(json.dumps(found))


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
