"""What is done about an error: how long to wait, what is committed, and what ends a single pass."""

from collections.abc import Iterator
from typing import Any

import pytest

from connector.errors import (
    BrokerFatal,
    BrokerUnavailable,
    CheckpointRejected,
    EnvironmentChanged,
    PageTooLarge,
    SourceRejected,
    SourceUnavailable,
    StreamStopped,
    UnknownOutcome,
    WalkBroken,
)
from connector.stream.journal import Journal
from connector.stream.remedies import PassOutcome, Remedies, SinglePass
from connector.stream.retries import Retries
from connector.stream.schedule import Schedule
from connector.stream.waiting import Waiting
from tests.unit.stream.opened import Opened
from tests.values import amended

ONCE = SinglePass(once=True, give_up_after=60.0)


class Treated(Opened):
    """A stream whose errors are handled."""

    def __init__(self, single: SinglePass = ONCE, **changes: Any) -> None:
        super().__init__(**changes)
        retries = Retries(self.stream.spec.pace, self.clock)
        waiting = Waiting(self.stream, Schedule(self.stream.spec.pace, self.clock))
        self.journal = Journal(self.stream, retries, self.following.metrics)
        self.remedies = Remedies(self.stream, retries, waiting, self.journal, single)

    def at(self, **position: Any) -> "Treated":
        """Commit a checkpoint at this position."""
        publisher = self.stream.publisher
        publisher.commit_checkpoint(amended(publisher.checkpoint, **position))
        return self

    def handle(self, error: Exception) -> tuple[PassOutcome, float]:
        """Handle an error; return how it ends the pass, and how many seconds that took."""
        begun_at = self.clock.monotonic()
        return self.remedies.handle(error), self.clock.monotonic() - begun_at  # type: ignore[arg-type]

    def handled(self, error: Exception) -> Iterator[tuple[PassOutcome, float]]:
        """Yield the results of handling an error that does not go away."""
        while True:
            yield self.handle(error)

    @property
    def epoch(self) -> int:
        """The epoch that the stream is in."""
        return self.stream.publisher.checkpoint.position.epoch


def test_trouble_is_waited_out_for_longer_and_longer() -> None:
    """A stream that follows stays open, and shows what is wrong."""
    treated = Treated(SinglePass())
    tries = treated.handled(SourceUnavailable("away"))
    assert [next(tries) for _ in range(4)] == [("", 0.5), ("", 1.0), ("", 2.0), ("", 4.0)]
    assert treated.stream.ready
    assert treated.journal.reporter.status.state == "retrying"


def test_a_single_pass_gives_up_in_time() -> None:
    """Once something has been unreachable for too long; a requested wait is cut short."""
    treated = Treated()
    outcome, seconds = treated.handle(SourceUnavailable("away", retry_after=3600.0))
    assert outcome == ""
    assert 60.0 < seconds < 61.0
    assert treated.handle(SourceUnavailable("away")) == ("unreachable", 0.0)


def test_an_unknown_outcome_closes_what_is_known() -> None:
    """Only the state, read back, says where the stream is."""
    treated = Treated(SinglePass())
    assert treated.handle(UnknownOutcome("no answer"))[0] == ""
    assert not treated.stream.ready


def test_what_only_an_operator_can_fix_stops_the_stream() -> None:
    """A single pass ends at once; a follower waits and is rebuilt, with the report in the state."""
    assert Treated().handle(BrokerFatal("denied")) == ("stopped", 0.0)
    treated = Treated(SinglePass())
    assert treated.handle(BrokerFatal("denied")) == ("", treated.stream.spec.pace.try_again)
    assert treated.stream.parts is None
    assert treated.store.report().error == "denied"


def test_a_refusal_is_doubted_before_it_is_believed() -> None:
    """Keys take effect late; the final message says where the credentials come from."""
    treated = Treated(secrets_from="from TOKEN")
    outcomes = []
    for outcome, _ in treated.handled(SourceRejected("401", hint="a token")):
        outcomes.append(outcome)
        if outcome:
            break
    assert outcomes[-1] == "stopped"
    assert treated.clock.monotonic() >= treated.stream.spec.pace.doubt_briefly
    assert treated.journal.reporter.status.hint == "a token; from TOKEN"


def test_a_broker_that_cannot_be_reached_is_asked_with_a_new_password_at_once() -> None:
    """A refused password looks like a broker that is gone: a stream must not wait for one that it no longer uses."""
    treated = Treated(SinglePass(once=False, give_up_after=0.0), refresh=lambda: True)
    assert treated.handle(BrokerUnavailable("no answer")) == ("", 0.0)
    assert treated.stream.parts is None
    unchanged = Treated(SinglePass(once=False, give_up_after=0.0), refresh=lambda: False)
    outcome, seconds = unchanged.handle(BrokerUnavailable("no answer"))
    assert (outcome, unchanged.stream.parts is not None) == ("", True)
    assert seconds > 0


def test_a_rotated_secret_is_tried_at_once() -> None:
    """Whatever was concluded about the old one."""
    treated = Treated(refresh=lambda: True)
    tries = treated.handled(SourceRejected("401"))
    assert {next(tries) for _ in range(20)} == {("", 0.0)}


@pytest.mark.parametrize(("page_size", "next_size"), [(100, 66), (3, 2), (2, 1)])
def test_a_page_that_is_too_large_is_asked_for_by_two_thirds(page_size: int, next_size: int) -> None:
    """In a new snapshot, because cursors freeze the size."""
    treated = Treated().at(phase="streaming", page_size=page_size)
    assert treated.handle(PageTooLarge("too large")) == ("", 0.0)
    assert (treated.epoch, treated.stream.publisher.checkpoint.position.page_size) == (2, next_size)


def test_an_item_that_fits_no_page_stops_the_stream() -> None:
    """There is no smaller page to ask for."""
    treated = Treated().at(phase="streaming", page_size=1)
    assert treated.handle(PageTooLarge("too large"))[0] == "stopped"
    assert treated.epoch == 1


def test_a_refused_cursor_is_retried_before_a_snapshot() -> None:
    """Twice: vendors refuse good cursors now and then."""
    treated = Treated().at(phase="streaming", cursor="c")
    epochs = []
    for _ in range(3):
        treated.handle(CheckpointRejected("bad cursor"))
        epochs.append(treated.epoch)
    assert epochs == [1, 1, 2]


def test_another_environment_means_a_snapshot_at_once() -> None:
    """It cannot be compared with what is known."""
    treated = Treated().at(phase="streaming", cursor="c")
    assert treated.handle(EnvironmentChanged("another one")) == ("", 0.0)
    assert (treated.epoch, treated.stream.publisher.checkpoint.request.rebase) == (2, True)


@pytest.mark.parametrize(("phase", "epoch"), [("snapshot", 2), ("streaming", 1)])
def test_a_walk_that_broke_off_is_walked_again(phase: str, epoch: int) -> None:
    """A snapshot as a new one, a delta from its cursor."""
    treated = Treated().at(phase=phase, cursor="c")
    treated.handle(WalkBroken("midway"))
    assert treated.epoch == epoch
    assert treated.following.metric("contentwire_walk_restarts_total") == 1


def test_no_snapshot_is_taken_if_the_operator_forbids_it() -> None:
    """The stream stops instead, and nothing is committed."""
    treated = Treated(snapshot_mode="never").at(phase="streaming", cursor="c")
    checkpoint = treated.stream.publisher.checkpoint
    with pytest.raises(StreamStopped, match="never"):
        treated.remedies.begin_snapshot("why", checkpoint.restart())
    assert treated.handle(EnvironmentChanged("another one"))[0] == "stopped"
    assert treated.stream.publisher.checkpoint == checkpoint
