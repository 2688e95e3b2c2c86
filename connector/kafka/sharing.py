"""What the streams of a process share of Kafka: an admin client, looks at topics and schemas, and turns to begin."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from connector.clock import Clock
from connector.kafka.admin import Admin
from connector.kafka.client import Settings
from connector.kafka.looks import Looks, Texts


class Turns:
    """Lets few streams do something at a time: a thousand that all ask at once get their answers too late.

    Safe from any thread. Nobody waits any longer once no place has become free for `patience` seconds: those before
    hang.
    """

    def __init__(self, places: int = 16, patience: float = 20.0, *, clock: Clock) -> None:
        self._free = threading.Semaphore(places)
        self._patience = patience
        self._clock = clock
        self._moved_at = clock.monotonic()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Take a place while something is done."""
        waits_since = self._clock.monotonic()
        while not (taken := self._free.acquire(timeout=self._patience)):
            if self._clock.monotonic() - max(self._moved_at, waits_since) >= self._patience:
                break
        try:
            yield
        finally:
            self._moved_at = self._clock.monotonic()
            if taken:
                self._free.release()


class Producers:
    """How many producers the streams of a process have: each costs threads and connections. Safe from any thread."""

    def __init__(self, most: int = 128, patience: float = 20.0, *, clock: Clock) -> None:
        self._most = most
        self._patience = patience
        self._clock = clock
        self._changed = threading.Condition()
        self._changed_at = clock.monotonic()
        self._count = 0

    @property
    def crowded(self) -> bool:
        """Whether there are so many that idle streams should not keep theirs for long."""
        return self._count > self._most // 2

    def open(self, *, wait: bool) -> None:
        """Count another one; with `wait`, not before others have given theirs up, as long as any still do."""
        waits_since = self._clock.monotonic()
        with self._changed:
            while wait and self._count >= self._most:
                if self._clock.monotonic() - max(self._changed_at, waits_since) >= self._patience:
                    break
                self._changed.wait(self._patience)
            self._add(1)

    def close(self) -> None:
        """Count one less."""
        with self._changed:
            self._add(-1)
            self._changed.notify()

    def _add(self, number: int) -> None:
        self._count += number
        self._changed_at = self._clock.monotonic()


class Shared:
    """What streams with the same settings share."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.admin = Admin(settings)
        self.looks = Looks(self.admin, clock)
        self.turns = Turns(clock=clock)
        self.commits = Turns(clock=clock)
        self.producers = Producers(clock=clock)
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
