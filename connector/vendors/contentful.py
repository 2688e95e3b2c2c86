"""Contentful's Sync API: requests, pages and items. Pure.

https://www.contentful.com/developers/docs/references/content-delivery-api/#/reference/synchronization
"""

import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import quote

import httpx
import msgspec
from pydantic import Field, field_validator

from connector.cms import item
from connector.cms.next_url import cursor_of
from connector.cms.refusal import looks_like_html, meaning, named
from connector.cms.retry_after import seconds
from connector.cms.shape import Kind, Shape
from connector.cms.vendor import Remark, Settings
from connector.cms.webhook import Refused, WakeUp, WebhookCall, announced, by_secret
from connector.errors import (
    CheckpointRejected,
    ConfigError,
    EnvironmentChanged,
    MalformedItem,
    PageTooLarge,
    SourceRejected,
    SourceUnavailable,
    StreamStopped,
)
from connector.model import rawjson
from connector.model.change import ALL_LOCALES, Change, EntityKey, EntityType
from connector.model.checkpoint import Position
from connector.model.page import Frame, SyncPage
from connector.vendors.contentful_model import ContentfulModel

_HOSTS = {
    ("us", False): "https://cdn.contentful.com",
    ("eu", False): "https://cdn.eu.contentful.com",
    ("us", True): "https://preview.contentful.com",
    ("eu", True): "https://preview.eu.contentful.com",
}
_TYPES = ("all", "Entry", "Asset", "Deletion", "DeletedEntry", "DeletedAsset")
_UPSERTS: dict[str, EntityType] = {"Entry": "entry", "Asset": "asset"}
_REMOVALS: dict[str, EntityType] = {"DeletedEntry": "entry", "DeletedAsset": "asset"}
_PAGE_SIZE = 100
_PAGE_SIZE_LIMIT = 1000
_TOO_LARGE = re.compile(rb"response size too big", re.IGNORECASE)
_PATHS = {"entry": "entries/{id}", "asset": "assets/{id}", "content_type": "content_types/{id}", "locale": "locales"}
_CODE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_RATE_WAIT = 1.0
_SIGNATURE_AGE = 30.0
_UNRESERVED = "-_.!~*'()"
_URI = f";,/?:@&=+$#{_UNRESERVED}"
_HINTS = {
    400: "check api_filter and page_size",
    401: "check the token: it must be a delivery token of this space; a new one takes a few seconds to work",
    403: "check the token's rights and the space's plan; a firewall in between may also have refused it",
    404: "check space and environment, and that the token may read this environment",
    422: "check api_filter and page_size",
}

Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]


class ContentfulSettings(Settings):
    """`space` and `environment` (or an alias of one); `preview` reads drafts, with an initial sync only."""

    space: Id
    environment: Id = "master"
    region: Literal["us", "eu"] = "us"
    preview: bool = False
    page_size: int | None = Field(default=None, ge=1, le=1000)

    @field_validator("api_filter")
    @classmethod
    def _known_parameters(cls, api_filter: dict[str, str]) -> dict[str, str]:
        if unknown := api_filter.keys() - {"type", "content_type"}:
            raise ValueError(f"has no key {min(unknown)!r}; known: type, content_type")
        if api_filter.get("type", "all") not in _TYPES:
            raise ValueError(f"type must be one of {', '.join(_TYPES)}")
        if not all(api_filter.values()):
            raise ValueError("content_type must not be empty")
        return api_filter


class Sys(msgspec.Struct, gc=False):
    """The members of an item's `sys` that we read; their values may be anything."""

    id: Any = None
    type: Any = None
    contentType: Any = None  # noqa: N815 (the vendor's spelling)
    revision: Any = None
    createdAt: Any = None  # noqa: N815 (the vendor's spelling)
    updatedAt: Any = None  # noqa: N815 (the vendor's spelling)
    deletedAt: Any = None  # noqa: N815 (the vendor's spelling)


_SYS = msgspec.json.Decoder(Sys)


class Contentful:
    """One environment of one Contentful space."""

    name: ClassVar[str] = "contentful"
    settings_type: ClassVar[type[Settings]] = ContentfulSettings
    newest_first: ClassVar[bool] = True
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
        links="linkType",
        link_type="Link",
        targets=_UPSERTS,
    )
    entity_types: ClassVar[frozenset[EntityType]] = frozenset({"entry", "asset"})

    def __init__(self, connection: str, settings: Settings) -> None:
        assert isinstance(settings, ContentfulSettings)
        if "content_type" in settings.api_filter and settings.api_filter.get("type") != "Entry":
            raise ConfigError(
                'api_filter: content_type needs type = "Entry"',
                hint='write api_filter = { type = "Entry", content_type = "…" }; content_types loses no deletes',
            )
        self._connection = connection
        self._settings = settings

    @property
    def base_url(self) -> str:
        """The scheme and host that requests go to."""
        return self._settings.base_url or _HOSTS[self._settings.region, self._settings.preview]

    @property
    def db(self) -> str:
        """The space."""
        return self._settings.space

    @property
    def schema(self) -> str | None:
        """The environment."""
        return self._settings.environment

    @property
    def scope(self) -> Mapping[str, str]:
        """Space, environment, which API, and the API's own filters."""
        return {
            "vendor": self.name,
            "space": self._settings.space,
            "environment": self._settings.environment,
            "api": "preview" if self._settings.preview else "delivery",
            **{f"api_filter.{key}": value for key, value in self._settings.api_filter.items()},
        }

    @property
    def follows(self) -> bool:
        """Whether this is the Delivery API: the Preview API supports only initial syncs."""
        return not self._settings.preview

    @property
    def model(self) -> ContentfulModel:
        """What asks for the environment's content types and locales."""
        return ContentfulModel(self._connection, self._get, self.check_probe)

    def request(self, position: Position) -> httpx.Request:
        """Return the request for the page after `position`; raises `StreamStopped` for a delta of the Preview API."""
        if position.cursor is None:
            sizes = (self._settings.page_size or _PAGE_SIZE, position.page_size or _PAGE_SIZE_LIMIT)
            return self._get("sync", {"initial": "true", **self._settings.api_filter, "limit": str(min(sizes))})
        if self._settings.preview and position.page == 0:
            raise StreamStopped(
                "the Preview API supports only initial syncs: the snapshot is complete, changes cannot be followed",
                hint='set snapshot_mode = "initial_only" for this connection, or follow the published content',
            )
        # The API refuses any other parameter with a token, even those that the token was made with.
        return self._get("sync", {"sync_token": position.cursor})

    def frame(self, response: httpx.Response, after: Position) -> Frame:
        """Return the frame of a response; `after.cursor` tells whether it answers a token or an initial sync."""
        self._refuse(response, token=after.cursor is not None)
        identity = item.text(response.headers.get("cf-environment-uuid"))
        if identity and after.identity and identity != after.identity:
            raise EnvironmentChanged(
                f"environment {self._settings.environment} of space {self._settings.space} is no longer the same",
                hint="its alias was retargeted, or it was recreated: take a new snapshot",
            )
        raws, (page_url, sync_url) = item.cut(response.content, "items", "nextPageUrl", "nextSyncUrl")
        if raws is None:
            raise SourceUnavailable("the response is not a sync page: it has no items")
        # If both are given, continuing with the page cannot skip anything.
        next_url = page_url or sync_url
        if not isinstance(next_url, str):
            raise SourceUnavailable("the response has neither nextPageUrl nor nextSyncUrl")
        cursor = cursor_of(next_url, "sync_token")
        return Frame(raws, after.advance(cursor=cursor, caught_up=not page_url, identity=identity), not page_url)

    def read(self, frame: Frame) -> SyncPage:
        """Return the page with its items parsed."""
        return item.read(frame, self._change)

    def locate(self, key: EntityKey, _content_type: str | None) -> str:
        """Return the URL of an entry, an asset or a content type, by its id, or of all locales."""
        return str(self._get(_PATHS[key.entity_type].format(id=quote(key.id, safe="")), {}).url)

    def probe(self) -> httpx.Request:
        """Return a request for one content type."""
        return self._get("content_types", {"limit": "1"})

    def check_probe(self, response: httpx.Response) -> None:
        """Return if credentials, space and environment are right; else raise as `frame` does."""
        self._refuse(response, token=False)

    def filter_gaps(self) -> tuple[Remark, ...]:
        """Return what the filter, or the Preview API, withholds."""
        kind = self._settings.api_filter.get("type", "all")
        found = []
        if kind in ("Entry", "Asset"):
            other = "assets" if kind == "Entry" else "entries"
            found.append(Remark("api_filter", f"type = {kind}: no {other}, and no delete or unpublish of anything"))
        if kind.startswith("Delet"):
            found.append(Remark("api_filter", f"type = {kind}: no published content, no deletes of any other kind"))
        if "content_type" in self._settings.api_filter:
            found.append(Remark("api_filter", "content_type: no entries of other content types"))
        if self._settings.preview:
            hint = 'set snapshot_mode = "initial_only", or follow the published content with preview = false'
            found.append(Remark("preview", "one initial sync, then no changes and no deletes", hint))
        return tuple(found)

    def wake_up(self, call: WebhookCall, now: float) -> WakeUp | Refused:
        """Return what a call announces, if Contentful signed it or it carries the shared secret."""
        entity_id = announced(call.body, ("sys", "id"))
        refused = by_secret(call.headers, self._settings.webhook_secret)
        if refused is None:
            return WakeUp(id=entity_id)
        if refused.reason == "unconfigured":
            return refused
        signed = self._signed(call, now)
        if isinstance(signed, Refused):
            return refused if signed.reason == "unsigned" else signed
        return WakeUp(id=entity_id, once=signed)

    def _get(self, what: str, parameters: Mapping[str, str]) -> httpx.Request:
        path = f"/spaces/{self._settings.space}/environments/{self._settings.environment}/{what}"
        headers = {"Authorization": f"Bearer {self._settings.token.get_secret_value()}"}
        return httpx.Request("GET", self.base_url + path, params=parameters, headers=headers)

    def _refuse(self, response: httpx.Response, *, token: bool) -> None:
        """Raise the error that a response other than 200 stands for."""
        status = response.status_code
        if status == httpx.codes.OK:
            return
        where = f"space {self._settings.space}, environment {self._settings.environment}"
        message = f"Contentful answered {status}{_code(response.content)} for {where}"
        refused = meaning(response, message, _HINTS)
        if status == httpx.codes.TOO_MANY_REQUESTS and isinstance(refused, SourceUnavailable):
            reset = seconds(response.headers.get("X-Contentful-RateLimit-Reset"))
            refused.retry_after = refused.retry_after or (_RATE_WAIT if reset is None else reset)
        if isinstance(refused, SourceUnavailable) and status != httpx.codes.GONE:
            raise refused
        if status == httpx.codes.BAD_REQUEST and _TOO_LARGE.search(response.content):
            raise PageTooLarge(f"{message}: the page exceeds the API's size limit", hint="use a smaller page_size")
        if token and status in (400, 404, 410, 422) and not looks_like_html(response):
            # The answer to a bad token is undocumented, and revoked access looks the same.
            raise CheckpointRejected(f"{message} to a sync token", doubtful=True)
        if status in (400, 422) and not token and (parameter := named(response, {*self._settings.api_filter, "limit"})):
            setting = "page_size" if parameter == "limit" else f"api_filter.{parameter}"
            raise SourceRejected(f"{message}: it refuses {setting}", hint=f"correct {setting} of this connection")
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
            **item.references(_links(fields) if fields else ()),
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

    def _signed(self, call: WebhookCall, now: float) -> str | Refused:
        """Return Contentful's signature of this call, if made with our secret in the last 30 seconds.

        https://www.contentful.com/developers/docs/webhooks/request-verification/
        """
        secret = self._settings.webhook_secret.get_secret_value() if self._settings.webhook_secret else ""
        given = {name.lower(): value.strip() for name, value in call.headers.items()}
        names = sorted(given.get("x-contentful-signed-headers", "").lower().split(","))
        signed_at = seconds(given.get("x-contentful-timestamp"))
        signature = given.get("x-contentful-signature", "")
        if not signature or signed_at is None or "x-contentful-timestamp" not in names:
            return Refused("unsigned")
        signed = ";".join(f"{name}:{given.get(name, '')}" for name in names)
        for spelt in (call.path, *_as_signed(call.path)):
            text = f"{call.method.upper()}\n{spelt}\n{signed}\n".encode("utf-8", "surrogatepass") + call.body
            expected = hmac.new(secret.encode("utf-8", "surrogatepass"), text, hashlib.sha256).hexdigest()
            if hmac.compare_digest(expected.encode(), signature.encode("utf-8", "surrogatepass")):
                off = now - signed_at / 1000
                return signature if abs(off) <= _SIGNATURE_AGE else Refused("expired", off)
        return Refused("wrong")


def _as_signed(path: str) -> tuple[str, str]:
    """Return a path as Contentful may sign it: its query escaped again, and then, as its toolkit does, all of it."""
    before, mark, query = path.partition("?")
    escaped = f"{before}{mark}{quote(query, safe=_UNRESERVED)}"
    return escaped, quote(escaped, safe=_URI)


def _content_type(sys: Sys) -> str | None:
    link = sys.contentType
    inner = link.get("sys") if isinstance(link, dict) else None
    return item.text(inner.get("id")) if isinstance(inner, dict) else None


def _links(fields: bytes) -> Iterator[tuple[str, str]]:
    for field, link in rawjson.objects(fields, "sys", "linkType"):
        target = link["linkType"]
        entity_type = _UPSERTS.get(target) if link.get("type") == "Link" and isinstance(target, str) else None
        if entity_type and (found := item.text(link.get("id"))):
            yield field, f"{entity_type}:{found}"


def _code(body: bytes) -> str:
    """Return the error's code in parentheses, if the body has one; never any other part of the body."""
    try:
        sys = rawjson.record(rawjson.split(body)["sys"], _SYS)
    except (KeyError, ValueError):
        return ""
    return f" ({sys.id})" if isinstance(sys.id, str) and _CODE.fullmatch(sys.id) else ""


VENDOR = Contentful
