"""Contentful: next URLs that hold a token, newest change first; a model beside the stream."""

from typing import Any

from connector.simulator import ContentType, Field, FieldType, Locale, Model
from connector.simulator.contentful import ENVIRONMENT, SPACE, TOKEN
from tests.unit.simulator import reader
from tests.unit.simulator.reader import Get, Published, Reader, in_url, replay_whole

ROOT = f"/spaces/{SPACE}/environments/{ENVIRONMENT}"
PATH = f"{ROOT}/sync"
AUTHORISED = {"authorization": f"Bearer {TOKEN}"}

_TYPES: dict[tuple[str, ...], FieldType] = {
    ("Symbol",): "symbol",
    ("Text",): "text",
    ("RichText",): "rich_text",
    ("Integer",): "integer",
    ("Number",): "number",
    ("Date",): "date",
    ("Boolean",): "boolean",
    ("Location",): "location",
    ("Object",): "object",
    ("Link", "Entry"): "entry",
    ("Link", "Asset"): "asset",
    ("Array", "Link", "Entry"): "entries",
    ("Array", "Link", "Asset"): "assets",
    ("Array", "Symbol"): "symbols",
    ("ResourceLink",): "resource",
}


def _following(page: Any) -> dict[str, str]:
    return in_url(page.get("nextPageUrl") or page["nextSyncUrl"])


def _modelled(get: Get, items: list[Any]) -> Model:
    pages = [get(f"{ROOT}/content_types", limit="5")]
    while (so_far := pages[-1]["skip"] + len(pages[-1]["items"])) < pages[-1]["total"]:
        pages.append(get(f"{ROOT}/content_types", skip=str(so_far), limit="5"))
    types = [each for page in pages for each in page["items"]]
    locales = get(f"{ROOT}/locales")["items"]
    return Model(
        tuple(ContentType(each["sys"]["id"], each["name"], tuple(map(_field, each["fields"]))) for each in types),
        tuple(Locale(each["code"], each["name"], each["fallbackCode"]) for each in locales),
    )


def _field(field: Any) -> Field:
    items = field.get("items", {})
    key = (field["type"], *(each for each in (items.get("type"), items.get("linkType"), field.get("linkType")) if each))
    return Field(field["id"], _TYPES[key], field["localized"], _target(items.get("validations", [])), field["id"])


def _target(validations: list[Any]) -> str:
    return next((each["linkContentType"][0] for each in validations if "linkContentType" in each), "")


def _published(item: Any) -> Published | None:
    if item["sys"]["type"] != "Entry":
        return None
    return Published(item["sys"]["id"], "*", item["sys"]["contentType"]["sys"]["id"], item.get("fields", {}))


def _fits(type: FieldType, value: Any) -> bool:  # noqa: A002, PLR0911 - one word per thing, one case per type
    match type:
        case "entry" | "asset":
            return bool(value["sys"]["type"] == "Link" and value["sys"]["linkType"] == type.capitalize())
        case "entries":
            return reader.listed(lambda each: _fits("entry", each), value)
        case "assets":
            return reader.listed(lambda each: _fits("asset", each), value)
        case "resource":
            return bool(value["sys"]["type"] == "ResourceLink")
        case "rich_text":
            return bool(value["nodeType"] == "document")
        case "location":
            return value.keys() == {"lat", "lon"} and all(map(reader.fits_number, value.values()))
        case "symbols":
            return reader.listed(reader.fits_text, value)
        case _:
            return _PLAIN[type](value)


_PLAIN = {
    # A disabled field may be null.
    "symbol": lambda value: value is None or (isinstance(value, str) and len(value) <= 256),
    "text": reader.fits_text,
    "integer": reader.fits_integer,
    "number": reader.fits_number,
    "date": lambda value: isinstance(value, str) and value.startswith("2022-04-"),
    "boolean": reader.fits_boolean,
    "object": reader.fits_json,
}

READER = Reader(
    path=PATH,
    headers=AUTHORISED,
    start={"initial": "true"},
    following=_following,
    last=lambda page: "nextPageUrl" not in page,
    replay=replay_whole,
    modelled=_modelled,
    published=_published,
    fits=_fits,
)
