"""The durable side of one stream: transactions on its topics, and `recover`, the one way to start."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

from msgspec.structs import replace

from connector.clock import Clock
from connector.errors import Superseded, TopicMismatch, UnknownOutcome
from connector.events.index import Index
from connector.events.owner_report import REPORT_KEY, OwnerReport, decode_report, encode_report
from connector.events.record import Batch, Record, Route
from connector.events.state_record import CHECKPOINT_KEY, decode_checkpoint, encode_checkpoint
from connector.kafka import state_topic
from connector.kafka.client import Settings
from connector.kafka.foreign_records import Foreign, StateJudge
from connector.kafka.registry import Registry
from connector.kafka.routes import Routes
from connector.kafka.schema_ids import Schemas
from connector.kafka.topic_names import Layout
from connector.kafka.topics import Topics
from connector.kafka.transaction import REAL_PRODUCER, ProducerFactory, Transactions
from connector.model.change import EntityKey
from connector.model.checkpoint import Checkpoint, KnownTopic, Progress

# What recovery may take beyond the transaction timeout, after which the broker aborts what is still open.
_GRACE = 15.0

_BATCH_BYTES = 1_000_000  # the client's default


class KafkaStore:
    """A `Store` on Kafka. One producer at a time; it is replaced at every `recover`. Not thread-safe.

    `verify_every`: seconds between two looks at whether the registry still knows the ids that records carry.
    """

    def __init__(  # noqa: PLR0913  what is beyond the topics are keywords with defaults
        self,
        client: Settings,
        layout: Layout,
        registry: Registry | None = None,
        *,
        clock: Clock,
        producer: ProducerFactory = REAL_PRODUCER,
        verify_every: float = 120.0,
    ) -> None:
        self._client = client
        self._layout = layout
        self._producer = producer
        self._clock = clock
        self._topics = Topics(client, clock)
        schemas = Schemas(registry, layout.connection, verify_every=verify_every, clock=clock)
        self._routes = Routes(layout, self._topics, schemas)
        self._checkpoint: Checkpoint | None = None
        self._report = OwnerReport()
        self._transactions: Transactions | None = None
        self._position = 0
        self._foreign: Collection[Foreign] = ()
        self._left: int | None = None
        self._state_id: str | None = None

    def recover(self, index: Index) -> Checkpoint | None:
        """Fence, ask where the state ends, read to there. Later recoveries read on from the last committed offset."""
        self.close()
        self._left = None
        state_id = self._topics.ensure(self._layout.state_spec()).topic_id
        if self._state_id not in (None, state_id):
            raise self._lost(index)
        self._state_id = state_id
        deadline = self._clock.monotonic() + self._layout.transaction_timeout + _GRACE
        # A topic's max.message.bytes bounds a batch of records, not only each of them.
        batch_bytes = min(int(self._client.get("batch.size", _BATCH_BYTES)), self._layout.max_message_bytes)
        transactions = Transactions(
            {**self._client, "batch.size": str(batch_bytes)},
            self._layout.transactional_id,
            timeout=self._layout.transaction_timeout,
            max_message_bytes=max(self._layout.max_message_bytes, self._layout.max_letter_bytes),
            clock=self._clock,
            producer=self._producer,
        )
        # Fence before asking for the end: a zombie must not commit behind it.
        transactions.fence(_GRACE)
        self._transactions = transactions
        return self._read_back(index, deadline)

    def commit(self, batch: Batch) -> None:
        """Commit a batch in one transaction."""
        if batch.records:
            # A stream that is busy has no time to look around.
            self._routes.check_schemas()
        self._transact(batch.records, batch.state)
        self._checkpoint, self._routes.progress = batch.checkpoint, batch.checkpoint.progress

    def mend(self, index: Index) -> None:
        """Replace what `recover` has refused as foreign: by what was there before, else by a tombstone; then recover.

        `index` is the one that `recover` was given. Raises what `commit` raises.
        """
        before = {CHECKPOINT_KEY: encode_checkpoint(self._checkpoint) if self._checkpoint else None, REPORT_KEY: None}
        keys = [each.key for each in self._foreign if each.key is not None]
        for key in set(keys) - before.keys():
            entry = index.get(key)
            before[key] = entry.encode() if entry else None
        self._transact([], [(key, before[key]) for key in keys])

    def replace(self, records: Sequence[Record]) -> None:
        """Commit records that no batch has made, beside the report as it is. Raises what `commit` raises."""
        self._transact(records, [(REPORT_KEY, encode_report(self._report))])

    def report(self) -> OwnerReport:
        """Return the report that was read back last."""
        return self._report

    def note(self, report: OwnerReport) -> None:
        """Commit a report in a transaction of its own."""
        self._transact([], [(REPORT_KEY, encode_report(report))])

    def route(self, key: EntityKey) -> Route:
        """Return where events of a key go; a topic met for the first time is created and its schemas are registered."""
        with self._up_to_date():
            return self._routes.of(key)

    def letters_route(self) -> Route:
        """Return where dead letters go."""
        return self._routes.letters()

    def superseded(self) -> bool:
        """Return whether the state topic has grown beyond our last commit and its marker."""
        end = self._topics.end(self._layout.state_topic, _GRACE)
        if self._left is None:
            # A transaction of ours has failed: what it left there is nobody else's.
            self._left = end
        return end > self._left

    def verify_topics(self, checkpoint: Checkpoint) -> Checkpoint:
        """Open every topic that must be what it was; return the checkpoint with the ids that it lacks."""
        with self._up_to_date():
            return replace(checkpoint, progress=self._routes.verified(checkpoint.progress))

    def topics_changed(self) -> bool:
        """Return whether a topic, that of the state among them, seems not to be what it was."""
        return self._routes.changed(KnownTopic(1, self._state_id))

    def close(self) -> None:
        """Let go of the producer. An open transaction of it is aborted by the next fence, or by its timeout."""
        if self._transactions:
            self._transactions.close()
            self._transactions = None

    @contextmanager
    def _up_to_date(self) -> Iterator[None]:
        """Raise `Superseded` where a topic is not what it was, and somebody else has committed why."""
        try:
            yield
        except TopicMismatch as error:
            if self.superseded():
                raise Superseded("somebody else has committed: what we know of the topics is out of date") from error
            raise

    def _transact(self, records: Sequence[Record], state: Sequence[tuple[bytes, bytes | None]]) -> None:
        if self._transactions is None:
            raise UnknownOutcome("recover first")
        left, self._left = self._left, None
        written = self._transactions.commit(records, self._layout.state_topic, state)
        if written.start < self._position:
            raise UnknownOutcome("the state topic began anew under a commit")
        if left is not None and written.start > left:
            # Somebody else has written in between: read that, and count the topic as grown beyond us.
            self._left = written.stop - 1
        else:
            self._position, self._left = written.stop, written.stop + 1  # the marker

    def _lost(self, index: Index) -> TopicMismatch:
        """Forget what was read from another topic: what a command writes into this one is then read as a whole."""
        self._position, self._checkpoint, self._state_id = 0, None, None
        self._routes.start_over(Progress())
        index.clear()
        lost = f"topic {self._layout.state_topic} was deleted or recreated, with what was known of the stream"
        return TopicMismatch(lost, hint="contentwire checkpoints import, of an exported one; or take another prefix")

    def _read_back(self, index: Index, deadline: float) -> Checkpoint | None:
        topic = self._layout.state_topic
        end = self._topics.end(topic, _GRACE)
        if end < self._position:
            raise self._lost(index)

        judge = StateJudge(topic, self._layout.connection)

        def apply(key: bytes | None, value: bytes | None, offset: int) -> None:
            if key is None or not judge.accepts(key, value, offset):
                return
            if key == CHECKPOINT_KEY:
                self._checkpoint = decode_checkpoint(value) if value else None
                return
            if key == REPORT_KEY:
                self._report = decode_report(value) if value else OwnerReport()
                return
            index.apply(key, value)

        timeout = max(deadline - self._clock.monotonic(), 1.0)
        position = state_topic.read(self._client, topic, range(self._position, end), apply, timeout, clock=self._clock)
        self._foreign = judge.foreign
        judge.check()
        self._position = position
        self._left = self._position
        self._routes.start_over(self._checkpoint.progress if self._checkpoint else Progress())
        return self._checkpoint
