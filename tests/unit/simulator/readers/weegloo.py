"""Weegloo: next URLs that hold a token, oldest change first, up to an empty page; content types in the stream."""

import re
from typing import Any

from connector.simulator import ContentType, Field, FieldType, Locale, Model
from connector.simulator.weegloo import SPACE, TOKEN
from tests.unit.simulator import reader
from tests.unit.simulator.reader import Get, Published, Reader, in_url, replay_whole

ROOT = f"/v1/spaces/{SPACE}"
PATH = f"{ROOT}/sync"
AUTHORISED = {"authorization": f"Bearer {TOKEN}"}

_SIMPLE: dict[str, FieldType] = {
    "ShortText": "symbol",
    "LongText": "text",
    "RichText": "rich_text",
    "Long": "integer",
    "Number": "number",
    "Date": "date",
    "Boolean": "boolean",
    "Location": "location",
    "Json": "object",
}


def _modelled(get: Get, items: list[Any]) -> Model:
    types = sorted(
        (each for each in items if each["sys"]["type"] == "ContentType"), key=lambda each: each["sys"]["createdAt"]
    )
    locales = get(f"{ROOT}/locales")["items"]
    return Model(
        tuple(ContentType(each["sys"]["id"], each["name"], tuple(map(_field, each["fields"]))) for each in types),
        tuple(Locale(each["sys"]["code"], each["sys"]["name"], each.get("fallbackCode")) for each in locales),
    )


def _field(field: Any) -> Field:
    rules = field.get("items", field)
    targets = [each["referContentType"][0]["sys"]["id"] for each in rules["validations"] if "referContentType" in each]
    target = targets[0] if targets else ""
    return Field(field["apiName"], _type(field, rules["type"], target), field["localized"], target, field["id"])


def _type(field: Any, each: str, target: str) -> FieldType:
    if each == "Refer" and field["type"] == "Array":
        return "entries" if target else "assets"
    if each == "Refer":
        return "entry" if target else "asset"
    return "symbols" if field["type"] == "Array" else _SIMPLE[each]


def _published(item: Any) -> Published | None:
    if item["sys"]["type"] != "Content":
        return None
    return Published(item["sys"]["id"], "*", item["sys"]["contentType"]["sys"]["id"], item["fields"])


def _refer(value: Any, target: str) -> bool:
    return bool(value["sys"]["type"] == "Refer" and value["sys"]["targetType"] == target)


def _fits(type: FieldType, value: Any) -> bool:  # noqa: A002, PLR0911 - one word per thing, one case per type
    match type:
        case "entry":
            return _refer(value, "Content")
        case "asset":
            return _refer(value, "Media")
        case "entries":
            return reader.listed(lambda each: _refer(each, "Content"), value)
        case "assets":
            return reader.listed(lambda each: _refer(each, "Media"), value)
        case "location":
            return value.keys() == {"latitude", "longitude"} and all(map(reader.fits_number, value.values()))
        case "symbols":
            return reader.listed(reader.fits_text, value)
        case _:
            return _PLAIN[type](value)


_PLAIN = {
    "symbol": lambda value: isinstance(value, str) and len(value) <= 64,
    "text": reader.fits_text,
    "rich_text": reader.fits_text,
    "integer": reader.fits_integer,
    "number": reader.fits_number,
    "date": lambda value: re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", value) is not None,
    "boolean": reader.fits_boolean,
    "object": reader.fits_json,
}

READER = Reader(
    path=PATH,
    headers=AUTHORISED,
    start={"initial": "true", "type": "All"},
    following=lambda page: in_url(page["nextSyncUrl"]),
    last=lambda page: not page["items"],
    replay=replay_whole,
    newest_first=False,
    spelled=lambda name: name.replace("_", "-"),
    modelled=_modelled,
    published=_published,
    fits=_fits,
)
