"""What operators and accidents do to topics, and what a stream says about it."""

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewPartitions, NewTopic

from connector.devservers.broker import Broker
from tests.cms import eventually
from tests.following import Following


def create(admin: AdminClient, topic: str, partitions: int, **config: str) -> None:
    """Create a topic as an operator might have."""
    spec = NewTopic(topic, partitions, 1, config={name.replace("_", "."): value for name, value in config.items()})
    admin.create_topics([spec])[topic].result(10)


def remove(admin: AdminClient, topic: str) -> None:
    """Delete a topic, and wait until it is gone."""
    admin.delete_topics([topic])[topic].result(10)
    eventually(lambda: topic not in admin.list_topics(timeout=10).topics)


def recreate(admin: AdminClient, topic: str) -> None:
    """Delete a topic and create it just as it was."""
    remove(admin, topic)
    create(admin, topic, 3, cleanup_policy="compact", max_message_bytes=str(8 * 2**20))


def widen(admin: AdminClient, topic: str, partitions: int = 4) -> None:
    """Give a topic more partitions."""
    admin.create_partitions([NewPartitions(topic, partitions)])[topic].result(10)


def produce(kafka: Broker, topic: str, key: bytes, value: bytes | None, partition: int = -1) -> None:
    """Write a record as anybody might, but no stream would: -1 is its key's partition."""
    producer = Producer({**kafka.client, "partitioner": "murmur2_random"})
    producer.produce(topic, value, key, partition)
    assert producer.flush(10) == 0


def refusal(following: Following) -> str:
    """Return why the stream stops, and what to do."""
    follower = following.catch_up()
    assert (follower.outcome, follower.status.state) == ("stopped", "stopped")
    return f"{follower.status.error} | {follower.status.hint}"
