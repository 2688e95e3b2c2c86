"""Contentstack's content types and languages, as its Content Delivery API lists them. Pure."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from connector.simulator.label import label
from connector.simulator.timestamp import iso
from connector.simulator.value import DEFAULT_LOCALE, ContentType, Field, FieldType, Locale, Model

_MOST = 100
_TITLE = Field("title", "symbol", localized=True, id="title")
# A number has no marker for integers.
_TOLD: dict[FieldType, FieldType] = {"integer": "number"}


def uid(name: str) -> str:
    """Return `name` in lower case with underscores."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()


def spelled(model: Model) -> Model:
    """Return `model` as Contentstack tells it: uids, a `title` everywhere, and a fallback for every other language."""
    master = DEFAULT_LOCALE.lower()
    locales = tuple(
        Locale(each.code.lower(), each.name, None if each.code == DEFAULT_LOCALE else (each.fallback or master).lower())
        for each in model.locales
    )
    return Model(tuple(map(_spelled, model.content_types)), locales)


def _spelled(content_type: ContentType) -> ContentType:
    fields = [
        Field(uid(each.name), _TOLD.get(each.type, each.type), each.localized, uid(each.target), uid(each.name))
        for each in content_type.fields
    ]
    title = next((each for each in fields if each.name == _TITLE.name), _TITLE)
    rest = [each for each in fields if each.name != _TITLE.name]
    single_line = msgspec.structs.replace(title, type=_TITLE.type)
    return ContentType(uid(content_type.id), content_type.name, (single_line, *rest))


def content_type(content_type: ContentType, stamp: tuple[int, int, int], *, whole: bool) -> dict[str, Any]:
    """Return a content type in Contentstack's spelling; `whole`: with the schemas of its global fields.

    `stamp` is its revision, and when it was created and changed.
    """
    revision, created_at, updated_at = stamp
    return {
        "created_at": iso(created_at),
        "updated_at": iso(updated_at),
        "title": content_type.name,
        "uid": content_type.id,
        "_version": revision,
        "inbuilt_class": False,
        "schema": [_field(each, whole=whole) for each in content_type.fields],
        "last_activity": {},
        "maintain_revisions": True,
        "description": "",
        "options": {"is_page": False, "singleton": False, "title": _TITLE.name, "sub_title": []},
    }


def locale(locale: Locale, *, created_at: int) -> dict[str, Any]:
    """Return a language."""
    by, at = "bltsimulateduser01", iso(created_at)
    head = {"code": locale.code, "uid": f"bltlanguage{locale.code.replace('-', '')}"}
    tail = {"name": locale.name, "ACL": {}, "_version": 1, "fallback_locale": locale.fallback}
    return {**head, "created_by": by, "updated_by": by, "created_at": at, "updated_at": at, **tail}


def collection(name: str, items: Iterable[dict[str, Any]], params: Mapping[str, str]) -> dict[str, Any]:
    """Return the page of `items` that the parameters ask for; raises `LookupError` with the name of a wrong one."""
    every = list(items)
    skip, limit = _number(params, "skip", 0), min(_number(params, "limit", _MOST), _MOST)
    count = {"count": len(every)} if params.get("include_count") == "true" else {}
    return {name: every[skip : skip + limit], **count}


def _number(params: Mapping[str, str], name: str, otherwise: int) -> int:
    text = params.get(name, str(otherwise))
    if not text.isdecimal():
        raise LookupError(name)
    return int(text)


def _field(field: Field, *, whole: bool) -> dict[str, Any]:
    title = field.name == _TITLE.name
    head = {"display_name": label(field.name), "uid": field.name, "data_type": "text", "field_metadata": {}}
    flags = {"multiple": False, "mandatory": title, "unique": title, "non_localizable": not field.localized}
    made = {**head, **flags, **_told(field)}
    if title:
        made["field_metadata"] = {"_default": True, "version": 3}
    if not whole and made["data_type"] == "global_field":
        del made["schema"]
    return made


def _told(field: Field) -> dict[str, Any]:
    """Return what sets a field's data type apart; how many references there are is in the metadata, not `multiple`."""
    match field.type:
        case "entry" | "entries":
            how_many = {"ref_multiple": field.type == "entries", "ref_multiple_content_types": True}
            return {"data_type": "reference", "reference_to": [field.target], "field_metadata": how_many}
        case _:
            return _DATA_TYPES[field.type]


def _nested(name: str, data_type: str) -> dict[str, Any]:
    head = {"display_name": label(name), "uid": name, "data_type": data_type, "field_metadata": {}}
    return {**head, "multiple": False, "mandatory": False, "unique": False, "non_localizable": False}


def _block(name: str) -> dict[str, Any]:
    return {"title": label(name), "uid": name, "schema": [_nested("headline", "text"), _nested("image", "file")]}


_DATA_TYPES: dict[FieldType, dict[str, Any]] = {
    "symbol": {"data_type": "text", "field_metadata": {"description": "", "default_value": "", "version": 3}},
    "text": {"data_type": "text", "field_metadata": {"description": "", "default_value": "", "multiline": True}},
    "rich_text": {
        "data_type": "json",
        "field_metadata": {"allow_json_rte": True, "rich_text_type": "advanced", "embed_entry": True},
        "reference_to": ["product", "sys_assets"],
    },
    "number": {"data_type": "number"},
    "date": {"data_type": "isodate", "startDate": None, "endDate": None},
    "boolean": {"data_type": "boolean"},
    "location": {"data_type": "group", "schema": [_nested("latitude", "number"), _nested("longitude", "number")]},
    "object": {"data_type": "json", "extension_uid": "bltsimulatedjson01", "field_metadata": {"extension": True}},
    "asset": {"data_type": "file", "extensions": []},
    "assets": {"data_type": "file", "extensions": [], "multiple": True},
    "symbols": {"data_type": "text", "multiple": True},
    "resource": {"data_type": "link", "field_metadata": {"default_value": {"title": "", "url": ""}}},
    "blocks": {"data_type": "blocks", "multiple": True, "blocks": [_block("hero"), _block("quote")]},
    "group": {
        "data_type": "global_field",
        "reference_to": "card",
        "schema": [_nested("headline", "text"), _nested("weight", "number"), _nested("image", "file")],
    },
}
