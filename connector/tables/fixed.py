"""The tables that every connection has, as content types of our own: of assets, content types and locales. Pure.

Their items' fields are brought into the shape of these content types' first, by slices: no value is written anew.
"""

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from connector.model import rawjson
from connector.model.content_model import ContentType, Field, FieldKind, Locale
from connector.tables import names

_FILE: Final = "file"
_ASSET: Final[Mapping[str, tuple[FieldKind, str, tuple[tuple[str, ...], ...]]]] = {
    "file_name": ("text", "name of the file", (("fileName",), ("filename",))),
    "content_type": ("text", "media type of the file", (("contentType",), ("content_type",))),
    "size": ("integer", "bytes", (("details", "size"), ("size",), ("file_size",))),
    "url": ("text", "where the file is", (("url",),)),
    "width": ("integer", "pixels of an image", (("details", "image", "width"), ("dimension", "width"), ("width",))),
    "height": ("integer", "pixels of an image", (("details", "image", "height"), ("dimension", "height"), ("height",))),
    "title": ("text", "title", (("title",),)),
    "description": ("text", "description", (("description",),)),
}
"""The columns of assets: the kind, a description, and where CMSs have the value, in the file or in the asset."""
_OF_ASSET: Final = ("title", "description")
_UNSET: Final = (b"null", b'""', b"[]")


def _fields(columns: Mapping[str, tuple[FieldKind, str]], *, localized: bool) -> tuple[Field, ...]:
    return tuple(
        Field(id=name, name=name, kind=kind, type=said, localized=localized) for name, (kind, said) in columns.items()
    )


ASSET: Final = ContentType(
    id=names.ASSETS,
    name="Assets",
    fields=_fields({name: (kind, said) for name, (kind, said, _) in _ASSET.items()}, localized=True),
)
"""The content type of the table `_asset`; its items' fields are those of `asset`."""

CONTENT_TYPE: Final = ContentType(
    id=names.CONTENT_TYPES,
    name="Content types",
    fields=_fields(
        {
            "name": ("text", "name"),
            "display_field": ("text", "name of the field that titles an entry"),
            "table": ("text", "name of the table, as in its topic"),
            "fields": ("json", "array of id, name, kind, type and localized"),
        },
        localized=False,
    ),
)
"""The content type of the table `_content_type`; its items are of one locale, `*`, and their fields are `model`'s."""

LOCALE: Final = ContentType(
    id=names.LOCALES,
    name="Locales",
    fields=_fields(
        {
            "code": ("text", "as in _locale of the other tables"),
            "name": ("text", "name"),
            "default": ("boolean", "whether it is the default locale"),
            "fallback": ("text", "code of the locale that stands in where it has no value"),
        },
        localized=False,
    ),
)
"""The content type of the table `_locale`; its items are of one locale, `*`, and their fields are `locale`'s."""


def asset(fields: bytes, *, localized: bool) -> bytes:
    """Return an asset's fields with a member for each column; `localized`: they hold values, not maps of locales.

    Raises `ValueError` for fields that cannot be read.
    """
    members = rawjson.members(fields)
    if localized:
        return rawjson.join(dict(_of_file(members)) | {name: members[name] for name in _OF_ASSET if name in members})
    columns: dict[str, dict[str, bytes]] = {}
    for locale, file in _members(members.get(_FILE, b"null")).items():
        for name, value in _of_file(_members(file)):
            columns.setdefault(name, {})[locale] = value
    own = {name: members[name] for name in _OF_ASSET if name in members}
    return rawjson.join({name: rawjson.join(values) for name, values in columns.items()} | own)


def model(content_type: ContentType) -> bytes:
    """Return a content type as the fields of its item."""
    fields = [{name: getattr(field, name) for name in field.__struct_fields__} for field in content_type.fields]
    said = {
        "name": content_type.name,
        "display_field": content_type.display_field,
        "table": names.escape(content_type.id),
        "fields": fields,
    }
    return msgspec.json.encode(said)


def locale(found: Locale) -> bytes:
    """Return a locale as the fields of its item."""
    return msgspec.json.encode({name: getattr(found, name) for name in found.__struct_fields__})


def _of_file(members: Mapping[str, bytes]) -> Iterator[tuple[str, bytes]]:
    for name, (kind, _, paths) in _ASSET.items():
        found = (_at(members, path) for path in paths if name not in _OF_ASSET)
        value = next((each for each in found if each is not None), None)
        if value is not None:
            yield name, value.strip(b'"') if kind == "integer" and value.strip(b'"').isdigit() else value


def _at(members: Mapping[str, bytes], path: tuple[str, ...]) -> bytes | None:
    for name in path[:-1]:
        members = _members(members.get(name, b"null"))
    return members.get(path[-1])


def _members(raw: bytes) -> Mapping[str, bytes]:
    """Return the members of an object, none where there is no value; raises `ValueError` for anything else."""
    return {} if raw in _UNSET else rawjson.members(raw)
