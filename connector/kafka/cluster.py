"""Inspects a cluster and changes nothing: its topics, who owns what, where a stream stands."""

from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any, Final

import msgspec
from confluent_kafka import ConsumerGroupState, IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._listoffsets import OffsetSpec

from connector.clock import Clock
from connector.errors import BrokerUnavailable, ForeignRecord, StateTooNew
from connector.events.index import Index, is_index_key
from connector.events.owner_report import REPORT_KEY, OwnerReport, decode_report
from connector.events.state_record import CHECKPOINT_KEY, decode_checkpoint
from connector.kafka import state_topic
from connector.kafka.client import Settings, cause, create, explained, unavailable
from connector.kafka.foreign_records import StateJudge
from connector.model.checkpoint import Checkpoint
from connector.tables.catalog import is_model

_SHORT_TAIL: Final = 100
_REBALANCING: Final = {ConsumerGroupState.PREPARING_REBALANCING, ConsumerGroupState.COMPLETING_REBALANCING}
_STARTING: Final = {
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.NOT_COORDINATOR,
}
_RETRY_PAUSE: Final = 0.2  # seconds
_LONG_TAIL: Final = 10_000  # records from the end; a checkpoint is the last record of each transaction


class Member(msgspec.Struct, frozen=True):
    """A process in the group: its client id, and where the broker sees it."""

    client_id: str
    host: str


class Cluster:
    """Every method raises `BrokerUnavailable` after `timeout` seconds at most, or `BrokerFatal` if it is refused."""

    def __init__(self, client: Settings, *, clock: Clock, timeout: float = 5.0) -> None:
        self._client = client
        self._clock = clock
        self._timeout = timeout
        self._seen: list[KafkaError] = []
        with_errors: Any = {**client, "error_cb": self._seen.append}
        self._admin = create(AdminClient, with_errors)

    def topics(self) -> dict[str, int]:
        """Return the partition count of every topic by its name: also the way to check that Kafka answers."""
        return {name: len(topic.partitions) for name, topic in self._metadata().topics.items()}

    def brokers(self) -> int:
        """Return how many brokers there are."""
        return len(self._metadata().brokers)

    def _metadata(self) -> Any:
        self._seen.clear()
        try:
            return self._admin.list_topics(timeout=self._timeout)
        except KafkaException as error:
            self._admin.poll(0)
            raise explained("connecting", error, self._seen) from error

    def members(self, group: str) -> list[tuple[Member, frozenset[str]]]:
        """Return the members of a group, each with the topics that are assigned to it."""
        found = self._described(group)
        return _members(found) if found else []

    def owned(self, group: str, topic: str) -> bool:
        """Return whether a topic is assigned to a member of a group, or may be: during a rebalance nobody can tell."""
        found = self._described(group)
        return found is not None and (found.state in _REBALANCING or any(topic in each for _, each in _members(found)))

    def last_checkpoint(self, topic: str, connection: str) -> Checkpoint | None:
        """Return the last committed checkpoint of a state topic that exists; None if there is none yet.

        Raises `ForeignRecord`, as a run would, if contentwire did not write all of the records that were read.
        """
        end = self.end(topic)
        for reach in (_LONG_TAIL, end):
            start = max(end - reach, 0)
            found, judge = self._read(topic, connection, range(start, end))
            judge.check()
            if found.get(CHECKPOINT_KEY) or not start:
                break
        return _checkpoint(found)

    def readable_checkpoint(self, topic: str, connection: str) -> Checkpoint | None:
        """Return the last committed checkpoint of a state topic, whatever else is in it.

        None if there is no such topic, or no checkpoint that this release can read.
        """
        if topic not in self.topics():
            return None
        try:
            return self.last_checkpoint(topic, connection)
        except ForeignRecord:
            return self.read_state(topic, connection)[0]
        except StateTooNew:
            return None

    def read_state(self, topic: str, connection: str) -> tuple[Checkpoint | None, StateJudge]:
        """Return the last committed checkpoint of a state topic that exists, and the judge of all its records.

        Raises `StateTooNew`.
        """
        found, judge = self._read(topic, connection, range(self.end(topic)))
        return _checkpoint(found), judge

    def last_report(self, topic: str, connection: str) -> OwnerReport | None:
        """Return what a stream's owner last said of it; None if the latest records hold no report."""
        end = self.end(topic)
        for reach in (_SHORT_TAIL, _LONG_TAIL):
            start = max(end - reach, 0)
            found, _ = self._read(topic, connection, range(start, end))
            value = found.get(REPORT_KEY)
            if value or not start:
                return decode_report(value) if value else None
        return None

    def index(self, topic: str, connection: str) -> Index:
        """Return everything that a stream's state topic, which exists, holds about its keys. Raises `StateTooNew`."""
        judge, index = StateJudge(topic, connection), Index()

        def apply(key: bytes | None, value: bytes | None, offset: int) -> None:
            if key is not None and judge.accepts(key, value, offset) and is_index_key(key):
                index.apply(key, value)

        state_topic.read(self._client, topic, range(self.end(topic)), apply, self._timeout, clock=self._clock)
        return index

    def report_behind(self, topic: str, connection: str, start: int, committed_at: int) -> OwnerReport | None:
        """Return what an owner has said since the checkpoint of `committed_at` was written, at `start` or later.

        Only the order of the log counts, not the time: the owner's clock may differ from ours.
        """
        judge = StateJudge(topic, connection)
        passed, value = False, b""

        def apply(key: bytes | None, written: bytes | None, offset: int) -> None:
            nonlocal passed, value
            if not (written and judge.accepts(key, written, offset)):
                return
            if key == CHECKPOINT_KEY:
                passed = passed or decode_checkpoint(written).committed_at == committed_at
            elif key == REPORT_KEY and passed:
                value = written

        state_topic.read(self._client, topic, range(start, self.end(topic)), apply, self._timeout, clock=self._clock)
        return decode_report(value) if value else None

    def _described(self, group: str) -> Any:
        try:
            return described(self._admin, group, self._timeout, self._clock)
        except KafkaException as error:
            if cause(error).code() == KafkaError.GROUP_ID_NOT_FOUND:
                return None
            raise unavailable(f"asking for the group {group}", error) from error

    def _read(self, topic: str, connection: str, span: range) -> tuple[dict[bytes, bytes | None], StateJudge]:
        """Return the last checkpoint and report within a span, encoded, and the judge of its records."""
        judge = StateJudge(topic, connection)
        found: dict[bytes, bytes | None] = {}

        def apply(key: bytes | None, value: bytes | None, offset: int) -> None:
            if judge.accepts(key, value, offset) and key in (CHECKPOINT_KEY, REPORT_KEY):
                found[key] = value

        state_topic.read(self._client, topic, span, apply, self._timeout, clock=self._clock)
        return found, judge

    def end(self, topic: str) -> int:
        """Return the offset after the last committed record of a state topic that exists."""
        partition = TopicPartition(topic, 0)
        offsets = {partition: OffsetSpec.latest()}  # type: ignore[no-untyped-call]  # the client is untyped here
        futures = self._admin.list_offsets(
            offsets, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=self._timeout
        )
        return int(self._result(futures[partition], f"asking for the end of {topic}").offset)

    def _result(self, future: Future[Any], doing: str) -> Any:
        try:
            return future.result(2 * self._timeout)
        except KafkaException as error:
            raise unavailable(doing, error) from error
        except TimeoutError as error:
            raise BrokerUnavailable(f"Kafka did not answer within {2 * self._timeout:.0f} s while {doing}") from error


class RecordedModel:
    """The content model's records in the state topic of a stream. Each `read` goes on from where the last one ended."""

    def __init__(self, client: Settings, topic: str, connection: str, *, clock: Clock, timeout: float = 5.0) -> None:
        self._cluster = Cluster(client, clock=clock, timeout=timeout)
        self._client = client
        self._clock = clock
        self._timeout = timeout
        self._topic = topic
        self._judge = StateJudge(topic, connection)
        self._records: dict[bytes, bytes] = {}
        self._position = 0

    def read(self) -> Mapping[bytes, bytes]:
        """Return the records as they are committed now; none if there is no such topic.

        Raises `StateTooNew`, and what a `Cluster` raises.
        """
        if self._topic not in self._cluster.topics():
            return {}
        end = self._cluster.end(self._topic)
        if end < self._position:  # it was recreated
            self._records, self._position = {}, 0
        span = range(self._position, end)
        self._position = state_topic.read(
            self._client, self._topic, span, self._apply, self._timeout, clock=self._clock
        )
        return self._records

    def _apply(self, key: bytes | None, value: bytes | None, offset: int) -> None:
        if key is None or not is_model(key) or not self._judge.accepts(key, value, offset):
            return
        if value is None:
            self._records.pop(key, None)
        else:
            self._records[key] = value


def described(admin: AdminClient, group: str, timeout: float, clock: Clock, *, authorized: bool = False) -> Any:
    """Return the description of a consumer group; with `authorized`, also what this account may do to it.

    Brokers that have just started create the groups' topic at the first request, and refuse until it exists: they are
    asked again for `timeout` seconds. Raises `KafkaException`, or `BrokerUnavailable` for no answer.
    """
    ends_at = clock.monotonic() + timeout
    while True:
        future = admin.describe_consumer_groups(
            [group], include_authorized_operations=authorized, request_timeout=timeout
        )[group]
        try:
            return future.result(2 * timeout)
        except KafkaException as error:
            if cause(error).code() not in _STARTING or clock.monotonic() > ends_at:
                raise
            clock.wait(_RETRY_PAUSE)
        except TimeoutError as error:
            message = f"Kafka did not answer within {2 * timeout:.0f} s while asking for the group {group}"
            raise BrokerUnavailable(message) from error


def _members(found: Any) -> list[tuple[Member, frozenset[str]]]:
    return [
        (
            Member(member.client_id, member.host.lstrip("/")),
            frozenset(partition.topic for partition in member.assignment.topic_partitions),
        )
        for member in found.members
    ]


def _checkpoint(found: dict[bytes, bytes | None]) -> Checkpoint | None:
    value = found.get(CHECKPOINT_KEY)
    return decode_checkpoint(value) if value else None
