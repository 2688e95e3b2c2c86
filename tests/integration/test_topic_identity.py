"""A stream continues only if what it has published is still there: topics that vanish, come back, or are others'."""

from collections.abc import Callable
from functools import partial

import msgspec
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from connector.clock import SYSTEM
from connector.commands import check, edits
from connector.commands.edits import Edit
from connector.devservers.broker import Broker
from connector.errors import Superseded, TopicMismatch
from connector.events.index import Index
from connector.events.state_record import flat
from connector.kafka.store import KafkaStore
from connector.kafka.topic_names import Layout
from connector.kafka.topics import Topics
from connector.model.change import EntityKey
from connector.simulator import Fault, Simulator
from connector.wiring import against_owner
from tests.cms import eventually
from tests.consumer import consume
from tests.following import QUICK, Following
from tests.topics import create, recreate, refusal, remove, widen
from tests.values import CONNECTION

NAME = "contentful"
EVERYTHING: Edit = partial(edits.snapshot, republish="all", allow_deletes=False)
CHANGED: Edit = partial(edits.snapshot, republish=None, allow_deletes=True)


@pytest.fixture
def following(simulator: Simulator, kafka: Broker, layout: Layout) -> Following:
    """Return a stream without a registry."""
    return followed(simulator, kafka, layout)


@pytest.fixture
def topic(layout: Layout) -> str:
    """Return the name of its changes topic."""
    return f"{layout.transactional_id}.changes"


@pytest.fixture
def elsewhere(simulator: Simulator, kafka: Broker, layout: Layout) -> Following:
    """Return the stream under another topic template."""
    return followed(simulator, kafka, msgspec.structs.replace(layout, topic="{prefix}.{connection}.other"), "other")


def followed(simulator: Simulator, kafka: Broker, layout: Layout, topics: str = "topic") -> Following:
    """Return a stream with these topics, in small pages."""
    following = Following(simulator, NAME, lambda: KafkaStore(kafka.client, layout, clock=SYSTEM), page_size=2)
    following.fingerprint = f"scope.{topics}"
    return following


def command(following: Following, edit: Edit) -> None:
    """Do what an operator command does."""
    # As a command does: the owner may be quicker.
    against_owner("blog", lambda: following.checkpoint(**flat(edit(following.checkpoint(), following.fingerprint))))


def keys(kafka: Broker, topic: str) -> int:
    """Return how many entities are in a topic."""
    return len({each.key for each in consume(kafka.client, topic)})


@pytest.mark.parametrize("lost", ["was deleted and recreated", "is gone"])
def test_a_changes_topic_that_lost_its_events_stops_the_stream_until_all_is_published_again(
    kafka: Broker, admin: AdminClient, following: Following, lost: str
) -> None:
    """Also one that was recreated with equal settings; the command that the hint names brings everything back."""
    following.become_current()
    ((topic, count),) = following.checkpoint().progress.partitions.items()
    events = following.checkpoint().progress.sequence
    remove(admin, topic)
    if "recreated" in lost:
        create(admin, topic, count, cleanup_policy="compact", max_message_bytes=str(8 * 2**20))
    message = refusal(following)
    assert f"topic {topic} {lost}" in message
    assert "contentwire snapshot NAME --all" in message
    command(following, EVERYTHING)
    following.become_current()
    assert following.checkpoint().progress.sequence == 2 * events
    assert len({each.key for each in consume(kafka.client, topic)}) == events
    assert following.checkpoint().progress.partitions == {topic: count}
    following.become_current()


@pytest.mark.parametrize(("done", "message"), [(widen, "4 partitions"), (remove, "is gone")])
def test_what_happens_to_a_topic_under_an_idle_owner_is_noticed(
    admin: AdminClient, following: Following, layout: Layout, done: Callable[[AdminClient, str], None], message: str
) -> None:
    """The owner checks while there is nothing to publish, rather than weeks later, when it recovers."""
    following.become_current()
    with following.running() as follower:
        eventually(lambda: follower.status.phase == "streaming")
        done(admin, f"{layout.transactional_id}.changes")
        eventually(lambda: follower.status.state == "stopped")
        assert message in follower.status.error


def test_a_topic_recreated_under_an_idle_owner_is_noticed(
    kafka: Broker, admin: AdminClient, following: Following, layout: Layout
) -> None:
    """Between two checks it is deleted and recreated, identical but empty."""
    following.become_current()
    store = KafkaStore(kafka.client, layout, clock=SYSTEM)
    try:
        found = store.recover(Index())
        assert found
        assert not store.topics_changed()
        recreate(admin, f"{layout.transactional_id}.changes")
        assert store.topics_changed()
        with pytest.raises(TopicMismatch, match="was deleted and recreated"):
            store.verify_topics(found)
    finally:
        store.close()


def test_an_accepted_topic_is_recorded_again(admin: AdminClient, following: Following, layout: Layout) -> None:
    """Accepting another topic counts once: the next one that is recreated stops the stream as usual."""
    topic = f"{layout.transactional_id}.changes"
    following.become_current()
    command(following, EVERYTHING)
    following.become_current()
    remove(admin, topic)
    assert f"{topic} is gone" in refusal(following)


def test_events_without_a_state_stop_the_stream(
    admin: AdminClient, following: Following, layout: Layout, simulator: Simulator
) -> None:
    """A lost state must not restart at sequence 1 on existing events: deletes in between would never be published."""
    topic = f"{layout.transactional_id}.changes"
    following.become_current()
    remove(admin, layout.state_topic)
    message = refusal(following)
    assert f"topic {topic} holds records of which the stream's state knows nothing" in message
    remove(admin, topic)
    following.become_current()
    assert following.checkpoint().progress.sequence == len(simulator.truth(NAME))


def test_what_a_first_start_left_unfinished_is_no_obstacle(
    kafka: Broker, admin: AdminClient, following: Following, layout: Layout
) -> None:
    """An aborted first transaction leaves a topic, with records that nobody ever sees."""
    topic = f"{layout.transactional_id}.changes"
    create(admin, topic, 3, cleanup_policy="compact", max_message_bytes=str(8 * 2**20))
    producer = Producer({**kafka.client, "transactional.id": layout.transactional_id})
    producer.init_transactions(20)
    producer.begin_transaction()
    for partition in range(3):
        producer.produce(topic, b"value", b"key", partition)
    assert producer.flush(10) == 0
    following.become_current()
    assert following.checkpoint().progress.partitions == {topic: 3}


@pytest.mark.parametrize("then", [edits.reset, CHANGED], ids=["reset", "snapshot"])
def test_what_was_lost_is_published_again_whatever_is_requested_meanwhile(
    kafka: Broker, admin: AdminClient, following: Following, topic: str, then: Edit
) -> None:
    """Another snapshot is requested during the republishing: it still publishes what the topic lacks."""
    following.become_current()
    remove(admin, topic)
    command(following, EVERYTHING)
    command(following, then)
    following.become_current()
    assert keys(kafka, topic) == following.checkpoint().progress.sequence // 2


def test_what_was_lost_is_published_again_after_an_interruption(
    kafka: Broker, admin: AdminClient, simulator: Simulator, following: Following, topic: str
) -> None:
    """Half of it is there, under a new id, when an operator requests a plain snapshot."""
    following.become_current()
    remove(admin, topic)
    command(following, EVERYTHING)
    simulator.push_fault(NAME, Fault("status", after=2, times=None))
    with following.running() as follower:
        eventually(lambda: follower.status.state == "retrying")
    simulator.clear_faults()
    assert 0 < keys(kafka, topic) < len(simulator.truth(NAME))
    command(following, CHANGED)
    following.become_current()
    assert keys(kafka, topic) == len(simulator.truth(NAME))


def test_a_command_right_after_the_loss_is_heard(
    kafka: Broker, admin: AdminClient, following: Following, topic: str
) -> None:
    """It is committed before the owner has noticed anything: what the owner then finds includes it."""
    following.become_current()
    pace = msgspec.structs.replace(QUICK, look_again=1.5)
    with following.running(pace=pace, poll_interval=60.0) as follower:
        eventually(lambda: follower.status.phase == "streaming")
        remove(admin, topic)
        command(following, EVERYTHING)
        eventually(lambda: follower.status.epoch == 2 and follower.status.phase == "streaming")
    assert keys(kafka, topic) == follower.status.sequence // 2


@pytest.mark.parametrize("edit", [edits.reset, CHANGED, EVERYTHING], ids=["reset", "changed", "everything"])
def test_a_command_under_a_new_template_fills_the_new_topics(
    kafka: Broker, admin: AdminClient, following: Following, elsewhere: Following, edit: Edit
) -> None:
    """As a run without it would; earlier topics are for the operator to delete, and are not recreated."""
    following.become_current()
    (topic,) = following.checkpoint().progress.partitions
    command(elsewhere, edit)
    elsewhere.become_current()
    assert keys(kafka, topic.replace("changes", "other")) == keys(kafka, topic)
    remove(admin, topic)
    elsewhere.become_current()
    assert topic not in admin.list_topics(timeout=10).topics


def test_former_topics_are_not_looked_after(
    admin: AdminClient, simulator: Simulator, following: Following, elsewhere: Following, topic: str
) -> None:
    """They may be deleted before the new template's first start, or under its owner."""
    following.become_current()
    remove(admin, topic)
    elsewhere.become_current()
    create(admin, topic, 3, cleanup_policy="compact", max_message_bytes=str(8 * 2**20))
    with elsewhere.running() as follower:
        eventually(lambda: follower.status.phase == "streaming")
        remove(admin, topic)
        sequence = follower.status.sequence
        simulator.edit(simulator.ids()[0])
        eventually(lambda: follower.status.sequence > sequence)
    elsewhere.become_current()


def test_a_template_changed_back_stops_at_outdated_topics(
    following: Following, elsewhere: Following, topic: str
) -> None:
    """The former topic has missed what was written elsewhere: its removals would never be published."""
    following.become_current()
    elsewhere.become_current()
    assert f"topic {topic} holds records of which the stream's state knows nothing" in refusal(following)


@pytest.mark.parametrize("interrupted", [False, True])
def test_a_template_that_gives_the_same_topic_continues_in_it(
    kafka: Broker, simulator: Simulator, following: Following, layout: Layout, *, interrupted: bool
) -> None:
    """Spelt differently it is another template, and everything is published again; a crash changes nothing."""
    following.become_current()
    same = followed(
        simulator, kafka, msgspec.structs.replace(layout, topic=layout.prefix + ".{connection}.changes"), "b"
    )
    if interrupted:
        simulator.push_fault(NAME, Fault("status", times=None))
        with same.running() as follower:
            eventually(lambda: follower.status.state == "retrying")
        simulator.clear_faults()
    same.become_current()
    assert same.checkpoint().progress.partitions == following.checkpoint().progress.partitions != {}


def test_a_wider_dead_letters_topic_does_no_harm(
    admin: AdminClient, simulator: Simulator, following: Following, layout: Layout
) -> None:
    """Nothing depends on a dead letter's partition."""
    simulator.push_fault(NAME, Fault("unknown_item"))
    with following.running() as follower:
        eventually(lambda: follower.status.phase == "streaming")
        widen(admin, layout.letters_topic, 2)
        simulator.push_fault(NAME, Fault("unknown_item", on="cursor"))
        simulator.edit(simulator.ids()[0])
        eventually(lambda: follower.status.sequence > len(simulator.truth(NAME)))
        assert follower.status.state == "running"


def test_a_stale_owner_is_fenced_rather_than_misled(kafka: Broker, following: Following, layout: Layout) -> None:
    """Another owner may have written what it does not know of the topics."""
    stale = KafkaStore(kafka.client, layout, clock=SYSTEM)
    try:
        assert stale.recover(Index()) is None
        following.become_current()
        with pytest.raises(Superseded):
            stale.route(EntityKey(CONNECTION, "entry", "e1", "*"))
    finally:
        stale.close()


def test_an_upgraded_stream_learns_the_ids_by_itself(following: Following) -> None:
    """A checkpoint without ids gets them with the next commit, whatever that commits."""
    following.become_current()
    topics = following.checkpoint().progress.topics
    following.checkpoint(topic_ids={})
    with following.running(heartbeat=0.1) as follower:
        eventually(lambda: follower.status.phase == "streaming")
        eventually(lambda: following.checkpoint().progress.topics == topics)


def test_an_exported_checkpoint_takes_the_place_of_a_lost_state(
    admin: AdminClient, following: Following, simulator: Simulator, layout: Layout
) -> None:
    """It knows the topics: the stream continues in them, and so does the sequence."""
    following.become_current()
    exported = following.checkpoint()
    remove(admin, layout.state_topic)
    command(following, edits.imported(edits.exported(exported), "cp.json"))
    simulator.edit(simulator.ids()[0])
    following.become_current()
    assert following.checkpoint().progress.sequence == exported.progress.sequence + 1


def test_check_warns_of_what_only_looks_like_a_changes_topic(
    kafka: Broker, admin: AdminClient, simulator: Simulator, layout: Layout
) -> None:
    """A locale may have any name: only a run can tell whether the topic is ours."""
    by_locale = msgspec.structs.replace(layout, topic="{prefix}.{connection}.changes.{locale}")
    followed(simulator, kafka, by_locale).become_current()
    foreign = f"{layout.transactional_id}.changes.all.dlq"
    create(admin, foreign, 1)
    producer = Producer(dict(kafka.client))
    producer.produce(foreign, b"x")
    assert producer.flush(10) == 0
    (finding,) = check.unknown(Topics(kafka.client, SYSTEM), by_locale, [foreign])
    assert (finding.verdict, foreign in finding.message) == ("warning", True)
    followed(simulator, kafka, by_locale).become_current()


def test_a_template_changed_back_before_anything_went_elsewhere_continues(
    kafka: Broker, simulator: Simulator, following: Following, elsewhere: Following, topic: str
) -> None:
    """A typing error in the template, or one old process among new ones, costs a snapshot, not a topic."""
    following.become_current()
    command(elsewhere, CHANGED)
    following.become_current()
    simulator.push_fault(NAME, Fault("status", after=1, times=None))
    with elsewhere.running() as follower:
        eventually(lambda: follower.status.state == "retrying")
    simulator.clear_faults()
    following.become_current()
    assert following.checkpoint().progress.partitions == {topic: 3}
    assert keys(kafka, topic) == len(simulator.truth(NAME))


def test_a_state_recreated_under_its_owner_is_noticed_and_can_be_replaced(
    admin: AdminClient, simulator: Simulator, following: Following, layout: Layout
) -> None:
    """The owner stops and names it rather than continue with half an index; an imported checkpoint wakes it."""
    following.become_current()
    exported = following.checkpoint()
    with following.running() as follower:
        eventually(lambda: follower.status.phase == "streaming")
        remove(admin, layout.state_topic)
        # Between two checks the client may be asking for its end, and keeps asking for fifteen seconds.
        eventually(lambda: follower.status.state == "stopped", within=30)
        assert "deleted or recreated" in follower.status.error
        command(following, edits.imported(edits.exported(exported), "cp.json"))
        simulator.edit(simulator.ids()[0])
        eventually(lambda: follower.status.sequence == exported.progress.sequence + 1)
        assert follower.status.state == "running"
