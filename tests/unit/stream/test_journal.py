"""What is reported of a stream: trouble once, its end once, and every count where it belongs."""

import io
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from connector import logs
from connector.errors import DeletesHeld, Fenced, MalformedItem, SourceUnavailable, TopicMismatch
from connector.events.record import Batch, Tally
from connector.stream.journal import Journal
from connector.stream.retries import Retries
from tests.unit.stream.opened import Opened

AWAY = SourceUnavailable("the CMS is away", hint="wait")


class Written(Opened):
    """A stream with its journal, and where its lines go."""

    def __init__(self) -> None:
        super().__init__()
        self.lines = io.StringIO()
        logs.configure(self.lines, json=True, level="info", secrets=())
        self.retries = Retries(self.stream.spec.pace, self.clock)
        self.journal = Journal(self.stream, self.retries, self.following.metrics)

    @property
    def said(self) -> list[tuple[str, str]]:
        """The lines so far: level and event."""
        return [(line["level"], line["event"]) for line in self.read()]

    def read(self) -> list[dict[str, Any]]:
        """Return the lines so far."""
        return [json.loads(line) for line in self.lines.getvalue().splitlines()]


@pytest.fixture
def written() -> Iterator[Written]:
    """Return a stream whose log is read."""
    yield Written()
    logs.configure(None, json=True, level="error", secrets=())


def test_lasting_trouble_is_logged_once(written: Written) -> None:
    """However often it is tried, but counted every time. Other trouble is news; so is the same after a whole pass."""
    for _ in range(3):
        written.journal.trouble(AWAY)
    assert written.said == [("warning", "something does not answer: trying again")]
    assert written.read()[0]["hint"] == "wait"
    written.journal.trouble(SourceUnavailable("the CMS is still away"))
    written.journal.passed(cursor_worked=True)
    written.journal.trouble(AWAY)
    assert len(written.said) == 3
    assert written.following.metric("contentwire_poll_failures_total", error="SourceUnavailable") == 5


def test_being_taken_over_is_not_trouble(written: Written) -> None:
    """A deployment that hands streams over must not look like an incident; nor must a dead letter."""
    written.journal.trouble(Fenced("another owner"))
    written.journal.trouble(MalformedItem("odd"))
    assert written.said == [("info", "the state is read back")]


def test_the_end_of_trouble_is_logged_with_its_length(written: Written) -> None:
    """Once; if a commit ends it within a second, it is not worth a line."""
    written.journal.trouble(AWAY)
    written.clock.wait(90)
    written.journal.reset_backoff()
    written.journal.reset_backoff()
    back = written.read()[-1]
    assert (back["level"], back["event"], back["after_seconds"]) == ("info", "back", 90.0)
    assert len(written.said) == 2
    written.journal.trouble(SourceUnavailable("once more"))
    written.clock.wait(0.5)
    written.journal.reset_backoff()
    assert len(written.said) == 3


def test_another_try_does_not_look_like_progress(written: Written) -> None:
    """The state says what is wrong until the stream works."""
    journal = written.journal
    journal.trouble(AWAY)
    journal.show(AWAY)
    written.clock.wait(1)
    journal.begin("recovering")
    assert (journal.reporter.status.state, journal.reporter.status.error) == ("retrying", "the CMS is away")
    journal.passed(cursor_worked=True)
    assert (journal.reporter.status.state, journal.reporter.status.error) == ("running", "")
    journal.begin("recovering")
    assert journal.reporter.status.state == "recovering"


def test_a_stop_is_news_once(written: Written) -> None:
    """A stopped stream tries again every few minutes: only another reason, or one after it worked, is logged."""
    gone = TopicMismatch("a topic is gone")
    for _ in range(3):
        written.journal.stopped(gone)
    assert written.said == [("error", "stream stopped")]
    written.journal.stopped(TopicMismatch("another topic is gone"))
    assert (written.journal.halted, len(written.said)) == (True, 2)
    written.journal.reset_backoff()
    assert (written.journal.halted, len(written.said)) == (False, 2)
    written.journal.stopped(gone)
    assert len(written.said) == 3


def test_held_deletes_are_counted_until_a_pass_works(written: Written) -> None:
    """So that an alert ends by itself."""
    written.journal.stopped(DeletesHeld("too many", held=40))
    assert written.following.metric("contentwire_held_deletes") == 40
    assert written.journal.reporter.status.state == "deletes_held"
    written.journal.passed(cursor_worked=True)
    assert written.following.metric("contentwire_held_deletes") == 0


def test_a_recovery_is_logged_once_until_the_stream_works(written: Written) -> None:
    """During trouble it proves nothing; after a pause it is news again."""
    checkpoint = written.stream.publisher.checkpoint
    for _ in range(2):
        written.journal.recovered(checkpoint)
    assert written.said == [("info", "recovered")]
    written.journal.rest("paused")
    written.journal.recovered(checkpoint)
    assert written.said == [("info", "recovered")] * 2


def test_a_bug_is_called_one(written: Written) -> None:
    """The state names the kind of error and never its text, which may hold content."""
    written.journal.failed(ValueError("content"))
    status = written.journal.reporter.status
    assert (status.state, status.error) == ("stopped", "unexpected ValueError")
    assert "bug" in status.hint


def test_a_commit_says_how_many_rows_it_wrote(written: Written) -> None:
    """A snapshot of rows alone has no event to count; without tables nothing is said of rows."""
    checkpoint = written.stream.publisher.checkpoint
    written.journal.committed(Batch([], [], checkpoint, Tally(rows=Counter(written=2, deleted=1, misfit=1))), 0.1)
    written.journal.committed(Batch([], [], checkpoint, Tally()), 0.1)
    assert [(line["events"], line.get("rows")) for line in written.read()] == [(0, 3), (0, None)]
