"""Clients of Kafka: what each is given, topics made or checked, and what is said of failures."""

import asyncio
import contextlib
import ssl
from collections.abc import Mapping
from typing import Any

import structlog
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.conn import create_conn
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    KafkaConnectionError,
    KafkaError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    for_code,
)

from cloudflux.errors import ConfigurationError
from cloudflux.events.outbox import SinkError
from cloudflux.events.tokens import EndpointToken, FileToken, secret_of
from cloudflux.settings import KafkaSettings, SaslMechanism

CONNECT_SECONDS = 15.0
REQUEST_SECONDS = 20


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
