"""A cluster of one real node in namespaces of its own: what only pods show is tested on it.

Everything runs inside `unshare`: the network (its only addresses are the node's and the pods'),
the mounts and the processes are the cluster's own, and end with it. Nothing of the machine is
changed but cgroups below `/cloudflux-e2e`, which are removed.
"""

import contextlib
import json
import os
import secrets
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from cloudflux_dev import assets, pki
from cloudflux_dev.cluster import ClusterError, kubectl

ADDRESS = "10.0.0.1"
"""Of the node, the API server and the Service that stands for it: no kube-proxy is needed."""
POD_NETWORK = "10.88.0.0/24"
CGROUP = "cloudflux-e2e"
CGROUP_ROOT = Path("/sys/fs/cgroup")
READY_SECONDS = 180
STOP_SECONDS = 10
PAUSE_IMAGE = "localhost/cloudflux/pause:1"

NETWORK = {
    "cniVersion": "1.0.0",
    "name": "pods",
    "plugins": [
        {
            "type": "ptp",
            "ipam": {
                "type": "host-local",
                "ranges": [[{"subnet": POD_NETWORK}]],
                "routes": [{"dst": "0.0.0.0/0"}],
            },
        }
    ],
}
KUBELET = {
    "apiVersion": "kubelet.config.k8s.io/v1beta1",
    "kind": "KubeletConfiguration",
    "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
    "authorization": {"mode": "AlwaysAllow"},
    "cgroupDriver": "cgroupfs",
    "failCgroupV1": False,
    "failSwapOn": False,
    "featureGates": {"KubeletInUserNamespace": True},
    "makeIPTablesUtilChains": False,
    "localStorageCapacityIsolation": False,
    "evictionHard": {"memory.available": "10Mi"},
    "enforceNodeAllocatable": [],
    "clusterDNS": [ADDRESS],
    "cpuManagerPolicy": "none",
    "healthzPort": 0,
}


def why_impossible() -> str:
    """Why no node can run on this machine, in one line; empty when one can."""
    if os.geteuid() != 0:
        return "a node needs root: run `sudo make e2e`"
    if not (CGROUP_ROOT / "memory").is_dir() and not (CGROUP_ROOT / "cgroup.controllers").exists():
        return f"no cgroups are mounted at {CGROUP_ROOT}: pods can't be confined"
    for program in ("runc", "unshare", "ip"):
        if not assets._output(["sh", "-c", f"command -v {program}"]):
            return f"{program} is not installed: on Debian, apt install runc util-linux iproute2"
    done = subprocess.run(
        ["unshare", "--net", "--mount", "--pid", "--fork", "true"], capture_output=True, check=False
    )
    return "" if done.returncode == 0 else f"unshare is refused: {done.stderr.decode().strip()}"


def remove_cgroups() -> None:
    """Remove what a node left of cgroups; call it when its processes are gone."""
    for controller in (*_controllers(), CGROUP_ROOT / "unified"):
        found = [one for one in (controller / CGROUP).rglob("*") if one.is_dir()]
        for path in (*sorted(found, reverse=True), controller / CGROUP):
            with contextlib.suppress(FileNotFoundError):
                path.rmdir()


def _controllers() -> list[Path]:
    if (CGROUP_ROOT / "cgroup.controllers").exists():
        return [CGROUP_ROOT]
    return [one for one in CGROUP_ROOT.iterdir() if one.is_dir() and one.name != "unified"]


@dataclass
class Node:
    """One etcd, API server, controller manager, scheduler, containerd and kubelet."""

    directory: Path
    programs: Path
    """Directory with all programs, CNI plugins among them."""
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def kubeconfig(self) -> Path:
        """Of an administrator."""
        return self.directory / "kubeconfig"

    def start(self, say: Callable[[str], None] = print) -> None:
        """Start everything and wait until the node is ready. Raises ClusterError."""
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        for command in (
            ["ip", "link", "set", "lo", "up"],
            ["ip", "addr", "replace", f"{ADDRESS}/32", "dev", "lo"],
            ["mount", "--make-rprivate", "/"],
        ):
            subprocess.run(command, check=True)
        Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
        self._start_control_plane()
        self._wait("the Kubernetes API", lambda: "ok" in self.kubectl("get", "--raw", "/readyz"))
        say("The Kubernetes API answers.")
        self._start_controllers()
        self._start_node()
        self._wait("the node", self._node_is_ready)
        say("The node is ready.")

    def kubectl(self, *arguments: str, stdin: str | None = None, check: bool = True) -> str:
        """Run kubectl as administrator; return what it prints."""
        return kubectl(*arguments, kubeconfig=self.kubeconfig, stdin=stdin, check=check)

    def load_image(self, archive: Path) -> None:
        """Hand an image over to the container runtime."""
        self._ctr("images", "import", str(archive))

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to one of the programs, as to freeze or wake it."""
        self.processes[name].send_signal(number)

    def stop(self) -> None:
        """End everything, the node before the control plane."""
        for process in reversed(self.processes.values()):
            process.send_signal(signal.SIGCONT)
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()

    def _start_control_plane(self) -> None:
        keys = self.directory / "pki"
        pki.write_pki(keys, (ADDRESS,))
        token = secrets.token_urlsafe(24)
        (keys / "tokens.csv").touch(mode=0o600)
        (keys / "tokens.csv").write_text(f'{token},admin,admin,"system:masters"\n')
        self._write_kubeconfig(token)
        etcd = "http://127.0.0.1:2379"
        self._spawn("etcd", [
            "--data-dir", str(self.directory / "etcd"), "--unsafe-no-fsync",
            "--log-level", "warn", "--listen-client-urls", etcd, "--advertise-client-urls", etcd,
        ])  # fmt: skip
        account = str(keys / "sa.key")
        self._spawn("kube-apiserver", [
            "--etcd-servers", etcd, "--bind-address", "0.0.0.0", "--secure-port", "443",
            "--advertise-address", ADDRESS, "--cert-dir", str(keys),
            "--tls-cert-file", str(keys / "server.crt"),
            "--tls-private-key-file", str(keys / "server.key"),
            "--service-cluster-ip-range", "10.0.0.0/24",
            "--service-account-issuer", "https://kubernetes.default.svc",
            "--service-account-key-file", account, "--service-account-signing-key-file", account,
            "--authorization-mode", "RBAC", "--token-auth-file", str(keys / "tokens.csv"),
            "--kubelet-preferred-address-types", "InternalIP", "--allow-privileged=false",
        ])  # fmt: skip

    def _start_controllers(self) -> None:
        """Start what gives up when the API server does not answer yet."""
        keys = self.directory / "pki"
        self._spawn("kube-controller-manager", [
            "--kubeconfig", str(self.kubeconfig), "--leader-elect=false", "--secure-port", "0",
            "--root-ca-file", str(keys / "ca.crt"),
            "--service-account-private-key-file", str(keys / "sa.key"),
        ])  # fmt: skip
        self._spawn("kube-scheduler", [
            "--kubeconfig", str(self.kubeconfig), "--leader-elect=false", "--secure-port", "0",
        ])  # fmt: skip

    def _start_node(self) -> None:
        network = self.directory / "cni"
        network.mkdir(exist_ok=True)
        (network / "10-pods.conflist").write_text(json.dumps(NETWORK))
        socket = self.directory / "containerd.sock"
        (self.directory / "containerd.toml").write_text(self._containerd(socket, network))
        self._spawn("containerd", ["--config", str(self.directory / "containerd.toml")])
        self._wait("containerd", socket.exists)
        for controller in _controllers():
            (controller / CGROUP).mkdir(exist_ok=True)
        # a child cpuset without processors takes no process
        cpuset = CGROUP_ROOT / "cpuset"
        for name in ("cpuset.cpus", "cpuset.mems"):
            if (cpuset / name).exists():
                (cpuset / CGROUP / name).write_text((cpuset / name).read_text())
        config = KUBELET | {
            "containerRuntimeEndpoint": f"unix://{socket}",
            "cgroupRoot": f"/{CGROUP}",
        }
        (self.directory / "kubelet.yaml").write_text(yaml.safe_dump(config))
        self._spawn("kubelet", [
            "--config", str(self.directory / "kubelet.yaml"),
            "--kubeconfig", str(self.kubeconfig),
            "--root-dir", str(self.directory / "kubelet"),
            "--cert-dir", str(self.directory / "pki"),
            "--node-ip", ADDRESS, "--hostname-override", "node1",
        ])  # fmt: skip

    def _containerd(self, socket: Path, network: Path) -> str:
        runtime = "plugins.'io.containerd.cri.v1.runtime'"
        return f"""
version = 3
root = "{self.directory}/containerd"
state = "{self.directory}/containerd-state"
[grpc]
address = "{socket}"
[{runtime}]
restrict_oom_score_adj = true
disable_apparmor = true
[{runtime}.cni]
bin_dirs = ["{self.programs}"]
conf_dir = "{network}"
[{runtime}.containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[{runtime}.containerd.runtimes.runc.options]
SystemdCgroup = false
[plugins.'io.containerd.cri.v1.images']
snapshotter = "overlayfs"
[plugins.'io.containerd.cri.v1.images'.pinned_images]
sandbox = "{PAUSE_IMAGE}"
"""

    def _spawn(self, name: str, arguments: list[str]) -> None:
        path = f"{self.programs}:/usr/sbin:/usr/bin:/sbin:/bin"
        with (self.directory / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [str(self.programs / name), *arguments],
                cwd=self.directory,
                env={"PATH": path, "HOME": str(self.directory), "GOGC": "400"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def _ctr(self, *arguments: str) -> None:
        socket = str(self.directory / "containerd.sock")
        command = [str(self.programs / "ctr"), "--address", socket, "-n", "k8s.io", *arguments]
        subprocess.run(command, check=True, capture_output=True)

    def _node_is_ready(self) -> bool:
        return "True" in self.kubectl(
            "get", "node", "node1", "-o",
            "jsonpath={.status.conditions[?(@.type=='Ready')].status}", check=False,
        )  # fmt: skip

    def _wait(self, what: str, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            for name, process in self.processes.items():
                if process.poll() is not None:
                    raise ClusterError(f"{name} ended; see {self.directory}/{name}.log")
            try:
                if ready():
                    return
            except ClusterError:
                pass
            time.sleep(0.3)
        raise ClusterError(f"{what} did not become ready; see the logs in {self.directory}")

    def _write_kubeconfig(self, token: str) -> None:
        mark = {"name": "cloudflux.io/control-plane", "extension": {"directory": "e2e"}}
        cluster = {
            "server": "https://127.0.0.1:443",
            "certificate-authority": str(self.directory / "pki" / "ca.crt"),
            "extensions": [mark],
        }
        name = "cloudflux-e2e"
        content = {
            "apiVersion": "v1", "kind": "Config", "current-context": name,
            "clusters": [{"name": name, "cluster": cluster}],
            "users": [{"name": name, "user": {"token": token}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        }  # fmt: skip
        self.kubeconfig.touch(mode=0o600)
        self.kubeconfig.write_text(yaml.safe_dump(content))
