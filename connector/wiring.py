"""Turns a configured stream into the parts that follow it, and into what operator commands use."""

import hashlib
import json
import threading
from collections.abc import Callable, Iterable
from functools import cached_property, partial
from typing import Final, TypeVar

from connector import __version__
from connector.clock import SYSTEM, Clock, now_ms
from connector.cms.compiled import reading
from connector.cms.connections import Connections
from connector.cms.content_model import described
from connector.cms.source import Observer, Source, Transport, Unopened, ignore
from connector.cms.vendor import Vendor
from connector.config.secret import origins, refreshed
from connector.config.settings import Config
from connector.errors import ConfigError, ConnectorError, Fenced, Superseded, TransactionAborted, UnknownOutcome
from connector.events import compiled
from connector.events.assembler import Assembler
from connector.events.envelope import Provenance
from connector.events.policy import Policy
from connector.events.record import Batch
from connector.kafka.client import Settings
from connector.kafka.cluster import Cluster
from connector.kafka.published import Live, PublishedRecords
from connector.kafka.registry import Registry
from connector.kafka.sharing import Sharing
from connector.kafka.store import KafkaStore
from connector.kafka.topic_names import Layout
from connector.kafka.transaction import REAL_PRODUCER, ProducerFactory
from connector.logs.mask import Mask
from connector.model.change import EntityKey
from connector.model.checkpoint import Checkpoint
from connector.model.core import Writer
from connector.stream.aside import in_thread
from connector.stream.publisher import Publisher
from connector.stream.runner import Bounds
from connector.stream.spec import Hooks, Parts, StreamSpec
from connector.tables.catalog import Catalog
from connector.tables.columns import Options
from connector.vendors import find

T = TypeVar("T")

_ATTEMPTS: Final = 10


class SharedParts:
    """What the streams of a process share."""

    def __init__(self, clock: Clock) -> None:
        self.kafka = Sharing(clock)
        self.connections = Connections()


class ConfiguredStream:
    """The stream of the connection `name`, as configured. Parts are made on first use.

    Properties are made once, and `client` and `registry` keep the secrets of that time: to follow a stream for long,
    make a new `ConfiguredStream` each time you open its parts. `sharing` is what the streams of a process share.
    """

    def __init__(self, config: Config, name: str, clock: Clock = SYSTEM, sharing: SharedParts | None = None) -> None:
        self._sharing = sharing or SharedParts(clock)
        self.config = config
        self.name = name
        self.clock = clock
        self.connection = config.connections[name]

    @cached_property
    def vendor(self) -> Vendor:
        """The connection's vendor; raises `ConfigError` if its settings contradict each other."""
        return find(self.connection.vendor)(self.name, self.connection.settings)

    @cached_property
    def layout(self) -> Layout:
        """The stream's topics."""
        kafka, connection = self.config.kafka, self.connection
        return Layout(
            prefix=kafka.prefix,
            connection=self.name,
            topic=kafka.topic,
            value_schema="flat" if connection.envelope == "flat" else "envelope",
            partitions=kafka.partitions,
            replication_factor=kafka.replication_factor,
            topic_config=dict(kafka.topic_config),
            max_message_bytes=kafka.max_message_bytes,
            # An item that is too large for an event must always fit into a dead letter.
            max_letter_bytes=connection.max_response_bytes + 1024 * 1024,
            transaction_timeout=kafka.transaction_timeout,
        )

    @cached_property
    def fingerprint(self) -> str:
        """A digest of everything that determines what a cursor means; after a dot, one of what is published where.

        After a colon, if there are tables, one of what their rows are.
        """
        connection = self.connection
        scope = {
            "vendor": self.vendor.name,
            "scope": dict(self.vendor.scope),
            "entity_types": sorted(connection.entity_types or ()),
            "content_types": sorted(connection.content_types or ()),
            "locales": sorted(connection.locales or ()),
        }
        events = ".".join(_digest(part) for part in (scope, self.config.kafka.topic))
        return f"{events}:{_digest(connection.tables.locales)}" if connection.tables else events

    @cached_property
    def client(self) -> Settings:
        """The settings of every Kafka client, secrets revealed."""
        return self.config.kafka.properties()

    @cached_property
    def cluster(self) -> Cluster:
        """The Kafka cluster, for reading."""
        return Cluster(self.client, clock=self.clock)

    @cached_property
    def registry(self) -> Registry | None:
        """The schema registry, if one is configured; raises `ConfigError` if its certificates cannot be used."""
        settings = self.config.kafka.registry
        if settings is None:
            return None
        credentials = (
            (settings.user, settings.password.get_secret_value()) if settings.user and settings.password else None
        )
        return Registry(
            settings.url,
            credentials=credentials,
            may_register=settings.may_register,
            pool=self._sharing.connections.pool(
                settings.url, proxy=settings.proxy_to(settings.url), ca=settings.ca, outbound=settings.outbound
            ),
        )

    @cached_property
    def policy(self) -> Policy:
        """What the operator chose to publish, and how."""
        kafka, connection = self.config.kafka, self.connection
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
            content_members=self.vendor.content_members,
        )

    @cached_property
    def provenance(self) -> Provenance:
        """What every event says of its source."""
        vendor = self.vendor
        return Provenance(__version__, vendor.name, self.name, vendor.db, vendor.schema)

    @cached_property
    def writer(self) -> Writer | None:
        """What writes the events of items that the compiled core has read."""
        return compiled.writer(self.provenance, self.policy)

    @cached_property
    def catalog(self) -> Catalog | None:
        """The connection's tables, if it publishes any; it knows what `Publisher.recover` reads."""
        tables = self.connection.tables
        return self.catalog_with(tables.options()) if tables else None

    def catalog_with(self, options: Options) -> Catalog:
        """Return tables with these options, of which nothing is known yet."""
        vendor = self.vendor
        return Catalog(
            self.name,
            options,
            partial(described, vendor.model),
            localized=vendor.localized,
            own_members=vendor.own_members,
            chosen=_some(self.connection.content_types),
        )

    def having(self, **settings: object) -> "ConfiguredStream":
        """Return the stream with other settings of its connection."""
        changed = self.connection.model_copy(update=settings)
        connections = {**self.config.connections, self.name: changed}
        return ConfiguredStream(
            self.config.model_copy(update={"connections": connections}), self.name, self.clock, self._sharing
        )

    def source(
        self,
        *,
        stop: threading.Event | None = None,
        observe: Observer = ignore,
        transport: Transport | None = None,
    ) -> Source:
        """Return the source of the CMS's pages; raises `ConfigError` if a proxy or certificates cannot be used."""
        connection, url = self.connection, self.vendor.base_url
        return Source(
            self.vendor,
            clock=self.clock,
            pool=self._sharing.connections.pool(
                url, proxy=connection.proxy_to(url), ca=connection.ca, outbound=connection.outbound
            ),
            timeout=connection.request_timeout,
            max_response_bytes=connection.max_response_bytes,
            stop=stop,
            observe=observe,
            transport=transport,
            read=reading(self.name, self.vendor, compiled.key(self.name)),
        )

    def store(self, *, producer: ProducerFactory = REAL_PRODUCER, stop: threading.Event | None = None) -> KafkaStore:
        """Return what commits to the stream's topics, and reads its state back; once `stop` is set it fences nobody."""
        return KafkaStore(
            self.client,
            self.layout,
            self.registry,
            producer=producer,
            clock=self.clock,
            shared=self._sharing.kafka.by(self.client),
            stop=stop,
        )

    def publisher(
        self,
        store: KafkaStore,
        committed: Callable[[Batch, float], None] = lambda _batch, _seconds: None,
        *,
        owner: str = "",
        rows_again: bool = False,
    ) -> Publisher:
        """Return the stream's publisher; `owner` names the process that owns the stream, empty if none does.

        `rows_again`: rows of changes that were published before are due too.
        """
        vendor = self.vendor
        assembler = Assembler(
            provenance=self.provenance,
            policy=self.policy,
            now_ms=partial(now_ms, self.clock),
            locate=vendor.locate,
            writer=self.writer,
            tables=self.catalog,
            follows=vendor.follows,
            rows_again=rows_again,
        )
        initial = Checkpoint(stream=self.name, fingerprint=self.fingerprint)
        return Publisher(
            store,
            assembler,
            initial=initial,
            clock=self.clock,
            committed=committed,
            owner=owner,
            aside=in_thread,
            catalog=self.catalog,
        )

    def spec(
        self,
        *,
        owner: str = "contentwire",
        mask: Mask | None = None,
        producer: ProducerFactory = REAL_PRODUCER,
        transport: Transport | None = None,
    ) -> StreamSpec:
        """Return what is needed to follow the stream in the process `owner`; `mask` learns its secrets.

        `producer` and `transport` are seams for injecting faults in tests. Raises what `vendor` raises.
        """
        kafka, connection, mask = self.config.kafka, self.connection, mask or Mask()
        # Not the whole configuration: each of a thousand streams would go through a thousand connections.
        own = self.config.model_copy(update={"connections": {self.name: connection}})

        def start(stop: threading.Event, hooks: Hooks) -> Parts:
            # A new one: secrets may have been read again since the last start.
            stream = ConfiguredStream(self.config, self.name, self.clock, self._sharing)
            source: Source | Unopened
            try:
                source = stream.source(stop=stop, observe=hooks.page, transport=transport)
            except ConfigError as error:
                source = Unopened(stream.vendor, error)
            store = stream.store(producer=producer, stop=stop)
            return Parts(source, stream.publisher(store, hooks.committed, owner=owner))

        def refresh() -> bool:
            changed = refreshed([*connection.secrets(), *kafka.secrets()])
            mask.learn(own.secrets())
            return changed

        return StreamSpec(
            connection=self.name,
            vendor=self.vendor,
            clock=self.clock,
            state_topic=self.layout.state_topic,
            fingerprint=self.fingerprint,
            open=start,
            bounds=Bounds(kafka.commit_items, kafka.commit_bytes, kafka.commit_interval, connection.max_delete_share),
            poll_interval=connection.poll_interval,
            heartbeat=kafka.heartbeat,
            snapshot_mode=connection.snapshot_mode,
            page_size=connection.settings.page_size or 100,
            refresh=refresh,
            secrets_from=origins(connection.secrets()),
            mask=mask,
        )

    def owning(self, act: Callable[[Publisher], T], *, rows_again: bool = False) -> T:
        """Own the stream for as long as `act` takes, and return its result; safe while the stream is being followed.

        Its owner is fenced, recovers within seconds and continues from there. If the owner is faster, `act` is called
        again on what is committed by then. Raises `Unreachable`, `StreamStopped`, or `ConnectorError` if the owner was
        faster every time. `rows_again`: as for `publisher`.
        """
        # The cluster's errors say why there is no connection; a producer's only say that there is none.
        self.cluster.topics()
        publisher = self.publisher(self.store(), rows_again=rows_again)

        def once() -> T:
            publisher.recover()
            return act(publisher)

        try:
            return against_owner(self.name, once)
        finally:
            publisher.close()

    def changes_topics(self) -> list[str]:
        """Return the existing changes topics, sorted; raises `BrokerUnavailable` or `BrokerFatal`."""
        return self.layout.changes_among(self.cluster.topics())

    def committed(self) -> Checkpoint:
        """Return the last checkpoint; raises `ConnectorError` if there is none yet, or as `Cluster.last_checkpoint`."""
        topic = self.layout.state_topic
        found = self.cluster.last_checkpoint(topic, self.name) if topic in self.cluster.topics() else None
        if found is None:
            raise ConnectorError(
                f"{self.name}: has no checkpoint yet", hint="it gets one with its first `contentwire run`"
            )
        return found

    def published(self) -> PublishedRecords:
        """Return the records of the stream's topics, judged by its last checkpoint; raises as `changes_topics` does."""
        return self.published_at(self.cluster.readable_checkpoint(self.layout.state_topic, self.name))

    def live(self, chosen: Callable[[EntityKey, str | None], bool] = lambda *_: True) -> Live:
        """Return what consumers hold of the stream, limited to what is `chosen` by key and content type."""
        published = self.published()
        return Live(published, chosen, localized=self.vendor.localized if self.connection.tables else None)

    def published_at(self, checkpoint: Checkpoint | None) -> PublishedRecords:
        """Return the same, judged by a checkpoint that was read before, or None if there is none."""
        return PublishedRecords(self.client, self.layout, self.registry, checkpoint, self.clock)


def against_owner(connection: str, act: Callable[[], T]) -> T:
    """Call `act`, which takes the stream over and commits, until its owner is not faster; return its result.

    Raises `ConnectorError` if the owner was faster every time.
    """
    for _ in range(_ATTEMPTS):
        try:
            return act()
        except (Fenced, Superseded, TransactionAborted, UnknownOutcome):
            # The owner took it back, or only the checkpoint knows the outcome: recovering again is quick.
            continue
    raise ConnectorError(
        f"{connection}: its owner took the stream back {_ATTEMPTS} times", hint="try again, or stop the owner first"
    )


def streams(config: Config, clock: Clock = SYSTEM) -> list[ConfiguredStream]:
    """Return every stream of a configuration."""
    sharing = SharedParts(clock)
    return [ConfiguredStream(config, name, clock, sharing) for name in config.connections]


def signature(streams: Iterable[ConfiguredStream]) -> str:
    """Return a short digest of everything that a process with these streams follows, and how.

    Raises `ConfigError` if a secret that determines what is followed is not available.
    """
    followed = {stream.name: stream.fingerprint for stream in streams}
    return hashlib.blake2b(json.dumps(followed, sort_keys=True).encode(), digest_size=4).hexdigest()


def _digest(part: object) -> str:
    return hashlib.blake2b(json.dumps(part, sort_keys=True).encode(), digest_size=16).hexdigest()


def _some(names: tuple[str, ...] | None) -> frozenset[str] | None:
    return frozenset(names) if names else None
