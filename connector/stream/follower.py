"""Follows one owned stream in a thread: opens its parts, recovers, passes, waits, and has its errors handled."""

import gc
import threading
from typing import Final

from connector.cms.source import Source
from connector.errors import ConnectorError, LocalTrouble, ModelOutdated, StreamStopped, starting_threads
from connector.events.codec import decode_key
from connector.events.index import is_index_key
from connector.events.record import Batch
from connector.stream.followed import FollowedStream
from connector.stream.journal import Journal
from connector.stream.model_keeper import ModelKeeper
from connector.stream.observer import Observer
from connector.stream.remedies import PassOutcome, Remedies, SinglePass
from connector.stream.retries import Retries
from connector.stream.runner import Runner
from connector.stream.schedule import Schedule
from connector.stream.spec import Hooks, StreamSpec
from connector.stream.status import StreamState, StreamStatus
from connector.stream.waiting import Waiting

# The generations that hold what was made since the last collections: a heap of long life is not searched.
_YOUNG: Final = 1


class Follower:
    """One owned stream. `start` once; `stop` from any thread; `status` from any thread.

    With `once` it ends when the stream is current, or cannot become so; `outcome` then says which. Else only `stop`
    ends its thread: whoever started it MUST start another one if `ended` says that it has ended by itself.
    """

    def __init__(self, spec: StreamSpec, observer: Observer, *, once: bool = False, give_up_after: float = 0.0) -> None:
        self.spec = spec
        self.outcome: PassOutcome = ""
        self.current_at = spec.clock.wall()
        self._once = once
        self._stream = FollowedStream(spec)
        self._schedule = Schedule(spec.pace, spec.clock)
        self._waiting = Waiting(self._stream, self._schedule)
        retries = Retries(spec.pace, spec.clock)
        self._journal = Journal(self._stream, retries, observer)
        self._remedies = Remedies(self._stream, retries, self._waiting, self._journal, SinglePass(once, give_up_after))
        self._thread = threading.Thread(target=self.run, name=f"stream-{spec.connection}", daemon=True)

    @property
    def status(self) -> StreamStatus:
        """What is known of the stream now."""
        return self._journal.reporter.status

    @property
    def ended(self) -> bool:
        """Whether its thread has ended without being asked to."""
        return not (self._thread.is_alive() or self._stopping or self.outcome)

    @property
    def _stopping(self) -> bool:
        return self._stream.stop.is_set()

    def start(self) -> None:
        """Start following. Raises `LocalTrouble` if no thread can be had: then it counts as ended."""
        try:
            with starting_threads():
                self._thread.start()
        except LocalTrouble as error:
            self._journal.show(error, "stopped")
            raise

    def stop(self) -> None:
        """Ask it to end at the next boundary: what is committed stays, what is not will be read again."""
        self._stream.stop.set()
        self._waiting.end()

    def join(self, timeout: float) -> bool:
        """Wait for it to end; return whether it has."""
        if self._thread.ident:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def wake(self, announced: str | None = None) -> None:
        """Poll now, and a few more times in two minutes, until a change with the id `announced` is published."""
        self._schedule.wake(announced)

    def try_again(self) -> None:
        """Make a stopped stream try again now, with everything read again."""
        self._waiting.try_again()

    def run(self) -> None:
        """Follow in the calling thread; `start` does so in a separate one."""
        try:
            while not (self._stopping or self.outcome):
                self._turn()
        except Exception as error:  # noqa: BLE001  a bug in one stream must not take the others down
            self._journal.failed(error)
            self.outcome = "stopped" if self._once else ""
        finally:
            self._stream.close()

    def _turn(self) -> None:
        try:
            self._proceed()
        except (ConnectorError, OSError) as error:
            if not self._stopping:
                trouble = LocalTrouble.of(error) if isinstance(error, OSError) else error
                self.outcome = self._remedies.handle(trouble) or self.outcome
        else:
            return
        # The frames of an error hold what was read and assembled, often in a circle, and the collector comes by rarely.
        gc.collect(_YOUNG)

    def _proceed(self) -> None:
        if self._stream.parts is None:
            self._open()
        if not self._stream.ready:
            self._recover()
        # Recovery may have waited long for a broker, and the stream may have another owner by now.
        if not self._stopping:
            self._work()

    def _open(self) -> None:
        source, publisher = self._stream.open(Hooks(self._journal.page, self._committed))
        self._runner = Runner(source, publisher, self.spec.bounds, self.spec.clock)
        self._keeper: ModelKeeper | None = None
        if publisher.catalog and isinstance(source, Source):
            self._keeper = ModelKeeper(
                source,
                publisher,
                publisher.catalog,
                clock=self.spec.clock,
                pace=self.spec.pace,
                stop=self._stream.stop,
                wait=self._waiting.out,
                failed=self._journal.model_unread,
            )

    def _recover(self) -> None:
        publisher = self._stream.publisher
        self._journal.begin("recovering")
        checkpoint = publisher.recover()
        self._journal.recovered(checkpoint)
        if self._stopping:
            return
        if self._keeper:
            self._keeper.ask_soon()
        position = checkpoint.position
        if checkpoint.fingerprint != self.spec.fingerprint:
            self._remedies.reconfigure(checkpoint)
        elif position.cursor is None and self.spec.snapshot_mode == "never" and position.phase == "snapshot":
            raise StreamStopped(
                'snapshot_mode = "never", and there is no cursor to continue from',
                hint="import one: contentwire checkpoints import, or choose another snapshot_mode",
            )
        # Only now: topics of another configuration are no longer ours to manage.
        publisher.verify_topics()

    def _work(self) -> None:
        checkpoint = self._stream.publisher.checkpoint
        if checkpoint.request.paused:
            hint = f"contentwire resume {self.spec.connection}"
            self._rest("paused", "stopped", "an operator has paused the stream", hint)
        elif self.spec.snapshot_mode == "initial_only" and checkpoint.position.phase == "streaming":
            self._rest("finished", "current")
        else:
            self._pass(cursor_used=checkpoint.position.phase != "snapshot")

    def _rest(self, state: StreamState, outcome: PassOutcome, why: str = "", hint: str = "") -> None:
        """Do nothing for a while, as requested."""
        self._journal.rest(state, why, hint)
        self.outcome = outcome if self._once else ""
        self._stream.publisher.commit_report()
        self._waiting.until_due(self.spec.pace.look_again)

    def _pass(self, *, cursor_used: bool) -> None:
        self._journal.begin("running")
        with self._journal.passing():
            current = self._passed()
        if self._stopping:
            return
        self._journal.passed(cursor_worked=cursor_used)
        if not current:
            return
        self.current_at = self.spec.clock.wall()
        self._stream.publisher.commit_report()
        if self._once:
            self.outcome = "current"
        else:
            self._waiting.until_due(self.spec.poll_interval)

    def _passed(self) -> bool:
        """Return whether the stream is current after a pass; it is not if it needs another content model first."""
        if self._keeper is None:
            return self._runner.pass_once()
        try:
            self._keeper.attend()
            return self._runner.pass_once()
        except ModelOutdated as outdated:
            self._keeper.note(outdated)
            return False

    def _committed(self, batch: Batch, seconds: float) -> None:
        self._schedule.published(lambda: {decode_key(body).id for body, _ in batch.state if is_index_key(body)})
        self._journal.committed(batch, seconds)
