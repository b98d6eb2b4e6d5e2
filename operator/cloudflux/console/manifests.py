"""The manifest of a job as a file to keep: what was moved, and how each object was proven."""

import asyncio

from aiohttp import web

from cloudflux.console import browse
from cloudflux.console.context import console_of
from cloudflux.console.history import manifest_of
from cloudflux.console.problems import not_found
from cloudflux.handlers.resources import JOB, Job


async def download(request: web.Request) -> web.StreamResponse:
    """Serve /migrations/NAMESPACE/NAME/manifest."""
    one: Job = browse.named(request, JOB)
    path = await asyncio.to_thread(manifest_of, console_of(request), one.uid)
    if path is None:
        raise not_found(f"the manifest of {one.name} (a console started with --state-dir has it)")
    name = f"{one.namespace}-{one.name}-manifest.jsonl"
    return web.FileResponse(
        path,
        headers={
            "Content-Type": "application/x-ndjson",
            "Content-Disposition": f'attachment; filename="{name}"',
        },
    )
