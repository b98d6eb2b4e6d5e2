"""What the source's server says of an object, against what was read; and the bound of memory."""

import datetime as dt
import hashlib
import threading

import pytest

from cloudflux.migration.memory import Memory
from cloudflux.migration.proof import Origin, PieceDigests
from cloudflux.storage.digests import crc_of, digest_bytes
from cloudflux.storage.interface import Capabilities, ObjectInfo

S3 = Capabilities(scheme="s3", version_may_be_md5=True)
DATA = b"content"
MD5 = hashlib.md5(DATA, usedforsecurity=False).hexdigest()


def info(version: str = MD5, **checksums: str) -> ObjectInfo:
    when = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    return ObjectInfo("k", len(DATA), version, "STANDARD", when, checksums=checksums)


def test_a_checksum_of_the_server_comes_before_its_version() -> None:
    crc = digest_bytes(DATA, {"crc64nvme"})
    origin = Origin(S3)
    assert origin.expected(info(**crc)) == crc
    assert origin.agrees(info(**crc), crc)
    assert not origin.agrees(info(crc64nvme="00"), crc)
    assert not origin.excused(info(crc64nvme="00"))


def test_a_version_is_an_md5_until_it_is_seen_that_it_is_none() -> None:
    origin, wrong = Origin(S3), info("0" * 32)
    assert not origin.agrees(wrong, {"md5": MD5})
    assert origin.excused(wrong)
    assert origin.agrees(wrong, {"md5": MD5})


def test_where_versions_are_md5_a_difference_is_damage() -> None:
    origin = Origin(S3)
    assert origin.agrees(info(), {"md5": MD5})
    assert not origin.agrees(info("0" * 32), {"md5": MD5})
    assert not origin.excused(info("0" * 32))


def test_other_versions_say_nothing_of_the_content() -> None:
    assert Origin(S3).expected(info("0123-4")) == {}
    assert Origin(Capabilities(scheme="file")).expected(info()) == {}


def test_pieces_in_any_order_make_the_whole() -> None:
    pieces = PieceDigests({"crc32c"})
    for start in (4, 0, 2, 0):
        pieces.add(start, DATA[start : start + 2] if start < 4 else DATA[4:])
    assert pieces.hex(len(DATA)) == {"crc32c": f"{crc_of('crc32c', DATA):08x}"}
    assert pieces.hex(len(DATA) + 1) == {}


@pytest.mark.parametrize("wanted", [6, 100])
def test_memory_is_given_out_only_once(wanted: int) -> None:
    memory, entered = Memory(10), threading.Event()

    def second() -> None:
        with memory.hold(wanted):
            entered.set()

    thread = threading.Thread(target=second)
    with memory.hold(5):
        thread.start()
        assert not entered.wait(0.05)
    assert entered.wait(10)
    thread.join()
