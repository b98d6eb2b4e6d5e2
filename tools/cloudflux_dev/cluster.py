"""A real Kubernetes API (etcd and kube-apiserver) on 127.0.0.1 for tests and the demo.

`python -m cloudflux_dev.cluster serve DIRECTORY --until-pid PID` runs one for as long as
another process lives; the tests' workers share theirs that way.
"""

import argparse
import contextlib
import ctypes
import functools
import json
import os
import secrets
import select
import shutil
import signal
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from cloudflux_dev import assets, pki
from cloudflux_dev.ports import free_ports

CONTEXT_PREFIX = "cloudflux-"
MADE_HERE = "cloudflux.io/control-plane"
CRD_DIRECTORY = Path(__file__).resolve().parents[2] / "crds"
READY_SECONDS = 60
STOP_SECONDS = 10
START_ATTEMPTS = 3
_PR_SET_PDEATHSIG = 1


class ClusterError(RuntimeError):
    """The control plane did not start, or is not one that we made; the message says more."""


@dataclass
class ControlPlane:
    """One etcd and one kube-apiserver; everything they write is under `directory`.

    With `tied`, they die with the process that starts them; else they run on and are
    stopped by `stop`, from any process.
    """

    directory: Path
    name: str = "dev"
    tied: bool = False
    kubeconfig: Path = field(default=Path())
    _children: list[subprocess.Popen[bytes]] = field(default_factory=list, repr=False)

    def __post_init__(self) -> None:
        self.directory = self.directory.resolve()
        if self.kubeconfig == Path():
            self.kubeconfig = self.directory / "kubeconfig"

    @property
    def context(self) -> str:
        """Name of the context in the kubeconfig."""
        return f"{CONTEXT_PREFIX}{self.name}"

    def start(self, say: Callable[[str], None] = print) -> None:
        """Start both and wait until the API answers; raise ClusterError if it does not."""
        programs = assets.find(say)
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        pki.write_pki(self.directory / "pki")
        token = secrets.token_urlsafe(24)
        tokens = self.directory / "pki" / "tokens.csv"
        tokens.touch(mode=0o600)
        tokens.write_text(f'{token},cloudflux-admin,cloudflux-admin,"system:masters"\n')
        for attempt in range(1, START_ATTEMPTS + 1):
            port = self._launch(programs)
            self._write_kubeconfig(port, token)
            if self._ready(port, token):
                if programs.controller_manager is not None:
                    self._start_controllers(programs.controller_manager)
                return
            self.stop()
            if not self._port_was_taken() or attempt == START_ATTEMPTS:
                break
        raise ClusterError(
            f"The Kubernetes API did not become ready; see {self.directory}/etcd.log and "
            f"{self.directory}/kube-apiserver.log:\n{_tail(self.directory / 'kube-apiserver.log')}"
        )

    def stop(self) -> None:
        """End the processes that `start` recorded, and none else."""
        record = self.directory / "pids.json"
        if record.exists():
            # the API server first: it complains for long when etcd goes before it
            for pid in reversed(json.loads(record.read_text())):
                self._end(pid)
            record.unlink(missing_ok=True)
        for child in reversed(self._children):  # also when the directory was removed meanwhile
            child.terminate()
            try:
                child.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        self._children.clear()

    def running(self) -> bool:
        """Say whether all recorded processes are alive."""
        record = self.directory / "pids.json"
        if not record.exists():
            return False
        return all(self._ours(pid) for pid in json.loads(record.read_text()))

    def kubectl(self, *arguments: str, stdin: str | None = None, check: bool = True) -> str:
        """Run kubectl against this control plane; return what it prints."""
        return kubectl(*arguments, kubeconfig=self.kubeconfig, stdin=stdin, check=check)

    def install_crds(self) -> None:
        """Apply crds/*.yaml and wait until they are served."""
        install_crds(self.kubeconfig)

    def _launch(self, programs: assets.Assets) -> int:
        etcd_port, peer_port, api_port = free_ports(3)
        log_level = ["--log-level", "warn"]
        etcd = [
            str(programs.etcd), "--name", "default", "--unsafe-no-fsync", *log_level,
            "--data-dir", str(self.directory / "etcd"),
            "--listen-client-urls", f"http://127.0.0.1:{etcd_port}",
            "--advertise-client-urls", f"http://127.0.0.1:{etcd_port}",
            "--listen-peer-urls", f"http://127.0.0.1:{peer_port}",
            "--initial-advertise-peer-urls", f"http://127.0.0.1:{peer_port}",
            "--initial-cluster", f"default=http://127.0.0.1:{peer_port}",
        ]  # fmt: skip
        keys = self.directory / "pki"
        api_server = [
            str(programs.kube_apiserver),
            "--etcd-servers", f"http://127.0.0.1:{etcd_port}",
            "--bind-address", "127.0.0.1", "--advertise-address", "127.0.0.1",
            "--secure-port", str(api_port), "--cert-dir", str(keys),
            "--tls-cert-file", str(keys / "server.crt"),
            "--tls-private-key-file", str(keys / "server.key"),
            "--service-cluster-ip-range", "10.0.0.0/24",
            "--service-account-issuer", "https://kubernetes.default.svc",
            "--service-account-key-file", str(keys / "sa.key"),
            "--service-account-signing-key-file", str(keys / "sa.key"),
            "--authorization-mode", "RBAC", "--token-auth-file", str(keys / "tokens.csv"),
            # nobody makes the default ServiceAccount that this plugin would wait for
            "--disable-admission-plugins", "ServiceAccount",
            "--endpoint-reconciler-type", "none", "--profiling=false",
        ]  # fmt: skip
        self._children = [self._spawn("etcd", etcd), self._spawn("kube-apiserver", api_server)]
        self._record()
        return api_port

    def _start_controllers(self, program: Path) -> None:
        keys = self.directory / "pki"
        command = [
            str(program), "--kubeconfig", str(self.kubeconfig), "--bind-address", "127.0.0.1",
            "--secure-port", "0", "--leader-elect=false", "--use-service-account-credentials=false",
            "--root-ca-file", str(keys / "ca.crt"),
            "--service-account-private-key-file", str(keys / "sa.key"),
        ]  # fmt: skip
        self._children.append(self._spawn("kube-controller-manager", command))
        self._record()

    def _record(self) -> None:
        (self.directory / "pids.json").write_text(json.dumps([c.pid for c in self._children]))

    def _spawn(self, name: str, command: list[str]) -> subprocess.Popen[bytes]:
        with (self.directory / f"{name}.log").open("wb") as log:
            return subprocess.Popen(
                command,
                cwd=self.directory,
                # a fifth less CPU for a few hundred MB: these servers live for minutes
                env={"GOGC": "400", **os.environ},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_parent if self.tied else None,
            )

    def _ready(self, port: int, token: str) -> bool:
        trust = ssl.create_default_context(cafile=str(self.directory / "pki" / "ca.crt"))
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trust)
        )
        request = urllib.request.Request(
            f"https://127.0.0.1:{port}/readyz", headers={"Authorization": f"Bearer {token}"}
        )
        deadline = time.monotonic() + READY_SECONDS
        started = list(self._children)  # another thread may stop and forget them meanwhile
        while time.monotonic() < deadline:
            if not started or any(child.poll() is not None for child in started):
                return False
            with contextlib.suppress(OSError), opener.open(request, timeout=5) as answer:
                if answer.status == 200:
                    return True
            time.sleep(0.05)
        return False

    def _port_was_taken(self) -> bool:
        logs = (self.directory / "etcd.log", self.directory / "kube-apiserver.log")
        return any("address already in use" in log.read_text(errors="replace") for log in logs)

    def _write_kubeconfig(self, port: int, token: str) -> None:
        mark = {"name": MADE_HERE, "extension": {"directory": str(self.directory)}}
        cluster = {
            "server": f"https://127.0.0.1:{port}",
            "certificate-authority": str(self.directory / "pki" / "ca.crt"),
            "extensions": [mark],
        }
        context = {"cluster": self.context, "user": self.context, "namespace": "default"}
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": self.context, "cluster": cluster}],
            "users": [{"name": self.context, "user": {"token": token}}],
            "contexts": [{"name": self.context, "context": context}],
            "current-context": self.context,
        }
        self.kubeconfig.parent.mkdir(parents=True, exist_ok=True)
        self.kubeconfig.touch(mode=0o600)
        self.kubeconfig.write_text(yaml.safe_dump(content))

    def _ours(self, pid: int) -> bool:
        """Say whether a pid is still the process that we started (pids are used again)."""
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return False
        return os.fsencode(self.directory) in command

    def _end(self, pid: int) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            if not self._ours(pid):
                return
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
            deadline = time.monotonic() + STOP_SECONDS
            while self._ours(pid) and time.monotonic() < deadline:
                for child in self._children:
                    child.poll()
                time.sleep(0.02)


def refuse_foreign_context(kubeconfig: Path, context: str) -> None:
    """Raise ClusterError unless the context is of a control plane that this module made."""
    try:
        content: dict[str, Any] = yaml.safe_load(kubeconfig.read_text())
        clusters = {entry["name"]: entry["cluster"] for entry in content["clusters"]}
        contexts = {entry["name"]: entry["context"] for entry in content["contexts"]}
        cluster = clusters[contexts[context]["cluster"]]
        marks = [mark["name"] for mark in cluster.get("extensions") or []]
        host = urlsplit(cluster["server"]).hostname
    except (OSError, LookupError, TypeError, yaml.YAMLError) as error:
        raise ClusterError(f"{kubeconfig} has no usable context {context!r}: {error!r}") from error
    if not (context.startswith(CONTEXT_PREFIX) and host == "127.0.0.1" and MADE_HERE in marks):
        raise ClusterError(
            f"Context {context!r} of {kubeconfig} is not a control plane that CloudFlux's tools "
            "made on this machine; they leave every other cluster alone."
        )


def kubectl(*arguments: str, kubeconfig: Path, stdin: str | None = None, check: bool = True) -> str:
    """Run kubectl with a kubeconfig of ours; return what it prints.

    Raises ClusterError with kubectl's own words when it fails and `check` is set; without
    `check`, what it prints includes its errors.
    """
    content = yaml.safe_load(kubeconfig.read_text())
    refuse_foreign_context(kubeconfig, content["current-context"])
    done = subprocess.run(
        [str(_programs().kubectl), *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        # HOME: kubectl keeps a discovery cache there, which must not be the user's
        env={**os.environ, "KUBECONFIG": str(kubeconfig), "HOME": str(kubeconfig.parent)},
        check=False,
    )
    if check and done.returncode != 0:
        raise ClusterError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout if check else done.stdout + done.stderr


@functools.cache
def _programs() -> assets.Assets:
    return assets.find()


def install_crds(kubeconfig: Path, directory: Path = CRD_DIRECTORY) -> None:
    """Apply every CRD of a directory and wait until it is served."""
    kubectl("apply", "--server-side", "-f", str(directory), kubeconfig=kubeconfig)
    kubectl(
        "wait", "--for=condition=Established", "--timeout=30s", "-f", str(directory),
        kubeconfig=kubeconfig,
    )  # fmt: skip


def die_with_parent() -> None:
    """Ask the kernel (Linux) to end this process when its parent ends; for preexec_fn."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def wait_for_exit(pid: int, interrupted: Iterable[int] = (signal.SIGTERM, signal.SIGINT)) -> None:
    """Block until a process ends or one of the signals comes."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    for number in interrupted:
        signal.signal(number, lambda *_: None)
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    select.select([process, reader], [], [])
    os.close(process)


def _tail(path: Path, lines: int = 15) -> str:
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])


def main() -> int:
    """Serve a control plane for as long as another process lives."""
    parser = argparse.ArgumentParser(prog="python -m cloudflux_dev.cluster", description=__doc__)
    parser.add_argument("command", choices=["serve"])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--name", default="test")
    parser.add_argument("--until-pid", type=int, required=True)
    arguments = parser.parse_args()
    control_plane = ControlPlane(arguments.directory, arguments.name, tied=True)
    try:
        control_plane.start()
        if CRD_DIRECTORY.is_dir():
            control_plane.install_crds()
    except (ClusterError, assets.AssetsError) as error:
        (arguments.directory / "failed").write_text(str(error))
        return 1
    (arguments.directory / "ready").touch()
    wait_for_exit(arguments.until_pid)
    control_plane.stop()
    # the logs stay for whoever looks for a failure; the database is large and of no use
    shutil.rmtree(control_plane.directory / "etcd")
    return 0


if __name__ == "__main__":
    sys.exit(main())
