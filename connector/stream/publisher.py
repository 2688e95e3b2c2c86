"""Publishes the pages of one stream: assembles batches, commits each, and relies on it only then."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from typing import Final, Protocol

import msgspec

from connector.clock import Clock
from connector.events.assembler import Assembler
from connector.events.destination import Destinations
from connector.events.index import Index
from connector.events.owner_report import REPORT_KEY, OwnerReport, encode_report
from connector.events.policy import Policy
from connector.events.record import Batch, Route, Tally, addressed
from connector.events.state_record import CHECKPOINT_KEY, encode_checkpoint
from connector.model.change import EntityKey
from connector.model.checkpoint import Checkpoint
from connector.model.content_model import ContentModel
from connector.model.page import CompiledPage, SyncPage
from connector.stream.aside import Aside, at_once
from connector.tables.catalog import Catalog

_NO_MODEL: Final[Mapping[bytes, bytes | None]] = {}


class Store(Protocol):
    """Where batches become durable: a transactional log that can be read back."""

    def recover(self, index: Index) -> Checkpoint | None:
        """Fence every other writer of the stream, then bring `index` up to what is committed; return the checkpoint.

        None means that nothing was ever committed. Raises `BrokerUnavailable`, `BrokerFatal` or `Fenced`.
        """
        ...

    def route(self, key: EntityKey) -> Route:
        """Return where events of a key go; a topic seen for the first time is created.

        Raises `MalformedItem` for a key for which no topic can be named, and what `recover` raises.
        """
        ...

    def table_route(self, table: str, schema: str) -> Route:
        """Return where rows of a table go; a topic seen for the first time is created, with its schemas registered.

        Raises `ModelRefused` if the registry refuses the schema, and what `recover` raises.
        """
        ...

    def register_table(self, table: str, schema: str) -> None:
        """Register the schema of a table's rows, unless it is. Raises what `table_route` raises."""
        ...

    def model(self) -> Mapping[bytes, bytes]:
        """Return the state records of the content model, as they are committed."""
        ...

    def letters_route(self) -> Route:
        """Return where dead letters go; their topic is created with the first. Raises what `recover` raises."""
        ...

    def commit(self, batch: Batch) -> None:
        """Make the whole batch visible at once, or raise.

        Raises `TransactionAborted` if nothing of it is visible, `Fenced` or `UnknownOutcome` if only `recover` knows.
        """
        ...

    def report(self) -> OwnerReport:
        """Return what an owner last said of the stream, as `recover` read it."""
        ...

    def note(self, report: OwnerReport) -> None:
        """Commit a report alone. MAY be called whenever `recover` has fenced; raises what `commit` raises."""
        ...

    def superseded(self) -> bool:
        """Return whether someone else has committed since: another owner, or an operator's command."""
        ...

    def verify_topics(self, checkpoint: Checkpoint) -> Checkpoint:
        """Check that what was committed is still where it was; return the checkpoint with the topic ids it lacked.

        Raises `TopicMismatch` or `KeySchemaChanged` if it is not, `Superseded` if somebody else has committed.
        """
        ...

    def topics_changed(self) -> bool:
        """Return whether what was committed may no longer be where it was: then recover, and verify."""
        ...

    def crowded(self) -> bool:
        """Return whether streams that idle for moments only should `rest` already."""
        ...

    def rest(self) -> None:
        """Hold nothing that an idle stream needs not; the next commit has it again. Never raises, never waits long."""
        ...

    def close(self) -> None:
        """Close all connections; never raises, never waits long."""
        ...


class _UnderWay:
    """A transaction that has begun: what it carries, and the report in it. It takes `seconds` in the end."""

    def __init__(self, batch: Batch, report: OwnerReport, commit: Callable[[], None], clock: Clock) -> None:
        self.batch = batch
        self.report = report
        self.seconds = 0.0
        self.wait: Callable[[], None] = lambda: None
        self._commit = commit
        self._clock = clock

    def run(self) -> None:
        """Commit it."""
        begun_at = self._clock.monotonic()
        self._commit()
        self.seconds = self._clock.monotonic() - begun_at


class Publisher:
    """Commits events, index and checkpoint of one stream together, along with what its owner says of it.

    `recover` MUST be called first, and again after any error that `publish` raised: until then the publisher refuses.
    `owner` is the client id of the process that owns the stream; one that only edits its state leaves it empty, and
    what the owner has said stays as it is. `catalog` has the tables that `assembler` writes, if any. `aside`
    is how transactions are sent while the next one is assembled.
    """

    def __init__(  # noqa: PLR0913  all but store and assembler are keywords
        self,
        store: Store,
        assembler: Assembler,
        *,
        initial: Checkpoint,
        clock: Clock,
        committed: Callable[[Batch, float], None] = lambda _batch, _seconds: None,
        owner: str = "",
        aside: Aside = at_once,
        catalog: Catalog | None = None,
    ) -> None:
        self.index = Index()
        self.report = OwnerReport()
        self._owner = owner
        self._said: OwnerReport | None = None
        self._store = store
        self._assembler = assembler
        self._initial = initial
        self._clock = clock
        self._committed = committed
        self._checkpoint: Checkpoint | None = None
        self._aside = aside
        self._active_at = clock.monotonic()
        self._under_way: _UnderWay | None = None
        self._destinations: Destinations | None = None
        self.catalog = catalog

    @property
    def policy(self) -> Policy:
        """What is published, and how."""
        return self._assembler.policy

    @property
    def ready(self) -> bool:
        """Whether `publish` may be called: false before the first `recover` and after an error."""
        return self._checkpoint is not None

    @property
    def checkpoint(self) -> Checkpoint:
        """The resume point: the last committed one or, after empty deltas, a later one that is as good."""
        if self._checkpoint is None:
            raise RuntimeError("recover first")
        return self._checkpoint

    def recover(self) -> Checkpoint:
        """Fence, read back what is committed, and return the checkpoint to continue from."""
        self._abandon()
        self._active_at = self._clock.monotonic()
        found = self._store.recover(self.index) or self._initial
        if self.catalog:
            self.catalog.restore(self._store.model())
        self._checkpoint = found
        self._said, letters = None, self._store.report().dead_letters
        self.report = msgspec.structs.replace(self.report, dead_letters=letters)
        return self._checkpoint

    def set_state(self, state: str, error: str, hint: str, since: int) -> None:
        """Set what the owner says of the stream: the next transaction carries it."""
        self.report = msgspec.structs.replace(self.report, state=state, error=error, hint=hint, since=since)

    def commit_report(self) -> None:
        """Commit what the owner says, in a separate transaction, unless the last one said the same.

        Raises what `publish` raises; then `recover`.
        """
        if not self._owner or (self._said and _state(self._said) == _state(self.report)):
            return
        checkpoint, self._checkpoint = self._checkpoint, None
        self._store.note(self._signed(self.report))
        self._active_at = self._clock.monotonic()
        self._said, self._checkpoint = self.report, checkpoint

    def publish(self, pages: Iterable[SyncPage | CompiledPage]) -> Checkpoint:
        """Commit whole pages: in one transaction, unless their expansions exceed its bounds. Return the new checkpoint.

        Nothing is committed for pages that change nothing while streaming: the advanced checkpoint waits for the next
        transaction. After an error only `recover` knows what was committed.
        """
        with self.settled():
            self._assemble(pages, at_once)
        return self.checkpoint

    def publish_ahead(self, pages: Iterable[SyncPage | CompiledPage]) -> None:
        """Do as `publish` does, but for the end of the last transaction: it is sent while the next one is assembled.

        `settle` MUST be called before anything but `publish_ahead` and `recover`. An error may be that of an earlier
        transaction.
        """
        self._assemble(pages, self._aside)

    def _assemble(self, pages: Iterable[SyncPage | CompiledPage], aside: Aside) -> None:
        destinations = self._destinations = self._destinations or Destinations(self._route, self._table)
        start = self._under_way.batch.checkpoint if self._under_way else self.checkpoint
        try:
            for batch in self._assembler.batches(pages, self.index, start, destinations):
                self.settle()
                self._publish(batch, aside)
        except BaseException:
            # What a failed assembly has staged must not ride along with the next transaction.
            self.index.discard()
            self.settle()
            raise

    @contextmanager
    def settled(self) -> Iterator[None]:
        """Settle at the end, whatever that is."""
        try:
            yield
        finally:
            # A topic that was recreated is noticed when it is opened again: no route outlives its walk here.
            self._destinations = None
            self.settle()

    def settle(self) -> None:
        """Wait for the transaction under way, if there is one. Raises what `Store.commit` raises; then `recover`."""
        under_way = self._under_way
        if under_way is None:
            return
        try:
            under_way.wait()
        except Exception:
            self._under_way = None
            raise
        self._under_way = None
        self.index.commit()
        self._active_at = self._clock.monotonic()
        self._checkpoint = under_way.batch.checkpoint
        self.report = msgspec.structs.replace(self.report, dead_letters=under_way.report.dead_letters)
        self._said = under_way.report
        self._committed(under_way.batch, under_way.seconds)

    def follow_model(self, model: ContentModel) -> None:
        """Let the tables follow a content model: register what it changes, commit it, then adopt it.

        Raises `ModelRefused` if no table can, with nothing written.
        """
        assert self.catalog
        plan = self.catalog.plan(model)
        for table, schema in plan.schemas.items():
            self._store.register_table(table, schema)
        if plan.state:
            self.commit_checkpoint(self.checkpoint, model=plan.state)
        self.catalog.adopt(plan)

    def commit_checkpoint(
        self, checkpoint: Checkpoint, *, forget: Iterable[bytes] = (), model: Mapping[bytes, bytes | None] = _NO_MODEL
    ) -> Checkpoint:
        """Commit a checkpoint without events: a heartbeat, a new phase, an operator's request.

        `forget`: keys that the index no longer needs. `model`: records of the content model.
        """
        final = msgspec.structs.replace(checkpoint, committed_at=self._assembler.now_ms())
        try:
            for key in forget:
                self.index.stage(key, None)
            state = [*self.index.staged.items(), *model.items(), (CHECKPOINT_KEY, encode_checkpoint(final))]
            active_at = self._active_at
            self._send(Batch([], state, final, Tally()), at_once)
            self.settle()
            # Nothing has happened that would need a producer soon.
            self._active_at = active_at
        finally:
            self.index.discard()
        return final

    def superseded(self) -> bool:
        """Return whether someone else has committed since: then recover, and obey what is there."""
        return self._store.superseded()

    def verify_topics(self) -> None:
        """Check that what was committed is still where it was. Raises what the store raises; then recover."""
        checkpoint, self._checkpoint = self.checkpoint, None
        self._checkpoint = self._store.verify_topics(checkpoint)

    def topics_changed(self) -> bool:
        """Return whether what was committed may no longer be where it was: then recover, and verify."""
        return self._store.topics_changed()

    def rest_if_idle(self, seconds: float, *, crowded: float) -> None:
        """Hold no producer if nothing was committed for so long; the next commit has one again.

        `crowded` is what applies while the streams of this process hold many.
        """
        if not self.ready:
            return
        idle = self._clock.monotonic() - self._active_at
        if idle >= seconds or (idle >= crowded and self._store.crowded()):
            self.rest()

    def rest(self) -> None:
        """Hold no producer until the next commit."""
        self._store.rest()

    def close(self) -> None:
        """Close the store; `recover` opens it again."""
        self._abandon()
        self._store.close()

    def _worth_committing(self, batch: Batch) -> bool:
        before, after = self.checkpoint.position, batch.checkpoint.position
        idle = after.phase == before.phase == "streaming" and not before.walk_open
        return bool(batch.records or batch.letters or len(batch.state) > 1 or not idle)

    def _publish(self, batch: Batch, aside: Aside) -> None:
        if self._worth_committing(batch):
            self._send(addressed(batch, self._store.letters_route()) if batch.letters else batch, aside)
        else:
            self.index.discard()
            # Only a commit puts off the heartbeat: looking at the CMS refreshes nothing.
            committed_at = self.checkpoint.committed_at
            self._checkpoint = msgspec.structs.replace(batch.checkpoint, committed_at=committed_at)

    def _send(self, batch: Batch, aside: Aside) -> None:
        """Begin the transaction of a batch. Until it has ended only `recover` knows where the stream stands."""
        self._checkpoint = None
        letters = self.report.dead_letters + batch.tally.dead_letters.total()
        report = msgspec.structs.replace(self.report, dead_letters=letters)
        self.index.send()
        under_way = _UnderWay(batch, report, partial(self._store.commit, self._with_report(batch, report)), self._clock)
        under_way.wait = aside(under_way.run)
        self._under_way = under_way

    def _abandon(self) -> None:
        """Let a transaction under way come to its end, whatever that is, and forget it."""
        under_way, self._under_way, self._checkpoint = self._under_way, None, None
        if under_way:
            # Only what is read back counts.
            with suppress(Exception):
                under_way.wait()
        self.index.forget_sent()

    def _route(self, key: EntityKey) -> Route:
        # The store does one thing at a time.
        self.settle()
        return self._store.route(key)

    def _table(self, table: str, schema: str) -> Route:
        self.settle()
        return self._store.table_route(table, schema)

    def _with_report(self, batch: Batch, report: OwnerReport) -> Batch:
        if not self._owner:
            return batch
        *index, last = batch.state
        state = [*index, (REPORT_KEY, encode_report(self._signed(report))), last]
        return msgspec.structs.replace(batch, state=state)

    def _signed(self, report: OwnerReport) -> OwnerReport:
        return msgspec.structs.replace(report, owner=self._owner, reported_at=self._assembler.now_ms())


def _state(report: OwnerReport) -> tuple[str, str, str]:
    return report.state, report.error, report.hint
