"""A read_committed consumer of the changes topics, like any other: it follows them, or reads them to their end."""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from connector.demo.ledger import Identity, Received
from connector.errors import BrokerUnavailable, ConnectorError
from connector.events import codec
from connector.kafka.client import unavailable
from connector.kafka.registry import Registry
from connector.model.change import EntityKey

_TURN = 0.1
_LOOK = 0.01
_SILENCE = 20.0


class Decoder:
    """Decodes records with the schemas that the registry has under their ids."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._schemas: dict[str, str] = {}

    def received(self, message: Message) -> Received:
        """Return a decoded message; raises `ConnectorError` if it cannot be decoded."""
        key, value, partition = message.key(), message.value(), message.partition()
        assert key is not None
        assert partition is not None
        try:
            return Received(
                partition=partition,
                key=EntityKey(**self._decode(key)),
                event=None if value is None else self._decode(value),
                at=time.time(),
            )
        except (ValueError, TypeError) as error:
            raise ConnectorError(f"a record of {message.topic()} is not what it should be: {error}") from error

    def _decode(self, framed: bytes) -> dict[str, Any]:
        written_by, body = codec.unframe(framed)
        if written_by.id not in self._schemas:
            self._schemas[written_by.id] = self._registry.schema(int(written_by.id))
        return codec.decode_by(self._schemas[written_by.id], body)


class Follower:
    """Follows the changes topic of each connection in a thread, from its start, and remembers what it has seen.

    `topics` maps connections to topics, which need not exist yet.
    """

    def __init__(self, client: Mapping[str, str], topics: Mapping[str, str], decoder: Decoder) -> None:
        self._connections = {topic: connection for connection, topic in topics.items()}
        self._missing = set(self._connections)
        self._decoder = decoder
        self._consumer = _consumer(client)
        self._lock = threading.Lock()
        self._arrivals: dict[str, dict[Identity, Received]] = {connection: {} for connection in topics}
        self._error: Exception | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="demo-consumer")

    def start(self) -> None:
        """Start to follow."""
        self._thread.start()

    def stop(self) -> None:
        """Stop; returns once the thread has ended."""
        self._stopping.set()
        self._thread.join()
        self._consumer.close()

    def arrivals(self, connection: str) -> dict[Identity, Received]:
        """Return what has arrived so far: for each identity the event that arrived first."""
        with self._lock:
            return dict(self._arrivals[connection])

    def wait(self, happened: Callable[[], bool], timeout: float) -> bool:
        """Wait until `happened`; False after `timeout` seconds. Raises what went wrong while reading."""
        end = time.monotonic() + timeout
        while not happened():
            if self._error:
                raise self._error
            if time.monotonic() >= end:
                return False
            time.sleep(_LOOK)
        return True

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._assign()
                message = self._consumer.poll(_TURN)
                if message and _is_record(message):
                    self._note(self._connections[message.topic() or ""], self._decoder.received(message))
        except Exception as error:  # noqa: BLE001  raised again in `wait`
            self._error = error

    def _assign(self) -> None:
        """Start to follow topics that have appeared since."""
        if self._missing:
            existing = self._consumer.list_topics(timeout=_SILENCE).topics
            for topic in self._missing & existing.keys():
                numbers = existing[topic].partitions
                self._consumer.incremental_assign([TopicPartition(topic, number, 0) for number in numbers])
                self._missing.remove(topic)

    def _note(self, connection: str, received: Received) -> None:
        if identity := received.identity:
            with self._lock:
                self._arrivals[connection].setdefault(identity, received)


def read_all(client: Mapping[str, str], topic: str, decoder: Decoder) -> list[Received]:
    """Return all committed records of a topic, each partition in its order; raises `BrokerUnavailable` on silence."""
    consumer = _consumer(client)
    try:
        partitions = consumer.list_topics(topic, timeout=_SILENCE).topics[topic].partitions
        consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
        records: dict[int, list[Received]] = {number: [] for number in partitions}
        ended: set[int] = set()
        while len(ended) < len(partitions):
            message = consumer.poll(_SILENCE)
            if message is None:
                raise BrokerUnavailable(f"topic {topic} could not be read to its end within {_SILENCE:.0f} s")
            if _is_record(message):
                received = decoder.received(message)
                records[received.partition].append(received)
            else:
                ended.add(message.partition() or 0)
        return [record for number in sorted(records) for record in records[number]]
    finally:
        consumer.close()


def _consumer(client: Mapping[str, str]) -> Consumer:
    return Consumer(
        {
            **client,
            "group.id": "contentwire-demo",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            # Freshness is measured here: no record may wait for others.
            "fetch.wait.max.ms": 50,
        }
    )


def _is_record(message: Message) -> bool:
    """Return whether a message is a record, not the end of a partition; raises for any other error."""
    error = message.error()
    if error is None:
        return True
    if error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001  the client's own error codes begin with an underscore
        raise unavailable("reading the changes topics", error)
    return False
