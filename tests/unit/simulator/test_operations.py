"""Operations on the content and the CMSs: each does what it says, and refuses what does not exist."""

import json
from typing import Any

import pytest

from connector.simulator import Field, Simulator, UnknownEntityError
from connector.simulator.model import UnknownFieldError
from tests.unit.simulator.readers import READERS

CONTENTFUL = READERS["contentful"]


def fields(simulator: Simulator, id_: str) -> dict[str, Any]:
    """Return the delivered fields of an entry."""
    (live,) = (each for each in simulator.truth("weegloo") if each.id == id_)
    return dict(json.loads(live.fields or b"{}"))


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


def test_a_simulator_may_begin_with_more_types() -> None:
    """Entries of them are live from the start, and the first ones are as always."""
    simulator = Simulator(entries=100, content_types=20)
    assert len(simulator.ids("content_type")) == 20
    assert all(simulator.ids(content_type=each) for each in simulator.ids("content_type"))
    simulator.swap_environment()
    assert len(simulator.ids("content_type")) == 20
    with pytest.raises(ValueError, match="at least 4"):
        Simulator(content_types=3)


def test_an_entry_follows_an_edit_of_its_type_when_it_is_published_again() -> None:
    """Until then it is delivered as it was; even a publication without new content brings the new fields."""
    simulator = Simulator(entries=20)
    first, second = simulator.ids(content_type="author")[:2]
    before = fields(simulator, first)
    simulator.add_field("author", "rank", "integer")
    simulator.remove_field("author", "portrait")
    simulator.rename_field("author", "bornOn", "birthday")
    simulator.retype_field("author", "biography", "integer")
    assert fields(simulator, first) == before
    simulator.publish(id=first)
    after = fields(simulator, first)
    assert after.keys() == {"name", "biography", "birthday", "rank"}
    assert (after["name"], after["birthday"]) == (before["name"], before["bornOn"])
    assert all(type(value) is int for value in (*after["biography"].values(), *after["rank"].values()))
    assert fields(simulator, second).keys() == before.keys()
    assert fields(simulator, simulator.publish("author")).keys() == after.keys()


def test_given_values_follow_their_field_or_go_with_it() -> None:
    """When their entry is published again; a new value can be given at the same time."""
    simulator = Simulator(entries=5)
    given = {"name": {"en-US": "Ada"}, "bornOn": {"en-US": "1815"}, "portrait": {"en-US": "P"}, "odd": {"en-US": "?"}}
    id_ = simulator.publish("author", fields=given)
    simulator.rename_field("author", "name", "fullName")
    simulator.retype_field("author", "bornOn", "integer")
    simulator.remove_field("author", "portrait")
    assert fields(simulator, id_)["name"] == {"en-US": "Ada"}
    simulator.edit(id_, fields={"odd": {"en-US": "!"}})
    after = fields(simulator, id_)
    assert (after["fullName"], after["odd"]) == ({"en-US": "Ada"}, {"en-US": "!"})
    assert type(after["bornOn"]["en-US"]) is int
    assert "portrait" not in after


def test_a_field_that_comes_back_is_another_one() -> None:
    """Its id tells."""
    simulator = Simulator(entries=5)
    gone = simulator.remove_field("author", "portrait")
    assert simulator.add_field("author", "portrait", "asset") != gone
    assert simulator.rename_field("author", "portrait", "photo") == simulator.retype_field("author", "photo", "assets")


def test_a_new_type_has_entries_when_they_are_published() -> None:
    """Links without a target point to their own type; a type that is gone may come back with other fields."""
    simulator = Simulator(entries=5)
    made = [Field("name", "symbol"), Field("next", "entry"), Field("by", "entry", target="author")]
    assert simulator.add_content_type("event", made, name="Event") == "event"
    assert fields(simulator, simulator.publish("event")).keys() == {"name", "next", "by"}
    (event,) = (each for each in simulator.model("weegloo").content_types if each.id == "event")
    assert [each.target for each in event.fields] == ["", "event", "author"]
    simulator.delete_content_type("event")
    simulator.add_content_type("event", [Field("label", "text")])
    assert fields(simulator, simulator.publish("event")).keys() == {"label"}


def test_new_entries_may_be_written_in_a_new_locale() -> None:
    """And old ones in it if they are edited in it; others stay as they are."""
    simulator = Simulator(entries=5)
    old, other = simulator.ids()[:2]
    assert simulator.add_locale("it-IT", fallback="en-US", name="Italian") == "it-IT"
    simulator.edit(old, locales=["it-IT"])
    titles = [fields(simulator, each) for each in (old, other, *(simulator.publish("category") for _ in range(4)))]
    written = ["it-IT" in {locale for by in each.values() for locale in by} for each in titles]
    assert written[:2] == [True, False]
    assert any(written[2:])
    assert simulator.model("contentstack").locales[-1].code == "it-it"


def test_unknown_types_fields_and_locales_are_refused() -> None:
    """The errors name them, and nothing has changed."""
    simulator = Simulator(entries=5)
    models = [simulator.model(vendor) for vendor in READERS]
    changes = len(simulator.changes())
    with pytest.raises(LookupError, match="no content type 'dream'; there are blogPost, product"):
        simulator.add_field("dream", "rank", "integer")
    with pytest.raises(LookupError, match="no content type 'dream'"):
        simulator.add_field("author", "to", "entry", target="dream")
    with pytest.raises(LookupError, match="no content type 'dream'"):
        simulator.add_content_type("event", [Field("name", "symbol"), Field("to", "entry", target="dream")])
    with pytest.raises(UnknownFieldError, match="author has no field 'rank'"):
        simulator.remove_field("author", "rank")
    with pytest.raises(LookupError, match="no locale 'it-IT'"):
        simulator.add_locale("de-AT", fallback="it-IT")
    for taken in ("blog_post", simulator.ids()[0]):
        with pytest.raises(ValueError, match="already"):
            simulator.add_content_type(taken.lstrip("-_"), [Field("name", "symbol")])
    assert [simulator.model(vendor) for vendor in READERS] == models
    assert len(simulator.changes()) == changes


def test_a_type_that_is_not_live_is_not_in_the_model() -> None:
    """However it went; an unpublished one comes back when it is published again, a deleted one can be made again."""
    simulator = Simulator(entries=5)
    simulator.unpublish("author")
    simulator.delete("category")
    for vendor, reader in READERS.items():
        assert [each.name for each in simulator.model(vendor).content_types] == ["Blog post", "Product"]
        assert reader.model(simulator) == simulator.model(vendor)
    simulator.edit("author")
    simulator.add_content_type("category", [Field("name", "symbol")])
    for vendor, reader in READERS.items():
        assert len(simulator.model(vendor).content_types) == 4
        assert reader.model(simulator) == simulator.model(vendor)
