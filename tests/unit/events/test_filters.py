"""The operator's filters: what they let through and what they keep out."""

import pytest

from connector.events.filters import wanted
from connector.events.policy import Policy
from connector.model.change import EntityKey

POSTS = Policy(content_types=frozenset({"post"}))
ENTRIES = Policy(entity_types=frozenset({"entry"}))
GERMAN = Policy(locales=frozenset({"de"}))


def key(entity_type: str, id: str = "x1", locale: str = "*") -> EntityKey:  # noqa: A002  one word per thing
    """Return a key."""
    return EntityKey("blog", entity_type, id, locale)


@pytest.mark.parametrize("entity_type", ["entry", "asset", "content_type"])
@pytest.mark.parametrize("content_type", ["post", None])
def test_without_filters_everything_is_wanted(entity_type: str, content_type: str | None) -> None:
    """Even a removal of something never known."""
    assert wanted(Policy(), key(entity_type, locale="de"), content_type)


@pytest.mark.parametrize(
    ("entity", "content_type", "expected"),
    [
        (key("entry"), "post", True),
        (key("entry"), "page", False),
        (key("entry"), None, False),
        (key("asset"), None, True),
        (key("locale", "de-DE"), None, True),
        (key("content_type", "post"), None, True),
        (key("content_type", "page"), None, False),
        (key("content_type", "page"), "post", False),
    ],
)
def test_content_types_choose_entries_and_themselves(
    entity: EntityKey, content_type: str | None, *, expected: bool
) -> None:
    """Assets and locales have none; an entry whose type nobody knows counts as excluded."""
    assert wanted(POSTS, entity, content_type) is expected


@pytest.mark.parametrize(("entity_type", "expected"), [("entry", True), ("asset", False), ("content_type", False)])
def test_entity_types_choose_by_kind(entity_type: str, *, expected: bool) -> None:
    """Whatever the content type."""
    assert wanted(ENTRIES, key(entity_type), "post") is expected


@pytest.mark.parametrize(("locale", "expected"), [("de", True), ("de-AT", False), ("fr", False), ("*", True)])
def test_locales_choose_by_the_whole_name(locale: str, *, expected: bool) -> None:
    """An item that carries all locales belongs to every one."""
    assert wanted(GERMAN, key("entry", locale=locale), "post") is expected


def test_an_empty_list_of_content_types_is_a_choice() -> None:
    """It lets no entry through; it does not mean that there is no filter."""
    nothing = Policy(content_types=frozenset())
    assert not wanted(nothing, key("entry"), "post")
    assert wanted(nothing, key("asset"), None)


def test_every_filter_must_agree() -> None:
    """One that lets an entry through does not overrule another."""
    both = Policy(content_types=frozenset({"post"}), locales=frozenset({"de"}))
    assert [
        wanted(both, key("entry", locale=locale), kind)
        for locale, kind in (("de", "post"), ("de", "page"), ("fr", "post"))
    ] == [True, False, False]
