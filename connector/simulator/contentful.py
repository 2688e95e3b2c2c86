"""Contentful's Content Delivery API: sync, content types and locales."""

from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Any, ClassVar
from urllib.parse import quote

import msgspec

from connector.simulator import contentful_model as told
from connector.simulator import model
from connector.simulator.cursor import BadCursorError, Cursor
from connector.simulator.feed import Entry, Key
from connector.simulator.front_end import FrontEnd, Page
from connector.simulator.message import Live, RefusalError, Request, Response, json_array
from connector.simulator.store import Change, Store, Version
from connector.simulator.timestamp import iso
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

SPACE = "cfsimulated1"
ENVIRONMENT = "master"
TOKEN = "simulated-contentful-delivery-token"  # noqa: S105 - opens nothing but this simulator
MAX_RESPONSE = 7_340_032

_TYPES: dict[str, tuple[str, ...]] = {
    "all": ("Entry", "Asset"),
    "Entry": ("Entry",),
    "Asset": ("Asset",),
    "Deletion": ("DeletedEntry", "DeletedAsset"),
    "DeletedEntry": ("DeletedEntry",),
    "DeletedAsset": ("DeletedAsset",),
}
_MAX_LIMIT = 1000
_WORDS = {
    401: ("AccessTokenInvalid", "The access token you sent could not be found or is invalid."),
    403: ("AccessDenied", "Forbidden"),
    404: ("NotFound", "The resource could not be found."),
    409: ("Conflict", "Conflict"),
    502: ("Hibernated", "Something went wrong."),
}
_REQUEST_ID = "00000000-simulated"
_encode = msgspec.json.Encoder(decimal_format="number").encode


class Contentful(FrontEnd):
    """Newest first, all locales in one item, a cursor bound to space, environment and initial parameters.

    Quirk `preview`: the Preview API answers under the same URL: unpublished entities are drafts and still delivered,
    and only initial syncs are answered.
    """

    name = "contentful"
    page_size = 100
    known_quirks = frozenset({"preview"})
    cursor_params: ClassVar[tuple[str, ...]] = ("sync_token",)

    def serve_from(self, store: Store) -> None:
        """Forget the drafts too."""
        super().serve_from(store)
        self._drafts: set[Key] = set()

    def owns(self, path: str) -> bool:
        """Everything under `/spaces/`."""
        return path.startswith("/spaces/")

    def is_sync(self, request: Request) -> bool:
        """With an environment, or in the old form, which means `master`."""
        return request.path.endswith("/sync")

    def is_model(self, request: Request) -> bool:
        """`content_types` and `locales` of an environment."""
        return request.path.endswith(("/content_types", "/locales"))

    def model(self) -> Model:
        """Fields by their ids, with those that are disabled."""
        return told.spelled(self.store.model())

    @classmethod
    def connection(cls) -> dict[str, str]:
        """Space, environment and token."""
        return {"space": SPACE, "environment": ENVIRONMENT, "token": TOKEN}

    def authorise(self, request: Request) -> None:
        """401 for a wrong token; 404 for another space or environment."""
        if (request.bearer or request.params.get("access_token")) != TOKEN:
            raise _refusal(401, "AccessTokenInvalid", "The access token you sent could not be found or is invalid.")
        parts = request.path.split("/")
        environment = parts[4] if len(parts) > 4 and parts[3] == "environments" else ENVIRONMENT  # noqa: PLR2004
        if parts[2] != SPACE or environment != ENVIRONMENT:
            raise _refusal(404, "NotFound", "The resource could not be found.")

    def cursor(self, request: Request) -> Cursor:
        """Read `initial` and its parameters, or `sync_token`, which allows no others."""
        params = {name: value for name, value in request.params.items() if name != "access_token"}
        token = params.pop("sync_token", None)
        if token is None:
            return self._initial(params)
        if params:
            raise _refusal(
                400,
                "BadRequest",
                "When passing a sync token you can not pass any other parameters. "
                'If you want to sync with a specific limit, start a new sync with "initial".',
            )
        try:
            cursor = self.open(token, f"{SPACE}/{ENVIRONMENT}")
        except BadCursorError:
            raise self.bad_cursor(request) from None
        if "preview" in self.quirks and cursor.before is None:
            raise _refusal(400, "BadRequest", "The Preview API answers initial syncs only.")
        return cursor

    def _initial(self, params: dict[str, str]) -> Cursor:
        if unknown := params.keys() - {"initial", "type", "content_type", "limit"}:
            raise _refusal(400, "InvalidQuery", f"The query you sent was invalid: {', '.join(sorted(unknown))}.")
        limit = params.get("limit", "1")
        if params.get("initial") != "true":
            raise _refusal(400, "BadRequest", 'Either "initial" or "sync_token" is required.')
        if params.get("type", "all") not in _TYPES:
            raise _refusal(400, "InvalidQuery", "The type parameter is not one of the known types.")
        if "content_type" in params and params.get("type") != "Entry":
            raise _refusal(400, "BadRequest", "The content_type parameter requires type=Entry.")
        if not limit.isdecimal() or not 1 <= int(limit) <= _MAX_LIMIT:
            raise _refusal(400, "InvalidQuery", f"The limit must be a number from 1 to {_MAX_LIMIT}.")
        query = tuple(sorted((name, value) for name, value in params.items() if name != "initial"))
        return Cursor(f"{SPACE}/{ENVIRONMENT}", query, initial=True, generation=self.generation)

    def accepts(self, cursor: Cursor) -> Callable[[Entry], bool]:
        """Deletions appear in deltas of `all`, and if they are requested."""
        wanted = cursor.param("type") or "all"
        labels = _TYPES[wanted]
        if wanted == "all" and not cursor.initial:
            labels += _TYPES["Deletion"]
        content_type = cursor.param("content_type")
        return lambda entry: self._label(entry) in labels and content_type in (None, entry.version.content_type)

    def _label(self, entry: Entry) -> str:
        """Label a draft that the Preview API delivers as if it were published."""
        return entry.label.removeprefix("Deleted") if self._delivers(entry) else entry.label

    def _delivers(self, entry: Entry) -> bool:
        return entry.live or ("preview" in self.quirks and entry.key in self._drafts)

    def expand(self, change: Change) -> None:
        """A removal from some locales is a publication of the others; content types are not in the stream."""
        for version in (change.version, *change.cascade):
            if version.kind == "content_type":
                continue
            label = "Entry" if version.kind == "entry" else "Asset"
            live = bool(version.live) and not change.cascade
            key = (version.kind, version.id)
            if change.action == "unpublished" and not live:
                self._drafts.add(key)
            else:
                self._drafts.discard(key)
            self.feed.put(Entry(key, label if live else f"Deleted{label}", version, change.at, live))

    def render(self, entry: Entry) -> bytes:
        """Items in every recorded shape: some lack `environment`, `metadata` or `fields`."""
        version = entry.version
        sys = _sys(self._label(entry), version, created_at=version.created_at, updated_at=entry.at)
        if not self._delivers(entry):
            at = iso(entry.at)
            return _encode({"sys": {**sys, "revision": 1, "createdAt": at, "updatedAt": at, "deletedAt": at}})
        if version.kind == "entry":
            sys["contentType"] = _link("ContentType", version.content_type or "")
        if version.index % 3:
            sys["publishedVersion"] = version.revision * 4 + 1
        item: dict[str, Any] = {"sys": sys}
        fields = self._fields(version)
        if fields is not None:
            item["fields"] = msgspec.Raw(fields)
        if version.index % 13:
            item = {"metadata": {"tags": [_link("Tag", "harbour")], "concepts": []}, **item}
        return _encode(item)

    def _fields(self, version: Version) -> bytes | None:
        """Some entries have no fields at all, some an empty map, some an explicit null."""
        if version.index % 97 == 96 and not version.overrides:  # noqa: PLR2004 - a rare shape
            return None
        values = self.store.values(version)
        if version.index % 29 == 28 and version.kind == "entry":  # noqa: PLR2004 - a rare shape
            values |= {"emptyField": {}, "nullField": {DEFAULT_LOCALE: None}}
        return _encode({name: {at: _native(each) for at, each in by.items()} for name, by in values.items()})

    def live(self, entry: Entry) -> Live:
        """One key per entity, with locale `*`."""
        version = entry.version
        content_type = version.content_type if version.kind == "entry" else None
        return Live(version.kind, version.id, "*", content_type, version.revision, iso(entry.at), self._fields(version))

    def truth(self) -> list[Live]:
        """Include the drafts that the Preview API delivers."""
        return [self.live(entry) for entry in self.feed.oldest_first() if self._delivers(entry)]

    def envelope(self, page: Page, request: Request) -> Response:
        """Exactly one of `nextPageUrl` and `nextSyncUrl`; 400 for more than 7 MiB."""
        url = f"{page.origin or request.origin}{request.path}?sync_token={quote(self.close(page.next))}"
        continuation = {"nextPageUrl" if page.more else "nextSyncUrl": url}
        body = b'{"sys":{"type":"Array"},"items":' + json_array(page.items) + b"," + _encode(continuation)[1:]
        if len(body) > MAX_RESPONSE:
            message = f"Response size too big. Maximum allowed response size: {MAX_RESPONSE}B."
            raise _refusal(400, "BadRequest", message)
        return self._response(200, body)

    def item(self, entry: Entry) -> bytes:
        """Do not cache drafts: only the Preview API has them as items."""
        return super().item(entry) if entry.live else self.render(entry)

    def other(self, request: Request) -> Response:
        """The space; content types and locales of the environment; one content type, entry or asset by its id."""
        self.authorise(request)
        match request.path.removeprefix(f"/spaces/{SPACE}").removeprefix(f"/environments/{ENVIRONMENT}").split("/"):
            case [""] if "environments" not in request.path:
                locales = [told.brief(each) for each in self.store.locales]
                space = {"sys": {"type": "Space", "id": SPACE}, "name": "Simulated", "locales": locales}
                return self._response(200, _encode(space))
            case ["", "content_types"]:
                return self._collection(self._content_types(), request, limit=100)
            case ["", "content_types", id]:
                found = [each for each in self._content_types() if each["sys"]["id"] == id]
                if found:
                    return self._response(200, _encode(found[0]))
            case ["", "locales"]:
                return self._collection([told.locale(each) for each in self.model().locales], request, limit=1000)
            case ["", "entries", id]:
                return self._single("entry", id, request)
            case ["", "assets", id]:
                return self._single("asset", id, request)
        raise _refusal(404, "NotFound", "The resource could not be found.")

    def _single(self, kind: str, id: str, request: Request) -> Response:  # noqa: A002 - the vendor's word
        """Like a sync item with `locale=*`; else in one locale or its fallbacks, with plain values and `sys.locale`."""
        locale = request.params.get("locale", DEFAULT_LOCALE)
        if locale not in ("*", *self.store.codes()):
            raise _refusal(400, "BadRequest", f"Unknown locale: {locale}")
        found = self.feed.latest((kind, id))
        if found is None or not self._delivers(found):
            raise _refusal(404, "NotFound", "The resource could not be found.")
        if locale == "*":
            return self._response(200, self.item(found))
        item = msgspec.json.decode(self.item(found), type=dict[str, dict[str, Any]])
        by_locale = msgspec.json.decode(self._fields(found.version) or b"{}", type=dict[str, dict[str, msgspec.Raw]])
        item["sys"]["locale"] = locale
        chain = model.fallbacks(self.store.locales, locale)
        present = {name: next((by[each] for each in chain if each in by), None) for name, by in by_locale.items()}
        item["fields"] = {name: value for name, value in present.items() if value is not None}
        return self._response(200, _encode(item))

    def _content_types(self) -> list[dict[str, Any]]:
        return [
            told.content_type(each, _published(self.store.known(each.id), "ContentType"))
            for each in self.model().content_types
        ]

    def _collection(self, items: list[dict[str, Any]], request: Request, *, limit: int) -> Response:
        try:
            return self._response(200, _encode(told.collection(items, request.params, limit=limit)))
        except ValueError as error:
            raise _refusal(400, "InvalidQuery", str(error)) from error

    def error(self, status: int, *, told: bool = True) -> Response:
        """Each status in the vendor's words; 429 gives the retry time in `X-Contentful-RateLimit-Reset`."""
        if status == 429:  # noqa: PLR2004 - the status code says it best
            response = _error(429, "RateLimitExceeded", "You have exceeded the rate limit of the Organization.")
            told_header = {"X-Contentful-RateLimit-Reset": "1"} if told else {}
            return msgspec.structs.replace(response, headers={**response.headers, **told_header})
        return _error(status, *_WORDS.get(status, ("ServerError", "Something went wrong.")))

    def bad_cursor(self, request: Request) -> RefusalError:  # noqa: ARG002 - one message for all
        """No real answer was ever recorded; 400 BadRequest is the most likely one."""
        return _refusal(400, "BadRequest", "The sync token you sent is invalid.")

    def strange_items(self) -> Mapping[str, bytes]:
        """An entry without an id, and an item of an unknown type."""
        return {
            "malformed": b'{"sys":{"type":"Entry","revision":"three"},"fields":[]}',
            "unknown": b'{"sys":{"type":"Hologram","id":"hologram-1","revision":1},"fields":{}}',
        }

    def _response(self, status: int, body: bytes) -> Response:
        digest = blake2b(f"{self.store.seed}".encode(), digest_size=16).hexdigest()
        uuid = "-".join((digest[:8], digest[8:12], digest[12:16], digest[16:20], digest[20:]))
        headers = {
            "Content-Type": "application/vnd.contentful.delivery.v1+json",
            "Cache-Control": "max-age=0",
            "contentful-api": "cda",
            "cf-space-id": SPACE,
            "cf-environment-id": ENVIRONMENT,
            "cf-environment-uuid": uuid,
            "x-contentful-route": "/spaces/:space/environments/:environment/sync",
            "x-contentful-request-id": digest[:16],
            "x-contentful-ratelimit-second-limit": "55",
        }
        return Response(status, headers, body)


def _error(status: int, code: str, message: str) -> Response:
    body = {"sys": {"type": "Error", "id": code}, "message": message, "requestId": _REQUEST_ID}
    headers = {"Content-Type": "application/vnd.contentful.delivery.v1+json", "X-Contentful-Request-Id": _REQUEST_ID}
    return Response(status, headers, _encode(body))


def _refusal(status: int, code: str, message: str) -> RefusalError:
    return RefusalError(_error(status, code, message))


def _link(link_type: str, id: str) -> dict[str, Any]:  # noqa: A002 - the vendor's word
    return {"sys": {"type": "Link", "linkType": link_type, "id": id}}


def _published(version: Version, label: str) -> dict[str, Any]:
    """Return the `sys` of what has no items in the stream."""
    link = _link("Environment", ENVIRONMENT)
    made = _sys(label, version, created_at=version.created_at, updated_at=version.updated_at)
    return {**made, "environment": link}


def _sys(label: str, version: Version, *, created_at: int, updated_at: int) -> dict[str, Any]:
    sys: dict[str, Any] = {"space": _link("Space", SPACE), "id": version.id, "type": label}
    if version.index % 11 != 10:  # noqa: PLR2004 - items from before 2018 have no environment
        sys["environment"] = _link("Environment", ENVIRONMENT)
    return {**sys, "createdAt": iso(created_at), "updatedAt": iso(updated_at), "revision": version.revision}


def _native(value: Any) -> Any:  # noqa: PLR0911 - one case per type
    match value:
        case Link():
            return _link("Asset" if value.kind == "asset" else "Entry", value.id)
        case Resource():
            urn = f"crn:contentful:::content:spaces/{value.space}/entries/{value.id}"
            return {"sys": {"type": "ResourceLink", "linkType": "Contentful:Entry", "urn": urn}}
        case Location():
            return {"lon": value.longitude, "lat": value.latitude}
        case Moment():
            return value.text
        case RichText():
            return _document(value)
        case File():
            details = {"size": value.size, "image": {"width": value.width, "height": value.height}}
            url = f"//images.ctfassets.net/{SPACE}/{value.name}"
            return {"url": url, "details": details, "fileName": value.name, "contentType": value.mime}
        case Block():
            return {value.name: {"headline": value.headline, "imageId": value.image.id}}
        case Group():
            return {"headline": value.headline, "weight": value.weight, "imageId": value.image.id}
        case list():
            return [_native(each) for each in value]
        case _:
            return value


def _document(text: RichText) -> dict[str, Any]:
    def node(kind: str, content: str) -> dict[str, Any]:
        return {
            "nodeType": kind,
            "data": {},
            "content": [{"nodeType": "text", "value": content, "marks": [{"type": "bold"}], "data": {}}],
        }

    embedded = {"nodeType": "embedded-entry-block", "data": {"target": _native(text.embedded)}, "content": []}
    content = [node("heading-2", text.heading), node("paragraph", text.paragraph), embedded]
    return {"nodeType": "document", "data": {}, "content": content}


FRONT_END = Contentful
