"""What `kubectl get` shows of a move in every phase, held to a file that people can read.

CLOUDFLUX_TEST_WRITE_GOLDEN=1 writes the file anew.
"""

import os
import re
from pathlib import Path
from typing import Any

import pytest

from cloudflux.api.migrationjob import Phase, ProgressStatus
from cloudflux.migration.display import progress_displays
from cloudflux_dev.cluster import ControlPlane
from cloudflux_dev.kubeapi import KubeApi

pytestmark = pytest.mark.cluster
GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "kubectl-get-migrationjobs.txt"
API = "cloudflux.io/v1alpha1"
UNSTARTED = ProgressStatus(percent=0, objects_total=12_000, bytes_total=48 * 2**30)
HALFWAY = ProgressStatus(
    percent=50, objects_total=12_000, objects_done=5_900, bytes_total=48 * 2**30,
    bytes_done=24 * 2**30, estimated_remaining_seconds=754,
)  # fmt: skip
WHOLE = ProgressStatus(
    percent=100, objects_total=12_000, objects_done=12_000, bytes_total=48 * 2**30,
    bytes_done=48 * 2**30,
)  # fmt: skip
SHOWN: dict[Phase, tuple[str, ProgressStatus | None]] = {
    Phase.PENDING: ("Pending", None),
    Phase.PLANNED: ("Planned", None),
    Phase.AWAITING_APPROVAL: ("AwaitingApproval", None),
    Phase.QUEUED: ("Queued", None),
    Phase.RESTORING: ("Restoring", UNSTARTED),
    Phase.COPYING: ("Copying", HALFWAY),
    Phase.VERIFYING: ("Verifying", HALFWAY),
    Phase.SWITCHING: ("Switching", WHOLE),
    Phase.COMPLETED: ("Completed", WHOLE),
    Phase.SUSPENDED: ("Suspended", HALFWAY),
    Phase.CANCELLING: ("Cancelling", HALFWAY),
    Phase.CANCELLED: ("Cancelled", HALFWAY),
    Phase.FAILED: ("AccessDenied", HALFWAY),
}


def status(phase: Phase) -> dict[str, Any]:
    reason, progress = SHOWN[phase]
    made: dict[str, Any] = {"phase": phase.value, "reason": reason, "message": "As told."}
    if phase is not Phase.PENDING:
        made |= {"sourceDisplay": "s3://hot/logs", "targetDisplay": "GLACIER_IR"}
    if progress is not None:
        names = {"progress_display": "progressDisplay", "objects_display": "objectsDisplay",
                 "bytes_display": "bytesDisplay", "eta_display": "etaDisplay"}  # fmt: skip
        displays = progress_displays(progress)
        assert set(displays) <= set(names)
        made |= {names[name]: value for name, value in displays.items() if value is not None}
    return made


def test_every_phase_is_shown_as_people_know_it(
    control_plane: ControlPlane, kube_api: KubeApi, namespace: str
) -> None:
    assert set(SHOWN) == set(Phase)
    for number, phase in enumerate(SHOWN):
        name = f"{number:02d}-{phase.value.lower()}"
        kube_api.create({
            "apiVersion": API, "kind": "MigrationJob",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"dataSetRef": {"name": "logs"}, "target": {"storageClass": "GLACIER_IR"}},
        })  # fmt: skip
        kube_api.patch(
            API, "migrationjobs", name, {"status": status(phase)}, namespace, subresource="status"
        )
    said = control_plane.kubectl("-n", namespace, "get", "migrationjobs")
    shown = "\n".join(
        re.sub(r"\d+m?\d*s?$", "0s", line) if n else line.rstrip()
        for n, line in enumerate(said.rstrip().splitlines())
    )
    if os.environ.get("CLOUDFLUX_TEST_WRITE_GOLDEN"):
        GOLDEN.write_text(shown + "\n")
    assert shown + "\n" == GOLDEN.read_text()
