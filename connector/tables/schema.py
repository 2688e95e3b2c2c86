"""A layout as an Avro schema, and as a record of the state topic. Pure."""

import json
from typing import Any, Final

import msgspec

from connector.events import codec
from connector.events.index import check_version
from connector.tables.columns import Column, Layout
from connector.tables.kinds import ColumnType

LAYOUT_VERSION: Final = 1

_TYPES: Final[dict[ColumnType | str, Any]] = {
    "string": "string",
    "long": "long",
    "double": "double",
    "boolean": "boolean",
    "timestamp": {"type": "long", "logicalType": "timestamp-millis"},
    "strings": {"type": "array", "items": "string"},
    "json": {"type": "string", "connect.name": "io.debezium.data.Json"},
}
_PARTS: Final = {
    "": "",
    "text": ", as text",
    "lat": ", latitude in degrees",
    "lon": ", longitude in degrees",
}
_OWN: Final = (
    ("_entity_id", "string", "The entity's id."),
    ("_locale", "string", "The row's locale, or * for all."),
    ("_revision", ("long",), "The vendor's revision or version number."),
    ("_published_at", ("timestamp",), "When the CMS says that this was published."),
    ("_created_at", ("timestamp",), "When the CMS says that the entity was created."),
    ("_updated_at", ("timestamp",), "When the CMS says that the entity was last changed."),
    ("_sequence", "long", "Sequence of the change event that the row comes from."),
    ("_event_id", "string", "Id of the change event that the row comes from."),
    ("_op", "string", "c, r or u: op of the change event that the row comes from."),
)
"""The columns that each row ends with; the type of one that may be null is in brackets."""


def text(layout: Layout) -> str:
    """Return the schema of a layout's rows, compact and in the order in which Avro's Java implementation prints it."""
    namespace, _, name = layout.name.rpartition(".")
    own = [{"name": each, **_typed(type_), "doc": doc} for each, type_, doc in _OWN]
    schema = {
        "type": "record",
        "name": name,
        "namespace": namespace,
        "doc": _printable(layout.title or name),
        "fields": [*(_field(column, layout) for column in layout.columns), *map(_defaulted, own)],
    }
    return json.dumps(schema, ensure_ascii=False, separators=(",", ":"))


def encode(layout: Layout) -> bytes:
    """Return the state record's value."""
    return codec.encode("table_layout", {"version": LAYOUT_VERSION, **msgspec.to_builtins(layout)})


def decode(value: bytes) -> Layout:
    """Return the layout of a state record.

    Raises `StateTooNew` for a version this release does not know, `ValueError` for bytes that are something else.
    """
    check_version(value, LAYOUT_VERSION)
    return msgspec.convert(codec.decode("table_layout", value), Layout)


def _field(column: Column, layout: Layout) -> dict[str, Any]:
    return _defaulted({"name": column.name, **_typed((column.type,)), "doc": _printable(_doc(column, layout))})


def _typed(type_: Any) -> dict[str, Any]:
    return {"type": ["null", _TYPES[type_[0]]] if isinstance(type_, tuple) else _TYPES[type_]}


def _defaulted(field: dict[str, Any]) -> dict[str, Any]:
    return {**field, "default": None} if isinstance(field["type"], list) else field


def _doc(column: Column, layout: Layout) -> str:
    """Return a column's documentation: the vendor's name and type, and what else its name does not say."""
    said = f"{column.source} ({column.vendor_type}){_PARTS[column.part]}"
    if column.part == "text" and column.kind == "number":
        said += ", where a double would be another number"
    if column.locale is not None:
        said += f", in {column.locale}"
    others = [each for each in layout.columns if each.field == column.field and each.stem != column.stem]
    if others and not column.current:
        return f"{said}: values of an earlier type"
    stems = ", ".join(dict.fromkeys(each.stem for each in others))
    return f"{said}: the field changed its type, values of earlier ones are in {stems}" if others else said


def _printable(said: str) -> str:
    """Return a text that every writer of JSON spells the same way."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in said)
