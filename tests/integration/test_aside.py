"""Work in a thread: begun at once, waited for, and never failed in silence."""

import gc
import threading
import weakref
from collections.abc import Callable

import pytest

from connector.errors import UnknownOutcome
from connector.stream.aside import at_once, in_thread

TIMEOUT = 60


def test_work_runs_beside_its_caller() -> None:
    """The caller goes on, and waits when it wants to."""
    begun, go_on = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        assert go_on.wait(TIMEOUT)

    wait = in_thread(work)
    assert begun.wait(TIMEOUT)
    go_on.set()
    wait()


def test_what_it_raises_is_raised_where_it_is_waited_for() -> None:
    """The very error; and nothing keeps it, or what the work was about, once it is handled."""
    error = UnknownOutcome("no answer")

    class Batch:
        """What the work is about."""

    def work_on(batch: Batch) -> Callable[[], None]:
        def work() -> None:
            assert isinstance(batch, Batch)
            raise error

        return in_thread(work)

    gc.disable()
    try:
        batch = Batch()
        kept = weakref.ref(batch)
        wait = work_on(batch)
        with pytest.raises(UnknownOutcome) as caught:
            wait()
        assert caught.value is error
        error.__traceback__ = None
        del batch, wait, caught
        assert kept() is None
    finally:
        gc.enable()


def test_without_a_thread_the_work_is_done_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """By its caller: it may be all that a machine without threads left can do."""

    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    done: list[int] = []
    wait = in_thread(lambda: done.append(1))
    assert done == [1]
    wait()


def test_work_at_once_is_over_before_it_is_waited_for() -> None:
    """And fails at once."""
    done: list[int] = []
    wait = at_once(lambda: done.append(1))
    assert done == [1]
    wait()
    with pytest.raises(ZeroDivisionError):
        at_once(lambda: done.append(1 // 0))
