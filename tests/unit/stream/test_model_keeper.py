"""A stream's tables follow the content model as the CMS has it; what is asked when, and what becomes of failures."""

import pytest

from connector.simulator import Fault, Simulator
from connector.stream.follower import Follower
from connector.tables.columns import Options
from connector.testing import MemoryStore
from tests.published import latest, seen
from tests.story import HOUR, Steps, Told
from tests.values import CONNECTION

NAMES = ("contentful", "contentstack", "weegloo")


@pytest.fixture
def simulator() -> Simulator:
    """Give a simulator with several pages."""
    return Simulator(seed=5, entries=12, page_sizes=dict.fromkeys(NAMES, 8))


@pytest.fixture
def store() -> MemoryStore:
    """Give a store."""
    return MemoryStore(connection=CONNECTION)


def told(simulator: Simulator, store: MemoryStore, name: str = "contentful") -> Told:
    """Give a stream of the simulated CMS with tables into the store."""
    made = Told(simulator, name, lambda: store)
    made.tables = Options()
    return made


def asked(simulator: Simulator, name: str = "contentful") -> int:
    """Return how many requests there were for the content model."""
    return len(simulator.model_requests(name))


def topics(store: MemoryStore) -> set[str]:
    """Return the topics that have records."""
    return {record.topic.partition(".table.")[2] or "changes" for record in store.records}


def current(follower: Follower) -> bool:
    """Return whether a stream holds everything there is."""
    status = follower.status
    return (status.phase, status.state) == ("streaming", "running")


@pytest.mark.parametrize("name", NAMES)
def test_rows_are_published_from_the_first_event_on(simulator: Simulator, store: MemoryStore, name: str) -> None:
    """The model is known before the first item is published, whether the API lists it or the stream delivers it."""

    def story(follower: Follower) -> Steps:
        yield lambda: current(follower)

    told(simulator, store, name).tell(story)
    assert {"changes", "_asset", "author", "category", "product"} < topics(store)
    assert not any("dead-letters" in record.topic for record in store.records)
    in_one = [{record.topic for record in records} for records in store.transactions if records]
    assert any(len(each) > 2 for each in in_one)


def test_content_types_and_locales_are_entities(simulator: Simulator, store: MemoryStore) -> None:
    """They are published as any other; one that is gone is deleted, and survives no reconciliation."""
    stream = told(simulator, store)

    def kinds() -> set[tuple[str, str]]:
        changes = [record for record in store.records if record.topic.endswith(".changes")]
        return {(key.entity_type, key.id) for key, event in latest(seen(changes)).items() if event["op"] != "d"}

    def story(follower: Follower) -> Steps:
        yield lambda: current(follower)
        assert {("content_type", "author"), ("locale", "en-US")} < kinds()
        simulator.delete_content_type("category")
        yield 2 * HOUR

    stream.tell(story, poll_interval=300.0)
    assert ("content_type", "category") not in kinds()
    assert ("content_type", "author") in kinds()


def test_a_new_field_is_asked_for_at_once_and_else_nothing_but_every_hour(
    simulator: Simulator, store: MemoryStore
) -> None:
    """The row that shows it has it; later rows of the same fields ask for nothing."""

    def story(follower: Follower) -> Steps:
        yield lambda: current(follower)
        yield 60.0
        before = asked(simulator)
        simulator.add_field("author", "nickname", "symbol")
        simulator.edit(simulator.ids(content_type="author")[0])
        yield lambda: asked(simulator) > before
        yield 60.0
        once = asked(simulator)
        simulator.edit(simulator.ids(content_type="author")[0])
        yield 60.0
        assert asked(simulator) == once
        yield HOUR
        assert asked(simulator) > once

    told(simulator, store).tell(story, poll_interval=20.0)
    assert '"nickname"' in store.schemas["author"][-1]
    assert len(store.schemas["author"]) == 2


def test_a_restart_needs_no_model_request(simulator: Simulator, store: MemoryStore) -> None:
    """What is known is kept: a CMS that refuses its model stops nothing that is known."""

    def first(follower: Follower) -> Steps:
        yield lambda: current(follower)

    told(simulator, store).tell(first)
    simulator.push_fault("contentful", Fault("status", on="model", status=503, times=None))
    one = simulator.ids(content_type="author")[0]
    before = len(store.records)

    def second(follower: Follower) -> Steps:
        simulator.edit(one)
        yield lambda: len(store.records) > before
        yield lambda: current(follower)

    told(simulator, store).tell(second)
    assert store.records[-1].topic.endswith(".table.author")


def test_what_needs_a_model_that_cannot_be_had_waits(simulator: Simulator, store: MemoryStore) -> None:
    """Nothing is published without it; the request is repeated as any other."""
    simulator.push_fault("contentful", Fault("status", on="model", status=503, times=5))

    def story(follower: Follower) -> Steps:
        yield lambda: follower.status.state == "retrying"
        assert not store.records
        yield lambda: current(follower)

    told(simulator, store).tell(story)
    assert "author" in topics(store)


@pytest.mark.parametrize("name", NAMES)
def test_a_snapshot_begins_with_the_model_as_it_is_now(simulator: Simulator, store: MemoryStore, name: str) -> None:
    """Whatever the stream has missed of it: a field that has another type by then is a dead letter nowhere."""

    def story(follower: Follower) -> Steps:
        yield lambda: current(follower)
        yield 60.0
        simulator.retype_field("product", "stock", "symbol")
        for each in simulator.ids(content_type="product"):
            simulator.edit(each)
        simulator.expire_cursors()
        epoch = 1
        yield lambda: follower.status.epoch > epoch and current(follower)

    told(simulator, store, name).tell(story, poll_interval=20.0)
    assert not any("dead-letters" in record.topic for record in store.records)


def test_fields_that_are_gone_by_now_are_asked_for_once_each(simulator: Simulator, store: MemoryStore) -> None:
    """However many items of one walk have some: the answer for one is not forgotten over the next."""

    def story(follower: Follower) -> Steps:
        yield lambda: current(follower)
        yield 60.0
        before = follower.status.sequence
        for kind in ("author", "product", "category"):
            simulator.add_field(kind, f"{kind}Extra", "symbol")
            simulator.edit(simulator.ids(content_type=kind)[0])
        for kind in ("author", "product", "category"):
            simulator.remove_field(kind, f"{kind}Extra")
        # The entries, and their content types, of which each was edited.
        yield lambda: follower.status.sequence >= before + 6

    told(simulator, store).tell(story, poll_interval=300.0)
