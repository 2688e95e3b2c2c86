"""What a stream costs the broker: transactions, fences and questions, counted at the real clients."""

import math
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient

from connector import wiring
from connector.clock import SYSTEM
from connector.cms.source import ignore
from connector.config.load import load
from connector.kafka import admin
from connector.kafka.transaction import REAL_PRODUCER
from connector.service.metrics import Metrics
from connector.simulator import Simulator
from connector.stream.follower import Follower
from connector.stream.runner import Runner
from connector.stream.spec import Hooks, StreamSpec
from tests.cms import eventually
from tests.command import WorkplaceOf
from tests.counted import Counted

NAME = "contentful"
ITEMS, PAGE = 8, 4
TRANSACTION = ("begin_transaction", "produce_batch", "flush", "commit_transaction")
"""What is asked of a producer once a transaction: all of the state is one batch, and it waits once."""


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """Yield a served simulator with more than a transaction holds."""
    with Simulator(seed=4, entries=20).serving() as serving:
        yield serving


@pytest.fixture
def producers() -> Counted:
    """Give producers that count."""
    return Counted(REAL_PRODUCER)


@pytest.fixture
def admins(monkeypatch: pytest.MonkeyPatch) -> Counted:
    """Give the admin clients of every stream that is opened from now on."""
    found = Counted(AdminClient)
    monkeypatch.setattr(admin, "AdminClient", found)
    return found


@pytest.fixture
def spec(workplace_of: WorkplaceOf, producers: Counted) -> StreamSpec:
    """Give a stream as configured: two pages fill a transaction, time does not."""
    bounds = f"commit_items = {ITEMS}\ncommit_interval = 60"
    workplace = workplace_of(NAME, kafka_lines=bounds, connection_lines=f"page_size = {PAGE}")
    (stream,) = wiring.streams(load(workplace.path, workplace.environ))
    return stream.spec(producer=producers)


@contextmanager
def opened(spec: StreamSpec) -> Iterator[Runner]:
    """Open the stream, recovered and verified, as a follower does."""
    source, publisher = spec.open(threading.Event(), Hooks(ignore, lambda _batch, _seconds: None))
    with closing(source), closing(publisher):
        publisher.recover()
        publisher.verify_topics()
        yield Runner(source, publisher, spec.bounds, SYSTEM)


def transactions(producers: Counted) -> int:
    """Return how many transactions there were since the last call; they were all committed, and cost what they must."""
    asked = producers.since()
    assert "abort_transaction" not in asked
    count, *others = (asked.get(name, 0) for name in TRANSACTION)
    assert {*others} == {count}, asked
    return count


def of_a_snapshot(simulator: Simulator) -> int:
    """Return how many transactions a snapshot needs: they hold whole pages, and two of them fill one."""
    items = len(simulator.truth(NAME))
    assert items > 2 * ITEMS
    return math.ceil(items / ITEMS)


def test_each_pass_takes_the_transactions_that_its_items_need(
    simulator: Simulator, spec: StreamSpec, producers: Counted
) -> None:
    """A snapshot's by its bounds, then one when caught up and one when reconciled; a delta one; an idle poll none."""
    with opened(spec) as runner:
        producers.since()
        counts = []
        for edits in (0, 0, 0, 0, 0, 3, 0):
            simulator.release(edits)
            runner.pass_once()
            counts.append(transactions(producers))
        assert counts == [of_a_snapshot(simulator), 1, 1, 0, 0, 1, 0]
        assert producers.made == 1


def test_publishing_asks_the_admin_client_nothing(simulator: Simulator, admins: Counted, spec: StreamSpec) -> None:
    """Topics and their ends are looked at while a stream begins or waits, not for a page or a transaction."""
    with opened(spec) as runner:
        assert admins.since()
        for _ in range(6):
            runner.pass_once()
            simulator.release(ITEMS + 1)
        assert admins.since() == {}


def test_a_takeover_asks_about_each_topic_once(simulator: Simulator, admins: Counted, spec: StreamSpec) -> None:
    """For the description and the settings of the state and of what it names, and for the end of the state."""
    with opened(spec) as runner:
        runner.pass_once()
    admins.since()
    with opened(spec):
        pass
    assert admins.since() == {"describe_topics": 2, "describe_configs": 2, "list_offsets": 1}


def test_a_restart_is_one_fence_and_one_transaction_however_often_it_polls(
    simulator: Simulator, spec: StreamSpec, producers: Counted
) -> None:
    """With nothing new, the transaction is its owner's report; a first run's report rides along with its events."""

    def followed(**how: Any) -> Follower:
        return Follower(spec, Metrics(), **how)

    followed(once=True, give_up_after=30.0).run()
    assert producers.asked["init_transactions"] == 1
    assert transactions(producers) == of_a_snapshot(simulator) + 2
    simulator.clear_requests()
    restarted = followed()
    restarted.start()
    try:
        eventually(lambda: len(simulator.requests(NAME)) > 5)
    finally:
        restarted.stop()
        assert restarted.join(10)
    assert producers.asked["init_transactions"] == 1
    assert transactions(producers) == 1
