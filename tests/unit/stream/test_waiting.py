"""The waits of an owned stream: how long they are, what ends them, and what is checked meanwhile."""

import pytest

from connector.errors import Superseded
from connector.events.state_record import CHECKPOINT_KEY, decode_checkpoint
from connector.stream.schedule import Schedule
from connector.stream.waiting import Waiting
from tests.unit.stream.opened import Opened
from tests.values import page, published


class Idle(Opened):
    """A waiting stream, with what may end its wait."""

    def __init__(self) -> None:
        super().__init__()
        self.schedule = Schedule(self.stream.spec.pace, self.clock)
        self.waiting = Waiting(self.stream, self.schedule)

    def stopped(self) -> None:
        """Stop the stream, as another thread would."""
        self.stream.stop.set()
        self.waiting.end()

    def committed_at(self) -> int:
        """Return when the durable checkpoint was committed."""
        record = self.store.state[CHECKPOINT_KEY]
        assert record
        return decode_checkpoint(record).committed_at


@pytest.fixture
def idle() -> Idle:
    """Return an idle stream."""
    return Idle()


def test_a_poll_comes_after_its_interval(idle: Idle) -> None:
    """However often the stream checks other things meanwhile."""
    idle.waiting.until_due(42.0)
    assert idle.clock.monotonic() == 42.0


def test_a_call_ends_the_wait_for_a_poll_and_no_other(idle: Idle) -> None:
    """Trouble is waited out, whatever calls come."""
    idle.clock.after(7, idle.schedule.wake)
    idle.waiting.until_due(600.0)
    assert idle.clock.monotonic() == 7.0
    idle.clock.after(1, idle.schedule.wake)
    idle.waiting.out(20.0)
    assert idle.clock.monotonic() == 27.0


def test_a_stop_ends_every_wait(idle: Idle) -> None:
    """At once: a process has seconds to end."""
    idle.clock.after(3, idle.stopped)
    idle.waiting.until_due(600.0)
    idle.waiting.out(600.0)
    idle.waiting.until_changed(None)
    assert idle.clock.monotonic() == 3.0


def test_another_commit_ends_a_wait(idle: Idle) -> None:
    """A command, or another owner: noticed at the next check, even while trouble is waited out."""
    idle.clock.after(12, lambda: setattr(idle.store, "taken", True))
    with pytest.raises(Superseded):
        idle.waiting.until_due(600.0)
    assert idle.clock.monotonic() <= 12 + idle.stream.spec.pace.look_again
    with pytest.raises(Superseded):
        idle.waiting.out(600.0)


def test_an_idle_stream_refreshes_its_checkpoint(idle: Idle) -> None:
    """Once per heartbeat: others can see that it is alive."""
    publisher = idle.stream.publisher
    publisher.commit_checkpoint(publisher.checkpoint)
    begun_at = idle.committed_at()
    idle.waiting.until_due(595.0)
    assert idle.committed_at() == begun_at
    # By chance a quarter later, for streams that began together; this clock always takes the longest chance.
    idle.waiting.until_due(600.0)
    assert 0 <= idle.committed_at() - begun_at - 750_000 < idle.stream.spec.pace.look_again * 1000


def test_a_stopped_stream_waits_for_a_change(idle: Idle) -> None:
    """For a given time, a requested try, or a command; a request counts once."""
    idle.waiting.until_changed(30.0)
    assert idle.clock.monotonic() == 30.0
    idle.clock.after(4, idle.waiting.try_again)
    idle.waiting.until_changed(None)
    assert idle.clock.monotonic() == 34.0
    idle.clock.after(6, lambda: setattr(idle.store, "taken", True))
    idle.waiting.until_changed(None)
    assert idle.clock.monotonic() == 44.0


def test_a_command_that_came_before_the_wait_ends_it(idle: Idle) -> None:
    """It may have arrived while the error was being handled."""
    idle.store.taken = True
    idle.waiting.until_changed(None)
    assert idle.clock.monotonic() == 0.0


def test_a_try_requested_too_early_is_still_made(idle: Idle) -> None:
    """The request is kept until the stream waits."""
    idle.waiting.try_again()
    idle.waiting.until_changed(None)
    assert idle.clock.monotonic() == 0.0


def test_a_stream_without_news_lets_its_producer_go(idle: Idle) -> None:
    """After a quiet minute, and seconds after a heartbeat: that is no news."""
    idle.waiting.until_due(59.0)
    assert idle.store.rests == 0
    idle.waiting.until_due(6.0)
    assert idle.store.rests > 0
    idle.stream.publisher.commit_checkpoint(idle.stream.publisher.checkpoint)
    before = idle.store.rests
    idle.waiting.until_due(6.0)
    assert idle.store.rests > before


def test_where_many_streams_have_producers_a_quiet_moment_is_enough(idle: Idle) -> None:
    """A thousand that begin together would each hold threads and connections for the rest of the minute."""
    idle.store.many = True
    idle.waiting.until_due(0.9)
    assert idle.store.rests == 0
    idle.waiting.until_due(0.2)
    assert idle.store.rests == 1


def test_a_stream_that_publishes_keeps_its_producer(idle: Idle) -> None:
    """Each event begins another minute."""
    for second in range(5):
        position = idle.stream.publisher.checkpoint.position
        idle.stream.publisher.publish([page(published("e1", second), after=position)])
        idle.waiting.until_due(50.0)
    assert idle.store.rests == 0
