"""The process: joins the group, follows the streams it is assigned, lets go of those it loses, and stops in time.

It watches its threads: if a stream's thread ends, it is started again; if one of the process's own ends, so does it.
"""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Literal

import msgspec

from connector import logs
from connector.clock import Clock, now_ms
from connector.cms.webhook import Handled, Refused, WakeUp, WebhookCall
from connector.errors import BrokerFatal, ConnectorError, InternalFailure, LocalTrouble
from connector.kafka import webhook_relay
from connector.kafka.client import Settings
from connector.kafka.connectivity import Link
from connector.kafka.membership import Membership
from connector.kafka.topic_names import TopicSpec, group
from connector.kafka.topics import Topics
from connector.kafka.webhook_relay import Handover
from connector.service.metrics import Metrics
from connector.service.webhook_memory import Calls
from connector.stream.follower import Follower
from connector.stream.spec import StreamSpec
from connector.stream.status import HALTED, StreamState, StreamStatus

_OWNED_ELSEWHERE: Final = (
    "another process owns the stream",
    "contentwire status says which: stop it, or let it do the work",
)
RunOutcome = Literal["current", "stopped", "unreachable", "interrupted"]

_TURN: Final = 0.2
_REVIVE_EVERY: Final = 1.0  # looking at the threads of a thousand streams costs
_HANDOVER: Final = 4.5  # a rebalance waits at most five seconds for us, and never for HTTP
_EXIT_WITHIN: Final = 8.0  # SIGTERM must end the process within ten
_LONGEST_PAUSE: Final = 300.0  # before a stream whose thread has ended is started again


class Supervisor:
    """Follows the streams of `specs` that this process owns. `run` blocks; the other methods answer from any thread."""

    def __init__(  # noqa: PLR0913  what is beyond the streams are keywords with defaults
        self,
        specs: Iterable[StreamSpec],
        client: Settings,
        prefix: str,
        metrics: Metrics,
        *,
        clock: Clock,
        once: bool = False,
        mask: Callable[[str], str] = str,
    ) -> None:
        self._mask = mask
        self._clock = clock
        self._specs: Mapping[str, StreamSpec] = {spec.connection: spec for spec in specs}
        self._by_topic = {spec.state_topic: spec for spec in self._specs.values()}
        self._client = client
        self._group = group(prefix)
        self._metrics = metrics
        self._once = once
        self._log = logs.get("supervisor")
        self._lock = threading.Lock()
        self._followers: dict[str, Follower] = {}
        self._revivals: dict[str, _Revival] = {}
        self._link: Link | None = None
        self._calls = Calls(clock)
        self._handover: Handover | None = None
        self._stop = threading.Event()
        self._turned_at = self._waited_since = self._clock.monotonic()
        self._gave_up = False
        self._fatal: ConnectorError | None = None
        self.give_up_after = 60.0
        self.concluded: Sequence[StreamStatus] = ()
        self._waiting: StreamState = "connecting"
        self._waiting_since_ms = now_ms(self._clock)
        metrics.born(self._specs)

    def run(self, state_topics: Iterable[TopicSpec], wake_ups: TopicSpec | None = None) -> RunOutcome:
        """Follow until `stop`, or with `once` until every stream is current or cannot become so.

        `state_topics` are created first: they MUST exist before the group is joined. `wake_ups` is the topic by which
        webhook calls are handed on; if it cannot be used, none are. Raises `BrokerUnavailable` or `BrokerFatal` if the
        group cannot be joined.
        """
        handed = self._ensure_topics(state_topics, wake_ups)
        self._waiting, self._waiting_since_ms = "standby", now_ms(self._clock)
        membership = Membership(
            self._client, self._group, self._by_topic, self, clock=self._clock, failed=self._membership_failed
        )
        self._link = Link(
            self._client,
            min(self._by_topic),
            clock=self._clock,
            changed=self._link_changed,
            wake_ups=handed,
            heard=self._heard,
        )
        self._link.start()
        membership.start()
        try:
            self._wait(membership, self._link)
            outcome = self._outcome()
            self.concluded = self.status()
        finally:
            self._release(self._owned(), _EXIT_WITHIN)
            membership.stop(2.0)
            self._link.stop(0.0)
        if self._fatal:
            raise self._fatal
        return outcome

    def stop(self) -> None:
        """Ask `run` to return; safe in a signal handler."""
        self._stop.set()

    def assigned(self, topics: frozenset[str]) -> None:
        """Begin to follow; each stream's fence stops a former owner that has not noticed yet."""
        for topic in sorted(topics & self._by_topic.keys()):
            spec = self._by_topic[topic]
            self._log.info("stream assigned", connection=spec.connection)
            self._follow(spec)

    def revoked(self, topics: frozenset[str], *, lost: bool) -> None:
        """Stop following. Lost streams are not waited for: their next owners have fenced us."""
        with self._lock:
            names = [self._by_topic[topic].connection for topic in topics if topic in self._by_topic]
            leaving = [self._followers.pop(name) for name in names if name in self._followers]
            for name in names:
                self._revivals.pop(name, None)
        if lost:
            self._log.warning("streams lost: the group continued without this process", connections=sorted(names))
        else:
            self._log.info("streams handed over", connections=sorted(names))
        self._release(leaving, 0.0 if lost else _HANDOVER)
        for name in names:
            self._metrics.forget(name)

    def status(self) -> Sequence[StreamStatus]:
        """Return every configured stream as this process sees it."""
        with self._lock:
            followers = dict(self._followers)
        return [
            self._as_linked(self._as_followed(followers[name]) if name in followers else self._standby(spec))
            for name, spec in self._specs.items()
        ]

    def lags(self) -> Mapping[str, float]:
        """Return how many seconds ago each stream of this process was last current, by connection."""
        now = self._clock.wall()
        return {follower.spec.connection: now - follower.current_at for follower in self._owned()}

    def dead(self) -> Sequence[str]:
        """Return the connections whose thread has ended and waits to be started again."""
        with self._lock:
            return sorted(name for name, follower in self._followers.items() if follower.ended)

    def try_again(self) -> None:
        """Let every stopped stream try again now, with everything read again."""
        for follower in self._owned():
            follower.try_again()

    def seconds_since_turn(self) -> float:
        """Return how long ago the supervisor's loop last turned."""
        return self._clock.monotonic() - self._turned_at

    def wake(self, connection: str, calls: Sequence[WebhookCall]) -> Handled:
        """Wake the poller of `connection`, in whichever process it is.

        `calls` are one call in each form in which it may have been signed; one authentic form is enough.
        """
        spec = self._specs.get(connection)
        if spec is None:
            return Handled("unknown")
        found = [spec.vendor.wake_up(call, self._clock.wall()) for call in calls]
        authentic = next((each for each in found if isinstance(each, WakeUp)), None)
        if authentic:
            handled = self._pass_on(connection, authentic)
        else:
            handled = self._refuse(connection, found[0], [call.path for call in calls])
        self._metrics.webhook(connection, handled.outcome)
        return handled

    def _pass_on(self, connection: str, call: WakeUp) -> Handled:
        if call.once and not self._calls.first(call.once):
            return Handled("repeated")
        with self._lock:
            follower = self._followers.get(connection)
        if follower:
            follower.wake(call.id)
            return Handled("accepted")
        if self._handover is None:
            return Handled("accepted")
        taken = self._handover.send(webhook_relay.Call(connection, call.id))
        if not taken:
            self._calls.forget(call.once)
            self._log.warning("a webhook call could not be handed on to the stream's owner", connection=connection)
        return Handled("handed_on" if taken else "undelivered")

    def _refuse(self, connection: str, refused: WakeUp | Refused, paths: Sequence[str]) -> Handled:
        assert isinstance(refused, Refused)
        if self._calls.is_news(connection, refused.reason):
            facts = {"seconds_off": round(refused.seconds_off)} if refused.reason == "expired" else {}
            self._log.warning(
                "a webhook call was refused",
                connection=connection,
                reason=refused.reason,
                paths=[path[:200] for path in paths],
                hint=_REFUSALS[refused.reason],
                **facts,
            )
        return Handled(refused.reason)

    def _heard(self, value: bytes) -> None:
        """Handle a call that another process has handed on, if this process follows the stream."""
        call = webhook_relay.read(value)
        with self._lock:
            follower = self._followers.get(call.connection) if call else None
        if call and follower:
            follower.wake(call.id)

    def _ensure_topics(self, state_topics: Iterable[TopicSpec], wake_ups: TopicSpec | None) -> str | None:
        """Create what is missing; return the name of the topic by which webhook calls are handed on, if they are."""
        # Not kept: an admin client costs threads and connections.
        topics = Topics(self._client, self._clock)
        topics.ensure_all(state_topics)
        if wake_ups is None or self._once:
            return None
        try:
            topics.ensure(wake_ups)
        except ConnectorError as error:
            self._log.warning("webhook calls are not handed on", message=str(error), hint=error.hint)
            return None
        self._handover = Handover(self._client, wake_ups.name)
        return wake_ups.name

    def _standby(self, spec: StreamSpec) -> StreamStatus:
        error, hint = _OWNED_ELSEWHERE if self._gave_up else ("", "")
        name, vendor = spec.connection, spec.vendor.name
        return StreamStatus(
            connection=name,
            vendor=vendor,
            state=self._waiting,
            since_ms=self._waiting_since_ms,
            error=error,
            hint=hint,
        )

    def _as_followed(self, follower: Follower) -> StreamStatus:
        """Return a stream's status; one whose thread has ended is stopped, whatever it last reported."""
        status = follower.status
        if not follower.ended or status.state in HALTED:
            return status
        hint = "it is started again after a pause; this is a bug in contentwire, see the log"
        return msgspec.structs.replace(status, state="stopped", error="the stream's thread has ended", hint=hint)

    def _as_linked(self, status: StreamStatus) -> StreamStatus:
        """Return a status as adjusted while Kafka does not answer: nobody knows then who owns what."""
        link = self._link
        error, broken_at = (link.error, link.broken_at) if link else (None, None)
        if error is None or broken_at is None or status.state in (*HALTED, "disconnected"):
            return status
        since_ms = round(broken_at * 1000)
        message = self._mask(str(error))
        return msgspec.structs.replace(status, state="disconnected", since_ms=since_ms, error=message, hint=error.hint)

    def _follow(self, spec: StreamSpec, instead_of: Follower | None = None) -> None:
        """Start to follow a stream; with `instead_of`, only if that ended follower is still its current one."""
        follower = Follower(spec, self._metrics, once=self._once, give_up_after=self.give_up_after)
        with self._lock:
            if instead_of and self._followers.get(spec.connection) is not instead_of:
                return
            self._followers[spec.connection] = follower
            try:
                # Under the lock: seen before its thread is alive, it would pass for one that has ended.
                follower.start()
            except LocalTrouble as error:
                self._log.error(
                    "a stream cannot be started", connection=spec.connection, message=str(error), hint=error.hint
                )

    def _wait(self, membership: Membership, link: Link) -> None:
        revived_at = self._clock.monotonic()
        while not (self._clock.wait(_TURN, self._stop) or self._fatal or self._all_done()):
            self._turned_at = self._clock.monotonic()
            for name, thread in (("membership", membership), ("kafka-link", link)):
                if not thread.alive:
                    self._fatal = InternalFailure(
                        f"the thread {name} of this process has ended", hint="see the log; start the process again"
                    )
            if self._turned_at - revived_at >= _REVIVE_EVERY:
                revived_at = self._turned_at
                self._revive()

    def _revive(self) -> None:
        """Restart streams whose thread has ended, each after a pause that grows as long as it keeps ending."""
        now = self._clock.monotonic()
        for follower in [each for each in self._owned() if each.ended]:
            name = follower.spec.connection
            revival = self._revivals.setdefault(name, _Revival())
            if revival.due is None:
                pause = revival.ended(now)
                self._log.error("a stream's thread has ended; it is started again", connection=name, in_seconds=pause)
            elif now >= revival.due:
                revival.due = None
                self._metrics.restarted(name)
                self._follow(follower.spec, instead_of=follower)

    def _owned(self) -> list[Follower]:
        with self._lock:
            return list(self._followers.values())

    def _all_done(self) -> bool:
        if not self._once:
            return False
        with self._lock:
            working = [follower for follower in self._followers.values() if not follower.outcome]
            missing = len(self._specs) - len(self._followers)
        if working or not missing:
            self._waited_since = self._clock.monotonic()
        # Streams that others own may still be assigned to us, but we do not wait for them indefinitely.
        self._gave_up = missing > 0 and self._clock.monotonic() - self._waited_since > self.give_up_after
        return not working and (not missing or self._gave_up)

    def _outcome(self) -> RunOutcome:
        outcomes = {follower.outcome for follower in self._owned()}
        if not self._once or not self._all_done():
            return "interrupted"
        if "stopped" in outcomes:
            return "stopped"
        return "unreachable" if self._gave_up or "unreachable" in outcomes else "current"

    def _link_changed(self, error: ConnectorError | None, seconds: float) -> None:
        if error:
            self._log.warning("Kafka does not answer", message=str(error), hint=error.hint)
        else:
            self._log.info("Kafka answers again", after_seconds=round(seconds, 1))

    def _membership_failed(self, error: ConnectorError) -> None:
        if isinstance(error, BrokerFatal):
            self._fatal = error
        else:
            self._log.warning("ownership is uncertain", message=str(error), hint=error.hint)

    def _release(self, followers: Iterable[Follower], timeout: float) -> None:
        deadline = self._clock.monotonic() + timeout
        followers = list(followers)
        for follower in followers:
            follower.stop()
        for follower in followers:
            if not follower.join(max(deadline - self._clock.monotonic(), 0.0)):
                self._log.info(
                    "a stream was left in the middle of its work: its next owner fences it, and nothing is lost",
                    connection=follower.spec.connection,
                )


_REFUSALS: Final = {
    "unconfigured": "set webhook_secret for this connection, or remove the webhook",
    "unsigned": "let the CMS sign its calls, or send the secret in the header X-Contentwire-Secret",
    "expired": "compare this machine's clock with the CMS's: a signature is good for 30 seconds",
    "wrong": "compare webhook_secret; if a gateway strips a prefix from the path, set public_path in [server]",
}


class _Revival:
    """When a stream whose thread has ended is to be restarted."""

    def __init__(self) -> None:
        self.due: float | None = None
        self._pause = 0.0
        self._ended_at = -_LONGEST_PAUSE

    def ended(self, now: float) -> float:
        """Note an end; return the pause before the next start, which grows while ends are close together."""
        lasted = now - self._ended_at - self._pause
        self._pause = 1.0 if lasted >= _LONGEST_PAUSE else min(2 * self._pause, _LONGEST_PAUSE)
        self._ended_at, self.due = now, now + self._pause
        return self._pause
