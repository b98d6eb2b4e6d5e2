"""The OpenAPI document is the contract: every operation is asked as it allows, and otherwise."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import jsonschema
import pytest
from aiohttp.test_utils import TestClient, TestServer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openapi_spec_validator import validate
from tests.unit.console.conftest import console
from tests.unit.console.from_schema import ANYTHING, values
from tests.unit.console.test_api import FORECAST, RECOMMENDED
from tests.unit.console.test_hub import sample
from tests.unit.console.worlds import data_set, fill, job, policy

from cloudflux.console import shield
from cloudflux.console.openapi import document
from cloudflux.console.server import application

DOCUMENT = document()
OPERATIONS = [
    pytest.param(path, method, id=operation["operationId"])
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
]
NAMED = ("team-a", "telemetry", "save-money", "move-1", "team-b")
PROPERTY = settings(
    max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)
Sent = tuple[int, Any, str]


@dataclass
class TakesEverything:
    """A cluster that takes what it is given."""

    written: list[Any] = field(default_factory=list)

    async def patch(self, *change: Any, **_: Any) -> dict[str, Any]:
        self.written.append(change)
        return {}

    async def create(self, *made: Any) -> dict[str, Any]:
        self.written.append(made)
        return {}

    async def answers(self) -> bool:
        return True

    async def get(self, *_: Any) -> dict[str, Any]:
        return {"spec": {"renewTime": "2026-03-14T10:00:00.000000Z"}}


class Api:
    """The application, asked from outside its event loop, as hypothesis needs it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, client: TestClient) -> None:
        self._loop, self._client = loop, client

    def ask(self, method: str, url: str, body: bytes | None = None) -> Sent:
        async def send() -> Sent:
            headers = {"Content-Type": "application/json"} if body is not None else {}
            response = await self._client.request(method, url, data=body, headers=headers)
            text = await response.text()
            return response.status, json.loads(text) if text else None, response.content_type

        return self._loop.run_until_complete(asyncio.wait_for(send(), 10))


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    loop = asyncio.new_event_loop()

    async def start() -> TestClient:
        made = console(writes=True)
        cluster: Any = TakesEverything()
        made.cluster = cluster
        fill(
            made.world,
            DataSet=[data_set("telemetry", recommendations=[RECOMMENDED], forecast=FORECAST),
                     data_set("logs", "team-b")],
            TieringPolicy=[policy("save-money")], MigrationJob=[job("move-1")],
        )  # fmt: skip
        for n in range(3):
            made.hub.publish(sample(n))
        app = application(made)
        app[shield.BUCKETS] = shield.Buckets(rate=1e6, burst=1e6)
        client = TestClient(TestServer(app, host="127.0.0.1"))
        await client.start_server()
        return client

    client = loop.run_until_complete(start())
    yield Api(loop, client)
    loop.run_until_complete(client.close())
    loop.close()


def test_the_document_is_openapi():
    validate(DOCUMENT)


def url_of(path: str, place: tuple[str, str], query: dict[str, Any]) -> str:
    namespace, name = (quote(one, safe="") for one in place)
    pairs = [
        f"{quote(key, safe='')}={quote(str(one), safe='')}"
        for key, value in query.items()
        for one in (value if isinstance(value, list) else [value])
    ]
    url = path.replace("{namespace}", namespace).replace("{name}", name)
    return f"{url}?{'&'.join(pairs)}" if pairs else url


def keeps_its_promise(operation: dict[str, Any], sent: Sent) -> None:
    """The status is one that the document names, and the body what it says of that status."""
    status, body, kind = sent
    assert status != 500, body
    promised = operation["responses"].get(str(status))
    assert promised, f"{status} is not in the document"
    if status < 300:
        schema = promised["content"]["application/json"]["schema"]
        jsonschema.validate(body, {**schema, "components": DOCUMENT["components"]})
    elif status >= 400 and kind != "application/json":
        assert kind == "application/problem+json"
        problem = DOCUMENT["components"]["schemas"]["Problem"]
        jsonschema.validate(body, problem)
        assert body["status"] == status
        assert len(body["detail"]) > 10


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_what_the_document_allows_is_understood(api, path, method):
    operation = DOCUMENT["paths"][path][method]
    schemas = {
        one["name"]: values(one["schema"], DOCUMENT)
        for one in operation["parameters"]
        # a cursor means what the part before gave; anything else is refused
        if one["in"] == "query" and one["name"] != "cursor"
    }
    body = st.none()
    if "requestBody" in operation:
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        body = values(schema, DOCUMENT)

    @PROPERTY
    @given(st.data())
    def asked(data: st.DataObject) -> None:
        place = (data.draw(st.sampled_from(NAMED)), data.draw(st.sampled_from(NAMED)))
        query = data.draw(st.fixed_dictionaries({}, optional=schemas))
        content = data.draw(body)
        sent = api.ask(
            method, url_of(path, place, query),
            json.dumps(content).encode() if content is not None else None,
        )  # fmt: skip
        keeps_its_promise(operation, sent)
        # a rule over several fields may refuse a body, and says which
        refused = (400, 415) if "requestBody" in operation else (400, 415, 422)
        assert sent[0] not in refused, sent

    asked()


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_what_nobody_can_mean_is_refused_with_words(api, path, method):
    operation = DOCUMENT["paths"][path][method]
    names = [one["name"] for one in operation["parameters"] if one["in"] == "query"]

    @PROPERTY
    @given(st.data())
    def asked(data: st.DataObject) -> None:
        text = st.text(max_size=40).map(lambda one: one.encode(errors="replace").decode())
        named = st.sampled_from(NAMED) | text.filter(lambda one: one not in ("", ".", ".."))
        query = data.draw(st.dictionaries(st.sampled_from([*names, "more"]), text | st.integers()))
        body = st.binary(max_size=200) | ANYTHING.map(lambda one: json.dumps(one).encode())
        content = data.draw(body) if "requestBody" in operation else None
        place = (data.draw(named), data.draw(named))
        keeps_its_promise(operation, api.ask(method, url_of(path, place, query), content))

    asked()


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_other_methods_are_refused_and_the_right_ones_are_named(api, path, method):
    url = url_of(path, ("team-a", "telemetry"), {})
    allowed = {one.upper() for one in DOCUMENT["paths"][path]}
    for other in {"PUT", "PATCH", "DELETE", "POST", "GET"} - allowed:
        status, body, _ = api.ask(other, url)
        assert status == 405, (other, url)
        assert other in body["detail"]
