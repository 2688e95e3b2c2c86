"""What a CMS says of its content: types, their fields, and locales with their fallbacks. Immutable. Pure."""

from collections.abc import Iterable
from typing import Literal

import msgspec

FieldKind = Literal["text", "integer", "number", "boolean", "date", "location", "link", "links", "texts", "json"]
"""What the values of a field are: one text, whole number, number, truth, moment, place or link; a list of links or of
texts; or JSON of any shape, which is also what a kind that nobody knows is."""


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One field of a content type.

    - `id`: stays the same when the field is renamed, where the vendor has such an id; else the `name`.
    - `name`: the member of an item's fields that holds the values.
    - `kind`: what its values are. `type`: the vendor's own word for that, with the type of a list's items in it.
    - `localized`: whether its values differ by locale; else the default locale's apply to all.
    """

    id: str
    name: str
    kind: FieldKind
    type: str
    localized: bool = True


class ContentType(msgspec.Struct, frozen=True, kw_only=True):
    """A content type: its fields in the model's order, and the name of the field that titles an entry, if one does."""

    id: str
    name: str = ""
    display_field: str | None = None
    fields: tuple[Field, ...] = ()


def in_order(types: Iterable[ContentType]) -> tuple[ContentType, ...]:
    """Return content types as a model has them: by id."""
    return tuple(sorted(types, key=lambda each: each.id))


class Locale(msgspec.Struct, frozen=True, kw_only=True):
    """A locale; `fallback` is the code of the locale that stands in where it has no value."""

    code: str
    name: str = ""
    default: bool = False
    fallback: str | None = None


class ContentModel(msgspec.Struct, frozen=True, kw_only=True):
    """The content types, by id in order, and the locales of a space, stack or environment."""

    content_types: tuple[ContentType, ...] = ()
    locales: tuple[Locale, ...] = ()
