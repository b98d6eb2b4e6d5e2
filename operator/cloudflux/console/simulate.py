"""Made-up activity, to see the page move: only where it is switched on, and marked as such."""

import datetime as dt
import uuid

from aiohttp import web

from cloudflux.api.event_examples import EXAMPLES
from cloudflux.api.events import EventType, schema_uri
from cloudflux.console.context import console_of
from cloudflux.console.problems import not_found
from cloudflux.console.shield import check_csrf

_STORY = (
    EventType.PATTERN_DETECTED,
    EventType.PREDICTION,
    EventType.SAVINGS_FOUND,
    EventType.MIGRATION_PLANNED,
    EventType.MIGRATION_STARTED,
    EventType.MIGRATION_PROGRESS,
    EventType.MIGRATION_VERIFIED,
    EventType.MIGRATION_SWITCHED,
    EventType.MIGRATION_COMPLETED,
)
NAMESPACE = "simulated"


async def simulate(request: web.Request) -> web.StreamResponse:
    """Serve POST /simulate: one move, told in nine events of a namespace that does not exist."""
    console = console_of(request)
    if not console.settings.console.simulator:
        raise not_found("the simulator (start the console with --simulator)")
    check_csrf(request, (await request.post()).get("csrf"))
    run = uuid.uuid4().hex[:8]
    now = dt.datetime.now(dt.UTC)
    for number, kind in enumerate(_STORY):
        at = now + dt.timedelta(milliseconds=number)
        console.hub.publish(
            {
                "specversion": "1.0",
                "id": f"simulated-{run}:{number}",
                "type": kind.value,
                "source": f"/clusters/simulator/namespaces/{NAMESPACE}/migrationjobs/{run}",
                "time": at.isoformat().replace("+00:00", "Z"),
                "datacontenttype": "application/json",
                "dataschema": schema_uri(kind),
                "severity": "info",
                "synthetic": "true",
                "data": {**EXAMPLES[kind], "namespace": NAMESPACE, "dataSet": f"made-up-{run}"},
            }
        )
    raise web.HTTPSeeOther("/live")
