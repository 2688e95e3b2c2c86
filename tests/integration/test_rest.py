"""An idle stream without a producer, on a real broker: what it saves, and what its next commit proves first."""

import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
from confluent_kafka import KafkaError, KafkaException
from msgspec.structs import replace

from connector.clock import SYSTEM
from connector.cms.source import ignore
from connector.devservers.broker import Broker
from connector.errors import Superseded
from connector.events.index import Index
from connector.events.owner_report import OwnerReport
from connector.kafka.sharing import Producers, Sharing, Turns
from connector.kafka.store import KafkaStore
from connector.kafka.topic_names import Layout
from connector.simulator import Simulator
from connector.stream.runner import Bounds, Runner
from connector.stream.spec import Hooks
from tests.cms import assert_right, eventually
from tests.consumer import consume
from tests.following import Following

NAME = "contentful"
SHARING = Sharing(SYSTEM)


def store_of(kafka: Broker, layout: Layout) -> KafkaStore:
    """Return a store that shares its admin client, as the streams of a process do."""
    return KafkaStore(kafka.client, layout, clock=SYSTEM, shared=SHARING.by(kafka.client))


def client_threads() -> int:
    """Return how many threads the Kafka clients of this process have."""
    names = []
    for task in Path("/proc/self/task").iterdir():
        try:
            names.append((task / "comm").read_text())
        except OSError:
            continue  # it has ended meanwhile
    return sum(name.startswith("rdk:") for name in names)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="counts threads as Linux shows them")
def test_a_resting_stream_has_no_threads_of_a_producer(kafka: Broker, layout: Layout) -> None:
    """Until it commits again, and that works as ever."""
    store = store_of(kafka, layout)
    store.recover(Index())
    store.note(OwnerReport(state="running"))
    working = client_threads()
    store.rest()
    eventually(lambda: client_threads() < working)
    resting = client_threads()
    store.rest()
    store.note(OwnerReport(state="paused"))
    assert client_threads() > resting
    assert not store.superseded()
    store.close()


def test_a_stream_that_rested_goes_on_where_it_stood(simulator: Simulator, kafka: Broker, layout: Layout) -> None:
    """Changes of before and after the rest arrive once each, in sequence."""
    following = Following(simulator, NAME, lambda: store_of(kafka, layout), page_size=100)
    source, publisher = following.parts(threading.Event(), Hooks(ignore, lambda _batch, _seconds: None))
    publisher.recover()
    runner = Runner(source, publisher, Bounds(), SYSTEM)
    for _ in range(4):
        for _ in range(4):
            runner.pass_once()
        publisher.rest_if_idle(0.0, crowded=0.0)
        simulator.churn(5)
    runner.pass_once()
    publisher.close()
    source.close()
    assert_right(simulator, NAME, consume(kafka.client, f"{layout.transactional_id}.changes"))


def test_what_others_committed_meanwhile_is_read_back_first(kafka: Broker, layout: Layout) -> None:
    """An operator's command takes a resting stream over: it must not write on top of that."""
    store, index = store_of(kafka, layout), Index()
    store.recover(index)
    store.note(OwnerReport(state="running"))
    store.rest()
    other = store_of(kafka, layout)
    other.recover(Index())
    other.note(replace(other.report(), state="paused"))
    other.close()
    eventually(store.superseded)
    with pytest.raises(Superseded):
        store.note(OwnerReport(state="running"))
    store.recover(index)
    assert store.report().state == "paused"
    store.note(OwnerReport(state="running"))
    store.close()


def test_streams_share_an_admin_client_as_long_as_they_have_the_same_settings(kafka: Broker) -> None:
    """Another password is another client; one that gets no answer, or a refusal, is replaced."""
    first = SHARING.by(kafka.client)
    assert SHARING.by(dict(kafka.client)) is first
    assert SHARING.by({**kafka.client, "client.id": "another"}) is not first
    with first.admin.lent() as client, first.admin.lent() as again:
        assert again is client
    first.admin.replace(object())
    with suppress(KafkaException), first.admin.lent() as again:
        assert again is client
        raise KafkaException(KafkaError(KafkaError.NOT_CONTROLLER))
    with first.admin.lent() as another:
        assert another is not client


def test_the_producers_of_a_process_are_counted_while_they_are_there(kafka: Broker, layout: Layout) -> None:
    """Recovering again replaces one; resting and closing give it up."""
    shared = Sharing(SYSTEM).by(kafka.client)
    shared.producers = Producers(most=2, clock=SYSTEM)
    first = KafkaStore(kafka.client, layout, clock=SYSTEM, shared=shared)
    second = KafkaStore(kafka.client, replace(layout, connection="other"), clock=SYSTEM, shared=shared)
    for store in (first, first, second):
        assert not store.crowded()
        store.recover(Index())
    assert first.crowded()
    second.rest()
    second.rest()
    assert not first.crowded()
    second.note(OwnerReport(state="running"))
    assert first.crowded()
    for store in (first, second, first):
        store.close()
    assert not first.crowded()


def test_streams_wait_for_their_turn_as_long_as_others_get_theirs() -> None:
    """A thousand take longer than anybody's patience: they must not all begin when that ends."""
    turns = Turns(places=1, patience=0.3, clock=SYSTEM)
    inside: list[int] = []
    most: list[int] = []

    def begin() -> None:
        with turns.turn():
            inside.append(1)
            most.append(len(inside))
            threading.Event().wait(0.1)  # what a stream does in its turn
            inside.pop()

    threads = [threading.Thread(target=begin) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (len(most), max(most)) == (10, 1)


def test_few_streams_begin_at_a_time_and_nobody_waits_for_ever() -> None:
    """A place that is free is taken at once; behind those that hang, patience ends."""
    turns = Turns(places=2, patience=0.05, clock=SYSTEM)
    with turns.turn(), turns.turn():
        begun_at = time.monotonic()
        with turns.turn():
            assert time.monotonic() - begun_at >= 0.05
    patient = Turns(places=1, patience=60.0, clock=SYSTEM)
    inside: list[int] = []
    most: list[int] = []

    def begin() -> None:
        with patient.turn():
            inside.append(1)
            most.append(len(inside))
            inside.pop()

    threads = [threading.Thread(target=begin) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (len(most), max(most)) == (20, 1)
