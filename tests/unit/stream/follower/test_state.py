"""What a stream does when nothing is wrong: modes, waits, wake-ups, pauses, held deletes, and what is counted."""

import errno
import json
import threading
from typing import Any

import pytest

from connector.events.policy import Policy
from connector.events.state_record import flat
from connector.model.checkpoint import Request
from connector.simulator import Fault, Simulator
from connector.stream.follower import Follower
from connector.stream.runner import Bounds
from connector.stream.spec import Hooks, Pace, Parts
from connector.testing import MemoryStore
from tests.cms import assert_right, requests
from tests.published import events, letters, ops
from tests.story import DAY, HOME, HOUR, Steps, Told
from tests.unit.stream.follower.conftest import NAME

CAREFUL: dict[str, Any] = {"bounds": Bounds(max_delete_share=0.2)}


def vanish(simulator: Simulator, count: int) -> None:
    """Let entries disappear unseen: they are deleted, and the cursor that would tell has expired."""
    for each in simulator.ids()[:count]:
        simulator.delete(each)
    simulator.expire_cursors()


def test_deletes_beyond_their_share_are_held(store: MemoryStore) -> None:
    """A bad filter must not wipe consumers: nothing is deleted, the message counts, the hint names the command."""
    simulator = Simulator(seed=5, entries=60)
    following = Told(simulator, NAME, lambda: store, page_size=100)
    following.become_current()
    vanish(simulator, 21)
    live = len(simulator.truth(NAME)) + 21
    before = len(store.records)
    follower = following.catch_up(**CAREFUL)
    assert (follower.outcome, follower.status.state) == ("stopped", "deletes_held")
    assert f"lacks 21 of {live} live keys" in follower.status.error
    assert "max_delete_share = 0.2" in follower.status.error
    assert "contentwire snapshot blog --allow-deletes" in follower.status.hint
    assert following.metric("contentwire_held_deletes") == 21
    assert ops(store.records[before:]) == []

    following.checkpoint(request=json.dumps({"allow_deletes": True}))
    following.become_current(**CAREFUL)
    assert following.metric("contentwire_held_deletes") == 0
    assert following.checkpoint().request == Request()
    assert_right(simulator, NAME, store.records)


def test_a_handful_of_deletes_is_never_held(simulator: Simulator, store: MemoryStore, following: Told) -> None:
    """Below 20 deletes no share is too large."""
    following.become_current()
    vanish(simulator, 12)
    following.become_current(**CAREFUL)
    assert_right(simulator, NAME, store.records)


def test_initial_only_reads_once(simulator: Simulator, store: MemoryStore, following: Told) -> None:
    """After the snapshot the stream is finished: no polls, no deltas, not after a restart or a wake-up either."""

    def story(follower: Follower) -> Steps:
        yield lambda: follower.status.state == "finished"
        assert_right(simulator, NAME, store.records)
        simulator.clear_requests()
        follower.wake()
        yield DAY

    following.tell(story, snapshot_mode="initial_only")
    assert following.catch_up(snapshot_mode="initial_only").outcome == "current"
    assert simulator.requests(NAME) == []


def test_never_takes_no_first_snapshot(simulator: Simulator, following: Told) -> None:
    """Without a cursor there is nothing to continue from; the hint says where to get one."""
    follower = following.catch_up(snapshot_mode="never")
    assert (follower.outcome, follower.status.state) == ("stopped", "stopped")
    assert "no cursor" in follower.status.error
    assert "checkpoints import" in follower.status.hint
    assert simulator.requests(NAME) == []


@pytest.mark.parametrize("reason", ["refused", "fingerprint"])
def test_never_takes_no_new_snapshot(simulator: Simulator, following: Told, reason: str) -> None:
    """A refused cursor or another filter stops the stream instead; deltas before that are followed."""
    following.become_current()
    simulator.edit(simulator.ids()[0])
    following.become_current(snapshot_mode="never")
    if reason == "refused":
        simulator.expire_cursors()
    else:
        following.fingerprint = "filtered.topic"
    follower = following.catch_up(snapshot_mode="never")
    assert (follower.outcome, follower.status.state) == ("stopped", "stopped")
    assert "forbids" in follower.status.error
    assert following.checkpoint().position.epoch == 1


def test_the_usual_mode_takes_a_new_snapshot_when_one_is_needed(
    simulator: Simulator, store: MemoryStore, following: Told
) -> None:
    """The first one and every later one."""
    following.become_current(snapshot_mode="initial")
    vanish(simulator, 1)
    following.become_current(snapshot_mode="initial")
    assert_right(simulator, NAME, store.records)


def test_an_idle_stream_commits_nothing_but_heartbeats(following: Told, store: MemoryStore) -> None:
    """Empty deltas commit nothing; the checkpoint is refreshed now and then, to keep its transactional id alive."""
    following.become_current()
    before = len(store.transactions)

    def story(_: Follower) -> Steps:
        yield 2.6 * HOUR

    following.tell(story, heartbeat=HOUR, poll_interval=60.0)
    assert [len(each) for each in store.transactions[before:]] == [0, 0]


def test_a_heartbeat_is_never_early(simulator: Simulator, following: Told, store: MemoryStore) -> None:
    """Many idle polls commit nothing."""
    following.become_current()
    before = len(store.transactions)
    simulator.clear_requests()

    def story(_: Follower) -> Steps:
        yield lambda: len(simulator.requests(NAME)) > 5

    following.tell(story, heartbeat=HOUR, poll_interval=60.0)
    assert len(store.transactions) == before


def test_an_idle_stream_asks_once_an_interval(simulator: Simulator, following: Told) -> None:
    """However often it looks, meanwhile, whether it still owns the stream."""
    following.become_current()
    simulator.clear_requests()

    def story(_: Follower) -> Steps:
        yield HOUR - 1

    following.tell(story, poll_interval=60.0)
    assert requests(simulator, NAME) == ["cursor"] * 60


def test_a_wake_up_polls_at_once_and_a_few_more_times(simulator: Simulator, following: Told) -> None:
    """Delivery caches lag behind webhooks: polls follow at the paced times, then the interval counts again."""
    following.become_current()
    simulator.clear_requests()
    polls: list[int] = []

    def story(follower: Follower) -> Steps:
        yield lambda: len(simulator.requests(NAME)) == 1
        yield 60.0
        follower.wake()
        for seconds in (1.0, 18.0, 2.0, HOUR - 10.0, 20.0):
            yield seconds
            polls.append(len(simulator.requests(NAME)))

    following.tell(story, poll_interval=HOUR, pace=Pace(wake_ups=(0.0, 20.0)))
    assert polls == [2, 2, 3, 3, 4]


def test_a_paused_stream_asks_for_nothing_until_it_is_resumed(simulator: Simulator, following: Told) -> None:
    """The operator's request is in the checkpoint: it survives restarts."""
    following.become_current()
    following.checkpoint(request='{"paused":true}')
    simulator.clear_requests()
    follower = following.catch_up()
    assert (follower.outcome, follower.status.state) == ("stopped", "paused")
    assert simulator.requests(NAME) == []
    following.checkpoint(request=None)
    following.become_current()
    assert requests(simulator, NAME) == ["cursor"]


def test_an_operator_may_have_everything_published_again(
    simulator: Simulator, store: MemoryStore, following: Told
) -> None:
    """A snapshot that republishes all: each live key once more, as an update; then the request is fulfilled."""
    following.become_current()
    before = len(store.records)
    anew = following.checkpoint().restart()
    following.checkpoint(**{**flat(anew), "request": '{"republish":"all"}'})
    following.become_current()
    again = events(store.records[before:])
    assert {event["op"] for event in again} == {"u"}
    assert len(again) == len(simulator.truth(NAME))
    assert following.checkpoint().request == Request()


def test_a_request_that_hangs_shows_before_it_fails(simulator: Simulator, following: Told) -> None:
    """`running` would be a lie for as long as the time-out lasts."""
    following.become_current()
    simulator.push_fault(NAME, Fault("slow", delay=5))

    def story(follower: Follower) -> Steps:
        yield lambda: follower.status.state == "retrying"
        assert "overdue" in follower.status.error
        assert HOME in follower.status.error
        assert not following.metric("contentwire_retries_total", error="SourceUnavailable")

    following.tell(story, pace=Pace(overdue=4.0))


def test_trouble_of_this_machine_is_retried(store: MemoryStore, following: Told) -> None:
    """No descriptors, no temporary folder, no space: that may pass, and the hint says what to do; it is not a bug."""
    parts, failures = following.parts, [OSError(errno.EMFILE, "Too many open files")] * 3

    def opened(stop: threading.Event, hooks: Hooks) -> Parts:
        if failures:
            raise failures.pop()
        return parts(stop, hooks)

    def story(follower: Follower) -> Steps:
        yield lambda: follower.status.phase == "streaming"

    following.tell(story, open=opened)
    assert following.metric("contentwire_retries_total", error="LocalTrouble") == 3
    assert events(store.records)


def test_what_is_published_is_counted(simulator: Simulator, store: MemoryStore, following: Told) -> None:
    """Events by op, pages, dead letters by their error."""
    following.policy = Policy(max_message_bytes=4000)
    simulator.push_fault(NAME, Fault("unknown_item"))
    simulator.push_fault(NAME, Fault("malformed_item"))
    following.become_current()
    errors = [letter["error"] for letter in letters(store.records)]
    assert errors.count("MalformedItem") == 2
    assert errors.count("EventTooLarge") > 0
    for error in set(errors):
        assert following.metric("contentwire_dead_letters_total", error=error) == errors.count(error)
    assert following.metric("contentwire_events_total", op="r") == len(events(store.records))
    assert following.metric("contentwire_pages_total") == len(simulator.requests(NAME))
    assert following.metric("contentwire_transactions_total", outcome="committed") == len(store.transactions)


def test_a_stopped_snapshot_is_resumed(simulator: Simulator, store: MemoryStore, following: Told) -> None:
    """Stopped after some pages: the next owner continues after the last committed one, and repeats nothing."""
    simulator.push_fault(NAME, Fault("slow", delay=2, after=2))

    def story(follower: Follower) -> Steps:
        yield lambda: follower.status.page >= 1

    following.tell(story)
    committed = len(events(store.records))
    assert 0 < committed < len(simulator.truth(NAME))
    simulator.clear_requests()
    following.become_current()
    assert "start" not in requests(simulator, NAME)
    assert_right(simulator, NAME, store.records)
