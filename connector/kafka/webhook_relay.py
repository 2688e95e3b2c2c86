"""Hands a webhook call on to the process that owns the stream: as a record in a topic that every process listens to."""

import threading
from typing import Final

import msgspec
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from connector.errors import LocalTrouble
from connector.kafka.client import Settings, create
from connector.kafka.topic_names import TopicSpec

_TIMEOUT: Final = 5.0
_MAX_CALL_BYTES: Final = 4096
_MAX_CONCURRENT: Final = 2


class Call(msgspec.Struct, frozen=True):
    """A wake-up call for a stream, and the id of the entity that it announces."""

    connection: str
    id: str | None = None


def spec(prefix: str, replication_factor: int) -> TopicSpec:
    """Return how the topic of wake-up calls must be: it keeps calls for a minute, as whoever is late polls anyway."""
    config = {"cleanup.policy": "delete", "retention.ms": "60000", "segment.ms": "60000"}
    return TopicSpec(f"{prefix}.wake-ups", 1, replication_factor, config, exact=True)


def read(value: bytes) -> Call | None:
    """Return the call in a record, None for anything else that somebody has written there."""
    try:
        return msgspec.json.decode(value, type=Call) if len(value) <= _MAX_CALL_BYTES else None
    except (ValueError, RecursionError):
        # Invalid UTF-8, and members nested too deep, do not raise a DecodeError.
        return None


class Handover:
    """Writes calls into the topic. Safe from any thread; only a few at once: a flood must not hold up anybody else."""

    def __init__(self, client: Settings, topic: str) -> None:
        self._client = client
        self._topic = topic
        self._room = threading.BoundedSemaphore(_MAX_CONCURRENT)
        self._lock = threading.Lock()
        self._producer: Producer | None = None

    def send(self, call: Call) -> bool:
        """Write one call; return whether Kafka has taken it within a few seconds."""
        if not self._room.acquire(blocking=False):
            return False
        try:
            return self._send(msgspec.json.encode(call))
        except (KafkaException, BufferError, LocalTrouble):
            return False
        finally:
            self._room.release()

    def _send(self, value: bytes) -> bool:
        with self._lock:
            settings = {**self._client, "message.timeout.ms": str(round(_TIMEOUT * 1000)), "linger.ms": "0"}
            self._producer = self._producer or create(Producer, settings)
        taken: list[bool] = []

        def delivered(error: KafkaError | None, _message: Message) -> None:
            taken.append(error is None)

        self._producer.produce(self._topic, value, on_delivery=delivered)
        self._producer.flush(_TIMEOUT)
        return taken == [True]
