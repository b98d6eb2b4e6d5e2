"""Parent and child over a real pipe and real processes."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from pydantic import SecretStr

from cloudflux.api.task import Credentials, Task
from cloudflux.children.fence import read_fence, write_fence
from cloudflux.children.supervisor import Child, ChildError, ChildPool, TaskHandle
from cloudflux.errors import FencedOut

SAMPLE = Path(__file__).parent / "sample_child.py"
ROOT = Path(__file__).parents[3]


class Say(Task):
    text: str
    credentials: Credentials | None = None


async def until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never became true"
        await asyncio.sleep(0.01)


def process_state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "gone"


def sample(state_dir: Path, **options: object) -> Child:
    write_fence(state_dir, 1)
    return Child(
        "sample",
        state_dir=state_dir,
        token=1,
        command=(sys.executable, str(SAMPLE)),
        **options,  # type: ignore[arg-type]
    )


@pytest_asyncio.fixture
async def child(tmp_path: Path) -> AsyncIterator[Child]:
    child = sample(tmp_path)
    yield child
    await child.stop()


async def result(handle: TaskHandle) -> dict[str, object]:
    return await asyncio.wait_for(asyncio.shield(handle.done), 20)


async def failure(handle: TaskHandle) -> ChildError:
    with pytest.raises(ChildError) as caught:
        await result(handle)
    return caught.value


async def test_starts_only_when_used_and_serves_several_tasks(child: Child) -> None:
    assert child.pid is None
    handles = [child.submit("sample.echo", Say(text=str(n))) for n in range(20)]
    assert [(await result(h))["text"] for h in handles] == [str(n) for n in range(20)]
    assert child.pid is not None
    assert child.outstanding == 0


async def test_requests_to_stores_are_counted_over_the_pipe(child: Child) -> None:
    for n in range(3):
        await result(child.submit("sample.ask", Say(text=str(n))))
    assert child.sent == {("s3", "GetObject", "ok"): 3, ("s3", "GetObject", "throttled"): 3}
    await result(child.submit("sample.echo", Say(text="nothing more")))
    assert child.sent.total() == 6


async def test_many_tasks_that_give_way_do_not_hold_up_the_others(child: Child) -> None:
    waiting = [child.submit("sample.wait", Say(text="")) for _ in range(30)]
    assert (await result(child.submit("sample.echo", Say(text="now"))))["text"] == "now"
    assert not any(one.done.done() for one in waiting)
    for one in waiting:
        child.cancel(one)
    assert {(await failure(one)).reason for one in waiting} == {"Cancelled"}


async def test_a_secret_crosses_the_pipe_but_is_in_no_repr(child: Child) -> None:
    credentials = Credentials(access_key_id="AK", secret_access_key=SecretStr("s3cr3t"))
    handle = child.submit("sample.echo", Say(text="", credentials=credentials))
    assert (await result(handle))["text"] == "s3cr3t"
    assert "s3cr3t" not in repr(handle.request)


async def test_failures_keep_kind_reason_and_retryability(child: Child) -> None:
    throttled = await failure(child.submit("sample.fail", Say(text="throttled")))
    assert (throttled.error.kind, throttled.reason, throttled.retryable) == (
        "Throttled",
        "Throttled",
        True,
    )
    price = await failure(child.submit("sample.fail", Say(text="price")))
    assert (price.reason, price.retryable) == ("PriceUnknown", False)
    bug = await failure(child.submit("sample.fail", Say(text="bug")))
    assert (bug.error.kind, bug.reason, bug.retryable) == ("InternalError", "InternalError", True)
    unknown = await failure(child.submit("sample.nothing", Say(text="")))
    assert "no operation sample.nothing" in str(unknown)


async def test_progress_is_limited_and_tells_the_parent(tmp_path: Path) -> None:
    changes: list[str] = []
    child = sample(tmp_path, on_change=lambda h: changes.append(str(h.progress)))
    handle = child.submit("sample.spin", Say(text=""))
    await until(lambda: len(changes) >= 2)
    child.cancel(handle)
    assert (await failure(handle)).reason == "Cancelled"
    assert changes[0] == "{'text': '0', 'thread': ''}"
    assert int(handle.progress["text"]) > 20  # half a second of turns lies between the two
    await child.stop()


async def test_a_new_leader_fences_the_old_child_out(child: Child, tmp_path: Path) -> None:
    handle = child.submit("sample.spin", Say(text=""))
    await until(lambda: handle.progress)
    write_fence(tmp_path, 2)
    assert (await failure(handle)).reason == "FencedOut"
    assert (await failure(child.submit("sample.spin", Say(text="")))).reason == "FencedOut"


async def test_a_dead_child_fails_its_tasks_and_is_started_again(child: Child) -> None:
    spinning = child.submit("sample.spin", Say(text=""))
    await until(lambda: spinning.progress)
    first = child.pid
    died = await failure(child.submit("sample.die", Say(text="")))
    assert (died.reason, died.retryable) == ("ChildDied", True)
    assert (await failure(spinning)).reason == "ChildDied"
    assert (await result(child.submit("sample.echo", Say(text="again"))))["text"] == "again"
    assert child.pid != first
    assert child.restarts == 1


async def test_a_child_that_cannot_start_fails_its_tasks(tmp_path: Path) -> None:
    write_fence(tmp_path, 1)
    child = Child("x", state_dir=tmp_path, token=1, command=("/nonexistent",))
    assert (await failure(child.submit("x.y", Say(text="")))).reason == "ChildDied"
    await child.stop()


async def test_stop_ends_the_process_and_refuses_new_tasks(child: Child) -> None:
    handle = child.submit("sample.spin", Say(text=""))
    await until(lambda: handle.progress)
    pid = child.pid
    await child.stop()
    assert process_state(pid) == "gone"
    assert handle.done.done()
    assert (await failure(child.submit("sample.echo", Say(text="")))).reason == "ChildDied"


@pytest.mark.parametrize("stop_at", ["spin.turn", "spin.turn:3"])
async def test_a_stop_point_stops_the_process_until_it_is_killed(
    tmp_path: Path, stop_at: str
) -> None:
    child = sample(tmp_path, stop_at=stop_at)
    handle = child.submit("sample.spin", Say(text=""))
    await until((tmp_path / "stopped-at").exists)
    assert (tmp_path / "stopped-at").read_text() == f"spin.turn {child.pid}\n"
    await until(lambda: process_state(child.pid) == "T")
    os.kill(child.pid, signal.SIGKILL)
    assert (await failure(handle)).reason == "ChildDied"
    await child.stop()


@pytest.mark.parametrize("stopped", [False, True])
def test_a_killed_parent_takes_its_child_along(tmp_path: Path, stopped: bool) -> None:
    script = textwrap.dedent(f"""
        import asyncio, sys
        from pathlib import Path
        sys.path[:0] = [{str(ROOT / "operator")!r}]
        from cloudflux.api.task import Task
        from cloudflux.children.fence import write_fence
        from cloudflux.children.supervisor import Child
        class Say(Task):
            text: str
        async def main():
            write_fence(Path({str(tmp_path)!r}), 1)
            child = Child("sample", state_dir=Path({str(tmp_path)!r}), token=1,
                          stop_at={"spin.turn" if stopped else None!r},
                          command=(sys.executable, {str(SAMPLE)!r}))
            child.submit("sample.spin", Say(text=""))
            await child.start()
            print(child.pid, flush=True)
            await asyncio.sleep(60)
        asyncio.run(main())
    """)
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    try:
        pid = int(next(line for line in parent.stdout if line.strip().isdigit()))
        deadline = time.monotonic() + 20
        while stopped and process_state(pid) != "T":
            assert time.monotonic() < deadline, "the stop point was not reached"
    finally:
        parent.kill()
        parent.communicate()
    while process_state(pid) not in ("gone", "Z"):
        assert time.monotonic() < deadline, "the child outlived its parent"


def test_the_fence_never_goes_back(tmp_path: Path) -> None:
    assert read_fence(tmp_path) == 0
    write_fence(tmp_path, 3)
    write_fence(tmp_path, 3)
    with pytest.raises(FencedOut, match="newer than our token 2"):
        write_fence(tmp_path, 2)
    with pytest.raises(FencedOut):
        ChildPool(state_dir=tmp_path, token=2)
    assert read_fence(tmp_path) == 3


async def test_the_pool_knows_whose_operation_it_is(tmp_path: Path) -> None:
    pool = ChildPool(state_dir=tmp_path, token=1)
    with pytest.raises(ValueError, match=r"no child serves cook\.dinner"):
        pool.submit("cook.dinner", Say(text=""))
    assert [child.pid for child in pool.children] == [None, None, None]
    await pool.stop()


async def test_the_real_children_start_by_name(tmp_path: Path) -> None:
    pool = ChildPool(state_dir=tmp_path, token=1)
    refused = await failure(pool.submit("mover.nothing", Say(text="")))
    assert "no operation mover.nothing" in str(refused)
    await pool.stop()


def test_the_protocol_ends_cleanly_at_the_end_of_its_input(tmp_path: Path) -> None:
    write_fence(tmp_path, 1)
    hello = {"hello": {"token": 1, "state_dir": str(tmp_path), "stop_at": None}}
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "operator")}
    ended = subprocess.run(
        [sys.executable, str(SAMPLE), "--parent-pid", str(os.getpid())],
        input=json.dumps(hello).encode() + b"\n",
        capture_output=True,
        timeout=30,
        env=environment,
    )
    assert (ended.returncode, ended.stdout) == (0, b'{"ready":true}\n')
