"""When an owned stream next asks the CMS: after its interval, and a few times after a webhook call.

Safe from any thread.
"""

import math
import threading
from collections.abc import Callable, Collection

from connector.clock import Clock
from connector.stream.spec import Pace


class Schedule:
    """Wake-up calls of one stream. `woken` is set when somebody wants the stream to check its schedule again."""

    def __init__(self, pace: Pace, clock: Clock) -> None:
        self.woken = threading.Event()
        self._pace = pace
        self._clock = clock
        self._wake_ups: list[float] = []
        self._announced: str | None = None
        self._polled_at = -math.inf

    def wake(self, announced: str | None = None) -> None:
        """Poll now, and a few more times in two minutes, until a change with the id `announced` is published.

        However many calls come, the polls they cause are `wake_spacing` seconds apart.
        """
        begin = max(self._clock.monotonic(), self._polled_at + self._pace.wake_spacing)
        self._announced = announced
        self._wake_ups = [begin + delay for delay in self._pace.wake_ups]
        self.woken.set()

    def published(self, ids: Callable[[], Collection[str]]) -> None:
        """Note what was published: a change that a call announced is waited for no longer."""
        if self._announced and self._announced in ids():
            self._wake_ups, self._announced = [], None

    def next_poll(self, due: float) -> float:
        """Return when to poll, on the monotonic clock: at `due`, by the interval, or earlier after a wake-up call."""
        while self._wake_ups and self._wake_ups[0] <= self._clock.monotonic():
            self._wake_ups.pop(0)
            self._polled_at = self._clock.monotonic()
            due = 0.0
        return min([due, *self._wake_ups[:1]])
