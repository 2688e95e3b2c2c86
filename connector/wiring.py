"""A configured connection becomes the parts that follow it."""

import hashlib
import json
import threading
from collections.abc import Callable, Iterable

from connector import __version__
from connector.cms import http
from connector.cms.source import Observer, Source, Transport, Unopened, ignore
from connector.cms.vendor import Vendor
from connector.config.secret import Secret
from connector.config.settings import Config, Connection, KafkaConfig
from connector.errors import ConfigError
from connector.events.assembler import Assembler, Batch, Policy
from connector.events.envelope import Provenance
from connector.kafka.layout import Layout
from connector.kafka.registry import Registry
from connector.kafka.store import KafkaStore
from connector.kafka.transaction import REAL_PRODUCER, ProducerFactory
from connector.logs import Mask
from connector.model.checkpoint import Checkpoint
from connector.stream.publisher import Publisher
from connector.stream.runner import Bounds
from connector.stream.spec import Hooks, Parts, Plan
from connector.stream.status import now_ms
from connector.vendors import find


def plan(  # noqa: PLR0913  what is beyond the connection are keywords with defaults
    config: Config,
    connection: Connection,
    *,
    owner: str = "contentwire",
    mask: Mask | None = None,
    producer: ProducerFactory = REAL_PRODUCER,
    transport: Transport | None = None,
) -> Plan:
    """Return what following `connection` takes, for the process that calls itself `owner`; `mask` learns its secrets.

    `producer` and `transport` are the seams where tests inject faults.

    Raises `ConfigError` for settings that the vendor cannot combine.
    """
    kafka, mask = config.kafka, mask or Mask()
    vendor = find(connection.vendor)(connection.name, connection.settings)
    laid_out = layout(kafka, connection)

    def start(stop: threading.Event, hooks: Hooks) -> Parts:
        source: Source | Unopened
        try:
            source = open_source(connection, vendor, stop=stop, observe=hooks.page, transport=transport)
        except ConfigError as error:
            source = Unopened(vendor, error)
        store = KafkaStore(kafka.properties(), laid_out, registry(kafka), producer=producer)
        return Parts(source, publisher(store, kafka, connection, vendor, hooks.committed, owner=owner))

    def refresh() -> bool:
        changed = _refreshed([*connection.secrets(), *kafka.secrets()])
        mask.learn(config.secrets())
        return changed

    return Plan(
        connection=connection.name,
        vendor=vendor,
        state_topic=laid_out.state_topic,
        fingerprint=fingerprint(kafka, connection, vendor),
        open=start,
        bounds=Bounds(kafka.commit_items, kafka.commit_bytes, kafka.commit_interval, connection.max_delete_share),
        poll_interval=connection.poll_interval,
        heartbeat=kafka.heartbeat,
        snapshot_mode=connection.snapshot_mode,
        page_size=connection.settings.page_size or 100,
        refresh=refresh,
        secrets_from=_origins(connection.secrets()),
        mask=mask,
    )


def _refreshed(secrets: Iterable[Secret]) -> bool:
    """Read every secret again that can have changed; return whether one has."""
    return sum(secret.refresh() for secret in secrets) > 0


def _origins(secrets: Iterable[Secret]) -> str:
    """Return where credentials come from, and when that is read again."""
    rotating = sorted({secret.origin for secret in secrets if secret.rotates})
    fixed = sorted({secret.origin for secret in secrets if not secret.rotates})
    told = [f"{' and '.join(rotating)} is read again with every try"] if rotating else []
    told += [f"{' and '.join(fixed)} is read at the start alone: restart after a change"] if fixed else []
    return "; ".join(told)


def publisher(  # noqa: PLR0913  what only an owner has are parameters with defaults
    store: KafkaStore,
    kafka: KafkaConfig,
    connection: Connection,
    vendor: Vendor,
    committed: Callable[[Batch, float], None] = lambda _batch, _seconds: None,
    *,
    owner: str = "",
) -> Publisher:
    """Return the publisher of a connection's stream; `owner` is the process that owns it, if it is one that does."""
    assembler = Assembler(
        provenance=Provenance(__version__, vendor.name, connection.name, vendor.db, vendor.schema),
        policy=policy(kafka, connection),
        route=store.route,
        dead_letters=store.letters_route,
        now_ms=now_ms,
        locate=vendor.locate,
    )
    initial = Checkpoint(stream=connection.name, fingerprint=fingerprint(kafka, connection, vendor))
    return Publisher(store, assembler, initial=initial, committed=committed, owner=owner)


def open_source(
    connection: Connection,
    vendor: Vendor,
    *,
    stop: threading.Event | None = None,
    observe: Observer = ignore,
    transport: Transport | None = None,
) -> Source:
    """Return the source of a connection's pages."""
    return Source(
        vendor,
        proxy=connection.proxy_to(vendor.base_url),
        context=http.certificates(connection.ca, connection.outbound),
        timeout=connection.request_timeout,
        max_response_bytes=connection.max_response_bytes,
        stop=stop,
        observe=observe,
        transport=transport,
    )


def layout(kafka: KafkaConfig, connection: Connection) -> Layout:
    """Return the topics of a connection's stream."""
    return Layout(
        prefix=kafka.prefix,
        connection=connection.name,
        topic=kafka.topic,
        value_schema="flat" if connection.envelope == "flat" else "envelope",
        partitions=kafka.partitions,
        replication_factor=kafka.replication_factor,
        topic_config=dict(kafka.topic_config),
        max_message_bytes=kafka.max_message_bytes,
        # An item that is too large for an event must fit into a dead letter, whatever it takes.
        max_letter_bytes=connection.max_response_bytes + 1024 * 1024,
        transaction_timeout=kafka.transaction_timeout,
    )


def registry(kafka: KafkaConfig) -> Registry | None:
    """Return the configured schema registry, if there is one."""
    settings = kafka.registry
    if settings is None:
        return None
    credentials = (settings.user, settings.password.get_secret_value()) if settings.user and settings.password else None
    return Registry(
        settings.url,
        credentials=credentials,
        may_register=settings.may_register,
        proxy=settings.proxy_to(settings.url),
        context=http.certificates(settings.ca, settings.outbound),
    )


def policy(kafka: KafkaConfig, connection: Connection) -> Policy:
    """Return what the operator chose to publish, and how."""
    return Policy(
        entity_types=_some(connection.entity_types),
        content_types=_some(connection.content_types),
        locales=_some(connection.locales),
        unseen_deletes=connection.unseen_deletes,
        tombstones=connection.tombstones,
        envelope=connection.envelope,
        malformed=connection.malformed,
        oversized=connection.oversized,
        republish=connection.republish,
        max_message_bytes=kafka.max_message_bytes,
        commit_items=kafka.commit_items,
        commit_bytes=kafka.commit_bytes,
        content_members=find(connection.vendor).content_members,
    )


def fingerprint(kafka: KafkaConfig, connection: Connection, vendor: Vendor) -> str:
    """Return a digest of what decides what a cursor means, and after a dot one of what is published where."""
    scope = {
        "vendor": vendor.name,
        "scope": dict(vendor.scope),
        "entity_types": sorted(connection.entity_types or ()),
        "content_types": sorted(connection.content_types or ()),
        "locales": sorted(connection.locales or ()),
    }
    return ".".join(_digest(part) for part in (scope, kafka.topic))


def signature(config: Config) -> str:
    """Return a short digest of everything that a process with this configuration follows, and how."""
    followed = {
        connection.name: fingerprint(config.kafka, connection, find(connection.vendor)(name, connection.settings))
        for name, connection in config.connections.items()
    }
    return hashlib.blake2b(json.dumps(followed, sort_keys=True).encode(), digest_size=4).hexdigest()


def _digest(part: object) -> str:
    return hashlib.blake2b(json.dumps(part, sort_keys=True).encode(), digest_size=16).hexdigest()


def _some(names: tuple[str, ...] | None) -> frozenset[str] | None:
    return frozenset(names) if names else None
