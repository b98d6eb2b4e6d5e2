"""Events on a real broker: none missing, in order per data set, whatever is killed."""

import asyncio
import base64
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web
from tests.integration.kafka_rig import as_events, need_kafka, read_all, settings, until
from tests.unit.events.samples import event
from tests.unit.events.test_tokens import endpoint

from cloudflux.events.envelope import to_json
from cloudflux.events.kafka import KafkaSink
from cloudflux.events.kafka_client import ensure_topics
from cloudflux.events.outbox import Outbox, SinkError
from cloudflux.settings import KafkaProtocol, KafkaSettings, SaslMechanism
from cloudflux_dev.kafka_server import PASSWORD, USER, KafkaServer, Security, running_kafka
from cloudflux_dev.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    need_kafka()
    with running_kafka(tmp_path_factory.mktemp("kafka")) as server:
        yield server


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    need_kafka()
    directory = tmp_path_factory.mktemp("kafka-secure")
    with running_kafka(directory, security=Security.SASL_SSL) as server:
        yield server


def numbers(events: list[dict]) -> list[int]:
    return [int(one["id"].split(":")[0].removeprefix("job-")) for one in events]


def in_order_and_complete(events: list[dict], count: int) -> None:
    """Every event is there; each data set's first deliveries are in order."""
    first_seen = list(dict.fromkeys(one["id"] for one in events))
    assert len(first_seen) == count
    for key in {one["partitionkey"] for one in events}:
        mine = [one for one in events if one["partitionkey"] == key]
        found = numbers([{"id": i} for i in dict.fromkeys(one["id"] for one in mine)])
        assert found == sorted(found)


async def test_an_event_arrives_as_a_cloudevent_keyed_by_data_set(kafka, tmp_path):
    config = settings(kafka.bootstrap, events_topic="shape")
    sink = KafkaSink(config)
    await sink.send([event(1)])
    await sink.close()
    [message] = await read_all(kafka.bootstrap, "shape", enough=bool)
    assert message.key == b"ds-1"
    assert as_events([message]) == [to_json(event(1))]
    assert abs(message.timestamp / 1000 - time.time()) < 60  # so that retention counts from now


async def test_topics_are_made_as_configured_and_left_alone_when_they_are_there(kafka):
    config = settings(kafka.bootstrap, retention_hours=2)
    assert await ensure_topics(config, {"made": {}}) == {"made": 3}
    again = config.model_copy(update={"partitions": 9})
    assert await ensure_topics(again, {"made": {}}) == {"made": 3}


@pytest.mark.parametrize("killed", ["SIGKILL", "frozen"])
async def test_ten_thousand_events_over_a_broker_that_dies_and_comes_back(kafka, tmp_path, killed):
    topic = f"through-{killed.lower()}"
    config = settings(kafka.bootstrap, events_topic=topic)
    outbox = Outbox(tmp_path, KafkaSink(config), max_bytes=64 << 20)
    task = asyncio.create_task(outbox.run())
    longest_seconds = 0.0
    for n in range(10_000):
        started = time.monotonic()
        outbox.put(event(n, key=f"ds-{n % 7}"))
        longest_seconds = max(longest_seconds, time.monotonic() - started)
        if n == 3000:
            await until(lambda: outbox.produced.total() > 0)
            kafka.kill() if killed == "SIGKILL" else kafka.pause()
        if n % 50 == 0:
            await asyncio.sleep(0.001)
    await until(lambda: outbox.depth > 1000)
    assert longest_seconds < 1
    kafka.start() if killed == "SIGKILL" else kafka.resume()
    assert await outbox.drain(90)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await outbox.close()
    found = as_events(
        await read_all(
            kafka.bootstrap, topic, enough=lambda m: len({x.headers[5] for x in m}) == 10_000
        )
    )
    in_order_and_complete(found, 10_000)


def test_ten_thousand_events_over_three_kills_of_the_process(kafka, tmp_path):
    config = {
        **os.environ,
        "PYTHONPATH": f"{ROOT / 'operator'}:{ROOT / 'tools'}:{ROOT}",
    }
    command = [
        sys.executable, "-m", "tests.integration.outbox_process", str(tmp_path),
        kafka.bootstrap, "10000",
    ]  # fmt: skip
    for at in (1000, 4000, 8000):
        process = subprocess.Popen(command, env=config, cwd=ROOT)
        deadline = time.monotonic() + 60
        told = tmp_path / "told"
        while not (told.exists() and int(told.read_text() or 0) >= at):
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
    done = subprocess.run(command, env=config, cwd=ROOT, timeout=120, capture_output=True)
    assert done.stdout.strip().endswith(b"done")
    found = as_events(
        asyncio.run(
            read_all(
                kafka.bootstrap,
                "cloudflux.events.v1",
                enough=lambda m: len({x.headers[5] for x in m}) == 10_000,
            )
        )
    )
    in_order_and_complete(found, 10_000)


def scram(server: KafkaServer, path: Path, password: str = PASSWORD) -> KafkaSettings:
    secret = path / "password"
    secret.write_text(password + "\n")
    return KafkaSettings(
        brokers=server.bootstrap,
        protocol=KafkaProtocol.SASL_SSL,
        ca_file=server.ca_file,
        username=USER,
        password_file=secret,
        events_topic="secure",
        partitions=1,
    )


async def test_scram_over_tls(secure, tmp_path):
    sink = KafkaSink(scram(secure, tmp_path))
    await sink.send([event(1)])
    await sink.close()
    assert len(await read_all(secure.inner_bootstrap, "secure", enough=bool)) == 1


def unsigned_token() -> str:
    def part(value: dict) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    now = int(time.time())
    claims = {"sub": "operator", "iat": now, "exp": now + 600}
    return f"{part({'alg': 'none'})}.{part(claims)}."


async def test_a_token_from_an_endpoint_by_client_credentials(secure, tmp_path):
    asked = []

    async def give(request: web.Request) -> web.Response:
        asked.append((request.headers["Authorization"], (await request.post())["grant_type"]))
        return web.json_response({"access_token": unsigned_token(), "expires_in": 600})

    (tmp_path / "secret").write_text("s3cret\n")
    async with endpoint(give) as url:
        config = scram(secure, tmp_path).model_copy(
            update={
                "sasl_mechanism": SaslMechanism.OAUTHBEARER,
                "token_url": url,
                "client_id": "cloudflux",
                "client_secret_file": tmp_path / "secret",
                "events_topic": "by-endpoint",
            }
        )
        sink = KafkaSink(config)
        await sink.send([event(1)])
        await sink.close()
    assert len(await read_all(secure.inner_bootstrap, "by-endpoint", enough=bool)) == 1
    credentials = base64.b64encode(b"cloudflux:s3cret").decode()
    assert set(asked) == {(f"Basic {credentials}", "client_credentials")}


async def test_a_token_out_of_a_file(secure, tmp_path):
    token = tmp_path / "token"
    token.write_text(unsigned_token() + "\n")
    config = scram(secure, tmp_path).model_copy(
        update={
            "sasl_mechanism": SaslMechanism.OAUTHBEARER,
            "token_file": token,
            "events_topic": "by-token",
        }
    )
    sink = KafkaSink(config)
    await sink.send([event(1)])
    await sink.close()
    assert len(await read_all(secure.inner_bootstrap, "by-token", enough=bool)) == 1


async def test_a_wrong_password_is_said_and_a_corrected_one_is_used(secure, tmp_path):
    config = scram(secure, tmp_path, "wrong").model_copy(update={"events_topic": "corrected"})
    outbox = Outbox(tmp_path / "box", KafkaSink(config), max_bytes=1 << 20)
    task = asyncio.create_task(outbox.run())
    outbox.put(event(1))
    await until(lambda: outbox.last_error is not None)
    assert outbox.last_error.reason == "CredentialsInvalid"
    assert "wrong" not in str(outbox.last_error)
    (tmp_path / "password").write_text(PASSWORD)
    assert await outbox.drain(60)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await outbox.close()


async def test_a_wrong_address_is_said(tmp_path):
    address = f"127.0.0.1:{free_port()}"
    with pytest.raises(SinkError, match=address) as failed:
        await KafkaSink(settings(address)).send([event(1)])
    assert failed.value.reason == "EndpointUnreachable"


async def test_a_missing_topic_that_may_not_be_made_is_said(kafka):
    config = settings(kafka.bootstrap, create_topics=False, events_topic="nowhere")
    with pytest.raises(SinkError, match="nowhere does not exist") as failed:
        await KafkaSink(config).send([event(1)])
    assert failed.value.reason == "TopicMissing"


async def test_a_missing_password_file_is_said(secure, tmp_path):
    config = scram(secure, tmp_path).model_copy(update={"password_file": tmp_path / "none"})
    with pytest.raises(SinkError, match="password for Kafka can't be read"):
        await KafkaSink(config).send([event(1)])


async def test_an_event_that_is_too_large_is_left_out_and_the_others_arrive(kafka, tmp_path):
    config = settings(kafka.bootstrap, events_topic="large", compression="none")
    sink = KafkaSink(config)
    outbox = Outbox(tmp_path, sink, max_bytes=64 << 20)
    task = asyncio.create_task(outbox.run())
    for one in (event(1), event(2)._replace(data=b'"' + b"x" * (3 << 20) + b'"'), event(3)):
        outbox.put(one)
    assert await outbox.drain(60)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await outbox.close()
    found = as_events(
        await read_all(kafka.bootstrap, "large", enough=lambda m: len({x.key for x in m}) >= 1)
    )
    assert sorted(set(numbers(found))) == [1, 3]
    assert sink.refused == 1
