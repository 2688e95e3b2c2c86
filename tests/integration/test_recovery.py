"""A stream continues from what is committed, wherever its process died: nothing lost, repeated or half done."""

import signal
from pathlib import Path

import pytest
from confluent_kafka import Producer

from connector.clock import SYSTEM
from connector.devservers.broker import Broker
from connector.errors import BrokerUnavailable
from connector.kafka import state_topic
from connector.kafka.topics import Topics
from tests.faults import proof
from tests.faults.deployment import VENDORS, Deployment, everyday


def each(step: str) -> dict[str, str]:
    """Return orders that stop every stream at `step`."""
    return dict.fromkeys(VENDORS, step)


@pytest.fixture
def deployment(kafka: Broker, prefix: str, tmp_path: Path) -> Deployment:
    """Yield a deployment of all vendors, not started yet."""
    return Deployment(kafka, prefix, tmp_path)


@pytest.mark.parametrize("step", ["commit.before:2", "commit.after:2"])
def test_crash_around_a_commit_of_the_snapshot_publishes_each_change_once(deployment: Deployment, step: str) -> None:
    """Killed before a commit, or after it and before anyone knew: the snapshot continues from what is committed."""
    with deployment:
        deployment.spawn(at=each(step)).die()
        deployment.follow()
        deployment.prove()


@pytest.mark.parametrize("step", ["commit.before:2", "commit.after:2"])
def test_crash_around_a_commit_of_a_delta_publishes_each_change_once(deployment: Deployment, step: str) -> None:
    """Killed in a walk of several transactions: earlier ones are not repeated, later ones not left out."""
    with deployment:
        deployment.follow()
        deployment.change(everyday)
        deployment.spawn(at=each(step)).die()
        deployment.follow()
        deployment.prove()


def test_crash_during_a_transaction_leaves_nothing_visible(deployment: Deployment) -> None:
    """What a dead owner produced without committing is in the log, aborted, and invisible to read_committed."""
    with deployment:
        deployment.spawn(at=each("produce:45")).die()
        deployment.follow()
        for vendor, records in deployment.prove().items():
            everything = proof.read(deployment.client, deployment.topic(vendor), "read_uncommitted")
            assert len(everything) > len(records), "no record was aborted: the crash came too early"


def test_zombie_is_fenced_and_its_transaction_leaves_no_trace(deployment: Deployment) -> None:
    """An owner that freezes during a transaction is replaced; when it wakes up, it cannot commit what it began."""
    with deployment:
        deployment.follow()
        deployment.change(everyday)
        zombie = deployment.spawn(at=each("commit.before:1"), signal=signal.SIGSTOP)
        zombie.reach("commit.before:1", VENDORS)
        deployment.follow()
        zombie.signal(signal.SIGCONT)
        zombie.finish()
        deployment.prove()
        for vendor in VENDORS:
            # Exactly this one: until the zombie knows that it was replaced, more of its commits may be refused.
            assert "commit.refused:1" in zombie.steps[vendor], "the zombie's commit was not refused"


def test_commit_of_a_zombie_just_before_the_fence_is_read_back(kafka: Broker, prefix: str, tmp_path: Path) -> None:
    """A successor reads where the stream stands only once nobody else can commit."""
    with Deployment(kafka, prefix, tmp_path, vendors=VENDORS[:1]) as deployment:
        deployment.follow()
        deployment.change(everyday)
        zombie = deployment.spawn(at={VENDORS[0]: "begin.before:1"}, signal=signal.SIGSTOP)
        zombie.reach("begin.before:1", VENDORS[:1])

        class LateFence(Producer):
            def init_transactions(self, *timeout: float) -> None:
                zombie.signal(signal.SIGCONT)
                zombie.reach("commit.after:1", VENDORS[:1])
                zombie.kill()
                super().init_transactions(*timeout)

        deployment.follow(producer=LateFence)
        deployment.prove()


def test_open_transaction_of_a_dead_owner_does_not_hide_later_commits(deployment: Deployment) -> None:
    """Recovery reads to the end of the state, not to the end that an open transaction leaves to other consumers.

    Here it belongs to another transactional id, as after a renamed prefix: no fence ends it, only its timeout.
    """
    with deployment:
        deployment.follow()
        opened = [open_transaction(deployment, vendor) for vendor in VENDORS]
        deployment.change(everyday)
        owner = deployment.spawn(once=False)
        deployment.arrive()
        owner.kill()
        deployment.follow()
        deployment.prove()
        assert len(opened) == len(VENDORS)


def test_transaction_that_does_not_end_is_named(deployment: Deployment) -> None:
    """Recovery that waits in vain for an open transaction says where, and which tool shows it."""
    with deployment:
        deployment.follow()
        opened = open_transaction(deployment, VENDORS[0])
        topic = f"{deployment.prefix}.{VENDORS[0]}.state"
        end = Topics(deployment.client, SYSTEM).end(topic, 30)
        with pytest.raises(BrokerUnavailable, match=topic) as raised:
            state_topic.read(deployment.client, topic, range(end), lambda *_: None, 0.5, clock=SYSTEM)
        assert "kafka-transactions" in raised.value.hint
        opened.abort_transaction(30)


def open_transaction(deployment: Deployment, vendor: str) -> Producer:
    """Begin a transaction on a stream's state topic that nobody will end."""
    settings = {**deployment.client, "transactional.id": f"former.{deployment.prefix}.{vendor}"}
    producer = Producer({**settings, "transaction.timeout.ms": "10000"})
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(f"{deployment.prefix}.{vendor}.state", b"never", b"never")
    assert producer.flush(30) == 0
    return producer


def test_fenced_owner_that_is_still_assigned_recovers_by_itself(deployment: Deployment) -> None:
    """Another producer takes the streams over and leaves: the owner recovers, and publishes what happened meanwhile."""
    with deployment:
        owner = deployment.spawn(once=False)
        deployment.arrive()
        for vendor in VENDORS:
            producer = Producer({**deployment.client, "transactional.id": f"{deployment.prefix}.{vendor}"})
            producer.init_transactions(30)
        deployment.change(everyday)
        deployment.arrive()
        owner.stop()
        deployment.prove()
        fenced = {
            logged["connection"] for logged in owner.events("the state is read back") if logged["error"] == "Fenced"
        }
        assert fenced == set(VENDORS)
