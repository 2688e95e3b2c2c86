"""What a follower says of its stream: its state, since when, a request that hangs, and never a secret."""

import pytest

from connector import errors
from connector.stream.reporter import Reporter, state_of
from connector.stream.status import StreamState
from tests.unit.stream.opened import Opened


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (errors.WalkStarved("x"), "walk_starved"),
        (errors.DeletesHeld("x", held=1), "deletes_held"),
        (errors.SourceRejected("x"), "stopped"),
        (errors.TopicMismatch("x"), "stopped"),
        (errors.BrokerUnavailable("x"), "disconnected"),
        (errors.RegistryChanged("x"), "retrying"),
        (errors.SourceUnavailable("x"), "retrying"),
        (errors.TransactionAborted("x"), "retrying"),
        (errors.UnknownOutcome("x"), "recovering"),
        (errors.Superseded("x"), "recovering"),
    ],
)
def test_an_error_says_which_state_a_stream_is_in(error: errors.ConnectorError, state: StreamState) -> None:
    """It shows who has to act: an operator, Kafka, the CMS or we."""
    assert state_of(error) == state


def test_a_state_keeps_its_beginning() -> None:
    """Even if it is set again, for another reason."""
    opened = Opened()
    reporter = Reporter(opened.stream)
    began_at = round(opened.clock.wall() * 1000)
    reporter.set_state("retrying", "one")
    opened.clock.wait(10)
    reporter.set_state("retrying", "another", "a hint")
    status = reporter.status
    assert (status.state, status.error, status.hint, status.since_ms) == ("retrying", "another", "a hint", began_at)
    reporter.set_state("running")
    assert (reporter.status.error, reporter.status.since_ms) == ("", began_at + 10_000)


def test_no_secret_is_shown() -> None:
    """Neither on the status page nor in the state topic."""
    opened = Opened(mask=lambda text: text.replace("secret", "***"))
    reporter = Reporter(opened.stream)
    reporter.set_state("stopped", "a secret was refused", "make another secret")
    assert (reporter.status.error, reporter.status.hint) == ("a *** was refused", "make another ***")
    report = opened.stream.publisher.report
    assert (report.state, report.error, report.hint) == ("stopped", "a *** was refused", "make another ***")


def test_a_request_that_hangs_shows_before_it_fails() -> None:
    """It shows since when it hangs, but does not hide what was already wrong."""
    opened = Opened()
    reporter, parts = Reporter(opened.stream), opened.stream.parts
    assert parts
    reporter.set_state("running")
    opened.clock.wait(100)
    begun_at = round(opened.clock.wall() * 1000)
    parts.source.waiting_since = opened.clock.monotonic()
    opened.clock.wait(14)
    assert not reporter.status.error
    opened.clock.wait(1)
    assert (reporter.status.state, reporter.status.since_ms) == ("retrying", begun_at)
    assert "overdue" in reporter.status.error
    reporter.set_state("paused")
    assert reporter.status.state == "paused"


def test_a_commit_shows_how_far_the_stream_is() -> None:
    """The freshness of the newest change stays until there is another one."""
    opened = Opened()
    reporter, publisher = Reporter(opened.stream), opened.stream.publisher
    assert reporter.status.committed_at_ms is None
    checkpoint = publisher.commit_checkpoint(publisher.checkpoint.restart())
    reporter.note(checkpoint, 2.5)
    reporter.note(checkpoint)
    status = reporter.status
    assert (status.phase, status.epoch, status.committed_at_ms) == ("snapshot", 2, round(opened.clock.wall() * 1000))
    assert status.freshness == 2.5
