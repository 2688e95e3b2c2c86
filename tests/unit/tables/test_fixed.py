"""The tables of assets and of content types: the same for every connection."""

import json
from typing import Any

import pytest

from connector.model.content_model import ContentType, Locale
from connector.tables import fixed, names
from connector.tables.columns import Layout, Options, evolve
from connector.tables.rows import Table
from tests.unit.tables.models import STAMP, entry, field, read

EN = (Locale(code="en-US", default=True),)


def rows_of(content_type: ContentType, fields: bytes, *, localized: bool, locale: str = "*") -> Any:
    """Return what the rows say, by locale."""
    layout = evolve(Layout(name=names.record("blog", content_type.id)), content_type, Options())
    table = Table(layout, content_type, Options(), EN, localized=localized)
    return read(table.rows(entry(fields, locale), STAMP), layout)


def test_an_asset_with_a_file_for_each_locale() -> None:
    """The members of the file are columns, as exactly as they are written."""
    file: dict[str, Any] = {"url": "//x/a.png", "fileName": "a.png", "contentType": "image/png"}
    file |= {"details": {"size": 9007199254740993, "image": {"width": 4, "height": 3}}}
    fields = {"title": {"en-US": "A"}, "file": {"en-US": file, "de-DE": {"url": "//x/b.pdf", "details": {"size": 1}}}}
    assert rows_of(fixed.ASSET, fixed.asset(json.dumps(fields).encode(), localized=False), localized=False) == {
        "en-US": {
            "file_name": "a.png",
            "content_type": "image/png",
            "size": 9007199254740993,
            "url": "//x/a.png",
            "width": 4,
            "height": 3,
            "title": "A",
        },
        "de-DE": {"size": 1, "url": "//x/b.pdf"},
    }


def test_an_asset_of_one_locale() -> None:
    """Its members are flat, and its size may be a text of digits."""
    fields: dict[str, Any] = {
        "uid": "a1",
        "filename": "a.png",
        "content_type": "image/png",
        "file_size": "123",
        "url": "https://x/a",
    }
    fields |= {"title": "a", "description": "b", "dimension": {"width": 4, "height": 3}, "tags": []}
    found = rows_of(fixed.ASSET, fixed.asset(json.dumps(fields).encode(), localized=True), localized=True, locale="de")
    assert found == {
        "de": {
            "file_name": "a.png",
            "content_type": "image/png",
            "size": 123,
            "url": "https://x/a",
            "width": 4,
            "height": 3,
            "title": "a",
            "description": "b",
        }
    }


def test_an_asset_with_a_plain_file() -> None:
    """The size may stand in the file itself."""
    file = {"fileName": "a.png", "contentType": "image/png", "size": 12, "url": "https://x/a"}
    fields = json.dumps({"file": {"en-US": file}}).encode()
    assert rows_of(fixed.ASSET, fixed.asset(fields, localized=False), localized=False) == {
        "en-US": {"file_name": "a.png", "content_type": "image/png", "size": 12, "url": "https://x/a"}
    }


@pytest.mark.parametrize("fields", [b"{}", b'{"file":null}', b'{"file":{}}', b'{"title":null}'])
def test_an_asset_without_a_file(fields: bytes) -> None:
    """It has a row."""
    assert rows_of(fixed.ASSET, fixed.asset(fields, localized=False), localized=False) == {"en-US": {}}


@pytest.mark.parametrize("fields", [b"5", b'{"file":5}', b'{"file":{"en":"x"}}', b'{"file":{"en":{"details":1}}}'])
def test_an_asset_that_cannot_be_read_is_refused(fields: bytes) -> None:
    """Rather than taken for one without a file."""
    with pytest.raises(ValueError, match="byte"):
        fixed.asset(fields, localized=False)


def test_a_content_type_is_a_row() -> None:
    """With the name of its table, and its fields as JSON."""
    post = ContentType(id="blog-post", name="Post", display_field="title", fields=(field("title"),))
    assert rows_of(fixed.CONTENT_TYPE, fixed.model(post), localized=True) == {
        "*": {
            "name": "Post",
            "display_field": "title",
            "table": "blog_x2dpost",
            "fields": '[{"id":"title","name":"title","kind":"text","type":"Text","localized":true}]',
        }
    }
