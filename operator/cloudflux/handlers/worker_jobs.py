"""Copying by worker pods: share the work out, make the Job, follow it, take back what it did.

The step is one task of the job like a local copy, and ends with one: the operator's own pass
over source and target, which finds whatever no worker copied. A killed operator finds Job and
work list again by the job's name.
"""

import asyncio
from typing import Any

import structlog

from cloudflux.api.migrationjob import JobPin
from cloudflux.api.move_tasks import (
    CopyProgress,
    CopyRequest,
    GatherRequest,
    GatherResult,
    JobTask,
    ShareRequest,
    ShareResult,
)
from cloudflux.api.task import TaskError
from cloudflux.children.protocol import rebuild
from cloudflux.children.supervisor import TaskHandle
from cloudflux.errors import Cancelled, CloudFluxError
from cloudflux.handlers import worker_volumes
from cloudflux.handlers.kube import (
    JOBS,
    SERVICE_ACCOUNTS,
    VOLUME_CLAIMS,
    Forbidden,
    NotFound,
    Object,
)
from cloudflux.handlers.kube_api import KubeUnavailable
from cloudflux.handlers.resources import Job
from cloudflux.handlers.runtime import Runtime
from cloudflux.handlers.worker_pods import (
    MOVER_LABEL,
    RUN_ANNOTATION,
    ended,
    job_name,
    worker_job,
    worker_task,
)
from cloudflux.handlers.worker_shape import Shape

POLL_SECONDS = 5.0
STOP_SLICE_SECONDS = 0.5
GONE_SECONDS = 180.0
"""A deleted Job is gone when its pods are; they have 30 s to end, a lost node takes longer."""


class WorkersFailed(CloudFluxError):
    """Worker pods gave up; what they copied is kept, and a new run does the rest."""

    reason = "WorkersFailed"
    retryable = True


class VolumeClaimRefused(CloudFluxError):
    """A claim is missing, or its owner did not mean it for worker pods."""

    reason = "VolumeClaimRefused"
    retryable = True


class MoverAccountMissing(CloudFluxError):
    """The namespace has no ServiceAccount that worker pods may run as."""

    reason = "MoverAccountMissing"
    retryable = True


async def copy_by_workers(
    runtime: Runtime,
    job: Job,
    pin: JobPin,
    request: CopyRequest,
    handle: TaskHandle,
    form: Shape | None = None,
) -> dict[str, Any]:
    """Serve the copy step; returns the result of the operator's own last pass."""
    share = await _under_way(runtime, job, pin, request, handle, form)
    if share.workers:
        await _follow(runtime, job, request, handle, share)
    return await runtime.tasks.ask("mover.copy", request, handle)


async def _under_way(
    runtime: Runtime,
    job: Job,
    pin: JobPin,
    request: CopyRequest,
    handle: TaskHandle,
    form: Shape | None,
) -> ShareResult:
    """Return the run whose Job exists, or share out what is left and make one."""
    settings = runtime.settings
    common = {name: getattr(request, name) for name in JobTask.model_fields}
    asked = ShareRequest(
        **common, workers=min(job.spec.execution.workers, settings.workers.max_pods)
    )
    present = await _find(runtime, job)
    if present is not None:
        share = ShareResult.model_validate(await runtime.tasks.ask("mover.share", asked, handle))
        meta = present["metadata"]
        ours = (meta.get("annotations") or {}).get(RUN_ANNOTATION) == share.run
        if ours and "deletionTimestamp" not in meta:
            return share
        await _remove(runtime, job, present)
    await _check_account(runtime, job.namespace)
    await _check_claims(runtime, job.namespace, pin)
    again = asked.model_copy(update={"anew": True})
    share = ShareResult.model_validate(await runtime.tasks.ask("mover.share", again, handle))
    if share.workers:
        task = worker_task(request, share)
        made = worker_job(job, pin, task, share, settings, form)
        try:
            await runtime.kube.create(JOBS, made)
        except Forbidden as error:
            raise WorkersFailed(
                f"the operator may not make Jobs in {job.namespace}: {error}; install the chart "
                "with workers.enabled=true, or start a job with spec.execution.mode Local"
            ) from error
        runtime.event(
            job,
            "WorkersStarted",
            f"{share.workers} worker pods copy {share.objects} objects in {share.shards} shards "
            f"(Job {job_name(job)}).",
        )
    return share


async def _follow(
    runtime: Runtime, job: Job, request: CopyRequest, handle: TaskHandle, share: ShareResult
) -> None:
    """Tell how far the workers are until their Job has ended, and remove it."""
    common = {name: getattr(request, name) for name in JobTask.model_fields}
    seen = (0,) * share.workers
    while True:
        if handle.cancelled:
            await _remove(runtime, job, await _find(runtime, job))
            raise Cancelled("the worker pods were stopped")
        try:
            present = await _find(runtime, job)
        except KubeUnavailable as error:  # the pods go on without it, and so do we
            structlog.get_logger("cloudflux").warning(
                "the worker Job is not seen", error=str(error)
            )
            await _pause(handle)
            continue
        if present is None:
            raise WorkersFailed(f"Job {job_name(job)} was deleted; what is left is shared anew")
        end = ended(present)
        asking = GatherRequest(**common, run=share.run, workers=share.workers, seen=seen)
        got = GatherResult.model_validate(await runtime.tasks.ask("mover.gather", asking, handle))
        seen = got.seen
        handle.progress = _progress(share, got).model_dump()
        if end is None:
            await _pause(handle)
            continue
        await _remove(runtime, job, present)
        if not end[0]:
            raise _failure(job, got.error, end[1])
        return


def _failure(job: Job, told: TaskError | None, words: str) -> CloudFluxError:
    if told is not None:
        return rebuild(told)
    return WorkersFailed(
        f"Job {job_name(job)} failed: {words} Its pods' log says more: kubectl -n "
        f"{job.namespace} logs job/{job_name(job)}"
    )


def _progress(share: ShareResult, got: GatherResult) -> CopyProgress:
    done = min(share.objects_total, share.objects_before + got.objects)
    return CopyProgress(
        objects_total=share.objects_total,
        objects_done=done,
        objects_failed=0,
        objects_skipped=0,
        bytes_total=share.bytes_total,
        bytes_done=min(share.bytes_total, share.bytes_before + got.size_bytes),
    )


async def _pause(handle: TaskHandle) -> None:
    waited = 0.0
    while waited < POLL_SECONDS and not handle.cancelled:
        await asyncio.sleep(STOP_SLICE_SECONDS)
        waited += STOP_SLICE_SECONDS


async def _find(runtime: Runtime, job: Job) -> Object | None:
    """Our Job; None where there is none, or one of another owner has its name."""
    try:
        found = await runtime.kube.get(JOBS, job.namespace, job_name(job))
    except NotFound:
        return None
    owners = found["metadata"].get("ownerReferences") or ()
    if any(owner.get("uid") == job.uid for owner in owners):
        return found
    raise WorkersFailed(
        f"Job {job_name(job)} in {job.namespace} is not ours; delete it, or rename it"
    )


async def _remove(runtime: Runtime, job: Job, present: Object | None) -> None:
    """Delete the Job and wait until its last pod is gone: nothing writes any more."""
    if present is None:
        return
    uid = present["metadata"]["uid"]
    await runtime.kube.delete(JOBS, job.namespace, job_name(job), uid=uid, propagation="Foreground")
    deadline = asyncio.get_running_loop().time() + GONE_SECONDS
    while await _find(runtime, job) is not None:
        if asyncio.get_running_loop().time() > deadline:
            raise WorkersFailed(
                f"Job {job_name(job)} is deleted, and its pods do not end; look at their nodes: "
                f"kubectl -n {job.namespace} get pods -l job-name={job_name(job)} -o wide"
            )
        await asyncio.sleep(STOP_SLICE_SECONDS)


async def _check_account(runtime: Runtime, namespace: str) -> None:
    """Refuse a ServiceAccount that is not meant for it. Raises MoverAccountMissing."""
    name = runtime.settings.workers.service_account
    how = (
        f"kubectl -n {namespace} create serviceaccount {name} && kubectl -n {namespace} label "
        f"serviceaccount {name} {MOVER_LABEL}=true"
    )
    try:
        found = await runtime.kube.get(SERVICE_ACCOUNTS, namespace, name)
    except NotFound:
        raise MoverAccountMissing(
            f"worker pods run as ServiceAccount {name}, which {namespace} has not: run {how}"
        ) from None
    if (found["metadata"].get("labels") or {}).get(MOVER_LABEL) != "true":
        raise MoverAccountMissing(
            f"ServiceAccount {name} is not labelled for worker pods: run {how.partition(' && ')[2]}"
        )


async def _check_claims(runtime: Runtime, namespace: str, pin: JobPin) -> None:
    """Refuse a claim whose owner did not mean it for worker pods. Raises VolumeClaimRefused.

    Who edits the three kinds may be no one who may run pods, and so could have a database's disk
    copied to a bucket of his own.
    """
    for claim in worker_volumes.claims(pin):
        try:
            found = await runtime.kube.get(VOLUME_CLAIMS, namespace, claim.name)
        except NotFound:
            raise VolumeClaimRefused(
                f"PersistentVolumeClaim {claim.name} is not there; make it, or correct volumeClaim"
            ) from None
        if (found["metadata"].get("labels") or {}).get(MOVER_LABEL) != "true":
            raise VolumeClaimRefused(
                f"PersistentVolumeClaim {claim.name} is not labelled for worker pods: run kubectl "
                f"-n {namespace} label persistentvolumeclaim {claim.name} {MOVER_LABEL}=true"
            )
