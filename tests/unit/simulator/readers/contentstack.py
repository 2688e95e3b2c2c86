"""Contentstack: tokens beside the items, one item a locale, newest change first; a model beside the stream."""

from typing import Any

from connector.simulator import ContentType, Field, FieldType, Locale, Model
from connector.simulator.contentstack import API_KEY, ENVIRONMENT, TOKEN
from tests.unit.simulator import reader
from tests.unit.simulator.reader import Get, Published, Reader, State

PATH = "/v3/stacks/sync"
AUTHORISED = {"api_key": API_KEY, "access_token": TOKEN}

_SYSTEM = {
    "uid", "locale", "taxonomies", "_version", "tags", "created_at", "created_by", "updated_at", "updated_by",
    "publish_details",
}  # fmt: skip
_SIMPLE: dict[str, FieldType] = {
    "number": "number",
    "isodate": "date",
    "boolean": "boolean",
    "link": "resource",
    "group": "location",
    "global_field": "group",
    "blocks": "blocks",
}


def _following(page: Any) -> dict[str, str]:
    name = "pagination_token" if "pagination_token" in page else "sync_token"
    return {name: page[name], "environment": ENVIRONMENT}


def _replay(state: State, item: Any) -> None:
    data = item["data"]
    if item["type"].endswith("_published"):
        state[data["uid"], data.get("publish_details", data)["locale"]] = data, item["content_type_uid"]
    elif item["type"] == "content_type_deleted":
        for key in [key for key, (_, content_type) in state.items() if content_type == item["content_type_uid"]]:
            del state[key]
    else:
        state.pop((data["uid"], data["locale"]), None)


def _modelled(get: Get, items: list[Any]) -> Model:
    asked = {"include_global_field_schema": "true", "include_count": "true", "limit": "3"}
    first = get("/v3/content_types", **asked)
    pages = [get("/v3/content_types", **asked, skip=str(skip)) for skip in range(0, first["count"], 3)]
    types = [each for page in pages for each in page["content_types"]]
    locales = get("/v3/locales", include_count="true")
    assert locales["count"] == len(locales["locales"])
    return Model(
        tuple(ContentType(each["uid"], each["title"], tuple(map(_field, each["schema"]))) for each in types),
        tuple(Locale(each["code"], each["name"], each["fallback_locale"]) for each in locales["locales"]),
    )


def _field(field: Any) -> Field:
    target = field["reference_to"][0] if field["data_type"] == "reference" else ""
    return Field(field["uid"], _type(field), not field["non_localizable"], target, field["uid"])


def _type(field: Any) -> FieldType:
    metadata = field["field_metadata"]
    match field["data_type"]:
        case "reference":
            return "entries" if metadata["ref_multiple"] else "entry"
        case "file":
            return "assets" if field["multiple"] else "asset"
        case "text" if field["multiple"]:
            return "symbols"
        case "text":
            return "text" if metadata.get("multiline") else "symbol"
        case "json":
            return "rich_text" if metadata.get("allow_json_rte") else "object"
        case other:
            return _SIMPLE[other]


def _published(item: Any) -> Published | None:
    data = item["data"]
    if item["type"] != "entry_published":
        return None
    locale = data.get("publish_details", data)["locale"]
    values = {name: {locale: value} for name, value in data.items() if name not in _SYSTEM}
    return Published(data["uid"], locale, item["content_type_uid"], values)


def _reference(value: Any) -> bool:
    return isinstance(value, str) or value.keys() == {"uid", "_content_type_uid"}


def _members(value: Any, **types: Any) -> bool:
    return value.keys() == types.keys() and all(fits(value[name]) for name, fits in types.items())


def _fits(type: FieldType, value: Any) -> bool:  # noqa: A002, PLR0911 - one word per thing, one case per type
    match type:
        case "entry":
            return reader.listed(_reference, value) and len(value) == 1
        case "entries":
            return reader.listed(_reference, value)
        case "assets" | "symbols":
            return reader.listed(reader.fits_text, value)
        case "resource":
            return _members(value, title=reader.fits_text, href=reader.fits_text)
        case "rich_text":
            return bool(value["type"] == "doc")
        case "location":
            return _members(value, latitude=reader.fits_number, longitude=reader.fits_number)
        case "group":
            return _members(value, headline=reader.fits_text, weight=reader.fits_number, image=reader.fits_text)
        case "blocks":
            return all(each.keys() <= {"hero", "quote"} and len(each) == 1 for each in value)
        case _:
            return _PLAIN[type](value)


_PLAIN = {
    "symbol": reader.fits_text,
    "text": reader.fits_text,
    "asset": reader.fits_text,
    "number": reader.fits_number,
    "date": lambda value: isinstance(value, str) and value.startswith("2022-04-"),
    "boolean": reader.fits_boolean,
    "object": reader.fits_json,
}

READER = Reader(
    path=PATH,
    headers=AUTHORISED,
    start={"init": "true"},
    following=_following,
    last=lambda page: "pagination_token" not in page,
    replay=_replay,
    modelled=_modelled,
    published=_published,
    fits=_fits,
)
