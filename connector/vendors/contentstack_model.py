"""Contentstack's content model: content types, then locales, as the Content Delivery API lists them. Pure.

https://www.contentstack.com/docs/developers/apis/content-delivery-api/content-types

That the API lists locales is documented for the Content Management API alone: an answer that refuses them, or lists
none, is no error.
"""

from collections.abc import Callable, Mapping
from typing import Any

import httpx

from connector.cms import content_model, item
from connector.cms.content_model import Stamp
from connector.errors import SourceRejected, SourceUnavailable
from connector.model import rawjson
from connector.model.content_model import ContentType, Field, FieldKind, Locale
from connector.model.model_page import ModelFrame, ModelKind, ModelPage, ModelPart, ModelPosition

_START, _LOCALES = ModelPosition("content_type", "0"), ModelPosition("locale", "0")
_LIMIT = 100
_LISTED: dict[ModelKind, str] = {"content_type": "content_types", "locale": "locales"}
_KINDS: dict[str, FieldKind] = {
    "text": "text",
    "number": "number",
    "boolean": "boolean",
    "isodate": "date",
    "reference": "links",
}
_MULTIPLE: dict[str, FieldKind] = {"text": "texts", "reference": "links"}
OWN_MEMBERS = frozenset(
    {
        *("ACL", "_content_type_uid", "_in_progress", "_metadata", "_rules", "_version", "_workflow", "created_at"),
        *("created_by", "deleted_at", "deleted_by", "locale", "publish_details", "tags", "taxonomies", "uid"),
        *("updated_at", "updated_by"),
    }
)
"""Members of every entry that are no fields of its content type."""


class ContentstackModel:
    """The content types and locales of one stack and branch; a cursor is how many items came before.

    `get` makes a request for a path within the API; `refuse` raises what an answer other than 200 means.
    """

    def __init__(
        self,
        connection: str,
        environment: str,
        get: Callable[[str, Mapping[str, str]], httpx.Request],
        refuse: Callable[[httpx.Response], None],
    ) -> None:
        self._connection = connection
        self._environment = environment
        self._get = get
        self._refuse = refuse

    def request(self, after: ModelPosition | None) -> httpx.Request:
        """Return the request for a page of content types, the global fields' schemas within theirs, or of locales."""
        at = after or _START
        schema = {"include_global_field_schema": "true"} if at.kind == "content_type" else {}
        paging = {"include_count": "true", "skip": at.cursor, "limit": str(_LIMIT)}
        return self._get(_LISTED[at.kind], {"environment": self._environment, **schema, **paging})

    def frame(self, response: httpx.Response, after: ModelPosition | None) -> ModelFrame:
        """Return the frame of a response; one that refuses the locales says so."""
        at = after or _START
        try:
            self._refuse(response)
            raws, (count,) = content_model.listed(response.content, _LISTED[at.kind], "count")
        except (SourceRejected, SourceUnavailable) as error:
            if at.kind != "locale" or content_model.passing(response):
                raise
            return ModelFrame(at.kind, [], refused=str(error))
        total = item.whole(count)
        return ModelFrame(at.kind, raws, after=_following(at, len(raws), total), total=total)

    def read(self, frame: ModelFrame) -> ModelPage:
        """Return the page with its items parsed."""
        return content_model.read(frame, self._content_type if frame.kind == "content_type" else self._locale)

    def _content_type(self, raw: bytes) -> ModelPart:
        parts, found = rawjson.members(raw), rawjson.value(raw)
        key = content_model.key_of(self._connection, "content_type", found.get("uid"))
        fields = content_model.fields(key.id, parts.get("schema"), _field)
        options = found.get("options")
        content = ContentType(
            id=key.id,
            name=item.text(found.get("title")) or "",
            display_field=content_model.titled(options.get("title"), fields) if isinstance(options, dict) else None,
            fields=fields,
        )
        return ModelPart(content, content_model.entity(key, raw, parts, "schema", _stamp(found)))

    def _locale(self, raw: bytes) -> ModelPart:
        """Return a locale: only the stack's master language has no fallback."""
        parts, found = rawjson.members(raw), rawjson.value(raw)
        key = content_model.key_of(self._connection, "locale", found.get("code"))
        fallback = item.text(found.get("fallback_locale"))
        name = item.text(found.get("name")) or ""
        content = Locale(code=key.id, name=name, default=fallback is None, fallback=fallback)
        return ModelPart(content, content_model.entity(key, raw, parts, "schema", _stamp(found)))


def _following(at: ModelPosition, count: int, total: int | None) -> ModelPosition | None:
    seen = int(at.cursor) + count
    if count and (count >= _LIMIT if total is None else seen < total):
        return ModelPosition(at.kind, str(seen))
    return _LOCALES if at.kind == "content_type" else None


def _stamp(found: dict[str, Any]) -> Stamp:
    return Stamp(found.get("_version"), found.get("created_at"), found.get("updated_at"))


def _field(described: dict[str, Any]) -> Field:
    """Return a field; a reference is delivered as a list whether it is `multiple` or not."""
    uid = item.text(described.get("uid")) or ""
    kind = item.text(described.get("data_type")) or content_model.UNKNOWN_TYPE
    multiple = described.get("multiple") is True
    return Field(
        id=uid,
        name=uid,
        kind=(_MULTIPLE if multiple else _KINDS).get(kind, "json"),
        type=f"{kind}[]" if multiple else kind,
        localized=described.get("non_localizable") is not True,
    )
