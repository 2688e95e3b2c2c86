"""What the streams of a process ask the broker while they idle: together, by one client, and never a coordinator."""

import signal
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from connector import wiring
from connector.clock import SYSTEM
from connector.config.load import load
from connector.devservers.broker import Broker
from connector.events.index import Index
from connector.kafka import admin
from connector.kafka.store import KafkaStore
from connector.kafka.topics import Topics
from connector.simulator import Simulator
from connector.stream.spec import Pace
from connector.testing import ManualClock
from connector.wiring import ConfiguredStream
from tests.cms import eventually
from tests.command import WorkplaceOf, following
from tests.counted import Counted
from tests.faults.proxy import Proxy

NAME = "contentful"
LIST_OFFSETS = 2
OF_COORDINATORS = {"DescribeGroups": 15, "DeleteGroups": 42, "DescribeTransactions": 65, "ConsumerGroupDescribe": 69}
"""The requests of admin clients that go to a coordinator (https://kafka.apache.org/protocol.html#protocol_api_keys)."""


@pytest.fixture
def admins(monkeypatch: pytest.MonkeyPatch) -> Counted:
    """Give the admin clients of every stream that is opened from now on."""
    found = Counted(AdminClient)
    monkeypatch.setattr(admin, "AdminClient", found)
    return found


def configured(workplace_of: WorkplaceOf, count: int, clock: ManualClock) -> list[ConfiguredStream]:
    """Return the streams of a process, whose state topics exist, as its supervisor sees to."""
    workplace = workplace_of(NAME)
    config = load(workplace.path, workplace.environ)
    connections = {f"blog-{number}": config.connections[NAME] for number in range(count)}
    streams = wiring.streams(config.model_copy(update={"connections": connections}), clock)
    Topics(streams[0].client, SYSTEM).ensure_all(stream.layout.state_spec() for stream in streams)
    return streams


def look(store: KafkaStore) -> None:
    """Look whether somebody else has changed anything, as an idle stream does; nobody has."""
    assert (store.topics_changed(), store.superseded()) == (False, False)


@pytest.mark.parametrize("count", [2, 8])
def test_a_minute_of_idle_streams_is_one_request_a_round_by_one_admin_client(
    workplace_of: WorkplaceOf, admins: Counted, count: int
) -> None:
    """For the ends of all states and for all topics, at most one each 2.5 seconds: no stream more costs a request."""
    clock = ManualClock()
    streams = configured(workplace_of, count, clock)
    made = admins.made
    with ExitStack() as stack:
        stores = [stack.enter_context(closing(stream.store())) for stream in streams]
        admins.since()
        for store in stores:
            store.recover(Index())
        assert admins.since() == dict.fromkeys(("describe_topics", "describe_configs", "list_offsets"), count)
        # Whoever looks for the first time asks alone.
        for store in stores:
            look(store)
        assert admins.since() == dict.fromkeys(("describe_topics", "list_offsets"), count)
        for _ in range(120):
            for store in stores:
                look(store)
            clock.wait(0.5)
        assert admins.since() == dict.fromkeys(("describe_topics", "list_offsets"), 60 / 2.5)
    assert admins.made == made + 1


def test_a_running_process_sends_no_admin_request_to_a_coordinator(
    tmp_path: Path, simulator: Simulator, kafka: Broker, prefix: str
) -> None:
    """One that outlives its broker ends the process (librdkafka issue 4605); commands of their own may."""
    with Proxy(kafka.bootstrap) as proxy:
        workplace = following(tmp_path, simulator, (NAME,), bootstrap=proxy.bootstrap, prefix=prefix)
        with workplace.start("run") as run:
            assert run.said('"committed"')
            looked = proxy.seen(LIST_OFFSETS)
            eventually(lambda: proxy.seen(LIST_OFFSETS) > looked + 1, within=6 * Pace().look_again)
            run.ends(signal.SIGTERM)
        assert [name for name, api in OF_COORDINATORS.items() if proxy.seen(api)] == []
        assert workplace.run("status").code == 0
        assert [name for name, api in OF_COORDINATORS.items() if proxy.seen(api)]
