"""Contentstack's Content Delivery API: sync and content types."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

import msgspec

from connector.simulator import contentstack_model as told
from connector.simulator import model
from connector.simulator.contentstack_model import uid as _uid
from connector.simulator.cursor import BadCursorError, Cursor
from connector.simulator.feed import Entry
from connector.simulator.front_end import FrontEnd, Mode, Page
from connector.simulator.message import Live, RefusalError, Request, Response, json_array
from connector.simulator.store import Change, Version
from connector.simulator.timestamp import iso, milliseconds
from connector.simulator.value import (
    DEFAULT_LOCALE,
    Block,
    File,
    Group,
    Link,
    Location,
    Model,
    Moment,
    Resource,
    RichText,
)

API_KEY = "bltsimulated0001"
ENVIRONMENT = "production"
BRANCH = "main"
TOKEN = "cssimulateddeliverytoken0001"  # noqa: S105 - opens nothing but this simulator

_PUBLISHED = ("entry_published", "asset_published")
_TYPES = (
    *_PUBLISHED,
    "entry_unpublished",
    "asset_unpublished",
    "entry_deleted",
    "asset_deleted",
    "content_type_deleted",
)
_FILTERS = ("type", "content_type_uid", "locale", "start_from", "limit")
_MAX_LIMIT = 100
# In a cursor: removals from before this position of the feed are still to be reported.
_OLDER = "older"
_HOUR = 3_600_000
_USER = "bltsimulateduser01"
_INVALID = "Failed to fetch items. Please try again with valid parameters."
_encode = msgspec.json.Encoder(decimal_format="number").encode


class Contentstack(FrontEnd):
    """Newest first, one item per entity and published locale, a cursor bound to stack, environment and branch.

    Quirks: `older_removals`: the first delta after an initial sync also reports removals from before it, even of
    entities that are live again. `own_page_size`: `limit` is ignored.
    """

    name = "contentstack"
    # As the vendor's guide warns: publishing during a walk makes it start over.
    mode: Mode = "refuse"
    page_size = 100
    known_quirks = frozenset({"older_removals", "own_page_size"})
    cursor_params: ClassVar[tuple[str, ...]] = ("pagination_token", "sync_token")

    def owns(self, path: str) -> bool:
        """Everything under `/v3/`."""
        return path.startswith("/v3/")

    def is_sync(self, request: Request) -> bool:
        """`/v3/stacks/sync`."""
        return request.path == "/v3/stacks/sync"

    def is_model(self, request: Request) -> bool:
        """`/v3/content_types` and `/v3/locales`."""
        return request.path in ("/v3/content_types", "/v3/locales")

    def model(self) -> Model:
        """In uids and lower-case language codes, with a title everywhere."""
        return told.spelled(self.store.model())

    @classmethod
    def connection(cls) -> dict[str, str]:
        """Stack, environment and delivery token."""
        return {"api_key": API_KEY, "environment": ENVIRONMENT, "token": TOKEN}

    def authorise(self, request: Request) -> None:
        """Stack, token and environment each fail with a different code."""
        if request.headers.get("api_key") != API_KEY:
            message = "The api key is not valid."
            raise _refusal(412, 109, message, api_key="is not valid.")
        if request.headers.get("access_token") != TOKEN:
            denied = "You're not allowed in here unless you're logged in."
            raise RefusalError(_error(401, 105, denied, {"access_token": "is not valid."}))
        if request.params.get("environment", ENVIRONMENT) != ENVIRONMENT:
            mismatch = "environment or access token is not matched."
            raise _refusal(422, 141, _INVALID, access_token=mismatch)
        if request.headers.get("branch", BRANCH) != BRANCH:
            raise _refusal(422, 141, _INVALID, branch="is not valid.")

    def cursor(self, request: Request) -> Cursor:
        """Read `init` and its filters, or one of the tokens; other parameters beside a token are ignored."""
        for name in self.cursor_params:
            if name in request.params:
                try:
                    cursor = self.open(request.params[name], f"{API_KEY}/{ENVIRONMENT}/{BRANCH}")
                except BadCursorError:
                    raise self.bad_cursor(request) from None
                if self.in_walk(cursor) != (name == "pagination_token"):
                    raise self.bad_cursor(request)
                return cursor
        if request.params.get("init") != "true":
            raise _refusal(422, 141, _INVALID, init="is required.")
        return self._initial({name: request.params[name] for name in _FILTERS if name in request.params})

    def _initial(self, filters: dict[str, str]) -> Cursor:
        if not set(filters.get("type", _TYPES[0]).split(",")) <= set(_TYPES):
            raise _refusal(422, 141, _INVALID, type="is not valid.")
        try:
            int(filters.get("limit", "1"))
            milliseconds(filters.get("start_from", "2018-08-14"))
        except ValueError:
            raise _refusal(422, 141, _INVALID, start_from="is not valid.") from None
        query = tuple(sorted(filters.items()))
        return Cursor(f"{API_KEY}/{ENVIRONMENT}/{BRANCH}", query, initial=True, generation=self.generation)

    def page(self, cursor: Cursor, request: Request) -> Page:
        """Count at the start of a walk: all its pages give the same total."""
        if cursor.before is None:
            walk = msgspec.structs.replace(cursor, before=len(self.feed))
            matching = filter(self.accepts(cursor), self.entries(walk))
            cursor = msgspec.structs.replace(cursor, total=sum(1 for _ in matching))
        return super().page(cursor, request)

    def limit(self, cursor: Cursor, request: Request) -> int:
        """At most 100, from this request or the initial one."""
        if "own_page_size" in self.quirks:
            return self.page_size
        wanted = request.params.get("limit") or cursor.param("limit") or ""
        return max(1, min(int(wanted), _MAX_LIMIT)) if wanted.isdecimal() else self.page_size

    def entries(self, cursor: Cursor) -> Iterator[Entry]:
        """Include what was removed before an initial sync, for the delta that reports it."""
        before = cursor.before or 0
        return self.feed.newest_first(cursor.since, before, removals=int(cursor.param(_OLDER) or 0))

    def after_walk(self, cursor: Cursor, *, changed: bool) -> Cursor:
        """The first delta after an initial sync may begin before it."""
        query = tuple(pair for pair in cursor.query if pair[0] != _OLDER)
        if cursor.initial and "older_removals" in self.quirks:
            query = (*query, (_OLDER, str(cursor.start)))
            return Cursor(cursor.scope, query, 0, generation=self.generation)
        moves = changed or cursor.param(_OLDER) is not None
        return super().after_walk(msgspec.structs.replace(cursor, query=query), changed=moves)

    def accepts(self, cursor: Cursor) -> Callable[[Entry], bool]:
        """Without `type`, an initial sync delivers what is published, and its deltas deliver everything."""
        wanted = cursor.param("type")
        types = set(wanted.split(",")) if wanted else set(_PUBLISHED if cursor.initial else _TYPES)
        content_type, locale = cursor.param("content_type_uid"), cursor.param("locale")
        from_ = milliseconds(cursor.param("start_from") or "1970-01-01")
        older = int(cursor.param(_OLDER) or 0)
        return lambda entry: (
            entry.label in types
            and entry.at >= from_
            and content_type in (None, _content_type_uid(entry.version))
            and (locale is None or entry.locale in ("", locale))
            and (entry.position >= older or not entry.live)
        )

    def expand(self, change: Change) -> None:
        """Each locale separately; a deleted content type silently takes its entries with it."""
        version = change.version
        if version.kind != "content_type":
            label, live = f"{version.kind}_{change.action}", change.action == "published"
            for locale in map(str.lower, change.locales):
                self.feed.put(Entry((version.kind, version.id, locale), label, version, change.at, live, locale))
        elif change.action == "deleted":
            for gone in change.cascade:
                for locale in gone.live:
                    self.feed.drop((gone.kind, gone.id, locale.lower()))
            self.feed.put(Entry((version.kind, version.id), "content_type_deleted", version, change.at, live=False))

    def render(self, entry: Entry) -> bytes:
        """System keys and user fields are on the same level."""
        event = {"type": entry.label, "event_at": iso(entry.at), "content_type_uid": _content_type_uid(entry.version)}
        return _encode({**event, "data": msgspec.Raw(self._data(entry))})

    def _data(self, entry: Entry) -> bytes:
        version = entry.version
        if version.kind == "content_type":
            return b"{}"
        if not entry.live:
            return _encode({"uid": version.id, "locale": entry.locale})
        written = self._source(version, entry.locale)
        fields = self._asset(version, written) if version.kind == "asset" else self._entry(version, written)
        details = {
            "environment": "bltsimulatedenv001",
            "locale": entry.locale,
            "time": iso(entry.at - 40),
            "user": _USER,
        }
        data = {
            "uid": version.id,
            **fields,
            "_version": version.revision,
            "tags": [],
            "created_at": iso(version.created_at - 2 * _HOUR),
            "created_by": _USER,
            "updated_at": iso(version.updated_at - _HOUR),
            "updated_by": _USER,
        }
        # Some old entries have no `publish_details`.
        if version.kind == "entry" and version.index % 23 == 22 and written.lower() == entry.locale:  # noqa: PLR2004
            return _encode(data)
        return _encode({**data, "publish_details": details})

    def _source(self, version: Version, locale: str) -> str:
        """Return the locale whose content is delivered in `locale`: itself, or the first of its fallbacks."""
        code = next(each for each in self.store.codes() if each.lower() == locale)
        chain = model.fallbacks(self.store.locales, code)
        return next((each for each in chain if each in version.written), DEFAULT_LOCALE)

    def _entry(self, version: Version, written: str) -> dict[str, Any]:
        values = self.store.values(version)
        plain_references = version.index % 5 == 4  # noqa: PLR2004 - stacks from before 2020
        fields = {
            _uid(name): _native(by.get(written, by.get(DEFAULT_LOCALE)), plain=plain_references)
            for name, by in values.items()
        }
        title = fields.get("title") or next(iter(fields.values()), "")
        taxonomies = [{"taxonomy_uid": "topics", "term_uid": "harbour"}]
        return {"locale": written.lower(), "title": title, **fields, "taxonomies": taxonomies}

    def _asset(self, version: Version, written: str) -> dict[str, Any]:
        values = self.store.values(version)
        file = values.pop("file")
        fields = {name: _native(by.get(written, by.get(DEFAULT_LOCALE)), plain=False) for name, by in values.items()}
        return {**_native(file.get(written, file.get(DEFAULT_LOCALE)), plain=False), **fields}

    def live(self, entry: Entry) -> Live:
        """One key per entity and published locale; `fields` is all of `data`."""
        version = entry.version
        content_type = _content_type_uid(version) if version.kind == "entry" else None
        data = self._data(entry)
        return Live(version.kind, version.id, entry.locale, content_type, version.revision, iso(entry.at), data)

    def envelope(self, page: Page, request: Request) -> Response:  # noqa: ARG002 - there are no URLs
        """Exactly one token; an empty delta has no `skip`, `limit` and `total_count`."""
        token = {"pagination_token" if page.more else "sync_token": self.close(page.next)}
        counts = {"skip": page.here.delivered, "limit": page.limit, "total_count": page.here.total}
        empty = not page.items and not page.more and not page.here.initial
        tail = _encode(token if empty else {**counts, **token})
        return _response(200, b'{"items":' + json_array(page.items) + b"," + tail[1:])

    def other(self, request: Request) -> Response:
        """The content types and languages of the stack; one entry or asset, as delivered in a locale."""
        self.authorise(request)
        match request.path.removeprefix("/v3/").split("/"):
            case ["content_types"]:
                return self._collection("content_types", self._content_types(request), request)
            case ["locales"]:
                return self._collection("locales", self._languages(), request)
            case ["content_types", content_type, "entries", uid]:
                return self._single("entry", uid, content_type, request)
            case ["assets", uid]:
                return self._single("asset", uid, "sys_assets", request)
        raise _refusal(404, 141, "The requested object doesn't exist.")

    def _single(self, kind: str, uid: str, content_type: str, request: Request) -> Response:
        locale = request.params.get("locale", DEFAULT_LOCALE).lower()
        found = self.feed.latest((kind, uid, locale))
        if found is None or not found.live or _content_type_uid(found.version) != content_type:
            raise _refusal(404, 141, "The requested object doesn't exist.", uid="is not valid.")
        return _response(200, _encode({kind: msgspec.Raw(self._data(found))}))

    def _collection(self, name: str, items: list[dict[str, Any]], request: Request) -> Response:
        try:
            return _response(200, _encode(told.collection(name, items, request.params)))
        except LookupError as error:
            raise _refusal(422, 141, _INVALID, **{str(error.args[0]): "is not valid."}) from error

    def _content_types(self, request: Request) -> list[dict[str, Any]]:
        whole = request.params.get("include_global_field_schema") == "true"
        versions = [self.store.known(each.id) for each in self.store.model().content_types]
        stamps = [(each.revision, each.created_at, each.updated_at) for each in versions]
        types = zip(self.model().content_types, stamps, strict=True)
        return [told.content_type(each, stamp, whole=whole) for each, stamp in types]

    def _languages(self) -> list[dict[str, Any]]:
        created_at = self.store.log[0].at
        return [told.locale(each, created_at=created_at) for each in self.model().locales]

    def error(self, status: int, *, told: bool = True) -> Response:
        """429 gives the retry time in `retry-after`."""
        if status == 429:  # noqa: PLR2004 - the status code says it best
            response = _error(429, 429, "You have exceeded the rate limit.", {})
            waiting = {"x-ratelimit-limit": "100", "x-ratelimit-remaining": "0", "retry-after": "1"} if told else {}
            return msgspec.structs.replace(response, headers={**response.headers, **waiting})
        return _error(status, status, "Something went wrong.", {})

    def bad_cursor(self, request: Request) -> RefusalError:
        """The error names the parameter."""
        name = next((each for each in self.cursor_params if each in request.params), "sync_token")
        return _refusal(422, 141, _INVALID, **{name: "is not valid."})

    def strange_items(self) -> Mapping[str, bytes]:
        """An entry without a uid, and an item of an unknown type."""
        return {
            "malformed": b'{"type":"entry_published","event_at":"2024-06-10T00:00:00.000Z","data":[]}',
            "unknown": b'{"type":"entry_dreamt","event_at":"2024-06-10T00:00:00.000Z","content_type_uid":"dream",'
            b'"data":{"uid":"dream-1","locale":"en-us"}}',
        }


def _response(status: int, body: bytes) -> Response:
    return Response(status, {"Content-Type": "application/json"}, body)


def _error(status: int, code: int, message: str, errors: Mapping[str, str]) -> Response:
    lists = {name: [text] for name, text in errors.items()}
    return _response(status, _encode({"error_message": message, "error_code": code, "errors": lists}))


def _refusal(status: int, code: int, message: str, **errors: str) -> RefusalError:
    return RefusalError(_error(status, code, message, errors))


def _content_type_uid(version: Version) -> str:
    return "sys_assets" if version.kind == "asset" else _uid(version.content_type or version.id)


def _native(value: Any, *, plain: bool) -> Any:  # noqa: C901, PLR0911 - one case per type
    """Render a value; `plain` references are bare uids, as older stacks have them."""
    match value:
        case Link(kind="asset"):
            return value.id
        case Link():
            return [_reference(value, plain=plain)]
        case Resource():
            return {"title": value.id, "href": f"https://suppliers.example/{value.space}/{value.id}"}
        case Location():
            return {"latitude": value.latitude, "longitude": value.longitude}
        case Moment():
            return value.text
        case RichText():
            return _document(value)
        case Block():
            return {value.name: {"headline": value.headline, "image": value.image.id}}
        case Group():
            return {"headline": value.headline, "weight": value.weight, "image": value.image.id}
        case File():
            return _file(value)
        case list():
            return [_listed(each, plain=plain) for each in value]
        case _:
            return value


def _listed(value: Any, *, plain: bool) -> Any:
    """Render an item of a list: unlike elsewhere, a reference is not a list of its own."""
    is_reference = isinstance(value, Link) and value.kind == "entry"
    return _reference(value, plain=plain) if is_reference else _native(value, plain=plain)


def _reference(link: Link, *, plain: bool) -> Any:
    return link.id if plain else {"uid": link.id, "_content_type_uid": _uid(link.content_type)}


def _file(file: File) -> dict[str, Any]:
    return {
        "content_type": file.mime,
        "file_size": str(file.size),
        "filename": file.name,
        "url": f"https://images.contentstack.io/v3/assets/{API_KEY}/{file.name}",
        "dimension": {"width": file.width, "height": file.height},
        "is_dir": False,
    }


def _document(text: RichText) -> dict[str, Any]:
    def node(kind: str, content: str, attrs: dict[str, str]) -> dict[str, Any]:
        return {"type": kind, "attrs": attrs, "children": [{"text": content}]}

    target = {"entry-uid": text.embedded.id, "content-type-uid": _uid(text.embedded.content_type), "type": "entry"}
    children = [node("h2", text.heading, {}), node("p", text.paragraph, {}), node("reference", "", target)]
    return {"type": "doc", "attrs": {}, "children": children}


FRONT_END = Contentstack
