"""Generated content: the same arguments give the same values, and every id, type and locale is valid."""

import re

import msgspec

from connector.simulator import model
from connector.simulator.catalogue import TYPES, content_types
from connector.simulator.content import Content, entity_id, locales_at
from connector.simulator.value import Field

LOCALES = ("en-US", "de-DE", "fr-FR")
POST = TYPES[0]


def test_an_id_is_made_of_its_seed_kind_and_number() -> None:
    """22 characters, none repeated."""
    ids = [entity_id(seed, kind, index) for seed in (1, 2) for kind in ("entry", "asset") for index in range(200)]
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{22}", each) for each in ids)
    assert len(set(ids)) == len(ids)
    assert entity_id(1, "entry", 0) == ids[0]


def test_content_is_made_of_its_arguments() -> None:
    """Another edit or another seed gives other content."""

    def values(seed: int, edit: int) -> object:
        return Content(seed).values(POST, 3, edit, LOCALES)

    assert values(1, 0) == values(1, 0)
    assert values(1, 0) != values(1, 1)
    assert values(1, 0) != values(2, 0)


def test_an_entry_has_the_fields_of_its_type() -> None:
    """Localized ones in every locale it is written in, others in the default one."""
    for each in content_types(20):
        values = Content(1).values(each, 3, 0, LOCALES[:2])
        assert {name: tuple(by) for name, by in values.items()} == {
            field.name: LOCALES[:2] if field.localized else LOCALES[:1] for field in each.fields
        }


def test_an_edit_of_the_type_leaves_the_values_of_other_fields() -> None:
    """A renamed field keeps its values; a new one, or one of another type, has its own."""
    content, edited = Content(1), model.without_field(POST, "body")
    edited = model.with_renamed(edited, "slug", "path")
    edited = model.with_retyped(edited, "featured", "integer", "")
    edited = model.with_field(edited, Field("rank", "integer", id="blogPost-r9"))
    before, after = content.values(POST, 3, 0, LOCALES), content.values(edited, 3, 0, LOCALES)
    assert after.keys() == before.keys() - {"body", "slug"} | {"path", "rank"}
    assert after["path"] == before["slug"]
    same = before.keys() & after.keys() - {"featured"}
    assert {name: after[name] for name in same} == {name: before[name] for name in same}
    assert all(type(after[name]["en-US"]) is int for name in ("featured", "rank"))


def test_another_locale_has_words_of_its_own() -> None:
    """None of them is in the default locale."""
    values = Content(1).values(POST, 3, 0, ("en-US", "it-IT"))
    words = set(values["summary"]["it-IT"].split()[:9])
    assert words
    assert not words & set(values["summary"]["en-US"].split())


def test_links_point_to_entries_of_their_type() -> None:
    """To none at all if the type has no share of the entries."""
    further = tuple(each.id for each in content_types(6)[4:])
    content = Content(1, further)
    ids = {entity_id(1, "entry", index): content.type_at(index) for index in range(100)}
    for index in range(40):
        (author,) = content.values(POST, index, 0, LOCALES)["author"].values()
        assert ids.get(author.id, "author") == author.content_type == "author"
    linking = msgspec.structs.replace(POST, fields=(Field("to", "entry", target="unknown", id="x"),))
    assert content.values(linking, 3, 0, LOCALES)["to"]["en-US"].id not in ids


def test_every_type_and_every_choice_of_locales_occurs() -> None:
    """Among the first entries; the default locale is always one."""
    assert {Content(1).type_at(index) for index in range(10)} == {each.id for each in TYPES}
    assert {Content(1, ("event",)).type_at(index) for index in range(11)} == {each.id for each in TYPES} | {"event"}
    chosen = {locales_at(index, LOCALES) for index in range(10)}
    assert len(chosen) == 4
    assert all(locales[0] == LOCALES[0] for locales in chosen)
