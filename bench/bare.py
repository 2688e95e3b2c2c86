"""The floor of publishing: the client library alone, one transaction per batch, no processing."""

from typing import Any

from confluent_kafka import Producer

from connector.events.record import Batch


def producer(bootstrap: str, transactional_id: str) -> Producer:
    """Return a producer ready for transactions, with the connector's compression and partitioner."""
    made = Producer(
        {
            "bootstrap.servers": bootstrap,
            "transactional.id": transactional_id,
            "linger.ms": 0,
            "retry.backoff.ms": 5,
            "socket.nagle.disable": True,
            "compression.type": "lz4",
            "partitioner": "murmur2_random",
            "message.max.bytes": 8 * 1024 * 1024,
        }
    )
    made.init_transactions(30)
    return made


def commit(using: Producer, batch: Batch, state_topic: str) -> None:
    """Commit a batch's records, including index and checkpoint; the commit waits for their delivery."""
    using.begin_transaction()
    for record in batch.records:
        _put(using, record.topic, record.value, record.key, record.headers)
    for key, value in batch.state:
        _put(using, state_topic, value, key, [])
    using.commit_transaction(60)


def _put(using: Producer, topic: str, value: bytes | None, key: bytes | None, headers: Any) -> None:
    while True:
        try:
            using.produce(topic, value, key, headers=headers)
        except BufferError:
            using.poll(0.05)
        else:
            return
