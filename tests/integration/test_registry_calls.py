"""What a stream asks a real registry, counted in front of it: at its start and now and then, never for an event."""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import httpx
import pytest

from connector.clock import SystemClock
from connector.cms.source import ignore
from connector.devservers.broker import Broker
from connector.kafka.registry import Registry
from connector.kafka.store import KafkaStore
from connector.kafka.topic_names import Layout
from connector.simulator import Simulator
from connector.stream.publisher import Publisher
from connector.stream.runner import Bounds, Runner
from connector.stream.spec import Hooks
from tests import jsonserver
from tests.following import Following
from tests.jsonserver import Answer, Asked

NAME = "contentful"
EVERY = 3600.0


class Ahead(SystemClock):
    """The machine's time, which a test can put forward."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        """Return seconds since some moment."""
        return super().monotonic() + self.seconds


class Front:
    """Stands in front of a registry and notes each request: its method, and its path with any id as `*`."""

    def __init__(self, registry: str) -> None:
        self._registry = registry
        self._asked: list[tuple[str, str]] = []
        self.url = ""

    def since(self) -> list[tuple[str, str]]:
        """Return the requests since the last call, in their order."""
        found, self._asked = self._asked, []
        return found

    @contextmanager
    def serving(self) -> Iterator["Front"]:
        """Serve on loopback; `url` says where."""
        with jsonserver.serving(self._answered) as self.url:
            yield self

    def _answered(self, asked: Asked) -> Answer:
        place, _, number = asked.path.rpartition("/")
        self._asked.append((asked.method, f"{place}/*" if number.isdecimal() else asked.path))
        headers = {"Content-Type": "application/json"}
        url = self._registry + asked.path
        answer = httpx.request(asked.method, url, headers=headers, content=asked.body, timeout=10)
        return answer.status_code, {}, answer.content


@pytest.fixture
def front(registry: str) -> Iterator[Front]:
    """Yield the session's registry behind one that counts."""
    with Front(registry).serving() as serving:
        yield serving


@pytest.fixture
def clock() -> Ahead:
    """Give the stores' time."""
    return Ahead()


@pytest.fixture
def following(simulator: Simulator, kafka: Broker, layout: Layout, front: Front, clock: Ahead) -> Following:
    """Return a stream with a registry, whose ids are compared every hour."""

    def opened() -> KafkaStore:
        return KafkaStore(kafka.client, layout, Registry(front.url), clock=clock, verify_every=EVERY)

    return Following(simulator, NAME, opened, page_size=2)


class Opened:
    """A stream that has recovered, as a follower opens it."""

    def __init__(self, runner: Runner, publisher: Publisher, simulator: Simulator) -> None:
        self._runner, self._publisher, self._simulator = runner, publisher, simulator

    def become_current(self) -> None:
        """Pass until it is, each page in a transaction of its own."""
        while not self._runner.pass_once():
            pass

    def publish(self) -> None:
        """Publish a few changes, each in a transaction of its own."""
        for _ in range(4):
            self._simulator.edit(self._simulator.ids()[0])
            self.become_current()

    def look(self) -> None:
        """Look, as an idle stream does, whether a topic or the registry has changed: neither has."""
        assert not self._publisher.topics_changed()


@contextmanager
def opened(following: Following, simulator: Simulator) -> Iterator[Opened]:
    """Open the stream as a new process."""
    source, publisher = following.parts(threading.Event(), Hooks(ignore, lambda _batch, _seconds: None))
    with closing(source), closing(publisher):
        publisher.recover()
        publisher.verify_topics()
        yield Opened(Runner(source, publisher, Bounds(interval=0.0), following.clock), publisher, simulator)


COMPARED = ("GET", "/schemas/ids/*")


def asked_for(layout: Layout, kind: str) -> tuple[str, str]:
    """Return the request that looks a schema up."""
    return "POST", f"/subjects/{layout.transactional_id}.changes-{kind}"


def registered(layout: Layout, kind: str) -> tuple[str, str]:
    """Return the request that registers a schema."""
    method, path = asked_for(layout, kind)
    return method, f"{path}/versions"


def test_each_schema_is_looked_up_and_registered_once(
    simulator: Simulator, following: Following, layout: Layout, front: Front
) -> None:
    """Before the second is, the first is compared; however many pages and events follow, there are no more requests."""
    with opened(following, simulator) as stream:
        stream.become_current()
        stream.publish()
        stream.look()
    assert front.since() == [
        asked_for(layout, "key"),
        registered(layout, "key"),
        asked_for(layout, "value"),
        COMPARED,
        registered(layout, "value"),
    ]


def test_a_restart_looks_both_schemas_up(
    simulator: Simulator, following: Following, layout: Layout, front: Front
) -> None:
    """The key's under the id that is recorded: that is compared thereby. Publishing takes no further request."""
    with opened(following, simulator) as stream:
        stream.become_current()
    front.since()
    with opened(following, simulator) as stream:
        stream.publish()
        stream.look()
    assert front.since() == [asked_for(layout, "key"), asked_for(layout, "value")]


def test_ids_in_use_are_compared_once_an_interval(
    simulator: Simulator, following: Following, front: Front, clock: Ahead
) -> None:
    """One request for each of the two, whether the stream publishes or idles when it is due, and none before."""
    with opened(following, simulator) as stream:
        stream.become_current()
        front.since()
        for due in (stream.publish, stream.look):
            clock.seconds += EVERY
            due()
            assert front.since() == [COMPARED] * 2
            stream.publish()
            stream.look()
            assert front.since() == []
