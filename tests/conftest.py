"""Fixtures that every kind of test shares: a real control plane, namespaces, a client."""

import contextlib
import fcntl
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.servers import (  # noqa: F401  (fixtures)
    azurite,
    fakegcs,
    gcs_stub,
    minio,
    moto,
    toxiproxy,
    versitygw,
)

from cloudflux_dev.cluster import ControlPlane
from cloudflux_dev.kubeapi import KubeApi

TOOLS = Path(__file__).resolve().parents[1] / "tools"
START_SECONDS = 900  # the first start on a machine may have to build the control plane


@pytest.fixture(scope="session")
def control_plane(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> ControlPlane:
    """One control plane with the CRDs installed, shared by all workers of a test run.

    A supervising process serves it until the process that runs the tests ends, however it
    ends; so no worker has to know which of them is the last.
    """
    parallel = hasattr(request.config, "workerinput")
    base = tmp_path_factory.getbasetemp()
    owner = os.getppid() if parallel else os.getpid()
    directory = (base.parent if parallel else base) / "control-plane"
    directory.mkdir(exist_ok=True)
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (directory / "supervisor.log").exists():
            _serve(directory, owner)
    deadline = time.monotonic() + START_SECONDS
    while not (directory / "ready").exists():
        if (directory / "failed").exists():
            pytest.fail((directory / "failed").read_text())
        if time.monotonic() > deadline:
            pytest.fail(f"no control plane after {START_SECONDS} s; see {directory}")
        time.sleep(0.05)
    return ControlPlane(directory, "test")


def _serve(directory: Path, owner: int) -> None:
    with (directory / "supervisor.log").open("wb") as log:
        subprocess.Popen(
            [sys.executable, "-m", "cloudflux_dev.cluster", "serve", str(directory),
             "--until-pid", str(owner)],
            env={**os.environ, "PYTHONPATH": str(TOOLS)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip


@pytest.fixture
def kube_api(control_plane: ControlPlane) -> Iterator[KubeApi]:
    """A client of the control plane with an administrator's rights."""
    with contextlib.closing(KubeApi(control_plane.kubeconfig)) as api:
        yield api


@pytest.fixture
def namespace(kube_api: KubeApi) -> Iterator[str]:
    """A namespace of the test's own."""
    name = f"test-{uuid.uuid4().hex[:10]}"
    kube_api.create_namespace(name)
    yield name
    kube_api.delete_namespace(name)


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    """A state directory as the operator makes it."""
    directory = tmp_path / "state"
    directory.mkdir()
    return directory
