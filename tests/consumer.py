"""An independent consumer: reads a topic's committed records from start to end, without any of the connector's code."""

import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

TIMEOUT = 20.0


class Consumed(NamedTuple):
    """One record as a read_committed consumer sees it."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]


def consume(client: Mapping[str, str], topic: str, isolation: str = "read_committed") -> list[Consumed]:
    """Return all records that a reader with this isolation sees, in order within a partition; none without a topic."""
    consumer = Consumer(
        {
            **client,
            "group.id": "independent",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "isolation.level": isolation,
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 20,
        }
    )
    try:
        found = consumer.list_topics(timeout=TIMEOUT).topics.get(topic)
        partitions = sorted(found.partitions) if found else []
        consumer.assign([TopicPartition(topic, each, 0) for each in partitions])
        return _until_end(consumer, set(partitions))
    finally:
        consumer.close()


def _until_end(consumer: Consumer, unread: set[int]) -> list[Consumed]:
    records = []
    deadline = time.monotonic() + TIMEOUT
    while unread:
        assert time.monotonic() < deadline, f"the ends of partitions {unread} were not reached"
        for message in consumer.consume(500, 0.05):
            error = message.error()
            if error is None:
                records.append(_record(message))
            elif error.code() == KafkaError._PARTITION_EOF:
                unread.discard(message.partition() or 0)
            else:
                raise AssertionError(error.str())
    return records


def _record(message: Message) -> Consumed:
    headers: Any = message.headers()
    return Consumed(
        topic=message.topic() or "",
        partition=message.partition() or 0,
        key=_bytes(message.key()),
        value=_bytes(message.value()),
        headers=[(name, bytes(content)) for name, content in headers or []],
    )


def _bytes(content: Any) -> bytes | None:
    return None if content is None else bytes(content)
