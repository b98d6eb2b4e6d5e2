"""What can be written: with the user's own identity, where it is switched on, by nobody else.

In the local mode the kubeconfig is the user's; else his own token goes to the API server, which
decides. The console's own rights are never used to write.
"""

import contextlib
import datetime as dt
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from aiohttp import web

from cloudflux.api.common import Tier
from cloudflux.console import answers, browse, views
from cloudflux.console.cluster import Cluster
from cloudflux.console.context import Console, console_of, scope_of, viewer_of
from cloudflux.console.kit import Endpoint, give, read_body
from cloudflux.console.problems import Problem, not_found, unavailable
from cloudflux.console.shield import check_csrf
from cloudflux.handlers.kube import (
    DATA_SETS,
    MIGRATION_JOBS,
    TIERING_POLICIES,
    Conflict,
    Forbidden,
    KubeError,
    KubeUnavailable,
    NotFound,
    Object,
)
from cloudflux.handlers.resources import DATA_SET, JOB, POLICY, SCAN_NOW_ANNOTATION

ACTIONS = {"approve": "approval", "suspend": "suspend", "resume": "suspend", "cancel": "cancel"}
_SAID = {
    "approve": "the plan is approved",
    "suspend": "the job pauses",
    "resume": "the job goes on",
    "cancel": "the job is being cancelled",
}

POLICY_ACTIONS = {
    "evaluate": "the policy decides next",
    "suspend": "the policy makes no more migrations",
    "resume": "the policy goes on",
}


@contextlib.asynccontextmanager
async def as_user(request: web.Request) -> AsyncIterator[Cluster]:
    """Give a client with the user's identity; what the API server refuses becomes a problem."""
    console = console_of(request)
    _must_be_on(console)
    if console.cluster is None:
        raise unavailable("no cluster is named: start the console with --kubeconfig FILE")
    token = viewer_of(request).token
    client = console.cluster
    if console.gate.asks_for_token:
        if not token:
            raise Problem(403, "no-identity", "there is no identity of yours to write with")
        client = console.cluster.as_user(token)
    try:
        yield client
    except KubeError as error:
        raise refused(error) from error
    finally:
        if client is not console.cluster:
            await client.close()


def _must_be_on(console: Console) -> None:
    if not console.settings.console.writes:
        raise Problem(
            403, "read-only",
            "the console only reads: type the command that it shows, or start it with "
            "--allow-writes",
        )  # fmt: skip


def refused(error: KubeError) -> Problem:
    """Return what an error of the API server means to who asked."""
    if isinstance(error, KubeUnavailable):
        return unavailable(f"the Kubernetes API does not answer: {error}")
    status = {Forbidden: 403, NotFound: 404, Conflict: 409}.get(type(error), 422)
    kinds = {403: "forbidden", 404: "not-found", 409: "conflict", 422: "refused"}
    return Problem(status, kinds[status], f"the API server refuses: {error}")


def change_of(action: str, plan: str) -> Object:
    """Return the patch of an action."""
    value: Any = {"approve": plan, "suspend": True, "resume": False, "cancel": True}[action]
    return {"spec": {ACTIONS[action]: value}}


async def _act(request: web.Request, action: str, plan: str = "") -> answers.Done:
    namespace, name = request.match_info["namespace"], request.match_info["name"]
    async with as_user(request) as client:
        if console_of(request).object(JOB, scope_of(request), namespace, name) is None:
            raise not_found(f"MigrationJob {namespace}/{name}")
        await client.patch(MIGRATION_JOBS, namespace, name, change_of(action, plan))
    return answers.Done(kind=JOB, namespace=namespace, name=name, message=_SAID[action])


async def approve(request: web.Request) -> web.Response:
    """Approve the plan that the body names."""
    _must_be_on(console_of(request))
    asked: answers.Approval = await read_body(request, answers.Approval)
    return give(request, await _act(request, "approve", asked.plan))


async def suspend(request: web.Request) -> web.Response:
    """Pause a job."""
    return give(request, await _act(request, "suspend"))


async def resume(request: web.Request) -> web.Response:
    """Let a job go on."""
    return give(request, await _act(request, "resume"))


async def cancel(request: web.Request) -> web.Response:
    """Cancel a job for good."""
    return give(request, await _act(request, "cancel"))


async def form(request: web.Request) -> web.StreamResponse:
    """Serve the buttons of a job's page."""
    action = request.match_info["action"]
    if action not in ACTIONS:
        raise not_found(f"the action {action}")
    given = await request.post()
    check_csrf(request, given.get("csrf"))
    done = await _act(request, action, str(given.get("plan", ""))[:64])
    raise web.HTTPSeeOther(f"/migrations/{_quoted(done)}")


async def policy_form(request: web.Request) -> web.StreamResponse:
    """Serve the buttons of a policy."""
    action = request.match_info["action"]
    if action not in POLICY_ACTIONS:
        raise not_found(f"the action {action}")
    check_csrf(request, (await request.post()).get("csrf"))
    done = await _act_on_policy(request, action)
    raise web.HTTPSeeOther(f"/policies#{quote(f'{done.namespace}.{done.name}')}")


async def data_set_form(request: web.Request) -> web.StreamResponse:
    """Serve the button of a data set's page."""
    check_csrf(request, (await request.post()).get("csrf"))
    raise web.HTTPSeeOther(f"/datasets/{_quoted(await _look_now(request))}")


def _quoted(done: answers.Done) -> str:
    return f"{quote(done.namespace, safe='')}/{quote(done.name, safe='')}"


async def _act_on_policy(request: web.Request, action: str) -> answers.Done:
    namespace, name = request.match_info["namespace"], request.match_info["name"]
    change: Any = {"evaluate": {"runNow": _token()}, "suspend": {"suspend": True},
                   "resume": {"suspend": False}}[action]  # fmt: skip
    async with as_user(request) as client:
        browse.named(request, POLICY)
        await client.patch(TIERING_POLICIES, namespace, name, {"spec": change})
    said = POLICY_ACTIONS[action]
    return answers.Done(kind=POLICY, namespace=namespace, name=name, message=said)


async def evaluate(request: web.Request) -> web.Response:
    """Have a policy decide now."""
    return give(request, await _act_on_policy(request, "evaluate"), 202)


async def suspend_policy(request: web.Request) -> web.Response:
    """Suspend a policy."""
    return give(request, await _act_on_policy(request, "suspend"))


async def resume_policy(request: web.Request) -> web.Response:
    """Let a policy go on."""
    return give(request, await _act_on_policy(request, "resume"))


async def create(request: web.Request) -> web.Response:
    """Make a job."""
    _must_be_on(console_of(request))
    asked: answers.NewMigration = await read_body(request, answers.NewMigration)
    name = (
        asked.name or f"{asked.spec.data_set_ref.name[:40]}-{dt.datetime.now(dt.UTC):%Y%m%d%H%M%S}"
    )
    spec = asked.spec.model_dump(mode="json", by_alias=True, exclude_none=True)
    async with as_user(request) as client:
        metadata = {"namespace": asked.namespace, "name": name}
        await client.create(MIGRATION_JOBS, {"metadata": metadata, "spec": spec})
    done = answers.Done(kind=JOB, namespace=asked.namespace, name=name, message="the job is made")
    return give(request, done, 201)


async def reclassify(request: web.Request) -> web.Response:
    """Have a data set listed and decided on now."""
    return give(request, await _look_now(request), 202)


async def _look_now(request: web.Request) -> answers.Done:
    namespace, name = request.match_info["namespace"], request.match_info["name"]
    async with as_user(request) as client:
        browse.named(request, DATA_SET)
        body = {"metadata": {"annotations": {SCAN_NOW_ANNOTATION: _token()}}}
        await client.patch(DATA_SETS, namespace, name, body)
    message = "it is listed and decided on next"
    return answers.Done(kind=DATA_SET, namespace=namespace, name=name, message=message)


def _token() -> str:
    """Return a token that was never served."""
    return f"console-{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%S%f}"


async def estimate(request: web.Request) -> web.Response:
    """Give what the recommended moves to a tier or class would cost and save. Writes nothing."""
    asked: answers.EstimateAsked = await read_body(request, answers.EstimateAsked)
    raw = console_of(request).object(DATA_SET, scope_of(request), asked.namespace, asked.data_set)
    one = None if raw is None else views.typed(DATA_SET, raw)
    if one is None:
        raise not_found(f"DataSet {asked.namespace}/{asked.data_set}")
    tiers = [tier.value for tier in Tier]
    found = [
        each for each in one.status.recommendations
        if (each.tier.value if asked.target in tiers else each.target) == asked.target
    ]  # fmt: skip
    if not found:
        raise Problem(
            404, "no-estimate",
            f"no recommendation of {one.name} leads to {asked.target}. For the price of any other "
            "move make a MigrationJob with requireApproval: true; its plan has it, and nothing "
            "moves before you approve",
        )  # fmt: skip
    return give(
        request,
        answers.Estimate(
            recommendations=found,
            objects=sum(each.objects for each in found),
            bytes=sum(each.bytes for each in found),
            one_off_cost=_sum(each.one_off_cost for each in found),
            savings_per_month=_sum(each.savings_per_month for each in found),
            currency=one.status.currency,
        ),
    )


def _sum(amounts: Any) -> str:
    return f"{sum((views.money(one) for one in amounts), Decimal(0)):f}"


_JOB = "/migrations/{namespace}/{name}"
_POLICY = "/policies/{namespace}/{name}"
ENDPOINTS = (
    Endpoint(
        "POST", "/migrations/estimate", "What a recommended move would cost and save.",
        answers.Estimate, estimate, body=answers.EstimateAsked,
    ),
    Endpoint(
        "POST", "/migrations", "Make a migration.", answers.Done, create,
        body=answers.NewMigration, status=201,
    ),
    Endpoint(
        "POST", f"{_JOB}/approve", "Approve a plan.", answers.Done, approve, body=answers.Approval
    ),
    Endpoint("POST", f"{_JOB}/suspend", "Pause it.", answers.Done, suspend),
    Endpoint("POST", f"{_JOB}/resume", "Let it go on.", answers.Done, resume),
    Endpoint("POST", f"{_JOB}/cancel", "Cancel it for good.", answers.Done, cancel),
    Endpoint(
        "POST", "/datasets/{namespace}/{name}/reclassify", "List it and decide on it now.",
        answers.Done, reclassify, status=202,
    ),
    Endpoint(
        "POST", f"{_POLICY}/evaluate",
        "Decide now on all its data sets; models and replays that are due are made anew.",
        answers.Done, evaluate, status=202,
    ),
    Endpoint("POST", f"{_POLICY}/suspend", "Suspend it.", answers.Done, suspend_policy),
    Endpoint("POST", f"{_POLICY}/resume", "Let it go on.", answers.Done, resume_policy),
)  # fmt: skip
