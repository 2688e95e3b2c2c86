"""Contentful's content model: content types, then locales, as the Content Delivery API lists them. Pure.

https://www.contentful.com/developers/docs/references/content-delivery-api/#/reference/content-types
"""

from collections.abc import Callable, Mapping
from typing import Any

import httpx

from connector.cms import content_model, item
from connector.cms.content_model import Stamp
from connector.errors import MalformedItem, PageTooLarge, SourceUnavailable
from connector.model import rawjson
from connector.model.content_model import ContentType, Field, FieldKind, Locale
from connector.model.model_page import ModelFrame, ModelPage, ModelPart, ModelPosition

_START = ModelPosition("content_type", "0:1000")
_LOCALES = ModelPosition("locale")
_KINDS: dict[str, FieldKind] = {
    "Symbol": "text",
    "Text": "text",
    "Integer": "integer",
    "Number": "number",
    "Boolean": "boolean",
    "Date": "date",
    "Location": "location",
    "Link": "link",
}
_LISTS: dict[str, FieldKind] = {"Symbol": "texts", "Link": "links"}


class ContentfulModel:
    """The content types and locales of one environment.

    `get` makes a request for a path within the environment; `refuse` raises what an answer other than 200 means. A
    cursor is how many content types came before, and how many at most the next answer shall have.
    """

    def __init__(
        self,
        connection: str,
        get: Callable[[str, Mapping[str, str]], httpx.Request],
        refuse: Callable[[httpx.Response], None],
    ) -> None:
        self._connection = connection
        self._get = get
        self._refuse = refuse

    def request(self, after: ModelPosition | None) -> httpx.Request:
        """Return the request for a page of content types, or for the locales: the API gives up to 1000 at once."""
        at = after or _START
        if at.kind == "locale":
            return self._get("locales", {})
        skip, _, limit = at.cursor.partition(":")
        return self._get("content_types", {"order": "sys.id", "skip": skip, "limit": limit})

    def frame(self, response: httpx.Response, after: ModelPosition | None) -> ModelFrame:
        """Return the frame of a response; one that was too large for the API is asked for in smaller pages."""
        at = after or _START
        try:
            self._refuse(response)
        except PageTooLarge as error:
            return ModelFrame(at.kind, [], after=_smaller(at, error))
        raws, (total,) = content_model.listed(response.content, "items", "total")
        total = item.whole(total)
        return ModelFrame(at.kind, raws, after=_following(at, len(raws), total), total=total)

    def read(self, frame: ModelFrame) -> ModelPage:
        """Return the page with its items parsed."""
        return content_model.read(frame, self._content_type if frame.kind == "content_type" else self._locale)

    def _content_type(self, raw: bytes) -> ModelPart:
        parts, found, sys = _parsed(raw)
        key = content_model.key_of(self._connection, "content_type", sys.get("id"))
        fields = content_model.fields(key.id, parts.get("fields"), _field)
        content = ContentType(
            id=key.id,
            name=item.text(found.get("name")) or "",
            display_field=content_model.titled(found.get("displayField"), fields),
            fields=fields,
        )
        stamp = Stamp(sys.get("revision"), sys.get("createdAt"), sys.get("updatedAt"))
        return ModelPart(content, content_model.entity(key, raw, parts, "fields", stamp))

    def _locale(self, raw: bytes) -> ModelPart:
        parts, found, sys = _parsed(raw)
        key = content_model.key_of(self._connection, "locale", found.get("code"))
        content = Locale(
            code=key.id,
            name=item.text(found.get("name")) or "",
            default=found.get("default") is True,
            fallback=item.text(found.get("fallbackCode")),
        )
        stamp = Stamp(sys.get("version"), sys.get("createdAt"), sys.get("updatedAt"))
        return ModelPart(content, content_model.entity(key, raw, parts, "fields", stamp))


def _following(at: ModelPosition, count: int, total: int | None) -> ModelPosition | None:
    if at.kind == "locale":
        return None
    skip, limit = map(int, at.cursor.split(":"))
    more = count >= limit if total is None else skip + count < total
    return ModelPosition(at.kind, f"{skip + count}:{limit}") if count and more else _LOCALES


def _smaller(at: ModelPosition, error: PageTooLarge) -> ModelPosition:
    skip, _, limit = at.cursor.partition(":")
    if limit in ("", "1"):
        raise SourceUnavailable(str(error)) from error
    return ModelPosition(at.kind, f"{skip}:{int(limit) // 10}")


def _parsed(raw: bytes) -> tuple[dict[str, bytes], dict[str, Any], dict[str, Any]]:
    """Return an item's members as bytes, the same as values, and its `sys`."""
    parts, found = rawjson.members(raw), rawjson.value(raw)
    if not isinstance(found.get("sys"), dict):
        raise MalformedItem("the item has no sys")
    return parts, found, found["sys"]


def _field(described: dict[str, Any]) -> Field | None:
    """Return a field, None for one that is omitted from answers."""
    if described.get("omitted") is True:
        return None
    name = item.text(described.get("id")) or ""
    of, kind = content_model.typed(described, _KINDS, _LISTS)
    return Field(id=name, name=name, kind=kind, type=of, localized=described.get("localized") is not False)
