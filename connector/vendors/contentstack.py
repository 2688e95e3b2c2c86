"""Contentstack's Sync API: requests, pages and items. Pure.

https://www.contentstack.com/docs/developers/apis/content-delivery-api/synchronization
"""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal, NoReturn
from urllib.parse import quote

import httpx
import msgspec
from pydantic import Field, SecretStr, field_validator

from connector.cms import item
from connector.cms.refusal import meaning
from connector.cms.retry_after import until
from connector.cms.shape import Kind, Shape
from connector.cms.vendor import Remark, Settings
from connector.cms.webhook import Refused, WakeUp, WebhookCall, announced, by_secret
from connector.errors import CheckpointRejected, ConnectorError, MalformedItem, SourceRejected, SourceUnavailable
from connector.model import rawjson
from connector.model.change import ALL_LOCALES, Change, ChangeType, EntityKey, EntityType, Scope
from connector.model.checkpoint import Position
from connector.model.page import Frame, SyncPage
from connector.model.timestamp import micros
from connector.vendors.contentstack_model import OWN_MEMBERS, ContentstackModel

_HOSTS = {
    "na": "https://cdn.contentstack.io",
    "eu": "https://eu-cdn.contentstack.com",
    "au": "https://au-cdn.contentstack.com",
    "azure-na": "https://azure-na-cdn.contentstack.com",
    "azure-eu": "https://azure-eu-cdn.contentstack.com",
    "gcp-na": "https://gcp-na-cdn.contentstack.com",
    "gcp-eu": "https://gcp-eu-cdn.contentstack.com",
}
_PARAMETERS = ("content_type_uid", "locale", "start_from", "type")
_ITEMS: dict[str, tuple[EntityType, ChangeType]] = {
    "entry_published": ("entry", "published"),
    "entry_unpublished": ("entry", "unpublished"),
    "entry_deleted": ("entry", "deleted"),
    "asset_published": ("asset", "published"),
    "asset_unpublished": ("asset", "unpublished"),
    "asset_deleted": ("asset", "deleted"),
    "content_type_deleted": ("content_type", "deleted"),
}
_REMOVALS = {kind for kind, (_, change_type) in _ITEMS.items() if change_type != "published"}
_PAGE = "pagination_token:"
_INVALID_PARAMETERS, _UNKNOWN_CONTENT_TYPE = 141, 118
_ASSETS = "sys_assets"
_PATHS = {"entry": "content_types/{type}/entries/{uid}", "content_type": "content_types/{uid}", "locale": "locales"}
_CREDENTIALS = "check api_key, token, environment, branch and region: the token belongs to one environment"
_HINTS = dict.fromkeys((400, 404, 422), f"{_CREDENTIALS}; api_filter may also have been refused") | {
    401: f"{_CREDENTIALS}; a new token takes a few seconds to work",
    403: f"{_CREDENTIALS}; a firewall in between may also have refused it",
}
_SETTINGS = {"access_token": "token", "limit": "page_size"} | {one: one for one in ("api_key", "branch", "environment")}

HeaderText = Annotated[str, Field(pattern=r"^[!-~]+$")]
Name = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]+$")]


class ContentstackSettings(Settings):
    """`stack` labels the stack in events (default: the connection's name); `api_key` is treated as a credential.

    `entry_deleted_scope`: whether an `entry_deleted` removes the locale it names or every locale of the entry.
    """

    api_key: SecretStr
    environment: Name
    branch: HeaderText | None = None
    stack: Name | None = None
    region: Literal["na", "eu", "au", "azure-na", "azure-eu", "gcp-na", "gcp-eu"] = "na"
    page_size: int | None = Field(default=None, ge=1, le=100)
    entry_deleted_scope: Literal["locale", "entry"] = "locale"

    @field_validator("api_filter")
    @classmethod
    def _known_parameters(cls, api_filter: dict[str, str]) -> dict[str, str]:
        if unknown := api_filter.keys() - set(_PARAMETERS):
            raise ValueError(f"has no key {min(unknown)!r}; known: {', '.join(_PARAMETERS)}")
        if empty := [key for key, value in api_filter.items() if not value.strip()]:
            raise ValueError(f"{empty[0]} must not be empty")
        types = [one.strip() for one in api_filter.get("type", "entry_published").split(",")]
        if strange := [one for one in types if one not in _ITEMS]:
            raise ValueError(f"type has no {strange[0]!r}; known: {', '.join(_ITEMS)}")
        if "start_from" in api_filter and micros(api_filter["start_from"]) is None:
            raise ValueError('start_from must be an ISO date like "2024-05-01T00:00:00.000Z"')
        return api_filter | ({"type": ",".join(types)} if "type" in api_filter else {})

    def unused(self) -> Iterator[Remark]:
        """Also yield the scope of deletes if the filter withholds them anyway."""
        yield from super().unused()
        if self.entry_deleted_scope == "entry" and "entry_deleted" not in self.api_filter.get("type", "entry_deleted"):
            what = "has no effect: api_filter lets no entry_deleted through"
            yield Remark("entry_deleted_scope", what, "leave it out")


class Item(msgspec.Struct, gc=False):
    """The members of an item that we read besides `data`; their values may be anything."""

    type: Any = None
    event_at: Any = None
    content_type_uid: Any = None


class Data(msgspec.Struct, gc=False):
    """The system members of `data`, next to the user's fields there; their values may be anything."""

    uid: Any = None
    locale: Any = None
    version: Any = msgspec.field(default=None, name="_version")
    created_at: Any = None
    updated_at: Any = None
    publish_details: Any = None


_ITEM = msgspec.json.Decoder(Item)
_DATA = msgspec.json.Decoder(Data)


class Contentstack:
    """One environment of one Contentstack stack."""

    name: ClassVar[str] = "contentstack"
    settings_type: ClassVar[type[Settings]] = ContentstackSettings
    newest_first: ClassVar[bool] = True
    localized: ClassVar[bool] = True
    content_members: ClassVar[tuple[str, ...]] = ()
    own_members: ClassVar[frozenset[str]] = OWN_MEMBERS
    shape: ClassVar[Shape | None] = Shape(
        kind=("type",),
        published={"entry_published": Kind("entry"), "asset_published": Kind("asset", typed=False, linked=False)},
        id=("data", "uid"),
        locale=("data", "publish_details", "locale"),
        content_type=("content_type_uid",),
        revision=("data", "_version"),
        changed_at=("event_at",),
        created_at=("data", "created_at"),
        updated_at=("data", "updated_at"),
        fields="data",
        fields_needed=True,
        links="uid",
        link_type=_ASSETS,
    )
    entity_types: ClassVar[frozenset[EntityType]] = frozenset({"entry", "asset", "content_type"})

    def __init__(self, connection: str, settings: Settings) -> None:
        assert isinstance(settings, ContentstackSettings)
        self._connection = connection
        self._settings = settings

    @property
    def base_url(self) -> str:
        """The scheme and host that requests go to."""
        return self._settings.base_url or _HOSTS[self._settings.region]

    @property
    def db(self) -> str:
        """The stack's label."""
        return self._settings.stack or self._connection

    @property
    def schema(self) -> str | None:
        """The environment, with the branch if one is set."""
        branch = f"@{self._settings.branch}" if self._settings.branch else ""
        return f"{self._settings.environment}{branch}"

    @property
    def scope(self) -> Mapping[str, str]:
        """Stack (as a digest: the api key is a credential), environment, branch, and the API's own filters."""
        api_key = self._settings.api_key.get_secret_value().encode("utf-8", "surrogatepass")
        return {
            "vendor": self.name,
            "stack": hashlib.blake2b(api_key, digest_size=8).hexdigest(),
            "environment": self._settings.environment,
            "branch": self._settings.branch or "",
            **{f"api_filter.{key}": value for key, value in self._settings.api_filter.items()},
        }

    @property
    def follows(self) -> bool:
        """Every snapshot can be followed."""
        return True

    @property
    def model(self) -> ContentstackModel:
        """What asks for the stack's content types and locales."""
        return ContentstackModel(self._connection, self._settings.environment, self._get, self.check_probe)

    def request(self, position: Position) -> httpx.Request:
        """Return the request for the page after `position`."""
        parameters = {"environment": self._settings.environment}
        if position.cursor is None:
            parameters |= {"init": "true", **self._settings.api_filter}
        elif position.cursor.startswith(_PAGE):
            parameters["pagination_token"] = position.cursor.removeprefix(_PAGE)
        else:
            parameters["sync_token"] = position.cursor
        if sizes := [size for size in (self._settings.page_size, position.page_size) if size]:
            parameters["limit"] = str(min(sizes))
        return self._get("stacks/sync", parameters)

    def frame(self, response: httpx.Response, after: Position) -> Frame:
        """Return the frame of a response. A walk continues while the API returns a pagination token."""
        self._refuse(response, token=after.cursor is not None)
        raws, values = item.cut(response.content, "items", "pagination_token", "sync_token", "error_code")
        if raws is None and values[-1] is not None:
            self._reject(response, token=after.cursor is not None)
        page, sync = map(item.text, values[:2])
        if raws is None or not (page or sync):
            raise SourceUnavailable("the response has no items, or neither pagination_token nor sync_token")
        # If both are given, continuing with the page cannot skip anything.
        cursor = f"{_PAGE}{page}" if page else sync
        assert cursor is not None
        return Frame(raws, after.advance(cursor=cursor, caught_up=not page), not page)

    def read(self, frame: Frame) -> SyncPage:
        """Return the page with its items parsed."""
        return item.read(frame, self._change)

    def locate(self, key: EntityKey, content_type: str | None) -> str:
        """Return the URL of an entry, an asset or a content type, or of all locales; a branch would take a header."""
        path = _PATHS.get(key.entity_type, "assets/{uid}")
        path = path.format(type=quote(content_type or "", safe=""), uid=quote(key.id, safe=""))
        locale = {} if key.locale == ALL_LOCALES else {"locale": key.locale}
        return str(self._get(path, {"environment": self._settings.environment, **locale}).url)

    def probe(self) -> httpx.Request:
        """Return a request for one content type of the environment."""
        return self._get("content_types", {"environment": self._settings.environment, "limit": "1"})

    def check_probe(self, response: httpx.Response) -> None:
        """Return if stack, environment, branch and token are right; else raise as `frame` does."""
        self._refuse(response, token=False)

    def filter_gaps(self) -> tuple[Remark, ...]:
        """Return what the filter withholds; a token keeps the filter that it was made with."""
        api_filter = self._settings.api_filter
        found = []
        if "type" in api_filter and (missing := sorted(_ITEMS.keys() - set(api_filter["type"].split(",")))):
            found.append(f"type: no {', '.join(missing)}, now or in any later delta")
        if "content_type_uid" in api_filter:
            found.append("content_type_uid: no assets, no entries of other types, and no deletes of either")
        if "locale" in api_filter:
            found.append("locale: nothing published to, or removed from, another locale")
        if "start_from" in api_filter:
            found.append("start_from: nothing last published before that date")
        return tuple(Remark("api_filter", what) for what in found)

    def wake_up(self, call: WebhookCall, now: float) -> WakeUp | Refused:
        """Return what a call with the shared secret announces. Contentstack's own signature is not checked."""
        del now
        if refused := by_secret(call.headers, self._settings.webhook_secret):
            return refused
        return WakeUp(id=announced(call.body, *(("data", of, "uid") for of in ("entry", "asset", "content_type"))))

    def _get(self, what: str, parameters: Mapping[str, str]) -> httpx.Request:
        headers = {
            "api_key": self._settings.api_key.get_secret_value(),
            "access_token": self._settings.token.get_secret_value(),
        }
        if self._settings.branch:
            headers["branch"] = self._settings.branch
        return httpx.Request("GET", f"{self.base_url}/v3/{what}", params=parameters, headers=headers)

    def _refuse(self, response: httpx.Response, *, token: bool) -> None:
        """Raise the error that a response other than 200 stands for."""
        status = response.status_code
        if status == httpx.codes.OK:
            return
        message = f"Contentstack answered {status} for environment {self._settings.environment}"
        refused = meaning(response, message, _HINTS)
        if status == httpx.codes.TOO_MANY_REQUESTS and isinstance(refused, SourceUnavailable):
            refused.retry_after = refused.retry_after or until(response.headers, "x-ratelimit-reset")
        # The body may name a bad token or a refused parameter, whatever the status.
        if not (httpx.codes.BAD_REQUEST <= status < httpx.codes.INTERNAL_SERVER_ERROR and _error(response.content)[0]):
            raise refused
        self._reject(response, token=token, otherwise=refused)

    def _reject(self, response: httpx.Response, *, token: bool, otherwise: ConnectorError | None = None) -> NoReturn:
        """Raise the error that a body stands for: one code covers bad tokens, parameters and credentials."""
        code, fields = _error(response.content)
        where = f"for environment {self._settings.environment}"
        message = f"Contentstack answered {response.status_code} (error_code {code}) {where}"
        tokens = fields & {"sync_token", "pagination_token"}
        if token and code == _INVALID_PARAMETERS and tokens:
            raise CheckpointRejected(f"{message}: the {min(tokens)} is not valid")
        if code == _UNKNOWN_CONTENT_TYPE:
            fields |= {"content_type_uid"}
        if not token and (named := sorted(fields & {*self._settings.api_filter})):
            setting = f"api_filter.{named[0]}"
            raise SourceRejected(f"{message}: it refuses {setting}", hint=f"correct {setting} of this connection")
        if named := sorted(_SETTINGS[field] for field in fields & _SETTINGS.keys()):
            raise SourceRejected(f"{message}: it refuses {', '.join(named)}", hint=f"check {', '.join(named)}")
        if isinstance(otherwise, SourceUnavailable):
            raise otherwise
        raise SourceRejected(message, hint=otherwise.hint if otherwise else _HINTS[httpx.codes.UNPROCESSABLE_ENTITY])

    def _change(self, raw: bytes) -> Change:
        parts = rawjson.members(raw)
        top = rawjson.record(raw, _ITEM)
        kind = item.text(top.type)
        try:
            data = rawjson.record(parts.get("data", b"{}"), _DATA)
        except ValueError:
            raise MalformedItem("the item's data is not an object", item_type=kind) from None
        if kind not in _ITEMS:
            raise MalformedItem("the item's type is unknown", item_type=kind, item_id=item.text(data.uid))
        return self._removal(raw, kind, top, data) if kind in _REMOVALS else self._upsert(raw, parts, kind, top, data)

    def _upsert(self, raw: bytes, parts: dict[str, bytes], kind: str, top: Item, data: Data) -> Change:
        entity_type, change_type = _ITEMS[kind]
        entry = entity_type == "entry"
        # Content may be a fallback copy from another locale: the key is the locale it was published to.
        locale = _locale(data) or ALL_LOCALES
        key = EntityKey(self._connection, entity_type, item.identified(kind, data.uid), locale)
        fields = parts.pop("data")
        return Change(
            key=key,
            change_type=change_type,
            digest=hashlib.blake2b(raw, digest_size=16).digest(),
            raw=raw,
            content_type=item.text(top.content_type_uid) if entry else None,
            revision=item.whole(data.version),
            changed_at=item.moment(top.event_at),
            created_at=item.moment(data.created_at),
            updated_at=item.moment(data.updated_at),
            fields=fields,
            meta=rawjson.join(parts),
            **item.references(_references(fields) if entry else ()),
        )

    def _removal(self, raw: bytes, kind: str, top: Item, data: Data) -> Change:
        entity_type, change_type = _ITEMS[kind]
        whole_type = kind == "content_type_deleted"
        whole_entry = kind == "entry_deleted" and self._settings.entry_deleted_scope == "entry"
        locale = None if whole_type or whole_entry else _locale(data)
        scope: Scope = "content_type" if whole_type else "key" if locale else "entity"
        uid = item.identified(kind, top.content_type_uid if whole_type else data.uid)
        return Change(
            key=EntityKey(self._connection, entity_type, uid, locale or ALL_LOCALES),
            change_type=change_type,
            digest=hashlib.blake2b(raw, digest_size=16).digest(),
            raw=raw,
            content_type=item.text(top.content_type_uid) if entity_type == "entry" else None,
            revision=item.whole(data.version),
            changed_at=item.moment(top.event_at),
            marker=raw,
            scope=scope,
        )


def _locale(data: Data) -> str | None:
    """Return the locale that something is published to, or removed from, if the item says so."""
    details = data.publish_details
    if isinstance(details, list) and len(details) == 1:
        details = details[0]
    published_to = details.get("locale") if isinstance(details, dict) else None
    return item.text(published_to) or item.text(data.locale)


def _references(data: bytes) -> Iterator[tuple[str, str]]:
    """Yield each field with what it points to, if its form shows that; a plain uid looks like any other text."""
    if not any(mark in data for mark in (b'_content_type_uid"', b'-uid"', b'"filename"', b"\\u00")):
        return
    # Not the entry itself: one of its fields may be called filename.
    for field, inner in rawjson.value(data).items():
        for node in rawjson.walk(inner) if isinstance(inner, dict | list) else ():
            if found := _referenced(node):
                yield field, found


def _referenced(node: dict[str, Any]) -> str | None:
    uid = item.text(node.get("uid"))
    if uid and "_content_type_uid" in node:
        return f"asset:{uid}" if node["_content_type_uid"] == _ASSETS else f"entry:{uid}"
    if uid and isinstance(node.get("filename"), str):
        return f"asset:{uid}"
    # Rich text embeds both kinds through attributes of a node.
    asset, entry = item.text(node.get("asset-uid")), item.text(node.get("entry-uid"))
    if asset or entry:
        return f"asset:{asset}" if asset else f"entry:{entry}"
    return None


def _error(body: bytes) -> tuple[int | None, set[str]]:
    """Return an error body's code and the names of the fields it complains about."""
    try:
        found = rawjson.value(body)
    except ValueError:
        return None, set()
    if not isinstance(found, dict):
        return None, set()
    errors = found.get("errors")
    return item.whole(found.get("error_code")), set(errors) if isinstance(errors, dict) else set()


VENDOR = Contentstack
