"""What went wrong since a stream last worked: how long to wait now, and what has happened too often."""

from collections.abc import Callable

import pytest

from connector.errors import CheckpointRejected, WalkBroken, WalkStarved
from connector.stream.retries import Retries
from connector.stream.spec import Pace
from connector.testing import ManualClock

PACE = Pace(first_pause=0.5, longest_pause=60.0)
BROKEN = WalkBroken("refused midway")
REFUSED = CheckpointRejected("no such cursor")


@pytest.fixture
def clock() -> ManualClock:
    """Return a clock whose jitter is always the longest."""
    return ManualClock()


@pytest.fixture
def retries(clock: ManualClock) -> Retries:
    """Return the counts of a stream that has just begun."""
    return Retries(PACE, clock)


def test_pauses_double_up_to_the_longest(retries: Retries) -> None:
    """And stay there, however many failures follow."""
    assert [retries.pause(None) for _ in range(9)] == [0.5, 1, 2, 4, 8, 16, 32, 60, 60]
    assert {retries.pause(None) for _ in range(2000)} == {60.0}


def test_after_success_pauses_start_over(retries: Retries) -> None:
    """Past trouble does not slow down the next retry."""
    for _ in range(5):
        retries.pause(None)
    retries.reset()
    assert retries.pause(None) == 0.5


@pytest.mark.parametrize(("asked", "waited"), [(0.0, 0.0), (7.5, 7.5), (90_000.0, 86_400.0), (1e300, 86_400.0)])
def test_a_requested_wait_is_kept(retries: Retries, asked: float, waited: float) -> None:
    """To the second, without jitter; a day at most."""
    assert retries.pause(asked) == waited


def test_trouble_lasts_from_its_first_error_on(retries: Retries, clock: ManualClock) -> None:
    """Until something works; then its length is returned."""
    clock.wait(5)
    assert retries.lasting == 0.0
    retries.troubled()
    clock.wait(10)
    retries.troubled()
    clock.wait(10)
    assert (retries.lasting, retries.since_worked) == (20.0, 25.0)
    assert retries.reset() == 20.0
    assert (retries.lasting, retries.since_worked) == (0.0, 0.0)
    assert retries.reset() == 0.0


def test_a_refusal_is_doubted_for_a_while(retries: Retries, clock: ManualClock) -> None:
    """From the first one on; then it is believed, until something works or doubt starts again."""
    assert retries.doubtful(10)
    clock.wait(9)
    assert retries.doubtful(10)
    clock.wait(1)
    assert not retries.doubtful(10)
    retries.doubt_again()
    assert retries.doubtful(10)
    clock.wait(10)
    retries.reset()
    assert retries.doubtful(10)


def test_a_new_doubt_begins_with_the_first_pause(retries: Retries) -> None:
    """Whoever fixed what was refused need not wait long."""
    for _ in range(5):
        retries.pause(None)
    retries.doubt_again()
    assert retries.pause(None) == 0.5


def starved_after(count: Callable[[], None]) -> int:
    """Return how often something can be counted before the stream is starved."""
    for number in range(100):
        try:
            count()
        except WalkStarved:
            return number
    return -1


def test_five_walks_in_a_row_may_break_off(retries: Retries) -> None:
    """The sixth is one too many, and the error says why it broke off; one that works resets the count."""
    assert starved_after(lambda: retries.count_walk(BROKEN)) == 5
    with pytest.raises(WalkStarved, match="refused midway"):
        retries.count_walk(BROKEN)
    retries.walk_worked()
    assert starved_after(lambda: retries.count_walk(BROKEN)) == 5


def test_a_refused_cursor_is_tried_twice_more_before_a_snapshot(retries: Retries) -> None:
    """One refusal is not worth a snapshot; from the third on, each means one."""
    wanted = []
    for _ in range(4):
        retries.count_refusal(REFUSED)
        wanted.append(retries.should_retry_cursor)
    assert wanted == [True, True, False, False]


def test_snapshots_whose_cursors_never_work_are_no_endless_loop(retries: Retries) -> None:
    """Five of them are taken; a cursor that works resets the count."""
    assert starved_after(lambda: retries.count_refusal(REFUSED)) == 7
    retries.cursor_worked()
    assert retries.should_retry_cursor
    assert starved_after(lambda: retries.count_refusal(REFUSED)) == 7
