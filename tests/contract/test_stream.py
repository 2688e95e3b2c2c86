"""What every vendor's stream promises into every publisher, through everything that a CMS does to its clients."""

from typing import Any

import pytest

from connector.simulator import Fault, Simulator
from connector.simulator.fault import FaultKind
from connector.simulator.front_end import Mode
from tests.cms import eventually, requests
from tests.contract.conftest import Subject
from tests.published import latest, letters

STRANGE: list[FaultKind] = ["malformed_item", "unknown_item"]
TROUBLE: list[FaultKind] = ["status", "reset", "truncated_body", "truncated_gzip", "html"]


def stopped_midway(subject: Subject, after: int) -> None:
    """Make the stream stop at a request: the CMS refuses the credentials from then on, until a restart."""
    subject.simulator.push_fault(subject.name, Fault("status", status=401, after=after, times=None))
    assert subject.following.catch_up().outcome == "stopped"
    subject.simulator.clear_faults()
    subject.simulator.clear_requests()


def test_a_snapshot_equals_the_cms(subject: Subject) -> None:
    """Everything that is delivered, once; what was removed before is at most a removal."""
    subject.become_current()
    subject.assert_right()
    assert {*subject.ops()} <= {"r", "d"}


def test_a_delta_equals_the_cms(subject: Subject) -> None:
    """Publications, edits, unpublications and deletions, in some locales or in all."""
    subject.become_current()
    subject.simulator.churn(20)
    subject.become_current()
    subject.assert_right()
    assert {"c", "u", "d"} <= {*subject.ops()}


def test_a_snapshot_resumes_in_its_middle(subject: Subject) -> None:
    """After a restart the walk continues after the last committed page; no page is repeated or left out."""
    stopped_midway(subject, after=3)
    assert subject.ops().count("r") >= 12
    subject.become_current()
    assert "start" not in requests(subject.simulator, subject.name)
    subject.assert_right()


def test_a_delta_resumes(subject: Subject) -> None:
    """A delta that broke off is read again from its cursor, with what happened since."""
    subject.become_current()
    subject.simulator.release(14)
    stopped_midway(subject, after=1)
    subject.simulator.churn(3)
    subject.become_current()
    assert "start" not in requests(subject.simulator, subject.name)
    subject.assert_right()


def test_an_empty_delta_changes_nothing(subject: Subject) -> None:
    """Nothing happened: nothing is published or committed, and the next change is found."""
    subject.become_current()
    before, commits = len(subject.records()), subject.transactions()
    subject.become_current()
    assert (len(subject.records()), subject.transactions()) == (before, commits)
    subject.simulator.edit(subject.simulator.ids()[0])
    subject.become_current()
    subject.assert_right()


@pytest.mark.parametrize(("kind", "after"), [("empty_page", 1), ("duplicate_page", 2)])
def test_an_empty_or_repeated_page_does_no_harm(subject: Subject, kind: Any, after: int) -> None:
    """In a snapshot and in a delta: whatever an empty page means to the vendor, nothing is missing or duplicated."""
    subject.simulator.push_fault(subject.name, Fault(kind, after=after))
    subject.become_current()
    subject.simulator.release(14)
    subject.simulator.push_fault(subject.name, Fault(kind, after=1))
    subject.become_current()
    subject.become_current()
    subject.assert_right()


def test_deletes_missed_by_an_expired_cursor_are_found(subject: Subject) -> None:
    """The stream was down, things were deleted and edited, the cursor expired: no delta will ever report them."""
    subject.become_current()
    gone, edited, unpublished = subject.simulator.ids()[:3]
    subject.simulator.delete(gone)
    subject.simulator.edit(edited)
    subject.simulator.unpublish(unpublished)
    subject.simulator.delete(subject.simulator.ids("asset")[0])
    subject.simulator.expire_cursors()
    subject.become_current()
    subject.assert_right()
    assert subject.following.checkpoint().position.epoch == 2


def test_strange_items_are_dead_letters(subject: Subject) -> None:
    """Malformed or of an unknown type: their bytes are kept; everything around them is published."""
    for kind in STRANGE:
        subject.simulator.push_fault(subject.name, Fault(kind))
    subject.become_current()
    subject.simulator.push_fault(subject.name, Fault("unknown_item"))
    subject.simulator.edit(subject.simulator.ids()[0])
    subject.become_current()
    malformed, unknown, later = letters(subject.records())
    assert {(each["error"], each["vendor"]) for each in (malformed, unknown)} == {("MalformedItem", subject.name)}
    assert later["raw"] == unknown["raw"] != malformed["raw"]
    assert [each["phase"] for each in (malformed, unknown, later)] == ["snapshot", "snapshot", "streaming"]
    subject.assert_right()


def test_a_foreign_next_url_is_never_followed(subject: Subject) -> None:
    """If responses hold URLs, only the token counts: the credential goes nowhere else, and the walk continues."""
    with Simulator(entries=1).serving() as elsewhere:
        subject.simulator.push_fault(subject.name, Fault("foreign_next_url", to=elsewhere.url()))
        follower = subject.following.catch_up()
        assert elsewhere.requests(subject.name) == []
    assert follower.outcome == "current"
    subject.assert_right()


def test_trouble_is_waited_out(subject: Subject) -> None:
    """5xx, broken connections and broken bodies, one after another, during a snapshot and a delta."""
    for kind in TROUBLE:
        subject.simulator.push_fault(subject.name, Fault(kind, after=2))
    subject.become_current()
    subject.simulator.churn(3)
    for kind in TROUBLE:
        subject.simulator.push_fault(subject.name, Fault(kind))
    subject.become_current()
    assert subject.simulator.faults(subject.name) == []
    subject.assert_right()


def test_a_rate_limit_is_respected(subject: Subject) -> None:
    """429: the stream waits as long as requested, and continues where it was."""
    subject.simulator.push_fault(subject.name, Fault("rate_limited", after=2))
    with subject.following.running() as follower:
        eventually(lambda: follower.status.state == "retrying")
        assert "429" in follower.status.error
        assert len(subject.simulator.requests(subject.name)) == 3
    subject.become_current()
    subject.assert_right()


@pytest.mark.parametrize("mode", ["shift", "refuse"])
def test_edits_while_paging_lose_nothing(subject: Subject, mode: Mode) -> None:
    """Items move to pages already read, or the walk is refused: in the end the topic equals the CMS."""
    simulator = subject.simulator
    simulator.set_mode(subject.name, mode)
    disturb(subject)
    subject.become_current()
    settle(subject)
    simulator.release(14)
    disturb(subject)
    subject.become_current()
    settle(subject)


def test_edits_during_a_new_snapshot_delete_nothing(subject: Subject) -> None:
    """What moved to a page already read is still there: no delete is inferred before the walk is caught up with."""
    subject.become_current()
    before = subject.ops().count("d")
    subject.simulator.set_mode(subject.name, "shift")
    subject.simulator.expire_cursors()
    subject.simulator.on_page(subject.name, 1, lambda: subject.simulator.release(20))
    subject.become_current()
    assert subject.ops().count("d") == before
    subject.assert_right()


def settle(subject: Subject) -> None:
    """Stop editing, let the stream become current, and compare."""
    subject.simulator.clear_faults(subject.name)
    subject.become_current()
    subject.assert_right()


def disturb(subject: Subject) -> None:
    """Edit, publish and remove after the first two pages of a walk, and after a later one."""
    for page in (1, 2, 4):
        subject.simulator.on_page(
            subject.name, page, lambda: (subject.simulator.release(4), subject.simulator.churn(6))
        )


def test_what_is_removed_may_come_back(subject: Subject) -> None:
    """Deleted, unpublished and published again, with polls between them: c, d, c."""
    subject.become_current()
    entry = subject.simulator.publish("author", locales=["en-US"])
    subject.become_current()
    before = len(subject.ops())
    subject.simulator.unpublish(entry)
    subject.become_current()
    subject.simulator.publish(id=entry, locales=["en-US"])
    subject.become_current()
    subject.simulator.delete(entry)
    subject.become_current()
    assert subject.ops()[before - 1 :] == ["c", "d", "c", "d"]
    subject.assert_right()


def test_a_removal_in_one_locale_leaves_the_others(subject: Subject) -> None:
    """As each vendor reports it: a removal of that key, or an update of the whole."""
    subject.become_current()
    subject.simulator.unpublish(subject.simulator.ids()[0], locale="de-DE")
    subject.simulator.delete(subject.simulator.ids()[0], locale="en-US")
    subject.become_current()
    subject.assert_right()


def test_a_removed_content_type_removes_its_entries(subject: Subject) -> None:
    """As each vendor reports it, once for all or one by one; what an API never reports, the next snapshot proves."""
    subject.become_current()
    subject.simulator.delete_content_type("product")
    subject.become_current()
    live = {key.id for key in latest(subject.seen()) if key.entity_type == "entry"}
    assert live == {*subject.simulator.ids()}
    subject.simulator.expire_cursors()
    subject.become_current()
    subject.assert_right()


def test_a_release_is_one_transaction(subject: Subject) -> None:
    """Fifty publications at one moment become visible together."""
    subject.become_current()
    for _ in range(40):
        subject.simulator.publish("category")
    subject.become_current()
    before = subject.transactions()
    released = subject.simulator.release(50)
    subject.become_current()
    assert subject.transactions() == before + 1
    assert len(set(released)) == 50
    subject.assert_right()


def test_a_walk_in_circles_ends(subject: Subject) -> None:
    """If a page cursor repeats within a walk, the walk starts again."""
    subject.simulator.push_fault(subject.name, Fault("repeat_cursor", after=1))
    subject.become_current()
    subject.assert_right()


def test_clocks_that_jump_ahead_stop_nothing(subject: Subject) -> None:
    """A CMS whose clock runs ahead: what it publishes is published."""
    subject.become_current()
    subject.simulator.skew_clock(3600)
    subject.simulator.churn(5)
    subject.become_current()
    subject.assert_right()
