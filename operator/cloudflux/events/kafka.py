"""The Kafka sink: an idempotent producer that waits for all replicas; topics made or checked.

Only this module, and the collector's reader, import aiokafka; the control process imports this
module only when Kafka is configured.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.conn import create_conn
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    KafkaConnectionError,
    KafkaError,
    MessageSizeTooLargeError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    for_code,
)
from aiokafka.partitioner import murmur2

from cloudflux.errors import ConfigurationError
from cloudflux.events.envelope import Event, headers
from cloudflux.events.outbox import SinkError
from cloudflux.events.tokens import EndpointToken, FileToken, secret_of
from cloudflux.settings import Compression, KafkaSettings, SaslMechanism

CONNECT_SECONDS = 15.0
SEND_SECONDS = 60.0
"""After so long without an answer the connection is given up and made anew, credentials too."""
REQUEST_SECONDS = 20
BATCH_BYTES = 512 * 1024
MAX_REQUEST_BYTES = 4 * 1024 * 1024


def client_options(settings: KafkaSettings) -> dict[str, Any]:
    """Return what every client of aiokafka is given. Raises ConfigurationError."""
    options: dict[str, Any] = {
        "bootstrap_servers": settings.brokers,
        "security_protocol": settings.protocol.value,
        "client_id": "cloudflux",
        "request_timeout_ms": REQUEST_SECONDS * 1000,
        "metadata_max_age_ms": 60_000,
        "retry_backoff_ms": 200,
    }
    if "SSL" in settings.protocol.value.removeprefix("SASL_"):
        options["ssl_context"] = _tls(settings)
    if not settings.protocol.value.startswith("SASL"):
        return options
    options["sasl_mechanism"] = settings.sasl_mechanism.value
    if settings.sasl_mechanism is SaslMechanism.OAUTHBEARER:
        if settings.token_url:
            options["sasl_oauth_token_provider"] = EndpointToken(settings)
        elif settings.token_file is not None:
            options["sasl_oauth_token_provider"] = FileToken(settings.token_file)
        else:
            raise ConfigurationError(
                "OAUTHBEARER needs CLOUDFLUX_KAFKA__TOKEN_FILE or CLOUDFLUX_KAFKA__TOKEN_URL"
            )
    else:
        if settings.password_file is None or not settings.username:
            raise ConfigurationError(
                f"{settings.sasl_mechanism.value} needs CLOUDFLUX_KAFKA__USERNAME and "
                "CLOUDFLUX_KAFKA__PASSWORD_FILE"
            )
        options["sasl_plain_username"] = settings.username
        options["sasl_plain_password"] = secret_of(settings.password_file, "password")
    return options


def _tls(settings: KafkaSettings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(
            cafile=str(settings.ca_file) if settings.ca_file else None
        )
        if settings.certificate_file is not None:
            context.load_cert_chain(settings.certificate_file, settings.key_file)
    except OSError as error:
        raise ConfigurationError(f"the certificates for Kafka can't be read: {error}") from error
    return context


async def ensure_topics(
    settings: KafkaSettings, topics: Mapping[str, Mapping[str, str]]
) -> dict[str, int]:
    """Create missing topics, or say that they are; returns the partitions of each.

    `topics`: name to settings of the topic, beside retention. Raises SinkError.
    """
    client = AIOKafkaAdminClient(**client_options(settings))
    try:
        await asyncio.wait_for(client.start(), CONNECT_SECONDS)
        found = await _partitions(client, list(topics))
        missing = [name for name in topics if name not in found]
        if missing and not settings.create_topics:
            raise SinkError(
                f"the topic {', '.join(missing)} does not exist: create it, or set "
                "CLOUDFLUX_KAFKA__CREATE_TOPICS=true",
                "TopicMissing",
            )
        if missing:
            await _create(client, settings, {name: topics[name] for name in missing})
            async with asyncio.timeout(CONNECT_SECONDS):  # brokers learn of it one by one
                while len(found := await _partitions(client, list(topics))) < len(topics):
                    await asyncio.sleep(0.2)
        return found
    except (KafkaError, TimeoutError, OSError) as error:
        raise translate(await _cause(error, settings), settings) from error
    finally:
        with contextlib.suppress(Exception):
            await client.close()


async def _cause(error: Exception, settings: KafkaSettings) -> Any:
    """Ask the first broker why: the client tells only that none of them would have us."""
    if not isinstance(error, KafkaConnectionError):
        return error
    options = client_options(settings)
    passed = ("client_id", "security_protocol", "ssl_context", "request_timeout_ms")
    host, _, port = settings.brokers.split(",")[0].strip().rpartition(":")
    try:
        connection = await asyncio.wait_for(
            create_conn(
                host,
                int(port),
                **{k: v for k, v in options.items() if k in passed or k.startswith("sasl_")},
            ),
            CONNECT_SECONDS,
        )
        connection.close()
    except (KafkaError, TimeoutError, OSError, ValueError) as cause:
        return cause
    return error


async def _create(
    client: AIOKafkaAdminClient, settings: KafkaSettings, topics: Mapping[str, Mapping[str, str]]
) -> None:
    log = structlog.get_logger("cloudflux.events")
    retention = {"retention.ms": str(settings.retention_hours * 3_600_000)}
    wanted = []
    for name, more in topics.items():
        configs = {"cleanup.policy": "delete", **retention, **more}
        topic = NewTopic(name, settings.partitions, 1, topic_configs=configs)
        # its constructor refuses -1, which asks brokers for their own default
        topic.replication_factor = settings.replication_factor
        wanted.append(topic)
    answer = await client.create_topics(wanted)
    for name, code, *rest in answer.topic_errors:
        if code and for_code(code) is not TopicAlreadyExistsError:
            kind = for_code(code)
            why = rest[0] if rest and rest[0] else kind.description
            raise SinkError(f"the topic {name} can't be created: {why}", "TopicMissing")
        log.info("topic created", topic=name)


async def _partitions(client: AIOKafkaAdminClient, topics: list[str]) -> dict[str, int]:
    found = {}
    for entry in await client.describe_topics(topics):
        if entry["error_code"] == 0:
            found[entry["topic"]] = len(entry["partitions"])
        elif for_code(entry["error_code"]) is not UnknownTopicOrPartitionError:
            raise for_code(entry["error_code"])()
    return found


def translate(error: BaseException, settings: KafkaSettings) -> SinkError:
    """Say in our words what a client said, without what it was configured with."""
    text = str(error) or type(error).__name__
    name = type(error).__name__
    if "Authentication" in name or "Sasl" in name or "authentication" in text.lower():
        return SinkError(
            f"the brokers at {settings.brokers} refuse our credentials: {text}",
            "CredentialsInvalid",
        )
    if isinstance(error, TopicAuthorizationFailedError | ClusterAuthorizationFailedError):
        return SinkError(f"the brokers refuse us the right to do this: {text}", "AccessDenied")
    if isinstance(error, UnknownTopicOrPartitionError):
        return SinkError(f"a topic is gone: {text}", "TopicMissing")
    return SinkError(
        f"no answer from the brokers at {settings.brokers} ({settings.protocol.value}): {text}",
        "EndpointUnreachable",
    )


class KafkaSink:
    """Sends events to one topic. Connects at the first one, and again after a failure."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings, self._topic = settings, settings.events_topic
        self._producer: AIOKafkaProducer | None = None
        self._partitions = 0
        self._single = False
        """One event a batch: to find the one that is too large."""
        self._too_large: set[str] = set()
        self.refused = 0
        """Events that were larger than the brokers take; logged and left out."""
        self._log = structlog.get_logger("cloudflux.events")

    async def send(self, events: Sequence[Event]) -> None:
        """Send all; returns when all replicas have them. Raises SinkError.

        One batch of a partition at a time: what fails is sent again before what follows it.
        """
        try:
            producer = self._producer or await self._connect()
            by_partition: dict[int, list[Event]] = {}
            for event in events:
                partition = partition_of(event.key, self._partitions)
                by_partition.setdefault(partition, []).append(event)
            async with asyncio.timeout(SEND_SECONDS), asyncio.TaskGroup() as group:
                for partition, some in by_partition.items():
                    group.create_task(self._send_partition(producer, partition, some))
            self._single = False
            self._too_large.clear()
        except SinkError:
            raise
        except ConfigurationError as error:
            raise SinkError(str(error), "InvalidSpec") from error
        except (KafkaError, TimeoutError, OSError, ExceptionGroup) as error:
            await self._abandon()
            first = _first(error)
            raise (
                first if isinstance(first, SinkError) else translate(first, self._settings)
            ) from error

    async def close(self) -> None:
        """Close the connection; nothing is waited for."""
        await self._abandon()

    async def _connect(self) -> AIOKafkaProducer:
        counts = await ensure_topics(self._settings, {self._topic: {}})
        compression = self._settings.compression
        producer = AIOKafkaProducer(
            **client_options(self._settings),
            acks="all",
            enable_idempotence=True,
            compression_type=None if compression is Compression.NONE else compression.value,
            max_batch_size=BATCH_BYTES,
            max_request_size=MAX_REQUEST_BYTES,
        )
        self._producer = producer
        try:
            await asyncio.wait_for(producer.start(), CONNECT_SECONDS)
        except BaseException:
            await self._abandon()
            raise
        self._partitions = counts[self._topic]
        self._log.info("connected to Kafka", server=self._settings.brokers, topic=self._topic)
        return producer

    async def _send_partition(
        self, producer: AIOKafkaProducer, partition: int, events: Sequence[Event]
    ) -> None:
        position = 0
        while position < len(events):
            batch = producer.create_batch()
            first = position
            while position < len(events) and not (self._single and position > first):
                event = events[position]
                if event.id not in self._too_large and not _added(batch, event):
                    break
                position += 1
            if position == first:
                self._refuse(events[position], "larger than a batch may be")
            elif batch.record_count():
                await self._deliver(producer, partition, batch, events[first:position])

    async def _deliver(
        self, producer: AIOKafkaProducer, partition: int, batch: Any, events: Sequence[Event]
    ) -> None:
        try:
            await (await producer.send_batch(batch, self._topic, partition=partition))
        except MessageSizeTooLargeError as error:
            # the producer counted the batch that was refused: only a new one can go on
            if len(events) > 1:
                self._single = True
            else:
                self._refuse(events[0], str(error))
            await self._abandon()
            raise SinkError("an event is too large for the brokers", "InvalidSpec") from error

    def _refuse(self, event: Event, why: str) -> None:
        self.refused += 1
        self._too_large.add(event.id)
        self._log.error(
            "an event is too large for the brokers and left out",
            topic=self._topic, uid=event.key, kind=event.type, why=why,
        )  # fmt: skip

    async def _abandon(self) -> None:
        """Drop the producer without waiting for what it still wants to send."""
        producer, self._producer = self._producer, None
        if producer is None:
            return
        sender = getattr(producer, "_sender", None)
        task = getattr(sender, "sender_task", None)
        if task is not None:
            task.cancel()
        with contextlib.suppress(Exception):
            await asyncio.wait_for(producer.stop(), 5)


@lru_cache(maxsize=65_536)
def partition_of(key: str, partitions: int) -> int:
    """Return the partition that every Kafka client gives a key."""
    return int(murmur2(key.encode()) & 0x7FFFFFFF) % partitions


def _added(batch: Any, event: Event) -> bool:
    """Put an event into a batch; False when it is full."""
    found = batch.append(
        # retention counts from the hand-over: `ce_time` tells when it happened
        key=event.key.encode(),
        value=event.data,
        timestamp=None,
        headers=headers(event),
    )
    return found is not None


def _first(error: BaseException) -> BaseException:
    found = error
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found
