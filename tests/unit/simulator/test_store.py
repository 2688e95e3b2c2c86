"""The content store: what is live, and a log of how it came to be."""

import pytest

from connector.simulator import model
from connector.simulator.store import Clock, Store, UnknownEntityError

DEFAULT, GERMAN, FRENCH = "en-US", "de-DE", "fr-FR"


def test_time_advances_unless_it_is_held() -> None:
    """All changes of a release have the same time; the next change is later."""
    clock = Clock(wall=False)
    first = clock.tick()
    with clock.held():
        held = {clock.tick() for _ in range(3)}
    assert len(held) == 1
    assert first < held.pop() < clock.tick()


def test_a_skewed_clock_is_off_by_its_skew() -> None:
    """By exactly that much."""
    right, skewed = Clock(wall=False, start=1000), Clock(wall=False, start=1000)
    skewed.skew = -400
    assert [skewed.tick() for _ in range(3)] == [right.tick() - 400 for _ in range(3)]


def test_losing_a_locale_is_a_revision_and_losing_all_is_none() -> None:
    """Each step is in the log, with the locales it affected."""
    store = Store(1, 0)
    created = store.create("entry", "author", id="e1", locales=[DEFAULT, GERMAN])
    partly = store.remove("e1", "unpublished", locale=GERMAN)
    gone = store.remove("e1", "unpublished")
    assert [(each.revision, each.live) for each in (created, partly, gone)] == [
        (1, (DEFAULT, GERMAN)),
        (2, (DEFAULT,)),
        (2, ()),
    ]
    assert [(each.action, each.locales) for each in store.log[-3:]] == [
        ("published", (DEFAULT, GERMAN)),
        ("unpublished", (GERMAN,)),
        ("unpublished", (DEFAULT,)),
    ]
    assert store.ids() == []


def test_an_unpublished_entity_is_known_and_a_deleted_one_is_not() -> None:
    """Only the unpublished one can be published again."""
    store = Store(1, 0)
    for id_ in ("e1", "e2"):
        store.create("entry", "author", id=id_)
    store.remove("e1", "unpublished")
    store.remove("e2", "deleted")
    assert store.edit("e1").live == (DEFAULT, GERMAN, FRENCH)
    with pytest.raises(UnknownEntityError, match="e2"):
        store.edit("e2")
    assert store.ids() == ["e1"]


def test_what_is_not_live_cannot_be_removed() -> None:
    """Nothing is written to the log."""
    store = Store(1, 0)
    store.create("entry", "author", id="e1", locales=[DEFAULT])
    length = len(store.log)
    with pytest.raises(UnknownEntityError):
        store.remove("e1", "deleted", locale=FRENCH)
    assert len(store.log) == length


def test_a_type_goes_with_its_entries() -> None:
    """One step of the log, which names the live ones; entries of other types stay."""
    store = Store(1, 0)
    for id_, content_type in (("e1", "author"), ("e2", "author"), ("e3", "product")):
        store.create("entry", content_type, id=id_)
    store.remove("e2", "unpublished")
    store.remove_type("author")
    assert [each.id for each in store.log[-1].cascade if each.id.startswith("e")] == ["e1"]
    assert "e3" in store.ids()
    assert not {"author", "e1", "e2"} & store.versions.keys()


def test_overridden_fields_stay_over_edits() -> None:
    """Generated fields change with each edit."""
    store = Store(1, 0)
    store.create("entry", "author", id="e1", fields={"name": {DEFAULT: "Ada"}})
    before = store.values(store.known("e1"))
    after = store.values(store.edit("e1"))
    assert before["name"] == after["name"] == {DEFAULT: "Ada"}
    assert before["biography"] != after["biography"]


def test_a_version_keeps_the_type_it_was_published_with() -> None:
    """Its content too; only a publication brings another one."""
    store = Store(1, 0)
    old = store.create("entry", "author", id="e1")
    values = store.values(old)
    store.change_type(model.without_field(store.types["author"], "bornOn"))
    partly = store.remove("e1", "unpublished", locale=GERMAN)
    assert partly.schema == old.schema
    assert store.values(old) == values
    new = store.edit("e1", same=True)
    assert new.schema == store.types["author"]
    assert store.values(new).keys() == values.keys() - {"bornOn"}


def test_an_edited_type_is_a_change_of_the_type_itself() -> None:
    """In the log like any publication, and its entries are not."""
    store = Store(1, 0)
    store.create("entry", "author", id="e1")
    store.change_type(model.without_field(store.types["author"], "bornOn"))
    last = store.log[-1]
    assert (last.action, last.version.kind, last.version.id, last.version.revision) == (
        "published",
        "content_type",
        "author",
        2,
    )
    assert store.model().content_types[2] == last.version.schema


def test_an_entry_of_an_unknown_type_has_no_content() -> None:
    """But what it was given."""
    store = Store(1, 0)
    unknown = store.create("entry", "dream", id="e1", fields={"name": {DEFAULT: "Ada"}})
    assert unknown.schema is None
    assert store.values(unknown) == {"name": {DEFAULT: "Ada"}}
