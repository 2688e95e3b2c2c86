"""Layouts follow the content model: what was once a column stays one."""

from collections.abc import Iterable

import pytest
from msgspec.structs import replace

from connector.errors import ConfigError, ModelRefused
from connector.tables.columns import Column, Evolution, Layout, Options, check, evolve
from tests.unit.tables.models import EMPTY, field, layout_of, post

TITLE, PRICE = field("title"), field("price", "integer")


def columns(layout: Layout) -> list[str]:
    """Return the columns' names, in order."""
    return [column.name for column in layout.columns]


def current(layout: Layout) -> list[str]:
    """Return the names of the columns that values go to."""
    return [column.name for column in layout.columns if column.current]


def after(models: Iterable[object], evolution: Evolution) -> Layout:
    """Return the layout after these states of the content type."""
    layout = EMPTY
    for model in models:
        layout = evolve(layout, model, Options(evolution=evolution))  # type: ignore[arg-type]
    return layout


def test_columns_are_in_the_order_of_the_model() -> None:
    """At first sight the model's order counts, each value's parts side by side."""
    layout = layout_of(post(field("n", "number"), TITLE, field("at", "location"), field("on", "date")))
    assert columns(layout) == ["n", "n__text", "title", "at__lat", "at__lon", "on", "on__text"]
    assert [column.type for column in layout.columns] == [
        *("double", "string", "string", "double", "double", "timestamp", "string")
    ]


def test_the_same_model_gives_the_same_layout() -> None:
    """Nothing is registered anew for nothing."""
    assert layout_of(post(TITLE, PRICE), post(TITLE, PRICE)) == layout_of(post(TITLE, PRICE))


def test_a_new_field_is_a_column_at_the_end() -> None:
    """Wherever it stands in the model."""
    assert columns(layout_of(post(TITLE), post(PRICE, TITLE))) == ["title", "price"]


def test_a_field_that_is_gone_keeps_its_column() -> None:
    """Readers of earlier rows find it, and it goes on in it when it comes back."""
    assert columns(layout_of(post(TITLE, PRICE), post(PRICE))) == ["title", "price"]
    assert layout_of(post(TITLE, PRICE), post(PRICE), post(TITLE, PRICE)) == layout_of(post(TITLE, PRICE))


def test_a_changed_kind_is_a_column_of_its_own() -> None:
    """The second is `price__2`, the third `price__3`; the first again where it changes back."""
    text, number = field("price"), field("price", "number")
    assert columns(layout_of(post(PRICE), post(text))) == ["price", "price__2"]
    layout = layout_of(post(PRICE), post(text), post(number))
    assert columns(layout) == ["price", "price__2", "price__3", "price__3__text"]
    assert current(layout) == ["price__3", "price__3__text"]
    back = layout_of(post(PRICE), post(text), post(number), post(PRICE))
    assert columns(back) == columns(layout)
    assert current(back) == ["price"]


def test_a_renamed_field_keeps_its_column() -> None:
    """It is known by its id; another field that takes its former name gets a column of its own."""
    renamed = layout_of(post(field("title", id="f1")), post(field("headline", id="f1")))
    assert columns(renamed) == ["title"]
    assert renamed.columns[0].source == "headline"
    both = layout_of(post(field("title", id="f1")), post(field("headline", id="f1"), field("title", id="f2")))
    assert [(column.name, column.source) for column in both.columns] == [("title", "headline"), ("title__2", "title")]


def test_names_differ_by_more_than_case() -> None:
    """Most databases do not tell `Title` from `title`."""
    assert columns(layout_of(post(field("Title"), TITLE))) == ["Title", "title__2"]


def test_chosen_locales_are_columns() -> None:
    """One for each locale, in the order of the options; a field that is the same in all has one."""
    model = post(TITLE, field("n", "number", localized=False))
    layout = layout_of(model, locales=("en-US", "de-DE"))
    assert columns(layout) == ["title__en_US", "title__de_DE", "n", "n__text"]
    more = evolve(layout, model, Options(locales=("fr", "en-US", "de-DE")))
    assert columns(more) == ["title__en_US", "title__de_DE", "n", "n__text", "title__fr"]


def test_a_field_that_becomes_localized_gets_columns() -> None:
    """Its former column stays, and is its column again where it stops being so."""
    once, then = post(field("title", localized=False)), post(TITLE)
    layout = layout_of(once, then, locales=("en-US", "de-DE"))
    assert columns(layout) == ["title", "title__en_US", "title__de_DE"]
    assert evolve(layout, once, Options(locales=("en-US", "de-DE"))) == layout


def test_stop_refuses_a_changed_kind() -> None:
    """The error names type, field and both kinds; everything else goes on, and so does a change that is undone."""
    with pytest.raises(ModelRefused, match="post: the field price was of the kind integer, now it is text"):
        after([post(PRICE), post(field("price"))], "stop")
    layout = after([post(PRICE), post(TITLE), post(TITLE, PRICE)], "stop")
    assert columns(layout) == ["price", "title"]


def test_json_takes_every_later_kind() -> None:
    """From its first change on, a field stands in one column of JSON."""
    models = [post(PRICE), post(field("price")), post(field("price", "date")), post(PRICE)]
    layout = after(models, "json")
    assert columns(layout) == ["price", "price__2"]
    assert [column.type for column in layout.columns if column.current] == ["json"]
    assert after([post(field("price", "json")), post(PRICE)], "json").columns[0].current
    assert columns(after([post(PRICE, TITLE), post(TITLE), post(PRICE, TITLE)], "json")) == ["price", "title"]


@pytest.mark.parametrize(
    ("one", "other", "what"), [(TITLE, TITLE, "id title"), (TITLE, field("title", id="f2"), "name title")]
)
def test_two_fields_of_one_name_are_refused(one: object, other: object, what: str) -> None:
    """They are never one column."""
    with pytest.raises(ModelRefused, match=f"post: two fields have the {what}"):
        layout_of(post(one, other))  # type: ignore[arg-type]


def test_locales_as_columns_need_items_with_all_locales() -> None:
    """An item of one locale cannot fill a row of several."""
    check(Options(locales=("en", "de")), localized=False)
    check(Options(locales="default"), localized=True)
    with pytest.raises(ConfigError, match="each locale on its own"):
        check(Options(locales=("en", "de")), localized=True)


@pytest.mark.parametrize("locales", [(), ("en", "de", "EN")])
def test_locales_as_columns_are_distinct(locales: tuple[str, ...]) -> None:
    """Two columns of one name would be none."""
    with pytest.raises(ConfigError, match="none, or one of them twice"):
        check(Options(locales=locales), localized=False)


def test_a_column_knows_its_field() -> None:
    """Id, name, type by the vendor's word."""
    assert layout_of(post(field("price", "integer", id="f1"))).columns == (
        Column(stem="price", type="long", field="f1", source="price", vendor_type="Integer", kind="integer"),
    )


def test_a_changed_type_of_the_same_kind_changes_no_column() -> None:
    """The vendor's word is documentation alone."""
    changed = layout_of(post(TITLE), post(replace(TITLE, type="Symbol")))
    assert [(column.name, column.vendor_type) for column in changed.columns] == [("title", "Symbol")]
