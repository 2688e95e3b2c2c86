"""The broker and the registry that tests and the demo use do what our guarantees depend on."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from connector.devservers.broker import Broker, Kafka
from connector.devservers.child import free_ports

_REPOSITORY = Path(__file__).parents[2]


def _create(client: Mapping[str, str], topic: str, config: dict[str, str] | None = None) -> str:
    admin = AdminClient(dict(client))
    admin.create_topics([NewTopic(topic, 1, config=config or {})])[topic].result(30)
    return topic


def _producer(client: Mapping[str, str], transactional_id: str) -> Producer:
    producer = Producer({**client, "transactional.id": transactional_id})
    producer.init_transactions(30)
    return producer


def _commit(producer: Producer, topic: str, value: bytes) -> None:
    producer.begin_transaction()
    producer.produce(topic, value)
    producer.commit_transaction(60)


def _values(client: Mapping[str, str], topic: str, isolation: str = "read_committed") -> list[bytes | None]:
    """Read a topic's partition to its current end."""
    settings = {"group.id": "unused", "isolation.level": isolation, "enable.partition.eof": True}
    consumer = Consumer({**client, **settings, "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, 0, 0)])
    values = []
    while (message := consumer.poll(30)) is not None:
        if error := message.error():
            assert error.code() == KafkaError._PARTITION_EOF
            break
        values.append(message.value())
    consumer.close()
    return values


def test_zombie_is_fenced(kafka: Broker, prefix: str) -> None:
    """A producer whose transactional id has been taken over cannot commit, and its records stay invisible."""
    topic = _create(kafka.client, prefix)
    zombie = _producer(kafka.client, prefix)
    zombie.begin_transaction()
    zombie.produce(topic, b"zombie")
    zombie.flush(30)
    successor = _producer(kafka.client, prefix)

    with pytest.raises(KafkaException) as raised:
        zombie.commit_transaction(30)
    _commit(successor, topic, b"successor")

    assert raised.value.args[0].code() == KafkaError._FENCED
    assert _values(kafka.client, topic) == [b"successor"]


def test_aborted_records_are_invisible_only_to_read_committed(kafka: Broker, prefix: str) -> None:
    """Aborted records are in the log: `read_uncommitted` sees them, `read_committed` does not."""
    topic = _create(kafka.client, prefix)
    producer = _producer(kafka.client, prefix)
    producer.begin_transaction()
    producer.produce(topic, b"aborted")
    producer.flush(30)
    producer.abort_transaction(30)
    _commit(producer, topic, b"committed")

    assert _values(kafka.client, topic) == [b"committed"]
    assert _values(kafka.client, topic, "read_uncommitted") == [b"aborted", b"committed"]


def test_message_contracts_largest_event_fits(kafka: Broker, prefix: str) -> None:
    """A topic may allow 8 MiB per message, and a message of that size arrives."""
    largest = 8 * 2**20
    topic = _create(kafka.client, prefix, {"max.message.bytes": str(largest + 2**10)})
    producer = _producer({**kafka.client, "message.max.bytes": str(2 * largest)}, prefix)

    _commit(producer, topic, bytes(largest))

    assert _values(kafka.client, topic) == [bytes(largest)]


def test_topic_is_never_created_by_accident(kafka: Broker, prefix: str) -> None:
    """Producing to a topic that nobody created fails."""
    producer = _producer({**kafka.client, "message.timeout.ms": "1000", "transaction.timeout.ms": "1000"}, prefix)
    with pytest.raises(KafkaException):
        _commit(producer, prefix, b"lost")


def _refusals(client: Mapping[str, str]) -> set[int]:
    errors: list[KafkaError] = []
    stranger = AdminClient(dict(client), error_cb=errors.append)
    with pytest.raises(KafkaException):
        stranger.list_topics(timeout=2)
    stranger.poll(0)
    return {error.code() for error in errors}


@pytest.mark.kafka
def test_secure_broker_accepts_only_the_password() -> None:
    """Over TLS, the client with the SCRAM password commits; one with another password cannot connect.

    Neither can a client that does not trust the certificate.
    """
    with Kafka(secure=True) as kafka:
        topic = _create(kafka.client, "secured")
        _commit(_producer(kafka.client, "secured"), topic, b"hello")

        assert _values(kafka.client, topic) == [b"hello"]
        assert KafkaError._AUTHENTICATION in _refusals({**kafka.client, "sasl.password": "wrong"})
        assert KafkaError._SSL in _refusals({**kafka.client, "ssl.ca.location": ""})


@pytest.mark.kafka
def test_three_brokers_survive_the_loss_of_one() -> None:
    """With one of three brokers killed, commits continue and nothing committed is lost; it comes back with its data."""
    with Kafka(brokers=3) as kafka:
        topic = _create(kafka.client, "replicated")
        producer = _producer(kafka.client, "replicated")
        _commit(producer, topic, b"before")
        kafka.kill(1)
        _commit(producer, topic, b"meanwhile")
        kafka.start(1)
        _commit(producer, topic, b"after")

        assert _values(kafka.client, topic) == [b"before", b"meanwhile", b"after"]


@pytest.mark.kafka
def test_broker_keeps_data_and_address_through_stop_and_pause() -> None:
    """A stopped and started broker has the same address and data; a paused one answers nobody until resumed."""
    with Kafka() as kafka:
        topic = _create(kafka.client, "kept")
        _commit(_producer(kafka.client, "kept"), topic, b"kept")
        kafka.stop()
        kafka.start()
        assert _values(kafka.client, topic) == [b"kept"]

        admin = AdminClient(dict(kafka.client))
        kafka.pause()
        with pytest.raises(KafkaException):
            admin.list_topics(timeout=1)
        kafka.resume()
        assert topic in admin.list_topics(timeout=30).topics


@pytest.mark.kafka
def test_broker_that_cannot_start_shows_its_log() -> None:
    """The error of a broker that refuses its settings holds what it logged, not just that it failed."""
    with pytest.raises(Exception, match=r"log\.dirs|process\.roles"):
        Kafka(properties={"process.roles": "nonsense"})


def _processes_of(folder: str) -> list[str]:
    listing = subprocess.run(["ps", "-ww", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return [line for line in listing.splitlines() if folder in line]


@pytest.mark.kafka
def test_no_process_outlives_a_killed_parent() -> None:
    """After kill -9 of the process that started Kafka, none of Kafka's processes or files remain."""
    program = (
        "from connector.devservers.broker import Kafka; k = Kafka(); print(k.log().parents[1], flush=True); input()"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert parent.stdin
    assert parent.stdout
    folder = parent.stdout.readline().strip()
    assert folder, "the parent could not start Kafka"
    assert any("java" in line for line in _processes_of(folder))

    parent.send_signal(signal.SIGKILL)
    parent.communicate()

    end = time.monotonic() + 30
    while remaining := _processes_of(folder):
        assert time.monotonic() < end, remaining
    assert not Path(folder).exists()


def _ask(url: str, body: Mapping[str, str] | None = None) -> object:
    data = json.dumps(body).encode() if body else None
    with urlopen(Request(url, data, {"Content-Type": "application/json"}), timeout=10) as response:
        return json.load(response)


def test_registry_registers_and_answers(registry: str, prefix: str) -> None:
    """A registered schema has one id, however often it is registered, under which it is read back."""
    schema = json.dumps({"type": "record", "name": "Sample", "fields": [{"name": "id", "type": "string"}]})

    first = _ask(f"{registry}/subjects/{prefix}-value/versions", {"schema": schema})
    again = _ask(f"{registry}/subjects/{prefix}-value/versions", {"schema": schema})

    assert isinstance(first, dict)
    assert first == again
    answer = _ask(f"{registry}/schemas/ids/{first['id']}")
    assert isinstance(answer, dict)
    assert json.loads(answer["schema"]) == json.loads(schema)
    assert _ask(f"{registry}/subjects/{prefix}-value/versions") == [1]


@pytest.mark.parametrize(("ci", "code", "outcome"), [("true", 1, "1 error"), ("", 0, "1 skipped")])
def test_missing_broker_skips_locally_and_fails_in_ci(tmp_path: Path, ci: str, code: int, outcome: str) -> None:
    """Without a broker, a test that needs one is skipped with the reason, or fails if CI is set."""
    mirror = f"http://127.0.0.1:{free_ports(1)[0]}"
    env = {**os.environ, "CI": ci, "XDG_CACHE_HOME": str(tmp_path), "MAVEN_REPOSITORY": mirror}
    env.pop("KAFKA_BOOTSTRAP", None)

    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"{__file__}::test_zombie_is_fenced"],
        cwd=_REPOSITORY,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == code, run.stdout
    assert outcome in run.stdout
    assert "cannot fetch" in run.stdout
    assert "KAFKA_BOOTSTRAP" in run.stdout
