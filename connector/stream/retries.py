"""What went wrong since a stream last worked: how often, for how long, and how long to wait now. Never waits."""

from typing import Final

from connector.clock import Clock
from connector.errors import ConnectorError, WalkStarved
from connector.stream.spec import Pace

_MAX_RETRY_AFTER: Final = 86_400.0  # however long a header says to wait
_DOUBLINGS: Final = 30
_WALK_ATTEMPTS: Final = 5
_REFUSALS: Final = 3  # vendors refuse good cursors now and then; one refusal is not worth a snapshot


class Retries:
    """Counts for one stream. Points in time are on the monotonic clock."""

    def __init__(self, pace: Pace, clock: Clock) -> None:
        self._worked_at = clock.monotonic()
        self._pace = pace
        self._clock = clock
        self._walks = 0
        self._refusals = 0
        self._failures = 0
        self._troubled_at: float | None = None
        self._doubted_at: float | None = None

    @property
    def since_worked(self) -> float:
        """How many seconds ago something last worked."""
        return self._clock.monotonic() - self._worked_at

    @property
    def lasting(self) -> float:
        """For how many seconds something has been wrong; 0 if nothing is."""
        return 0.0 if self._troubled_at is None else self._clock.monotonic() - self._troubled_at

    def troubled(self) -> None:
        """Note that something is wrong."""
        if self._troubled_at is None:
            self._troubled_at = self._clock.monotonic()

    def reset(self) -> float:
        """Note that something works again; return for how many seconds nothing did."""
        lasted = self.lasting
        self._worked_at = self._clock.monotonic()
        self._failures = 0
        self._troubled_at = self._doubted_at = None
        return lasted

    def pause(self, retry_after: float | None) -> float:
        """Return how long to wait after one more failure: as long as asked, else full jitter below a growing cap."""
        cap = min(self._pace.longest_pause, self._pace.first_pause * 2.0**self._failures)
        self._failures = min(self._failures + 1, _DOUBLINGS)
        return self._clock.jitter(cap) if retry_after is None else min(retry_after, _MAX_RETRY_AFTER)

    def doubtful(self, seconds: float) -> bool:
        """Return whether a refusal is still to be doubted: for `seconds` after the first one."""
        now = self._clock.monotonic()
        if self._doubted_at is None:
            self._doubted_at = now
        return now - self._doubted_at < seconds

    def doubt_again(self) -> None:
        """Doubt from the start again: an operator, or time, may have fixed what was refused."""
        self._doubted_at = None
        self._failures = 0

    def count_walk(self, error: ConnectorError) -> None:
        """Count a walk that broke off; raises `WalkStarved` after too many in a row."""
        self._walks += 1
        if self._walks > _WALK_ATTEMPTS:
            raise WalkStarved(
                f"{self._walks} walks in a row were refused midway: {error}",
                hint="content changes faster than it can be read: pause bulk publishing, or raise page_size",
            )

    def walk_worked(self) -> None:
        """Count walks from zero again."""
        self._walks = 0

    def count_refusal(self, error: ConnectorError) -> None:
        """Count a refused cursor; raises `WalkStarved` if each new snapshot's cursor was refused as well."""
        self._refusals += 1
        if self._refusals >= _REFUSALS + _WALK_ATTEMPTS:
            raise WalkStarved(
                f"{_WALK_ATTEMPTS} new snapshots in a row had their cursor refused: {error}",
                hint="the API refuses every cursor that it gives: see docs/vendors, or ask the vendor",
            )

    @property
    def should_retry_cursor(self) -> bool:
        """Whether to try a refused cursor again before taking a new snapshot."""
        return self._refusals < _REFUSALS

    def cursor_worked(self) -> None:
        """Count refused cursors from zero again."""
        self._refusals = 0
