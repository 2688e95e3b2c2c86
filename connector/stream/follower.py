"""Follows one owned stream in a thread: the only place that repeats its work, re-snapshots, relinquishes and stops."""

import math
import threading
from contextlib import suppress
from typing import Final, Literal

from connector import logs
from connector.errors import (
    ConnectorError,
    DeletesHeld,
    EnvironmentChanged,
    Fenced,
    LocalTrouble,
    PageTooLarge,
    RegistryChanged,
    SourceRejected,
    StreamStopped,
    Superseded,
    Unreachable,
    starting_threads,
)
from connector.events.codec import decode_key
from connector.events.record import Batch
from connector.model.checkpoint import Checkpoint
from connector.stream.observer import Observer
from connector.stream.publisher import Publisher
from connector.stream.reporter import Standing, state_of
from connector.stream.retries import Retries
from connector.stream.runner import Runner
from connector.stream.schedule import Schedule
from connector.stream.spec import Hooks, Parts, Plan
from connector.stream.status import StreamState, StreamStatus
from connector.stream.waiting import Waiting

_A_MOMENT: Final = 0.1


class Follower:
    """One owned stream. `start` once; `stop` from any thread; `status` from any thread.

    With `once` it ends when the stream is current, or cannot become so; `outcome` then says which. Else its thread ends
    by `stop` alone: whoever started it MUST start another one where `ended` says that it has ended by itself.
    """

    def __init__(self, plan: Plan, metrics: Observer, *, once: bool = False, give_up_after: float = 0.0) -> None:
        self.plan = plan
        self.outcome: Literal["", "current", "stopped", "unreachable"] = ""
        self._clock = plan.clock
        self.current_at = self._clock.wall()
        self._metrics = metrics
        self._once = once
        self._give_up_after = give_up_after
        self._log = logs.get("stream").bind(connection=plan.connection)
        self._reported = ""
        self._stop = threading.Event()
        self._parts: Parts | None = None
        self._schedule = Schedule(plan.pace, self._clock)
        self._waiting = Waiting(plan, self._schedule, self._stop)
        self._retries = Retries(plan.pace, self._clock)
        self._thread = threading.Thread(target=self.run, name=f"stream-{plan.connection}", daemon=True)
        self._standing = Standing(plan)
        self._halted = self._passing = self._recovered = False

    @property
    def status(self) -> StreamStatus:
        """What is known of the stream now."""
        return self._standing.status

    @property
    def ended(self) -> bool:
        """Whether its thread has ended though nobody wanted it to."""
        return not (self._thread.is_alive() or self._stop.is_set() or self.outcome)

    def start(self) -> None:
        """Begin to follow. Raises `LocalTrouble` where there is no thread to be had: then it counts as ended."""
        with starting_threads():
            self._thread.start()

    def stop(self) -> None:
        """Ask it to end at the next boundary: what is committed stays, what is not will be read again."""
        self._stop.set()
        self._waiting.end()

    def join(self, timeout: float) -> bool:
        """Wait for its end; return whether it has come."""
        if self._thread.ident:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def wake(self, announced: str | None = None) -> None:
        """Poll now, and a few times more in the next two minutes, until a change of the id `announced` is published."""
        self._schedule.wake(announced)

    def try_again(self) -> None:
        """Let a stopped stream try again now, with everything read anew."""
        self._waiting.try_again()

    def run(self) -> None:
        """Follow in the calling thread; `start` has it done in a thread of its own."""
        try:
            while not (self._stop.is_set() or self.outcome):
                self._turn()
        except Exception as error:  # noqa: BLE001  a bug in one stream must not take the others down
            self._log.error("stream failed unexpectedly", exc_info=error)
            self._standing.tell(
                "stopped", f"unexpected {type(error).__name__}", "this is a bug in contentwire; see the log"
            )
            self.outcome = "stopped" if self._once else ""
        finally:
            self._close()

    def _turn(self) -> None:
        try:
            if self._parts is None:
                self._open()
            if not self._publisher.ready:
                self._recover()
            # Recovery may have waited long for a broker, and the stream may be another's by now.
            if not self._stop.is_set():
                self._work()
        except ConnectorError as error:
            if not self._stop.is_set():
                self._heed(error)
        except OSError as error:
            if not self._stop.is_set():
                self._heed(LocalTrouble.of(error))

    def _open(self) -> None:
        """Build the stream's parts, with secrets as they are now."""
        self.plan.refresh()
        self._parts = self.plan.open(self._stop, Hooks(self._observed, self._committed))
        self._waiting.parts = self._parts
        self._standing.of(self._parts)
        self._runner = Runner(self._parts.source, self._parts.publisher, self.plan.bounds, self._clock)

    def _close(self) -> None:
        parts, self._parts, self._waiting.parts = self._parts, None, None
        self._standing.of(None)
        if parts:
            parts.publisher.close()
            parts.source.close()

    @property
    def _ready(self) -> bool:
        return self._parts is not None and self._publisher.ready

    @property
    def _publisher(self) -> Publisher:
        assert self._parts
        return self._parts.publisher

    def _recover(self) -> None:
        self._begin("recovering")
        checkpoint = self._publisher.recover()
        position, anew = checkpoint.position, checkpoint.restarted_for(self.plan.fingerprint)
        self._metrics.index_size(self.plan.connection, len(self._publisher.index))
        # Said once until the stream works: a recovery in the middle of trouble proves nothing.
        log = self._log.debug if self._recovered else self._log.info
        log("recovered", phase=position.phase, sequence=checkpoint.progress.sequence, epoch=position.epoch)
        self._recovered = True
        if self._stop.is_set():
            return
        if checkpoint.fingerprint != self.plan.fingerprint:
            self._begin_snapshot("the configuration changed what is followed", anew)
        elif position.cursor is None and self.plan.snapshot_mode == "never" and position.phase == "snapshot":
            raise StreamStopped(
                'snapshot_mode = "never", and there is no cursor to go on from',
                hint="import one: contentwire checkpoints import, or choose another snapshot_mode",
            )
        # Only now: topics of another configuration are no longer ours to look after.
        self._publisher.verify_topics()

    def _work(self) -> None:
        checkpoint = self._publisher.checkpoint
        if checkpoint.request.paused:
            self._recovered = False
            hint = f"contentwire resume {self.plan.connection}"
            self._standing.tell("paused", "an operator has paused the stream", hint)
            self.outcome = "stopped" if self._once else ""
            self._publisher.say()
            self._waiting.until_due(self.plan.pace.look_again)
            return
        if self.plan.snapshot_mode == "initial_only" and checkpoint.position.phase == "streaming":
            self._standing.tell("finished")
            self.outcome = "current" if self._once else ""
            self._publisher.say()
            self._waiting.until_due(self.plan.pace.look_again)
            return
        self._begin("running")
        self._passing = True
        try:
            current = self._runner.pass_once()
        finally:
            self._passing = False
        if self._stop.is_set():
            return
        self._well()
        if checkpoint.position.phase != "snapshot":
            self._retries.cursor_worked()
        self._metrics.held_deletes(self.plan.connection, 0)
        if current:
            self._arrived()

    def _arrived(self) -> None:
        self.current_at = self._clock.wall()
        self._publisher.say()
        if self._once:
            self.outcome = "current"
            return
        self._waiting.until_due(self.plan.poll_interval)

    def _heed(self, error: ConnectorError) -> None:
        """Do what the error's remedy says."""
        self._retries.troubled()
        self._report(error)
        self._metrics.failed(self.plan.connection, error)
        try:
            match error.remedy:
                case "retry":
                    self._retry(error)
                case "recover":
                    self._reopen(error)
                case "re_snapshot":
                    self._snapshot_again(error)
                case "walk_again":
                    self._walk_again(error)
                case "doubt":
                    self._doubt(error)
                case _:
                    self._halt(error)
        except ConnectorError as further:
            if isinstance(further, StreamStopped):
                self._halt(further)
            else:
                # From here on only a recovery knows where the stream stands.
                self._report(further)
                self._reopen(further)

    def _reopen(self, error: ConnectorError) -> None:
        lasting = self._retries.lasting >= self.plan.pace.report_after
        if isinstance(error, RegistryChanged) and lasting and not self._halted:  # it is never ready meanwhile
            self._standing.tell(state_of(error), str(error), error.hint)
            with suppress(ConnectorError):
                self._publisher.say()
        self._publisher.close()
        self._retry(error)

    def _report(self, error: ConnectorError) -> None:
        """Log what is new: trouble that lasts is said once, and being taken over is no trouble."""
        if str(error) == self._reported or error.remedy not in _WHAT_FOLLOWS:
            return
        self._reported = str(error)
        log = self._log.info if isinstance(error, Fenced | Superseded) else self._log.warning
        hint = {"hint": error.hint} if error.hint else {}
        log(_WHAT_FOLLOWS[error.remedy], error=type(error).__name__, message=str(error), **hint)

    def _retry(self, error: ConnectorError) -> None:
        if self._once and self._retries.since_well > self._give_up_after:
            self._standing.tell(state_of(error), str(error), error.hint)
            self.outcome = "unreachable"
            return
        self._pause(error, state_of(error))

    def _doubt(self, error: ConnectorError) -> None:
        """Ask again for a while before a refusal is believed: keys take effect late, firewalls and edges err."""
        if self.plan.refresh():
            self._log.info("secrets were read again and have changed: the request is repeated")
            return
        pace = self.plan.pace
        if not self._retries.doubtful(pace.doubt_briefly if self._once or self._halted else pace.doubt):
            raise SourceRejected(str(error), hint="; ".join(filter(None, (error.hint, self.plan.secrets_from))))
        self._pause(error, "retrying", longest=pace.doubt_pause)

    def _snapshot_again(self, error: ConnectorError) -> None:
        checkpoint = self._publisher.checkpoint
        page_size = None
        if isinstance(error, PageTooLarge):
            page_size = (checkpoint.position.page_size or self.plan.page_size) * 2 // 3
            if page_size < 1:
                raise StreamStopped("even one item exceeds the API's response limit", hint=error.hint) from error
        elif isinstance(error, EnvironmentChanged):
            self._begin_snapshot(str(error), checkpoint.restarted_for(self.plan.fingerprint))
            return
        elif checkpoint.position.phase == "snapshot":
            self._count_walk(error)
        else:
            self._retries.count_refusal(error)
            self._pause(error, "retrying")
            if self._retries.refusal_is_doubted:
                return
        self._begin_snapshot(str(error), checkpoint.restart(page_size=page_size))

    def _walk_again(self, error: ConnectorError) -> None:
        self._count_walk(error)
        if self._publisher.checkpoint.position.phase == "snapshot":
            self._begin_snapshot(str(error), self._publisher.checkpoint.restart())

    def _count_walk(self, error: ConnectorError) -> None:
        self._metrics.walk_restarts(self.plan.connection)
        self._retries.count_walk(error)
        self._pause(error, "retrying")

    def _begin_snapshot(self, why: str, start: Checkpoint) -> None:
        if self.plan.snapshot_mode == "never":
            raise StreamStopped(
                f'a new snapshot is needed ({why}), and snapshot_mode = "never" forbids it',
                hint="import a cursor: contentwire checkpoints import, or choose another snapshot_mode",
            )
        self._log.warning("new snapshot", why=why, epoch=start.position.epoch)
        self._publisher.commit_checkpoint(start)

    def _halt(self, error: ConnectorError) -> None:
        """Stop until something changes: a command commits to the state, somebody asks for another try, or time passes.

        A stopped stream tries again by itself every few minutes: what was refused may be granted by then. Until it is
        well it stays stopped for whoever looks.
        """
        if isinstance(error, DeletesHeld):
            self._metrics.held_deletes(self.plan.connection, error.held)
        news = not (self._halted and self._standing.status.error == str(error))
        self._halted = True
        self._standing.tell(state_of(error), str(error), error.hint)
        if news:
            self._log.error("stream stopped", error=type(error).__name__, message=str(error), hint=error.hint)
        self.outcome = "stopped" if self._once else ""
        seconds = None if isinstance(error, DeletesHeld) else self.plan.pace.try_again
        try:
            if self._parts:
                self._publisher.say()
        except ConnectorError as unsaid:
            # A command may have fenced us, whose commit would pass for what we failed to write.
            seconds = 0.0 if isinstance(unsaid, Fenced) else self.plan.pace.report_after
        if self.outcome:
            return
        self._waiting.until_changed(seconds)
        self._retries.doubt_again()
        # Everything is built anew: credentials, certificates and what was cached may be other ones by now.
        self._close()

    def _pause(self, error: ConnectorError, state: StreamState, *, longest: float = math.inf) -> None:
        """Wait as long as told, else with full jitter below a growing cap."""
        if not self._halted:
            self._standing.tell(state, str(error), error.hint)
        if self._retries.lasting >= self.plan.pace.report_after and self._ready:
            self._publisher.say()
        seconds = min(self._retries.pause(error.retry_after if isinstance(error, Unreachable) else None), longest)
        if self._once:
            seconds = min(seconds, max(self._give_up_after - self._retries.since_well, 0.0) + _A_MOMENT)
        self._waiting.out(seconds)

    def _well(self) -> None:
        """Note that the stream works: trouble ends here, and so does counting it."""
        self._retries.walk_worked()
        self._progress(at_least=0.0)
        self._reported = ""

    def _progress(self, *, at_least: float = 1.0) -> None:
        """Note that something works again; trouble of `at_least` so many seconds is told to be over."""
        lasted = self._retries.reset()
        if self._reported and lasted > at_least:
            self._log.info("back", after_seconds=round(lasted, 1))
            self._reported = ""
        self._halted = self._recovered = False
        if self._standing.status.state != "running":
            self._standing.tell("running")

    def _observed(self, items: int, size: int, seconds: float) -> None:
        self._metrics.page(self.plan.connection, items, size, seconds, self._clock.wall())

    def _committed(self, batch: Batch, seconds: float) -> None:
        """Note a commit: where a pass has led to it, there was progress, which resets the pauses."""
        connection, now, tally = self.plan.connection, self._clock.wall(), batch.tally
        self._metrics.batch(connection, tally, seconds, now)
        self._metrics.index_size(connection, len(self._publisher.index))
        self._log.info("committed", events=tally.ops.total(), sequence=batch.checkpoint.progress.sequence)
        if tally.locale_mismatches:
            self._log.warning("removals of a locale that is not live while another is", count=tally.locale_mismatches)
        for error, item_type, item_id, size in tally.letters:
            self._log.warning("dead letter", error=error, item_type=item_type, item_id=item_id, bytes=size)
        if (more := tally.dead_letters.total() - len(tally.letters)) > 0:
            self._log.warning("dead letters, not named one by one", count=more)
        self._schedule.published(lambda: {decode_key(body).id for body, _ in batch.state[:-1]})
        if self._passing:
            self._progress()
        self._standing.note(batch.checkpoint, now - max(tally.changed_ms) / 1000 if tally.changed_ms else None)

    def _begin(self, state: StreamState) -> None:
        """Say what is being done, unless it is a further try: trouble stays visible until the stream works."""
        if not self._retries.lasting:
            self._standing.tell(state)


_WHAT_FOLLOWS: Final[dict[str, str]] = {
    "retry": "something does not answer: trying again",
    "doubt": "refused: asking again before it is believed",
    "recover": "the state is read back",
    "re_snapshot": "the cursor cannot be used",
    "walk_again": "the walk was broken off: walking again",
}
