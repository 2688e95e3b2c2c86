"""What a follower makes of limits: waits that others request, and configurations that have changed their meaning."""

import httpx

from connector.model.checkpoint import Request
from connector.simulator import Fault, Simulator
from connector.stream.follower import Follower
from connector.testing import MemoryStore
from tests.cms import assert_right
from tests.following import PATIENCE
from tests.published import events
from tests.story import DAY, Steps, Told
from tests.unit.stream.follower.conftest import NAME


def waiting(seconds: float) -> httpx.MockTransport:
    """Return a network on which the CMS asks everybody to wait."""
    headers = {"X-Contentful-RateLimit-Reset": f"{seconds:.0f}"}
    return httpx.MockTransport(lambda _: httpx.Response(429, headers=headers, stream=httpx.ByteStream(b"{}")))


def test_an_absurd_wait_leaves_the_stream_alive(following: Told) -> None:
    """A header in milliseconds, or of hostile size, means a long wait at worst, never the end of the thread."""
    following.transport = waiting(1e15)

    def story(follower: Follower) -> Steps:
        yield lambda: follower.status.state == "retrying"
        assert "429" in follower.status.error
        yield 2 * DAY
        assert (follower.status.state, follower.outcome) == ("retrying", "")

    following.tell(story)
    assert following.metric("contentwire_retries_total", error="SourceUnavailable") == 2


def test_a_pass_ends_in_time_whatever_wait_is_requested(following: Told) -> None:
    """`--timeout` bounds a wait that the CMS requests."""
    following.transport = waiting(3600)
    assert following.catch_up().outcome == "unreachable"
    assert following.narrator.monotonic() < PATIENCE + 1


def test_a_changed_topic_template_publishes_everything(
    simulator: Simulator, store: MemoryStore, following: Told
) -> None:
    """The new topics hold nothing yet: what is unchanged is published again as well, and old topics are forgotten."""
    following.fingerprint = "scope.one"
    following.become_current()
    before = len(events(store.records))
    following.fingerprint = "scope.two"
    following.become_current()
    assert len(events(store.records)) - before == len(simulator.truth(NAME))
    assert following.checkpoint().request == Request()
    assert_right(simulator, NAME, store.records)


def test_a_changed_filter_publishes_nothing_that_is_unchanged(store: MemoryStore, following: Told) -> None:
    """The topics are the same, and already hold it."""
    following.fingerprint = "scope.one"
    following.become_current()
    before = len(events(store.records))
    following.fingerprint = "other.one"
    following.become_current()
    assert len(events(store.records)) == before
    assert following.checkpoint().position.epoch == 2


def test_consent_to_deletes_ends_with_what_it_was_given_for(simulator: Simulator, following: Told) -> None:
    """An operator who allowed deletes under one configuration has not allowed them under the next."""
    following.become_current()
    following.checkpoint(request='{"allow_deletes":true}')
    following.fingerprint = "f2.x"
    simulator.push_fault(NAME, Fault("status", times=1000))
    assert following.catch_up().outcome == "unreachable"
    after = following.checkpoint()
    assert (after.position.epoch, after.request.rebase, after.request.allow_deletes) == (2, True, False)
