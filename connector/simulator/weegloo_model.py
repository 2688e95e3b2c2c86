"""Weegloo's content types and locales, as its Content Delivery API has them. Pure."""

from collections.abc import Mapping
from typing import Any

import msgspec

from connector.simulator.label import label
from connector.simulator.timestamp import iso
from connector.simulator.value import DEFAULT_LOCALE, ContentType, Field, FieldType, Locale, Model

_TOLD: dict[FieldType, FieldType] = {"resource": "symbol", "blocks": "object", "group": "object"}
_TYPES: dict[FieldType, str] = {
    "symbol": "ShortText",
    "text": "LongText",
    "rich_text": "RichText",
    "integer": "Long",
    "number": "Number",
    "date": "Date",
    "boolean": "Boolean",
    "location": "Location",
    "object": "Json",
    "entry": "Refer",
    "asset": "Refer",
    "entries": "Array",
    "assets": "Array",
    "symbols": "Array",
}
_ITEMS = {"entries": "Refer", "assets": "Refer", "symbols": "ShortText"}
_USER = "simulatedUser01"


def refer(target_type: str, id: str) -> dict[str, Any]:  # noqa: A002 - the vendor's word
    """Return a link."""
    return {"sys": {"id": id, "type": "Refer", "targetType": target_type}}


def spelled(model: Model) -> Model:
    """Return `model` as Weegloo tells it: any JSON is an object, and a link to another space a short text."""
    return Model(tuple(map(spelled_type, model.content_types)), model.locales)


def spelled_type(content_type: ContentType) -> ContentType:
    """Return a content type as Weegloo tells it."""
    fields = tuple(msgspec.structs.replace(each, type=_TOLD.get(each.type, each.type)) for each in content_type.fields)
    return msgspec.structs.replace(content_type, fields=fields)


def fields(content_type: ContentType) -> list[dict[str, Any]]:
    """Return the fields of a content type in Weegloo's spelling: `apiName` is the name, `name` a label."""
    return [_field(each) for each in content_type.fields]


def _field(field: Field) -> dict[str, Any]:
    names = {"id": field.id, "name": label(field.name), "apiName": field.name}
    rules = {"localized": field.localized, "required": False, "validations": [], "disabled": False}
    made: dict[str, Any] = {**names, "type": _TYPES[field.type], **rules}
    if field.type in _ITEMS:
        made["items"] = {"type": _ITEMS[field.type], "validations": _validations(field)}
    else:
        made["validations"] = _validations(field)
    return made


def _validations(field: Field) -> list[dict[str, Any]]:
    """Return what says where links point to."""
    if field.type in ("entry", "entries"):
        return [{"referContentType": [refer("ContentType", field.target)]}]
    return [{"mediaMimetypeGroup": ["Image"]}] if field.type in ("asset", "assets") else []


def locale(locale: Locale, *, space: str, created_at: int) -> dict[str, Any]:
    """Return the item of a locale; only one that has a fallback says so."""
    at, by = iso(created_at), refer("User", _USER)
    sys = {
        "id": f"locale{locale.code.replace('-', '')}",
        "type": "Locale",
        "space": refer("Space", space),
        "name": locale.name,
        "default": locale.code == DEFAULT_LOCALE,
        "code": locale.code,
        "createdBy": by,
        "createdAt": at,
        "updatedAt": at,
        "updatedBy": by,
        "version": 1,
    }
    fallback = {} if locale.fallback is None else {"fallbackCode": locale.fallback}
    return {"sys": sys, "optional": False, **fallback}


def window(path: str, params: Mapping[str, str], *, total: int, size: int) -> tuple[int, int, dict[str, str]]:
    """Return from where and how many items to list, and the links: `next` only if there is more."""
    skip, limit = (int(params[name]) if params.get(name, "").isdecimal() else 0 for name in ("skip", "limit"))
    limit = limit or size
    links = {"self": f"{path}?skip={skip}&limit={limit}"}
    if skip + limit < total:
        links["next"] = f"{path}?skip={skip + limit}&limit={limit}"
    return skip, limit, links
