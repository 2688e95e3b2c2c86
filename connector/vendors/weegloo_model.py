"""Weegloo's content model: content types as the stream delivers them, and locales as the CDA lists them. Pure.

https://docs.weegloo.com/en-US/api/reference/cda/content-type/ and https://docs.weegloo.com/en-US/api/reference/cda/locale/

Whether a token's role may read locales is not documented: an answer that refuses them is no error.
"""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx

from connector.cms import content_model, item
from connector.cms.content_model import Stamp
from connector.errors import MalformedItem, SourceRejected, SourceUnavailable
from connector.model import rawjson
from connector.model.change import Change
from connector.model.content_model import ContentType, Field, FieldKind, Locale
from connector.model.model_page import ModelFrame, ModelPage, ModelPart, ModelPosition

_START = ModelPosition("locale")
_KINDS: dict[str, FieldKind] = {
    "ShortText": "text",
    "LongText": "text",
    "RichText": "text",
    "Long": "integer",
    "Number": "number",
    "Boolean": "boolean",
    "Date": "date",
    "Location": "location",
    "Refer": "link",
}
_LISTS: dict[str, FieldKind] = {"ShortText": "texts", "LongText": "texts", "RichText": "texts", "Refer": "links"}


class WeeglooModel:
    """The locales of one space, and its content types once a stream has delivered them.

    `get` makes a request for a path within the space; `refuse` raises what an answer other than 200 means; `change`
    reads an item of the stream. A cursor is the query of the URL that the API gives for the next page.
    """

    def __init__(
        self,
        connection: str,
        get: Callable[[str, Mapping[str, str]], httpx.Request],
        refuse: Callable[[httpx.Response], None],
        change: Callable[[bytes], Change],
    ) -> None:
        self._connection = connection
        self._get = get
        self._refuse = refuse
        self._change = change

    def request(self, after: ModelPosition | None) -> httpx.Request:
        """Return the request for a page of locales: content types come with the stream."""
        return self._get("locales", dict(parse_qsl((after or _START).cursor, keep_blank_values=True)))

    def frame(self, response: httpx.Response, _after: ModelPosition | None) -> ModelFrame:
        """Return the frame of a response; one that refuses the locales says so."""
        try:
            self._refuse(response)
        except (SourceRejected, SourceUnavailable) as error:
            if content_model.passing(response):
                raise
            return ModelFrame("locale", [], refused=str(error))
        raws, (links, count) = content_model.listed(response.content, "items", "links", "totalCount")
        following = links.get("next") if isinstance(links, dict) else None
        return ModelFrame("locale", raws, after=_following(following), total=item.whole(count))

    def read(self, frame: ModelFrame) -> ModelPage:
        """Return the page with its items parsed."""
        return content_model.read(frame, self._content_type if frame.kind == "content_type" else self._locale)

    def _content_type(self, raw: bytes) -> ModelPart:
        change, found = self._change(raw), rawjson.value(raw)
        if change.key.entity_type != "content_type":
            raise MalformedItem("the item is no content type")
        fields = content_model.fields(change.key.id, change.fields, _field)
        content = ContentType(
            id=change.key.id,
            name=item.text(found.get("name")) or "",
            display_field=content_model.titled(found.get("displayField"), fields),
            fields=fields,
        )
        return ModelPart(content, change)

    def _locale(self, raw: bytes) -> ModelPart:
        """Return a locale: its members are in `sys`, but for a fallback, which no sample shows."""
        parts, found = rawjson.members(raw), rawjson.value(raw)
        sys = found.get("sys")
        if not isinstance(sys, dict):
            raise MalformedItem("the item has no sys")
        key = content_model.key_of(self._connection, "locale", sys.get("code"))
        content = Locale(
            code=key.id,
            name=item.text(sys.get("name")) or "",
            default=sys.get("default") is True,
            fallback=item.text(found.get("fallbackCode")) or item.text(sys.get("fallbackCode")),
        )
        stamp = Stamp(sys.get("version"), sys.get("createdAt"), sys.get("updatedAt"))
        return ModelPart(content, content_model.entity(key, raw, parts, "fields", stamp))


def _following(url: Any) -> ModelPosition | None:
    """Return the position that a URL stands for: nothing of it is used but the query."""
    if not url:
        return None
    try:
        query = urlsplit(item.text(url) or "").query
    except ValueError:
        query = ""
    if not query:
        raise SourceUnavailable("the response's links.next is not a URL with a query")
    return ModelPosition("locale", query)


def _field(described: dict[str, Any]) -> Field:
    """Return a field: its id outlives a renaming; content uses its `apiName`."""
    name = item.text(described.get("apiName")) or ""
    stable = item.text(described.get("id")) or name
    of, kind = content_model.typed(described, _KINDS, _LISTS)
    return Field(id=stable, name=name, kind=kind, type=of, localized=described.get("localized") is not False)
