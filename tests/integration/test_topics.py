"""Topics and state on a real broker: settings as the contract requires them, and named refusals."""

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.admin._resource import ResourceType
from confluent_kafka.cimpl import NewPartitions

from connector.clock import SYSTEM
from connector.devservers.broker import Broker
from connector.errors import RegistryChanged, StateTooNew, TopicMismatch
from connector.events.index import VERSION, Index
from connector.events.state_record import CHECKPOINT_KEY, CHECKPOINT_VERSION
from connector.kafka.registry import Registry
from connector.kafka.store import KafkaStore
from connector.kafka.topic_names import Layout
from connector.kafka.topics import Topics
from connector.simulator import Fault, Simulator
from tests.cms import eventually
from tests.consumer import consume
from tests.following import Following
from tests.topics import create, refusal, remove
from tests.values import CONNECTION

DAY = 86_400_000
NAME = "contentful"


@pytest.fixture
def following(simulator: Simulator, kafka: Broker, layout: Layout) -> Following:
    """Return a stream without a registry."""
    return Following(simulator, NAME, lambda: KafkaStore(kafka.client, layout, clock=SYSTEM), page_size=100)


def settings(admin: AdminClient, topic: str) -> dict[str, str]:
    """Return a topic's settings."""
    resource = ConfigResource(ResourceType.TOPIC, topic)
    return {each.name: each.value for each in admin.describe_configs([resource])[resource].result(10).values()}


def test_topics_are_created_as_the_contract_says(
    admin: AdminClient, simulator: Simulator, following: Following, layout: Layout
) -> None:
    """Cleanup policies, retention, sizes and partition counts of all three."""
    simulator.push_fault(NAME, Fault("unknown_item"))
    following.become_current()
    topics = admin.list_topics(timeout=10).topics
    changes = settings(admin, f"{layout.transactional_id}.changes")
    state = settings(admin, layout.state_topic)
    letters = settings(admin, layout.letters_topic)
    counts = [len(topics[each].partitions) for each in (f"{layout.transactional_id}.changes", layout.state_topic)]
    assert counts == [3, 1]
    assert changes["cleanup.policy"] == state["cleanup.policy"] == "compact"
    assert int(changes["delete.retention.ms"]) == 7 * DAY
    assert int(changes["min.compaction.lag.ms"]) == DAY
    assert int(changes["max.message.bytes"]) == 8 * 2**20
    assert int(state["segment.ms"]) == 3_600_000
    assert int(state["segment.bytes"]) == 64 * 2**20
    assert float(state["min.cleanable.dirty.ratio"]) == 0.1
    assert (letters["cleanup.policy"], int(letters["retention.ms"])) == ("delete", 30 * DAY)
    assert int(letters["max.message.bytes"]) > int(changes["max.message.bytes"])


def test_an_operators_settings_are_kept(kafka: Broker, admin: AdminClient, prefix: str) -> None:
    """`topic_config` is applied to a new changes topic, over the defaults."""
    layout = Layout(prefix=prefix, connection=CONNECTION, topic_config={"delete.retention.ms": "1234567"})
    with Simulator(entries=1).serving() as simulator:
        Following(simulator, NAME, lambda: KafkaStore(kafka.client, layout, clock=SYSTEM)).become_current()
    assert settings(admin, f"{prefix}.{CONNECTION}.changes")["delete.retention.ms"] == "1234567"


def test_a_topic_that_is_not_compacted_is_refused(admin: AdminClient, following: Following, layout: Layout) -> None:
    """It would forget entities: the message names topic, setting and command."""
    topic = f"{layout.transactional_id}.changes"
    create(admin, topic, 3, cleanup_policy="delete")
    message = refusal(following)
    assert f"{topic} has cleanup.policy = delete, not compact" in message
    assert "kafka-configs" in message


def test_a_topic_for_smaller_messages_is_refused(admin: AdminClient, following: Following, layout: Layout) -> None:
    """It would refuse events that contentwire expects to fit."""
    create(admin, f"{layout.transactional_id}.changes", 3, cleanup_policy="compact", max_message_bytes="1000000")
    message = refusal(following)
    assert "max.message.bytes = 1000000" in message
    assert "lower max_message_bytes" in message


def test_a_state_topic_with_more_partitions_is_refused(
    admin: AdminClient, following: Following, layout: Layout
) -> None:
    """Its one partition is the stream: ownership and order depend on it."""
    create(admin, layout.state_topic, 2, cleanup_policy="compact")
    assert f"{layout.state_topic} has 2 partitions, not 1" in refusal(following)


def test_an_existing_partition_count_is_taken_as_it_is(
    admin: AdminClient, following: Following, layout: Layout
) -> None:
    """A prepared topic may have any count; it is recorded."""
    topic = f"{layout.transactional_id}.changes"
    create(admin, topic, 5, cleanup_policy="compact", max_message_bytes=str(8 * 2**20))
    following.become_current()
    assert following.checkpoint().progress.partitions == {topic: 5}


def test_a_changed_partition_count_is_refused(admin: AdminClient, following: Following, layout: Layout) -> None:
    """Keys would move away from their past: the message names both counts, the hint the remedy."""
    topic = f"{layout.transactional_id}.changes"
    following.become_current()
    admin.create_partitions([NewPartitions(topic, 4)])[topic].result(10)
    message = refusal(following)
    assert f"{topic} has 4 partitions, not 3" in message
    assert "another prefix" in message


def test_keys_under_another_framing_are_refused(
    simulator: Simulator, kafka: Broker, registry: str, layout: Layout, following: Following
) -> None:
    """Adding a registry would move every key: the error names both ids and the remedy."""
    following.become_current()
    framed = Following(
        simulator, NAME, lambda: KafkaStore(kafka.client, layout, Registry(registry), clock=SYSTEM), page_size=100
    )
    message = refusal(framed)
    assert "written as single-object" in message
    assert "confluent" in message
    assert "restore the registry" in message


def test_keys_under_another_schema_id_are_refused(
    simulator: Simulator, kafka: Broker, registry: str, layout: Layout
) -> None:
    """A registry that lost its ids would give another one: nothing is registered until it is restored."""
    store = KafkaStore(kafka.client, layout, Registry(registry), clock=SYSTEM)
    Following(simulator, NAME, lambda: store, page_size=100).become_current()
    following = Following(simulator, NAME, lambda: KafkaStore(kafka.client, layout, Registry(registry), clock=SYSTEM))
    following.checkpoint(key_schema_id={"framing": "confluent", "id": "987654"})
    store = KafkaStore(kafka.client, layout, Registry(registry), clock=SYSTEM)
    found = store.recover(Index())
    assert found
    with pytest.raises(RegistryChanged, match="nothing under the id 987654"):
        store.verify_topics(found)
    store.close()


@pytest.mark.parametrize("key", [CHECKPOINT_KEY, b"\x08blog\x0aentry\x04e1\x02*"])
def test_a_newer_state_record_is_refused(kafka: Broker, following: Following, layout: Layout, key: bytes) -> None:
    """A checkpoint or index record of a later release stops this one before it can harm anything."""
    following.become_current()
    producer = Producer(dict(kafka.client))
    producer.produce(
        layout.state_topic, bytes([2 * (max(CHECKPOINT_VERSION, VERSION) + 1)]) + b"whatever comes next", key
    )
    assert producer.flush(10) == 0
    store = KafkaStore(kafka.client, layout, clock=SYSTEM)
    with pytest.raises(StateTooNew, match="newer version"):
        store.recover(Index())
    store.close()
    assert "at least the release that wrote it" in refusal(following)


def test_aborted_state_is_never_trusted(kafka: Broker, following: Following, layout: Layout) -> None:
    """Neither a checkpoint nor an index record of an aborted transaction counts, even if it is the last one."""
    following.become_current()
    before = following.checkpoint()
    producer = Producer({**kafka.client, "transactional.id": f"{layout.prefix}-other"})
    producer.init_transactions(20)
    producer.begin_transaction()
    producer.produce(layout.state_topic, b"\x04", CHECKPOINT_KEY)
    producer.produce(layout.state_topic, b"\x04", b"\x08blog\x0aentry\x04e1\x02*")
    assert producer.flush(10) == 0
    producer.abort_transaction(20)
    assert following.checkpoint() == before


def test_another_writer_is_noticed(kafka: Broker, simulator: Simulator, following: Following, layout: Layout) -> None:
    """An operator command has committed: the owner sees it without trying to commit itself."""
    following.become_current()
    store = KafkaStore(kafka.client, layout, clock=SYSTEM)
    assert store.recover(Index())
    assert not store.superseded()
    following.checkpoint(request='{"paused":true}')
    # The commit's marker is written after its answer.
    eventually(store.superseded)
    found = store.recover(Index())
    assert found
    assert found.request.paused
    assert not store.superseded()
    store.close()


def test_what_is_recovered_is_what_was_committed(
    kafka: Broker, simulator: Simulator, following: Following, layout: Layout
) -> None:
    """Checkpoint and index come back whole, from the start or from the last offset."""
    following.become_current()
    index, again = Index(), KafkaStore(kafka.client, layout, clock=SYSTEM)
    first = again.recover(index)
    assert first == following.checkpoint()
    assert len(index) == len(simulator.truth(NAME))
    simulator.edit(simulator.ids()[0])
    following.become_current()
    second = again.recover(index)
    again.close()
    fresh = Index()
    store = KafkaStore(kafka.client, layout, clock=SYSTEM)
    assert store.recover(fresh) == second
    store.close()
    assert dict(fresh.entries()) == dict(index.entries())


def test_the_state_topic_holds_nothing_but_state(kafka: Broker, following: Following, layout: Layout) -> None:
    """Every record has a key, and the checkpoint is the last record of each transaction."""
    following.become_current()
    records = consume(kafka.client, layout.state_topic)
    assert all(each.key for each in records)
    assert records[-1].key == CHECKPOINT_KEY


def test_a_state_topic_that_was_recreated_is_noticed(
    kafka: Broker, admin: AdminClient, following: Following, layout: Layout
) -> None:
    """A process that has read past the topic's end stops and names it: it must not start over by itself."""
    following.become_current()
    store, index = KafkaStore(kafka.client, layout, clock=SYSTEM), Index()
    try:
        assert store.recover(index)
        assert not store.topics_changed()
        remove(admin, layout.state_topic)
        create(admin, layout.state_topic, 1, cleanup_policy="compact")
        assert store.topics_changed()
        with pytest.raises(TopicMismatch, match="deleted or recreated"):
            store.recover(index)
    finally:
        store.close()


def test_a_recorded_topic_whose_settings_changed_is_refused(
    kafka: Broker, admin: AdminClient, following: Following, layout: Layout
) -> None:
    """Settings are checked at every start, not only before the first event."""
    following.become_current()
    topic = f"{layout.transactional_id}.changes"
    change = ConfigResource(ResourceType.TOPIC, topic)
    change.add_incremental_config(ConfigEntry("cleanup.policy", "delete", incremental_operation=AlterConfigOpType.SET))
    admin.incremental_alter_configs([change])[change].result(10)
    eventually(lambda: settings(admin, topic)["cleanup.policy"] == "delete")
    assert "cleanup.policy = delete" in refusal(following)


def test_many_topics_are_created_together_and_those_that_exist_are_checked(
    kafka: Broker, admin: AdminClient, prefix: str
) -> None:
    """As one by one: the same settings, the same refusals."""
    topics = Topics(kafka.client, SYSTEM)
    specs = [Layout(prefix=prefix, connection=f"c{number}").state_spec() for number in range(120)]
    topics.ensure(specs[7])
    topics.ensure_all(specs)
    topics.ensure_all(specs)
    topics.ensure_all([])
    assert settings(admin, specs[119].name)["cleanup.policy"] == "compact"
    create(admin, f"{prefix}.odd.state", 2, cleanup_policy="compact")
    with pytest.raises(TopicMismatch, match="has 2 partitions, not 1"):
        topics.ensure_all([*specs[:3], Layout(prefix=prefix, connection="odd").state_spec()])
