"""What is done about the errors of a stream: the only place that retries, re-snapshots and stops."""

import math
from contextlib import suppress
from typing import Final, Literal, NamedTuple

from connector.errors import (
    BrokerUnavailable,
    ConnectorError,
    DeletesHeld,
    EnvironmentChanged,
    Fenced,
    PageTooLarge,
    RegistryChanged,
    SourceRejected,
    StreamStopped,
    Unreachable,
)
from connector.model.checkpoint import Checkpoint
from connector.stream.followed import FollowedStream
from connector.stream.journal import Journal
from connector.stream.reporter import state_of
from connector.stream.retries import Retries
from connector.stream.status import StreamState
from connector.stream.waiting import Waiting

PassOutcome = Literal["", "current", "stopped", "unreachable"]
"""How a single pass has ended; empty if it has not."""

_OVERTIME: Final = 0.1  # seconds by which the last try is later than the limit


class SinglePass(NamedTuple):
    """Whether a stream is followed for one pass only, and for how many seconds trouble may last in it."""

    once: bool = False
    give_up_after: float = 0.0


class Remedies:
    """Does what an error's remedy says, in the stream's own thread."""

    def __init__(
        self, stream: FollowedStream, retries: Retries, waiting: Waiting, journal: Journal, single: SinglePass
    ) -> None:
        self._stream = stream
        self._spec = stream.spec
        self._pace = stream.spec.pace
        self._retries = retries
        self._waiting = waiting
        self._journal = journal
        self._single = single

    def handle(self, error: ConnectorError) -> PassOutcome:
        """Do what an error's remedy says, and wait as long as that takes; return whether, and how, that ends a pass."""
        self._journal.trouble(error)
        try:
            return self._remedied(error)
        except StreamStopped as further:
            return self._stop(further)
        except ConnectorError as further:
            # From here on only a recovery knows where the stream stands.
            self._journal.log_trouble(further)
            return self._recover(further)

    def reconfigure(self, checkpoint: Checkpoint) -> None:
        """Go on under another configuration: with a new snapshot, unless nothing is due but to leave tables alone."""
        start = checkpoint.restarted_for(self._spec.fingerprint)
        if start.position.epoch == checkpoint.position.epoch:
            self._stream.publisher.commit_checkpoint(start)
        elif start.request.rebase:
            self.begin_snapshot("the configuration changed what is followed", start)
        else:
            self.begin_snapshot("the configuration changed the tables: all rows are due, and no unchanged event", start)

    def begin_snapshot(self, why: str, start: Checkpoint) -> None:
        """Commit the start of a snapshot; raises `StreamStopped` if the operator forbids it."""
        if self._spec.snapshot_mode == "never":
            raise StreamStopped(
                f'a new snapshot is needed ({why}), and snapshot_mode = "never" forbids it',
                hint="import a cursor: contentwire checkpoints import, or choose another snapshot_mode",
            )
        self._journal.new_snapshot(why, start.position.epoch)
        self._stream.publisher.commit_checkpoint(start)

    def _remedied(self, error: ConnectorError) -> PassOutcome:
        match error.remedy:
            case "retry":
                return self._retry(error)
            case "recover":
                return self._recover(error)
            case "re_snapshot":
                self._snapshot_again(error)
            case "walk_again":
                self._walk_again(error)
            case "doubt":
                self._doubt(error)
            case _:
                return self._stop(error)
        return ""

    def _retry(self, error: ConnectorError) -> PassOutcome:
        if isinstance(error, BrokerUnavailable) and self._spec.refresh():
            # A refused password looks like a broker that cannot be reached: everything is opened with the new one.
            self._journal.secrets_changed()
            self._stream.close()
            return ""
        if self._single.once and self._retries.since_worked > self._single.give_up_after:
            self._journal.show(error)
            return "unreachable"
        self._pause(error, state_of(error))
        return ""

    def _recover(self, error: ConnectorError) -> PassOutcome:
        """Close what is known: the next turn reads the state back."""
        lasting = self._retries.lasting >= self._pace.report_after
        if isinstance(error, RegistryChanged) and lasting and not self._journal.halted:  # it is never ready then
            self._journal.show(error)
            with suppress(ConnectorError):
                self._stream.publisher.commit_report()
        self._stream.publisher.close()
        return self._retry(error)

    def _doubt(self, error: ConnectorError) -> None:
        """Ask again for a while before believing a refusal: keys take effect late, firewalls and edges err."""
        if self._spec.refresh():
            self._journal.secrets_changed()
            return
        pace, briefly = self._pace, self._single.once or self._journal.halted
        if not self._retries.doubtful(pace.doubt_briefly if briefly else pace.doubt):
            raise SourceRejected(str(error), hint="; ".join(filter(None, (error.hint, self._spec.secrets_from))))
        self._pause(error, "retrying", longest=pace.doubt_pause)

    def _snapshot_again(self, error: ConnectorError) -> None:
        checkpoint = self._stream.publisher.checkpoint
        page_size = None
        if isinstance(error, PageTooLarge):
            page_size = (checkpoint.position.page_size or self._spec.page_size) * 2 // 3
            if page_size < 1:
                raise StreamStopped("even one item exceeds the API's response limit", hint=error.hint) from error
        elif isinstance(error, EnvironmentChanged):
            self.begin_snapshot(str(error), checkpoint.restarted_for(self._spec.fingerprint))
            return
        elif checkpoint.position.phase == "snapshot":
            self._count_walk(error)
        else:
            self._retries.count_refusal(error)
            self._pause(error, "retrying")
            if self._retries.should_retry_cursor:
                return
        self.begin_snapshot(str(error), checkpoint.restart(page_size=page_size))

    def _walk_again(self, error: ConnectorError) -> None:
        self._count_walk(error)
        checkpoint = self._stream.publisher.checkpoint
        if checkpoint.position.phase == "snapshot":
            self.begin_snapshot(str(error), checkpoint.restart())

    def _count_walk(self, error: ConnectorError) -> None:
        self._journal.walk_restarted()
        self._retries.count_walk(error)
        self._pause(error, "retrying")

    def _stop(self, error: ConnectorError) -> PassOutcome:
        """Stop until something changes: a command commits to the state, somebody asks for another try, or time passes.

        A stopped stream tries again by itself every few minutes: what was refused may be granted by then. Until it
        works, it is shown as stopped.
        """
        self._journal.stopped(error)
        seconds = None if isinstance(error, DeletesHeld) else self._pace.try_again
        try:
            if self._stream.parts:
                self._stream.publisher.commit_report()
                self._stream.publisher.rest()
        except ConnectorError as unsaid:
            # A command may have fenced us, and its commit would pass for what we failed to write.
            seconds = 0.0 if isinstance(unsaid, Fenced) else self._pace.report_after
        if self._single.once:
            return "stopped"
        self._waiting.until_changed(seconds)
        self._retries.doubt_again()
        # Everything is built again: credentials, certificates and cached facts may have changed.
        self._stream.close()
        return ""

    def _pause(self, error: ConnectorError, state: StreamState, *, longest: float = math.inf) -> None:
        """Wait as long as the other side asks for, else with full jitter below a growing cap."""
        if not self._journal.halted:
            self._journal.show(error, state)
        if self._retries.lasting >= self._pace.report_after and self._stream.ready:
            self._stream.publisher.commit_report()
        retry_after = error.retry_after if isinstance(error, Unreachable) else None
        seconds = min(self._retries.pause(retry_after), longest)
        if self._single.once:
            seconds = min(seconds, max(self._single.give_up_after - self._retries.since_worked, 0.0) + _OVERTIME)
        self._waiting.out(seconds)
