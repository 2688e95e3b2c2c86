"""Reads the state topic back: the checkpoint and the index, up to exactly the last record ever written.

`KafkaStore.recover` in `kafka/store.py` fences first, and decides what each record is.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from connector.clock import Clock
from connector.errors import BrokerUnavailable
from connector.kafka.client import Settings, create, unavailable

Apply = Callable[[bytes | None, bytes | None, int], None]
"""Takes a record: its key, its value, its offset."""

GROUP: Final = "contentwire-state"
"""The client names this group without joining it: nothing is ever committed there."""

_CHUNK: Final = 10_000
_CHUNK_WAIT: Final = 0.05  # seconds to wait for a full chunk
_PARTITION: Final = 0
# Brokers that lose every replica of a partition at once can leave one: decided, but not marked in the partition.
_HANGING: Final = (
    "if this persists, a hanging transaction blocks the topic: kafka-transactions.sh find-hanging names it"
)


def read(  # noqa: PLR0913  what is read, what takes it, and how long it may last
    client: Settings, topic: str, span: range, apply: Apply, timeout: float, *, clock: Clock
) -> int:
    """Apply every committed record from the start to at least the stop of `span`; return the offset to continue from.

    Raises `BrokerUnavailable` if nothing arrives for `timeout` seconds before the end.
    """
    if not span:
        return span.start  # no consumer: it costs threads and connections
    settings: Any = {
        **client,
        "group.id": GROUP,  # required by the client
        "enable.auto.commit": False,
        "auto.offset.reset": "error" if span.start else "earliest",
        "isolation.level": "read_committed",
        "enable.partition.eof": True,
        "fetch.wait.max.ms": 50,
    }
    consumer: Consumer = create(Consumer, settings)
    try:
        # A number, not OFFSET_BEGINNING: resolving that costs the client half a second.
        consumer.assign([TopicPartition(topic, _PARTITION, span.start)])
        position = span.start
        heard_at = clock.monotonic()
        while position < span.stop:
            messages = consumer.consume(_CHUNK, _CHUNK_WAIT)
            if messages:
                heard_at = clock.monotonic()
            elif clock.monotonic() - heard_at > timeout:
                raise BrokerUnavailable(
                    f"{topic} returned nothing for {timeout:.0f} s at offset {position} of {span.stop}", hint=_HANGING
                )
            position = _apply(messages, position, apply)
    except KafkaException as error:
        raise unavailable(f"reading {topic}", error) from error
    finally:
        consumer.close()
    return position


def _apply(messages: Iterable[Message], position: int, apply: Apply) -> int:
    for message in messages:
        error = message.error()
        offset = message.offset() or 0
        if error is None:
            apply(message.key(), message.value(), offset)
            position = offset + 1
        elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  the client's name
            # Transaction markers may follow the last record: the end of the partition is beyond them.
            position = max(position, offset)
        elif not error.retriable():
            raise KafkaException(error)
    return position
