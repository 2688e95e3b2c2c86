"""The values of an item's fields, decoded at once, or one by one if any is out of the ordinary. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec.structs import astuple

from connector.model import rawjson
from connector.tables.kinds import NULL, DoesNotFit, verbatim
from connector.tables.places import Place, Source

_NOTHING: Final[Mapping[str, Any]] = {}
_UNSET: Final = (b'""', b"[]")
_ABSENT: Final = b"null"

Decode = Callable[[bytes], Sequence[Any]]
"""Returns the values of an item's fields, source by source, None for each that is not there."""


class Misfit(msgspec.Struct, frozen=True):
    """A value that no column takes exactly.

    It belongs to `column` (empty: to none, as the fields cannot be read) of the row of `locale` (None: of each row).
    `reason` never holds content.
    """

    column: str
    reason: str
    locale: str | None = None


class Values:
    """The decoded values of one item: a map for each source, by locale.

    `misfits` are those that were found so far; `unknown` the members that are no source's.
    """

    def __init__(self, maps: Sequence[Mapping[str, Any]], unknown: tuple[str, ...] = ()) -> None:
        self.maps = maps
        self.unknown = unknown
        self.misfits: list[Misfit] = []

    def put(self, value: Any, place: Place, row: list[bytes], locale: str | None) -> bool:
        """Write a value, which is not None, into its slot of a row; return whether it is one.

        Raises `DoesNotFit` unless the misfit is noted.
        """
        del locale
        how = place.slot.how
        row[place.slot.at] = written = how.write(value)
        return written != how.nulls


class Slices(Values):
    """The values as slices of JSON: each is looked at on its own."""

    def put(self, value: Any, place: Place, row: list[bytes], locale: str | None) -> bool:
        """Write a value into the slot where it fits: its own, one of an earlier kind, or its column of exact text."""
        refused = ""
        for slot in (place.slot, *place.earlier):
            try:
                written = slot.how.read(value)
            except DoesNotFit as error:
                refused = refused or str(error)
                continue
            row[slot.at] = written
            return written != slot.how.nulls
        if value in _UNSET:  # so some CMSs write that there is no value
            return False
        if "text" in place.slot.how.parts:
            row[place.slot.at] = NULL + verbatim(value)
        else:
            self.misfits.append(Misfit(place.slot.column, refused, locale))
        return True


def decoder(sources: Sequence[Source], *, flat: bool) -> Decode:
    """Return a function that decodes the fields of items, each a value (`flat`) or a map of values by locale.

    It raises `ValueError` or `RecursionError` for what only slices can tell: values that are none of their kind, and,
    unless `flat`, members of no source. Of two members with one name it may take the last.
    """
    members = {f"m{number}": source.member for number, source in enumerate(sources)}
    types = [source.kind.type for source in sources]
    shapes = types if flat else [dict.__class_getitem__((str, of)) | None for of in types]
    fields = [(name, shape, None) for name, shape in zip(members, shapes, strict=True)]
    try:
        made = msgspec.defstruct("Fields", fields, rename=members, forbid_unknown_fields=not flat, gc=False)
    except ValueError:  # a member's name that msgspec cannot look for
        return _refuse
    decode = msgspec.json.Decoder(made).decode
    return lambda fields: astuple(decode(fields))


def decoded(decode: Decode, fields: bytes, flat: str | None) -> Values:
    """Return the values of an item's fields, all of the locale `flat` if given; raises what `decode` does."""
    found = decode(fields)
    return Values([value or _NOTHING for value in found] if flat is None else [{flat: value} for value in found])


def slices(sources: Sequence[Source], fields: bytes, flat: str | None) -> Slices:
    """Return the same values as slices; its misfits are fields that are no maps of locales.

    Raises `ValueError` for fields that are no object with distinct members.
    """
    members = rawjson.members(fields)
    if flat is not None:
        return Slices([{flat: members.get(source.member, _ABSENT)} for source in sources])
    known = {source.member for source in sources}
    found = Slices([], tuple(name for name in members if name not in known))
    found.maps = [_by_locale(members.get(source.member, _ABSENT), source, found.misfits) for source in sources]
    return found


def _by_locale(raw: bytes, source: Source, misfits: list[Misfit]) -> Mapping[str, bytes]:
    try:
        return _NOTHING if raw == _ABSENT else rawjson.members(raw)
    except ValueError:
        misfits.append(Misfit(source.places[0].slot.column, "the field does not hold a value for each locale"))
        return _NOTHING


def _refuse(_: bytes) -> Sequence[Any]:
    raise ValueError("msgspec cannot look for a member of this name")
