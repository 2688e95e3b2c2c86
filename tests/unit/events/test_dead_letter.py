"""The record of an item that cannot be published: its key, what it says, and its exact bytes."""

import pytest

from connector.events.codec import decode
from connector.events.dead_letter import encode
from connector.model.change import DeadLetter
from connector.model.checkpoint import Position
from tests.memory import NOW_MS, PROVENANCE
from tests.values import CONNECTION

STANDS = Position(cursor="c1", phase="streaming", page=4, epoch=2)
LEADS = Position(cursor="c2", phase="reconciling", page=5, epoch=3)


def test_a_letter_says_what_it_is_and_where_the_stream_stood() -> None:
    """The cursor and page before the item, and the phase and epoch of its own page."""
    letter = DeadLetter(b"\xff{", "no JSON", error="MalformedItem", item_type="Entry", item_id="e1")
    value = decode("dead_letter", encode(letter, PROVENANCE, STANDS, LEADS, 41, NOW_MS).value)
    assert value == {
        "version": 1,
        "connection": CONNECTION,
        "vendor": "acme",
        "error": "MalformedItem",
        "reason": "no JSON",
        "item_type": "Entry",
        "item_id": "e1",
        "raw": b"\xff{",
        "cursor": "c1",
        "page": 4,
        "phase": "reconciling",
        "epoch": 3,
        "sequence": 41,
        "ts_ms": NOW_MS,
    }


@pytest.mark.parametrize(
    ("item_type", "item_id", "key"),
    [
        ("Entry", "e1", b"Entry/e1"),
        ("Entry", None, b"Entry/"),
        (None, None, b"/"),
        (None, "é", b"/\xc3\xa9"),
    ],
)
def test_the_key_is_type_and_id_as_far_as_they_are_known(
    item_type: str | None, item_id: str | None, key: bytes
) -> None:
    """Whatever an item calls itself, its letter has a key."""
    found = DeadLetter(b"", "no", item_type=item_type, item_id=item_id)
    assert encode(found, PROVENANCE, STANDS, LEADS, 0, NOW_MS).key == key
