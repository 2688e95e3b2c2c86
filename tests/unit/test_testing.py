"""The stand-ins that users test with: a clock moved by hand, items in turn, and a store with scripted faults."""

import threading
from collections.abc import Callable, Iterator

import pytest

from connector.errors import ConnectorError, TransactionAborted, UnknownOutcome
from connector.events import codec
from connector.events.index import Index, IndexEntry
from connector.events.owner_report import OwnerReport
from connector.events.record import Batch, Record, Tally
from connector.events.state_record import CHECKPOINT_KEY, encode_checkpoint
from connector.model.change import EntityKey
from connector.testing import Fault, ManualClock, MemoryStore, fail_after_commit, fail_before_commit, in_turn
from tests.values import checkpoint

KEY = codec.encode_key(EntityKey("memory", "entry", "e1", "*"))
ENTRY = IndexEntry(True, "published", "post", 1, None, b"d" * 16, 1)


def batch(text: bytes = b"v") -> Batch:
    """Return a batch of one event, with the index entry and the checkpoint that belong to it."""
    point = checkpoint(stream="memory", cursor=text.decode())
    state: list[tuple[bytes, bytes | None]] = [(KEY, ENTRY.encode()), (CHECKPOINT_KEY, encode_checkpoint(point))]
    return Batch([Record("t", b"k", text, [])], state, point, Tally())


def recovered(*faults: Fault | None) -> MemoryStore:
    """Return a store that is ready for commits."""
    store = MemoryStore()
    store.recover(Index())
    store.faults.extend(faults)
    return store


def test_time_passes_only_by_waiting() -> None:
    """Both clocks move by exactly the wait, and at once."""
    clock = ManualClock(wall=1000.0)
    assert (clock.monotonic(), clock.wall()) == (0.0, 1000.0)
    assert clock.wait(2.5) is False
    assert (clock.monotonic(), clock.wall()) == (2.5, 1002.5)


def test_plans_happen_at_their_time_and_in_order() -> None:
    """Within the wait that the time falls into; plans for the same time happen in the order they were made."""
    clock = ManualClock()
    told: list[tuple[str, float]] = []
    for name, seconds in (("late", 30.0), ("one", 10.0), ("two", 10.0), ("end", 20.0)):
        clock.after(seconds, lambda name=name: told.append((name, clock.monotonic())))  # type: ignore[misc]
    clock.wait(20.0)
    assert told == [("one", 10.0), ("two", 10.0), ("end", 20.0)]
    clock.wait(20.0)
    assert told[3:] == [("late", 30.0)]
    assert clock.monotonic() == 40.0


def test_a_wait_ends_with_its_event() -> None:
    """When the event is set; if it is set already, the wait takes no time."""
    clock, event = ManualClock(), threading.Event()
    clock.after(5.0, event.set)
    assert clock.wait(60.0, event) is True
    assert clock.monotonic() == 5.0
    assert clock.wait(60.0, event) is True
    assert clock.monotonic() == 5.0


def test_a_plan_may_wait_itself() -> None:
    """Time never goes back, whatever has moved it meanwhile."""
    clock = ManualClock()
    clock.after(5.0, lambda: clock.wait(60.0))
    clock.wait(10.0)
    assert clock.monotonic() == 65.0


def test_no_wait_is_longer_than_a_thread_can_wait() -> None:
    """What would fail on a machine fails here."""
    with pytest.raises(OverflowError):
        ManualClock().wait(threading.TIMEOUT_MAX * 2)


def test_jitter_is_always_the_longest() -> None:
    """That is the worst case, and the same in every run."""
    assert ManualClock().jitter(7.0) == 7.0


def test_items_in_turn_are_requested_one_by_one() -> None:
    """None is read before the reader wants it, and `done` is called at the end."""
    asked: list[int] = []
    ended: list[bool] = []

    def numbers() -> Iterator[int]:
        for number in range(3):
            asked.append(number)
            yield number

    items = in_turn(numbers(), threading.Event(), lambda: ended.append(True))
    assert (next(items), asked, ended) == (0, [0], [])
    assert list(items) == [1, 2]
    assert ended == [True]


def test_a_batch_is_visible_as_a_whole_and_survives() -> None:
    """Its records, its index entries and its checkpoint: another store over the same state knows them all."""
    store, index = recovered(), Index()
    store.commit(batch())
    assert store.records == batch().records
    heir = MemoryStore()
    heir.state = store.state
    found = heir.recover(index)
    assert found is not None
    assert found.position.cursor == "v"
    assert (index.get(KEY), len(index)) == (ENTRY, 1)


def test_an_empty_store_has_no_checkpoint_and_clears_the_index() -> None:
    """What was known before a recovery no longer counts."""
    index = Index()
    index.stage(KEY, ENTRY.encode())
    index.commit()
    assert MemoryStore().recover(index) is None
    assert len(index) == 0


def test_nothing_is_committed_before_a_recovery() -> None:
    """Neither at the beginning nor after `close`, as with Kafka."""
    store = MemoryStore()
    for _ in range(2):
        with pytest.raises(UnknownOutcome):
            store.commit(batch())
        with pytest.raises(UnknownOutcome):
            store.note(OwnerReport(state="running"))
        store.recover(Index())
        store.close()
    assert (store.records, store.report()) == ([], OwnerReport())


def test_faults_are_used_up_in_turn() -> None:
    """One per commit; None lets one through, and after the last everything is committed."""
    store = recovered(None, fail_before_commit(TransactionAborted("no")))
    store.commit(batch(b"1"))
    with pytest.raises(TransactionAborted):
        store.commit(batch(b"2"))
    store.recover(Index())
    store.commit(batch(b"3"))
    assert [record.value for record in store.records] == [b"1", b"3"]


@pytest.mark.parametrize(("fault", "seen"), [(fail_before_commit, 0), (fail_after_commit, 1)])
def test_a_fault_says_whether_the_batch_is_visible(fault: Callable[[ConnectorError], Fault], seen: int) -> None:
    """Either way the error is raised, and the state has to be read back before the next commit."""
    store = recovered(fault(UnknownOutcome("the answer was lost")))
    with pytest.raises(UnknownOutcome, match="the answer was lost"):
        store.commit(batch())
    assert len(store.records) == seen
    with pytest.raises(UnknownOutcome, match="recover first"):
        store.commit(batch())
    assert (store.recover(Index()) is not None) is bool(seen)


def test_a_report_is_kept_and_is_not_an_event() -> None:
    """The last one counts, and it creates no index entry."""
    store, index = recovered(), Index()
    store.note(OwnerReport(state="retrying"))
    store.note(OwnerReport(state="running"))
    assert store.report().state == "running"
    assert (store.records, store.recover(index), len(index)) == ([], None, 0)


def test_events_go_to_topics_of_the_stream() -> None:
    """One for changes and one for dead letters, under the prefix and the connection."""
    store = MemoryStore("cw", "blog")
    assert store.route(EntityKey("blog", "entry", "e1", "de")).topic == "cw.blog.changes"
    assert store.letters_route().topic == "cw.blog.dead-letters"
