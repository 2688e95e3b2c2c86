"""What the values of each kind of field are in columns, in Avro: exactly what they are, or nothing at all. Pure."""

import re
import struct
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final, Literal

import msgspec

from connector.events.codec import long, string
from connector.model.content_model import FieldKind
from connector.model.timestamp import micros

ColumnType = Literal["string", "long", "double", "boolean", "timestamp", "strings", "json"]
"""Of a column: `timestamp` is in milliseconds, `strings` an array of strings, `json` the text of JSON."""

Part = Literal["", "text", "lat", "lon"]
"""Of a field's value in a column: all of it; its exact text; latitude, longitude."""

# The branches of a union of null and another type.
NULL: Final = b"\0"
_SOME: Final = b"\2"

_ABSENT: Final = b"null"
_END: Final = b"\0"  # of an array
_BOOLEANS: Final = {None: NULL, False: _SOME + b"\0", True: _SOME + b"\1"}
_double: Final = struct.Struct("<d").pack
_LONG: Final = range(-(2**63), 2**63)
_SAFE: Final = 15  # decimal digits that a double keeps, whatever they are; a long does too
_NUMBER: Final = re.compile(rb"-?[0-9]")
_EXPONENT: Final = re.compile(rb"[eE]")
_NOT_ZERO: Final = re.compile(rb"[1-9]")


class DoesNotFit(ValueError):
    """A value is none of its kind, or cannot stand exactly in the columns of its kind; says why, without content."""


class Kind(msgspec.Struct, frozen=True):
    """One kind of field.

    - `parts`: what its columns hold, and their types, in order.
    - `type`: what msgspec reads a value or null as. `write` returns the Avro of all its columns, nulls if there is no
      value; it raises `DoesNotFit`.
    - `nulls`: the Avro of its columns without a value. `expected`: what the values are, in words.
    """

    parts: Mapping[Part, ColumnType]
    type: Any
    write: Callable[[Any], bytes]
    expected: str
    nulls: bytes = NULL

    def read(self, raw: bytes) -> bytes:
        """Return the Avro of its columns for a JSON value; raises `DoesNotFit`."""
        try:
            return self.write(raw if self.type is msgspec.Raw else msgspec.json.decode(raw, type=self.type))
        except DoesNotFit:
            raise
        except (ValueError, RecursionError):
            raise DoesNotFit(f"the value is not {self.expected}") from None


class _Sys(msgspec.Struct, frozen=True, gc=False):
    id: str | None = None
    urn: str | None = None


class _Link(msgspec.Struct, frozen=True, gc=False):
    """A link in any of the forms that CMSs write: an object with a `sys`, or with a `uid`."""

    sys: _Sys | None = None
    uid: str | None = None


class _Place(msgspec.Struct, frozen=True, gc=False):
    """Degrees under the names that CMSs use; no bytes for those that are not there."""

    lat: msgspec.Raw = msgspec.Raw()
    lon: msgspec.Raw = msgspec.Raw()
    latitude: msgspec.Raw = msgspec.Raw()
    longitude: msgspec.Raw = msgspec.Raw()


def verbatim(raw: bytes) -> bytes:
    """Return the Avro of a column of exact text for any JSON value: the text that it is, else the JSON itself."""
    try:
        return _text(msgspec.json.decode(raw, type=str))
    except ValueError:
        return _SOME + string(raw)


def _text(value: str | None) -> bytes:
    return NULL if value is None else _SOME + _string(value)


def _texts(value: list[str] | None) -> bytes:
    if not value:
        return NULL if value is None else _SOME + _END
    return _SOME + long(len(value)) + b"".join(map(_string, value)) + _END


def _string(value: str) -> bytes:
    if "\0" in value:
        raise DoesNotFit("a NUL is in the text, which databases refuse")
    return string(value.encode())


def _json(raw: Any) -> bytes:
    written = bytes(raw)
    return NULL if written == _ABSENT else _SOME + string(written)


def _integer(raw: Any) -> bytes:
    written = bytes(raw)
    if written.isdigit() and len(written) <= _SAFE:
        return _SOME + long(int(written))
    return NULL if written == _ABSENT else _SOME + long(_whole(written))


def _whole(written: bytes) -> int:
    """Return a number without a fraction, however it is written."""
    if _NUMBER.match(written) and abs(float(written)) < 2 * _LONG.stop:
        try:
            exact = Decimal(written.decode())
            number = int(exact)
        except ArithmeticError as error:  # an exponent beyond all bounds
            raise DoesNotFit("the value is not a whole number") from error
        if number == exact and number in _LONG:
            return number
    raise DoesNotFit("the value is not a whole number of 64 bits")


def _number(raw: Any) -> bytes:
    written = bytes(raw)
    if written == _ABSENT:
        return NULL + NULL
    number = _exact(written)
    return NULL + _SOME + string(written) if number is None else _SOME + _double(number) + NULL


def _exact(written: bytes) -> float | None:
    """Return a JSON number as a double, None if the double's shortest form is another number."""
    if not _NUMBER.match(written):
        raise DoesNotFit("the value is not a number")
    number = float(written)
    if len(written) <= _SAFE and not _EXPONENT.search(written):
        return number
    if number == 0:
        return None if _NOT_ZERO.search(_EXPONENT.split(written)[0]) else number
    exact = abs(number) != float("inf") and Decimal(repr(number)) == Decimal(written.decode())
    return number if exact else None


def _date(value: str | None) -> bytes:
    moment = micros(value)
    return (NULL if moment is None else _SOME + long(moment // 1000)) + _text(value)


def _place(value: _Place | None) -> bytes:
    if value is None:
        return NULL + NULL
    latitude, longitude = bytes(value.lat) or bytes(value.latitude), bytes(value.lon) or bytes(value.longitude)
    if not latitude and not longitude:
        raise DoesNotFit("the value names no place")
    return _degrees(latitude) + _degrees(longitude)


def _degrees(written: bytes) -> bytes:
    if not written or written == _ABSENT:
        return NULL
    number = _exact(written)
    if number is None:
        raise DoesNotFit("a double would be another place")
    return _SOME + _double(number)


def _link(value: Any) -> bytes:
    if not isinstance(value, list):
        return _text(_id(value))
    if len(value) > 1:
        raise DoesNotFit("there is more than one link")
    if value and not _id(value[0]):
        raise DoesNotFit("the link names nothing")
    return _text(_id(value[0]) if value else None)


def _links(value: Any) -> bytes:
    if not isinstance(value, list):
        one = _id(value)
        return _texts(None if one is None else [one])
    ids = [_id(each) for each in value]
    if not all(ids):
        raise DoesNotFit("one of the links names nothing")
    return _texts([each for each in ids if each])


def _id(link: str | _Link | None) -> str | None:
    """Return what a link names, None for no link: some CMSs deliver an empty text for that."""
    if isinstance(link, _Link):
        found = (link.sys.id or link.sys.urn) if link.sys else link.uid
        if not found:
            raise DoesNotFit("the link names nothing")
        return found
    return link or None


_ANY_LINKS: Final = str | _Link | list[str | _Link] | None

KINDS: Final[Mapping[FieldKind, Kind]] = {
    "text": Kind({"": "string"}, str | None, _text, "a text that UTF-8 can hold"),
    "integer": Kind({"": "long"}, msgspec.Raw, _integer, "a whole number"),
    "number": Kind({"": "double", "text": "string"}, msgspec.Raw, _number, "a number", NULL * 2),
    "boolean": Kind({"": "boolean"}, bool | None, _BOOLEANS.__getitem__, "true or false"),
    "date": Kind({"": "timestamp", "text": "string"}, str | None, _date, "a text", NULL * 2),
    "location": Kind({"lat": "double", "lon": "double"}, _Place | None, _place, "a place", NULL * 2),
    "link": Kind({"": "string"}, _ANY_LINKS, _link, "a link"),
    "links": Kind({"": "strings"}, _ANY_LINKS, _links, "a list of links"),
    "texts": Kind({"": "strings"}, list[str] | None, _texts, "a list of texts that UTF-8 can hold"),
    "json": Kind({"": "json"}, msgspec.Raw, _json, "JSON"),
}
"""Every kind of field. Columns stay for ever: a kind MUST NOT get other parts, or other types for them."""
