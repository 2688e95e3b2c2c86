"""Where a stream stands, given what is known of it: what an operator sees, and whether they have to act."""

import pytest

from connector.commands.status import Stream
from connector.events.owner_report import OwnerReport
from connector.kafka.cluster import Member
from connector.stream.status import HALTED, STATES
from tests.values import checkpoint

OWNER = Member("contentwire-host-1", "10.0.0.1")
FOLLOWED = checkpoint(phase="streaming", cursor="c", sequence=7)
PAUSED = checkpoint(phase="streaming", request='{"paused":true}')


@pytest.mark.parametrize("state", STATES)
def test_an_owner_reports_the_state_of_its_stream(state: str) -> None:
    """If that state waits for an operator, so does the stream."""
    stream = Stream("blog", "v", FOLLOWED, OWNER, OwnerReport(state=state))
    assert (stream.state, stream.stopped) == (state, state in HALTED)


def test_a_stream_without_a_report_is_unknown() -> None:
    """That is not an error: it may just have started."""
    for report in (None, OwnerReport()):
        stream = Stream("blog", "v", None, OWNER, report)
        assert (stream.state, stream.stopped) == ("unknown", False)


def test_without_an_owner_a_stream_is_not_followed() -> None:
    """Whatever its last owner reported; but a stop outlives the process that reported it."""
    assert Stream("blog", "v", FOLLOWED, None).state == "not followed"
    left = Stream("blog", "v", FOLLOWED, None, OwnerReport(state="running"))
    assert (left.state, left.stopped) == ("not followed", False)
    stopped = Stream("blog", "v", FOLLOWED, None, OwnerReport(state="walk_starved"))
    assert (stopped.state, stopped.stopped) == ("not followed", True)


@pytest.mark.parametrize("owner", [OWNER, None])
def test_a_pause_is_what_an_operator_wanted(owner: Member | None) -> None:
    """The checkpoint says so before its owner does; a stop before the pause no longer needs anybody."""
    stream = Stream("blog", "v", PAUSED, owner, OwnerReport(state="stopped"))
    assert (stream.state, stream.stopped) == ("paused", False)


def test_a_state_that_cannot_be_read_needs_an_operator() -> None:
    """Nothing is known of it, not even a pause."""
    stream = Stream("blog", "v", PAUSED, OWNER, None, "the state topic holds something else", "take it out")
    assert (stream.state, stream.stopped) == ("unreadable", True)


def test_facts_hold_everything_for_a_script() -> None:
    """The checkpoint has the fields that `checkpoints show` names, or is None."""
    facts = Stream("blog", "v", FOLLOWED, OWNER, OwnerReport(state="running", dead_letters=2)).facts()
    assert (facts["connection"], facts["vendor"], facts["state"], facts["stopped"]) == ("blog", "v", "running", False)
    assert (facts["checkpoint"]["phase"], facts["checkpoint"]["sequence"]) == ("streaming", 7)
    assert (facts["owner"]["host"], facts["report"]["dead_letters"]) == ("10.0.0.1", 2)
    assert Stream("blog", "v", None, None).facts()["checkpoint"] is None
