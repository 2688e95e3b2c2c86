"""How an owned stream waits: for its next poll, for trouble to pass, for an operator. Meanwhile it keeps watch."""

import threading
from contextlib import suppress

from connector.errors import ConnectorError, Superseded
from connector.stream.followed import FollowedStream
from connector.stream.publisher import Publisher
from connector.stream.reconcile import long_dead
from connector.stream.schedule import Schedule


class Waiting:
    """The waits of one stream's thread; `stop` ends each of them at once."""

    def __init__(self, stream: FollowedStream, schedule: Schedule) -> None:
        self._stream = stream
        self._spec = stream.spec
        self._clock = stream.spec.clock
        self._schedule = schedule
        self._stop = stream.stop
        self._try_now = threading.Event()
        self._looked_at = self._clock.monotonic()
        # Not all at the same time: a heartbeat needs a producer, and that a few threads.
        self._heartbeat = stream.spec.heartbeat + self._clock.jitter(stream.spec.heartbeat / 4)

    def until_due(self, seconds: float) -> None:
        """Wait for the next poll; meanwhile look for other commits to our state, and refresh the checkpoint in time.

        Raises `Superseded` if the stream is to be recovered, and what looking and committing raise.
        """
        pace = self._spec.pace
        due, longest = self._clock.monotonic() + seconds, pace.rest_soon
        while not self._stop.is_set() and (left := self._schedule.next_poll(due) - self._clock.monotonic()) > 0:
            self._clock.wait(min(left, longest), self._schedule.woken)
            self._schedule.woken.clear()
            self._attend()
            longest = pace.look_again

    def out(self, seconds: float) -> None:
        """Wait for `seconds`, whatever calls come; raises as `until_due` does."""
        due = self._clock.monotonic() + seconds
        while not self._stop.is_set() and (left := due - self._clock.monotonic()) > 0:
            self._clock.wait(min(left, self._spec.pace.look_again), self._stop)
            self._attend()

    def until_changed(self, seconds: float | None) -> None:
        """Wait until a command has committed to the state, `try_again` is called, or `seconds` have passed."""
        due = None if seconds is None else self._clock.monotonic() + seconds
        while not self._stop.is_set():
            # Before the first wait too: a command may have arrived while the error was being handled.
            with suppress(ConnectorError, OSError):
                if self._stream.parts and self._stream.publisher.superseded():
                    break
            if due is not None and self._clock.monotonic() >= due:
                break
            if self._clock.wait(self._spec.pace.look_again, self._try_now):
                break
        self._try_now.clear()

    def try_again(self) -> None:
        """End `until_changed`, this time or the next."""
        self._try_now.set()

    def end(self) -> None:
        """Make every wait notice that `stop` is set."""
        self._try_now.set()
        self._schedule.woken.set()

    def _attend(self) -> None:
        if self._stop.is_set() or not self._stream.ready:
            return
        publisher = self._stream.publisher
        self._check_ownership(publisher)
        checkpoint = publisher.checkpoint
        if checkpoint.committed_at and self._clock.wall() - checkpoint.committed_at / 1000 >= self._heartbeat:
            forget = long_dead(publisher.index, self._clock.wall())
            publisher.commit_checkpoint(checkpoint, forget=forget)
        publisher.rest_if_idle(self._spec.pace.rest_after, crowded=self._spec.pace.rest_soon)

    def _check_ownership(self, publisher: Publisher) -> None:
        """Notice that a command has committed or a topic has changed: an idle stream would find out much later."""
        if self._clock.monotonic() - self._looked_at < self._spec.pace.look_again:
            return
        self._looked_at = self._clock.monotonic()
        if publisher.topics_changed():
            raise Superseded("a topic seems to have changed: it will be verified")
        if publisher.superseded():
            raise Superseded("an operator's command, or another owner, has taken the stream over")
