"""Contentful's content types and locales, as its Content Delivery API lists them. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from connector.simulator.label import label
from connector.simulator.value import DEFAULT_LOCALE, ContentType, Field, FieldType, Locale, Model

_MOST = 1000
_INVALID = (
    "The query you sent was invalid. Probably a filter or ordering specification is not applicable to the type of a "
    "field."
)
# Some entries have these without a value: fields that editors no longer see.
_DISABLED = (
    Field("emptyField", "symbol", localized=True, id="emptyField"),
    Field("nullField", "symbol", id="nullField"),
)
_TOLD: dict[FieldType, FieldType] = {"blocks": "object", "group": "object"}
_TYPES: dict[FieldType, dict[str, Any]] = {
    "symbol": {"type": "Symbol"},
    "text": {"type": "Text"},
    "rich_text": {"type": "RichText"},
    "integer": {"type": "Integer"},
    "number": {"type": "Number"},
    "date": {"type": "Date"},
    "boolean": {"type": "Boolean"},
    "location": {"type": "Location"},
    "object": {"type": "Object"},
    "entry": {"type": "Link", "linkType": "Entry"},
    "asset": {"type": "Link", "linkType": "Asset"},
    "entries": {"type": "Array", "items": {"type": "Link", "validations": [], "linkType": "Entry"}},
    "assets": {"type": "Array", "items": {"type": "Link", "validations": [], "linkType": "Asset"}},
    "symbols": {"type": "Array", "items": {"type": "Symbol", "validations": []}},
    "resource": {"type": "ResourceLink"},
}


def spelled(model: Model) -> Model:
    """Return `model` as Contentful tells it.

    A field's name is its id, any JSON is an object, and only lists of links tell what they may point to.
    """
    types = [
        msgspec.structs.replace(each, fields=(*map(_spelled, each.fields), *_DISABLED)) for each in model.content_types
    ]
    return Model(tuple(types), model.locales)


def _spelled(field: Field) -> Field:
    target = field.target if field.type == "entries" else ""
    return msgspec.structs.replace(field, id=field.name, type=_TOLD.get(field.type, field.type), target=target)


def content_type(content_type: ContentType, sys: Mapping[str, Any]) -> dict[str, Any]:
    """Return the item of a content type in Contentful's spelling."""
    fields = [_field(each) for each in content_type.fields]
    head = {"sys": sys, "displayField": content_type.fields[0].name, "name": content_type.name, "description": None}
    return {**head, "fields": fields}


def _field(field: Field) -> dict[str, Any]:
    told = _TYPES[field.type]
    flags = {"localized": field.localized, "required": False, "disabled": field in _DISABLED, "omitted": False}
    rest = {name: value for name, value in told.items() if name != "type"}
    if field.type == "entries":
        rest["items"] = {**rest["items"], "validations": [{"linkContentType": [field.target]}]}
    return {"id": field.name, "name": label(field.name), "type": told["type"], **flags, **rest}


def locale(locale: Locale) -> dict[str, Any]:
    """Return the item of a locale."""
    sys = {"id": f"locale-{locale.code}", "type": "Locale", "version": 1}
    return {**brief(locale), "sys": sys}


def brief(locale: Locale) -> dict[str, Any]:
    """Return a locale as a space names it."""
    default = locale.code == DEFAULT_LOCALE
    return {"code": locale.code, "name": locale.name, "default": default, "fallbackCode": locale.fallback}


def collection(items: Iterable[dict[str, Any]], params: Mapping[str, str], *, limit: int) -> dict[str, Any]:
    """Return the page of `items` that the parameters ask for; raises `ValueError` for wrong ones."""
    if unknown := params.keys() - {"skip", "limit", "order", "access_token"}:
        raise ValueError(f"{_INVALID} Unknown: {', '.join(sorted(unknown))}.")
    ordered = list(items)
    order = params.get("order", "")
    if order not in ("", "sys.id", "-sys.id"):
        raise ValueError(f"{_INVALID} Unknown order: {order}.")
    if order:
        ordered.sort(key=lambda item: item["sys"]["id"], reverse=order.startswith("-"))
    skip, limit = _number(params, "skip", 0), _number(params, "limit", limit)
    if limit > _MOST:
        raise ValueError(f"{_INVALID} The limit is at most {_MOST}.")
    head = {"sys": {"type": "Array"}, "total": len(ordered), "skip": skip, "limit": limit}
    return {**head, "items": ordered[skip : skip + limit]}


def _number(params: Mapping[str, str], name: str, otherwise: int) -> int:
    text = params.get(name, str(otherwise))
    if not text.isdecimal():
        raise ValueError(f"{_INVALID} {name} is a number.")
    return int(text)
