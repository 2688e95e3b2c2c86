"""Follows one owned stream in a thread: the only place that retries, re-snapshots, relinquishes and stops."""

import random
import threading
import time
from contextlib import suppress
from functools import partial
from typing import Final, Literal

import msgspec

from connector import logs
from connector.batch import Batch
from connector.codec import decode_key
from connector.errors import (
    ConnectorError,
    DeletesHeld,
    EnvironmentChanged,
    Fenced,
    PageTooLarge,
    SourceRejected,
    StreamStopped,
    TransactionAborted,
    UnknownOutcome,
    Unreachable,
    WalkStarved,
)
from connector.metrics import Metrics, Outcome
from connector.model import Checkpoint
from connector.plan import Hooks, Plan
from connector.reconcile import long_dead
from connector.runner import Runner
from connector.status import StreamState, StreamStatus

_WALK_ATTEMPTS: Final = 5
_LONGEST_TOLD: Final = 86_400.0  # however long a header says to wait
_A_MOMENT: Final = 0.1
_REFUSALS: Final = 3  # vendors refuse good cursors now and then; a snapshot is too dear for one refusal
_OUTCOMES: Final[dict[type[ConnectorError], Outcome]] = {
    TransactionAborted: "aborted",
    UnknownOutcome: "unknown",
    Fenced: "fenced",
}


class Follower:
    """One owned stream. `start` once; `stop` from any thread; `status` from any thread.

    With `once` it ends when the stream is current, or cannot become so; `outcome` then says which.
    """

    def __init__(self, plan: Plan, metrics: Metrics, *, once: bool = False, give_up_after: float = 0.0) -> None:
        self.plan = plan
        self.outcome: Literal["", "current", "stopped", "unreachable"] = ""
        self._metrics = metrics
        self._once = once
        self._give_up_after = give_up_after
        self._log = logs.get("stream").bind(connection=plan.connection)
        self._stop = threading.Event()
        self._woken = threading.Event()
        observe = partial(metrics.page, plan.connection)
        self._source, self._publisher = plan.open(self._stop, Hooks(observe, self._committed))
        self._runner = Runner(self._source, self._publisher, plan.bounds)
        self._thread = threading.Thread(target=self._run, name=f"stream-{plan.connection}", daemon=True)
        self._status = StreamStatus(connection=plan.connection, vendor=plan.vendor.name, state="recovering", owned=True)
        self._failures = 0
        self._walks = 0
        self._refusals = 0
        self._well_at = time.monotonic()
        self._looked_at = self._well_at
        self._wake_ups: list[float] = []
        self._announced: str | None = None
        self._reported = ""

    @property
    def status(self) -> StreamStatus:
        """What is known of the stream now."""
        return self._status

    @property
    def alive(self) -> bool:
        """Whether its thread still works."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def stop(self) -> None:
        """Ask it to end at the next boundary: what is committed stays, what is not will be read again."""
        self._stop.set()
        self._woken.set()

    def join(self, timeout: float) -> bool:
        """Wait for its end; return whether it has come."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def wake(self, announced: str | None = None) -> None:
        """Poll now, and a few times more in the next two minutes, until a change of the id `announced` is published."""
        now = time.monotonic()
        self._announced = announced
        self._wake_ups = [now + delay for delay in self.plan.pace.wake_ups]
        self._woken.set()

    def _run(self) -> None:
        try:
            while not (self._stop.is_set() or self.outcome):
                self._turn()
        except Exception as error:  # noqa: BLE001  a bug in one stream must not take the others down
            self._log.error("stream failed unexpectedly", exc_info=error)
            self._tell("stopped", f"unexpected {type(error).__name__}", "this is a bug in contentwire; see the log")
            self.outcome = "stopped"
        finally:
            self._publisher.close()
            self._source.close()

    def _turn(self) -> None:
        try:
            if not self._publisher.ready:
                self._recover()
            # Recovery may have waited long for a broker, and the stream may be another's by now.
            if not self._stop.is_set():
                self._work()
        except ConnectorError as error:
            if not self._stop.is_set():
                self._heed(error)

    def _recover(self) -> None:
        self._tell("recovering")
        checkpoint = self._publisher.recover()
        self._metrics.index_size(self.plan.connection, len(self._publisher.index))
        self._log.info("recovered", phase=checkpoint.phase, sequence=checkpoint.sequence, epoch=checkpoint.epoch)
        if self._stop.is_set():
            return
        if checkpoint.fingerprint != self.plan.fingerprint:
            self._begin_snapshot("the configuration changed what is followed", checkpoint.under(self.plan.fingerprint))
        elif checkpoint.cursor is None and self.plan.snapshot_mode == "never" and checkpoint.phase == "snapshot":
            raise StreamStopped(
                'snapshot_mode = "never", and there is no cursor to go on from',
                hint="import one: contentwire checkpoints import, or choose another snapshot_mode",
            )
        # Only now: topics of another configuration are no longer ours to look after.
        self._publisher.examine()

    def _work(self) -> None:
        checkpoint = self._publisher.checkpoint
        if checkpoint.asks("paused"):
            self._tell("paused", "an operator has paused the stream", f"contentwire resume {self.plan.connection}")
            self.outcome = "stopped" if self._once else ""
            self._rest(self.plan.pace.look_again)
            return
        if self.plan.snapshot_mode == "initial_only" and checkpoint.phase == "streaming":
            self._tell("finished")
            self.outcome = "current" if self._once else ""
            self._rest(self.plan.pace.look_again)
            return
        self._tell("running")
        current = self._runner.pass_once()
        if self._stop.is_set():
            return
        self._well()
        if checkpoint.phase != "snapshot":
            self._refusals = 0
        self._metrics.held_deletes(self.plan.connection, 0)
        if current:
            self._arrived()

    def _arrived(self) -> None:
        if self._once:
            self.outcome = "current"
            return
        self._tell("running")
        self._rest(self.plan.poll_interval)

    def _rest(self, seconds: float) -> None:
        """Wait for the next poll; meanwhile look for other commits to our state, and refresh the checkpoint in time."""
        due = time.monotonic() + seconds
        while not self._stop.is_set() and (left := self._next_poll(due) - time.monotonic()) > 0:
            self._woken.wait(min(left, self.plan.pace.look_again))
            self._woken.clear()
            if not self._stop.is_set():
                self._look()
                self._beat()

    def _look(self) -> None:
        """Notice a command, which has fenced us, or a topic that changed: an idle stream would find out much later."""
        if time.monotonic() - self._looked_at < self.plan.pace.look_again:
            return
        self._looked_at = time.monotonic()
        if self._publisher.uprooted():
            raise Fenced("a topic is not what it was: it will be examined")
        if self._publisher.superseded():
            raise Fenced("an operator's command, or another owner, has taken the stream over")

    def _next_poll(self, due: float) -> float:
        while self._wake_ups and self._wake_ups[0] <= time.monotonic():
            self._wake_ups.pop(0)
            due = 0.0
        return min([due, *self._wake_ups[:1]])

    def _beat(self) -> None:
        checkpoint = self._publisher.checkpoint
        if time.time() - checkpoint.committed_at / 1000 >= self.plan.heartbeat:
            self._publisher.commit_checkpoint(checkpoint, forget=long_dead(self._publisher.index, time.time()))

    def _heed(self, error: ConnectorError) -> None:
        """Do what the error's remedy says."""
        self._report(error)
        self._metrics.retries(self.plan.connection, type(error).__name__)
        if outcome := _OUTCOMES.get(type(error)):
            self._metrics.transactions(self.plan.connection, outcome)
        try:
            match error.remedy:
                case "retry":
                    self._retry(error)
                case "recover":
                    self._publisher.close()
                    self._pause(error, "recovering")
                case "re_snapshot":
                    self._snapshot_again(error)
                case "walk_again":
                    self._walk_again(error)
                case _:
                    self._halt(error)
        except ConnectorError as further:
            if isinstance(further, StreamStopped):
                self._halt(further)
            else:
                # From here on only a recovery knows where the stream stands.
                self._log.warning("interrupted", error=type(further).__name__, message=str(further))
                self._publisher.close()
                self._pause(further, "retrying")

    def _report(self, error: ConnectorError) -> None:
        """Log what is new: trouble that lasts is said once, and being taken over is no trouble."""
        if str(error) == self._reported:
            return
        self._reported = str(error)
        log = self._log.info if isinstance(error, Fenced) else self._log.warning
        log(
            "interrupted",
            error=type(error).__name__,
            message=str(error),
            **({"hint": error.hint} if error.hint else {}),
        )

    def _retry(self, error: ConnectorError) -> None:
        if self._once and time.monotonic() - self._well_at > self._give_up_after:
            self._tell("retrying", str(error), error.hint)
            self.outcome = "unreachable"
            return
        self._pause(error, "retrying")

    def _snapshot_again(self, error: ConnectorError) -> None:
        checkpoint = self._publisher.checkpoint
        page_size = None
        if isinstance(error, PageTooLarge):
            page_size = (checkpoint.page_size or self.plan.page_size) * 2 // 3
            if page_size < 1:
                raise SourceRejected("even one item exceeds the API's response limit", hint=error.hint) from error
        elif isinstance(error, EnvironmentChanged):
            self._begin_snapshot(str(error), checkpoint.under(self.plan.fingerprint))
            return
        elif checkpoint.phase == "snapshot":
            self._count_walk(error)
        elif self._doubted(error):
            return
        self._begin_snapshot(str(error), checkpoint.restart(page_size=page_size))

    def _doubted(self, error: ConnectorError) -> bool:
        """Count a refused cursor and pause; return whether it shall be tried again before a new snapshot is taken."""
        self._refusals += 1
        if self._refusals >= _REFUSALS + _WALK_ATTEMPTS:
            raise WalkStarved(
                f"{_WALK_ATTEMPTS} new snapshots, and each one's cursor was refused: {error}",
                hint="the API takes none of the cursors that it gives: see docs/vendors, or ask the vendor",
            )
        self._pause(error, "retrying")
        return self._refusals < _REFUSALS

    def _walk_again(self, error: ConnectorError) -> None:
        self._count_walk(error)
        if self._publisher.checkpoint.phase == "snapshot":
            self._begin_snapshot(str(error), self._publisher.checkpoint.restart())

    def _count_walk(self, error: ConnectorError) -> None:
        self._walks += 1
        self._metrics.walk_restarts(self.plan.connection)
        if self._walks > _WALK_ATTEMPTS:
            raise WalkStarved(
                f"{self._walks} walks in a row were refused midway: {error}",
                hint="content changes faster than it can be read: pause bulk publishing, or raise page_size",
            )
        self._pause(error, "retrying")

    def _begin_snapshot(self, why: str, start: Checkpoint) -> None:
        if self.plan.snapshot_mode == "never":
            raise StreamStopped(
                f'a new snapshot is needed ({why}), and snapshot_mode = "never" forbids it',
                hint="import a cursor: contentwire checkpoints import, or choose another snapshot_mode",
            )
        self._log.warning("new snapshot", why=why, epoch=start.epoch)
        self._publisher.commit_checkpoint(start)

    def _halt(self, error: ConnectorError) -> None:
        """Stop until an operator acts: a command commits to the state, which is seen here; or the process restarts."""
        state: StreamState = "stopped"
        if isinstance(error, WalkStarved):
            state = "walk_starved"
        elif isinstance(error, DeletesHeld):
            state = "deletes_held"
            self._metrics.held_deletes(self.plan.connection, error.held)
        self._log.error("stream stopped", error=type(error).__name__, message=str(error), hint=error.hint)
        self._tell(state, str(error), error.hint)
        if self._once:
            self.outcome = "stopped"
        while not (self._stop.is_set() or self.outcome):
            # Before the first wait: a command may have come while the error was on its way.
            with suppress(ConnectorError):
                if self._publisher.superseded():
                    self._publisher.close()
                    return
            self._stop.wait(self.plan.pace.look_again)

    def _pause(self, error: ConnectorError, state: StreamState) -> None:
        """Wait as long as told, else with full jitter below a growing cap."""
        self._tell(state, str(error), error.hint)
        told = error.retry_after if isinstance(error, Unreachable) else None
        pace = self.plan.pace
        cap = min(pace.longest_pause, pace.first_pause * 2.0**self._failures)
        self._failures = min(self._failures + 1, 30)
        seconds = random.uniform(0, cap) if told is None else min(told, _LONGEST_TOLD)  # noqa: S311  jitter is no secret
        if self._once:
            seconds = min(seconds, max(self._well_at + self._give_up_after - time.monotonic(), 0.0) + _A_MOMENT)
        due = time.monotonic() + seconds
        while not self._stop.is_set() and (left := due - time.monotonic()) > 0:
            self._stop.wait(min(left, pace.look_again))
            if self._publisher.ready and not self._stop.is_set():
                self._look()
                self._beat()

    def _well(self) -> None:
        self._failures = self._walks = 0
        self._reported = ""
        self._well_at = time.monotonic()

    def _committed(self, batch: Batch, seconds: float) -> None:
        """Note a commit: it resets the pauses, for there was progress."""
        connection, now, tally = self.plan.connection, time.time(), batch.tally
        self._failures = 0
        self._well_at = time.monotonic()
        self._metrics.batch(connection, tally, seconds, now)
        self._metrics.index_size(connection, len(self._publisher.index))
        self._log.info("committed", events=tally.ops.total(), sequence=batch.checkpoint.sequence)
        if tally.locale_mismatches:
            self._log.warning("removals of a locale that is not live while another is", count=tally.locale_mismatches)
        if self._announced and any(self._announced == decode_key(body).id for body, _ in batch.state[:-1]):
            self._wake_ups, self._announced = [], None
        self._note(batch.checkpoint, now - max(tally.changed_ms) / 1000 if tally.changed_ms else None)

    def _note(self, checkpoint: Checkpoint, freshness: float | None) -> None:
        self._status = msgspec.structs.replace(
            self._status,
            phase=checkpoint.phase,
            epoch=checkpoint.epoch,
            page=checkpoint.page,
            sequence=checkpoint.sequence,
            committed_at_ms=checkpoint.committed_at or None,
            freshness=self._status.freshness if freshness is None else freshness,
            index_size=len(self._publisher.index),
        )

    def _tell(self, state: StreamState, error: str = "", hint: str = "") -> None:
        self._metrics.state(self.plan.connection, state)
        self._status = msgspec.structs.replace(self._status, state=state, error=error, hint=hint)
        if self._publisher.ready:
            self._note(self._publisher.checkpoint, None)
