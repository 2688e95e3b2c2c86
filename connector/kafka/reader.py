"""Reads topics as any consumer sees them: committed records only. Belongs to no group and commits nothing."""

import re
from collections.abc import Generator, Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec
from confluent_kafka import OFFSET_END, Consumer, KafkaError, KafkaException, Message, TopicPartition

from connector.clock import Clock
from connector.errors import BrokerUnavailable
from connector.kafka.client import Settings, create, unavailable
from connector.kafka.cluster import Cluster

GROUP: Final = "contentwire-reader"
"""The client names this group without joining it: nothing is ever committed there."""

_POLL_TIMEOUT: Final = 0.5
_TOPIC_INTERVAL: Final = 2.0  # seconds between looks for new topics
_MAX_SILENCE: Final = 30.0  # seconds before the end is reached
_TIMEOUT: Final = 10.0
# A number, not the client's name for it, which costs it half a second; if that is gone, "earliest" applies.
_BEGINNING: Final = 0

Place = tuple[str, int]  # a topic's name and a partition of it
_NO_OFFSETS: Final[Mapping[Place, int]] = MappingProxyType({})


class Consumed(msgspec.Struct, frozen=True):
    """One record as it was read; a None value is a tombstone. `timestamp_ms`: milliseconds since 1970."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None


def records(  # noqa: PLR0913  what readers choose
    client: Settings,
    pattern: re.Pattern[str],
    *,
    clock: Clock,
    from_beginning: bool,
    until_end: bool,
    go_on: Mapping[Place, int] = _NO_OFFSETS,
) -> Generator[Consumed, None, None]:
    """Yield the committed records of every topic whose whole name matches `pattern`, in order within a partition.

    Starts at the end unless `from_beginning`, or at the offset that `go_on` has for a partition; a topic that appears
    later is read from its start. With `until_end`, ends at the end of every partition, else never. Raises
    `BrokerUnavailable` or `BrokerFatal`.
    """
    # Its errors say why there is no connection; the consumer's only say that there is none.
    Cluster(client, clock=clock).topics()
    consumer = _consumer(client)
    try:
        known = _assign(consumer, pattern, set(), _BEGINNING if from_beginning else OFFSET_END, go_on)
        yield from _follow(consumer, pattern, known, clock, until_end=until_end)
    except KafkaException as error:
        raise unavailable("reading topics", error) from error
    finally:
        consumer.close()


def ends(client: Settings, pattern: re.Pattern[str]) -> dict[Place, int]:
    """Return the offset after the last record of each partition of every topic whose whole name matches `pattern`.

    Raises `BrokerUnavailable` or `BrokerFatal`.
    """
    consumer = _consumer(client)
    try:
        topics = consumer.list_topics(timeout=_TIMEOUT).topics
        places = [
            (name, each) for name, topic in topics.items() if pattern.fullmatch(name) for each in topic.partitions
        ]
        return {place: consumer.get_watermark_offsets(TopicPartition(*place), _TIMEOUT)[1] for place in places}
    except KafkaException as error:
        raise unavailable("asking where topics end", error) from error
    finally:
        consumer.close()


def holds_records(client: Settings, topic: str, partitions: int, clock: Clock) -> bool:
    """Return whether an existing topic holds a committed record. Raises `BrokerUnavailable` or `BrokerFatal`."""
    consumer = _consumer(client)
    places = {(topic, number) for number in range(partitions)}
    try:
        consumer.assign([TopicPartition(*place, _BEGINNING) for place in places])
        return next(_follow(consumer, re.compile(re.escape(topic)), places, clock, until_end=True), None) is not None
    except KafkaException as error:
        raise unavailable(f"reading topic {topic}", error) from error
    finally:
        consumer.close()


def _consumer(client: Settings) -> Consumer:
    settings: Any = {
        **client,
        "group.id": GROUP,  # required by the client
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
        "isolation.level": "read_committed",
        "enable.partition.eof": True,
    }
    return create(Consumer, settings)


def _follow(
    consumer: Consumer, pattern: re.Pattern[str], known: set[Place], clock: Clock, *, until_end: bool
) -> Generator[Consumed, None, None]:
    unfinished = set(known)
    heard_at = looked_at = clock.monotonic()
    while unfinished or not until_end:
        message = consumer.poll(_POLL_TIMEOUT)
        now = clock.monotonic()
        if message is not None:
            heard_at = now
            error = message.error()
            if error is None:
                yield _consumed(message)
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  the client's name
                unfinished.discard((message.topic(), message.partition()))
            elif not error.retriable():
                raise KafkaException(error)
        elif until_end and now - heard_at > _MAX_SILENCE:
            raise BrokerUnavailable(
                f"Kafka returned nothing for {_MAX_SILENCE:.0f} s, before the end of {len(unfinished)} partitions"
            )
        if not until_end and now - looked_at > _TOPIC_INTERVAL:
            known |= _assign(consumer, pattern, known, _BEGINNING)
            looked_at = now


def _assign(
    consumer: Consumer,
    pattern: re.Pattern[str],
    known: set[Place],
    offset: int,
    go_on: Mapping[Place, int] = _NO_OFFSETS,
) -> set[Place]:
    """Start to read what matches and is not known yet; return it."""
    topics = consumer.list_topics(timeout=_TIMEOUT).topics
    found = {(name, number) for name, topic in topics.items() if pattern.fullmatch(name) for number in topic.partitions}
    new = found - known
    if new:
        consumer.incremental_assign([TopicPartition(*place, go_on.get(place, offset)) for place in sorted(new)])
    return new


def _consumed(message: Message) -> Consumed:
    key, value = message.key(), message.value()
    return Consumed(
        topic=message.topic() or "",
        partition=message.partition() or 0,
        offset=message.offset() or 0,
        timestamp_ms=message.timestamp()[1],
        key=key,
        value=value,
    )
