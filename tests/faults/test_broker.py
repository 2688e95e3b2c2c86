"""Whatever happens to brokers and topics, what was committed stays, and the rest is published once."""

import signal
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from connector.devservers.broker import Broker, Kafka
from tests.faults.conftest import Deploy
from tests.faults.deployment import VENDORS, Deployment, everyday
from tests.faults.proxy import Api, Moment, Proxy

# Not when a commit is answered: a broker with the only replica of a partition sometimes forgets to end a
# transaction there that it had decided before it died. With three brokers that moment is tested below.
MOMENTS = [
    Moment(api, answered, delta)
    for api, answered in (
        (Api.END_TXN, False),
        (Api.PRODUCE, False),
        (Api.PRODUCE, True),
        (Api.INIT_PRODUCER_ID, False),
        (Api.INIT_PRODUCER_ID, True),
    )
    for delta in (False, True)
]
REPRESENTATIVE = {Moment(Api.END_TXN, answered=False, delta=True)}


@pytest.mark.parametrize(
    "moment",
    [pytest.param(each, id=str(each), marks=() if each in REPRESENTATIVE else pytest.mark.faults) for each in MOMENTS],
)
def test_broker_killed_and_restarted_loses_and_repeats_nothing(
    proxied: Deploy, proxy: Proxy, own_kafka: Kafka, moment: Moment
) -> None:
    """The only broker dies by kill -9 and comes back: the owner continues by itself."""
    with proxied(vendors=VENDORS[:1]) as deployment:
        if moment.delta:
            deployment.follow()
            deployment.change(everyday)
        trap = (proxy.hold_answer if moment.answered else proxy.hold)(moment.api)
        owner = deployment.spawn()
        assert trap.sprung.wait(30), owner.tail(40)
        own_kafka.kill()
        trap.release()
        own_kafka.start()
        owner.finish()
        deployment.prove()


@pytest.mark.faults
def test_broker_frozen_for_a_while_loses_and_repeats_nothing(
    own_kafka: Kafka, own_broker: Broker, prefix: str, tmp_path: Path
) -> None:
    """The broker answers nothing for longer than a transaction may take, then everything requested meanwhile."""
    with Deployment(own_broker, prefix, tmp_path, kafka={"transaction_timeout": 5}) as deployment:
        owner = deployment.spawn(once=False)
        deployment.arrive()
        deployment.change(everyday)
        own_kafka.pause()
        time.sleep(8)  # the fault itself, not a synchronisation
        own_kafka.resume()
        deployment.arrive()
        owner.stop()
        deployment.prove()


@pytest.mark.faults
@pytest.mark.timeout(600)
def test_three_brokers_killed_in_turn_lose_and_repeat_nothing(three_kafka: Kafka, prefix: str, tmp_path: Path) -> None:
    """Whichever node dies, with whatever it leads and coordinates, streams continue without it, and with it again."""
    with Deployment(Broker(three_kafka.bootstrap, three_kafka.client), prefix, tmp_path) as deployment:
        owner = deployment.spawn(once=False)
        deployment.arrive()
        for node in (1, 2, 3):
            deployment.change(everyday)
            three_kafka.kill(node)
            deployment.arrive(120)
            three_kafka.start(node)
            deployment.change(everyday)
            deployment.arrive(120)
        owner.stop()
        deployment.prove()


@pytest.mark.faults
@pytest.mark.timeout(600)
@pytest.mark.parametrize("answered", [False, True], ids=["asked", "answered"])
def test_coordinator_that_moves_during_a_commit_commits_once(
    three_kafka: Kafka, prefix: str, tmp_path: Path, *, answered: bool
) -> None:
    """The node that coordinates a transaction dies when the commit is requested; another takes its place."""
    with Proxy(three_kafka.bootstrap) as proxy:
        through = Broker(proxy.bootstrap, {"bootstrap.servers": proxy.bootstrap})
        reader = Broker(three_kafka.bootstrap, three_kafka.client)
        with Deployment(through, prefix, tmp_path, reader=reader, vendors=VENDORS[:1]) as deployment:
            deployment.follow()
            deployment.change(everyday)
            trap = (proxy.hold_answer if answered else proxy.hold)(Api.END_TXN)
            owner = deployment.spawn()
            assert trap.sprung.wait(30), owner.tail(40)
            ports = [int(each.rpartition(":")[2]) for each in three_kafka.bootstrap.split(",")]
            node = ports.index(trap.port) + 1
            three_kafka.kill(node)
            trap.release()
            owner.finish()
            deployment.prove()
            three_kafka.start(node)


@pytest.mark.faults
def test_expired_transactional_id_is_recovered(prefix: str, tmp_path: Path) -> None:
    """A stream that was idle until the broker forgot its transactional id continues."""
    expiry = {
        "transactional.id.expiration.ms": "2000",
        "producer.id.expiration.ms": "2000",
        "producer.id.expiration.check.interval.ms": "500",
        "transaction.remove.expired.transaction.cleanup.interval.ms": "500",
    }
    with (
        Kafka(properties=expiry) as kafka,
        Deployment(Broker(kafka.bootstrap, kafka.client), prefix, tmp_path) as deployment,
    ):
        owner = deployment.spawn(once=False)
        deployment.arrive()
        time.sleep(6)  # the fault itself: idle for longer than the expiry
        deployment.change(everyday)
        deployment.arrive()
        owner.stop()
        deployment.prove()
        assert {logged["connection"] for logged in owner.events("something does not answer: trying again")} == set(
            VENDORS
        )


def delete(client: Mapping[str, str], topic: str) -> None:
    """Delete a topic, and wait until it is gone."""
    admin = AdminClient({**client})
    admin.delete_topics([topic])[topic].result(30)
    while topic in admin.list_topics(timeout=30).topics:
        pass


def test_deleted_changes_topic_stops_the_stream_with_its_name(kafka: Broker, prefix: str, tmp_path: Path) -> None:
    """What the topic held is gone: the stream says so and stops, rather than continue in an empty one."""
    with Deployment(kafka, prefix, tmp_path, vendors=VENDORS[:1]) as deployment:
        deployment.follow()
        (topic,) = map(deployment.topic, deployment.vendors)
        delete(deployment.client, topic)
        deployment.change(everyday)
        assert deployment.try_to_follow() == "stopped"


@pytest.mark.faults
def test_topic_deleted_under_a_running_owner_stops_the_stream_with_its_name(
    kafka: Broker, prefix: str, tmp_path: Path
) -> None:
    """The same while the owner runs: its next commit fails, and recovery finds the topic gone."""
    with Deployment(kafka, prefix, tmp_path, vendors=VENDORS[:1]) as deployment:
        owner = deployment.spawn(once=False)
        deployment.arrive()
        (topic,) = map(deployment.topic, deployment.vendors)
        delete(deployment.client, topic)
        deployment.change(everyday)
        assert owner.said("stream stopped", 60), owner.tail(40)
        (stopped,) = owner.events("stream stopped")
        assert (stopped["error"], topic in stopped["message"]) == ("TopicMismatch", True)
        owner.signal(signal.SIGTERM)
