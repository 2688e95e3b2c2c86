"""Streams that are refused something: when that is believed, how a stopped stream appears, and how it continues."""

from collections.abc import Callable

import httpx
import pytest

from connector.errors import BrokerFatal
from connector.events.policy import Policy
from connector.simulator import Fault, Simulator
from connector.stream.follower import Follower
from connector.stream.spec import Pace
from connector.testing import MemoryStore, fail_before_commit
from tests.cms import assert_right
from tests.loopback import Loopback
from tests.story import Steps, Told
from tests.unit.stream.follower.conftest import NAME


@pytest.mark.parametrize("status", [401, 403, 404])
def test_refused_credentials_stop_the_stream(simulator: Simulator, following: Told, status: int) -> None:
    """It asks again for a while, then stops with the reason; the process can still end in time."""
    simulator.push_fault(NAME, Fault("status", status=status, times=None))
    asked: list[int] = []

    def story(follower: Follower) -> Steps:
        yield lambda: follower.status.state == "stopped"
        assert str(status) in follower.status.error
        assert "token" in follower.status.hint
        asked.append(len(simulator.requests(NAME)))

    following.tell(story)
    assert asked[0] > 1
    assert following.narrator.monotonic() >= Pace().doubt


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_passing_refusal_costs_nothing(
    simulator: Simulator, store: MemoryStore, following: Told, status: int
) -> None:
    """A new key, a firewall, an edge cache: what is granted a moment later is published, even in a single pass."""
    simulator.push_fault(NAME, Fault("status", status=status, times=2))
    following.become_current()
    simulator.push_fault(NAME, Fault("status", status=status, times=2))
    simulator.edit(simulator.ids()[0])
    following.become_current()
    assert_right(simulator, NAME, store.records)


def test_a_stopped_stream_continues_by_itself(simulator: Simulator, store: MemoryStore, following: Told) -> None:
    """What was long refused is finally granted: nobody has to restart anything, and the metrics show it all."""
    simulator.push_fault(NAME, Fault("status", status=401, times=None))

    def story(follower: Follower) -> Steps:
        yield lambda: follower.status.state == "stopped"
        simulator.clear_faults()
        yield lambda: (follower.status.state, follower.status.phase) == ("running", "streaming")

    following.tell(story)
    assert following.metric("contentwire_poll_failures_total", error="SourceRejected") > 1
    assert_right(simulator, NAME, store.records)


def test_a_stopped_stream_holds_no_producer(simulator: Simulator, store: MemoryStore, following: Told) -> None:
    """A revoked token may stop hundreds, for good: their producers would keep the others from recovering."""
    following.become_current()
    simulator.push_fault(NAME, Fault("status", status=401, times=None))

    def story(follower: Follower) -> Steps:
        yield lambda: follower.status.state == "stopped"
        assert store.resting

    following.tell(story)


class Watched(Loopback):
    """A network that calls `look` during each request."""

    def __init__(self, simulator: Simulator, look: Callable[[], None]) -> None:
        super().__init__(simulator)
        self._look = look

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Call `look`, and answer."""
        self._look()
        return super().handle_request(request)


def test_a_stopped_stream_stays_stopped_while_it_tries_again(simulator: Simulator, following: Told) -> None:
    """A try is not a success: status and alerts show nothing but `stopped` until it works."""
    simulator.push_fault(NAME, Fault("status", status=403, times=None))

    def story(follower: Follower) -> Steps:
        yield lambda: follower.status.state == "stopped"
        since, seen = follower.status.since_ms, list[str]()
        following.transport = Watched(simulator, lambda: seen.append(follower.status.state))
        yield lambda: len(seen) >= 4
        assert set(seen) == {"stopped"}
        assert follower.status.since_ms == since

    following.tell(story)


def test_an_operator_need_not_wait_for_the_next_try(simulator: Simulator, following: Told) -> None:
    """On request, a stopped stream tries at once."""
    simulator.push_fault(NAME, Fault("status", status=401, times=None))

    def story(follower: Follower) -> Steps:
        yield lambda: follower.status.state == "stopped"
        stopped_at = following.narrator.monotonic()
        simulator.clear_faults()
        follower.try_again()
        yield lambda: follower.status.state == "running"
        assert following.narrator.monotonic() == stopped_at

    following.tell(story)


def test_a_rotated_secret_is_read_before_a_refusal_is_believed(simulator: Simulator, following: Told) -> None:
    """At the first refusal the secrets are read again, and the request is repeated with them."""
    simulator.push_fault(NAME, Fault("status", status=401, times=None))

    def rotate() -> bool:
        simulator.clear_faults()
        return bool(simulator.requests(NAME))

    def story(follower: Follower) -> Steps:
        yield lambda: follower.status.phase == "streaming"

    following.tell(story, pace=Pace(doubt=0.0), refresh=rotate)
    assert following.metric("contentwire_poll_failures_total", error="SourceRejected") <= 1


def test_a_refusal_says_where_the_credentials_come_from(simulator: Simulator, following: Told) -> None:
    """Whoever has to correct them learns what is read again, and what takes a restart."""
    simulator.push_fault(NAME, Fault("status", status=401, times=None))
    follower = following.catch_up(secrets_from="the environment variable T is read only at the start")
    assert "the environment variable T" in follower.status.hint


def test_the_owners_last_report_is_in_the_state(simulator: Simulator, store: MemoryStore, following: Told) -> None:
    """What others can know of a stream: its state, why, since when, who said so, and its dead letters."""

    def story(follower: Follower) -> Steps:
        yield lambda: store.report().state == "running" and store.report().dead_letters == 1
        simulator.push_fault(NAME, Fault("status", status=401, times=None))
        yield lambda: store.report().state == "stopped"
        said = store.report()
        assert "401" in said.error
        assert (said.error, said.hint, said.owner) == (follower.status.error, follower.status.hint, "test")
        assert said.reported_at >= said.since > 0
        assert said.dead_letters == 1
        simulator.clear_faults()
        yield lambda: store.report().state == "running"

    simulator.push_fault(NAME, Fault("unknown_item"))
    following.tell(story)
    assert store.report().error == ""


def test_a_refusing_broker_stops_the_stream(store: MemoryStore, following: Told) -> None:
    """Waiting would not help: an operator has to act."""
    store.faults.append(fail_before_commit(BrokerFatal("not authorized", hint="check the ACLs")))
    status = following.catch_up().status
    assert (status.state, status.error, status.hint) == ("stopped", "not authorized", "check the ACLs")


def test_a_malformed_item_stops_the_stream_if_that_is_configured(
    simulator: Simulator, store: MemoryStore, following: Told
) -> None:
    """The policy `stop`: its page is not committed, and after the fix it is read again."""
    following.policy = Policy(malformed="stop")
    simulator.push_fault(NAME, Fault("unknown_item"))
    follower = following.catch_up()
    assert (follower.outcome, follower.status.state) == ("stopped", "stopped")
    assert store.records == []
    following.become_current()
    assert_right(simulator, NAME, store.records)


class Broken(httpx.BaseTransport):
    """A network with a bug."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Fail as no network does."""
        raise ZeroDivisionError


def test_a_bug_stops_one_stream_and_is_called_a_bug(following: Told) -> None:
    """An error outside the taxonomy ends the stream's thread, not the process; its text is for the log alone."""
    following.transport = Broken()
    follower = following.catch_up()
    assert (follower.outcome, follower.status.state) == ("stopped", "stopped")
    assert "ZeroDivisionError" in follower.status.error
    assert "bug" in follower.status.hint
