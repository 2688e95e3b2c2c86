"""When a stream polls: after its interval, and after webhook calls, however many there are."""

from connector.stream.schedule import Schedule
from connector.stream.spec import Pace
from connector.testing import ManualClock


def polls(schedule: Schedule, clock: ManualClock, seconds: float, *, calls: bool) -> int:
    """Return how many polls there are in `seconds`, with a call every hundredth of a second."""
    found, until = 0, clock.monotonic() + seconds
    while clock.monotonic() < until:
        if calls:
            schedule.wake("e1")
        found += schedule.next_poll(1e9) <= clock.monotonic()
        clock.wait(0.01)
    return found


def test_a_flood_of_calls_causes_few_polls() -> None:
    """Polls that calls cause are spaced out, and the first one comes at once."""
    clock = ManualClock()
    schedule = Schedule(Pace(wake_spacing=3.0, wake_ups=(0.0, 5.0)), clock)
    schedule.wake()
    assert schedule.next_poll(1e9) <= clock.monotonic()
    assert polls(schedule, clock, 60, calls=True) <= 21


def test_after_the_last_call_polls_end() -> None:
    """The wake-ups of the last call, and no more."""
    clock = ManualClock()
    schedule = Schedule(Pace(wake_spacing=3.0, wake_ups=(0.0, 5.0)), clock)
    polls(schedule, clock, 10, calls=True)
    assert polls(schedule, clock, 60, calls=False) == 2
    assert schedule.next_poll(500.0) == 500.0


def test_the_announced_change_ends_the_polls() -> None:
    """What was waited for has been published."""
    clock = ManualClock()
    schedule = Schedule(Pace(wake_ups=(0.0, 5.0, 20.0)), clock)
    schedule.wake("e1")
    assert schedule.next_poll(1e9) <= clock.monotonic()
    schedule.published(lambda: ["other"])
    assert schedule.next_poll(1e9) == clock.monotonic() + 5
    schedule.published(lambda: ["e1"])
    assert schedule.next_poll(1e9) == 1e9
