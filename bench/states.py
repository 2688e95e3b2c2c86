"""What many streams have committed, read from their state topics as a consumer sees it."""

import time
from collections.abc import Callable, Sequence

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

from connector.events.state_record import CHECKPOINT_KEY, decode_checkpoint
from connector.model.checkpoint import Checkpoint

_MANY = 1000


class States:
    """The last checkpoint of each stream. The topics need not exist yet."""

    def __init__(self, bootstrap: str, topics: Sequence[str]) -> None:
        self.last: dict[str, Checkpoint] = {}
        self._missing = set(topics)
        self._count = len(topics)
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": "unused",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "log_level": 2,
            }
        )

    def until(self, wanted: Callable[[Checkpoint], bool], seconds: float) -> float:
        """Wait until the last checkpoint of every stream is as wanted; return how long that took.

        Raises `RuntimeError` after so many seconds.
        """
        begin = time.perf_counter()
        while sum(map(wanted, self.last.values())) < self._count:
            if time.perf_counter() - begin > seconds:
                raise RuntimeError(f"{sum(map(wanted, self.last.values()))} of {self._count} streams came so far")
            self._find()
            self.read(0.05)
        return time.perf_counter() - begin

    def read(self, seconds: float) -> None:
        """Take note of what comes within so many seconds."""
        for message in self._consumer.consume(_MANY, seconds):
            error = message.error()
            if error is not None:
                assert error.code() in (KafkaError._PARTITION_EOF, KafkaError.UNKNOWN_TOPIC_OR_PART), error  # noqa: SLF001
            elif message.key() == CHECKPOINT_KEY and (value := message.value()):
                self.last[message.topic() or ""] = decode_checkpoint(value)

    def close(self) -> None:
        """Close the consumer."""
        self._consumer.close()

    def _find(self) -> None:
        if not self._missing:
            return
        there = self._missing & self._consumer.list_topics(timeout=30).topics.keys()
        if there:
            self._consumer.incremental_assign([TopicPartition(name, 0, OFFSET_BEGINNING) for name in sorted(there)])
            self._missing -= there
