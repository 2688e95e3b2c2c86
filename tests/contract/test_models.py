"""Every vendor's content model, asked of its simulator: it describes what the stream delivers."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from connector.cms.model_source import fetch
from connector.cms.source import Source
from connector.model.change import Change
from connector.model.checkpoint import Position
from connector.model.content_model import ContentModel, FieldKind
from connector.simulator import Simulator
from tests.story import source_of
from tests.tables import content_model

Values = Iterator[Any]


def is_point(value: Any) -> bool:
    """Return whether a value is an object of two numbers."""
    return isinstance(value, dict) and [isinstance(each, int | float) for each in value.values()] == [True, True]


def is_link(value: Any) -> bool:
    """Return whether a value points to something: an object with an id, or a plain id."""
    return isinstance(value, str) or any("id" in each or "uid" in each for each in (value, value.get("sys", {})))


FITS: dict[FieldKind, Callable[[Any], bool]] = {
    "text": lambda value: isinstance(value, str),
    "integer": lambda value: type(value) is int,
    "number": lambda value: type(value) in (int, float),
    "boolean": lambda value: isinstance(value, bool),
    "date": lambda value: isinstance(value, str) and value[:4].isdigit(),
    "location": is_point,
    "link": is_link,
    "links": lambda value: isinstance(value, list) and all(map(is_link, value)),
    "texts": lambda value: isinstance(value, list) and all(isinstance(each, str) for each in value),
    "json": lambda _value: True,
}
"""What the values of each kind look like, in JSON."""


@pytest.fixture
def simulator() -> Simulator:
    """Give a simulator with enough entries to show every field."""
    return Simulator(seed=7, entries=60)


@pytest.fixture
def source(simulator: Simulator, name: str) -> Iterator[Source]:
    """Give a source of the simulated CMS."""
    opened = source_of(simulator, name)
    yield opened
    opened.close()


@pytest.fixture
def delivered(source: Source) -> list[Change]:
    """Give what the stream delivers."""
    return [change for page in source.walk(Position()) for change in page.changes]


@pytest.fixture
def model(source: Source) -> ContentModel:
    """Give the content model: what the API lists, and the content types that the stream delivers."""
    return content_model(source)


def values(change: Change, *, localized: bool) -> dict[str, list[Any]]:
    """Return the values of an entry's fields, of all locales."""
    fields = json.loads(change.fields or b"{}")
    found = {name: [value] if localized else list(value.values()) for name, value in fields.items()}
    return {name: [value for value in each if value not in (None, "", [])] for name, each in found.items()}


def test_every_delivered_value_is_of_its_kind(source: Source, delivered: list[Change], model: ContentModel) -> None:
    """Each field of the model is delivered by its name, and holds what its kind says."""
    by_type: dict[str | None, dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
    for change in delivered:
        if change.fields and change.key.entity_type == "entry":
            for name, found in values(change, localized=source.vendor.localized).items():
                by_type[change.content_type][name] += found
    assert by_type.keys() == {content_type.id for content_type in model.content_types}
    anywhere = {name for fields in by_type.values() for name in fields}
    for content_type in model.content_types:
        shown = by_type[content_type.id]
        assert {field.name for field in content_type.fields} <= anywhere
        assert content_type.display_field is None or content_type.display_field in shown
        wrong = [
            (content_type.id, field, value)
            for field in content_type.fields
            for value in shown[field.name]
            if not FITS[field.kind](value)
        ]
        assert wrong == []


def test_no_delivered_field_is_missing(source: Source, delivered: list[Change], model: ContentModel) -> None:
    """Where fields have a member of their own, the model knows each that has a value."""
    if source.vendor.localized:
        pytest.skip("its fields stand between the members of its system")
    known = {content_type.id: {field.name for field in content_type.fields} for content_type in model.content_types}
    missing = {
        (change.content_type, name)
        for change in delivered
        if change.fields and change.key.entity_type == "entry"
        for name, found in values(change, localized=False).items()
        if found and name not in known[str(change.content_type)]
    }
    assert missing == set()


def test_listed_locales_are_those_of_the_content(source: Source, delivered: list[Change], model: ContentModel) -> None:
    """One of them is the default; fallbacks are locales too."""
    if not model.locales:
        pytest.skip("this simulator lists none")
    codes = {locale.code for locale in model.locales}
    assert [locale.default for locale in model.locales].count(True) == 1
    assert {locale.fallback for locale in model.locales} - {None} <= codes
    used = {change.key.locale for change in delivered} - {"*"}
    for change in delivered:
        if change.key.entity_type == "entry" and not source.vendor.localized:
            used |= {code for value in json.loads(change.fields or b"{}").values() for code in value}
    assert used
    assert used <= codes


def test_a_model_is_listed_the_same_way_twice(source: Source) -> None:
    """Nothing of an entity changes without an edit: each digest is the same."""
    first, second = fetch(source), fetch(source)
    assert first == second
    assert first.gone(change.key for change in first.changes) == []
