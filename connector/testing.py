"""Stand-ins that users may test with as well: a store in memory, and a clock that stands still.

The store behaves as Kafka's does, with scripted faults.
"""

import heapq
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping
from itertools import count
from typing import TypeVar

from connector.errors import ConnectorError, UnknownOutcome
from connector.events import codec
from connector.events.codec import Framing
from connector.events.index import Index, is_index_key
from connector.events.owner_report import REPORT_KEY, OwnerReport, decode_report, encode_report
from connector.events.record import Batch, Record, Route
from connector.events.state_record import CHECKPOINT_KEY, decode_checkpoint
from connector.model.change import EntityKey
from connector.model.checkpoint import Checkpoint, KeySchemaId, KnownTopic
from connector.tables.catalog import is_model

T = TypeVar("T")
Fault = Callable[["MemoryStore", Batch], None]


class ManualClock:
    """A `Clock` that moves only when waited on, and at once: a wait of a minute is over immediately.

    It begins at `wall` seconds since 1970. For one thread: `after` plans what happens during a wait.
    """

    def __init__(self, wall: float = 1_750_000_000.0) -> None:
        self._wall = wall
        self._passed = 0.0
        self._plans: list[tuple[float, int, Callable[[], object]]] = []
        self._number = count()

    def monotonic(self) -> float:
        """Return how many seconds have been waited so far."""
        return self._passed

    def wall(self) -> float:
        """Return seconds since 1970."""
        return self._wall + self._passed

    def wait(self, seconds: float, event: threading.Event | None = None) -> bool:
        """Do what is planned within these seconds, each at its time, unless `event` is set first.

        Raises `OverflowError` for more seconds than threads can wait.
        """
        if seconds > threading.TIMEOUT_MAX:
            raise OverflowError("timeout value is too large")
        end = self._passed + seconds
        while not (event and event.is_set()):
            if not self._plans or self._plans[0][0] > end:
                self._passed = max(self._passed, end)
                return False
            at, _, action = heapq.heappop(self._plans)
            self._passed = max(self._passed, at)
            action()
        return True

    def jitter(self, longest: float) -> float:
        """Return the longest that chance may give."""
        return longest

    def after(self, seconds: float, action: Callable[[], object]) -> None:
        """Plan what happens in the wait during which `seconds` from now have passed."""
        heapq.heappush(self._plans, (self._passed + seconds, next(self._number), action))


def in_turn(found: Iterator[T], stop: threading.Event, done: Callable[[], None]) -> Generator[T]:
    """Yield the items of `found` on demand: an `Ahead` that reads nothing ahead, and needs no thread."""
    try:
        while not stop.is_set():
            yield next(found)
    except StopIteration:
        return
    finally:
        done()


class MemoryStore:
    """A `Store` whose transactions are a list. `state` survives: give it to another store to act out a restart.

    `schemas` are those of tables' rows, by table, as they were registered. `faults` are used up first in, first out,
    one per commit; None lets it through.
    """

    def __init__(self, prefix: str = "contentwire", connection: str = "memory") -> None:
        self.transactions: list[list[Record]] = []
        self.state: dict[bytes, bytes | None] = {}
        self.faults: deque[Fault | None] = deque()
        self.schemas: dict[str, list[str]] = {}
        self._prefix = f"{prefix}.{connection}"
        self.rests = 0
        self.resting = False
        self._ready = False

    @property
    def records(self) -> list[Record]:
        """Every record that a read_committed consumer sees, in order."""
        return [record for transaction in self.transactions for record in transaction]

    def route(self, _key: EntityKey) -> Route:
        """Return the one changes topic."""
        return Route(
            f"{self._prefix}.changes", codec.single_object("key"), codec.single_object("envelope"), KnownTopic(1)
        )

    def table_route(self, table: str, _schema: str) -> Route:
        """Return the topic of a table; its values are bare Avro."""
        bare = Framing(KeySchemaId("none", ""), b"")
        return Route(f"{self._prefix}.table.{table}", codec.single_object("key"), bare, KnownTopic(1))

    def register_table(self, table: str, schema: str) -> None:
        """Remember the schema of a table's rows."""
        self.schemas.setdefault(table, []).append(schema)

    def model(self) -> Mapping[bytes, bytes]:
        """Return the records of the content model."""
        return {key: value for key, value in self.state.items() if value is not None and is_model(key)}

    def letters_route(self) -> Route:
        """Return the dead-letters topic."""
        topic = f"{self._prefix}.dead-letters"
        return Route(topic, codec.single_object("key"), codec.single_object("dead_letter"), KnownTopic(1))

    def recover(self, index: Index) -> Checkpoint | None:
        """Read everything back."""
        index.clear()
        for key, value in self.state.items():
            if is_index_key(key):
                index.apply(key, value)
        self._ready = True
        recorded = self.state.get(CHECKPOINT_KEY)
        return decode_checkpoint(recorded) if recorded else None

    def commit(self, batch: Batch) -> None:
        """Apply the batch whole, unless a scripted fault says otherwise."""
        if not self._ready:
            raise UnknownOutcome("recover first")
        fault = self.faults.popleft() if self.faults else None
        if fault:
            self._ready = False
            fault(self, batch)
        self.apply(batch)
        self._ready = True

    def apply(self, batch: Batch) -> None:
        """Make a batch visible."""
        self.resting = False
        self.transactions.append(batch.records)
        self.state.update(batch.state)

    def report(self) -> OwnerReport:
        """Return the last report."""
        recorded = self.state.get(REPORT_KEY)
        return decode_report(recorded) if recorded else OwnerReport()

    def note(self, report: OwnerReport) -> None:
        """Keep a report; it does not count as a transaction of events."""
        if not self._ready:
            raise UnknownOutcome("recover first")
        self.resting = False
        self.state[REPORT_KEY] = encode_report(report)

    def superseded(self) -> bool:
        """Nobody else writes here."""
        return False

    def verify_topics(self, checkpoint: Checkpoint) -> Checkpoint:
        """Memory stays where it is."""
        return checkpoint

    def topics_changed(self) -> bool:
        """Memory stays where it is."""
        return False

    def crowded(self) -> bool:
        """Return that there is room for everybody."""
        return False

    def rest(self) -> None:
        """Note it: `rests` counts how often, `resting` says whether nothing was committed since."""
        self.rests += 1
        self.resting = True

    def close(self) -> None:
        """Close nothing; `recover` is needed again, as with Kafka."""
        self._ready = False


def fail_before_commit(error: ConnectorError) -> Fault:
    """Return a fault that raises and leaves nothing visible."""

    def fault(_store: MemoryStore, _batch: Batch) -> None:
        raise error

    return fault


def fail_after_commit(error: ConnectorError) -> Fault:
    """Return a fault that makes the batch visible and still raises: the answer was lost."""

    def fault(store: MemoryStore, batch: Batch) -> None:
        store.apply(batch)
        raise error

    return fault
