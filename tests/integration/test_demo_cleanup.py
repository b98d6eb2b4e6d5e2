"""The demo, interrupted or failing, ends every process that it started and removes its files."""

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.operator_rig import ROOT, wait_for

pytestmark = pytest.mark.cluster
START_SECONDS = 240
END_SECONDS = 40
"""Less than anything waits for that was not told of the interrupt."""


def belonging_to(home: Path) -> dict[int, str]:
    """Every process on this machine whose environment or command names the demo's directory."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            text = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if os.fsencode(home) in text:
            found[int(entry.name)] = command
    return found


class Run:
    """`make demo`'s own command, in a process group of its own as in a terminal."""

    def __init__(self, home: Path, **environment: str) -> None:
        self.home = home
        self.process = subprocess.Popen(
            [sys.executable, "-m", "cloudflux_dev.demo", "up"],
            env={
                **os.environ,
                "PYTHONPATH": f"{ROOT / 'operator'}:{ROOT / 'tools'}",
                "CLOUDFLUX_DEMO_DIRECTORY": str(home),
                "CI": "",
                **environment,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            process_group=0,
        )
        self.lines: list[str] = []
        self._queue: queue.Queue[str | None] = queue.Queue()
        """None: it prints nothing more."""
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._queue.put(line)
        self._queue.put(None)

    def until(self, words: str) -> None:
        """Read on until a line holds the words."""
        while not any(words in line for line in self.lines):
            try:
                line = self._queue.get(timeout=START_SECONDS)
            except queue.Empty:
                line = None
            assert line is not None, f"{words!r} never came: {''.join(self.lines)}"
            self.lines.append(line)

    def end(self) -> int:
        """Wait for the end; the exit status."""
        return self.process.wait(timeout=END_SECONDS)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    directory = tmp_path / "demo"
    yield directory
    for pid in belonging_to(directory):  # only what a failing test left
        os.kill(pid, signal.SIGKILL)


def interrupted(run: Run) -> None:
    os.killpg(run.process.pid, signal.SIGINT)
    assert run.end() == 130
    wait_for("the end of all processes", lambda: not belonging_to(run.home), 20)
    assert not run.home.exists()


def test_an_interrupt_while_the_control_plane_starts_leaves_nothing(home: Path) -> None:
    run = Run(home)
    wait_for("etcd", lambda: (home / "cluster/pids.json").exists(), START_SECONDS)
    assert len(belonging_to(home)) > 1
    interrupted(run)


def test_an_interrupt_while_the_operator_works_leaves_nothing(home: Path) -> None:
    run = Run(home)
    run.until("Applying examples")
    assert any("cloudflux.cli.main operator" in command for command in belonging_to(home).values())
    interrupted(run)


def test_a_failing_demo_says_why_keeps_its_logs_and_leaves_nothing_else(home: Path) -> None:
    run = Run(home, CLOUDFLUX_DEMO_SECONDS="1")
    run.until("gave up after 1 s")
    assert run.end() == 1
    wait_for("the end of all processes", lambda: not belonging_to(home), 20)
    assert not home.exists()
    kept = home.with_name("demo-failed")
    assert (kept / "operator.log").exists()
    assert (kept / "kube-apiserver.log").exists()


def test_a_directory_that_no_demo_made_is_left_alone(home: Path) -> None:
    home.mkdir()
    (home / "precious").write_text("x")
    run = Run(home)
    run.until("was not made by the demo")
    assert run.end() == 1
    assert (home / "precious").read_text() == "x"
