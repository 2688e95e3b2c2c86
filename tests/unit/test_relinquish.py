"""Letting a stream go: a stopped follower does nothing more, whenever it notices."""

import threading
from collections.abc import Iterator

import pytest

from connector.events.index import Index
from connector.model.checkpoint import Checkpoint
from connector.simulator import Simulator
from connector.testing import MemoryStore
from tests.following import Following

NAME = "contentful"


class SlowStore(MemoryStore):
    """A store that recovers only once it is answered: the broker was away for long."""

    def __init__(self) -> None:
        super().__init__(connection="blog")
        self.answered = threading.Event()

    def recover(self, index: Index) -> Checkpoint | None:
        """Wait, and recover."""
        assert self.answered.wait(10)
        return super().recover(index)


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """Give a served simulator."""
    with Simulator(entries=3).serving() as serving:
        yield serving


def test_stream_lost_during_recovery_is_not_worked_on(simulator: Simulator) -> None:
    """Neither a request nor a commit comes from a follower that was stopped while it recovered."""
    store = SlowStore()
    with Following(simulator, NAME, lambda: store).running() as follower:
        follower.stop()
        store.answered.set()
        assert follower.join(10)
    assert (simulator.requests(NAME), store.transactions) == ([], [])
