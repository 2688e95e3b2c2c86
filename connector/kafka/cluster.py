"""Looks at a cluster and changes nothing: its topics, who owns what, where a stream stands."""

from concurrent.futures import Future
from typing import Any, Final

import msgspec
from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._listoffsets import OffsetSpec

from connector.checkpoint import CHECKPOINT_KEY, decode_checkpoint
from connector.errors import BrokerUnavailable
from connector.kafka import state
from connector.kafka.client import Settings, create, explained, unavailable
from connector.model import Checkpoint
from connector.report import REPORT_KEY, OwnerReport, decode_report

_REACHES: Final = (100, 10_000)  # records from the end; a checkpoint is the last record of each transaction


class Member(msgspec.Struct, frozen=True):
    """A process in the group: what it calls itself, and where the broker sees it."""

    client_id: str
    host: str


class Cluster:
    """Every method raises `BrokerUnavailable` after `timeout` seconds at most, or `BrokerFatal` if it is refused."""

    def __init__(self, client: Settings, *, timeout: float = 5.0) -> None:
        self._client = client
        self._timeout = timeout
        self._seen: list[KafkaError] = []
        with_errors: Any = {**client, "error_cb": self._seen.append}
        self._admin = create(AdminClient, with_errors)

    def topics(self) -> dict[str, int]:
        """Return the partition count of every topic by its name: also the way to see whether Kafka answers."""
        self._seen.clear()
        try:
            topics = self._admin.list_topics(timeout=self._timeout).topics
        except KafkaException as error:
            self._admin.poll(0)
            raise explained("connecting", error, self._seen) from error
        return {name: len(topic.partitions) for name, topic in topics.items()}

    def members(self, group: str) -> list[tuple[Member, frozenset[str]]]:
        """Return the members of a group, each with the topics that are assigned to it."""
        future = self._admin.describe_consumer_groups([group], request_timeout=self._timeout)[group]
        found = self._result(future, f"asking for the group {group}")
        return [
            (
                Member(member.client_id, member.host.lstrip("/")),
                frozenset(partition.topic for partition in member.assignment.topic_partitions),
            )
            for member in (found.members if found else ())
        ]

    def last_checkpoint(self, topic: str) -> Checkpoint | None:
        """Return the last committed checkpoint of a state topic that exists; None if there is none yet."""
        end = self._stable_end(topic)
        for reach in (*_REACHES, end):
            found: list[bytes | None] = []

            def apply(key: bytes, value: bytes | None, found: list[bytes | None] = found) -> None:
                if key == CHECKPOINT_KEY:
                    found.append(value)

            start = max(end - reach, 0)
            state.read(self._client, topic, range(start, end), apply, self._timeout)
            if found or not start:
                break
        return decode_checkpoint(found[-1]) if found and found[-1] else None

    def last_report(self, topic: str) -> OwnerReport | None:
        """Return what a stream's owner last said of it; None if none has within what was written lately."""
        end = self._stable_end(topic)
        found: list[bytes] = []

        def apply(key: bytes, value: bytes | None) -> None:
            if key == REPORT_KEY and value:
                found.append(value)

        for reach in _REACHES:
            start = max(end - reach, 0)
            state.read(self._client, topic, range(start, end), apply, self._timeout)
            if found or not start:
                break
        return decode_report(found[-1]) if found else None

    def _stable_end(self, topic: str) -> int:
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
            if error.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND:
                return None
            raise unavailable(doing, error) from error
        except TimeoutError as error:
            raise BrokerUnavailable(f"Kafka did not answer within {2 * self._timeout:.0f} s while {doing}") from error
