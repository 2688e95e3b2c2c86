"""The process: joins the group, follows the streams it is assigned, lets go of those it loses, and stops in time."""

import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal

from connector import logs
from connector.errors import BrokerFatal, ConnectorError
from connector.follower import Follower
from connector.kafka.client import Settings
from connector.kafka.layout import TopicSpec
from connector.kafka.membership import Membership
from connector.kafka.topics import Topics
from connector.metrics import Metrics
from connector.plan import Plan
from connector.status import StreamState, StreamStatus

_ANOTHERS: Final = "another process owns the stream", "contentwire status says which: stop it, or let it do the work"
Outcome = Literal["current", "stopped", "unreachable", "interrupted"]

_TURN: Final = 0.2
_HANDOVER: Final = 4.5  # a rebalance waits at most five seconds for us, and never for HTTP
_FAREWELL: Final = 8.0  # SIGTERM must end the process within ten


class Supervisor:
    """Follows the streams of `plans` that this process owns. `run` blocks; the other methods answer from any thread."""

    def __init__(
        self, plans: Iterable[Plan], client: Settings, prefix: str, metrics: Metrics, *, once: bool = False
    ) -> None:
        self._plans: Mapping[str, Plan] = {plan.connection: plan for plan in plans}
        self._by_topic = {plan.state_topic: plan for plan in self._plans.values()}
        self._client = client
        self._group = f"{prefix}.connectors"
        self._metrics = metrics
        self._once = once
        self._log = logs.get("supervisor")
        self._lock = threading.Lock()
        self._followers: dict[str, Follower] = {}
        self._stop = threading.Event()
        self._turned_at = self._waited_since = time.monotonic()
        self._gave_up = False
        self._fatal: ConnectorError | None = None
        self.give_up_after = 60.0
        self.concluded: Sequence[StreamStatus] = ()
        self._note_waiting("connecting", self._plans)

    def run(self, specs: Iterable[TopicSpec]) -> Outcome:
        """Follow until `stop`, or with `once` until every stream is current or cannot become so.

        `specs` are the state topics: they MUST exist before the group is joined. Raises `BrokerUnavailable` or
        `BrokerFatal` if the group cannot be joined.
        """
        topics = Topics(self._client)
        for spec in specs:
            topics.ensure(spec)
        self._note_waiting("standby", self._plans)
        membership = Membership(self._client, self._group, self._by_topic, self, failed=self._membership_failed)
        membership.start()
        try:
            self._wait(membership)
            outcome = self._outcome()
            self.concluded = self.status()
        finally:
            self._release(self._owned(), _FAREWELL)
            membership.stop(2.0)
        if self._fatal:
            raise self._fatal
        return outcome

    def stop(self) -> None:
        """Ask `run` to return; safe in a signal handler."""
        self._stop.set()

    def assigned(self, topics: frozenset[str]) -> None:
        """Begin to follow; the fence of each stream sees to a former owner that has not noticed yet."""
        for topic in sorted(topics & self._by_topic.keys()):
            plan = self._by_topic[topic]
            try:
                follower = Follower(plan, self._metrics, once=self._once, give_up_after=self.give_up_after)
            except Exception as error:  # noqa: BLE001  an exception would end the membership's thread, and nothing else
                self._fatal = error if isinstance(error, ConnectorError) else _unfollowable(plan, error)
                return
            with self._lock:
                self._followers[plan.connection] = follower
            self._log.info("stream assigned", connection=plan.connection)
            follower.start()

    def revoked(self, topics: frozenset[str], *, lost: bool) -> None:
        """Stop following; a stream that was lost is not waited for: its next owner has fenced us."""
        with self._lock:
            names = [self._by_topic[topic].connection for topic in topics if topic in self._by_topic]
            leaving = [self._followers.pop(name) for name in names if name in self._followers]
        self._log.info("streams revoked", connections=sorted(names), lost=lost)
        self._release(leaving, 0.0 if lost else _HANDOVER)
        for name in names:
            self._metrics.forget(name)
        self._note_waiting("standby", names)

    def status(self) -> Sequence[StreamStatus]:
        """Return every configured stream as this process sees it."""
        with self._lock:
            followers = dict(self._followers)
        return [
            followers[name].status if name in followers else self._standby(plan) for name, plan in self._plans.items()
        ]

    def seconds_since_turn(self) -> float:
        """Return how long ago the supervisor's loop last turned."""
        return time.monotonic() - self._turned_at

    def wake(self, connection: str, headers: Mapping[str, str], method: str, path: str, body: bytes) -> bool | None:
        """Wake the poller of `connection`: None if there is none, False if the call is not authentic."""
        plan = self._plans.get(connection)
        if plan is None:
            return None
        call = plan.vendor.wake_up(headers, method, path, body, time.time())
        if call is None:
            return False
        with self._lock:
            follower = self._followers.get(connection)
        if follower:
            follower.wake(call.id)
        return True

    def _standby(self, plan: Plan) -> StreamStatus:
        error, hint = _ANOTHERS if self._gave_up else ("", "")
        name, vendor = plan.connection, plan.vendor.name
        return StreamStatus(connection=name, vendor=vendor, state=self._waiting, error=error, hint=hint)

    def _note_waiting(self, state: StreamState, connections: Iterable[str]) -> None:
        self._waiting: StreamState = state
        for connection in connections:
            self._metrics.state(connection, state)

    def _wait(self, membership: Membership) -> None:
        while not (self._stop.wait(_TURN) or self._fatal or self._all_done()):
            self._turned_at = time.monotonic()
            if not membership.alive:
                self._fatal = BrokerFatal("the thread of this process's membership has ended", hint="see the log")

    def _owned(self) -> list[Follower]:
        with self._lock:
            return list(self._followers.values())

    def _all_done(self) -> bool:
        if not self._once:
            return False
        with self._lock:
            working = [follower for follower in self._followers.values() if not follower.outcome]
            missing = len(self._plans) - len(self._followers)
        if working or not missing:
            self._waited_since = time.monotonic()
        # Streams that others own may yet come to us, but not for ever.
        self._gave_up = missing > 0 and time.monotonic() - self._waited_since > self.give_up_after
        return not working and (not missing or self._gave_up)

    def _outcome(self) -> Outcome:
        outcomes = {follower.outcome for follower in self._owned()}
        if not self._once or not self._all_done():
            return "interrupted"
        if "stopped" in outcomes:
            return "stopped"
        return "unreachable" if self._gave_up or "unreachable" in outcomes else "current"

    def _membership_failed(self, error: ConnectorError) -> None:
        if isinstance(error, BrokerFatal):
            self._fatal = error
        else:
            self._log.warning("ownership is uncertain", message=str(error), hint=error.hint)

    def _release(self, followers: Iterable[Follower], timeout: float) -> None:
        deadline = time.monotonic() + timeout
        followers = list(followers)
        for follower in followers:
            follower.stop()
        for follower in followers:
            if not follower.join(max(deadline - time.monotonic(), 0.0)):
                self._log.warning("a stream did not stop in time; it is fenced", connection=follower.plan.connection)


def _unfollowable(plan: Plan, error: Exception) -> ConnectorError:
    return ConnectorError(f"{plan.connection} cannot be followed: {type(error).__name__}: {error}", hint="see the log")
