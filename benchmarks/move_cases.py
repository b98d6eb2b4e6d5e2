"""The cases of `bench_move`: what is moved from where to where, and by which peers."""

import json
import os
import shutil
from collections.abc import Callable, Mapping
from functools import partial

from benchmarks.move_rig import MIB, Bench, Case
from cloudflux_dev import parts

SMALL, LARGE = 16 << 10, 256 << 20
Commands = dict[str, Callable[[], list[str]]]


def cases(bench: Bench, scale: float) -> Mapping[str, Callable[[], Case]]:
    """Makers of the cases by name, each with its servers and data."""
    small, large = round(10_000 * scale), max(1, round(8 * scale))
    fewer, many = round(2_000 * scale), round(100_000 * scale)
    return {
        "minio-small": lambda: between_minios(bench, small, SMALL, 1.2),
        "minio-large": lambda: between_minios(bench, large, LARGE, 1.0),
        "upload-small": lambda: from_files(bench, small, SMALL),
        "upload-large": lambda: from_files(bench, large, LARGE),
        "download-small": lambda: to_files(bench, small, SMALL),
        "download-large": lambda: to_files(bench, large, LARGE),
        "durable-small": lambda: to_files(bench, small, SMALL, durable=True),
        "durable-large": lambda: to_files(bench, large, LARGE, durable=True),
        "server-copy": lambda: within_minio(bench, small),
        "azurite": lambda: to_cloud(bench, "azurite", fewer),
        "gcs": lambda: to_cloud(bench, "fakegcs", fewer),
        "settier": lambda: change_class_on_moto(bench, fewer),
        "settier-azurite": lambda: change_class_on_azurite(bench, fewer),
        "nothing": lambda: nothing_to_do(bench, many),
    }


def _amount(count: int, size_bytes: int) -> tuple[str, float]:
    return ("objects/s", count) if size_bytes < MIB else ("MiB/s", count * size_bytes / MIB)


def _said(size_bytes: int) -> str:
    return "256 MiB" if size_bytes >= MIB else "16 KiB"


def _rclone(*words: str) -> list[str]:
    return [str(parts.find("rclone")), *words]


def rclone_copies(source: str, target: Callable[[], str], size_bytes: int) -> Commands:
    """Settings that its documentation advises for many small and for few large objects.

    No listing of an empty target for each directory, and no modification times, which S3 has to
    be asked for object by object. After a copy it compares size and MD5 of both sides, where both
    tell one (a directory's is computed).
    """
    if size_bytes < MIB:
        common = ["--fast-list", "--checksum", "--no-traverse"]
        tried = {
            f"rclone --transfers {n}": ["--transfers", n, "--checkers", n, *common]
            for n in ("16", "32", "64")
        }
    else:
        tried = {
            "rclone --transfers 4 --s3-upload-concurrency 4 --s3-chunk-size 16M": [
                "--transfers", "4", "--s3-upload-concurrency", "4", "--s3-chunk-size", "16M"],
            "rclone --transfers 2 --s3-upload-concurrency 8 --multi-thread-streams 8": [
                "--transfers", "2", "--s3-upload-concurrency", "8",
                "--multi-thread-streams", "8"],
        }  # fmt: skip
    return {
        name: lambda words=words: _rclone("copy", source, target(), *words)  # type: ignore[misc]
        for name, words in tried.items()
    }


def between_minios(bench: Bench, count: int, size_bytes: int, aim: float) -> Case:
    """Two servers; a MinIO verifies what we send, and tells rclone an MD5 of small objects."""
    one, two = bench.minio("one"), bench.minio("two")
    source, place = bench.fill("one", count, size_bytes), {"target": ""}

    def prepare() -> None:
        place["target"] = bench.bucket("two")

    unit, amount = _amount(count, size_bytes)
    return Case(
        f"minio to another minio, {_said(size_bytes)}", aim, unit, amount,
        lambda: bench.ours(
            "move", f"s3://{source}/data", f"s3://{place['target']}/data",
            "--source-endpoint", one.endpoint, "--target-endpoint", two.endpoint,
            "--source-profile", "one", "--target-profile", "two",
        ),
        rclone_copies(f"one:{source}/data", lambda: f"two:{place['target']}/data", size_bytes),
        prepare,
    )  # fmt: skip


def from_files(bench: Bench, count: int, size_bytes: int) -> Case:
    """s5cmd compares nothing after a copy; the server verifies its signed content."""
    server = bench.minio("two")
    source, place = bench.fill_directory(count, size_bytes), {"target": ""}

    def prepare() -> None:
        place["target"] = bench.bucket("two")

    unit, amount = _amount(count, size_bytes)
    return Case(
        f"file to minio, {_said(size_bytes)}", 1.0, unit, amount,
        lambda: bench.ours(
            "move", f"{source}/data", f"s3://{place['target']}/data",
            "--target-endpoint", server.endpoint, "--target-profile", "two",
        ),
        {
            **rclone_copies(f"{source}/data", lambda: f"two:{place['target']}/data", size_bytes),
            "s5cmd": lambda: bench.s5cmd(
                "two", "cp", f"{source}/data/*", f"s3://{place['target']}/data/"),
        },
        prepare,
    )  # fmt: skip


def to_files(bench: Bench, count: int, size_bytes: int, *, durable: bool = False) -> Case:
    """Neither peer reads back or waits for the disk; `durable` has their user wait, too."""
    server = bench.minio("one")
    source, place = bench.fill("one", count, size_bytes), {"target": ""}

    def prepare() -> None:
        if place["target"]:
            shutil.rmtree(place["target"])
        os.sync()  # what earlier runs left to write is not this one's
        place["target"] = str(bench.directory())

    unit, amount = _amount(count, size_bytes)
    words = ["--durable"] if durable else []
    ending = ["&&", "sync", "--file-system"] if durable else []

    def waiting(command: list[str]) -> list[str]:
        if not durable:
            return command
        return ["sh", "-c", '"$@" && sync --file-system "$0"', place["target"], *command]

    peers: Commands = {
        **rclone_copies(f"one:{source}/data", lambda: place["target"], size_bytes),
        "s5cmd": lambda: bench.s5cmd(
            "one", "cp", f"s3://{source}/data/*", f"{place['target']}/"),
    }  # fmt: skip
    return Case(
        f"minio to file, {_said(size_bytes)}{', on the disk' if durable else ''}",
        None if durable else 1.0, unit, amount,
        lambda: bench.ours(
            "move", f"s3://{source}/data", place["target"], *words,
            "--source-endpoint", server.endpoint, "--source-profile", "one",
        ),
        {
            " ".join((name, *ending[1:])): lambda make=make: waiting(make())  # type: ignore[misc]
            for name, make in peers.items()
        },
        prepare,
    )  # fmt: skip


def within_minio(bench: Bench, count: int) -> Case:
    """The server copies; s5cmd looks at nothing afterwards, we compare digests and list."""
    server = bench.minio("one")
    source, place = bench.fill("one", count, SMALL), {"target": ""}

    def prepare() -> None:
        place["target"] = bench.bucket("one")

    return Case(
        "one minio, copied by the server, 16 KiB", 1.0, "objects/s", count,
        lambda: bench.ours(
            "move", f"s3://{source}/data", f"s3://{place['target']}/data",
            "--endpoint", server.endpoint, "--source-profile", "one", "--target-profile", "one",
        ),
        {"s5cmd": lambda: bench.s5cmd(
            "one", "cp", f"s3://{source}/data/*", f"s3://{place['target']}/data/")},
        prepare,
    )  # fmt: skip


def to_cloud(bench: Bench, server: str, count: int) -> Case:
    """MinIO to the emulator of another provider."""
    one = bench.minio("one")
    scheme = "az" if server == "azurite" else "gs"
    _ = bench.azurite() if server == "azurite" else bench.fakegcs()  # named by the environment
    source, place = bench.fill("one", count, SMALL), {"target": ""}

    def prepare() -> None:
        place["target"] = bench.bucket(server)

    return Case(
        f"minio to {server}, 16 KiB", 1.2, "objects/s", count,
        lambda: bench.ours(
            "move", f"s3://{source}/data", f"{scheme}://{place['target']}/data",
            "--source-endpoint", one.endpoint, "--source-profile", "one",
        ),
        rclone_copies(f"one:{source}/data", lambda: f"{server}:{place['target']}/data", SMALL),
        prepare,
    )  # fmt: skip


def _settier_peers(remote: Callable[[], str], wanted: Mapping[str, str]) -> Commands:
    return {
        f"rclone settier --checkers {n}": lambda n=n: _rclone(  # type: ignore[misc]
            "settier", wanted["class"], remote(), "--checkers", n, "--transfers", n, "--fast-list"
        )
        for n in ("8", "32")
    }


def change_class_on_moto(bench: Bench, count: int) -> Case:
    """There and back: each run changes every object. moto, which is Python, is the limit."""
    server = bench.moto()
    source, wanted = bench.fill("moto", count, 64), {"class": "STANDARD"}

    def prepare() -> None:
        wanted["class"] = "STANDARD_IA" if wanted["class"] == "STANDARD" else "STANDARD"

    return Case(
        "class change on moto", 1.0, "objects/s", count,
        lambda: bench.ours(
            "settier", f"s3://{source}/data", wanted["class"], "--quiesced",
            "--endpoint", server.endpoint, "--profile", "moto",
        ),
        _settier_peers(lambda: f"moto:{source}/data", wanted), prepare,
    )  # fmt: skip


def change_class_on_azurite(bench: Bench, count: int) -> Case:
    """The same with Set Blob Tier."""
    endpoint = bench.azurite().endpoint
    source, wanted = bench.fill("azurite", count, 64), {"class": "Hot"}

    def prepare() -> None:
        wanted["class"] = "Cool" if wanted["class"] == "Hot" else "Hot"

    return Case(
        "class change on azurite", 2.0, "objects/s", count,
        lambda: bench.ours(
            "settier", f"az://{source}/data", wanted["class"], "--quiesced", "--endpoint", endpoint
        ),
        _settier_peers(lambda: f"azurite:{source}/data", wanted), prepare,
    )  # fmt: skip


def nothing_to_do(bench: Bench, count: int) -> Case:
    """A finished move once more; what is altered or removed on either side is found."""
    one, two = bench.minio("one"), bench.minio("two")
    source, target = bench.fill("one", count, 64), bench.bucket("two")
    command = bench.ours(
        "move", f"s3://{source}/data", f"s3://{target}/data",
        "--source-endpoint", one.endpoint, "--target-endpoint", two.endpoint,
        "--source-profile", "one", "--target-profile", "two", state="finished",
    )  # fmt: skip
    bench.run(command)
    _alterations_are_found(bench, command, source, target)

    def same() -> None:
        if not json.loads(bench.run(command).output)["already_there"]:
            raise RuntimeError("a finished move was not recognised")

    same()
    peers: Commands = {
        f"rclone --checkers {n} --checksum": partial(
            _rclone, "copy", f"one:{source}/data", f"two:{target}/data", "--checksum",
            "--checkers", n, "--transfers", n, *words,
        )
        for n, words in (("64", ["--fast-list"]), ("32", []))
    }  # fmt: skip
    return Case("nothing to do", 2.0, "objects/s", count, lambda: command, peers)


def _alterations_are_found(bench: Bench, command: list[str], source: str, target: str) -> None:
    """Alter and remove an object on either side, and see that the next run notices and mends."""
    old, new = bench.servers["one"].client(), bench.servers["two"].client()
    key = "data/07/0000007"
    body = new.get_object(Bucket=target, Key=key)["Body"].read()

    def found(what: str) -> None:
        if json.loads(bench.run(command, fails=True).output.splitlines()[-1])["already_there"]:
            raise RuntimeError(f"an object that was {what} was not found")

    old.put_object(Bucket=source, Key=key, Body=b"altered")
    found("altered at the source")
    new.delete_object(Bucket=target, Key=key)
    found("removed at the target")
    new.put_object(Bucket=target, Key=key, Body=b"a stranger's")
    found("altered at the target")
    new.delete_object(Bucket=target, Key=key)
    old.delete_object(Bucket=source, Key=key)
    found("removed at the source")
    old.put_object(Bucket=source, Key=key, Body=body)
    found("written again")
