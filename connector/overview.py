"""Where every configured stream stands, as Kafka knows it: its last checkpoint, and who owns it. Changes nothing."""

from collections.abc import Iterator
from typing import Any

import msgspec

from connector import peers, wiring
from connector.config import Config
from connector.errors import ConnectorError
from connector.kafka.cluster import Cluster, Member
from connector.model import Checkpoint
from connector.screen import moment

HEADERS = ("connection", "phase", "events", "epoch", "last commit", "owner", "asked")


class Stream(msgspec.Struct, frozen=True):
    """One stream: `checkpoint` None means that nothing was ever committed, `owner` None that no process follows it."""

    connection: str
    vendor: str
    checkpoint: Checkpoint | None
    owner: Member | None

    def row(self) -> tuple[object, ...]:
        """Return what `HEADERS` names."""
        owner = f"{self.owner.client_id} at {self.owner.host}" if self.owner else "nobody"
        at = self.checkpoint
        if at is None:
            return (self.connection, "never run", "", "", "", owner, "")
        phase = "paused" if at.asks("paused") else at.phase
        return (self.connection, phase, at.sequence, at.epoch, moment(at.committed_at), owner, at.request)

    def facts(self) -> dict[str, Any]:
        """Return everything, ready for JSON."""
        facts: dict[str, Any] = msgspec.to_builtins(self)
        return facts


def streams(config: Config) -> Iterator[Stream]:
    """Yield every configured stream; raises `BrokerUnavailable` or `BrokerFatal`."""
    cluster = Cluster(config.kafka.properties())
    topics = cluster.topics()
    members = cluster.members(f"{config.kafka.prefix}.connectors")
    owners = {topic: member for member, topics in members for topic in topics}
    for connection in config.connections.values():
        topic = wiring.layout(config.kafka, connection).state_topic
        checkpoint = cluster.last_checkpoint(topic) if topic in topics else None
        yield Stream(connection.name, connection.vendor, checkpoint, owners.get(topic))


def warnings(config: Config) -> Iterator[tuple[str, str]]:
    """Yield a message and a hint for each running process that follows something else than this configuration says."""
    members = Cluster(config.kafka.properties()).members(f"{config.kafka.prefix}.connectors")
    for member in peers.differing([member for member, _ in members], wiring.signature(config)):
        yield f"{member.client_id} at {member.host} follows another configuration than this one", peers.HINT


def checkpoint(config: Config, connection: str) -> Checkpoint:
    """Return a stream's last checkpoint; raises `ConnectorError` if there is none yet."""
    only = {connection: config.connections[connection]}
    (stream,) = streams(config.model_copy(update={"connections": only}))
    if stream.checkpoint is None:
        raise ConnectorError(
            f"{connection}: has no checkpoint yet", hint="it gets one with its first `contentwire run`"
        )
    return stream.checkpoint
