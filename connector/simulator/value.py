"""The content's values in no vendor's form; each front end renders them in its own JSON. Pure."""

from decimal import Decimal
from typing import Any, Literal

import msgspec

Kind = Literal["entry", "asset", "content_type"]
FieldType = Literal[
    "symbol", "text", "rich_text", "integer", "number", "date", "boolean", "location", "object",
    "entry", "asset", "entries", "symbols", "resource", "blocks",
]  # fmt: skip

LOCALES = ("en-US", "de-DE", "fr-FR")
DEFAULT_LOCALE = LOCALES[0]


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


class File(msgspec.Struct, frozen=True, gc=False):
    """The file of an asset: an image."""

    name: str
    mime: str
    size: int
    width: int
    height: int


class Field(msgspec.Struct, frozen=True, gc=False):
    """One field of a content type; `target` is the content type that links point to."""

    id: str
    type: FieldType
    localized: bool = False
    target: str = ""


class ContentType(msgspec.Struct, frozen=True):
    """The schema of entries; its first field is the title."""

    id: str
    name: str
    fields: tuple[Field, ...]


Values = dict[str, dict[str, Any]]
"""Field id -> locale -> value: a class of this module, a JSON value, or `msgspec.Raw` for verbatim JSON."""
