"""Both ways to read on, ahead and in turn: the same items for the reader, and an end that leaves nothing behind."""

import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from connector.cms.lookahead import Ahead, look_ahead
from connector.errors import LocalTrouble
from connector.testing import in_turn


class Asked:
    """Gives numbers from 1 to `last`, then raises `error` if there is one; records each question.

    `wanted` is how many items the reader has wanted so far: the reader counts, and each question notes it.
    """

    def __init__(self, last: int, error: Exception | None = None) -> None:
        self.wanted = 0
        self.seen: list[int] = []
        self.arrived = [threading.Event() for _ in range(last + 2)]
        self._last = last
        self._error = error

    def __iter__(self) -> Iterator[int]:
        return self

    def __next__(self) -> int:
        self.seen.append(self.wanted)
        self.arrived[len(self.seen)].set()
        if len(self.seen) <= self._last:
            return len(self.seen)
        raise self._error or StopIteration


@pytest.fixture
def done() -> threading.Event:
    """Give what is set once nothing more will be asked for."""
    return threading.Event()


@pytest.fixture(params=[look_ahead, in_turn])
def ahead(request: pytest.FixtureRequest) -> Ahead:
    """Give each way to read on."""
    way: Ahead = request.param
    return way


def test_every_item_comes_once_and_in_order(ahead: Ahead, done: threading.Event) -> None:
    """As the reader would have got them directly."""
    assert list(ahead(Asked(20), threading.Event(), done.set)) == [*range(1, 21)]
    assert done.wait(10)


def test_an_error_comes_after_the_items_before_it(ahead: Ahead, done: threading.Event) -> None:
    """What arrived before the failure is delivered first."""
    items = ahead(Asked(2, ZeroDivisionError("third")), threading.Event(), done.set)
    assert [next(items), next(items)] == [1, 2]
    with pytest.raises(ZeroDivisionError, match="third"):
        next(items)
    assert done.wait(10)


def test_a_stop_ends_it_between_two_items(ahead: Ahead, done: threading.Event) -> None:
    """What was handed out is complete; nothing comes after it."""
    stop = threading.Event()
    items = ahead(Asked(20), stop, done.set)
    assert next(items) == 1
    stop.set()
    assert list(items) == []
    assert done.wait(10)


def test_a_reader_who_leaves_ends_the_questions(ahead: Ahead, done: threading.Event) -> None:
    """Neither questions nor threads are left; the item under way is the last."""
    asked = Asked(20)
    with closing(ahead(asked, threading.Event(), done.set)) as items:
        next(items)
    assert done.wait(10)
    assert len(asked.seen) <= 2


def test_one_item_is_fetched_ahead_and_never_two(done: threading.Event) -> None:
    """While an item is processed, the next is under way: slow answers overlap, and memory holds one more page."""
    asked = Asked(20)
    with closing(look_ahead(asked, threading.Event(), done.set)) as items:
        for number in range(1, 20):
            asked.wanted = number
            assert next(items) == number
            assert asked.arrived[number + 1].wait(10)
    assert all(question <= wanted + 1 for question, wanted in enumerate(asked.seen, 1))


def test_a_stop_does_not_wait_for_an_item(done: threading.Event) -> None:
    """Whatever the other side does, the reader is free, and the hanging thread does not hold up the process."""
    stop, released = threading.Event(), threading.Event()

    def hanging() -> Iterator[int]:
        stop.set()
        assert released.wait(10)
        yield 1

    assert list(look_ahead(hanging(), stop, done.set)) == []
    assert not done.is_set()
    released.set()
    assert done.wait(10)


def test_a_machine_without_another_thread_is_local_trouble(
    monkeypatch: pytest.MonkeyPatch, done: threading.Event
) -> None:
    """It may pass, and the other side is not blamed."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        with pytest.raises(LocalTrouble, match="another thread"):
            next(look_ahead(Asked(1), threading.Event(), done.set))
