"""What a completed move saves shows on its policy at once."""

import datetime as dt
from types import SimpleNamespace as Fake
from typing import Any

import pytest

from cloudflux.api.migrationjob import MigrationJobSpec, MigrationJobStatus, Phase
from cloudflux.handlers import job as jobs
from cloudflux.handlers.resources import JOB, POLICY


def a_job(phase: Phase, policy: str | None) -> Any:
    spec: dict[str, Any] = {"dataSetRef": {"name": "data"}, "target": {"storageClass": "X"}}
    if policy is not None:
        spec["policyRef"] = {"name": policy}
    return Fake(
        kind=JOB, uid="u", name="move", namespace="team", generation=1, visited=True,
        key=(JOB, "team", "move"), spec=MigrationJobSpec.model_validate(spec),
        status=MigrationJobStatus(phase=phase),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("phase", "policy", "woken"),
    [
        (Phase.COMPLETED, "tier", [(POLICY, "team", "tier")]),
        (Phase.FAILED, "tier", [(POLICY, "team", "tier")]),
        (Phase.CANCELLED, "tier", [(POLICY, "team", "tier")]),
        (Phase.COMPLETED, None, []),
        (Phase.VERIFYING, "tier", []),
    ],
)
def test_the_end_of_a_move_wakes_its_policy(
    phase: Phase, policy: str | None, woken: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    added: list[Any] = []
    monkeypatch.setattr(jobs, "wake_waiting", lambda *_: None)
    runtime: Any = Fake(
        queue=Fake(add=added.append),
        clock=lambda: dt.datetime(2026, 11, 21, tzinfo=dt.UTC),
    )
    jobs._wake(runtime, a_job(Phase.SWITCHING, policy), a_job(phase, policy))
    assert added == woken
