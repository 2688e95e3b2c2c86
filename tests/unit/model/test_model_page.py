"""A listed content model: its content in order, and what it proves to be gone."""

import pytest

from connector.model.change import Change, DeadLetter, EntityKey
from connector.model.content_model import ContentModel, ContentType, Locale
from connector.model.model_page import ListedModel, ModelPart


def part(content: ContentType | Locale) -> ModelPart:
    """Return a part of a model."""
    kind, id = ("locale", content.code) if isinstance(content, Locale) else ("content_type", content.id)  # noqa: A001
    return ModelPart(content, Change(key=key(kind, id), change_type="published", digest=b""))


def key(kind: str, id: str) -> EntityKey:  # noqa: A002  one word per thing
    """Return a key."""
    return EntityKey("blog", kind, id, "*")


POST, CAT = part(ContentType(id="post")), part(ContentType(id="cat"))
ENGLISH, GERMAN = part(Locale(code="en")), part(Locale(code="de"))
KNOWN = [key("content_type", "cat"), key("content_type", "dog"), key("locale", "fr"), key("entry", "e1")]


def test_content_types_are_in_order_and_locales_as_listed() -> None:
    """Types by id, whatever the order of the API; the order of locales is the CMS's own."""
    model = ListedModel(parts=(POST, ENGLISH, CAT, GERMAN))
    assert model.content == ContentModel(
        content_types=(ContentType(id="cat"), ContentType(id="post")), locales=(Locale(code="en"), Locale(code="de"))
    )
    assert [change.key.id for change in model.changes] == ["post", "en", "cat", "de"]


def test_what_a_complete_list_does_not_hold_is_gone() -> None:
    """Of its kind alone; entities of other kinds are never concerned."""
    types = ListedModel(parts=(POST, CAT), complete=frozenset({"content_type"}))
    assert types.gone(KNOWN) == [key("content_type", "dog")]
    everything = ListedModel(parts=(POST, CAT), complete=frozenset({"content_type", "locale"}))
    assert everything.gone(KNOWN) == [key("content_type", "dog"), key("locale", "fr")]
    assert ListedModel(parts=(POST, CAT)).gone(KNOWN) == []


@pytest.mark.parametrize(
    ("letter", "gone"),
    [
        (DeadLetter(b"", "r", item_type="content_type", item_id="dog"), []),
        (DeadLetter(b"", "r", item_type="content_type", item_id="other"), [key("content_type", "dog")]),
        (DeadLetter(b"", "r", item_type="content_type"), []),
        (DeadLetter(b"", "r", item_type="locale", item_id="dog"), [key("content_type", "dog")]),
        (DeadLetter(b"", "r", item_type="locale"), [key("content_type", "dog")]),
    ],
)
def test_what_may_be_an_unread_item_is_not_gone(letter: DeadLetter, gone: list[EntityKey]) -> None:
    """An item without a readable id may be any of its kind."""
    model = ListedModel(parts=(CAT,), unread=(letter,), complete=frozenset({"content_type"}))
    assert model.gone(KNOWN) == gone


def test_a_list_says_how_the_model_is_where_it_is_complete() -> None:
    """Where it is not, the model is as it was known; so is a content type that could not be understood."""
    known = ContentModel(
        content_types=(ContentType(id="cat", name="old"), ContentType(id="dog")), locales=(Locale(code="fr"),)
    )
    nothing = ListedModel(parts=(POST, ENGLISH))
    assert nothing.over(known) == known
    types = ListedModel(parts=(POST, CAT, ENGLISH), complete=frozenset({"content_type"}))
    assert types.over(known) == ContentModel(
        content_types=(ContentType(id="cat"), ContentType(id="post")), locales=(Locale(code="fr"),)
    )
    unread = DeadLetter(b"", "r", item_type="content_type", item_id="dog")
    both = ListedModel(parts=(GERMAN,), unread=(unread,), complete=frozenset({"content_type", "locale"}))
    assert both.over(known) == ContentModel(content_types=(ContentType(id="dog"),), locales=(Locale(code="de"),))
