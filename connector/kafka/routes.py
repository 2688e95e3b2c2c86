"""Where a stream's records go, and how they are framed there: topics and schemas, opened when first asked for."""

from connector.events import codec
from connector.events.record import Route
from connector.kafka.schema_ids import Schemas
from connector.kafka.topic_names import Layout
from connector.kafka.topics import Topics, check_key_schema
from connector.model.change import EntityKey
from connector.model.checkpoint import KnownTopic, Progress


class Routes:
    """The open routes of one stream. Not thread-safe.

    What opens one raises `BrokerUnavailable`, `BrokerFatal`, or what `Schemas.framing` raises; above all
    `TopicMismatch` and `KeySchemaChanged`, where a topic or its keys would not be what `progress` knows of them.
    """

    def __init__(self, layout: Layout, topics: Topics, schemas: Schemas) -> None:
        self._layout = layout
        self._topics = topics
        self._schemas = schemas
        self._open: dict[str, Route] = {}
        self.progress = Progress()

    def start_over(self, progress: Progress) -> None:
        """Close every route: a topic or schema that was recreated is noticed when it is opened again."""
        self._open, self.progress = {}, progress

    def of(self, key: EntityKey) -> Route:
        """Return where events of a key go; a topic met for the first time is created and its schemas are registered.

        Raises `MalformedItem` for a key that no topic can be named for.
        """
        return self._to(self._layout.changes_topic(key))

    def letters(self) -> Route:
        """Return where dead letters go."""
        topic = self._layout.letters_topic
        if topic not in self._open:
            found = self._topics.ensure(self._layout.letters_spec())
            value = self._framing(f"{topic}-value", "dead_letter")
            self._open[topic] = Route(topic, codec.single_object("key"), value, found)
        return self._open[topic]

    def verified(self, progress: Progress) -> Progress:
        """Open every topic that must be what it was; return the progress with the ids that it lacks.

        The one topic of a stream whose template names nothing of a key is there from the start, for who subscribes.
        """
        self._schemas.verify()
        if only := self._layout.only_topic:
            self._to(only)
        for topic in progress.expected_topics:
            progress = progress.recording(topic, self._to(topic).found)
        return progress

    def changed(self, state: KnownTopic) -> bool:
        """Return whether a topic, that of the state among them, seems not to be what it was."""
        self._schemas.verify()
        return self._topics.changed({self._layout.state_topic: state, **self.progress.expected_topics})

    def check_schemas(self) -> None:
        """Raise `RegistryChanged` where ids in use mean something else by now; asked for now and then alone."""
        self._schemas.verify()

    def _to(self, topic: str) -> Route:
        if topic not in self._open:
            self._open[topic] = self._opened(topic)
        return self._open[topic]

    def _opened(self, topic: str) -> Route:
        recorded = self.progress.topics.get(topic)
        if recorded is None:
            self._topics.check_unwritten(topic)
        found = self._topics.ensure(self._layout.changes_spec(topic), recorded)
        key = self._framing(f"{topic}-key", "key")
        check_key_schema(self.progress.key_schema_id, key.schema_id, self._layout.connection)
        value = self._framing(f"{topic}-value", self._layout.value_schema)
        return Route(topic, key, value, found)

    def _framing(self, subject: str, name: codec.Name) -> codec.Framing:
        return self._schemas.framing(subject, name, self.progress.key_schema_id)
