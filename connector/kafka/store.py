"""The durable side of one stream: transactions on its topics, and `recover`, the one way to start."""

import re
import time

import msgspec

from connector import codec
from connector.batch import Batch, Route
from connector.checkpoint import CHECKPOINT_KEY, decode_checkpoint
from connector.codec import Framing
from connector.errors import KeySchemaChanged, MalformedItem, TopicMismatch, UnknownOutcome
from connector.index import VERSION as INDEX_VERSION
from connector.index import Index, check_version
from connector.kafka import state, topics
from connector.kafka.client import Settings
from connector.kafka.topics import Seen, Topics, TopicSpec
from connector.kafka.transaction import REAL_PRODUCER, ProducerFactory, Transactions
from connector.model import ALL_LOCALES, Checkpoint, EntityKey, KeySchemaId
from connector.registry import Registry

# What recovery may take beyond the transaction timeout, after which the broker aborts what is still open.
_GRACE = 15.0

_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")

_BATCH_BYTES = 1_000_000  # the client's default


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """Names, sizes and settings of one stream's topics. `topic` is the template of the changes topics."""

    prefix: str
    connection: str
    topic: str = "{prefix}.{connection}.changes"
    value_schema: codec.Name = "envelope"
    partitions: int = 6
    replication_factor: int = -1
    topic_config: dict[str, str] = {}
    max_message_bytes: int = 8 * 1024 * 1024
    max_letter_bytes: int = 65 * 1024 * 1024
    transaction_timeout: float = 20.0

    @property
    def transactional_id(self) -> str:
        """The stream's transactional id; also the beginning of its topics' names."""
        return f"{self.prefix}.{self.connection}"

    @property
    def state_topic(self) -> str:
        """The topic whose only partition holds checkpoint and index, and stands for ownership."""
        return f"{self.transactional_id}.state"

    @property
    def letters_topic(self) -> str:
        """The topic of dead letters."""
        return f"{self.transactional_id}.dead-letters"

    def changes_topic(self, key: EntityKey) -> str:
        """Return where a key's events go: a function of the key only.

        Raises `MalformedItem` for a locale that cannot be part of a topic's name, or names a topic of ours.
        """
        locale = "all" if key.locale == ALL_LOCALES else key.locale
        name = self.topic.format(
            prefix=self.prefix, connection=self.connection, entity_type=key.entity_type, locale=locale
        )
        if not _TOPIC.fullmatch(name) or name in (self.state_topic, self.letters_topic):
            raise MalformedItem("the topic template makes no topic name of the item's locale")
        return name

    def state_spec(self) -> TopicSpec:
        """Return how the state topic must be."""
        return topics.state(self.state_topic, self.replication_factor)

    def changes_spec(self, topic: str) -> TopicSpec:
        """Return how a changes topic must be."""
        return topics.changes(
            topic, self.partitions, self.replication_factor, self.max_message_bytes, self.topic_config
        )


class KafkaStore:
    """A `Store` on Kafka. One producer at a time; it is replaced at every `recover`. Not thread-safe.

    With `examine` recovery examines every topic that the checkpoint records; else only topics that are written to are.
    """

    def __init__(
        self,
        client: Settings,
        layout: Layout,
        registry: Registry | None = None,
        *,
        producer: ProducerFactory = REAL_PRODUCER,
        examine: bool = True,
    ) -> None:
        self._client = client
        self._examine = examine
        self._layout = layout
        self._registry = registry
        self._producer = producer
        self._topics = Topics(client)
        self._routes: dict[str, Route] = {}
        self._framings: dict[str, Framing] = {}
        self._checkpoint: Checkpoint | None = None
        self._transactions: Transactions | None = None
        self._position = 0

    def recover(self, index: Index) -> Checkpoint | None:
        """Fence, ask where the state ends, read to there. Later recoveries read on from the last committed offset."""
        self.close()
        self._topics.ensure(self._layout.state_spec())
        deadline = time.monotonic() + self._layout.transaction_timeout + _GRACE
        # A topic's max.message.bytes bounds a batch of records, not only each of them.
        batch_bytes = min(int(self._client.get("batch.size", _BATCH_BYTES)), self._layout.max_message_bytes)
        transactions = Transactions(
            {**self._client, "batch.size": str(batch_bytes)},
            self._layout.transactional_id,
            timeout=self._layout.transaction_timeout,
            max_message_bytes=max(self._layout.max_message_bytes, self._layout.max_letter_bytes),
            producer=self._producer,
        )
        # Fence before asking for the end: a zombie must not commit behind it.
        transactions.fence(_GRACE)
        self._transactions = transactions
        return self._read_back(index, deadline)

    def commit(self, batch: Batch) -> None:
        """Commit a batch in one transaction."""
        if self._transactions is None:
            raise UnknownOutcome("recover first")
        offset = self._transactions.commit(batch.records, self._layout.state_topic, batch.state)
        self._position = offset + 1
        self._checkpoint = batch.checkpoint

    def route(self, key: EntityKey) -> Route:
        """Return where events of a key go; a topic met for the first time is created and its schemas are registered."""
        topic = self._layout.changes_topic(key)
        return self._routes.get(topic) or self._open(topic)

    def letters_route(self) -> Route:
        """Return where dead letters go."""
        topic = self._layout.letters_topic
        if topic not in self._routes:
            spec = topics.dead_letters(topic, self._layout.replication_factor, self._layout.max_letter_bytes)
            count = self._topics.ensure(spec).partitions
            value = self._framing(f"{topic}-value", "dead_letter")
            self._routes[topic] = Route(topic, codec.single_object("key"), value, count)
        return self._routes[topic]

    def superseded(self) -> bool:
        """Tell whether the state topic has grown beyond our last commit and its marker, or a topic is another one now.

        In both cases recovery knows what to do: it examines the topics.
        """
        written = {each.topic: Seen(each.partitions, each.topic_id) for each in self._routes.values()}
        return self.end() > self._position + 1 or self._topics.changed(written)

    def end(self) -> int:
        """Return where the state topic ends."""
        return self._topics.end(self._layout.state_topic, _GRACE)

    def close(self) -> None:
        """Let go of the producer. An open transaction of it is aborted by the next fence, or by its timeout."""
        if self._transactions:
            self._transactions.close()
            self._transactions = None

    def _open(self, topic: str) -> Route:
        layout = self._layout
        recorded = topics.first_seen(self._checkpoint, topic)
        if recorded is None:
            self._topics.check_unwritten(topic)
        seen = self._topics.ensure(layout.changes_spec(topic), recorded)
        key = self._framing(f"{topic}-key", "key")
        if self._checkpoint:
            _check_key_schema(self._checkpoint.key_schema_id, key.schema_id, layout.connection)
        value = self._framing(f"{topic}-value", layout.value_schema)
        self._routes[topic] = Route(topic, key, value, seen.partitions, seen.topic_id or "")
        return self._routes[topic]

    def _framing(self, subject: str, schema: codec.Name) -> Framing:
        """Return how a schema is framed; a registry is asked once a process, so that its outage stops no recovery."""
        if self._registry is None:
            return codec.single_object(schema)
        if subject not in self._framings:
            self._framings[subject] = codec.confluent(self._registry.register(subject, codec.text(schema)))
        return self._framings[subject]

    def _read_back(self, index: Index, deadline: float) -> Checkpoint | None:
        topic = self._layout.state_topic
        end = self._topics.end(topic, _GRACE)
        if end < self._position:
            raise TopicMismatch(
                f"topic {topic} ends at {end}, though we have read to {self._position}: it was deleted or recreated",
                hint="restore it, or follow the CMS anew under another prefix: nothing else knows what was published",
            )

        def apply(key: bytes, value: bytes | None) -> None:
            if key == CHECKPOINT_KEY:
                self._checkpoint = decode_checkpoint(value) if value else None
                return
            if value is not None:
                check_version(value, INDEX_VERSION)
            index.apply(key, value)

        patience = max(deadline - time.monotonic(), 1.0)
        self._position = state.read(self._client, topic, range(self._position, end), apply, patience)
        # Routes are opened anew against the recovered checkpoint: a recreated topic or schema is noticed here.
        self._routes = {}
        for recorded in self._checkpoint.partitions if self._checkpoint and self._examine else ():
            self._open(recorded)
        return self._checkpoint


def _check_key_schema(recorded: KeySchemaId, now: KeySchemaId, connection: str) -> None:
    if recorded.framing and recorded != now:
        raise KeySchemaChanged(
            f"keys of {connection} were written as {recorded.framing} {recorded.id}, now they would be "
            f"{now.framing} {now.id}: the same entity would land on another partition",
            hint="restore the registry (or its absence) as it was, or follow the CMS anew under another prefix",
        )
