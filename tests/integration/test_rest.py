"""An idle stream without a producer, on a real broker: what it saves, and what its next commit proves first."""

import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from msgspec.structs import replace

from connector.clock import SYSTEM
from connector.cms.source import ignore
from connector.devservers.broker import Broker
from connector.errors import LocalTrouble, Superseded
from connector.events.index import Index
from connector.events.owner_report import OwnerReport
from connector.kafka.sharing import Places, Sharing
from connector.kafka.store import KafkaStore
from connector.kafka.topic_names import Layout
from connector.kafka.transaction import REAL_PRODUCER
from connector.model.change import EntityKey
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
    """Another password is another client, and so is the next after one that knows the cluster no longer."""
    first = SHARING.by(kafka.client)
    assert SHARING.by(dict(kafka.client)) is first
    assert SHARING.by({**kafka.client, "client.id": "another"}) is not first
    with first.admin.lent() as client, first.admin.lent() as again:
        assert again is client
    for answer in (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.NOT_CONTROLLER):
        with suppress(KafkaException), first.admin.lent() as again:
            assert again is client
            raise KafkaException(KafkaError(answer))
    with first.admin.lent() as another:
        assert another is not client


def test_the_producers_of_a_process_are_counted_while_they_are_there(kafka: Broker, layout: Layout) -> None:
    """Recovering again replaces one; resting and closing give it up."""
    shared = Sharing(SYSTEM).by(kafka.client)
    shared.producers = Places(2, patience=60.0, clock=SYSTEM)
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


def test_a_producer_that_could_not_be_had_is_not_counted(kafka: Broker, layout: Layout) -> None:
    """Neither by a recovery nor by a stream that wakes up: such counts would fill the places for good."""
    refuses = False

    def made(*args: Any, **options: Any) -> Any:
        if refuses:
            raise LocalTrouble("no thread is left")
        return REAL_PRODUCER(*args, **options)

    shared = Sharing(SYSTEM).by(kafka.client)
    shared.producers = Places(1, patience=60.0, clock=SYSTEM)
    store = KafkaStore(kafka.client, layout, clock=SYSTEM, shared=shared, producer=made)
    store.recover(Index())
    store.rest()
    refuses = True
    with pytest.raises(LocalTrouble):
        store.note(OwnerReport(state="running"))
    assert not store.crowded()
    with pytest.raises(LocalTrouble):
        store.recover(Index())
    assert not store.crowded()


def test_a_stream_that_was_handed_over_fences_nobody(kafka: Broker, layout: Layout) -> None:
    """Neither from the queue of those that recover, nor when it would wake up: its new owner goes on undisturbed."""
    stop, other = threading.Event(), store_of(kafka, layout)
    shared = Sharing(SYSTEM).by(kafka.client)
    leaving = KafkaStore(kafka.client, layout, clock=SYSTEM, shared=shared, stop=stop)
    leaving.recover(Index())
    leaving.rest()
    stop.set()
    other.recover(Index())
    with pytest.raises(Superseded):
        leaving.note(OwnerReport(state="running"))
    with pytest.raises(Superseded):
        leaving.recover(Index())
    other.note(OwnerReport(state="running"))
    other.close()


def test_events_of_open_topics_wait_for_nobody(kafka: Broker, layout: Layout) -> None:
    """Hundreds that recover after a rebalance hold no delta up: only what is yet to be opened is opened in turn."""
    shared = Sharing(SYSTEM).by(kafka.client)
    shared.turns = Places(1, patience=60.0, clock=SYSTEM)
    store, key = KafkaStore(kafka.client, layout, clock=SYSTEM, shared=shared), EntityKey("blog", "entry", "e1", "*")
    store.recover(Index())
    route = store.route(key)
    found = []
    with shared.turns.turn():
        publishing = threading.Thread(target=lambda: found.append(store.route(key)), daemon=True)
        publishing.start()
        publishing.join(10)
        assert found == [route]
    store.close()


def in_line(places: Places, count: int, *, wanted: Callable[[], bool] = lambda: True) -> list[threading.Thread]:
    """Let so many threads take a place, one after the other; return them."""
    waiting = []
    for _ in range(count):
        waiting.append(threading.Thread(target=suppressing, args=(places, wanted), daemon=True))
        waiting[-1].start()
    return waiting


def suppressing(places: Places, wanted: Callable[[], bool]) -> None:
    """Take a place, unless it is not wanted any more."""
    with suppress(Superseded):
        places.take(wanted)


def alive(threads: list[threading.Thread]) -> int:
    """Return how many threads still wait."""
    return sum(thread.is_alive() for thread in threads)


def waits(places: Places, count: int) -> bool:
    """Return whether so many wait for a place."""
    return places.waiting == count


def test_places_are_given_in_the_order_in_which_they_were_asked_for() -> None:
    """And never more than there are, however long the line is."""
    places = Places(2, patience=60.0, clock=SYSTEM)
    order: list[int] = []

    def use(number: int) -> None:
        with places.turn():
            order.append(number)

    with places.turn(), places.turn():
        threads = [threading.Thread(target=use, args=(number,)) for number in range(20)]
        for number, thread in enumerate(threads):
            thread.start()
            eventually(partial(waits, places, number + 1))
        assert order == []
    for thread in threads:
        thread.join(60)
    assert sorted(order) == list(range(20))
    assert places.waiting == 0


def test_nobody_waits_longer_than_patience_lasts_whatever_the_others_do() -> None:
    """All who have waited so long go ahead together, also while a busy stream takes and gives back without end."""
    places = Places(1, patience=1.5, clock=SYSTEM)
    places.take()
    waiting = in_line(places, 5)
    while alive(waiting):
        places.take_at_once()
        places.give_back()
    assert not places.waiting


def test_whoever_is_not_wanted_any_more_leaves_the_line() -> None:
    """Soon, and without a place."""
    places, gone = Places(1, patience=60.0, clock=SYSTEM), threading.Event()
    places.take()
    waiting = in_line(places, 3, wanted=lambda: not gone.is_set())
    eventually(lambda: places.waiting == 3)
    gone.set()
    eventually(lambda: not alive(waiting))
    places.give_back()
    places.take()
    assert places.waiting == 0
