"""The content's values in no vendor's form; each front end renders them in its own JSON. Pure."""

from decimal import Decimal
from typing import Any, Literal

import msgspec

Kind = Literal["entry", "asset", "content_type"]
FieldType = Literal[
    "symbol", "text", "rich_text", "integer", "number", "date", "boolean", "location", "object",
    "entry", "asset", "entries", "assets", "symbols", "resource", "blocks", "group",
]  # fmt: skip
"""What the values of a field are.

`symbol` is a short text; `symbols`, `entries` and `assets` are lists; `resource` is a link to another space, `object`
any JSON, `group` a few members that are the same wherever it stands, `blocks` a list of parts.
"""

DEFAULT_LOCALE = "en-US"


class Link(msgspec.Struct, frozen=True, gc=False):
    """A pointer to an entry or asset of the same space; the target need not exist."""

    kind: Kind
    id: str
    content_type: str = ""


class Resource(msgspec.Struct, frozen=True, gc=False):
    """A pointer to an entry of another space."""

    space: str
    id: str


class Location(msgspec.Struct, frozen=True, gc=False):
    """A point on Earth, in degrees."""

    latitude: Decimal
    longitude: Decimal


class Moment(msgspec.Struct, frozen=True, gc=False):
    """A date, or a point in time, in ISO 8601 as an editor may write it: with or without a time, a zone or seconds."""

    text: str


class RichText(msgspec.Struct, frozen=True, gc=False):
    """A heading, a paragraph and an embedded entry."""

    heading: str
    paragraph: str
    embedded: Link


class Block(msgspec.Struct, frozen=True, gc=False):
    """One part of a composed page."""

    name: str
    headline: str
    image: Link


class Group(msgspec.Struct, frozen=True, gc=False):
    """What every field of the type `group` holds."""

    headline: str
    weight: Decimal
    image: Link


class File(msgspec.Struct, frozen=True, gc=False):
    """The file of an asset: an image."""

    name: str
    mime: str
    size: int
    width: int
    height: int


class Field(msgspec.Struct, frozen=True, gc=False):
    """One field of a content type.

    - `name`: the member of entries that holds its values. `id`: what it keeps when it is renamed.
    - `target`: the content type that its links point to.
    """

    name: str
    type: FieldType
    localized: bool = False
    target: str = ""
    id: str = ""


class ContentType(msgspec.Struct, frozen=True):
    """The schema of entries; its first field is the title, a `symbol` or a `text`."""

    id: str
    name: str
    fields: tuple[Field, ...]


class Locale(msgspec.Struct, frozen=True):
    """A language that entries can be written in; `fallback` is the code of the locale that stands in for it."""

    code: str
    name: str
    fallback: str | None = None


class Model(msgspec.Struct, frozen=True):
    """The content model: content types in the order they were made, and locales, the default one first."""

    content_types: tuple[ContentType, ...]
    locales: tuple[Locale, ...]


Values = dict[str, dict[str, Any]]
"""Field name -> locale -> value: a class of this module, a JSON value, or `msgspec.Raw` for verbatim JSON."""
