"""One stream with its parts open, over a store in memory, to test what follows it piece by piece."""

from typing import Any

from connector.simulator import Simulator
from connector.stream.followed import FollowedStream
from connector.stream.spec import Hooks
from connector.testing import ManualClock, MemoryStore
from tests.story import Told

SILENT = Hooks(lambda _items, _size, _seconds: None, lambda _batch, _seconds: None)


class Shared(MemoryStore):
    """A store that others may write to as well: `taken` says whether they have, `many` whether there are many."""

    taken = False
    many = False

    def crowded(self) -> bool:
        """Return whether there are many."""
        return self.many

    def superseded(self) -> bool:
        """Return whether somebody else has committed."""
        return self.taken


class Opened:
    """A recovered stream and what belongs to it."""

    def __init__(self, **changes: Any) -> None:
        self.store = Shared(connection="blog")
        self.following = Told(Simulator(entries=1), "contentful", lambda: self.store)
        self.clock: ManualClock = self.following.narrator
        self.stream = FollowedStream(self.following.spec(**changes))
        self.stream.open(SILENT)
        self.stream.publisher.recover()
