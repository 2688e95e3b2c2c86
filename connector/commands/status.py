"""Where every configured stream stands according to Kafka: its last checkpoint and its owner. Changes nothing.

`cli/status_table.py` shows it to a person.
"""

from collections.abc import Iterator
from typing import Any, Final, Literal

import msgspec

from connector import wiring
from connector.config.settings import Config
from connector.errors import BrokerFatal, ConfigError
from connector.events.owner_report import OwnerReport
from connector.events.state_record import flat
from connector.kafka import peers
from connector.kafka.cluster import Member
from connector.kafka.topic_names import group
from connector.model.checkpoint import Checkpoint
from connector.stream.status import HALTED
from connector.wiring import ConfiguredStream

_LOOK_AGAIN: Final = 0.5
_SILENT: Final = "run `contentwire status` again, and read the log of its owner"


class Stream(msgspec.Struct, frozen=True):
    """One stream: `checkpoint` None means that nothing was ever committed, `owner` None that no process follows it.

    `report` is the latest report of its latest owner, None if there is none yet. `error` and `hint` say why its state
    cannot be read, as a run would, and what to do next; empty if it can.
    """

    connection: str
    vendor: str
    checkpoint: Checkpoint | None
    owner: Member | None
    report: OwnerReport | None = None
    error: str = ""
    hint: str = ""

    @property
    def state(self) -> str:
        """What is known of it: unreadable, paused by an operator, followed by nobody, or what its owner reported."""
        if self.error:
            return "unreadable"
        if self.checkpoint and self.checkpoint.request.paused:
            return "paused"
        if self.owner is None:
            return "not followed"
        return (self.report and self.report.state) or "unknown"

    @property
    def stopped(self) -> bool:
        """Whether it waits for an operator, according to the latest report of its latest owner."""
        said = self.report.state if self.report else ""
        return bool(self.error) or (self.state != "paused" and said in HALTED)

    def facts(self) -> dict[str, Any]:
        """Return everything, ready for JSON."""
        facts: dict[str, Any] = msgspec.to_builtins(self)
        facts["checkpoint"] = flat(self.checkpoint) if self.checkpoint else None
        return {**facts, "state": self.state, "stopped": self.stopped}


def streams(config: Config) -> Iterator[Stream]:
    """Yield every configured stream; raises `BrokerUnavailable` or `BrokerFatal`."""
    configured = wiring.streams(config)
    cluster = configured[0].cluster
    topics = cluster.topics()
    members = cluster.members(group(config.kafka.prefix))
    owners = {topic: member for member, topics in members for topic in topics}
    for stream in configured:
        topic, vendor = stream.layout.state_topic, stream.connection.vendor
        owner = owners.get(topic)
        try:
            checkpoint = cluster.last_checkpoint(topic, stream.name) if topic in topics else None
            report = cluster.last_report(topic, stream.name) if topic in topics else None
        except BrokerFatal as error:
            yield Stream(stream.name, vendor, None, owner, None, str(error), error.hint)
        else:
            yield Stream(stream.name, vendor, checkpoint, owner, report)


def warnings(config: Config) -> Iterator[tuple[str, str]]:
    """Yield a message and a hint for each running process whose configuration differs from this one."""
    configured = wiring.streams(config)
    try:
        signature = wiring.signature(configured)
    except ConfigError:
        return  # a secret that tells stacks apart is not available here: nothing can be compared
    members = configured[0].cluster.members(group(config.kafka.prefix))
    for member in peers.differing([member for member, _ in members], signature):
        yield f"{member.client_id} at {member.host} follows another configuration than this one", peers.HINT


class Answer(msgspec.Struct, frozen=True):
    """The outcome for a stream that was resumed: it works, it has stopped, or there is no report of either yet."""

    kind: Literal["running", "stopped", "unanswered", "unowned"]
    message: str
    hint: str = ""


def state_end(stream: ConfiguredStream) -> int:
    """Return where the state of a stream ends now: the outcome of a command is written there or later."""
    topic = stream.layout.state_topic
    return stream.cluster.end(topic) if topic in stream.cluster.topics() else 0


def outcome(stream: ConfiguredStream, start: int, committed_at: int, timeout: float) -> Answer:
    """Wait until the stream's owner reports that it works or has stopped, for at most `timeout` seconds.

    The command committed a checkpoint at `committed_at`; before that, the state ended at `start`.
    """
    cluster, topic = stream.cluster, stream.layout.state_topic
    if not cluster.owned(group(stream.layout.prefix), topic):
        return Answer("unowned", f"{stream.name}: no process follows it now; the next contentwire run will")
    ends_at = stream.clock.monotonic() + timeout
    said: OwnerReport | None = None
    while stream.clock.monotonic() < ends_at:
        said = cluster.report_behind(topic, stream.name, start, committed_at)
        if said and said.state in ("running", "paused", "finished"):
            return Answer("running", f"{stream.name}: {said.state}, says {said.owner}")
        if said and said.state in HALTED:
            return Answer("stopped", f"{stream.name}: {said.state}: {said.error}", said.hint)
        stream.clock.wait(_LOOK_AGAIN)
    latest = said if said and said.error else OwnerReport(error="its owner has reported nothing yet", hint=_SILENT)
    return Answer("unanswered", f"{stream.name}: not running after {timeout:.0f} s: {latest.error}", latest.hint)
