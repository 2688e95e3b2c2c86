"""What counts as the content of an entity: its fields, and what its vendor calls content besides."""

import pytest

from connector.events import canonical_json
from connector.events.content_digest import digest

FIELDS = b'{"title": "t", "price": 1.10}'
TAGS = ("tags",)


def test_revision_and_clock_are_not_content() -> None:
    """Members of `meta` that the vendor does not call content may change at will."""
    one = digest(FIELDS, b'{"tags": ["a"], "revision": 1, "at": "08:00"}', TAGS)
    assert one == digest(FIELDS, b'{"tags": ["a"], "revision": 2, "at": "09:00"}', TAGS)


@pytest.mark.parametrize(
    ("fields", "meta"),
    [
        (b'{"title": "u", "price": 1.10}', b'{"tags": ["a"]}'),
        (FIELDS, b'{"tags": ["b"]}'),
        (FIELDS, b'{"tags": []}'),
        (FIELDS, b"{}"),
        (None, b'{"tags": ["a"]}'),
    ],
)
def test_other_content_has_another_digest(fields: bytes | None, meta: bytes) -> None:
    """Whether the fields differ, or other content does, or that is gone."""
    assert digest(FIELDS, b'{"tags": ["a"]}', TAGS) != digest(fields, meta, TAGS)


def test_the_spelling_is_not_content() -> None:
    """Neither of the fields nor of other content, and neither as bytes nor as text."""
    one = digest(FIELDS, b'{"tags": ["\\u00e9", 10], "x": 1}', TAGS)
    assert one == digest('{"price":1.1,"title":"t"}', '{"x":2,"tags":["é",1e1]}', TAGS)
    assert len(one) == 16


@pytest.mark.parametrize(
    ("meta", "members"),
    [
        (b'{"tags": ["a"]}', ()),
        (None, TAGS),
        (b"", TAGS),
        (b"{}", TAGS),
        (b"[1]", TAGS),
        (b"{", TAGS),
        ("\ud83d", TAGS),
    ],
)
def test_without_other_content_only_the_fields_count(meta: bytes | str | None, members: tuple[str, ...]) -> None:
    """The same if `meta` is not a JSON object: others write into topics too."""
    assert digest(FIELDS, meta, members) == canonical_json.digest(FIELDS)
