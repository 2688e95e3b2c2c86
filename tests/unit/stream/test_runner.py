"""One pass over a stream: what a transaction holds, the order in which a delta is published, what a stop leaves."""

import math
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from itertools import pairwise
from typing import TypeVar

import pytest

from connector import vendors
from connector.cms.source import ignore
from connector.errors import SourceUnavailable, UnknownOutcome
from connector.model.checkpoint import Checkpoint
from connector.simulator import Fault, Simulator
from connector.stream.publisher import Publisher
from connector.stream.runner import Bounds, Runner
from connector.stream.spec import Hooks
from connector.testing import ManualClock, MemoryStore, fail_after_commit, fail_before_commit, in_turn
from tests.cms import assert_right, page_count
from tests.published import events
from tests.story import Told

T = TypeVar("T")
NAMES = vendors.names()
EVERY_PAGE = Bounds(interval=0.0)


@pytest.fixture
def store() -> MemoryStore:
    """Give a store."""
    return MemoryStore(connection="blog")


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    """Give each vendor's name."""
    return str(request.param)


@pytest.fixture
def simulator() -> Simulator:
    """Give a simulator with several pages."""
    return Simulator(seed=2, entries=24, page_sizes=dict.fromkeys(NAMES, 10))


class Session:
    """A runner as in a new process: recovered, ready to pass."""

    def __init__(self, runner: Runner, publisher: Publisher, stop: threading.Event) -> None:
        self.publisher = publisher
        self.stop = stop
        self.runner = runner

    @property
    def checkpoint(self) -> Checkpoint:
        """The publisher's resume point."""
        return self.publisher.checkpoint

    def become_current(self) -> None:
        """Pass until the stream is current."""
        while not self.runner.pass_once():
            pass


@contextmanager
def session(following: Told, bounds: Bounds) -> Iterator[Session]:
    """Run as a new process."""
    stop = threading.Event()
    source, publisher = following.parts(stop, Hooks(ignore, lambda _batch, _seconds: None))
    with closing(source), closing(publisher):
        publisher.recover()
        yield Session(Runner(source, publisher, bounds, ManualClock()), publisher, stop)


@pytest.fixture
def following(simulator: Simulator, store: MemoryStore, name: str) -> Told:
    """Give a stream of each vendor's simulated CMS."""
    return Told(simulator, name, lambda: store, page_size=10)


def sizes(store: MemoryStore) -> list[int]:
    """Return the number of events in each transaction."""
    return [len(events(each)) for each in store.transactions]


def test_a_snapshot_is_published_as_its_pages_arrive(following: Told, store: MemoryStore) -> None:
    """With an interval of 0 each page is a transaction by itself."""
    with session(following, EVERY_PAGE) as running:
        running.runner.pass_once()
        assert {*sizes(store)[:-2]} == {10}


def test_a_transaction_holds_whole_pages_up_to_its_bounds(following: Told, store: MemoryStore) -> None:
    """Pages are collected until there are enough items or bytes, or time is up."""
    with session(following, Bounds(items=20, interval=3600.0)) as running:
        running.runner.pass_once()
    assert {*sizes(store)[:-1]} == {20}


def test_a_transaction_is_bounded_in_bytes(following: Told, store: MemoryStore) -> None:
    """A bound of one byte is reached by the first page."""
    with session(following, Bounds(size=1, interval=3600.0)) as running:
        running.runner.pass_once()
    assert max(sizes(store)) == 10


def test_a_small_snapshot_is_one_transaction(following: Told, store: MemoryStore) -> None:
    """Within the bounds, a snapshot is atomic."""
    with session(following, Bounds(interval=3600.0)) as running:
        running.runner.pass_once()
    assert len(store.transactions) == 1


def test_a_transaction_whose_pages_break_off_publishes_nothing(
    simulator: Simulator, following: Told, store: MemoryStore, name: str
) -> None:
    """Pages are encoded as they arrive, but an unfinished transaction publishes nothing, and loses nothing."""
    simulator.push_fault(name, Fault("status", after=2))
    with session(following, Bounds(interval=3600.0)) as running:
        with pytest.raises(SourceUnavailable):
            running.runner.pass_once()
        assert not store.transactions
        assert running.checkpoint.position.cursor is None
        running.become_current()
    assert_right(simulator, name, store.records)


def test_a_walk_ended_by_a_failed_commit_asks_no_further(following: Told, store: MemoryStore) -> None:
    """The walk is closed at once, though the error still holds its stack frames: no thread waits to read on."""
    left: list[bool] = []

    def ahead(found: Iterator[T], stop: threading.Event, _done: Callable[[], None]) -> Generator[T]:
        return in_turn(found, stop, lambda: left.append(True))

    following.ahead = ahead
    with session(following, EVERY_PAGE) as running:
        store.faults.append(fail_before_commit(UnknownOutcome("crash")))
        with pytest.raises(UnknownOutcome) as held:
            running.runner.pass_once()
        # The responses, and the pages that are read of them.
        assert left == [True, True]
    assert str(held.value) == "crash"


def test_the_passes_lead_from_snapshot_to_streaming(following: Told) -> None:
    """One walk or one reconciliation per pass; only a delta leaves the stream current."""
    with session(following, EVERY_PAGE) as running:
        phases = [running.checkpoint.position.phase]
        current = []
        for _ in range(4):
            current.append(running.runner.pass_once())
            phases.append(running.checkpoint.position.phase)
    assert phases == ["snapshot", "catching_up", "reconciling", "streaming", "streaming"]
    assert current == [False, False, False, True]


def cost(running: Session, simulator: Simulator, store: MemoryStore, name: str) -> tuple[int, int]:
    """Pass once; return how many requests and how many transactions that took."""
    simulator.clear_requests()
    before = len(store.transactions)
    running.runner.pass_once()
    return len(simulator.requests(name)), len(store.transactions) - before


def test_beyond_its_snapshot_a_first_run_takes_two_requests_and_two_transactions(
    simulator: Simulator, following: Told, store: MemoryStore, name: str
) -> None:
    """A transaction of the snapshot holds twenty items; then it is caught up with, reconciled, and followed."""
    with session(following, Bounds(items=20, interval=3600.0)) as running:
        asked, committed = cost(running, simulator, store, name)
        items = sum(request.items for request in simulator.requests(name))
        assert (asked, committed) == (page_count(name, items, 10), math.ceil(items / 20))
        assert committed > 1
        assert [cost(running, simulator, store, name) for _ in range(3)] == [(1, 1), (0, 1), (1, 0)]


def test_an_idle_poll_is_one_request_and_no_transaction(
    simulator: Simulator, following: Told, store: MemoryStore, name: str
) -> None:
    """However often nothing has happened."""
    with session(following, EVERY_PAGE) as running:
        running.become_current()
        assert [cost(running, simulator, store, name) for _ in range(5)] == [(1, 0)] * 5


def test_what_happened_before_a_reconciliation_is_read_after_it(
    simulator: Simulator, following: Told, store: MemoryStore, name: str
) -> None:
    """A process that starts with a reconciliation has not seen what came since the walk: it is not current yet."""
    with session(following, EVERY_PAGE) as running:
        while running.checkpoint.position.phase != "reconciling":
            running.runner.pass_once()
    simulator.edit(simulator.ids()[0])
    following.become_current()
    assert_right(simulator, name, store.records)


def test_a_release_is_one_transaction(simulator: Simulator, following: Told, store: MemoryStore, name: str) -> None:
    """Everything that was published together becomes visible together, across all pages of the delta."""
    with session(following, EVERY_PAGE) as running:
        running.become_current()
        before = len(store.transactions)
        released = simulator.release(24)
        running.runner.pass_once()
    (transaction,) = store.transactions[before:]
    # All have the same clock: they stay in the order in which the CMS published them.
    assert list(dict.fromkeys(event["after"]["id"] for event in events(transaction))) == released
    assert_right(simulator, name, store.records)


def test_a_delta_is_published_oldest_first(simulator: Simulator, following: Told, store: MemoryStore) -> None:
    """Whatever the API's order: events and their sequence follow the CMS's clock."""
    with session(following, EVERY_PAGE) as running:
        running.become_current()
        before = len(store.records)
        edited = [simulator.edit(each) for each in simulator.ids()]
        running.runner.pass_once()
    found = events(store.records[before:])
    assert list(dict.fromkeys(event["after"]["id"] for event in found)) == edited
    clocks = [event["source"]["ts_ms"] for event in found]
    assert all(earlier <= later for earlier, later in pairwise(clocks))


def test_only_the_last_transaction_of_a_large_delta_moves_the_cursor(
    simulator: Simulator, following: Told, store: MemoryStore
) -> None:
    """The others keep the old cursor and are marked as open."""
    seen: list[tuple[bool, bool]] = []
    with session(following, Bounds(items=5)) as running:
        running.become_current()
        start = running.checkpoint.position
        running.publisher._committed = lambda batch, _seconds: seen.append(
            (batch.checkpoint.position.walk_open, batch.checkpoint.position.cursor == start.cursor)
        )
        simulator.release(12)
        running.runner.pass_once()
    assert len(seen) >= 3
    assert {*seen[:-1]} == {(True, True)}
    assert seen[-1] == (False, False)


def test_a_delta_takes_no_more_requests_and_transactions_than_its_items_need(
    simulator: Simulator, following: Told, store: MemoryStore, name: str
) -> None:
    """Pages of ten items each are read, and a transaction holds five, however the pages were cut."""
    with session(following, Bounds(items=5)) as running:
        running.become_current()
        released = {*simulator.release(12)}
        items = sum(live.id in released for live in simulator.truth(name))
        assert cost(running, simulator, store, name) == (page_count(name, items, 10), math.ceil(items / 5))


@pytest.mark.parametrize("fail", [fail_before_commit, fail_after_commit])
@pytest.mark.parametrize("survived", [0, 1, 2])
def test_a_crash_during_a_large_delta_publishes_every_change_once(  # noqa: PLR0917  fixtures and parameters
    simulator: Simulator, following: Told, store: MemoryStore, name: str, fail: type, survived: int
) -> None:
    """The walk is read again, together with what happened since; what is committed is left out."""
    with session(following, Bounds(items=5)) as running:
        running.become_current()
        before = len(store.records)
        changed = simulator.release(12)
        store.faults.extend([*[None] * survived, fail(UnknownOutcome("crash"))])
        with pytest.raises(UnknownOutcome):
            running.runner.pass_once()
    late = simulator.edit(changed[0])
    with session(following, Bounds(items=5)) as running:
        running.become_current()
    ids = [event["event_id"] for event in events(store.records[before:])]
    assert len(ids) == len(set(ids))
    assert events(store.records)[-1]["after"]["id"] == late
    assert_right(simulator, name, store.records)


def test_a_stopped_delta_publishes_nothing(
    simulator: Simulator, following: Told, store: MemoryStore, name: str
) -> None:
    """Half a walk has no order: it is read again."""
    with session(following, EVERY_PAGE) as running:
        running.become_current()
        before = len(store.records)
        simulator.release(24)
        simulator.on_page(name, 1, running.stop.set)
        running.runner.pass_once()
        assert store.records[before:] == []
    with session(following, EVERY_PAGE) as running:
        running.become_current()
    assert_right(simulator, name, store.records)


def test_a_spool_in_a_file_gives_the_same_stream(simulator: Simulator, name: str) -> None:
    """Memory or disk: the same events in the same order."""
    stores = [MemoryStore(connection="blog"), MemoryStore(connection="blog")]
    followed = [Told(simulator, name, lambda store=store: store, page_size=10) for store in stores]  # type: ignore[misc]
    bounds = [Bounds(), Bounds(size=2000)]
    for following, bound in zip(followed, bounds, strict=True):
        with session(following, bound) as running:
            running.become_current()
    simulator.churn(20)
    for following, bound in zip(followed, bounds, strict=True):
        with session(following, bound) as running:
            running.become_current()
    one, other = [[event["event_id"] for event in events(store.records)] for store in stores]
    assert one == other
    assert len(stores[1].transactions) > len(stores[0].transactions)
