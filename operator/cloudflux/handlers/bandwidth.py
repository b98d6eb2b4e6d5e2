"""Tells a running task that its job's bandwidth was changed."""

import asyncio

from cloudflux.api.move_tasks import JobTask
from cloudflux.handlers.resources import Job
from cloudflux.handlers.runtime import Runtime
from cloudflux.migration.files import JobFiles, write_json


async def tell_bandwidth(runtime: Runtime, job: Job) -> None:
    """Write the job's present bandwidth where its running task looks for it."""
    entry = runtime.tasks.get(job.uid)
    if entry is None or entry.ended or not isinstance(entry.handle.request, JobTask):
        return
    wanted = job.spec.execution.bandwidth_bytes_per_second
    told = entry.bandwidth if entry.told else entry.handle.request.bandwidth_bytes_per_second
    if wanted != told:
        entry.told, entry.bandwidth = True, wanted
        await asyncio.to_thread(write_bandwidth, runtime, job)


def write_bandwidth(runtime: Runtime, job: Job) -> None:
    """Write it; a task that starts later finds the same in its request."""
    files = JobFiles(runtime.settings.state_dir, job.uid)
    write_json(files.limits, {"bytes_per_second": job.spec.execution.bandwidth_bytes_per_second})
