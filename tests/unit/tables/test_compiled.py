"""What the compiled core writes rows of, and what it leaves to Python."""

from typing import Any

import pytest

from connector.model.core import CORE, RowWriter
from connector.tables import compiled
from connector.tables.kinds import KINDS
from connector.tables.places import Place, Slot, Source

pytestmark = pytest.mark.skipif(CORE is None, reason="the compiled core is not built here")


def source(member: str) -> Source:
    """Return a field of text, in the row's own locale and the only column."""
    slot = Slot(at=0, kind="text", how=KINDS["text"], column=member, field=member, locale=None)
    return Source(member, KINDS["text"], (Place(0, None, slot),))


def writer(member: str = "title") -> RowWriter:
    """Return what writes the rows of a table of one text."""
    made = compiled.writer([source(member)], [b"\0"])
    assert made
    return made


def test_a_row_is_its_columns_then_its_locale_between_what_it_is_told() -> None:
    """Each locale that any field has, in the order of the fields."""
    fields = b'{"title":{"de-DE":"a","en-US":null}}'
    assert writer().write(fields, None, None, "en-US", (b"<", b">")) == [
        ("de-DE", b"\2\2a<\x0ade-DE>"),
        ("en-US", b"\0<\x0aen-US>"),
    ]


def test_an_entity_without_values_has_the_row_that_is_told() -> None:
    """A table without it would lose the entity."""
    assert writer().write(b"{}", None, None, "en", (b"", b"")) == [("en", b"\0\4en")]


def test_rows_that_are_named_are_the_only_ones() -> None:
    """One row of the default locale, or none."""
    assert writer().write(b'{"title":"a"}', "en", ["en"], "en", (b"", b"")) == [("en", b"\2\2a\4en")]
    assert writer().write(b'{"title":"a"}', "de", [], "en", (b"", b"")) == []


@pytest.mark.parametrize(
    "fields",
    [
        '{"title":{"en":5}}',
        r'{"title":{"en":"\u0000"}}',
        r'{"title":{"en":"\ud800"}}',
        '{"title":"a"}',
        '{"title":{"en":"a"},"title":{}}',
        '{"title":{"en":"a","en":"b"}}',
        '{"another":{"en":"a"}}',
        "[]",
        "no JSON",
    ],
)
def test_what_is_out_of_the_ordinary_is_for_python(fields: str) -> None:
    """Which says what is wrong with it, or reads it nevertheless."""
    assert writer().write(fields.encode(), None, None, "en", (b"", b"")) is None


@pytest.mark.parametrize("members", [["title", "title"], ["\ud800"]])
def test_fields_that_cannot_be_told_apart_have_no_writer(members: list[str]) -> None:
    """Python looks for them one by one."""
    assert compiled.writer([source(member) for member in members], [b"\0"]) is None


def test_a_kind_that_the_core_does_not_know_is_refused() -> None:
    """A kind of field that is added in Python alone is found at once."""
    made: Any = CORE
    with pytest.raises(ValueError, match="no fields of kind colour"):
        made.Rows([("title", "colour", [(0, None)])], [b"\0"])
