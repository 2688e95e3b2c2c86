"""What the streams of a process share of Kafka: an admin client, looks at topics and schemas, and turns to begin."""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from connector.clock import Clock
from connector.errors import Superseded
from connector.kafka.admin import Admin
from connector.kafka.client import Settings
from connector.kafka.looks import Looks, Texts

_PATIENCE: Final = 120.0
_LOOK_UP: Final = 1.0  # seconds between two looks whether waiting is still wanted


def _always() -> bool:
    return True


class Places:
    """As many places as the streams of a process may take at a time, given in the order in which they asked.

    A thousand that ask Kafka at once get their answers too late, and a thousand producers cost thousands of threads.
    Nobody waits longer than `patience` seconds: those before may hang. Safe from any thread.
    """

    def __init__(self, most: int, *, patience: float, clock: Clock) -> None:
        self._most = most
        self._patience = patience
        self._clock = clock
        self._lock = threading.Lock()
        self._taken = 0
        self._line: deque[threading.Event] = deque()

    @property
    def waiting(self) -> int:
        """How many wait for one."""
        return len(self._line)

    @property
    def crowded(self) -> bool:
        """Whether more than half of them are taken."""
        return self._taken > self._most // 2

    def take(self, wanted: Callable[[], bool] = _always) -> None:
        """Take a place once there is one; raises `Superseded` if it is not `wanted` any longer by then."""
        given = threading.Event()
        with self._lock:
            if self._taken < self._most and not self._line:
                self._taken += 1
                given.set()
            else:
                self._line.append(given)
        patient_until = self._clock.monotonic() + self._patience
        while not given.wait(_LOOK_UP):
            if not wanted() or self._clock.monotonic() >= patient_until:
                with self._lock:
                    if not given.is_set():
                        self._line.remove(given)
                        self._taken += 1
                        break
        if not wanted():
            self.give_back()
            raise Superseded("the stream was handed over while it waited for its turn")

    def take_at_once(self) -> None:
        """Take a place, whether there is one or not."""
        with self._lock:
            self._taken += 1

    def give_back(self) -> None:
        """Give a place back: whoever has waited longest gets it."""
        with self._lock:
            self._taken -= 1
            while self._line and self._taken < self._most:
                self._line.popleft().set()
                self._taken += 1

    @contextmanager
    def turn(self, wanted: Callable[[], bool] = _always) -> Iterator[None]:
        """Have a place while something is done; raises as `take` does."""
        self.take(wanted)
        try:
            yield
        finally:
            self.give_back()


def turns(clock: Clock) -> Places:
    """Return the places for streams that recover, or open topics."""
    return Places(16, patience=_PATIENCE, clock=clock)


def producers(clock: Clock) -> Places:
    """Return the places for producers. Only a recovery waits for one: a stream that is under way must not."""
    return Places(128, patience=_PATIENCE, clock=clock)


class Shared:
    """What streams with the same settings share."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.admin = Admin(settings)
        self.looks = Looks(self.admin, clock)
        self.turns = turns(clock)
        self.producers = producers(clock)
        self.texts = Texts(clock)


class Sharing:
    """What the streams of a process share: the same for all who have the same settings. Safe from any thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._latest: tuple[Settings, Shared] | None = None

    def by(self, settings: Settings) -> Shared:
        """Return what is shared by these settings: something else once a password has changed."""
        with self._lock:
            if self._latest is None or self._latest[0] != settings:
                self._latest = settings, Shared(settings, self._clock)
            return self._latest[1]
