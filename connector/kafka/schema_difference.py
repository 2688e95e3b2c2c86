"""How two record schemas differ, in words for an operator. Pure."""

import json
from typing import Any

import msgspec


def words(before: str, after: str) -> str:
    """Return in which fields the schema `after` differs from `before`, as one line; never raises."""
    old, new = _fields(before), _fields(after)
    said = [f"{name} is gone" for name in old if name not in new]
    said += [f"{name} is new, {_typed(of)}" for name, of in new.items() if name not in old]
    said += [
        f"{name} was {_typed(old[name])}, now it is {_typed(of)}" for name, of in new.items() if _other(old, name, of)
    ]
    return "; ".join(said) or "they differ in more than their fields"


def _other(old: dict[str, Any], name: str, of: Any) -> bool:
    return name in old and old[name] != of


def _fields(schema: str) -> dict[str, Any]:
    try:
        return {field["name"]: field["type"] for field in msgspec.json.decode(schema)["fields"]}
    except (ValueError, KeyError, TypeError):
        return {}


def _typed(of: Any) -> str:
    return of if isinstance(of, str) else json.dumps(of)
