"""Rows of tables in a proof: what a table must hold, what its topic holds, and in which columns they differ. Pure.

Keeps a digest of each value, never the value.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from hashlib import blake2b
from typing import Any, Final

import msgspec

from connector.events import canonical_json
from connector.tables.columns import Layout

RowPlace = tuple[str, str]
"""Where an entity has a row: the table and the row's locale."""

OWN: Final = ("_entity_id", "_locale", "_revision", "_published_at", "_created_at", "_updated_at")
"""The columns of every table that the CMS determines."""

_OURS: Final = frozenset({"_sequence", "_event_id", "_op"})
_JSON: Final = "io.debezium.data.Json"
_SIZE: Final = 8  # bytes of a digest
_NULL: Final = bytes(_SIZE)


class Shape(msgspec.Struct, frozen=True):
    """What is compared of a table's rows: all of its `columns`, in groups by their numbers.

    A group is one value: the columns of a field, for a locale. It may stand in columns of a kind that the field had
    when it was published. Columns of fields that are gone are in no group: what is in them is not said by the CMS.
    """

    columns: tuple[str, ...]
    groups: tuple[tuple[int, ...], ...]
    json: frozenset[str]


class DueRow(msgspec.Struct, frozen=True, gc=False):
    """A row that a table must hold: digests of its values, column by column, for each way it may be written.

    The first is how it would be written now; there is none of a row that is withheld, as a value fits no column. One
    that is `optional` may be missing.
    """

    shape: Shape
    ways: tuple[bytes, ...]
    optional: bool = False


class HeldRow(msgspec.Struct, frozen=True, gc=False):
    """A row that a topic holds: digests of the values in its `columns`; its clock in milliseconds."""

    columns: tuple[str, ...]
    digests: bytes
    revision: int | None
    clock_ms: int | None


def shape(layout: Layout, fields: Collection[str]) -> Shape:
    """Return the shape of a table's rows; `fields` are the ids of those that its content type has now."""
    groups: dict[tuple[str, str | None], list[int]] = {}
    for at, column in enumerate(layout.columns):
        if column.field in fields:
            groups.setdefault((column.field, column.locale), []).append(at)
    first = len(layout.columns)
    own = [(first + at,) for at in range(len(OWN))]
    return Shape(
        columns=(*(column.name for column in layout.columns), *OWN),
        groups=(*map(tuple, groups.values()), *own),
        json=frozenset(column.name for column in layout.columns if column.type == "json"),
    )


def due(shape: Shape, ways: Sequence[Mapping[str, Any]]) -> DueRow:
    """Return a row that must be there, in any of these ways."""
    found = [_digests(way, shape.columns, shape.json) for way in ways]
    return DueRow(shape, tuple(dict.fromkeys(found)))


def held(row: Mapping[str, Any], schema: str) -> HeldRow:
    """Return a row that is there, written with a schema."""
    columns, as_json = _columns(schema)
    return HeldRow(columns, _digests(row, columns, as_json), row.get("_revision"), row.get("_published_at"))


def differing(wanted: DueRow, there: HeldRow) -> tuple[str, ...]:
    """Return the columns in which a row is none of those that may be there; of a row that is withheld, none."""
    columns = wanted.shape.columns
    if not wanted.ways or (there.columns == columns and there.digests == wanted.ways[0]):
        return ()
    at = {name: number for number, name in enumerate(there.columns)}
    # A column that a row's schema does not have yet is null in it.
    values = [_at(there.digests, at[name]) if name in at else _NULL for name in columns]
    found: list[str] = []
    for group in wanted.shape.groups:
        if not any(all(_at(way, number) == values[number] for number in group) for way in wanted.ways):
            found += [columns[number] for number in group if _at(wanted.ways[0], number) != values[number]]
    return tuple(found)


def _digests(row: Mapping[str, Any], columns: Sequence[str], as_json: Collection[str]) -> bytes:
    return b"".join([_digest(row.get(name), as_json=name in as_json) for name in columns])


def _digest(value: Any, *, as_json: bool) -> bytes:
    if value is None:
        return _NULL
    if as_json:  # equal however it is written, as events are
        return canonical_json.digest(value)[:_SIZE]
    written = value if isinstance(value, str) else repr(value)
    return blake2b(written.encode(), digest_size=_SIZE).digest()


def _at(digests: bytes, number: int) -> bytes:
    return digests[number * _SIZE : (number + 1) * _SIZE]


@cache
def _columns(schema: str) -> tuple[tuple[str, ...], frozenset[str]]:
    """Return the columns that a schema's rows are compared by, and those of JSON."""
    fields = [field for field in json.loads(schema)["fields"] if field["name"] not in _OURS]
    return tuple(field["name"] for field in fields), frozenset(field["name"] for field in fields if _is_json(field))


def _is_json(field: Mapping[str, Any]) -> bool:
    branches = field["type"] if isinstance(field["type"], list) else [field["type"]]
    return any(isinstance(each, dict) and each.get("connect.name") == _JSON for each in branches)
