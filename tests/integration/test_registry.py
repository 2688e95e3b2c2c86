"""Streams whose registry is wiped, or comes back: nothing undecodable is published, nothing wrong is registered."""

from collections.abc import Iterator

import pytest

from connector.demo.broker import Broker
from connector.kafka.layout import Layout
from connector.kafka.store import KafkaStore
from connector.registry import Registry
from connector.simulator import Simulator
from tests.cms import eventually
from tests.following import Following
from tests.schemaregistry import ScriptedRegistry

NAME = "contentful"


@pytest.fixture
def scripted() -> Iterator[ScriptedRegistry]:
    """Give a registry that can be wiped."""
    with ScriptedRegistry().serving() as serving:
        yield serving


@pytest.fixture
def following(simulator: Simulator, kafka: Broker, layout: Layout, scripted: ScriptedRegistry) -> Following:
    """Give a stream whose ids are compared often."""

    def opened() -> KafkaStore:
        return KafkaStore(kafka.client, layout, Registry(scripted.url), verify_every=0.05)

    return Following(simulator, NAME, opened, page_size=100)


def test_a_wiped_registry_stops_publishing_until_it_is_restored(
    simulator: Simulator, following: Following, scripted: ScriptedRegistry
) -> None:
    """A running owner notices, publishes nothing and registers nothing; a restored registry heals without a restart."""
    with following.running() as follower:
        eventually(lambda: follower.status.phase == "streaming")
        kept = scripted.wipe()
        eventually(lambda: follower.status.state == "retrying")
        assert "nothing under the id" in follower.status.error
        assert "restore it" in follower.status.hint
        sequence = follower.status.sequence
        simulator.edit(simulator.ids()[0])
        scripted.requests.clear()
        eventually(lambda: len(scripted.requests) > 3)
        assert scripted.registered() == []
        assert follower.status.sequence == sequence
        scripted.restore(kept)
        eventually(lambda: follower.status.sequence == sequence + 1)
        eventually(lambda: follower.status.state == "running")


def test_a_restart_against_a_wiped_registry_registers_nothing(following: Following, scripted: ScriptedRegistry) -> None:
    """What is recorded is compared before anything is registered: no wrong key schema gets in the way of the right."""
    following.become_current()
    kept = scripted.wipe()
    scripted.registered()
    with following.running() as follower:
        eventually(lambda: follower.status.state == "retrying")
        assert scripted.subjects == {}
        assert scripted.registered() == []
        scripted.restore(kept)
        eventually(lambda: follower.status.state == "running")


def test_another_schema_under_a_recorded_id_is_noticed(following: Following, scripted: ScriptedRegistry) -> None:
    """A registry that was set up anew gives the same numbers to other schemas."""
    following.become_current()
    for number in scripted.schemas:
        scripted.schemas[number] = '{"type": "record", "name": "Other", "fields": []}'
    with following.running() as follower:
        eventually(lambda: "another schema under the id" in follower.status.error)


def test_an_outage_of_the_registry_stops_nothing(
    simulator: Simulator, following: Following, scripted: ScriptedRegistry
) -> None:
    """Silence proves nothing: ids that are known go on being used."""
    with following.running() as follower:
        eventually(lambda: follower.status.phase == "streaming")
        sequence = follower.status.sequence
        scripted.answers = [(503, b"", {})] * 10_000
        simulator.edit(simulator.ids()[0])
        eventually(lambda: follower.status.sequence == sequence + 1)
        assert follower.status.state == "running"


def test_the_changes_topic_is_there_from_the_start(kafka: Broker, layout: Layout) -> None:
    """An empty space: whoever subscribes gets a topic, with its schemas registered."""
    with Simulator(entries=1).serving() as simulator:
        for each in simulator.ids():
            simulator.delete(each)
        following = Following(simulator, NAME, lambda: KafkaStore(kafka.client, layout), page_size=100)
        following.become_current()
        store = KafkaStore(kafka.client, layout)
        assert store._topics.find(f"{layout.transactional_id}.changes")
        store.close()
