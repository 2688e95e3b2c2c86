"""The durable side of one stream: transactions on its topics, and `recover`, the only way to start."""

import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext

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
from connector.kafka.sharing import Shared, producers, turns
from connector.kafka.topic_names import Layout
from connector.kafka.topics import Topics
from connector.kafka.transaction import REAL_PRODUCER, ProducerFactory, Transactions
from connector.model.change import EntityKey
from connector.model.checkpoint import Checkpoint, KnownTopic, Progress
from connector.tables.catalog import is_model

# Seconds that recovery may take beyond the transaction timeout, after which the broker aborts what is still open.
_GRACE = 15.0

_BATCH_BYTES = 1_000_000  # the client's default


class KafkaStore:
    """A `Store` on Kafka. One producer at a time, replaced at every `recover`. Not thread-safe.

    `verify_every`: seconds between checks that the registry still knows the ids that records carry. `stop`: the stream
    is somebody else's, who must not be fenced any more.
    """

    def __init__(  # noqa: PLR0913  all but the topics are keywords
        self,
        client: Settings,
        layout: Layout,
        registry: Registry | None = None,
        *,
        clock: Clock,
        producer: ProducerFactory = REAL_PRODUCER,
        verify_every: float = 120.0,
        shared: Shared | None = None,
        stop: threading.Event | None = None,
    ) -> None:
        self._client = client
        self._layout = layout
        self._producer = producer
        self._clock = clock
        self._topics = Topics(client, clock, shared)
        self._stop = stop or threading.Event()
        self._turns = shared.turns if shared else turns(clock)
        self._producers = shared.producers if shared else producers(clock)
        texts = shared.texts if shared else None
        schemas = Schemas(registry, layout.connection, verify_every=verify_every, clock=clock, texts=texts)
        self._routes = Routes(layout, self._topics, schemas)
        self._checkpoint: Checkpoint | None = None
        self._report = OwnerReport()
        self._model: dict[bytes, bytes] = {}
        self._transactions: Transactions | None = None
        self._position = 0
        self._foreign: Collection[Foreign] = ()
        self._own_end: int | None = None
        self._state_id: str | None = None
        self._resting = False

    def recover(self, index: Index) -> Checkpoint | None:
        """Fence, find the end of the state, read up to it. Later recoveries continue from the last committed offset."""
        self.close()
        self._own_end = None
        self._producers.take(self._wanted)
        with self._given_back_if_unused(), self._turns.turn(self._wanted):
            return self._recover(index)

    def _recover(self, index: Index) -> Checkpoint | None:
        state_id = self._topics.ensure(self._layout.state_spec()).topic_id
        if self._state_id not in (None, state_id):
            raise self._lost(index)
        self._state_id = state_id
        deadline = self._clock.monotonic() + self._layout.transaction_timeout + _GRACE
        # Fence before asking for the end: a zombie must not commit beyond it.
        self._fence()
        return self._read_back(index, deadline)

    def commit(self, batch: Batch) -> None:
        """Commit a batch in one transaction."""
        if batch.records:
            # A busy stream has no idle time in which to check.
            self._routes.check_schemas()
        self._transact(batch.records, batch.state)
        self._checkpoint, self._routes.progress = batch.checkpoint, batch.checkpoint.progress
        for key, value in batch.state:
            if is_model(key):
                self._keep(key, value)

    def mend(self, index: Index) -> None:
        """Replace what `recover` refused as foreign with what was there before, else with a tombstone; then recover.

        `index` is the one that was passed to `recover`. Raises what `commit` raises.
        """
        before = {CHECKPOINT_KEY: encode_checkpoint(self._checkpoint) if self._checkpoint else None, REPORT_KEY: None}
        keys = [each.key for each in self._foreign if each.key is not None]
        for key in set(keys) - before.keys():
            entry = index.get(key)
            before[key] = entry.encode() if entry else self._model.get(key)
        self._transact([], [(key, before[key]) for key in keys])

    def replace(self, records: Sequence[Record]) -> None:
        """Commit records that come from no batch, with the report unchanged. Raises what `commit` raises."""
        self._transact(records, [(REPORT_KEY, encode_report(self._report))])

    def report(self) -> OwnerReport:
        """Return the report that was read back last."""
        return self._report

    def note(self, report: OwnerReport) -> None:
        """Commit a report in a separate transaction."""
        self._transact([], [(REPORT_KEY, encode_report(report))])

    def route(self, key: EntityKey) -> Route:
        """Return where events of a key go; a topic seen for the first time is created, its schemas registered."""
        with self._opening(known=self._routes.is_open(key)):
            return self._routes.of(key)

    def table_route(self, table: str, schema: str) -> Route:
        """Return where rows of a table go; a topic seen for the first time is created, its schemas registered."""
        with self._opening(known=self._routes.is_open_table(table)):
            return self._routes.table(table, schema)

    def register_table(self, table: str, schema: str) -> None:
        """Register the schema of a table's rows, unless it is."""
        self._routes.table_value(table, schema)

    def model(self) -> Mapping[bytes, bytes]:
        """Return the records of the content model, as `recover` read them."""
        return self._model

    def letters_route(self) -> Route:
        """Return where dead letters go."""
        return self._routes.letters()

    def superseded(self) -> bool:
        """Return whether the state topic has grown beyond our last commit and its marker, as of a few seconds ago."""
        if self._own_end is None:
            return self._superseded_by_now()
        return self._topics.end_lately(self._layout.state_topic, _GRACE) > self._own_end

    def _superseded_by_now(self) -> bool:
        end = self._topics.end(self._layout.state_topic, _GRACE)
        if self._own_end is None:
            # A transaction of ours failed: what it left there is nobody else's.
            self._own_end = end
        return end > self._own_end

    def verify_topics(self, checkpoint: Checkpoint) -> Checkpoint:
        """Open every topic that must be unchanged; return the checkpoint with the ids that it lacked."""
        with self._opening(known=False):
            return replace(checkpoint, progress=self._routes.verified(checkpoint.progress))

    def topics_changed(self) -> bool:
        """Return whether a topic, the state topic included, seems to have changed."""
        return self._routes.changed(KnownTopic(1, self._state_id))

    def crowded(self) -> bool:
        """Return whether the streams of this process have many producers between them."""
        return self._producers.crowded

    def rest(self) -> None:
        """Have no producer until the next transaction: it costs threads and connections."""
        if self._transactions:
            self.close()
            self._resting = True

    def close(self) -> None:
        """Close the producer. Its open transaction, if any, is aborted by the next fence or by its timeout."""
        self._resting = False
        if self._transactions:
            self._transactions.close()
            self._transactions = None
            self._producers.give_back()

    def _wanted(self) -> bool:
        return not self._stop.is_set()

    @contextmanager
    def _given_back_if_unused(self) -> Iterator[None]:
        """Give the place of a producer, which was taken before, back if there is none in the end."""
        try:
            yield
        finally:
            if self._transactions is None:
                self._producers.give_back()

    @contextmanager
    def _opening(self, *, known: bool) -> Iterator[None]:
        """Open a topic in turn; one that is `known` does not wait. Raises as `_up_to_date` does."""
        with nullcontext() if known else self._turns.turn(self._wanted), self._up_to_date():
            yield

    @contextmanager
    def _up_to_date(self) -> Iterator[None]:
        """Raise `Superseded` if a topic has changed and somebody else has committed the reason."""
        try:
            yield
        except TopicMismatch as error:
            if self._superseded_by_now():
                raise Superseded("somebody else has committed: what we know of the topics is out of date") from error
            raise

    def _fence(self) -> None:
        # A topic's max.message.bytes bounds a whole batch of records, not only each of them.
        batch_bytes = min(int(self._client.get("batch.size", _BATCH_BYTES)), self._layout.max_message_bytes)
        transactions = Transactions(
            {**self._client, "batch.size": str(batch_bytes)},
            self._layout.transactional_id,
            timeout=self._layout.transaction_timeout,
            max_message_bytes=max(self._layout.max_message_bytes, self._layout.max_letter_bytes),
            clock=self._clock,
            producer=self._producer,
        )
        transactions.fence(_GRACE)
        self._transactions = transactions

    def _wake(self) -> None:
        """Have a producer again; what was read back is still all there is if the state ends where we left it."""
        if not self._wanted():
            raise Superseded("the stream was handed over while it had no producer")
        self._resting = False
        self._producers.take_at_once()
        with self._given_back_if_unused():
            self._fence()
        if self._superseded_by_now():
            raise Superseded("somebody else committed while the stream had no producer")

    def _transact(self, records: Sequence[Record], state: Sequence[tuple[bytes, bytes | None]]) -> None:
        if self._resting:
            self._wake()
        if self._transactions is None:
            raise UnknownOutcome("recover first")
        own_end, self._own_end = self._own_end, None
        written = self._transactions.commit(records, self._layout.state_topic, state)
        if written.start < self._position:
            raise UnknownOutcome("the state topic started over during a commit")
        if own_end is not None and written.start > own_end:
            # Somebody else wrote in between: read that, and treat the topic as grown beyond our commit.
            self._own_end = written.stop - 1
        else:
            self._position, self._own_end = written.stop, written.stop + 1  # the marker

    def _keep(self, key: bytes, value: bytes | None) -> None:
        if value is None:
            self._model.pop(key, None)
        else:
            self._model[key] = value

    def _lost(self, index: Index) -> TopicMismatch:
        """Forget what was read from the former topic: what a command writes into this one is then read completely."""
        self._position, self._checkpoint, self._state_id = 0, None, None
        self._model = {}
        self._routes.start_over(Progress())
        index.clear()
        lost = f"topic {self._layout.state_topic} was deleted or recreated: what was known of the stream is gone"
        return TopicMismatch(
            lost, hint="import an exported one (contentwire checkpoints import), or choose another prefix"
        )

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
            if is_model(key):
                self._keep(key, value)
                return
            index.apply(key, value)

        timeout = max(deadline - self._clock.monotonic(), 1.0)
        position = state_topic.read(self._client, topic, range(self._position, end), apply, timeout, clock=self._clock)
        self._foreign = judge.foreign
        judge.check()
        self._position = position
        self._own_end = self._position
        self._routes.start_over(self._checkpoint.progress if self._checkpoint else Progress())
        return self._checkpoint
