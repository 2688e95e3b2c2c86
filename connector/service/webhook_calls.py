"""What is remembered of webhook calls: which were accepted, so that each is once, and of which a refusal was told."""

import threading
from typing import Final

from connector.clock import Clock

_REMEMBERED: Final = 120.0  # seconds; a signature is good for less
_MOST: Final = 10_000
_TOLD_AGAIN: Final = 60.0


class Calls:
    """The memory of one process. Safe from any thread; bounded, whatever comes."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: dict[str, float] = {}
        self._told: dict[tuple[str, str], float] = {}

    def first(self, once: str) -> bool:
        """Return whether a call is seen for the first time."""
        now = self._clock.monotonic()
        with self._lock:
            while self._seen and (len(self._seen) >= _MOST or now - next(iter(self._seen.values())) > _REMEMBERED):
                del self._seen[next(iter(self._seen))]
            if once in self._seen:
                return False
            self._seen[once] = now
            return True

    def forget(self, once: str | None) -> None:
        """Let a call that could not be heeded count when it comes again: who sent it is told to repeat it."""
        with self._lock:
            self._seen.pop(once or "", None)

    def is_news(self, connection: str, reason: str) -> bool:
        """Return whether a refusal is worth a line: one a minute for each connection and reason."""
        now = self._clock.monotonic()
        with self._lock:
            if now - self._told.get((connection, reason), -_TOLD_AGAIN) < _TOLD_AGAIN:
                return False
            self._told[connection, reason] = now
            return True
