"""Time and chance as parameters: nothing else in the core asks the machine for either."""

import random
import threading
import time
from typing import Final, Protocol


class Clock(Protocol):
    """Tells the time and lets it pass. Safe from any thread."""

    def monotonic(self) -> float:
        """Return seconds that never go back: for durations and deadlines."""
        ...

    def wall(self) -> float:
        """Return seconds since 1970, by this machine's clock: for what is recorded, and for other clocks."""
        ...

    def wait(self, seconds: float, event: threading.Event | None = None) -> bool:
        """Let `seconds` pass, or fewer if `event` is set before. Return whether it is."""
        ...

    def jitter(self, longest: float) -> float:
        """Return a random number of seconds, `longest` at most."""
        ...


class SystemClock:
    """The machine's own time."""

    def monotonic(self) -> float:
        """Return seconds since some moment."""
        return time.monotonic()

    def wall(self) -> float:
        """Return seconds since 1970."""
        return time.time()

    def wait(self, seconds: float, event: threading.Event | None = None) -> bool:
        """Block the calling thread."""
        if event is None:
            time.sleep(seconds)
            return False
        return event.wait(seconds)

    def jitter(self, longest: float) -> float:
        """Return any number between 0 and `longest`."""
        return random.uniform(0, longest)  # noqa: S311  nothing secret depends on it


SYSTEM: Final[Clock] = SystemClock()


def now_ms(clock: Clock) -> int:
    """Return the time as records carry it: milliseconds since 1970."""
    return round(clock.wall() * 1000)
