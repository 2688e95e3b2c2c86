"""Tells what happens to a stream while it is followed: log lines, what an observer counts, and its state."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from connector import logs
from connector.errors import ConnectorError, DeletesHeld, Fenced, Superseded
from connector.events.record import Batch
from connector.model.checkpoint import Checkpoint
from connector.stream.followed import FollowedStream
from connector.stream.observer import Observer
from connector.stream.reporter import Reporter, state_of
from connector.stream.retries import Retries
from connector.stream.status import StreamState

_WHAT_FOLLOWS: Final[dict[str, str]] = {
    "retry": "something does not answer: trying again",
    "doubt": "refused: asking again before believing it",
    "recover": "the state is read back",
    "re_snapshot": "the cursor cannot be used",
    "walk_again": "the walk was broken off: walking again",
}


class Journal:
    """For the stream's own thread, unless a method says otherwise. `halted`: it has stopped, and not worked since.

    Lasting trouble is logged once, and stays visible in the state until the stream works.
    """

    def __init__(self, stream: FollowedStream, retries: Retries, observer: Observer) -> None:
        self.halted = False
        self.reporter = Reporter(stream)
        self._stream = stream
        self._retries = retries
        self._observer = observer
        self._connection = stream.spec.connection
        self._log = logs.get("stream").bind(connection=self._connection)
        self._logged = ""
        self._recovered = self._passing = False

    def begin(self, state: StreamState) -> None:
        """Say what is being done, unless it is another try."""
        if not self._retries.lasting:
            self.reporter.set_state(state)

    def rest(self, state: StreamState, why: str = "", hint: str = "") -> None:
        """Say that the stream rests, as requested."""
        if state == "paused":
            self._recovered = False
        self.reporter.set_state(state, why, hint)

    def recovered(self, checkpoint: Checkpoint) -> None:
        """Say where the stream stands: only once until it works, as a recovery during trouble proves nothing."""
        position = checkpoint.position
        self._observer.index_size(self._connection, len(self._stream.publisher.index))
        log = self._log.debug if self._recovered else self._log.info
        log("recovered", phase=position.phase, sequence=checkpoint.progress.sequence, epoch=position.epoch)
        self._recovered = True

    def page(self, items: int, size: int, seconds: float) -> None:
        """Count a page that has just arrived. Safe from any thread."""
        self._observer.page(self._connection, items, size, seconds, self._stream.spec.clock.wall())

    @contextmanager
    def passing(self) -> Iterator[None]:
        """Count commits as progress while a pass makes them."""
        self._passing = True
        try:
            yield
        finally:
            self._passing = False

    def passed(self, *, cursor_worked: bool) -> None:
        """Note that a whole pass has worked: trouble is over, and no longer counted."""
        self._retries.walk_worked()
        self.reset_backoff(at_least=0.0)
        self._logged = ""
        if cursor_worked:
            self._retries.cursor_worked()
        self._observer.held_deletes(self._connection, 0)

    def committed(self, batch: Batch, seconds: float) -> None:
        """Note a commit: if a pass made it, that is progress, which resets the pauses."""
        connection, now, tally = self._connection, self._stream.spec.clock.wall(), batch.tally
        self._observer.batch(connection, tally, seconds, now)
        self._observer.index_size(connection, len(self._stream.publisher.index))
        rows = {"rows": count} if (count := tally.rows["written"] + tally.rows["deleted"]) else {}
        self._log.info("committed", events=tally.ops.total(), sequence=batch.checkpoint.progress.sequence, **rows)
        if tally.locale_mismatches:
            self._log.warning("removals of a locale that is not live while another is", count=tally.locale_mismatches)
        for error, item_type, item_id, size in tally.letters:
            self._log.warning("dead letter", error=error, item_type=item_type, item_id=item_id, bytes=size)
        if (more := tally.dead_letters.total() - len(tally.letters)) > 0:
            self._log.warning("dead letters, not named one by one", count=more)
        if self._passing:
            self.reset_backoff()
        self.reporter.note(batch.checkpoint, now - max(tally.changed_ms) / 1000 if tally.changed_ms else None)

    def reset_backoff(self, *, at_least: float = 1.0) -> None:
        """Note that something works again; the end of trouble is logged if it lasted longer than `at_least` seconds."""
        lasted = self._retries.reset()
        if self._logged and lasted > at_least:
            self._log.info("back", after_seconds=round(lasted, 1))
            self._logged = ""
        self.halted = self._recovered = False
        if self.reporter.status.state != "running":
            self.reporter.set_state("running")

    def trouble(self, error: ConnectorError) -> None:
        """Log an error that is about to be handled, and count what it stands for."""
        self._retries.troubled()
        self.log_trouble(error)
        self._observer.failed(self._connection, error)

    def log_trouble(self, error: ConnectorError) -> None:
        """Log what is new; a takeover is not worth a warning."""
        if str(error) == self._logged or error.remedy not in _WHAT_FOLLOWS:
            return
        self._logged = str(error)
        log = self._log.info if isinstance(error, Fenced | Superseded) else self._log.warning
        hint = {"hint": error.hint} if error.hint else {}
        log(_WHAT_FOLLOWS[error.remedy], error=type(error).__name__, message=str(error), **hint)

    def show(self, error: ConnectorError, state: StreamState | None = None) -> None:
        """Show in the state what is wrong."""
        self.reporter.set_state(state or state_of(error), str(error), error.hint)

    def model_unread(self, error: ConnectorError) -> None:
        """Say that the content model could not be asked for: what is known of it goes on to be followed."""
        self._log.warning("the content model was not read, the known one stays", error=str(error), hint=error.hint)

    def walk_restarted(self) -> None:
        """Count a walk that starts again."""
        self._observer.walk_restarts(self._connection)

    def secrets_changed(self) -> None:
        """Say why a refused request is repeated."""
        self._log.info("secrets were read again and have changed: the request is repeated")

    def new_snapshot(self, why: str, epoch: int) -> None:
        """Say that a new snapshot begins."""
        self._log.warning("new snapshot", why=why, epoch=epoch)

    def stopped(self, error: ConnectorError) -> None:
        """Say that the stream has stopped; in the log only if that is news."""
        if isinstance(error, DeletesHeld):
            self._observer.held_deletes(self._connection, error.held)
        news = not (self.halted and self.reporter.status.error == str(error))
        self.halted = True
        self.show(error)
        if news:
            self._log.error("stream stopped", error=type(error).__name__, message=str(error), hint=error.hint)

    def failed(self, error: Exception) -> None:
        """Say that a bug has ended the thread."""
        self._log.error("stream failed unexpectedly", exc_info=error)
        hint = "this is a bug in contentwire; see the log"
        self.reporter.set_state("stopped", f"unexpected {type(error).__name__}", hint)
