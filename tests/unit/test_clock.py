"""The machine's clock, as far as it can be tested without waiting, and time as records carry it."""

import threading
import time

import pytest

from connector.clock import SYSTEM, now_ms
from connector.testing import ManualClock


def test_the_machines_clock_tells_the_machines_time() -> None:
    """Two readings enclose a third one, in the same unit and from the same origin."""
    before = time.monotonic(), time.time()
    told = SYSTEM.monotonic(), SYSTEM.wall()
    after = time.monotonic(), time.time()
    assert all(one <= two <= three for one, two, three in zip(before, told, after, strict=True))


def test_a_wait_for_a_past_event_is_over_at_once() -> None:
    """However long it may last; it returns that the event is set."""
    event = threading.Event()
    event.set()
    assert SYSTEM.wait(3600.0, event) is True


def test_a_wait_without_an_event_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as requested; and nothing has happened."""
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    assert SYSTEM.wait(2.5) is False
    assert slept == [2.5]


@pytest.mark.parametrize("longest", [0.0, 1e-9, 60.0])
def test_jitter_is_random_within_its_bounds(longest: float) -> None:
    """Never too long, never negative; and what starts together does not stay together."""
    drawn = [SYSTEM.jitter(longest) for _ in range(100)]
    assert all(0 <= seconds <= longest for seconds in drawn)
    assert len(set(drawn)) == (100 if longest else 1)


@pytest.mark.parametrize(
    ("wall", "ms"), [(0.0, 0), (1.0004, 1000), (1.0006, 1001), (1_750_000_000.123, 1_750_000_000_123)]
)
def test_records_carry_the_nearest_millisecond(wall: float, ms: int) -> None:
    """A float's own error shifts no time by a millisecond."""
    assert now_ms(ManualClock(wall)) == ms
