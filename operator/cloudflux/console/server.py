"""The application: which path is served by what."""

from aiohttp import web

from cloudflux.console import (
    browse,
    manifests,
    metrics,
    openapi,
    pages,
    signin,
    simulate,
    socket,
    stream,
    theme,
    writes,
)
from cloudflux.console.context import Console, console_of
from cloudflux.console.kit import PREFIX
from cloudflux.console.shield import MAX_BODY_BYTES, armed, errors, identity, limits


def application(console: Console) -> web.Application:
    """Build the application of a console."""
    app = web.Application(
        middlewares=[errors, limits, identity],
        client_max_size=MAX_BODY_BYTES,
        handler_args={"max_line_size": 8190, "max_field_size": 32 * 1024},
    )
    app.add_routes(
        [
            web.get("/", browse.show_overview),
            web.get("/datasets", browse.show_data_sets),
            web.get("/datasets/{namespace}/{name}", browse.show_data_set),
            web.get("/policies", browse.show_policies),
            web.get("/migrations", browse.show_migrations),
            web.get("/migrations/{namespace}/{name}", browse.show_migration),
            web.get("/migrations/{namespace}/{name}/manifest", manifests.download),
            web.post("/migrations/{namespace}/{name}/{action}", writes.form),
            web.post("/policies/{namespace}/{name}/{action}", writes.policy_form),
            web.post("/datasets/{namespace}/{name}/reclassify", writes.data_set_form),
            web.post("/simulate", simulate.simulate),
            web.get("/live", pages.live),
            web.get("/events", pages.event),
            web.get("/events/stream", stream.events_stream, allow_head=False),
            web.get("/ws/stream", socket.websocket),
            web.get("/login", pages.login),
            web.post("/login", signin.sign_in),
            web.post("/logout", signin.sign_out),
            web.post("/theme", theme.choose),
            web.get("/static/{name}", pages.static),
            web.get("/healthz", healthz),
            web.get("/metrics", metrics.metrics),
        ]
    )
    app.router.add_get(f"{PREFIX}/openapi.json", openapi.document_answer)
    for endpoint in openapi.ENDPOINTS:
        add = app.router.add_get if endpoint.method == "GET" else app.router.add_post
        add(PREFIX + endpoint.path, endpoint.handler)
    return armed(app, console)


async def healthz(request: web.Request) -> web.Response:
    """Say that the process serves, and whether its source does; for probes."""
    state = console_of(request).source.state
    return web.json_response({"ok": True, "source": state.connected})
