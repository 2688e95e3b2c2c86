"""Topics: created when missing, checked when present."""

import time
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any, Final

import msgspec
from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.admin._listoffsets import OffsetSpec
from confluent_kafka.admin._resource import ResourceType
from confluent_kafka.cimpl import NewTopic

from connector.errors import BrokerUnavailable, TopicMismatch
from connector.kafka.client import Settings, cause, create, unavailable

_DAY_MS: Final = 86_400_000
_TIMEOUT: Final = 15.0


class TopicSpec(msgspec.Struct, frozen=True):
    """A topic as the message contract wants it. `partitions` holds for a new topic, unless `exact`."""

    name: str
    partitions: int
    replication_factor: int
    config: Mapping[str, str]
    exact: bool = False


def changes(name: str, partitions: int, replicas: int, max_bytes: int, overrides: Mapping[str, str]) -> TopicSpec:
    """Return the spec of a changes topic: compacted, yet slow consumers miss no delete and no change for a day."""
    config = {
        "cleanup.policy": "compact",
        "delete.retention.ms": str(7 * _DAY_MS),
        "min.compaction.lag.ms": str(_DAY_MS),
        "max.message.bytes": str(max_bytes),
    }
    return TopicSpec(name, partitions, replicas, config | dict(overrides))


def state(name: str, replicas: int) -> TopicSpec:
    """Return the spec of a state topic: one partition, small segments so that compaction reaches them."""
    config = {
        "cleanup.policy": "compact",
        "segment.ms": "3600000",
        "segment.bytes": str(64 * 1024 * 1024),
        "min.cleanable.dirty.ratio": "0.1",
    }
    return TopicSpec(name, 1, replicas, config, exact=True)


def dead_letters(name: str, replicas: int, max_bytes: int) -> TopicSpec:
    """Return the spec of a dead-letters topic: 30 days, and room for items that fit nowhere else."""
    config = {"cleanup.policy": "delete", "retention.ms": str(30 * _DAY_MS), "max.message.bytes": str(max_bytes)}
    return TopicSpec(name, 1, replicas, config)


class Topics:
    """Looks after topics on one cluster. Raises `BrokerUnavailable`, `BrokerFatal` or `TopicMismatch`."""

    def __init__(self, client: Settings) -> None:
        self._admin = create(AdminClient, client)

    def end(self, name: str, timeout: float) -> int:
        """Return the offset after the last record of a topic's only partition, open and aborted ones included.

        A read_committed consumer's own watermark is only the last stable offset, which an open transaction of a dead
        owner holds back: reading up to that would miss what is committed behind it.
        """
        partition = TopicPartition(name, 0)
        offsets = {partition: OffsetSpec.latest()}  # type: ignore[no-untyped-call]  # the client is untyped here
        try:
            future = self._admin.list_offsets(
                offsets, isolation_level=IsolationLevel.READ_UNCOMMITTED, request_timeout=timeout
            )[partition]
            return int(future.result(timeout).offset)
        except KafkaException as error:
            raise unavailable(f"asking for the end of {name}", error) from error
        except TimeoutError as error:
            raise BrokerUnavailable(f"Kafka did not say within {timeout:.0f} s where {name} ends") from error

    def partitions(self, name: str) -> int | None:
        """Return a topic's partition count, or None if there is no such topic."""
        try:
            # All topics: asking for one by name may create it on brokers that create topics by themselves.
            topic = self._admin.list_topics(timeout=_TIMEOUT).topics.get(name)
        except KafkaException as error:
            raise unavailable("listing topics", error) from error
        return len(topic.partitions) if topic else None

    def ensure(self, spec: TopicSpec, recorded: int | None = None) -> int:
        """Create the topic or check it; return its partition count, which must be `recorded` if that is given."""
        count = self.partitions(spec.name)
        if count is None and recorded is not None:
            raise TopicMismatch(
                f"topic {spec.name} is gone, with the events that were in it",
                hint="restore it, or create it anew and publish everything again: contentwire snapshot NAME --all",
            )
        if count is None:
            count = self._create(spec)
        else:
            self._check(spec)
        if recorded not in (None, count) or (spec.exact and count != spec.partitions):
            raise TopicMismatch(
                f"topic {spec.name} has {count} partitions, not {recorded or spec.partitions}: keys would move",
                hint="recreate it with that count, or follow the CMS anew under another prefix or connection name",
            )
        return count

    def _create(self, spec: TopicSpec) -> int:
        topic = NewTopic(spec.name, spec.partitions, spec.replication_factor, config=dict(spec.config))
        try:
            _result(self._admin.create_topics([topic], operation_timeout=_TIMEOUT)[spec.name])
        except KafkaException as error:
            if cause(error).code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise unavailable(f"creating topic {spec.name}", error) from error
        deadline = time.monotonic() + _TIMEOUT
        while (count := self.partitions(spec.name)) is None:
            if time.monotonic() > deadline:
                raise BrokerUnavailable(f"topic {spec.name} was created but does not appear")
            time.sleep(0.05)
        return count

    def _check(self, spec: TopicSpec) -> None:
        """Compare what breaks the contract; other settings are the operator's."""
        actual = self._config(spec.name)
        policy, wanted = actual["cleanup.policy"], spec.config["cleanup.policy"]
        if policy != wanted:
            raise TopicMismatch(
                f"topic {spec.name} has cleanup.policy = {policy}, not {wanted}",
                hint=f"set it: kafka-configs --alter --topic {spec.name} --add-config cleanup.policy={wanted}",
            )
        limit = spec.config.get("max.message.bytes", "0")
        if int(actual["max.message.bytes"]) < int(limit):
            raise TopicMismatch(
                f"topic {spec.name} has max.message.bytes = {actual['max.message.bytes']}, below {limit}",
                hint=f"raise it to {limit}, or lower max_message_bytes in [kafka]",
            )

    def _config(self, name: str) -> dict[str, str]:
        resource = ConfigResource(ResourceType.TOPIC, name)
        try:
            entries = _result(self._admin.describe_configs([resource], request_timeout=_TIMEOUT)[resource])
        except KafkaException as error:
            raise unavailable(f"reading the settings of topic {name}", error) from error
        return {entry.name: entry.value for entry in entries.values()}


def _result(future: Future[Any]) -> Any:
    try:
        return future.result(2 * _TIMEOUT)
    except TimeoutError as error:
        raise BrokerUnavailable(f"Kafka did not answer within {2 * _TIMEOUT:.0f} s") from error
