"""Names of tables and columns that Avro and Kafka accept, made of a vendor's names, and back. Pure.

Most names stay as they are. What neither accepts becomes its code in hexadecimal digits, with an underscore where
Python has a backslash: `blog-post` is `blog_x2dpost`, `größe` is `gr_xf6_xdfe`. So does what would be ambiguous: a
digit or underscore at the beginning, an underscore at the end or before what is not a plain letter or digit, or before
what looks like a code.

An escaped name never contains two underscores in a row, and begins with one only in a code. Therefore `__` separates
the parts of a column's name, and no field can take a name that contentwire itself gives: those begin with an
underscore that no code follows.
"""

import re
from collections.abc import Iterable
from itertools import count
from typing import Final

ASSETS: Final = "_asset"
CONTENT_TYPES: Final = "_content_type"
LOCALES: Final = "_locale"
"""The tables of assets, content types and locales: no content type is escaped to these names."""
OWN: Final = (ASSETS, CONTENT_TYPES, LOCALES)
"""The tables that every connection has; called as events call their entities' (`source.table`)."""

_CODE: Final = "x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8}"
_ESCAPED: Final = re.compile(rf"[^A-Za-z0-9_]|^[0-9_]|_\Z|_(?=[^A-Za-z0-9]|{_CODE})")
_CODED: Final = re.compile(rf"_({_CODE})")
_SWAPPED: Final = str.maketrans("-_", "_-")
_EMPTY: Final = "_"
_PARTS: Final = ("text", "lat", "lon")
_SHORT, _MEDIUM = 0xFF, 0xFFFF


def escape(name: str) -> str:
    """Return a name of `[A-Za-z_][A-Za-z0-9_]*` for any text: different ones for different texts."""
    return _ESCAPED.sub(lambda found: _coded(found[0]), name) if name else _EMPTY


def unescape(name: str) -> str:
    """Return the text that `escape` has made a name of."""
    return "" if name == _EMPTY else _CODED.sub(lambda found: chr(int(found[1][1:], 16)), name)


def record(connection: str, table: str) -> str:
    """Return the full name of a table's Avro record; `table` is an escaped name."""
    return f"contentwire.table.{escape(connection)}.{table}"


def column(stem: str, locale: str | None, part: str) -> str:
    """Return the name of a field's column: for a locale if there is one, and for a part of its value, if not all.

    Different ones for different arguments, if each stem is made by `stem`.
    """
    return "__".join(filter(None, (stem, None if locale is None else _locale(locale), part)))


def stem(name: str, taken: Iterable[str]) -> str:
    """Return what a new field's column names begin with: its escaped name, else `name__2` and so on.

    It differs from all that are `taken` by more than upper and lower case, which many sinks do not tell apart.
    """
    others, escaped = {each.lower() for each in taken}, escape(name)
    numbered = (f"{escaped}__{number}" for number in count(2))
    return escaped if escaped.lower() not in others else next(each for each in numbered if each.lower() not in others)


def collisions(ids: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Return pairs of ids that would share one name: equal ones, and those that only upper and lower case tell apart.

    `ids` are those of content types, whose tables many sinks would confuse; the first of each name is the first of its
    pairs.
    """
    first: dict[str, str] = {}
    found = []
    for each in ids:
        name = escape(each).lower()
        if name in first:
            found.append((first[name], each))
        first.setdefault(name, each)
    return tuple(found)


def _locale(code: str) -> str:
    """Return a locale's part of a name: `de_DE` for `de-DE`; never one of the parts of a value, or a number."""
    escaped = escape(code.translate(_SWAPPED))
    return _coded(escaped[0]) + escaped[1:] if escaped in _PARTS else escaped


def _coded(character: str) -> str:
    code = ord(character)
    if code <= _SHORT:
        return f"_x{code:02x}"
    return f"_u{code:04x}" if code <= _MEDIUM else f"_U{code:08x}"
