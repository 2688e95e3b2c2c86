"""Giving a stream up: a stopped follower does nothing more, whenever it notices."""

from collections.abc import Callable

from connector.events.index import Index
from connector.model.checkpoint import Checkpoint
from connector.simulator import Simulator
from connector.stream.follower import Follower
from connector.testing import MemoryStore
from tests.story import Told

NAME = "contentful"


class SlowStore(MemoryStore):
    """A store that takes long to recover; `meanwhile` is what happens during that time."""

    meanwhile: Callable[[], None]

    def recover(self, index: Index) -> Checkpoint | None:
        """Recover in the end."""
        self.meanwhile()
        return super().recover(index)


def test_stream_lost_during_recovery_is_not_worked_on() -> None:
    """Neither a request nor a commit comes from a follower that was stopped while it recovered."""
    simulator, store = Simulator(entries=3), SlowStore(connection="blog")
    following = Told(simulator, NAME, lambda: store)
    follower = Follower(following.spec(), following.metrics)
    store.meanwhile = follower.stop
    follower.run()
    assert (simulator.requests(NAME), store.transactions) == ([], [])
