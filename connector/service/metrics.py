"""The metrics of one process, in their own registry. The core calls methods; only this file knows Prometheus."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final, Literal, get_args

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from connector import __version__
from connector.errors import ConnectorError, SourceRejected, SourceUnavailable
from connector.events.envelope import Op
from connector.events.record import Tally
from connector.stream.status import STATES, StreamState

CONTENT_TYPE = CONTENT_TYPE_LATEST

TransactionOutcome = Literal["committed", "aborted", "unknown", "fenced"]

_OUTCOMES: Final[dict[str, TransactionOutcome]] = {
    "TransactionAborted": "aborted",
    "UnknownOutcome": "unknown",
    "Fenced": "fenced",
}
_WEBHOOKS: Final = (
    "accepted",
    "repeated",
    "handed_on",
    "undelivered",
    "unconfigured",
    "unsigned",
    "expired",
    "wrong",
)
_DEAD_LETTERS: Final = ("MalformedItem", "EventTooLarge")
_POLL_FAILURES: Final = ("SourceUnavailable", "QuotaExhausted", "SourceRejected")
_RETRIES: Final = (
    *_POLL_FAILURES,
    "BrokerUnavailable",
    "RegistryUnavailable",
    "RegistryChanged",
    "LocalTrouble",
    "CheckpointRejected",
    "PageTooLarge",
    "EnvironmentChanged",
    "WalkBroken",
    "TransactionAborted",
    "Fenced",
    "Superseded",
    "UnknownOutcome",
)
_ROWS: Final = ("written", "deleted", "misfit", "inexact")
REFUSALS: Final = ("malformed", "too_large", "overdue", "crowded", "busy", "host")
"""Why a peer of the port got no proper answer."""

_FRESHNESS_BUCKETS = (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 21_600, 86_400)
_TRANSACTION_BUCKETS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20)
_PAGE_BUCKETS = (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)


class _Lost(Collector):
    """A count that the log keeps."""

    def __init__(self, count: Callable[[], int]) -> None:
        self._count = count

    def collect(self) -> Iterable[Metric]:
        """Yield the count as it is now."""
        yield CounterMetricFamily("contentwire_log_lines_lost", "Log lines that could not be written.", self._count())


class Metrics:
    """Counts what happens to streams. Safe from any thread; `docs/metrics.md` describes each metric.

    Counts are added, sizes replace the previous value, durations are seconds, points in time seconds since 1970.
    """

    def __init__(self, log_lines_lost: Callable[[], int] = lambda: 0) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(_Lost(log_lines_lost))
        self._events = self._counter("contentwire_events", "Events committed, by operation.", "op")
        self._dead_letters = self._counter("contentwire_dead_letters", "Items that could not be published.", "error")
        self._rows = self._counter("contentwire_table_rows", "What became of the rows of tables.", "outcome")
        self._retries = self._counter("contentwire_retries", "Attempts repeated after an error.", "error")
        self._transactions = self._counter("contentwire_transactions", "Transactions, by outcome.", "outcome")
        self._pages = self._counter("contentwire_pages", "Pages read from the CMS.")
        self._items = self._counter("contentwire_page_items", "Items in the pages read.")
        self._bytes = self._counter("contentwire_page_bytes", "Bytes in the pages read, decompressed.")
        self._stale = self._counter("contentwire_stale_changes", "Changes left out because a newer one was published.")
        self._locale_mismatches = self._counter(
            "contentwire_locale_mismatches", "Removals whose locale is not live while another locale of the entity is."
        )
        self._walk_restarts = self._counter("contentwire_walk_restarts", "Walks refused midway and started again.")
        self._last_commit = self._gauge("contentwire_last_commit_timestamp_seconds", "When the last commit happened.")
        self._state = self._gauge("contentwire_stream_state", "1 for the state the stream is in, else 0.", "state")
        self._index = self._gauge("contentwire_index_entries", "Keys in the stream's index.")
        self._last_poll = self._gauge(
            "contentwire_last_poll_success_timestamp_seconds", "When the CMS last returned a readable page."
        )
        self._poll_failures = self._counter(
            "contentwire_poll_failures", "Requests to the CMS that failed or were refused.", "error"
        )
        self._lag = self._gauge(
            "contentwire_lag_seconds", "Seconds since the stream last held everything that the CMS delivers."
        )
        self._restarts = self._counter("contentwire_stream_restarts", "Streams started again after their thread ended.")
        self._webhooks = self._counter("contentwire_webhooks", "Webhook calls, by outcome.", "outcome")
        self._held_deletes = self._gauge("contentwire_held_deletes", "Deletes waiting for an operator's consent.")
        self._refusals = Counter(
            "contentwire_port_refusals",
            "Peers of the port that got no proper answer.",
            ["reason"],
            registry=self.registry,
        )
        for reason in REFUSALS:
            self._refusals.labels(reason)
        self._freshness = self._histogram(
            "contentwire_freshness_seconds", "From the CMS's publish time to our commit.", _FRESHNESS_BUCKETS
        )
        self._transaction = self._histogram(
            "contentwire_transaction_seconds", "From begin to commit of a transaction.", _TRANSACTION_BUCKETS
        )
        self._page = self._histogram("contentwire_page_seconds", "From request to complete response.", _PAGE_BUCKETS)
        build = Gauge("contentwire_build_info", "1, with the version as label.", ["version"], registry=self.registry)
        build.labels(__version__).set(1)

    def born(self, connections: Iterable[str]) -> None:
        """Start every count of these connections at 0, so that `increase()` does not miss the first one."""
        counted: tuple[tuple[Counter, tuple[str, ...]], ...] = (
            (self._events, get_args(Op)),
            (self._dead_letters, _DEAD_LETTERS),
            (self._rows, _ROWS),
            (self._retries, _RETRIES),
            (self._poll_failures, _POLL_FAILURES),
            (self._transactions, get_args(TransactionOutcome)),
            (self._webhooks, _WEBHOOKS),
        )
        unlabelled = (self._pages, self._items, self._bytes, self._stale, self._locale_mismatches, self._walk_restarts)
        for connection in connections:
            for counter, values in counted:
                for value in values:
                    counter.labels(connection, value)
            for counter in (*unlabelled, self._restarts):
                counter.labels(connection)

    def batch(self, connection: str, tally: Tally, seconds: float, at: float) -> None:
        """Count what a batch held; it was committed at `at` in a transaction that took `seconds`."""
        for op, count in tally.ops.items():
            self.events(connection, op, count)
        for changed_ms in tally.changed_ms:
            self.freshness(connection, at - changed_ms / 1000)
        self.committed(connection, at)
        self.transactions(connection, "committed")
        self.transaction_seconds(connection, seconds)
        for error, count in tally.dead_letters.items():
            self.dead_letters(connection, error, count)
        for outcome, count in tally.rows.items():
            self._rows.labels(connection, outcome).inc(count)
        if tally.left_out["stale"]:
            self.stale(connection, tally.left_out["stale"])
        if tally.locale_mismatches:
            self.locale_mismatch(connection, tally.locale_mismatches)

    def events(self, connection: str, op: str, n: int = 1) -> None:
        """Count `n` committed events of operation `op`."""
        self._events.labels(connection, op).inc(n)

    def committed(self, connection: str, at: float) -> None:
        """Note a commit at `at`."""
        self._last_commit.labels(connection).set(at)

    def freshness(self, connection: str, seconds: float) -> None:
        """Observe one event of a delta; a snapshot's events are as old as their content and do not belong here."""
        self._freshness.labels(connection).observe(max(seconds, 0.0))

    def states(self, states: Mapping[str, StreamState]) -> None:
        """Note that each stream is in its state and no other; forget every other stream."""
        self._state.clear()
        for connection, state in states.items():
            for name in STATES:
                self._state.labels(connection, name).set(name == state)

    def dead_letters(self, connection: str, error: str, n: int = 1) -> None:
        """Count `n` dead letters, by the class name of their error."""
        self._dead_letters.labels(connection, error).inc(n)

    def retries(self, connection: str, error: str) -> None:
        """Count a retry, by the class name of the error before it."""
        self._retries.labels(connection, error).inc()

    def transactions(self, connection: str, outcome: TransactionOutcome) -> None:
        """Count a transaction."""
        self._transactions.labels(connection, outcome).inc()

    def transaction_seconds(self, connection: str, seconds: float) -> None:
        """Observe how long a committed transaction took."""
        self._transaction.labels(connection).observe(seconds)

    def page(self, connection: str, items: int, size: int, seconds: float, at: float) -> None:
        """Count a page of `items` items in `size` bytes that took `seconds` and arrived at `at`."""
        self._last_poll.labels(connection).set(at)
        self._pages.labels(connection).inc()
        self._items.labels(connection).inc(items)
        self._bytes.labels(connection).inc(size)
        self._page.labels(connection).observe(seconds)

    def failed(self, connection: str, error: ConnectorError) -> None:
        """Count what an error stands for: a retry, a transaction, a request to the CMS."""
        name = type(error).__name__
        self.retries(connection, name)
        if isinstance(error, SourceUnavailable | SourceRejected):
            self._poll_failures.labels(connection, name).inc()
        if outcome := _OUTCOMES.get(name):
            self.transactions(connection, outcome)

    def webhook(self, connection: str, outcome: str) -> None:
        """Count a webhook call."""
        self._webhooks.labels(connection, outcome).inc()

    def refused(self, reason: str) -> None:
        """Count a peer of the port that got no proper answer, by one of `REFUSALS`."""
        self._refusals.labels(reason).inc()

    def lags(self, seconds: Mapping[str, float]) -> None:
        """Note how long ago each stream of this process was current; other streams have no lag here."""
        self._lag.clear()
        for connection, lag in seconds.items():
            self._lag.labels(connection).set(max(lag, 0.0))

    def restarted(self, connection: str) -> None:
        """Count a stream whose thread has ended and is started again."""
        self._restarts.labels(connection).inc()

    def index_size(self, connection: str, entries: int) -> None:
        """Note the number of keys in the index."""
        self._index.labels(connection).set(entries)

    def stale(self, connection: str, n: int = 1) -> None:
        """Count `n` changes older than what the index holds."""
        self._stale.labels(connection).inc(n)

    def locale_mismatch(self, connection: str, n: int = 1) -> None:
        """Count `n` removals of a locale that is not live while another locale of the entity is."""
        self._locale_mismatches.labels(connection).inc(n)

    def held_deletes(self, connection: str, n: int) -> None:
        """Note how many deletes a reconciliation is holding, 0 for none."""
        self._held_deletes.labels(connection).set(n)

    def walk_restarts(self, connection: str) -> None:
        """Count a walk that starts again."""
        self._walk_restarts.labels(connection).inc()

    def forget(self, connection: str) -> None:
        """Drop what only a stream's owner can know: no alert may see a former owner's last values."""
        for gauge in (self._last_commit, self._last_poll, self._index, self._held_deletes):
            gauge.remove_by_labels({"connection": connection})

    def render(self) -> bytes:
        """Return all metrics in the text format that `CONTENT_TYPE` names."""
        return generate_latest(self.registry)

    def _counter(self, name: str, description: str, *labels: str) -> Counter:
        return Counter(name, description, ["connection", *labels], registry=self.registry)

    def _gauge(self, name: str, description: str, *labels: str) -> Gauge:
        return Gauge(name, description, ["connection", *labels], registry=self.registry)

    def _histogram(self, name: str, description: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(name, description, ["connection"], buckets=buckets, registry=self.registry)
