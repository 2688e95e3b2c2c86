"""Every vendor, with its simulator, into every publisher: a fourth vendor would be tested automatically."""

from collections.abc import Callable, Iterator, Sequence

import pytest

from connector import vendors
from connector.clock import SYSTEM
from connector.demo.proof import event_ids
from connector.events.record import Record
from connector.kafka.store import KafkaStore
from connector.kafka.topic_names import Layout
from connector.simulator import Simulator
from connector.testing import MemoryStore
from tests import published
from tests.cms import assert_holds, assert_right
from tests.consumer import Consumed, consume
from tests.following import Following
from tests.published import Seen
from tests.values import CONNECTION

PAGE = 6


class Subject:
    """One vendor's stream: the CMS, how it is followed, and what consumers can read."""

    def __init__(
        self, simulator: Simulator, name: str, following: Following, records: Callable[[], Sequence[Record | Consumed]]
    ) -> None:
        self.simulator = simulator
        self.name = name
        self.following = following
        self.records = records

    def become_current(self) -> None:
        """Restart the stream and let it become current."""
        self.following.become_current()

    def seen(self) -> list[Seen]:
        """Return what consumers see of the changes, each partition in its order."""
        return published.seen(self.records())

    def ops(self) -> list[str]:
        """Return the op of every event so far, in sequence."""
        numbered = [(each.event["source"]["sequence"], each.op) for each in self.seen() if each.event]
        return [op for _, op in sorted(numbered)]

    def transactions(self) -> float:
        """Return how many transactions were committed."""
        return self.following.metric("contentwire_transactions_total", outcome="committed")

    def assert_right(self) -> None:
        """Check the promise: the topic equals the CMS, nothing is missing or duplicated, removals are complete."""
        records = self.records()
        assert_right(self.simulator, self.name, records)
        assert_holds(event_ids(published.received(records)))
        for removal in (each for each in published.seen(records) if each.op == "d"):
            assert removal.event
            assert removal.event["before"]["id"] == removal.key.id


@pytest.fixture(params=vendors.names())
def name(request: pytest.FixtureRequest) -> str:
    """Give each vendor's name."""
    return str(request.param)


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """Give a served simulator with several pages."""
    with Simulator(seed=11, entries=20, page_sizes=dict.fromkeys(vendors.names(), PAGE)).serving() as serving:
        yield serving


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.kafka)])
def subject(request: pytest.FixtureRequest, simulator: Simulator, name: str, prefix: str) -> Subject:
    """Give a stream of each vendor into each publisher."""
    if request.param == "memory":
        store = MemoryStore(prefix, CONNECTION)
        following = Following(simulator, name, lambda: store, page_size=PAGE)
        return Subject(simulator, name, following, lambda: store.records)
    client = request.getfixturevalue("kafka").client
    layout = Layout(prefix=prefix, connection=CONNECTION, partitions=3)
    following = Following(simulator, name, lambda: KafkaStore(client, layout, clock=SYSTEM), page_size=PAGE)

    def records() -> list[Consumed]:
        return [*consume(client, f"{prefix}.{CONNECTION}.changes"), *consume(client, layout.letters_topic)]

    return Subject(simulator, name, following, records)
