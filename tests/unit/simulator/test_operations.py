"""Operations on the content and the CMSs: each does what it says, and refuses what does not exist."""

import pytest

from connector.simulator import Simulator, UnknownEntityError
from tests.unit.simulator.readers import READERS

CONTENTFUL = READERS["contentful"]


def test_entries_are_live_at_the_start() -> None:
    """As many as requested, a fifth as many assets (plus one), and all content types."""
    simulator = Simulator(entries=100)
    assert len(simulator.ids()) == 100
    assert len(simulator.ids("asset")) == 21
    assert set(simulator.ids("content_type")) == {"blogPost", "product", "author", "category"}


def test_a_simulator_may_be_empty() -> None:
    """Of entries."""
    assert Simulator(entries=0).ids() == []


def test_a_release_has_one_time() -> None:
    """All its entries share it."""
    simulator = Simulator(entries=30)
    cursor = CONTENTFUL.caught_up(simulator)
    released = simulator.release(12)
    items = CONTENTFUL.items(simulator, sync_token=cursor)
    assert {item["sys"]["id"] for item in items} == set(released)
    assert len({item["sys"]["updatedAt"] for item in items}) == 1


def test_a_deleted_entity_starts_again_with_revision_1() -> None:
    """When it is created under its old id."""
    simulator = Simulator(entries=5)
    id_ = simulator.ids()[0]
    simulator.edit(id_)
    simulator.delete(id_)
    simulator.publish("author", id=id_)
    assert [live.revision for live in simulator.truth("contentful") if live.id == id_] == [1]


def test_a_skewed_clock_dates_changes_earlier() -> None:
    """The order in the stream is still that of the changes."""
    simulator = Simulator(entries=5)
    simulator.skew_clock(-3600)
    id_ = simulator.edit(simulator.ids()[0])
    *others, skewed = simulator.truth("contentful")
    assert skewed.id == id_
    assert all(skewed.changed_at < other.changed_at for other in others)


def test_wall_clock_dates_changes_with_real_time() -> None:
    """The initial content is older."""
    simulator = Simulator(entries=5, wall_clock=True)
    simulator.edit(simulator.ids()[0])
    times = [live.changed_at for live in simulator.truth("contentful")]
    assert times == sorted(times)


def test_unknown_entities_and_locales_are_refused() -> None:
    """The errors name them."""
    simulator = Simulator(entries=5)
    with pytest.raises(UnknownEntityError, match="nobody"):
        simulator.edit("nobody")
    with pytest.raises(UnknownEntityError, match="it-IT"):
        simulator.publish("author", locales=["it-IT"])
    id_ = simulator.publish("author", locales=["en-US"])
    with pytest.raises(UnknownEntityError, match="de-DE"):
        simulator.unpublish(id_, locale="de-DE")


def test_publishing_an_existing_entity_leaves_its_content() -> None:
    """An existing id is published once more: its revision increases, its fields stay the same."""
    simulator = Simulator(entries=5)
    id_ = simulator.ids()[0]
    (before,) = (live for live in simulator.truth("contentful") if live.id == id_)
    assert simulator.publish(id=id_) == id_
    (after,) = (live for live in simulator.truth("contentful") if live.id == id_)
    assert (after.revision, after.fields) == (before.revision + 1, before.fields)


def test_another_environment_has_other_content() -> None:
    """Behind the same names; the same seed restores the content."""
    simulator = Simulator(seed=1, entries=5)
    ids = simulator.ids()
    simulator.swap_environment()
    assert not set(ids) & set(simulator.ids())
    simulator.swap_environment(1)
    assert simulator.ids() == ids


def test_a_quirk_is_one_that_the_vendor_has_shown() -> None:
    """Any other is an error that names it, and nothing is switched on."""
    with pytest.raises(LookupError, match="levitation"):
        Simulator(entries=1).set_quirks("contentstack", ["levitation"])
