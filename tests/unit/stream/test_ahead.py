"""Transactions under way while the next one is assembled: what each sees of the other, and what a failure leaves."""

from collections.abc import Callable, Iterator

import pytest

from connector.errors import SourceUnavailable, TransactionAborted
from connector.events import codec
from connector.events.record import Route
from connector.model.change import Change, EntityKey
from connector.model.page import SyncPage
from connector.testing import fail_before_commit
from tests.memory import Stream
from tests.published import ops
from tests.values import entry_key, page, published, removed


class Slow:
    """Does all work as late as it may: when it is waited for."""

    def __init__(self) -> None:
        self.under_way = 0

    def __call__(self, work: Callable[[], None]) -> Callable[[], None]:
        """Begin some work."""
        self.under_way += 1

        def wait() -> None:
            self.under_way -= 1
            work()

        return wait


def streaming(slow: Slow) -> Stream:
    """Return a stream in a snapshot whose transactions take as long as they may."""
    return Stream(phase="snapshot", aside=slow)


def pages(stream: Stream, *changes: Change, number: int = 1) -> list[SyncPage]:
    """Return one page of a walk that goes on."""
    return [page(*changes, after=stream.initial.position, cursor=f"c{number}", caught_up=False)]


def test_the_next_batch_sees_what_is_under_way() -> None:
    """A key that the transaction under way publishes is not new, and what it says already is not said again."""
    slow = Slow()
    stream = streaming(slow)
    stream.publisher.publish_ahead(pages(stream, published("e1", 1), published("e2", 1)))
    assert (slow.under_way, stream.store.transactions) == (1, [])
    stream.publisher.publish_ahead(pages(stream, published("e1", 2), published("e2", 1), removed("e3", 1), number=2))
    assert (slow.under_way, len(stream.store.transactions)) == (1, 1)
    stream.publisher.settle()
    first, second = stream.store.transactions
    assert ops(first) == [("r", "e1"), ("r", "e2")]
    assert ops(second) == [("u", "e1"), ("d", "e3"), ("tombstone", "e3")]
    assert stream.checkpoint.position.cursor == "c2"
    assert stream.checkpoint.progress.sequence == 4
    assert [batch.tally.ops.total() for batch in stream.batches] == [2, 2]


def test_a_failure_takes_what_was_built_upon_it_along() -> None:
    """Neither the failed batch nor the next one is visible, or remembered; recovery goes on from what was committed."""
    stream = streaming(Slow())
    stream.publisher.publish(pages(stream, published("e0")))
    stream.store.faults.append(fail_before_commit(TransactionAborted("no")))
    stream.publisher.publish_ahead(pages(stream, published("e1"), number=2))
    with pytest.raises(TransactionAborted):
        stream.publisher.publish_ahead(pages(stream, published("e2"), number=3))
    assert not stream.publisher.ready
    stream.publisher.settle()
    assert stream.publisher.recover().position.cursor == "c1"
    assert [codec.decode_key(body).id for body, _ in stream.publisher.index.entries()] == ["e0"]
    stream.publisher.publish(pages(stream, published("e1"), published("e2"), number=2))
    assert ops(stream.store.records) == [("r", "e0"), ("r", "e1"), ("r", "e2")]


def test_a_walk_that_breaks_off_leaves_the_transaction_under_way_to_its_end() -> None:
    """It counts; what was assembled of the next one does not."""
    stream = streaming(Slow())
    stream.publisher.publish_ahead(pages(stream, published("e1")))

    def broken() -> Iterator[SyncPage]:
        yield from pages(stream, published("e2"), number=2)
        raise SourceUnavailable("broke off")

    with pytest.raises(SourceUnavailable):
        stream.publisher.publish_ahead(broken())
    assert stream.publisher.ready
    assert stream.checkpoint.position.cursor == "c1"
    assert codec.encode_key(entry_key("e2")) not in stream.publisher.index
    stream.publisher.publish(pages(stream, published("e2"), number=2))
    assert ops(stream.store.records) == [("r", "e1"), ("r", "e2")]


def test_nothing_is_under_way_once_it_recovers_or_closes() -> None:
    """The store does one thing at a time; whatever the outcome is, it is read back."""
    for end in ("recover", "close"):
        slow = Slow()
        stream = streaming(slow)
        stream.publisher.publish_ahead(pages(stream, published("e1")))
        getattr(stream.publisher, end)()
        assert slow.under_way == 0
        assert ops(stream.store.records) == [("r", "e1")]


def test_a_place_is_opened_when_nothing_is_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a store has to do for a new topic is not done while it commits; a place that is open stays so in a walk."""
    slow = Slow()
    stream = streaming(slow)
    opened: list[int] = []
    route = stream.store.route

    def watched(key: EntityKey) -> Route:
        opened.append(slow.under_way)
        return route(key)

    monkeypatch.setattr(stream.store, "route", watched)
    with stream.publisher.settled():
        stream.publisher.publish_ahead(pages(stream, published("e1")))
        stream.publisher.publish_ahead(pages(stream, published("e2"), number=2))
        assert (opened, slow.under_way) == ([0], 1)
        stream.publisher.publish_ahead(pages(stream, published("e3", locale="de"), number=3))
    assert opened == [0, 0]
    stream.publisher.publish(pages(stream, published("e4"), number=4))
    assert opened == [0, 0, 0]
