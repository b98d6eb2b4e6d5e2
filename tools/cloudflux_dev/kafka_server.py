"""Runs a real Kafka broker (KRaft, one node) on 127.0.0.1 for tests, benchmarks and demos.

Kafka comes from, in this order: the directory of jars that CLOUDFLUX_TEST_KAFKA names, the
cache, Maven Central through `mvn`. Java 17 or newer runs it.

    with running_kafka(Path("/tmp/kafka")) as kafka:
        print(kafka.bootstrap)
        kafka.kill(); kafka.start()

`python -m cloudflux_dev.kafka_server [directory]` runs one until it is interrupted.
"""

import argparse
import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path

from cryptography.hazmat.primitives import serialization

from cloudflux_dev.assets import AssetsError, cache_directory, locked
from cloudflux_dev.pki import write_pki
from cloudflux_dev.ports import free_port

KAFKA_VERSION = "4.4.0"
VARIABLE = "CLOUDFLUX_TEST_KAFKA"
USER, PASSWORD = "cloudflux", "correct-horse-7"
START_SECONDS = 90
_PR_SET_PDEATHSIG = 1
_POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>io.cloudflux.dev</groupId><artifactId>kafka</artifactId><version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId>
      <version>{KAFKA_VERSION}</version>
      <exclusions><exclusion>
        <groupId>org.apache.kafka</groupId><artifactId>kafka-tools-api</artifactId>
      </exclusion></exclusions>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version>
    </dependency>
  </dependencies>
</project>
"""


class Security(StrEnum):
    """How clients of the broker prove who they are."""

    PLAINTEXT = "PLAINTEXT"
    SSL = "SSL"
    SASL_PLAINTEXT = "SASL_PLAINTEXT"
    SASL_SSL = "SASL_SSL"


def find_kafka(say: Callable[[str], None] = print, *, download: bool = True) -> Path | None:
    """Return the directory of Kafka's jars; without `download`, None where there is none yet."""
    named = os.environ.get(VARIABLE)
    if named:
        if not any(Path(named).glob("kafka_2.13-*.jar")):
            raise AssetsError(f"{VARIABLE}={named} holds no kafka_2.13-….jar; unset it or mend it.")
        return Path(named)
    cached = cache_directory().parent / "kafka" / KAFKA_VERSION
    if cached.is_dir():
        return cached
    if not download:
        return None
    with locked(cached.parent):
        if not cached.is_dir():
            _download(cached, say)
    return cached


def find_java() -> Path:
    """Return Java. Raises AssetsError where there is none."""
    home = os.environ.get("JAVA_HOME")
    if home and (Path(home) / "bin" / "java").exists():
        return Path(home) / "bin" / "java"
    found = shutil.which("java")
    if found is None:
        raise AssetsError("Java 17 or newer is needed to run Kafka: install a JRE.")
    return Path(found)


def _download(target: Path, say: Callable[[str], None]) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise AssetsError(
            f"Kafka {KAFKA_VERSION} is fetched with Maven: install mvn, or set {VARIABLE} to a "
            "directory with Kafka's jars (the libs/ of its archive)."
        )
    say(f"Fetching Kafka {KAFKA_VERSION} with Maven: 43 MB, once per machine …")
    with tempfile.TemporaryDirectory(dir=target.parent) as work:
        (Path(work) / "pom.xml").write_text(_POM)
        command = [
            maven, "-q", "-B", "dependency:copy-dependencies", f"-DoutputDirectory={work}/libs"
        ]  # fmt: skip
        done = subprocess.run(command, cwd=work, check=False, capture_output=True, text=True)
        if done.returncode != 0:
            raise AssetsError(f"`mvn` failed: {(done.stdout + done.stderr)[-1000:]}")
        (Path(work) / "libs").replace(target)


class KafkaServer:
    """One broker, which can be stopped, killed and started again on the same data and ports."""

    def __init__(
        self,
        directory: Path,
        *,
        security: Security = Security.PLAINTEXT,
        partitions: int = 3,
        settings: dict[str, str] | None = None,
        host: str = "127.0.0.1",
    ) -> None:
        self.directory, self.security, self.host = directory, security, host
        self.port, self._inner, self._controller = free_port(), free_port(), free_port()
        self._partitions, self._settings = partitions, settings or {}
        self._process: subprocess.Popen[bytes] | None = None
        jars = find_kafka()
        if jars is None:
            raise AssetsError("no Kafka")
        self._java = [str(find_java()), "-cp", f"{jars}/*"]
        self._format()

    @property
    def bootstrap(self) -> str:
        """Address for clients."""
        return f"{self.host}:{self.port}"

    @property
    def inner_bootstrap(self) -> str:
        """Address without any security, for administration by tests."""
        return f"127.0.0.1:{self._inner}"

    @property
    def ca_file(self) -> Path:
        """Certificate of the authority that signed the broker's."""
        return self.directory / "pki" / "ca.crt"

    @property
    def pid(self) -> int:
        """Process id while it runs."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start the broker and wait until it takes connections. Raises TimeoutError."""
        log_path = self.directory / "broker.log"
        begin = log_path.stat().st_size if log_path.exists() else 0
        command = [
            self._java[0],
            "-Xmx512m", "-Xms128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=info",
            *self._java[1:], "kafka.Kafka", str(self.directory / "server.properties"),
        ]  # fmt: skip
        with log_path.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        deadline = time.monotonic() + START_SECONDS
        while b"Kafka Server started" not in log_path.read_bytes()[begin:]:
            if self._process.poll() is not None:
                tail = log_path.read_text(errors="replace")[-2000:]
                raise RuntimeError(f"Kafka ended at once ({self._process.returncode}): {tail}")
            if time.monotonic() > deadline:
                self.kill()
                raise TimeoutError(f"Kafka is not up after {START_SECONDS} s; see {log_path}")
            time.sleep(0.1)

    def stop(self) -> None:
        """End the broker cleanly, or by force after a while."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def kill(self) -> None:
        """Kill the broker (SIGKILL)."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """Freeze the broker: connections stay open and nothing answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen broker go on."""
        os.kill(self.pid, signal.SIGCONT)

    def _format(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        if "SSL" in self.security.value.replace("SASL", ""):
            _write_keystore(self.directory / "pki")
        properties = self.directory / "server.properties"
        properties.write_text("".join(f"{k}={v}\n" for k, v in self._properties().items()))
        identity = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        command = [
            *self._java, "kafka.tools.StorageTool", "format",
            f"--cluster-id={identity}",  # one word: an identity may begin with a dash
            "-c", str(properties), "--ignore-formatted",
            "--add-scram", f"SCRAM-SHA-512=[name={USER},password={PASSWORD}]",
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"Kafka's storage could not be formatted: {done.stderr[-2000:]}")

    def _properties(self) -> dict[str, str]:
        values = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{self._controller}",
            "listeners": (
                f"CLIENT://{self.host}:{self.port},INNER://127.0.0.1:{self._inner},"
                f"CONTROLLER://127.0.0.1:{self._controller}"
            ),
            "advertised.listeners": (
                f"CLIENT://{self.host}:{self.port},INNER://127.0.0.1:{self._inner}"
            ),
            "listener.security.protocol.map": (
                f"CLIENT:{self.security.value},INNER:PLAINTEXT,CONTROLLER:PLAINTEXT"
            ),
            "inter.broker.listener.name": "INNER",
            "controller.listener.names": "CONTROLLER",
            "log.dirs": str(self.directory / "data"),
            "num.partitions": str(self._partitions),
            "auto.create.topics.enable": "false",
            "offsets.topic.num.partitions": "3",
            "offsets.topic.replication.factor": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            "broker.session.timeout.ms": "3000",
            "broker.heartbeat.interval.ms": "500",
            "num.network.threads": "2",
            "num.io.threads": "2",
        }
        if "SASL" in self.security.value:
            prefix = "listener.name.client"
            scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
            bearer = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule"
            # tokens without a signature, as Kafka offers them for tests
            unsecured = "org.apache.kafka.common.security.oauthbearer.internals.unsecured"
            values |= {
                f"{prefix}.sasl.enabled.mechanisms": "SCRAM-SHA-512,OAUTHBEARER",
                f"{prefix}.scram-sha-512.sasl.jaas.config": scram,
                f"{prefix}.oauthbearer.sasl.jaas.config": (
                    f'{bearer} required unsecuredLoginStringClaim_sub="broker";'
                ),
                f"{prefix}.oauthbearer.sasl.server.callback.handler.class": (
                    f"{unsecured}.OAuthBearerUnsecuredValidatorCallbackHandler"
                ),
                f"{prefix}.oauthbearer.sasl.login.callback.handler.class": (
                    f"{unsecured}.OAuthBearerUnsecuredLoginCallbackHandler"
                ),
            }
        if "SSL" in self.security.value.replace("SASL", ""):
            values |= {
                "ssl.keystore.type": "PEM",
                "ssl.keystore.location": str(self.directory / "pki" / "keystore.pem"),
            }
        return values | self._settings


def _write_keystore(directory: Path) -> None:
    """Write key (PKCS 8, as Java wants it) and certificate of the broker into one file."""
    write_pki(directory)
    key = serialization.load_pem_private_key((directory / "server.key").read_bytes(), None)
    encoded = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (directory / "keystore.pem").write_bytes(encoded + (directory / "server.crt").read_bytes())


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


@contextlib.contextmanager
def running_kafka(
    directory: Path,
    *,
    security: Security = Security.PLAINTEXT,
    partitions: int = 3,
    settings: dict[str, str] | None = None,
    host: str = "127.0.0.1",
) -> Iterator[KafkaServer]:
    """Run a broker on fresh ports with its data in `directory` until the block ends."""
    server = KafkaServer(
        directory, security=security, partitions=partitions, settings=settings, host=host
    )
    server.start()
    try:
        yield server
    finally:
        server.kill()


def main() -> int:
    """Run a broker until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m cloudflux_dev.kafka_server")
    parser.add_argument("directory", nargs="?", type=Path)
    parser.add_argument("--security", type=Security, default=Security.PLAINTEXT)
    parser.add_argument("--get", action="store_true", help="only fetch Kafka")
    arguments = parser.parse_args()
    try:
        if arguments.get:
            print(f"Kafka: {find_kafka()}")
            return 0
        directory = arguments.directory or Path(tempfile.mkdtemp(prefix="cloudflux-kafka-"))
        with running_kafka(directory, security=arguments.security) as server:
            print(f"Kafka {KAFKA_VERSION} at {server.bootstrap}; Ctrl-C ends it.", flush=True)
            signal.sigwait({signal.SIGINT, signal.SIGTERM})
    except AssetsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
