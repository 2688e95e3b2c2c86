"""Generated content: the same arguments give the same values, and every id, type and locale is valid."""

import re

from connector.simulator.content import TYPES, Content, entity_id, locales_at, type_at
from connector.simulator.value import LOCALES


def test_an_id_is_made_of_its_seed_kind_and_number() -> None:
    """22 characters, none repeated."""
    ids = [entity_id(seed, kind, index) for seed in (1, 2) for kind in ("entry", "asset") for index in range(200)]
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{22}", each) for each in ids)
    assert len(set(ids)) == len(ids)
    assert entity_id(1, "entry", 0) == ids[0]


def test_content_is_made_of_its_arguments() -> None:
    """Another edit or another seed gives other content."""

    def values(seed: int, edit: int) -> object:
        return Content(seed).values("blogPost", 3, edit, LOCALES)

    assert values(1, 0) == values(1, 0)
    assert values(1, 0) != values(1, 1)
    assert values(1, 0) != values(2, 0)


def test_an_entry_has_the_fields_of_its_type() -> None:
    """Localized ones in every locale it is written in, others in the default one; an unknown type has none."""
    for each in TYPES:
        values = Content(1).values(each.id, 3, 0, LOCALES[:2])
        assert {name: tuple(by) for name, by in values.items()} == {
            field.id: LOCALES[:2] if field.localized else LOCALES[:1] for field in each.fields
        }
    assert Content(1).values("unknown", 3, 0, LOCALES) == {}


def test_every_type_and_every_choice_of_locales_occurs() -> None:
    """Among the first entries; the default locale is always one."""
    assert {type_at(index) for index in range(10)} == {each.id for each in TYPES}
    chosen = {locales_at(index) for index in range(10)}
    assert len(chosen) == 4
    assert all(locales[0] == LOCALES[0] for locales in chosen)
