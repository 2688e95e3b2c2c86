"""How two schemas differ, in words."""

import json
from typing import Any

import pytest

from connector.kafka.schema_difference import words


def record(**fields: Any) -> str:
    """Return a record's schema."""
    return json.dumps({"type": "record", "name": "r", "fields": [{"name": n, "type": t} for n, t in fields.items()]})


def test_what_is_gone_new_and_of_another_type_is_named() -> None:
    """In that order, each field once."""
    said = words(record(a="string", b="long", c="long"), record(b=["null", "long"], c="long", d="double"))
    assert said == 'a is gone; d is new, double; b was long, now it is ["null", "long"]'


@pytest.mark.parametrize("before", [record(a="long"), "no JSON", "[]", '{"fields": [1]}'])
def test_whatever_is_compared_something_is_said(before: str) -> None:
    """Schemas that cannot be read have no fields."""
    assert words(before, record(a="long"))
