"""Work in a thread: begun at once, waited for, and never failed in silence."""

import threading

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
    """The very error, each time."""
    error = UnknownOutcome("no answer")

    def work() -> None:
        raise error

    wait = in_thread(work)
    for _ in range(2):
        with pytest.raises(UnknownOutcome) as caught:
            wait()
        assert caught.value is error


def test_work_at_once_is_over_before_it_is_waited_for() -> None:
    """And fails at once."""
    done: list[int] = []
    wait = at_once(lambda: done.append(1))
    assert done == [1]
    wait()
    with pytest.raises(ZeroDivisionError):
        at_once(lambda: done.append(1 // 0))
