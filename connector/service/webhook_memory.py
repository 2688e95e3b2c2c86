"""Remembers webhook calls: which were accepted, so that each counts once, and which refusals were logged."""

import threading
from typing import Final

from connector.clock import Clock

_REMEMBERED: Final = 120.0  # seconds; a signature is good for less
_MOST: Final = 10_000
_LOG_AGAIN: Final = 60.0


class Calls:
    """The memory of one process. Safe from any thread, and always bounded."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: dict[str, float] = {}
        self._logged: dict[tuple[str, str], float] = {}

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
        """Forget a call that could not be handled: its sender is asked to repeat it, and it must count then."""
        with self._lock:
            self._seen.pop(once or "", None)

    def is_news(self, connection: str, reason: str) -> bool:
        """Return whether a refusal is worth a log line: one a minute for each connection and reason."""
        now = self._clock.monotonic()
        with self._lock:
            if now - self._logged.get((connection, reason), -_LOG_AGAIN) < _LOG_AGAIN:
                return False
            self._logged[connection, reason] = now
            return True
