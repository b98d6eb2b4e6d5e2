"""A short, fixed part of the fault matrix; `make chaos` runs all of it by chance."""

import zlib
from collections.abc import Iterator

import pytest
from tests.chaos import faults as f
from tests.chaos.faults import Case, Cell, Fault
from tests.chaos.front import ALWAYS, flipped
from tests.chaos.job import Bench, Run
from tests.chaos.judge import Evidence
from tests.chaos.places import KINDS, make_bucket

from cloudflux_dev.cloudservers import AzureServer, GcsServer, Toxiproxy
from cloudflux_dev.gcsstub import GcsStub
from cloudflux_dev.s3servers import S3Server

pytestmark = pytest.mark.xdist_group("chaos")


@pytest.fixture(scope="module")
def bench(
    minio: S3Server,
    azurite: AzureServer,
    gcs_stub: GcsStub,
    toxiproxy: Toxiproxy,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Bench]:
    servers = {
        "minio": minio,
        "azurite": azurite,
        "gcs-stub": GcsServer(gcs_stub.endpoint, 0),
    }
    for kind, server in servers.items():
        make_bucket(kind, server)
    bench = Bench(servers, tmp_path_factory.mktemp("chaos"), toxiproxy).start()
    yield bench
    bench.stop()


def fault(where: str, name: str, step: str, **more: int) -> Fault:
    """`where` is store, side and spot, as in "minio target place"."""
    return Fault(Cell(*where.split(), name), step, **more)


def run(
    bench: Bench, *faults: Fault, source: str = "file", target: str = "minio", **more: bool | int
) -> Evidence:
    seed = f"test:{zlib.crc32(repr((faults, source, target)).encode()):x}"
    case = Case(seed, source, target, faults, **more)
    found = Run(bench, case).execute()
    assert found.problems == [], str(case)
    assert all(found.happened(number) for number in range(len(faults))), found.hits
    return found


PASSING = [
    ("minio", "azurite", fault("minio source read", "reset", "Copy", times=3),
     fault("azurite target place", "lost", "Copy", times=2)),
    ("azurite", "gcs-stub", fault("azurite source list", "half answer", "Copy", times=2),
     fault("gcs-stub target place", "half request", "Copy", times=2)),
    ("gcs-stub", "file", fault("gcs-stub source read", "throttled", "Copy", times=2),
     fault("file target complete", "kill before", "Copy", after=1)),
    ("file", "minio", fault("minio target place", "kill after", "Copy", after=1, times=2),
     fault("minio target list", "error", "Verify", times=2)),
    ("minio", "gcs-stub", fault("minio source delete", "kill after", "Retire", times=2),
     fault("minio source marker", "server clock", "Switch", times=2)),
    ("minio", "file", fault("minio source read", "wire cut", "Copy"),
     fault("file target place", "stale", "Copy", times=2)),
    ("azurite", "file", fault("azurite source read", "flip answer", "Copy"),
     fault("file target marker", "kill after", "Switch", times=2)),
    ("file", "gcs-stub", fault("gcs-stub target place", "flip request", "Copy", times=2),
     fault("file source marker", "kill before", "Switch")),
    ("file", "azurite", fault("file source list", "error", "Switch"),
     fault("state state checkpoint", "kill before", "Copy", after=2)),
]  # fmt: skip


@pytest.mark.parametrize("case", PASSING, ids=lambda case: f"{case[0]}-{case[1]}")
def test_a_fault_that_goes_by_leaves_a_move_that_is_whole(
    bench: Bench, case: tuple[str, str, Fault, Fault]
) -> None:
    source, target, *faults = case
    assert run(bench, *faults, source=source, target=target).phase == "Completed"


@pytest.mark.parametrize("target", ["minio", "azurite", "gcs-stub"])
def test_a_kill_at_the_end_of_a_large_object_leaves_no_parts_behind(
    bench: Bench, target: str
) -> None:
    killed = fault(f"{target} target complete", "kill before", "Copy")
    run(bench, killed, source="minio", target=target, large=True, objects=3)


def test_an_upload_whose_beginning_was_lost_on_the_wire_is_not_left_behind(bench: Bench) -> None:
    lost = fault("minio target part", "lost", "Copy")
    run(bench, lost, source="minio", target="minio", large=True, objects=3)


LASTING = [
    ("minio", "file", fault("minio source read", "expired", "Copy", times=ALWAYS),
     "RetriesExhausted"),
    ("minio", "file", fault("minio source list", "skewed", "Plan", times=ALWAYS), "ClockSkewed"),
    ("file", "minio", fault("minio target place", "full", "Copy", times=ALWAYS), "TargetFull"),
    ("file", "azurite", fault("azurite target place", "denied", "Copy", times=ALWAYS),
     "AccessDenied"),
    ("gcs-stub", "file", fault("gcs-stub source read", "flip answer", "Copy", times=ALWAYS),
     "VerificationFailed"),
    ("minio", "file", fault("file target verify", "flip", "Verify", times=ALWAYS),
     "VerificationFailed"),
    ("file", "azurite", fault("azurite target marker", "reset", "Switch", times=ALWAYS),
     "RetriesExhausted"),
    ("file", "file", fault("state state manifest", "full", "Verify", times=ALWAYS),
     "RetriesExhausted"),
    ("minio", "file", fault("file target place", "flip", "Copy", times=ALWAYS),
     "VerificationFailed"),
]  # fmt: skip


@pytest.mark.parametrize("case", LASTING, ids=lambda case: f"{case[0]}-{case[1]}-{case[3]}")
def test_a_fault_that_stays_fails_the_job_with_its_cause_and_leaves_the_source_intact(
    bench: Bench, case: tuple[str, str, Fault, str]
) -> None:
    source, target, lasting, reason = case
    proof = lasting.step == "Verify"
    found = run(bench, lasting, source=source, target=target, bytes_proof=proof)
    assert (found.phase, found.status.reason) == ("Failed", reason)


def test_a_disk_that_is_full_fails_the_job_and_says_so(bench: Bench) -> None:
    full = Fault(Cell("file", f.TARGET, "place", "full"), "Copy", after=1, times=ALWAYS)
    found = run(bench, full, source="minio", target="file")
    assert (found.phase, found.status.reason) == ("Failed", "TargetFull")


@pytest.mark.parametrize("where", ["minio target delete", "azurite target delete"])
def test_a_sweep_goes_on_after_a_kill_and_leaves_what_is_not_ours(bench: Bench, where: str) -> None:
    killed = fault(where, "kill after", "Sweep", after=1)
    found = run(bench, killed, target=where.split()[0], troubled=True)
    assert found.status.reason == "TargetOccupied"


def test_a_case_follows_from_its_seed() -> None:
    main = next(cell for cell in f.cells() if cell.spot == "part")
    assert f.draw("a:1", main) == f.draw("a:1", main)
    assert len({f.draw(f"a:{n}", main).faults for n in range(9)}) > 1


def test_every_store_meets_every_kind_of_fault_as_source_and_as_target() -> None:
    cells = list(f.cells())
    for kind in set(KINDS) - {"file"}:
        for side in (f.SOURCE, f.TARGET):
            found = {cell.fault for cell in cells if (cell.kind, cell.side) == (kind, side)}
            assert {*f.BROKEN, *f.REFUSING, *f.KILLS, "latency", "expired", "flip"} - found <= {
                "flip"
            }
            assert any(name in f.FLIPS for name in found)


def test_a_flipped_bit_is_one_bit() -> None:
    data = bytes(range(200))
    for near_end in (False, True):
        other = flipped(data, near_end=near_end)
        changed = [a ^ b for a, b in zip(data, other, strict=True) if a != b]
        assert changed == [4]
