"""The Indexed Job of a big move: when there is one, and what it is. Pure."""

import hashlib
from typing import Any

from cloudflux.api.common import GROUP, VERSION, EncryptionType, Location
from cloudflux.api.migrationjob import ExecutionMode, JobPin, MigrationJobSpec, MigrationJobStatus
from cloudflux.api.move_tasks import JobTask, ShareResult, WorkerTask
from cloudflux.api.task import StoreRef
from cloudflux.errors import ConfigurationError
from cloudflux.handlers import worker_volumes
from cloudflux.handlers.kube_api import Object
from cloudflux.handlers.resolve import in_place
from cloudflux.handlers.resources import JOB, Job
from cloudflux.handlers.worker_shape import Shape, shape
from cloudflux.settings import Settings, WorkerSettings

MOVER_LABEL = f"{GROUP}/mover"
"""A ServiceAccount that worker pods may run as carries it, with the value "true"."""
RUN_ANNOTATION = f"{GROUP}/run"
JOB_LABEL = f"{GROUP}/migration-job"
USER_ID = 65532
NEVER_EXIT_CODE = 3
"""What a worker ends with when no further try can help (cloudflux.workers.run.NEVER)."""
_NAME_LENGTH = 40
KEYED = (EncryptionType.CUSTOMER, EncryptionType.CLIENT)
"""What is encrypted so must never be written without its key: it would be there in clear."""


def wanted(
    spec: MigrationJobSpec, status: MigrationJobStatus, pin: JobPin, settings: WorkerSettings
) -> bool:
    """Whether worker pods do the copying: as asked, or where it is large enough to pay."""
    mode = spec.execution.mode
    if in_place(pin) or mode is ExecutionMode.LOCAL:
        return False
    if mode is ExecutionMode.JOB:
        return True
    plan = status.plan
    if not settings.enabled or plan is None or _without_claim(pin) or _with_a_key(pin):
        return False
    return plan.objects >= settings.auto_objects or plan.bytes >= settings.auto_bytes


def refusal(pin: JobPin, settings: WorkerSettings, roots: tuple[str, ...] = ()) -> str | None:
    """Why worker pods can't do what was asked; None when they can.

    `roots` are the directories that file:// may touch from the job's namespace.
    """
    if not settings.enabled or not settings.image:
        return (
            "spec.execution.mode is Job, and this operator makes no worker pods: set "
            "workers.enabled=true in the chart's values, or start a job with mode Local"
        )
    disk = _without_claim(pin)
    if disk is not None:
        return (
            f"worker pods can't reach {disk.uri}: name the PersistentVolumeClaim that it is on, "
            "as volumeClaim of the location, or start a job with spec.execution.mode Local"
        )
    return worker_volumes.refusal(pin, roots) or _key_refusal(pin)


def _key_refusal(pin: JobPin) -> str | None:
    sealed = _with_a_key(pin)
    if sealed is not None:
        return (
            f"worker pods are given no encryption key, and {sealed.uri} is encrypted with one; "
            "start a job with spec.execution.mode Local"
        )
    return None


def _with_a_key(pin: JobPin) -> Location | None:
    """A location whose objects are encrypted with a key that we hold."""
    return next(
        (
            one
            for one in (pin.source, pin.target)
            if one.encryption is not None and one.encryption.key_secret_ref is not None
        ),
        None,
    )


def _without_claim(pin: JobPin) -> Location | None:
    """A directory that nobody said how to mount."""
    return next(
        (
            one
            for one in (pin.source, pin.target)
            if one.uri.startswith("file://") and one.volume_claim is None
        ),
        None,
    )


def job_name(job: Job) -> str:
    """Name of a MigrationJob's Job: the same for each of its runs, and nobody else's."""
    digest = hashlib.sha256(job.uid.encode()).hexdigest()[:8]
    return f"{job.name[:_NAME_LENGTH].replace('.', '-').rstrip('-')}-{digest}"


def worker_task(request: JobTask, share: ShareResult) -> WorkerTask:
    """What each worker is told: no credentials, and its share of the bandwidth."""
    common = {name: getattr(request, name) for name in JobTask.model_fields}
    bandwidth, total = request.bandwidth_bytes_per_second, request.total_bytes_per_second
    requests = request.requests_per_second
    common |= {
        "source": _without_credentials(request.source),
        "target": _without_credentials(request.target),
        "bandwidth_bytes_per_second": None if bandwidth is None else max(
            1, bandwidth // share.workers
        ),
        "total_bytes_per_second": None if total is None else max(1, total // share.workers),
        "requests_per_second": None if requests is None else requests / share.workers,
    }  # fmt: skip
    return WorkerTask(**common, run=share.run)


def _without_credentials(ref: StoreRef) -> StoreRef:
    asked = ref.encryption
    if asked is not None and (asked.secret is not None or asked.type in KEYED):
        raise ConfigurationError(f"{ref.uri}: worker pods are given no encryption key")
    return ref.model_copy(update={"credentials": None, "ambient": False})


def worker_job(
    job: Job,
    pin: JobPin,
    task: WorkerTask,
    share: ShareResult,
    settings: Settings,
    asked: Shape | None = None,
) -> Object:
    """The Indexed Job. Its pods have no right on the Kubernetes API, not even a token.

    `asked` is what worker_shape.shape allowed; without it pods are as the settings say.
    """
    form = asked or shape((), settings.workers)
    workers = settings.workers
    owner = {
        "apiVersion": f"{GROUP}/{VERSION}", "kind": JOB, "name": job.name, "uid": job.uid,
        "controller": True, "blockOwnerDeletion": False,
    }  # fmt: skip
    labels = {
        "app.kubernetes.io/name": "cloudflux-worker",
        "app.kubernetes.io/managed-by": "cloudflux",
        JOB_LABEL: job_name(job),
    }
    return {
        "metadata": {
            "name": job_name(job),
            "namespace": job.namespace,
            "labels": labels,
            "annotations": {RUN_ANNOTATION: share.run},
            "ownerReferences": [owner],
        },
        "spec": {
            "completionMode": "Indexed",
            "completions": share.workers,
            "parallelism": share.workers,
            # one worker that fails again and again does not stop the others
            "backoffLimitPerIndex": workers.retries,
            "maxFailedIndexes": share.workers,
            "podFailurePolicy": {"rules": [
                {"action": "FailJob",
                 "onExitCodes": {"containerName": "worker", "operator": "In",
                                 "values": [NEVER_EXIT_CODE]}},
                {"action": "Ignore",
                 "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
            ]},
            "ttlSecondsAfterFinished": workers.ttl_seconds,
            "template": {
                "metadata": {"labels": labels, "annotations": dict(form.annotations)},
                "spec": _pod(pin, task, workers, form),
            },
        },
    }  # fmt: skip


def _pod(pin: JobPin, task: WorkerTask, workers: WorkerSettings, form: Shape) -> dict[str, Any]:
    volumes: list[dict[str, Any]] = [
        {"name": "state", "emptyDir": {}},
        {"name": "tmp", "emptyDir": {}},
    ]
    mounts: list[dict[str, Any]] = [
        {"name": "state", "mountPath": "/var/lib/cloudflux"},
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - a volume of the pod's own
    ]
    for volume, mount in worker_volumes.mounted(pin):
        volumes.append(volume)
        mounts.append(mount)
    arguments = ["worker"]
    for side, location in (("source", pin.source), ("target", pin.target)):
        if location.credentials_secret_ref is None:
            continue
        secret = {"secretName": location.credentials_secret_ref.name, "defaultMode": 0o440}
        volumes.append({"name": side, "secret": secret})
        mounts.append({"name": side, "mountPath": f"/credentials/{side}", "readOnly": True})
        arguments.append(f"--{side}-credentials=/credentials/{side}")
    container = {
        "name": "worker",
        "image": workers.image,
        "args": arguments,
        "env": [{"name": "CLOUDFLUX_WORK", "value": task.model_dump_json()}],
        "resources": {name: dict(each) for name, each in form.resources.items()},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": mounts,
    }
    pull = [{"name": name} for name in workers.image_pull_secrets]
    return {
        **form.pod,
        **({"imagePullSecrets": pull} if pull else {}),
        "restartPolicy": "Never",
        "serviceAccountName": workers.service_account,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 30,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER_ID,
            "runAsGroup": USER_ID,
            "fsGroup": USER_ID,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": volumes,
    }


def ended(raw: Object) -> tuple[bool, str] | None:
    """Whether a Job succeeded and, if not, why; None while it goes on."""
    for condition in raw.get("status", {}).get("conditions") or ():
        if condition.get("status") == "True" and condition.get("type") in ("Complete", "Failed"):
            words = condition.get("message") or condition.get("reason") or "no reason is given"
            return condition["type"] == "Complete", str(words)[:1024]
    return None
