"""Published entities to rows: which ones there are, what stands in them, and what does not fit."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from connector.errors import ModelRefused
from connector.events import codec
from connector.model.change import EntityKey
from connector.model.content_model import Locale
from connector.model.timestamp import read as moment
from connector.tables import schema
from connector.tables.columns import Locales
from connector.tables.rows import Row, removed
from connector.tables.values import Misfit
from tests.unit.tables.models import AT, DE, EN, STAMP, entry, field, layout_of, post, read, table_of
from tests.values import clock, clock_ms, entry_key

TITLE, PRICE, NUMBER = field("title"), field("price", "integer", localized=False), field("n", "number")


def rows_of(
    fields: Any, *models: Any, locales: Locales = "rows", localized: bool = False, locale: str = "*", live: str = ""
) -> Any:
    """Return the rows of an entry with these fields, whose locales before are given in one text."""
    table = table_of(*models, locales=locales, localized=localized)
    return table.rows(entry(fields, locale), STAMP, frozenset(live.split()))


def said(fields: Any, *models: Any, locales: Locales = "rows", **more: Any) -> Any:
    """Return what the rows say, by locale."""
    return read(rows_of(fields, *models, locales=locales, **more), layout_of(*models, locales=locales))


def test_there_is_a_row_for_each_delivered_locale() -> None:
    """The values of a field that is the same in all locales are in every row."""
    fields = {"title": {"en-US": "Hi", "de-DE": "Hallo"}, "price": {"en-US": 5}}
    assert said(fields, post(TITLE, PRICE)) == {
        "en-US": {"title": "Hi", "price": 5},
        "de-DE": {"title": "Hallo", "price": 5},
    }


def test_a_row_says_where_it_comes_from() -> None:
    """The entity, the row's locale, the CMS's clocks, and the change event."""
    change = replace(
        entry({"title": {"en-US": "Hi"}}),
        revision=3,
        created_at=moment(clock(1)),
        updated_at=moment(clock(2)),
        changed_at=None,
    )
    (row,) = table_of(post(TITLE)).rows(change, STAMP).rows
    assert row.key == EntityKey("blog", "entry", "e1", "en-US")
    assert codec.decode_by(schema.text(layout_of(post(TITLE))), row.value or b"") == {
        "title": "Hi",
        "_entity_id": "e1",
        "_locale": "en-US",
        "_revision": 3,
        "_published_at": None,
        "_created_at": clock_ms(1),
        "_updated_at": clock_ms(2),
        "_sequence": STAMP.sequence,
        "_event_id": STAMP.event_id,
        "_op": STAMP.op,
    }


@pytest.mark.parametrize("fields", [b"{}", b'{"title":{}}', b'{"title":null}'])
def test_an_entity_without_values_has_a_row(fields: bytes) -> None:
    """It is published, and joins find it."""
    assert said(fields, post(TITLE)) == {"en-US": {}}


def test_an_item_of_one_locale_is_one_row() -> None:
    """Its fields hold values, and the members that are no fields are nobody's."""
    fields = {"uid": "e1", "title": "Hallo", "price": 5, "_version": 2}
    assert said(fields, post(TITLE, PRICE), localized=True, locale="de-de") == {"de-de": {"title": "Hallo", "price": 5}}
    assert rows_of(fields, post(TITLE), localized=True, locale="de-de").unknown == ()


def test_a_locale_that_is_gone_is_a_delete() -> None:
    """The rows that were there are deleted, and what is there now is told."""
    found = rows_of({"title": {"de-DE": "Hallo"}}, post(TITLE), live="en-US fr de-DE")
    assert [(row.key.locale, row.value is None) for row in found.rows] == [
        *(("de-DE", False), ("en-US", True), ("fr", True))
    ]
    assert found.live == {"de-DE"}


def test_a_removed_entity_deletes_its_rows() -> None:
    """Each under its own key."""
    key = entry_key()
    assert removed(key, {"en", "de"}) == (Row(replace(key, locale="de"), None), Row(replace(key, locale="en"), None))


def test_the_default_locale_alone() -> None:
    """One row, under the default locale's key; other locales give none, and items of other locales no row at all."""
    fields = {"title": {"en-US": "Hi", "de-DE": "Hallo"}, "price": {"en-US": 5}}
    assert said(fields, post(TITLE, PRICE), locales="default") == {"en-US": {"title": "Hi", "price": 5}}
    assert said({"title": "Hi"}, post(TITLE), locales="default", localized=True, locale="en-US") == {
        "en-US": {"title": "Hi"}
    }
    found = rows_of({"title": "Hallo"}, post(TITLE), locales="default", localized=True, locale="de-DE", live="de-DE")
    assert [(row.key.locale, row.value) for row in found.rows] == [("de-DE", None)]


@pytest.mark.parametrize("more", [{}, {"other": 1}])
def test_fallbacks_stand_in_for_the_default_locale(more: dict[str, int]) -> None:
    """Field by field, the first locale of the chain that has a value; a chain may lead in a circle."""
    known = (replace(AT, default=True), DE, replace(EN, default=False, fallback="de-AT"))
    table = table_of(post(TITLE, NUMBER, field("x")), locales="default", known=known)
    fields = {
        "title": {"de-DE": "Hallo", "en-US": "Hi"},
        "n": {"de-AT": None, "de-DE": None, "en-US": 1},
        "x": {"fr": "y"},
    }
    layout = layout_of(post(TITLE, NUMBER, field("x")), locales="default")
    assert read(table.rows(entry(fields | more), STAMP), layout) == {"de-AT": {"title": "Hallo", "n": 1.0}}


def test_without_a_default_locale_there_is_no_default_row() -> None:
    """That is an error that names the way out; rows of all locales need no default."""
    with pytest.raises(ModelRefused, match="no default locale"):
        table_of(post(TITLE), locales="default", known=(Locale(code="en"),))
    table = table_of(post(TITLE, PRICE), known=())
    found = read(table.rows(entry({"title": {"de": "a"}, "price": {"en": 5}}), STAMP), layout_of(post(TITLE, PRICE)))
    assert found == {"de": {"title": "a", "price": 5}, "en": {"price": 5}}


def test_chosen_locales_are_columns_of_one_row() -> None:
    """Its key is the entity's own; nothing stands in for a locale without a value."""
    fields = {"title": {"en-US": "Hi", "fr": "Salut"}, "price": {"en-US": 5}}
    assert said(fields, post(TITLE, PRICE), locales=("en-US", "de-DE")) == {"*": {"title__en_US": "Hi", "price": 5}}


def test_a_field_that_is_gone_is_null() -> None:
    """Even if its values are still delivered; the member is told as unknown."""
    found = rows_of({"title": {"en-US": "Hi"}, "price": {"en-US": 5}}, post(TITLE, PRICE), post(TITLE))
    assert read(found, layout_of(post(TITLE, PRICE), post(TITLE))) == {"en-US": {"title": "Hi"}}
    assert found.unknown == ("price",)


def test_a_renamed_field_is_read_by_its_new_name() -> None:
    """Into the column that it had."""
    models = post(field("title", id="f1")), post(field("headline", id="f1"))
    assert said({"headline": {"en-US": "Hi"}}, *models) == {"en-US": {"title": "Hi"}}


def test_content_older_than_its_model_goes_to_the_earlier_column() -> None:
    """A value that no longer fits stands where it did before the field changed its kind."""
    models = post(field("tags")), post(field("tags", "texts"))
    assert said({"tags": {"en-US": "a", "de-DE": ["b"]}}, *models) == {
        "en-US": {"tags": "a"},
        "de-DE": {"tags__2": ["b"]},
    }


def test_a_number_that_a_double_would_bend_is_text_and_counted() -> None:
    """In the column beside it, digit for digit."""
    long_one = "0.12345678901234567890"
    found = rows_of(b'{"n":{"en-US":' + long_one.encode() + b',"de-DE":0.1}}', post(NUMBER))
    assert read(found, layout_of(post(NUMBER))) == {"en-US": {"n__text": long_one}, "de-DE": {"n": 0.1}}
    assert found.inexact == 1


def test_what_is_no_number_or_date_is_text() -> None:
    """Where there is a column for the exact text, nothing is a misfit."""
    model = post(NUMBER, field("on", "date"))
    assert said({"n": {"en-US": "12 EUR"}, "on": {"en-US": [1]}}, model) == {
        "en-US": {"n__text": "12 EUR", "on__text": "[1]"}
    }


@pytest.mark.parametrize("nothing", [b'""', b"[]", b"null"])
def test_an_unset_field_is_null(nothing: bytes) -> None:
    """However the CMS writes that there is no value."""
    model = post(PRICE, field("ok", "boolean"), field("at", "location"), NUMBER)
    fields = b'{"price":%b,"ok":%b,"at":%b,"n":%b}' % (4 * (nothing,))
    assert said(fields, model, localized=True, locale="en") == {"en": {}}


def test_a_value_that_fits_nowhere_is_a_misfit() -> None:
    """Its row is not written and stays as it is; the other rows are written, and the reason does not tell the value."""
    fields = {"title": {"en-US": "Hi", "de-DE": 5, "fr": ["secret"]}}
    found = rows_of(fields, post(TITLE), live="de-DE")
    assert read(found, layout_of(post(TITLE))) == {"en-US": {"title": "Hi"}}
    reason = "the value is not a text that UTF-8 can hold"
    assert found.misfits == (Misfit("title", reason, "de-DE"), Misfit("title", reason, "fr"))
    assert found.live == {"en-US", "de-DE"}


def test_a_misfit_of_all_locales_keeps_every_row() -> None:
    """Nothing is written; a locale that is gone is deleted."""
    found = rows_of({"title": {"en-US": "Hi"}, "price": {"en-US": 5.5}}, post(TITLE, PRICE), live="en-US fr")
    assert [(row.key.locale, row.value) for row in found.rows] == [("fr", None)]
    assert found.misfits == (Misfit("price", "the value is not a whole number of 64 bits", None),)
    assert found.live == {"en-US"}


@pytest.mark.parametrize("field_", [b"5", b'"Hi"', b'{"en-US":"a","en-US":"b","de-DE":5}'])
def test_a_field_without_a_map_of_locales_is_a_misfit(field_: bytes) -> None:
    """It is not taken for a value of any locale; nothing is deleted, as nobody knows which locales there are."""
    found = rows_of(b'{"title":' + field_ + b',"x":1}', post(TITLE), live="en-US fr")
    assert (found.rows, found.live, found.unknown) == ((), {"en-US", "fr"}, ("x",))
    assert [misfit.column for misfit in found.misfits] == ["title"]


@pytest.mark.parametrize(
    "fields", [b"5", b"[]", b'{"title":{"":"a"}}', rb'{"title":{"\ud83d":"a"}}', b'{"title":{},"title":{},"x":1}']
)
def test_fields_that_cannot_be_read_keep_every_row(fields: bytes) -> None:
    """The misfit belongs to no column, and nothing is deleted on a guess."""
    found = rows_of(fields, post(TITLE), live="en-US fr")
    assert (found.rows, found.live) == ((), {"en-US", "fr"})
    assert [misfit.column for misfit in found.misfits] == [""]


def test_a_member_that_needs_escapes_is_read() -> None:
    """Whatever a vendor calls a field."""
    strange = 'a"b\\'
    assert said({strange: {"en-US": "Hi"}}, post(field(strange))) == {"en-US": {"a_x22b_x5c": "Hi"}}


def test_deep_json_is_kept_as_it_is() -> None:
    """To any depth that the connector reads at all."""
    deep = "[" * 400 + "]" * 400
    fields = b'{"body":{"en-US":' + deep.encode() + b"}}"
    assert said(fields, post(field("body", "json"))) == {"en-US": {"body": deep}}


TEXTS = st.text(st.characters(exclude_characters="\0", codec="utf-8"))
LOCALES = st.sampled_from(["en-US", "de-DE", "fr"])


@given(st.dictionaries(LOCALES, TEXTS), st.dictionaries(LOCALES, st.integers() | st.floats() | TEXTS | st.lists(TEXTS)))
def test_one_value_at_a_time_gives_the_same_rows(titles: Any, anything: Any) -> None:
    """How the fields are decoded makes no difference: a member that nobody knows makes each value be looked at."""
    text = json.dumps({"title": titles, "n": anything, "body": anything})
    model = post(TITLE, NUMBER, field("body", "json"))
    if "NaN" not in text and "Infinity" not in text:
        quick = rows_of(text.encode(), model)
        slow = rows_of(text[:-1].encode() + b',"other":1}', model)
        assert slow == replace(quick, unknown=("other",))
