"""Programs of the compiled core: how a schema's value is written whose parts are partly the same for every event."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from connector.events import codec
from connector.model.core import Step

Constants = Mapping[str, str | int | bool | None]


class Filling(msgspec.Struct, frozen=True):
    """What stands at the path of a member (`source.table`): a constant, or a slot of the core, by its name."""

    constants: Constants
    slots: Mapping[str, str]


def program(name: codec.Name, filling: Filling) -> list[Step]:
    """Return the program of a schema; raises KeyError for a member that the filling says nothing of."""
    schema = json.loads(codec.text(name))
    return list(_record(schema, "", filling, _named(schema)))


def _named(schema: Any) -> dict[str, Any]:
    """Return the records in a schema by the names that it refers to them by."""
    if isinstance(schema, list):
        return {name: record for part in schema for name, record in _named(part).items()}
    if not isinstance(schema, dict) or "fields" not in schema:
        return {}
    inner = {name: record for field in schema["fields"] for name, record in _named(field["type"]).items()}
    return {schema["name"]: schema, **inner}


def _record(schema: dict[str, Any], path: str, filling: Filling, named: dict[str, Any]) -> Iterator[Step]:
    for field in schema["fields"]:
        yield from _member(field["type"], f"{path}{field['name']}", filling, named)


def _member(schema: Any, path: str, filling: Filling, named: dict[str, Any]) -> Iterator[Step]:
    nullable = isinstance(schema, list)
    inner = schema[1] if nullable else schema
    inner = named.get(inner, inner) if isinstance(inner, str) else inner
    kind = inner["type"] if isinstance(inner, dict) else inner
    if path in filling.slots:
        yield None, filling.slots[path], kind, nullable
        return
    if nullable:
        null = filling.constants.get(path, "") is None
        yield b"\0" if null else b"\2", "", "", False
        if null:
            return
    if kind == "record":
        yield from _record(inner, f"{path}.", filling, named)
    else:
        yield codec.primitive(kind, filling.constants[path]), "", "", False
