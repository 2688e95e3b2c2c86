"""Edits of the content model: what each changes, what it leaves, and what no CMS takes."""

from collections.abc import Callable

import pytest

from connector.simulator import model
from connector.simulator.value import ContentType, Field, FieldType, Locale

POST = model.content_type(
    "post", "Post", [Field("title", "symbol", localized=True), Field("heroImage", "asset"), Field("rank", "integer")]
)
ENGLISH, GERMAN = Locale("en-US", "English"), Locale("de-DE", "German", "en-US")


def names(content_type: ContentType) -> list[tuple[str, str]]:
    """Return the fields with their types."""
    return [(field.name, field.type) for field in content_type.fields]


def test_fields_have_ids_of_their_own() -> None:
    """Which stay when a field gets another name or another type."""
    assert [field.id for field in POST.fields] == ["post00", "post01", "post02"]
    edited = model.with_retyped(model.with_renamed(POST, "rank", "place"), "place", "number", "")
    assert names(edited) == [("title", "symbol"), ("heroImage", "asset"), ("place", "number")]
    assert [field.id for field in edited.fields] == ["post00", "post01", "post02"]


def test_a_field_is_added_at_the_end_and_removed_anywhere() -> None:
    """The others stay."""
    edited = model.without_field(model.with_field(POST, Field("tagline", "text", id="post-r2")), "heroImage")
    assert names(edited) == [("title", "symbol"), ("rank", "integer"), ("tagline", "text")]


def test_links_to_entries_have_a_target() -> None:
    """The content type's own, unless there is one; other fields have none."""
    assert model.linked(Field("to", "entries"), "post").target == "post"
    assert model.linked(Field("to", "entry", target="author"), "post").target == "author"
    assert model.linked(Field("to", "asset", target="author"), "post").target == ""
    assert model.with_retyped(POST, "rank", "entry", "").fields[2].target == "post"


@pytest.mark.parametrize(
    "edit",
    [
        lambda: model.with_field(POST, Field("hero_image", "symbol")),
        lambda: model.with_field(POST, Field("Title", "symbol")),
        lambda: model.with_field(POST, Field("2nd", "symbol")),
        lambda: model.with_field(POST, Field("created_at", "date")),
        lambda: model.with_field(POST, Field("size", "colour")),  # type: ignore[arg-type]
        lambda: model.with_renamed(POST, "rank", "heroImage"),
        lambda: model.with_retyped(POST, "title", "integer", ""),
        lambda: model.without_field(POST, "title"),
        lambda: model.content_type("post", "Post", []),
        lambda: model.content_type("post", "Post", [Field("rank", "integer")]),
        lambda: model.content_type("sys_assets", "Post", [Field("title", "symbol")]),
        lambda: model.content_type("my post", "Post", [Field("title", "symbol")]),
        lambda: model.content_type("post", "Post", [Field("name", "symbol"), Field("title", "number")]),
    ],
)
def test_what_no_cms_takes_is_refused(edit: Callable[[], object]) -> None:
    """Names that collide or are a vendor's own, unknown types, and entries without a title."""
    with pytest.raises(ValueError, match=r"no field|no type|already|title|can be called"):
        edit()


def test_an_unknown_field_is_named() -> None:
    """With its content type."""
    with pytest.raises(model.UnknownFieldError, match="post has no field 'colour'"):
        model.with_renamed(POST, "colour", "color")


def carried(old: ContentType | None, new: ContentType | None, **given: str) -> dict[str, dict[str, str]]:
    """Return the given values that are published under another version of the type."""
    values = {name: {"en-US": value} for name, value in given.items()}
    return {name: dict(by) for name, by in model.carried(values, old, new).items()}


def test_given_values_follow_their_field() -> None:
    """To its new name; without an edit, all stay."""
    renamed = model.with_renamed(POST, "rank", "place")
    assert carried(POST, renamed, rank="1", title="T") == {"place": {"en-US": "1"}, "title": {"en-US": "T"}}
    assert carried(POST, POST, rank="1") == {"rank": {"en-US": "1"}}


@pytest.mark.parametrize("type_", ["text", "number"])
def test_given_values_go_with_their_field(type_: FieldType) -> None:
    """When it is removed, or gets another type."""
    assert carried(POST, model.without_field(POST, "rank"), rank="1") == {}
    assert carried(POST, model.with_retyped(POST, "rank", type_, ""), rank="1") == {}


def test_given_values_without_a_field_stay_until_there_is_one() -> None:
    """Then they would be of any type."""
    added = model.with_field(POST, Field("odd", "integer", id="post-r2"))
    assert carried(POST, model.without_field(POST, "rank"), odd="?") == {"odd": {"en-US": "?"}}
    assert carried(POST, added, odd="?") == {}
    assert carried(None, None, odd="?") == {"odd": {"en-US": "?"}}


def test_a_locale_falls_back_step_by_step() -> None:
    """To the end of the chain; one that is unknown stands alone."""
    locales = model.with_locale((ENGLISH, GERMAN), Locale("de-AT", "Austrian", "de-DE"))
    assert model.fallbacks(locales, "de-AT") == ("de-AT", "de-DE", "en-US")
    assert model.fallbacks(locales, "en-US") == ("en-US",)
    assert model.fallbacks(locales, "xx") == ("xx",)


@pytest.mark.parametrize("code", ["de-DE", "de-de", "DE", "german!", ""])
def test_a_locale_has_a_code_of_its_own(code: str) -> None:
    """One that a vendor may write in lower case."""
    with pytest.raises(ValueError, match="no locale can be called"):
        model.with_locale((ENGLISH, GERMAN), Locale(code, "Another"))


def test_a_fallback_exists() -> None:
    """The error names those there are."""
    with pytest.raises(LookupError, match="'it-IT'; there are de-DE, en-US"):
        model.with_locale((ENGLISH, GERMAN), Locale("de-AT", "Austrian", "it-IT"))
