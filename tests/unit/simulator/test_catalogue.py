"""What a simulated space begins with: its content types, and fields of every kind."""

from typing import get_args

import pytest

from connector.simulator.catalogue import LOCALES, TYPES, content_types
from connector.simulator.value import DEFAULT_LOCALE, FieldType


def test_further_types_follow_the_first_four() -> None:
    """As many as requested, each with another id; the first ones stay as they are."""
    made = content_types(60)
    assert made[:4] == TYPES == content_types(4)
    assert len({each.id for each in made}) == len(made) == 60
    assert made[:20] == content_types(20)


def test_fewer_types_than_four_are_refused() -> None:
    """Links of generated entries need them."""
    with pytest.raises(ValueError, match="at least 4"):
        content_types(3)


def test_twenty_types_have_fields_of_every_type() -> None:
    """Each begins with its title, and some ids hold a hyphen or begin with a digit."""
    made = content_types(20)
    assert {field.type for each in made for field in each.fields} == set(get_args(FieldType))
    assert all(each.fields[0].type == "symbol" for each in made)
    assert any("-" in each.id for each in made)
    assert any(each.id[0].isdigit() for each in made)


def test_links_point_to_types_that_exist() -> None:
    """Whatever the number of types."""
    ids = {each.id for each in TYPES}
    targets = {field.target for each in content_types(60) for field in each.fields}
    assert targets - {""} <= ids


def test_every_locale_falls_back_to_the_default_one() -> None:
    """Which falls back to none."""
    assert [each.fallback for each in LOCALES] == [None, DEFAULT_LOCALE, DEFAULT_LOCALE]
    assert LOCALES[0].code == DEFAULT_LOCALE
