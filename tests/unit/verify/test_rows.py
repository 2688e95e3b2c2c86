"""Rows in a proof: equal by value whatever wrote them, in any column that content may stand in, and what differs."""

from typing import Any

import pytest

from connector.tables import schema
from connector.tables.columns import Layout
from connector.verify.rows import DueRow, due, held, shape
from connector.verify.rows import differing as found
from tests.unit.tables.models import field, layout_of, post

TITLED = post(field("title"), field("stock", "integer"), field("body", "json"))
OWN = {"_entity_id": "e1", "_locale": "en-US", "_revision": 3, "_published_at": 1, "_created_at": 1, "_updated_at": 1}


def row(layout: Layout, **columns: Any) -> dict[str, Any]:
    """Return a row of a layout: what is not given is null, but for what the CMS says of an entity."""
    return {**dict.fromkeys(column.name for column in layout.columns), **OWN, **columns}


def differing(wanted: DueRow, layout: Layout, **columns: Any) -> tuple[str, ...]:
    """Return in what a row that is there, with what only the stream knows, differs from what must be there."""
    ours = {"_sequence": 9, "_event_id": "x", "_op": "u"}
    return found(wanted, held({**row(layout, **columns), **ours}, schema.text(layout)))


def test_what_only_the_stream_knows_is_not_compared() -> None:
    """Sequence, event and op of a row are no business of the CMS; every other column is."""
    layout = layout_of(TITLED)
    one = due(shape(layout, {"title", "stock", "body"}), [row(layout, title="a", stock=1)])
    assert differing(one, layout, title="a", stock=1) == ()
    assert differing(one, layout, title="b", stock=2) == ("title", "stock")
    for name in OWN:
        assert differing(one, layout, title="a", stock=1, **{name: None}) == (name,)


@pytest.mark.parametrize(
    ("name", "ours", "theirs", "equal"),
    [
        ("title", "", None, False),
        ("title", "1", "1.0", False),
        ("stock", 0, None, False),
        ("stock", -1, -2, False),
        ("body", '{"a":1,"b":2}', '{"b": 2.0, "a": 1}', True),
        ("body", '{"a":1}', '{"a":"1"}', False),
    ],
)
def test_values_are_compared_not_their_spelling(name: str, ours: Any, theirs: Any, *, equal: bool) -> None:
    """JSON is compared as in events; null is no empty text; a text is compared to the letter."""
    layout = layout_of(TITLED)
    one = due(shape(layout, {"title", "stock", "body"}), [row(layout, **{name: ours})])
    assert differing(one, layout, **{name: theirs}) == (() if equal else (name,))


def test_a_row_of_an_earlier_schema_is_read_by_its_own() -> None:
    """A column that it lacks is null in it."""
    layout = layout_of(TITLED, post(*TITLED.fields, field("lead")))
    of = shape(layout, {"title", "stock", "body", "lead"})
    assert differing(due(of, [row(layout, title="a")]), layout_of(TITLED), title="a") == ()
    assert differing(due(of, [row(layout, title="a", lead="x")]), layout_of(TITLED), title="a") == ("lead",)


def test_what_is_in_a_column_of_a_field_that_is_gone_is_not_compared() -> None:
    """Rows from before it was removed keep its values; new ones have none."""
    layout = layout_of(TITLED)
    of = shape(layout, {"title", "body"})
    assert differing(due(of, [row(layout, title="a")]), layout, title="a", stock=7) == ()


def test_content_from_before_a_change_of_type_may_stand_in_its_earlier_column() -> None:
    """But only as a whole, and only with its own value."""
    layout = layout_of(TITLED, post(field("title"), field("stock", "text"), field("body", "json")))
    of = shape(layout, {"title", "stock", "body"})
    one = due(of, [row(layout, title="a", stock__2="5"), row(layout, title="a", stock=5)])
    assert differing(one, layout, title="a", stock=5) == ()
    assert differing(one, layout, title="a", stock__2="5") == ()
    assert differing(one, layout, title="a", stock=5, stock__2="5") == ("stock",)
    assert differing(one, layout, title="b", stock=6) == ("title", "stock", "stock__2")


def test_little_is_kept_of_a_row() -> None:
    """However large its values are."""
    layout = layout_of(TITLED)
    large = row(layout, title="x" * 1_000_000)
    one = due(shape(layout, {"title"}), [large])
    assert sum(map(len, one.ways)) < 100
    assert len(held(large, schema.text(layout)).digests) < 100
