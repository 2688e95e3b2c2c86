"""Where streams stand, one row each."""

import pytest

from connector.cli.status_table import streams
from connector.commands.status import Stream
from connector.events.owner_report import OwnerReport
from connector.kafka.cluster import Member
from connector.model.checkpoint import Checkpoint, Position, Progress, Request

OWNER = Member("run-1", "10.0.0.1")
FOLLOWED = Checkpoint(stream="blog", position=Position(phase="streaming"), progress=Progress(sequence=7))
STOPPED = OwnerReport(state="stopped", error="HTTP 401", hint="give it a new token", dead_letters=2)


HEADERS = ("connection", "state", "phase", "events", "last commit", "dead letters", "owner", "what is wrong")


def row(stream: Stream) -> list[str]:
    """Return the cells of a stream's row, each starting where its header does."""
    header, line = streams([stream]).splitlines()
    begins = [header.index(name) for name in HEADERS]
    ends = [*begins[1:], None]
    return [line[begin:end].strip() for begin, end in zip(begins, ends, strict=True)]


def test_a_stream_that_runs_shows_where_it_stands_and_who_owns_it() -> None:
    """State, phase, events and owner; an empty cell if nothing is wrong."""
    cells = row(Stream("blog", "v", FOLLOWED, OWNER, OwnerReport(state="running")))
    assert cells == ["blog", "running", "streaming", "7", cells[4], "", "run-1 at 10.0.0.1", ""]


@pytest.mark.parametrize("owner", [OWNER, None])
def test_a_stopped_stream_says_so_with_its_error_and_what_to_do(owner: Member | None) -> None:
    """Even when its owner is gone."""
    cells = row(Stream("blog", "v", FOLLOWED, owner, STOPPED))
    assert (cells[1], cells[5], cells[7]) == ("stopped", "2", "HTTP 401; give it a new token")


def test_a_stream_that_never_ran_is_not_one_that_cannot_be_read() -> None:
    """Both lack a checkpoint, but only one has an error."""
    assert row(Stream("blog", "v", None, None))[2] == "never run"
    unreadable = row(Stream("blog", "v", None, None, None, "the topic is gone", "restore it"))
    assert (unreadable[1], unreadable[2], unreadable[7]) == ("unreadable", "", "the topic is gone; restore it")


def test_a_request_is_shown_until_it_is_fulfilled() -> None:
    """Beside what is wrong; a pause is a state, and hides earlier errors."""
    asked = Checkpoint(stream="blog", request=Request(allow_deletes=True))
    assert row(Stream("blog", "v", asked, OWNER, STOPPED))[7].endswith(
        'give it a new token; asked: {"allow_deletes": true}'
    )
    paused = Checkpoint(stream="blog", request=Request(paused=True))
    cells = row(Stream("blog", "v", paused, OWNER, STOPPED))
    assert (cells[1], cells[7]) == ("paused", "")
