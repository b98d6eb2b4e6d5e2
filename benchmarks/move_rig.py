"""What the benchmark of moves stands on: servers, data, programs, and what a run of one costs."""

import concurrent.futures
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cloudflux_dev import parts
from cloudflux_dev.cloudservers import AzureServer, GcsServer, start_azurite, start_fakegcs
from cloudflux_dev.s3servers import S3Server, start_minio, start_moto

ROOT = Path(__file__).resolve().parents[1]
MIB = 1 << 20


@dataclass(slots=True)
class Case:
    """One row of the table."""

    name: str
    aim: float | None
    unit: str
    amount: float
    """Objects, or MiB, of one run."""
    ours: Callable[[], list[str]]
    peers: dict[str, Callable[[], list[str]]]
    """By program and settings; the fastest of one try each is the one that is measured."""
    prepare: Callable[[], None] = lambda: None
    """Before each run of either side."""
    after: Callable[[], None] = lambda: None
    """Part of each run of either side."""
    runs: dict[str, list["Run"]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of a program cost."""

    seconds: float
    cpu_seconds: float
    """Of the program and its descendants; this is robust where others load the machine."""
    memory_mib: float
    """The peak of the resident sets, summed over all processes."""
    output: str


class Bench:
    """Servers, data, and the environment of the programs."""

    def __init__(self, home: Path, stack: ExitStack) -> None:
        self.home, self._stack = home, stack
        self._fresh = 0
        self.servers: dict[str, S3Server] = {}
        self._azure: AzureServer | None = None
        self._gcs: GcsServer | None = None
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        self.environment |= {"PYTHONPATH": str(ROOT / "operator"), "RCLONE_CONFIG": "/dev/null"}
        self.environment["AWS_SHARED_CREDENTIALS_FILE"] = str(home / "credentials")

    def minio(self, name: str) -> S3Server:
        """A MinIO of this name, started once."""
        if name not in self.servers:
            self._add(name, self._stack.enter_context(start_minio(self.home / name)))
        return self.servers[name]

    def moto(self) -> S3Server:
        """One moto."""
        if "moto" not in self.servers:
            self._add("moto", self._stack.enter_context(start_moto()))
        return self.servers["moto"]

    def azurite(self) -> AzureServer:
        """One Azurite."""
        if self._azure is None:
            self._azure = self._stack.enter_context(start_azurite(self.home / "azurite"))
            self.environment |= {
                "RCLONE_CONFIG_AZURITE_TYPE": "azureblob",
                "RCLONE_CONFIG_AZURITE_ACCOUNT": self._azure.account,
                "RCLONE_CONFIG_AZURITE_KEY": self._azure.account_key,
                "RCLONE_CONFIG_AZURITE_ENDPOINT": self._azure.endpoint,
                "AZURE_STORAGE_CONNECTION_STRING": self._azure.connection_string,
            }
        return self._azure

    def fakegcs(self) -> GcsServer:
        """One fake-gcs-server."""
        if self._gcs is None:
            self._gcs = self._stack.enter_context(start_fakegcs(self.home / "gcs"))
            self.environment |= {
                "RCLONE_CONFIG_FAKEGCS_TYPE": "gcs",
                "RCLONE_CONFIG_FAKEGCS_ANONYMOUS": "true",
                "RCLONE_CONFIG_FAKEGCS_ENDPOINT": f"{self._gcs.endpoint}/storage/v1/",
                "RCLONE_CONFIG_FAKEGCS_BUCKET_POLICY_ONLY": "true",
                "STORAGE_EMULATOR_HOST": self._gcs.endpoint,
            }
        return self._gcs

    def _add(self, name: str, server: S3Server) -> None:
        self.servers[name] = server
        with (self.home / "credentials").open("a") as file:
            file.write(
                f"[{name}]\naws_access_key_id = {server.access_key_id}\n"
                f"aws_secret_access_key = {server.secret_access_key}\n"
            )
        remote = f"RCLONE_CONFIG_{name.upper()}_"
        provider = "AWS" if name == "moto" else "Minio"
        self.environment |= {
            f"{remote}TYPE": "s3",
            f"{remote}PROVIDER": provider,
            f"{remote}ENDPOINT": server.endpoint,
            f"{remote}REGION": server.region,
            f"{remote}FORCE_PATH_STYLE": "true",
            f"{remote}ACCESS_KEY_ID": server.access_key_id,
            f"{remote}SECRET_ACCESS_KEY": server.secret_access_key,
        }

    def name(self) -> str:
        """A name that was not used before."""
        self._fresh += 1
        return f"bench-{self._fresh}"

    def bucket(self, server: str) -> str:
        """A new, empty bucket or container."""
        name = self.name()
        if server == "azurite":
            self.azurite().client().create_container(name)
        elif server == "fakegcs":
            self.fakegcs().client().create_bucket(name)
        else:
            self.servers[server].client().create_bucket(Bucket=name)
        return name

    def fill(self, server: str, count: int, size_bytes: int) -> str:
        """A new bucket with objects, as a plain client writes them."""
        bucket = self.bucket(server)
        body = os.urandom(size_bytes)
        put = self._azure_put(bucket) if server == "azurite" else self._s3_put(server, bucket)

        def one(number: int) -> None:
            put(f"data/{number % 100:02}/{number:07}", number.to_bytes(8, "big") + body[8:])

        with concurrent.futures.ThreadPoolExecutor(16 if size_bytes < MIB else 2) as pool:
            list(pool.map(one, range(count)))
        return bucket

    def _s3_put(self, server: str, bucket: str) -> Callable[[str, bytes], object]:
        client = self.servers[server].client()
        return lambda key, body: client.put_object(Bucket=bucket, Key=key, Body=body)

    def _azure_put(self, bucket: str) -> Callable[[str, bytes], object]:
        container = self.azurite().client().get_container_client(bucket)
        return lambda key, body: container.upload_blob(key, body)

    def directory(self) -> Path:
        """A new, empty directory."""
        path = self.home / self.name()
        path.mkdir()
        return path

    def fill_directory(self, count: int, size_bytes: int) -> Path:
        """A new directory with files."""
        path, body = self.directory(), os.urandom(size_bytes)
        for number in range(count):
            file = path / f"data/{number % 100:02}/{number:07}"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(number.to_bytes(8, "big") + body[8:])
        return path

    def ours(self, command: str, *words: str, state: str = "") -> list[str]:
        """Our command line; its state in a directory of its own unless one is named."""
        return [
            sys.executable, "-m", "cloudflux.cli.main", command, *words,
            "--state-dir", str(self.home / (state or self.name())), "--json",
        ]  # fmt: skip

    def s5cmd(self, server: str, *words: str) -> list[str]:
        """s5cmd against one of the servers; its 256 workers are its own default."""
        return [
            str(parts.find("s5cmd")), "--endpoint-url", self.servers[server].endpoint,
            "--profile", server,
            "--credentials-file", self.environment["AWS_SHARED_CREDENTIALS_FILE"], *words,
        ]  # fmt: skip

    def run(self, command: list[str], *, fails: bool = False, **environment: str) -> Run:
        """Run a program to its end. Raises RuntimeError when it fails, unless it may."""
        began = time.monotonic()
        with (self.home / "output").open("w+b") as output:
            process = subprocess.Popen(
                command,
                env={**self.environment, **environment},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            with watched(process.pid) as peak:
                _, status, usage = os.wait4(process.pid, 0)
            seconds = time.monotonic() - began
            process.returncode = os.waitstatus_to_exitcode(status)
            output.seek(0)
            said = output.read().decode(errors="replace")
        if process.returncode and not fails:
            raise RuntimeError(f"{' '.join(command)}\n{said[-2000:]}")
        return Run(seconds, usage.ru_utime + usage.ru_stime, peak[0] / MIB, said)


@contextmanager
def watched(pid: int) -> Iterator[list[float]]:
    """The largest sum of resident sets of a process and its descendants, in bytes."""
    peak, done = [0.0], threading.Event()

    def watch() -> None:
        while not done.wait(0.05):
            peak[0] = max(peak[0], resident_bytes(pid))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()


def resident_bytes(pid: int) -> float:
    """The resident sets of a process and its descendants now."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (OSError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") + sum(resident_bytes(int(one)) for one in children)
