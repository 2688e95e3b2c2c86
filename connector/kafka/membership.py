"""Ownership of streams: whoever is assigned a stream's state partition in the consumer group owns the stream.

Nothing is consumed and nothing is committed: assigned partitions stay paused. Safety never rests on this (a fence
protects every stream); it only decides who works on what.
"""

import threading
from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from connector.clock import Clock
from connector.errors import ConnectorError, starting_threads
from connector.kafka.client import Settings, create, unavailable

_POLL_TIMEOUT: Final = 1.0


class Owner(Protocol):
    """Who hears of ownership; called from the membership's thread."""

    def assigned(self, topics: frozenset[str]) -> None:
        """Begin to follow the streams of these state topics; MUST return at once."""
        ...

    def revoked(self, topics: frozenset[str], *, lost: bool) -> None:
        """Stop following them; MUST return within 5 seconds. `lost`: another process may own them already."""
        ...


class Membership:
    """This process's place in the group. A thread does nothing but poll for it: work never delays that."""

    def __init__(  # noqa: PLR0913  what the group is, and who is told
        self,
        client: Settings,
        group: str,
        topics: Iterable[str],
        owner: Owner,
        *,
        clock: Clock,
        failed: Callable[[ConnectorError], None],
    ) -> None:
        self._owner = owner
        self._clock = clock
        self._failed = failed
        self._stopping = threading.Event()
        self._topics = sorted(topics)
        self._consumer: Consumer = create(Consumer, _settings(client, group))
        self._thread = threading.Thread(target=self._run, name="membership", daemon=True)

    def start(self) -> None:
        """Join the group; the topics MUST exist. Raises `LocalTrouble` if no thread can be had."""
        self._consumer.subscribe(
            self._topics, on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
        )
        with starting_threads():
            self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether its thread still polls: otherwise this process loses its streams to others."""
        return self._thread.is_alive()

    def stop(self, timeout: float) -> None:
        """Leave the group, so that others take over at once; give up after `timeout` seconds."""
        self._stopping.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                message = self._consumer.poll(_POLL_TIMEOUT)
            except KafkaException as error:
                self._failed(unavailable("polling for ownership", error))
                self._clock.wait(_POLL_TIMEOUT, self._stopping)
                continue
            error_seen = message.error() if message else None
            if error_seen is not None and error_seen.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001  the client's name
                self._failed(unavailable("polling for ownership", error_seen))
                self._clock.wait(_POLL_TIMEOUT, self._stopping)
        self._consumer.close()

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        consumer.incremental_assign(partitions)
        consumer.pause(partitions)
        self._owner.assigned(_topics(partitions))

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._owner.revoked(_topics(partitions), lost=False)
        consumer.incremental_unassign(partitions)

    def _on_lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._owner.revoked(_topics(partitions), lost=True)
        consumer.incremental_unassign(partitions)


def _topics(partitions: Iterable[TopicPartition]) -> frozenset[str]:
    return frozenset(partition.topic for partition in partitions)


def _settings(client: Settings, group: str) -> dict[str, Any]:
    return {
        "session.timeout.ms": 10_000,
        "heartbeat.interval.ms": 2_000,
        **client,
        "group.id": group,
        "partition.assignment.strategy": "cooperative-sticky",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "latest",
        # Partitions are paused before anything is fetched; this keeps even a slip cheap.
        "queued.max.messages.kbytes": 64,
    }
