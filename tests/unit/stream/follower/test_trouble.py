"""What goes wrong while a stream is followed: what is retried, what is read again, and when that is given up."""

import pytest

from connector.errors import Fenced, TransactionAborted, UnknownOutcome
from connector.events.policy import Policy
from connector.simulator import Fault, Simulator
from connector.stream.follower import Follower
from connector.stream.runner import Bounds
from connector.stream.spec import Pace
from connector.testing import Fault as CommitFault
from connector.testing import MemoryStore, fail_after_commit, fail_before_commit
from tests.cms import assert_right, rows, truth
from tests.published import events, latest, ops, seen
from tests.story import Steps, Told
from tests.unit.stream.follower.conftest import NAME

TOO_BIG = '{"sys":{"type":"Error","id":"BadRequest"},"message":"Response size too big. Maximum 7340032B."}'


def limits(simulator: Simulator) -> list[str]:
    """Return the page sizes that initial syncs asked for."""
    return [each.params["limit"] for each in simulator.requests(NAME) if each.kind == "start"]


def test_a_new_stream_becomes_current(simulator: Simulator, store: MemoryStore, following: Told) -> None:
    """Snapshot, catching up, reconciling, streaming: consumers hold what the CMS delivers."""
    follower = following.catch_up()
    assert (follower.outcome, follower.status.state, follower.status.phase) == ("current", "running", "streaming")
    assert {event["op"] for event in events(store.records)} == {"r"}
    assert_right(simulator, NAME, store.records)


def test_a_running_stream_follows(simulator: Simulator, store: MemoryStore, following: Told) -> None:
    """Polls at its interval, publishes what it finds, and says so in its status."""

    def story(follower: Follower) -> Steps:
        yield lambda: follower.status.phase == "streaming"
        simulator.edit(simulator.ids()[0])
        simulator.delete(simulator.ids()[1])
        yield lambda: len(latest(seen(store.records))) == len(simulator.truth(NAME))

    status = following.tell(story).status
    assert (status.state, status.epoch, status.error) == ("running", 1, "")
    assert status.sequence == len(events(store.records))
    assert status.index_size == len(simulator.truth(NAME)) + 1
    assert status.freshness
    assert_right(simulator, NAME, store.records)


@pytest.mark.parametrize("kind", ["status", "reset", "html", "truncated_body"])
def test_trouble_of_the_cms_is_retried(simulator: Simulator, store: MemoryStore, following: Told, kind: str) -> None:
    """At the start, during the snapshot and in a delta: retried until it works, and counted."""
    for after in (0, 1, 4):
        simulator.push_fault(NAME, Fault(kind, after=after, times=2))  # type: ignore[arg-type]  # one of the kinds
    following.become_current()
    simulator.push_fault(NAME, Fault(kind))  # type: ignore[arg-type]  # as above
    simulator.edit(simulator.ids()[0])
    following.become_current()
    assert following.metric("contentwire_retries_total", error="SourceUnavailable") == 7
    assert_right(simulator, NAME, store.records)


def test_a_retry_waits_as_long_as_requested(simulator: Simulator) -> None:
    """A used-up quota means a long wait: nothing is requested meanwhile, and a stop does not wait for it."""
    simulator.push_fault("weegloo", Fault("rate_limited"))
    following = Told(simulator, "weegloo", lambda: MemoryStore(connection="blog"))

    def story(follower: Follower) -> Steps:
        yield lambda: follower.status.state == "retrying"
        assert "quota" in follower.status.error
        assert follower.status.hint
        yield 10 * Pace().longest_pause
        assert len(simulator.requests("weegloo")) == 1

    following.tell(story)


def test_a_single_pass_reports_that_the_cms_is_unreachable(simulator: Simulator, following: Told) -> None:
    """When its time is up, the outcome is `unreachable`, with the reason."""
    simulator.push_fault(NAME, Fault("status", times=None))
    follower = Follower(following.spec(), following.metrics, once=True, give_up_after=0.0)
    follower.run()
    assert (follower.outcome, follower.status.state) == ("unreachable", "retrying")
    assert "503" in follower.status.error


@pytest.mark.parametrize(
    "fault",
    [
        fail_before_commit(TransactionAborted("x")),
        fail_before_commit(UnknownOutcome("x")),
        fail_before_commit(Fenced("x")),
        fail_after_commit(UnknownOutcome("x")),
        fail_after_commit(Fenced("x")),
    ],
)
@pytest.mark.parametrize("number", [0, 1, 4, 6])
def test_a_failed_commit_loses_and_duplicates_nothing(
    simulator: Simulator, store: MemoryStore, following: Told, fault: CommitFault, number: int
) -> None:
    """Before or after it was visible, in whatever phase: recovery reads, and nothing is guessed."""
    store.faults.extend([*[None] * number, fault])
    following.become_current()
    simulator.churn(3)
    following.become_current()
    assert not store.faults
    ids = [event["event_id"] for event in events(store.records)]
    assert len(ids) == len(set(ids))
    assert_right(simulator, NAME, store.records)


def test_a_refused_cursor_is_doubted_before_a_snapshot(
    simulator: Simulator, store: MemoryStore, following: Told
) -> None:
    """Vendors refuse good cursors now and then: a single refusal is retried, not believed."""
    following.become_current()
    simulator.push_fault(NAME, Fault("refuse_cursor", times=2))
    simulator.edit(simulator.ids()[0])
    following.become_current()
    assert following.checkpoint().position.epoch == 1
    assert_right(simulator, NAME, store.records)


def test_an_expired_cursor_means_a_new_snapshot_with_reconciled_deletes(
    simulator: Simulator, store: MemoryStore, following: Told
) -> None:
    """What vanished meanwhile is deleted, what changed is updated, what did not is left alone."""
    following.become_current()
    before = len(store.records)
    gone, edited = simulator.ids()[:2]
    simulator.delete(gone)
    simulator.edit(edited)
    simulator.expire_cursors()
    following.become_current()
    assert ops(store.records[before:]) == [("u", edited), ("d", gone), ("tombstone", gone)]
    changed, deleted = events(store.records[before:])
    assert (changed["origin"], deleted["origin"]) == ("snapshot", "reconciled")
    assert (deleted["before"]["id"], deleted["marker"], deleted["change_type"]) == (gone, None, "deleted")
    assert following.checkpoint().position.epoch == 2
    assert_right(simulator, NAME, store.records)


def test_a_changed_filter_means_a_new_snapshot_with_reconciled_deletes(
    simulator: Simulator, store: MemoryStore, following: Told
) -> None:
    """The configuration's fingerprint differs: consumers lose what is now excluded, and get back what is not."""
    following.become_current()
    following.policy, following.fingerprint = Policy(content_types=frozenset({"blogPost"})), "filtered.topic"
    following.become_current()
    wanted = truth(simulator, NAME, lambda key, table: key.entity_type == "asset" or table == "blogPost")
    assert rows(latest(seen(store.records))) == wanted
    following.policy, following.fingerprint = Policy(), "scope.topic"
    following.become_current()
    assert following.checkpoint().position.epoch == 3
    assert_right(simulator, NAME, store.records)


def test_other_topics_get_everything(simulator: Simulator, store: MemoryStore, following: Told) -> None:
    """A changed topic template: the new topics hold nothing yet, so every live key is published again, once."""
    following.become_current()
    before = len(store.records)
    following.fingerprint = "scope.elsewhere"
    following.become_current()
    assert len(events(store.records[before:])) == len(simulator.truth(NAME))
    following.become_current()
    assert len(events(store.records[before:])) == len(simulator.truth(NAME))


def test_another_environment_under_the_same_name_means_a_new_snapshot(
    simulator: Simulator, store: MemoryStore, following: Told
) -> None:
    """An alias was retargeted, and back to an older state: what is delivered wins, whatever its clocks say."""
    following.become_current(bounds=Bounds(max_delete_share=1.0))
    simulator.release(12)
    following.become_current()
    for seed, epoch in ((6, 2), (5, 3)):
        simulator.swap_environment(seed)
        following.become_current(bounds=Bounds(max_delete_share=1.0))
        assert following.checkpoint().position.epoch == epoch
        assert_right(simulator, NAME, store.records)


@pytest.mark.parametrize("after", [0, 2])
def test_a_page_too_large_is_asked_for_in_smaller_pages(
    simulator: Simulator, store: MemoryStore, following: Told, after: int
) -> None:
    """At the start or midway: a new snapshot with two thirds of the size, remembered for later ones."""
    simulator.push_fault(NAME, Fault("status", status=400, body=TOO_BIG, after=after))
    following.become_current()
    assert limits(simulator) == ["4", "2"]
    simulator.expire_cursors()
    following.become_current()
    assert limits(simulator) == ["4", "2", "2"]
    assert_right(simulator, NAME, store.records)


def test_an_item_that_fits_no_page_stops_the_stream(simulator: Simulator, following: Told) -> None:
    """No page can be smaller than one item."""
    simulator.push_fault(NAME, Fault("status", status=400, body=TOO_BIG, times=None))
    follower = following.catch_up()
    assert (follower.outcome, follower.status.state) == ("stopped", "stopped")
    assert limits(simulator) == ["4", "2", "1"]


def disturb(simulator: Simulator) -> None:
    """Publish something after the first page of every walk to come."""
    simulator.edit(simulator.ids()[0])
    simulator.on_page(NAME, 1, lambda: disturb(simulator))


@pytest.mark.parametrize("streaming", [False, True])
def test_a_walk_refused_repeatedly_is_starved(
    simulator: Simulator, store: MemoryStore, following: Told, *, streaming: bool
) -> None:
    """Five new walks, then the stream stops and says why; never a loop, never a delete."""
    simulator.set_mode(NAME, "refuse")
    if streaming:
        following.become_current()
        simulator.release(9)
    disturb(simulator)
    follower = following.catch_up()
    assert (follower.outcome, follower.status.state) == ("stopped", "walk_starved")
    assert "6 walks in a row" in follower.status.error
    assert "pause bulk publishing" in follower.status.hint
    assert following.metric("contentwire_walk_restarts_total") == 6
    assert {event["op"] for event in events(store.records)} <= {"r", "u"}
    simulator.clear_faults()
    following.become_current()
    assert_right(simulator, NAME, store.records)


def test_cursors_that_never_work_are_no_endless_loop(simulator: Simulator, store: MemoryStore) -> None:
    """Every snapshot succeeds, but its cursor is refused every time: that ends too."""
    simulator.push_fault(NAME, Fault("refuse_cursor", on="cursor", times=None))
    follower = Told(simulator, NAME, lambda: store, page_size=100).catch_up()
    assert (follower.outcome, follower.status.state) == ("stopped", "walk_starved")
    assert "5 new snapshots" in follower.status.error
    assert len([each for each in simulator.requests(NAME) if each.kind == "start"]) == 1 + 5
