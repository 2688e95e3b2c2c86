"""Weegloo's Sync API: requests, pages and items. Pure.

docs/vendors/weegloo.md lists what Weegloo's documentation leaves open; this module reads every answer it allows.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar
from urllib.parse import quote

import httpx
import msgspec
from pydantic import Field, field_validator

from connector.cms import item
from connector.cms.next_url import cursor_of
from connector.cms.refusal import looks_like_html, meaning, named
from connector.cms.retry_after import wait
from connector.cms.shape import Kind, Shape
from connector.cms.vendor import Remark, Settings
from connector.cms.webhook import Refused, WakeUp, WebhookCall, announced, by_secret
from connector.errors import (
    CheckpointRejected,
    ConfigError,
    MalformedItem,
    QuotaExhausted,
    SourceRejected,
    SourceUnavailable,
)
from connector.model import rawjson
from connector.model.change import ALL_LOCALES, Change, EntityKey, EntityType
from connector.model.checkpoint import Position
from connector.model.page import Frame, SyncPage
from connector.vendors.weegloo_model import WeeglooModel

_HOST = "https://cda.weegloo.com"
_TYPES = ("All", "Content", "Media", "Deletion", "DeletedContent", "DeletedMedia")
_UPSERTS: dict[str, EntityType] = {"Content": "entry", "Media": "asset", "ContentType": "content_type"}
_REMOVALS: dict[str, EntityType] = {"DeletedContent": "entry", "DeletedMedia": "asset"}
_PATHS = {"entry": "contents/{id}", "asset": "medias/{id}", "content_type": "content-types/{id}", "locale": "locales"}
_CODE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_QUOTA = "WGL429"
_HINTS = {
    400: "check api_filter",
    401: "check the token: it must be a delivery token of this space, or of a user who may read it",
    403: "check the token's role: it must be allowed to read the space; a firewall in between may also have refused it",
    404: "check space, and that the token's role is allowed to read it",
    422: "check api_filter",
}
_QUOTA_WAIT, _MAX_WAIT = 900.0, 86_400.0

Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]


class WeeglooSettings(Settings):
    """Only `space`: Weegloo has no environments and no regions, and decides the page size itself."""

    space: Id

    @field_validator("page_size")
    @classmethod
    def _not_ours(cls, page_size: int | None) -> int | None:
        if page_size is not None:
            raise ValueError("cannot be set: Weegloo decides how many items a page has")
        return page_size

    @field_validator("api_filter")
    @classmethod
    def _known_parameters(cls, api_filter: dict[str, str]) -> dict[str, str]:
        if unknown := api_filter.keys() - {"type", "content-type"}:
            raise ValueError(f"has no key {min(unknown)!r}; known: type, content-type")
        if api_filter.get("type", "All") not in _TYPES:
            raise ValueError(f"type must be one of {', '.join(_TYPES)}")
        if not all(api_filter.values()):
            raise ValueError("content-type must not be empty")
        return api_filter


class Sys(msgspec.Struct, gc=False):
    """The members of an item's or error's `sys` that we read; their values may be anything."""

    id: Any = None
    type: Any = None
    code: Any = None
    contentType: Any = None  # noqa: N815 (the vendor's spelling)
    revision: Any = None
    createdAt: Any = None  # noqa: N815 (the vendor's spelling)
    updatedAt: Any = None  # noqa: N815 (the vendor's spelling)
    deletedAt: Any = None  # noqa: N815 (the vendor's spelling)


_SYS = msgspec.json.Decoder(Sys)


class Weegloo:
    """One Weegloo space."""

    name: ClassVar[str] = "weegloo"
    settings_type: ClassVar[type[Settings]] = WeeglooSettings
    newest_first: ClassVar[bool] = False
    localized: ClassVar[bool] = False
    content_members: ClassVar[tuple[str, ...]] = ("metadata",)
    own_members: ClassVar[frozenset[str]] = frozenset()
    shape: ClassVar[Shape | None] = Shape(
        kind=("sys", "type"),
        published={name: Kind(entity_type) for name, entity_type in _UPSERTS.items()},
        id=("sys", "id"),
        content_type=("sys", "contentType", "sys", "id"),
        revision=("sys", "revision"),
        changed_at=("sys", "updatedAt"),
        created_at=("sys", "createdAt"),
        updated_at=("sys", "updatedAt"),
        fields="fields",
        links="targetType",
        link_type="Refer",
        targets={name: of for name, of in _UPSERTS.items() if of in ("entry", "asset")},
    )
    entity_types: ClassVar[frozenset[EntityType]] = frozenset({"entry", "asset", "content_type"})

    def __init__(self, connection: str, settings: Settings) -> None:
        assert isinstance(settings, WeeglooSettings)
        api_filter = settings.api_filter
        if "content-type" in api_filter and api_filter.get("type") not in ("Content", "DeletedContent"):
            raise ConfigError(
                'api_filter: content-type needs type = "Content" or "DeletedContent"',
                hint="set that type as well; content_types filters without losing a delete",
            )
        self._connection = connection
        self._settings = settings

    @property
    def base_url(self) -> str:
        """The scheme and host that requests go to."""
        return self._settings.base_url or _HOST

    @property
    def db(self) -> str:
        """The space."""
        return self._settings.space

    @property
    def schema(self) -> str | None:
        """None: a space has no environments."""
        return None

    @property
    def scope(self) -> Mapping[str, str]:
        """Space and the API's own filters."""
        filters = {f"api_filter.{key}": value for key, value in self._settings.api_filter.items()}
        return {"vendor": self.name, "space": self._settings.space, **filters}

    @property
    def follows(self) -> bool:
        """Every snapshot can be followed."""
        return True

    @property
    def model(self) -> WeeglooModel:
        """What asks for the space's locales; its content types come with the stream."""
        return WeeglooModel(self._connection, self._get, self.check_probe, self._change)

    def request(self, position: Position) -> httpx.Request:
        """Return the request for the page after `position`."""
        if position.cursor is None:
            return self._get("sync", {"initial": "true", "type": "All", **self._settings.api_filter})
        return self._get("sync", {"sync-token": position.cursor})

    def frame(self, response: httpx.Response, after: Position) -> Frame:
        """Return the frame of a response. Only an empty page ends a walk: pages and deltas continue the same way."""
        self._refuse(response, token=after.cursor is not None)
        raws, (next_url,) = item.cut(response.content, "items", "nextSyncUrl")
        if raws is None:
            raise SourceUnavailable("the response is not a sync page: it has no items")
        if not isinstance(next_url, str):
            raise SourceUnavailable("the response has no nextSyncUrl")
        cursor = cursor_of(next_url, "sync-token")
        return Frame(raws, after.advance(cursor=cursor, caught_up=not raws), not raws)

    def read(self, frame: Frame) -> SyncPage:
        """Return the page with its items parsed."""
        return item.read(frame, self._change)

    def locate(self, key: EntityKey, _content_type: str | None) -> str:
        """Return the URL of a Content, a Media or a content type, by its id, or of all locales."""
        return str(self._get(_PATHS[key.entity_type].format(id=quote(key.id, safe="")), {}).url)

    def probe(self) -> httpx.Request:
        """Return a request for the space's content types."""
        return self._get("content-types", {})

    def check_probe(self, response: httpx.Response) -> None:
        """Return if space and token are right; else raise as `frame` does."""
        self._refuse(response, token=False)

    def filter_gaps(self) -> tuple[Remark, ...]:
        """Return what the filter withholds."""
        kind = self._settings.api_filter.get("type", "All")
        found = []
        if kind in ("Content", "Media"):
            found.append(Remark("api_filter", f"type = {kind}: no delete or unpublish of anything"))
        if kind.startswith("Delet"):
            found.append(Remark("api_filter", f"type = {kind}: no published content, no deletes of any other kind"))
        if "content-type" in self._settings.api_filter:
            found.append(Remark("api_filter", "content-type: no content of other content types"))
        return tuple(found)

    def wake_up(self, call: WebhookCall, now: float) -> WakeUp | Refused:
        """Return what a call with the shared secret announces; Weegloo signs no calls."""
        del now
        if refused := by_secret(call.headers, self._settings.webhook_secret):
            return refused
        return WakeUp(id=announced(call.body, ("sys", "id")))

    def _get(self, what: str, parameters: Mapping[str, str]) -> httpx.Request:
        # The API answers 406 to the media type application/json.
        headers = {"Authorization": f"Bearer {self._settings.token.get_secret_value()}", "Accept": "*/*"}
        url = f"{self.base_url}/v1/spaces/{self._settings.space}/{what}"
        return httpx.Request("GET", url, params=parameters, headers=headers)

    def _refuse(self, response: httpx.Response, *, token: bool) -> None:
        """Raise the error that a response other than 200 stands for."""
        status = response.status_code
        if status == httpx.codes.OK:
            return
        code = _code(response.content)
        message = f"Weegloo answered {status}{f' ({code})' if code else ''} for space {self._settings.space}"
        refused = meaning(response, message, _HINTS)
        if status == httpx.codes.TOO_MANY_REQUESTS and code.startswith(_QUOTA):
            raise QuotaExhausted(
                f"{message}: the plan's quota is used up",
                hint="wait until the quota renews, or raise it in Weegloo; a longer poll_interval uses less",
                retry_after=min(max(wait(response.headers) or 0.0, _QUOTA_WAIT), _MAX_WAIT),
            )
        if isinstance(refused, SourceUnavailable) and status != httpx.codes.GONE:
            raise refused
        if token and status in (400, 404, 410, 422) and not looks_like_html(response):
            # The answer to a bad token is undocumented, and a lost role looks the same.
            raise CheckpointRejected(f"{message} to a sync token", doubtful=True)
        if status in (400, 422) and not token and (parameter := named(response, self._settings.api_filter)):
            parameter = f"api_filter.{parameter}"
            raise SourceRejected(f"{message}: it refuses {parameter}", hint=f"correct {parameter} of this connection")
        raise refused

    def _change(self, raw: bytes) -> Change:
        parts = rawjson.members(raw)
        if "sys" not in parts:
            raise MalformedItem("the item has no sys")
        sys = rawjson.record(parts["sys"], _SYS)
        kind = item.text(sys.type)
        if kind in _UPSERTS:
            return self._upsert(raw, parts, sys, kind)
        if kind in _REMOVALS:
            return self._removal(raw, sys, kind)
        raise MalformedItem("the item's type is unknown", item_type=kind, item_id=item.text(sys.id))

    def _upsert(self, raw: bytes, parts: dict[str, bytes], sys: Sys, kind: str) -> Change:
        fields, updated_at = parts.pop("fields", None), item.moment(sys.updatedAt)
        return Change(
            key=EntityKey(self._connection, _UPSERTS[kind], item.identified(kind, sys.id), ALL_LOCALES),
            change_type="published",
            digest=hashlib.blake2b(raw, digest_size=16).digest(),
            raw=raw,
            content_type=_content_type(sys),
            revision=item.whole(sys.revision),
            changed_at=updated_at,
            created_at=item.moment(sys.createdAt),
            updated_at=updated_at,
            fields=fields,
            meta=rawjson.join(parts),
            **item.references(_refers(fields) if fields else ()),
        )

    def _removal(self, raw: bytes, sys: Sys, kind: str) -> Change:
        return Change(
            key=EntityKey(self._connection, _REMOVALS[kind], item.identified(kind, sys.id), ALL_LOCALES),
            change_type="deleted",
            digest=hashlib.blake2b(raw, digest_size=16).digest(),
            raw=raw,
            content_type=_content_type(sys),
            revision=item.whole(sys.revision),
            changed_at=item.moment(sys.deletedAt) or item.moment(sys.updatedAt),
            marker=raw,
        )


def _content_type(sys: Sys) -> str | None:
    link = sys.contentType
    inner = link.get("sys") if isinstance(link, dict) else None
    return item.text(inner.get("id")) if isinstance(inner, dict) else None


def _refers(fields: bytes) -> Iterator[tuple[str, str]]:
    for field, link in rawjson.objects(fields, "sys", "targetType"):
        target = link["targetType"]
        entity_type = _UPSERTS.get(target) if link.get("type") == "Refer" and isinstance(target, str) else None
        found = item.text(link.get("id"))
        if found and entity_type in ("entry", "asset"):
            yield field, f"{entity_type}:{found}"


def _code(body: bytes) -> str:
    """Return the error's code, if the body has one; never any other part of the body."""
    try:
        sys = rawjson.record(rawjson.split(body)["sys"], _SYS)
    except (KeyError, ValueError):
        return ""
    return sys.code if isinstance(sys.code, str) and _CODE.fullmatch(sys.code) else ""


VENDOR = Weegloo
