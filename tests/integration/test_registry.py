"""Streams whose registry is wiped, or restored: nothing undecodable is published, nothing wrong is registered."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from connector import wiring
from connector.clock import SYSTEM
from connector.config.load import load
from connector.devservers.broker import Broker
from connector.events import codec
from connector.events.owner_report import OwnerReport
from connector.kafka.cluster import Cluster
from connector.kafka.registry import Registry
from connector.kafka.store import KafkaStore
from connector.kafka.topic_names import Layout
from connector.simulator import Simulator
from connector.stream.follower import Follower
from tests.cms import eventually
from tests.following import QUICK, Following
from tests.schemaregistry import ScriptedRegistry

NAME = "contentful"


@pytest.fixture
def scripted() -> Iterator[ScriptedRegistry]:
    """Yield a registry that can be wiped."""
    with ScriptedRegistry().serving() as serving:
        yield serving


@pytest.fixture
def following(simulator: Simulator, kafka: Broker, layout: Layout, scripted: ScriptedRegistry) -> Following:
    """Return a stream whose ids are compared often."""

    def opened() -> KafkaStore:
        return KafkaStore(kafka.client, layout, Registry(scripted.url), verify_every=0.05, clock=SYSTEM)

    return Following(simulator, NAME, opened, page_size=100)


def test_a_wiped_registry_stops_publishing_until_it_is_restored(
    simulator: Simulator, following: Following, scripted: ScriptedRegistry
) -> None:
    """A running owner notices, publishes and registers nothing, and continues without a restart once it is restored."""
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


def test_a_wiped_registry_is_reported_to_other_processes(
    kafka: Broker, layout: Layout, following: Following, scripted: ScriptedRegistry
) -> None:
    """The owner's last report is in the state topic, although nothing else of the stream may be written."""
    cluster = Cluster(kafka.client, clock=SYSTEM)

    def said() -> OwnerReport:
        return cluster.last_report(layout.state_topic, layout.connection) or OwnerReport()

    with following.running(pace=msgspec.structs.replace(QUICK, report_after=0.0)) as follower:
        eventually(lambda: follower.status.phase == "streaming")
        kept = scripted.wipe()
        eventually(lambda: said().state == "retrying")
        assert "nothing under the id" in said().error
        scripted.restore(kept)
        eventually(lambda: said().state == "running")


def test_a_restart_against_a_wiped_registry_registers_nothing(following: Following, scripted: ScriptedRegistry) -> None:
    """The recorded id is compared before anything is registered: no wrong key schema blocks the right one."""
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
    """A registry that was set up again gives the same numbers to other schemas."""
    following.become_current()
    for number in scripted.schemas:
        scripted.schemas[number] = '{"type": "record", "name": "Other", "fields": []}'
    with following.running() as follower:
        eventually(lambda: "another schema under the id" in follower.status.error)


def test_an_outage_of_the_registry_stops_nothing(
    simulator: Simulator, following: Following, scripted: ScriptedRegistry
) -> None:
    """Silence proves nothing: known ids stay in use."""
    with following.running() as follower:
        eventually(lambda: follower.status.phase == "streaming")
        sequence = follower.status.sequence
        scripted.answers = [(503, b"", {})] * 10_000
        simulator.edit(simulator.ids()[0])
        eventually(lambda: follower.status.sequence == sequence + 1)
        assert follower.status.state == "running"


def test_a_registry_that_lost_the_schema_of_values_is_noticed(
    simulator: Simulator, following: Following, scripted: ScriptedRegistry
) -> None:
    """Every id in use is compared, not only the key's; a lost schema is not registered under another id."""
    with following.running() as follower:
        eventually(lambda: follower.status.phase == "streaming")
        sequence = follower.status.sequence
        (value,) = (number for number, text in scripted.schemas.items() if codec.same("envelope", text))
        scripted.registered()
        lost, kept = scripted.schemas.pop(value), dict(scripted.subjects)
        scripted.subjects = {name: ids for name, ids in kept.items() if value not in ids}
        eventually(lambda: follower.status.state == "retrying")
        assert f"nothing under the id {value}" in follower.status.error
        simulator.edit(simulator.ids()[0])
        eventually(lambda: len(scripted.requests) > 6)
        assert scripted.registered() == []
        assert follower.status.sequence == sequence
        scripted.schemas[value], scripted.subjects = lost, kept
        eventually(lambda: follower.status.sequence == sequence + 1)


def test_nothing_is_registered_for_a_new_topic_in_a_wiped_registry(
    simulator: Simulator, kafka: Broker, layout: Layout, scripted: ScriptedRegistry
) -> None:
    """Before it registers, a stream compares the ids in use, however recently that was done."""
    for each in simulator.ids("asset"):
        simulator.delete(each)
    routed = msgspec.structs.replace(layout, topic="{prefix}.{connection}.{entity_type}.{locale}")
    following = Following(
        simulator, NAME, lambda: KafkaStore(kafka.client, routed, Registry(scripted.url), clock=SYSTEM)
    )
    with following.running() as follower:
        eventually(lambda: follower.status.phase == "streaming")
        scripted.registered()
        scripted.wipe()
        simulator.publish(kind="asset")
        eventually(lambda: follower.status.state == "retrying")
        assert "nothing under the id" in follower.status.error
        assert scripted.registered() == []


def test_a_busy_stream_compares_too(simulator: Simulator, following: Following, scripted: ScriptedRegistry) -> None:
    """Events are committed only under ids that were compared recently, although nothing waits for that."""
    with following.running(poll_interval=0.0) as follower:
        eventually(lambda: follower.status.phase == "streaming")
        scripted.wipe()

        def noticed() -> bool:
            simulator.edit(simulator.ids()[0])
            return "nothing under the id" in follower.status.error

        eventually(noticed)


@pytest.mark.parametrize(
    ("status", "body"),
    [(403, b'{"error_code": 40301, "message": "denied"}'), (401, b""), (404, b"<html>no such backend</html>")],
)
def test_a_refusal_to_compare_stops_nothing(
    simulator: Simulator, following: Following, scripted: ScriptedRegistry, status: int, body: bytes
) -> None:
    """A gateway's page, or an expired password, does not say that an id means something else."""
    with following.running() as follower:
        eventually(lambda: follower.status.phase == "streaming")
        sequence = follower.status.sequence
        scripted.requests.clear()
        scripted.answers = [(status, body, {})] * 10_000
        eventually(lambda: len(scripted.requests) > 3)
        simulator.edit(simulator.ids()[0])
        eventually(lambda: follower.status.sequence == sequence + 1)
        assert follower.status.state == "running"


def test_a_pass_ends_where_the_registry_stays_wiped(following: Following, scripted: ScriptedRegistry) -> None:
    """`run --until-caught-up` has a timeout for this too."""
    following.become_current()
    scripted.wipe()
    follower = Follower(following.spec(), following.metrics, once=True, give_up_after=0.3)
    follower.start()
    assert follower.join(20)
    assert follower.outcome == "unreachable"
    assert "nothing under the id" in follower.status.error


def test_the_changes_topic_is_there_from_the_start(kafka: Broker, layout: Layout) -> None:
    """For an empty space too, consumers find a topic, with its schemas registered."""
    with Simulator(entries=1).serving() as simulator:
        for each in simulator.ids():
            simulator.delete(each)
        following = Following(simulator, NAME, lambda: KafkaStore(kafka.client, layout, clock=SYSTEM), page_size=100)
        following.become_current()
        store = KafkaStore(kafka.client, layout, clock=SYSTEM)
        assert store._topics.find(f"{layout.transactional_id}.changes")
        store.close()


def test_a_slash_at_the_end_of_the_url_does_not_matter(scripted: ScriptedRegistry, tmp_path: Path) -> None:
    """The configuration removes it: no request has two slashes in a row."""
    path = tmp_path / "contentwire.toml"
    path.write_text(
        f'[kafka]\nbootstrap_servers = "localhost:9092"\nregistry = {{ url = "{scripted.url}//" }}\n'
        '[connections.blog]\nvendor = "contentful"\nspace = "s"\ntoken = { env = "T" }\n'
    )
    (stream,) = wiring.streams(load(path, {"T": "t0ken-secret"}))
    registry = stream.registry
    assert registry
    with closing(registry):
        registry.register("T-key", codec.text("key"))
    assert all("//" not in path for _, path in scripted.requests)
