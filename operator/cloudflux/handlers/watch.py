"""kopf's part: it watches our three kinds and hands every event over; it writes nothing."""

import asyncio
import datetime as dt
from collections.abc import Callable
from typing import Any

import kopf
from kubernetes.aio.client import Configuration

from cloudflux.api.common import GROUP, VERSION
from cloudflux.handlers.hearing import hear as take_in
from cloudflux.handlers.kube import OURS, load_configuration
from cloudflux.handlers.runtime import Runtime

LOGIN_SECONDS = 600


async def watch(
    runtime: Runtime,
    stop: asyncio.Event,
    ready: asyncio.Event,
    hear_signals: Callable[[], None],
) -> None:
    """Run kopf: only watching, nothing written, no finalizer, no peering.

    Whoever starts kopf ends it by `stop`. kopf takes SIGTERM and SIGINT over at its start and
    would end before the children: `hear_signals` takes them back before a signal can come.
    """
    settings = runtime.settings
    older = asyncio.all_tasks()
    tasks = await kopf.spawn_tasks(
        registry=build_registry(runtime),
        settings=kopf_settings(),
        standalone=True,
        clusterwide=not settings.namespaces,
        namespaces=settings.namespaces,
        stop_flag=stop,
        ready_flag=ready,
    )
    hear_signals()
    await kopf.run_tasks(tasks, ignored=older)


def build_registry(runtime: Runtime) -> kopf.OperatorRegistry:
    """Return kopf's handlers: one for each kind, which only takes the event in."""
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    async def login(**_: Any) -> kopf.ConnectionInfo:
        return connection_info(await load_configuration(runtime.settings))

    for kind, resource in OURS.items():

        def hear(kind: str = kind) -> Callable[..., Any]:
            async def heard(event: kopf.RawEvent, **_: Any) -> None:
                # kopf's own view of the body resolves every field anew
                take_in(runtime, kind, event["type"], dict(event["object"]))

            return heard

        kopf.on.event(GROUP, VERSION, resource.plural, registry=registry, id=f"hear-{kind}")(hear())
    return registry


def connection_info(configuration: Configuration) -> kopf.ConnectionInfo:
    """Return our own connection for kopf: it finds none by itself, and renews rotated tokens."""
    bearer = (configuration.api_key or {}).get("BearerToken") or ""
    scheme, _, token = bearer.rpartition(" ")
    return kopf.ConnectionInfo(
        server=configuration.host,
        ca_path=configuration.ssl_ca_cert,
        insecure=not configuration.verify_ssl,
        certificate_path=configuration.cert_file,
        private_key_path=configuration.key_file,
        scheme=(scheme or "Bearer") if token else None,
        token=token or None,
        expiration=dt.datetime.now() + dt.timedelta(seconds=LOGIN_SECONDS),
    )


def kopf_settings() -> kopf.OperatorSettings:
    """Return kopf's settings: short idle workers, bounded watches, no events, our own names."""
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.posting.loggers = False
    settings.watching.server_timeout = 300
    settings.watching.client_timeout = 310
    settings.watching.inactivity_timeout = 90
    settings.watching.connect_timeout = 10
    settings.watching.chunk_size = 500
    # both by measurement: docs/explanation/small-jobs.md
    settings.queueing.worker_limit = 100
    settings.queueing.idle_timeout = 0.02
    settings.scanning.disabled = True
    settings.execution.max_workers = 2
    settings.process.ultimate_exiting_timeout = 20
    settings.persistence.finalizer = f"{GROUP}/unused"
    settings.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=GROUP, v1=False)
    settings.persistence.diffbase_storage = NoDiffBase()
    return settings


class NoDiffBase(kopf.DiffBaseStorage):
    """Keeps no last-handled state: nothing here looks at differences, and making one is dear."""

    def build(self, **_: Any) -> kopf.BodyEssence:
        """Nothing of the object is compared."""
        return kopf.BodyEssence()

    def fetch(self, **_: Any) -> kopf.BodyEssence | None:
        """Nothing was kept."""
        return None

    def store(self, **_: Any) -> None:
        """Keep nothing."""
