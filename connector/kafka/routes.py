"""Where a stream's records go, and how they are framed there: topics and schemas, opened on first use."""

from msgspec.structs import replace

from connector.events import codec
from connector.events.record import Route
from connector.kafka.schema_ids import Schemas
from connector.kafka.topic_names import Layout
from connector.kafka.topics import Topics, check_key_schema
from connector.model.change import EntityKey
from connector.model.checkpoint import KnownTopic, Progress


class Routes:
    """The open routes of one stream. Not thread-safe.

    Opening one raises `BrokerUnavailable`, `BrokerFatal`, or what `Schemas.framing` raises; above all `TopicMismatch`
    and `KeySchemaChanged`, if a topic or its keys would differ from what `progress` records.
    """

    def __init__(self, layout: Layout, topics: Topics, schemas: Schemas) -> None:
        self._layout = layout
        self._topics = topics
        self._schemas = schemas
        self._open: dict[str, Route] = {}
        self._tables: dict[str, tuple[codec.Framing, KnownTopic]] = {}
        self.progress = Progress()

    def start_over(self, progress: Progress) -> None:
        """Close every route: a topic or schema that was recreated is noticed when opened again."""
        self._open, self._tables, self.progress = {}, {}, progress

    def of(self, key: EntityKey) -> Route:
        """Return where events of a key go; a topic seen for the first time is created, its schemas registered.

        Raises `MalformedItem` for a key for which no topic can be named.
        """
        return self._to(self._layout.changes_topic(key))

    def table(self, table: str, schema: str) -> Route:
        """Return where rows of a table go, written with `schema`: registered and its topic created if need be.

        Raises `ModelRefused` if the registry refuses the schema, or Kafka the name.
        """
        topic = self._layout.table_topic(table)
        value = self.table_value(table, schema)
        if topic not in self._tables:
            key = self._framing(f"{topic}-key", "key")
            check_key_schema(self.progress.key_schema_id, key.schema_id, self._layout.connection)
            self._tables[topic] = key, self._found_table(topic)
        key, found = self._tables[topic]
        return Route(topic, key, value, found)

    def table_value(self, table: str, schema: str) -> codec.Framing:
        """Return how rows of a table are framed, with their schema registered; raises as `table` does."""
        subject = f"{self._layout.table_topic(table)}-value"
        return self._schemas.table_framing(subject, schema, self.progress.key_schema_id)

    def is_open(self, key: EntityKey) -> bool:
        """Return whether `of` only has to look up where events of a key go; raises what it raises for its topic."""
        return self._layout.changes_topic(key) in self._open

    def is_open_table(self, table: str) -> bool:
        """Return whether the topic of a table's rows is open; raises as `table` does for its name."""
        return self._layout.table_topic(table) in self._tables

    def letters(self) -> Route:
        """Return where dead letters go."""
        topic = self._layout.letters_topic
        if topic not in self._open:
            found = self._topics.ensure(self._layout.letters_spec())
            value = self._framing(f"{topic}-value", "dead_letter")
            self._open[topic] = Route(topic, codec.single_object("key"), value, found)
        return self._open[topic]

    def verified(self, progress: Progress) -> Progress:
        """Open every topic that must be unchanged; return the progress with the ids that it lacked.

        If the template does not depend on the key, its one topic exists from the start, for subscribers.
        """
        self._schemas.verify()
        if only := self._layout.only_topic:
            self._to(only)
        for topic in progress.expected_topics:
            found = self._found_table(topic) if self._layout.is_table(topic) else self._to(topic).found
            progress = progress.recording(topic, found)
        return progress

    def changed(self, state: KnownTopic) -> bool:
        """Return whether a topic, the state topic included, seems to have changed."""
        self._schemas.verify()
        return self._topics.changed({self._layout.state_topic: state, **self.progress.expected_topics})

    def check_schemas(self) -> None:
        """Raise `RegistryChanged` if ids in use now mean something else; asks only now and then."""
        self._schemas.verify()

    def _to(self, topic: str) -> Route:
        if topic not in self._open:
            self._open[topic] = self._opened(topic)
        return self._open[topic]

    def _opened(self, topic: str) -> Route:
        found = self._found(topic)
        key = self._framing(f"{topic}-key", "key")
        check_key_schema(self.progress.key_schema_id, key.schema_id, self._layout.connection)
        value = self._framing(f"{topic}-value", self._layout.value_schema)
        return Route(topic, key, value, found)

    def _found_table(self, topic: str) -> KnownTopic:
        return replace(self._found(topic), table=True)

    def _found(self, topic: str) -> KnownTopic:
        recorded = self.progress.topics.get(topic)
        if recorded is None:
            self._topics.check_unwritten(topic)
        return self._topics.ensure(self._layout.changes_spec(topic), recorded)

    def _framing(self, subject: str, name: codec.Name) -> codec.Framing:
        return self._schemas.framing(subject, name, self.progress.key_schema_id)
