"""What every vendor does with an item: find the parts fit for keys and columns, set aside the unreadable. Pure."""

from collections.abc import Callable, Iterable
from typing import Any, TypedDict

from connector.errors import MalformedItem, SourceUnavailable
from connector.model import rawjson, timestamp
from connector.model.change import Change, DeadLetter
from connector.model.page import Frame, SyncPage

_LONG = 2**63


class References(TypedDict):
    """What an entity points to, as a `Change` has it."""

    refs: tuple[str, ...]
    ref_fields: tuple[str, ...]


def cut(body: bytes, listed: str, *names: str) -> tuple[list[bytes] | None, list[Any]]:
    """Return the elements of a page's member `listed` as bytes, and the values of the members `names`.

    Each is None where it is missing. Raises `SourceUnavailable` for a body that is not such a page.
    """
    try:
        members, raws = rawjson.page(body, listed)
        return raws, [rawjson.value(members.get(name, b"null")) for name in names]
    except ValueError as error:
        raise SourceUnavailable(f"the response is not a sync page: {error}") from error


def read(frame: Frame, parse: Callable[[bytes], Change]) -> SyncPage:
    """Return the page with each raw item as a change, or as a dead letter if `parse` refuses it.

    `parse` raises `MalformedItem`, or `ValueError` if not even a type can be read; neither message has content.
    """
    changes: list[Change] = []
    dead_letters: list[DeadLetter] = []
    for raw in frame.raws:
        try:
            changes.append(parse(raw))
        except MalformedItem as error:
            dead_letters.append(DeadLetter(raw, str(error), item_type=error.item_type, item_id=error.item_id))
        except ValueError as error:
            dead_letters.append(DeadLetter(raw, str(error)))
    return SyncPage(tuple(changes), frame.position, frame.caught_up, tuple(dead_letters))


def text(value: Any) -> str | None:
    """Return `value` if it is a text that keys, columns and logs can carry: not empty, valid Unicode, no NUL."""
    if not isinstance(value, str) or not value or "\0" in value:
        return None
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            return None
    return value


def moment(value: Any) -> timestamp.Timestamp | None:
    """Return the time that `value` gives, if it is a usable text."""
    return timestamp.read(text(value))


def whole(value: Any) -> int | None:
    """Return `value` if it is a whole number that fits a long."""
    return value if type(value) is int and -_LONG <= value < _LONG else None


def references(found: Iterable[tuple[str, str]]) -> References:
    """Return what links point to, each once, and the field that each stands in first, from pairs of field and target.

    The name of a field that a column cannot carry is left empty.
    """
    fields: dict[str, str] = {}
    for field, target in found:
        fields.setdefault(target, field)
    return {"refs": tuple(fields), "ref_fields": tuple([text(field) or "" for field in fields.values()])}


def identified(item_type: str, value: Any) -> str:
    """Return an item's id; raises `MalformedItem` unless a key can carry it."""
    found = text(value)
    if found is None:
        raise MalformedItem("the item has no usable id", item_type=item_type)
    return found
