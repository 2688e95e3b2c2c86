"""Programs: constant bytes and slots, in the order of a schema."""

from typing import Any

import pytest

from connector.events import codec
from connector.events.program import Filling, program

ENTRY: dict[str, Any] = {
    "version": 1, "live": True, "change_type": "published", "content_type": "post", "revision": 3, "changed_at": None,
    "digest": b"d" * 16, "epoch": 2, "removed_at": None, "content": b"c" * 16, "rows": None,
}  # fmt: skip


def test_a_program_is_the_body_with_slots_in_it() -> None:
    """What is filled in stands between the constants, each null and each value where the schema has it."""
    slots = {"content_type": "content_type", "digest": "digest"}
    constants = {name: value for name, value in ENTRY.items() if name not in (*slots, "content")}
    steps = program("index_entry", Filling({**constants, "content": None}, slots))
    given = {"content_type": b"\x02\x08post", "digest": b"d" * 16}
    body = b"".join(given[slot] if constant is None else constant for constant, slot, _, _ in steps)
    assert body == codec.encode("index_entry", {**ENTRY, "content": None})
    assert [step[1:] for step in steps if step[0] is None] == [
        ("content_type", "string", True),
        ("digest", "fixed", False),
    ]


def test_a_record_within_a_record_is_named_by_its_path() -> None:
    """One type may stand in two places, and be null in one of them."""
    event = {
        "op": "r", "ts_ms": 1, "transaction": None, "change_type": "published", "origin": "snapshot", "event_id": "e",
        "marker": None,
    }  # fmt: skip
    entity: dict[str, Any] = {"connection": "blog", "entity_type": "entry", "id": "e1", "locale": "*"} | dict.fromkeys(
        ("content_type", "revision", "created_at", "updated_at", "fields", "meta", "refs", "ref_fields")
    )
    source = {
        "version": "1", "connector": "v", "name": "blog", "ts_ms": 5, "snapshot": "true", "db": "d", "schema": None,
        "table": "post", "sequence": 9, "revision": None, "locale": "*",
    }  # fmt: skip
    constants = {f"after.{name}": value for name, value in entity.items()}
    constants |= {f"source.{name}": value for name, value in source.items()} | event | {"before": None}
    steps = program("envelope", Filling(constants, {}))
    value = {"before": None, "after": entity, "source": source, **event}
    assert b"".join(step[0] or b"" for step in steps) == codec.encode("envelope", value)


def test_a_member_that_nothing_is_said_of_is_an_error() -> None:
    """A schema that has grown must not be written by an old program."""
    with pytest.raises(KeyError, match="connection"):
        program("key", Filling({}, {"entity_type": "entity_type", "id": "id", "locale": "locale"}))
