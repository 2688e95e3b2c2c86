"""What is read from Kafka for an operator: only committed records, later topics too, checkpoints wherever they are."""

import re
from collections.abc import Iterator

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from connector.clock import SYSTEM
from connector.devservers.broker import Broker
from connector.events.state_record import CHECKPOINT_KEY, encode_checkpoint
from connector.kafka.cluster import Cluster
from connector.kafka.reader import records
from tests.values import checkpoint


@pytest.fixture
def admin(kafka: Broker) -> AdminClient:
    """Return an admin client of the session's broker."""
    return AdminClient(dict(kafka.client))


@pytest.fixture
def producer(kafka: Broker, prefix: str) -> Iterator[Producer]:
    """Return a transactional producer, ready to begin."""
    producer = Producer({**kafka.client, "transactional.id": prefix, "linger.ms": 0})
    producer.init_transactions(30)
    yield producer
    producer.purge()


def _create(admin: AdminClient, name: str) -> str:
    admin.create_topics([NewTopic(name, 1, 1)])[name].result(10)
    return name


def test_aborted_records_are_never_shown(kafka: Broker, admin: AdminClient, producer: Producer, prefix: str) -> None:
    """Neither aborted records nor those of an open transaction appear; a tombstone does."""
    topic = _create(admin, f"{prefix}.t")
    for value, end in ((b"1", producer.commit_transaction), (b"2", producer.abort_transaction)):
        producer.begin_transaction()
        producer.produce(topic, value, b"k")
        producer.flush(10)
        end(10)
    producer.begin_transaction()
    producer.produce(topic, None, b"k")
    producer.commit_transaction(10)
    producer.begin_transaction()
    producer.produce(topic, b"3", b"k")
    producer.flush(10)
    found = records(kafka.client, re.compile(re.escape(topic)), clock=SYSTEM, from_beginning=True, until_end=True)
    assert [record.value for record in found] == [b"1", None]


def test_a_topic_that_appears_later_is_followed(kafka: Broker, admin: AdminClient, prefix: str) -> None:
    """A new locale's or type's topic is read from its start, without a restart."""
    producer = Producer(dict(kafka.client))
    first = _create(admin, f"{prefix}.a")
    producer.produce(first, b"1", b"k")
    producer.flush(10)
    following = records(
        kafka.client, re.compile(f"{prefix}\\.[ab]"), clock=SYSTEM, from_beginning=True, until_end=False
    )
    assert next(following).value == b"1"
    second = _create(admin, f"{prefix}.b")
    producer.produce(second, b"2", b"k")
    producer.flush(10)
    assert (next(following).topic, second) == (second, second)
    following.close()


def test_the_last_checkpoint_is_found_before_any_number_of_records(
    kafka: Broker, admin: AdminClient, producer: Producer, prefix: str
) -> None:
    """Neither a long aborted transaction after it nor an open one hides it; a topic without one gives None."""
    topic = _create(admin, f"{prefix}.state")
    cluster = Cluster(kafka.client, clock=SYSTEM)
    assert cluster.last_checkpoint(topic, "blog") is None
    wanted = checkpoint(cursor="c", sequence=9)
    producer.begin_transaction()
    producer.produce(topic, encode_checkpoint(wanted), CHECKPOINT_KEY)
    producer.commit_transaction(10)
    producer.begin_transaction()
    for _ in range(10_050):
        producer.produce(topic, b"", b"index")
    producer.flush(10)
    assert cluster.last_checkpoint(topic, "blog") == wanted
    producer.abort_transaction(10)
    assert cluster.last_checkpoint(topic, "blog") == wanted
