"""A stand-in that users may test with too: a store in memory, with scripted faults, that behaves as Kafka's does."""

from collections import deque
from collections.abc import Callable

from connector.errors import ConnectorError, UnknownOutcome
from connector.events import codec
from connector.events.index import Index
from connector.events.owner_report import REPORT_KEY, OwnerReport, decode_report, encode_report
from connector.events.record import Batch, Record, Route
from connector.events.state_record import CHECKPOINT_KEY, decode_checkpoint
from connector.model.change import EntityKey
from connector.model.checkpoint import Checkpoint, KnownTopic

Fault = Callable[["MemoryStore", Batch], None]


class MemoryStore:
    """A `Store` whose transactions are a list. `state` survives: give it to another store to play a restart.

    `faults` are used up first in, first out, one a commit: None lets it through.
    """

    def __init__(self, prefix: str = "contentwire", connection: str = "memory") -> None:
        self.transactions: list[list[Record]] = []
        self.state: dict[bytes, bytes | None] = {}
        self.faults: deque[Fault | None] = deque()
        self._prefix = f"{prefix}.{connection}"
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

    def letters_route(self) -> Route:
        """Return the dead-letters topic."""
        topic = f"{self._prefix}.dead-letters"
        return Route(topic, codec.single_object("key"), codec.single_object("dead_letter"), KnownTopic(1))

    def recover(self, index: Index) -> Checkpoint | None:
        """Read everything back."""
        index.clear()
        for key, value in self.state.items():
            if key not in (CHECKPOINT_KEY, REPORT_KEY):
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
        self.transactions.append(batch.records)
        self.state.update(batch.state)

    def report(self) -> OwnerReport:
        """Return the last one."""
        recorded = self.state.get(REPORT_KEY)
        return decode_report(recorded) if recorded else OwnerReport()

    def note(self, report: OwnerReport) -> None:
        """Keep a report; it is no transaction of events."""
        if not self._ready:
            raise UnknownOutcome("recover first")
        self.state[REPORT_KEY] = encode_report(report)

    def superseded(self) -> bool:
        """Nobody else writes here."""
        return False

    def examine(self, checkpoint: Checkpoint) -> Checkpoint:
        """Memory stays where it is."""
        return checkpoint

    def uprooted(self) -> bool:
        """Memory stays where it is."""
        return False

    def close(self) -> None:
        """Nothing to let go of; `recover` is needed again, as with Kafka."""
        self._ready = False


def fail_before_commit(error: ConnectorError) -> Fault:
    """Return a fault that raises and leaves nothing visible."""

    def fault(_store: MemoryStore, _batch: Batch) -> None:
        raise error

    return fault


def fail_after_commit(error: ConnectorError) -> Fault:
    """Return a fault that makes the batch visible and raises all the same: the answer was lost."""

    def fault(store: MemoryStore, batch: Batch) -> None:
        store.apply(batch)
        raise error

    return fault
