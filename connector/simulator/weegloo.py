"""Weegloo's Content Delivery API: sync and content types."""

from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any, ClassVar
from urllib.parse import quote

import msgspec

from connector.simulator import weegloo_model as told
from connector.simulator.cursor import BadCursorError, Cursor
from connector.simulator.feed import Entry
from connector.simulator.front_end import FrontEnd, Page
from connector.simulator.message import Live, RefusalError, Request, Response, json_array
from connector.simulator.store import Change, Version
from connector.simulator.timestamp import iso, milliseconds
from connector.simulator.value import (
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
from connector.simulator.weegloo_model import refer as _refer

SPACE = "wgSim1ated"
TOKEN = "simulated-weegloo-delivery-token"  # noqa: S105 - opens nothing but this simulator

_LIVE = ("Content", "Media", "ContentType")
_DELETED = ("DeletedContent", "DeletedMedia")
_TYPES: dict[str, tuple[str, ...]] = {
    "All": _LIVE + _DELETED,
    "Content": _LIVE,
    "Media": _LIVE,
    "Deletion": _DELETED,
    "DeletedContent": ("DeletedContent",),
    "DeletedMedia": ("DeletedMedia",),
}
# In a cursor: the initial sync is over.
_DELTA = "delta"
_LABELS = {"entry": "Content", "asset": "Media", "content_type": "ContentType"}
_KINDS = {"contents": "entry", "medias": "asset", "content-types": "content_type"}
_WORDS = {
    401: ("Unauthorized", "Authentication is required."),
    403: ("Forbidden", "The token does not permit this."),
    404: ("NotFound", "The resource does not exist."),
    409: ("Conflict", "The resource was changed meanwhile."),
}
_MEDIA_TYPE = "application/vnd.com.weegloo.v1+json"
_HEADERS = {"Content-Type": f"{_MEDIA_TYPE};charset=UTF-8"}
_encode = msgspec.json.Encoder(decimal_format="number").encode


class Weegloo(FrontEnd):
    """One kind of cursor for pages and deltas, schemas and deletion markers in the stream.

    The order of items is not documented. Oldest first lets a delta start from any page's cursor, which is documented.

    Quirks: the documentation says how `type=Content` and `type=Media` filter an initial sync, not its deltas.
    `wide_deltas`: their deltas include markers of any kind too; `narrow_deltas`: their deltas include only that type.
    """

    name = "weegloo"
    known_quirks = frozenset({"wide_deltas", "narrow_deltas"})
    page_size = 15
    cursor_params: ClassVar[tuple[str, ...]] = ("sync-token",)

    def owns(self, path: str) -> bool:
        """Everything under `/v1/spaces/`."""
        return path.startswith("/v1/spaces/")

    def is_sync(self, request: Request) -> bool:
        """`/v1/spaces/{space}/sync`."""
        return request.path.endswith("/sync")

    def is_model(self, request: Request) -> bool:
        """`locales`; content types are in the stream."""
        return request.path.endswith("/locales")

    def model(self) -> Model:
        """With the ids of fields that outlive their names."""
        return told.spelled(self.store.model())

    @classmethod
    def connection(cls) -> dict[str, str]:
        """Space and token."""
        return {"space": SPACE, "token": TOKEN}

    def authorise(self, request: Request) -> None:
        """401 for a wrong token, 404 for another space, and 406 if only plain JSON is accepted."""
        if request.bearer != TOKEN:
            raise _refusal(401, "Unauthorized", "Authentication is required.")
        if request.path.split("/")[3] != SPACE:
            raise _refusal(404, "NotFound", "The space does not exist.")
        accepted = request.headers.get("accept", "*/*")
        if "*/*" not in accepted and _MEDIA_TYPE not in accepted:
            raise _refusal(406, "NotAcceptable", f"The response is {_MEDIA_TYPE}.")

    def cursor(self, request: Request) -> Cursor:
        """Read `initial` and its filters, or `sync-token`."""
        params = request.params
        if "sync-token" in params:
            try:
                return self.open(params["sync-token"], SPACE)
            except BadCursorError:
                raise self.bad_cursor(request) from None
        if params.get("initial") != "true":
            raise _refusal(422, "Unprocessable", "Either initial=true or sync-token is required.")
        wanted = params.get("type", "All")
        if wanted not in _TYPES:
            raise _refusal(422, "Unprocessable", f"type is one of {', '.join(_TYPES)}.")
        if "content-type" in params and wanted not in ("Content", "DeletedContent"):
            raise _refusal(422, "Unprocessable", "content-type needs type=Content or type=DeletedContent.")
        query = tuple(sorted((name, value) for name, value in params.items() if name in ("type", "content-type")))
        return Cursor(SPACE, query, initial=True, generation=self.generation)

    def page(self, cursor: Cursor, request: Request) -> Page:
        """Return what follows `cursor`; what changes during the walk moves to its end."""
        opens = cursor.initial or cursor.ended
        here = msgspec.structs.replace(cursor, start=len(self.feed)) if opens else cursor
        limit = self.limit(cursor, request)
        entries = tuple(islice(filter(self.accepts(cursor), self.feed.oldest_first(here.since)), limit))
        query = here.query if entries or here.param(_DELTA) else (*here.query, (_DELTA, "true"))
        return Page(
            items=tuple(map(self.item, entries)),
            here=here,
            next=msgspec.structs.replace(
                here,
                query=query,
                since=entries[-1].position + 1 if entries else here.since,
                initial=False,
                ended=not entries,
                # An empty page has a new URL too.
                nonce=here.nonce + 1,
            ),
            more=bool(entries),
            opens=opens,
            limit=limit,
        )

    def in_walk(self, cursor: Cursor) -> bool:
        """A walk continues until an empty page."""
        return not cursor.initial and not cursor.ended

    def limit(self, cursor: Cursor, request: Request) -> int:  # noqa: ARG002 - no parameter is documented
        """The page size cannot be chosen."""
        return self.page_size

    def accepts(self, cursor: Cursor) -> Callable[[Entry], bool]:
        """The same in an initial sync and its deltas, unless a quirk is on."""
        wanted = cursor.param("type") or "All"
        labels = _TYPES[wanted]
        if wanted in _LIVE and cursor.param(_DELTA):
            if "narrow_deltas" in self.quirks:
                labels = (wanted,)
            if "wide_deltas" in self.quirks:
                labels += _DELETED
        content_type = cursor.param("content-type")
        return lambda entry: entry.label in labels and content_type in (None, entry.version.content_type)

    def expand(self, change: Change) -> None:
        """A content type has no deletion marker; the markers of its contents precede its disappearance."""
        for version in (*change.cascade, change.version):
            key, label = (version.kind, version.id), _LABELS[version.kind]
            live = bool(version.live) and version is change.version
            if version.kind == "content_type" and not live:
                self.feed.drop(key)
            else:
                self.feed.put(Entry(key, label if live else f"Deleted{label}", version, change.at, live))

    def render(self, entry: Entry) -> bytes:
        """The documentation promises only id and type for a marker: some carry nothing else."""
        version = entry.version
        sys: dict[str, Any] = {"id": version.id, "type": entry.label, "space": _refer("Space", SPACE)}
        if not entry.live:
            return _encode({"sys": {**sys, "deletedAt": iso(entry.at)} if version.index % 5 else sys})
        if version.kind == "entry":
            sys["contentType"] = _refer("ContentType", version.content_type or "")
        sys |= {"createdAt": iso(version.created_at), "updatedAt": iso(entry.at), "revision": version.revision}
        item: dict[str, Any] = {"sys": sys}
        if version.kind == "content_type" and version.schema:
            item |= {"name": version.schema.name, "displayField": version.schema.fields[0].name}
        return _encode({**item, "fields": msgspec.Raw(self._fields(version))})

    def _fields(self, version: Version) -> bytes:
        if version.kind == "content_type":
            return _encode(told.fields(told.spelled_type(version.schema)) if version.schema else [])
        values = self.store.values(version)
        # A field without a value in any locale is an empty map.
        empty = version.index % 7 == 6 and not version.overrides  # noqa: PLR2004 - now and then
        return _encode(
            {
                name: {} if empty and name in ("heroImage", "photo") else {at: _native(each) for at, each in by.items()}
                for name, by in values.items()
            }
        )

    def live(self, entry: Entry) -> Live:
        """One key per entity, with locale `*`; content types are entities too."""
        version = entry.version
        content_type = version.content_type if version.kind == "entry" else None
        return Live(version.kind, version.id, "*", content_type, version.revision, iso(entry.at), self._fields(version))

    def envelope(self, page: Page, request: Request) -> Response:
        """`nextSyncUrl` is a path, and there is one on every page."""
        url = f"{page.origin or ''}{request.path}?sync-token={quote(self.close(page.next))}"
        tail = _encode({"links": {}, "nextSyncUrl": url})
        head = f'{{"sys":{{"type":"PageResponse"}},"limit":{page.limit},"items":'.encode()
        return Response(200, _HEADERS, head + json_array(page.items) + b"," + tail[1:])

    def other(self, request: Request) -> Response:
        """The content types and locales of the space; one content, media or content type by its id."""
        self.authorise(request)
        match request.path.removeprefix(f"/v1/spaces/{SPACE}").split("/"):
            case ["", "content-types"]:
                types = (each for each in self.feed.oldest_first() if each.label == "ContentType")
                return self._listing(list(map(self.item, types)), request)
            case ["", "locales"]:
                return self._listing(self._locales(), request)
            case ["", ("contents" | "medias" | "content-types") as collection, id]:
                found = self.feed.latest((_KINDS[collection], id))
                if found is not None and found.live:
                    return Response(200, _HEADERS, self.item(found))
        raise _refusal(404, "NotFound", "The resource does not exist.")

    def _locales(self) -> list[bytes]:
        created_at = self.store.log[0].at
        return [_encode(told.locale(each, space=SPACE, created_at=created_at)) for each in self.store.locales]

    def _listing(self, items: list[bytes], request: Request) -> Response:
        skip, limit, links = told.window(request.path, request.params, total=len(items), size=self.page_size)
        head = _encode({"sys": {"type": "PageResponse"}, "totalCount": len(items), "limit": limit, "links": links})
        return Response(200, _HEADERS, head[:-1] + b',"items":' + json_array(items[skip : skip + limit]) + b"}")

    def error(self, status: int, *, told: bool = True) -> Response:  # noqa: ARG002 - no header is documented
        """429 means that the plan's quota is used up."""
        if status == 429:  # noqa: PLR2004 - the status code says it best
            return _error(429, "TooManyRequest", "The API call quota of the plan is exhausted.")
        return _error(status, *_WORDS.get(status, ("InternalServerError", "Something went wrong.")))

    def bad_cursor(self, request: Request) -> RefusalError:  # noqa: ARG002 - one message for all
        """Not documented; 422 Unprocessable is the documented answer to wrong input."""
        return _refusal(422, "Unprocessable", "The sync-token is not valid.")

    def strange_items(self) -> Mapping[str, bytes]:
        """A content without an id, and an item of an unknown type."""
        return {
            "malformed": b'{"sys":{"type":"Content","revision":"three"},"fields":[]}',
            "unknown": b'{"sys":{"type":"Hologram","id":"hologram-1"},"fields":{}}',
        }


def _error(status: int, kind: str, reason: str) -> Response:
    code = {"id": "0000simulated", "type": kind, "code": f"WGL{status}001", "timestamp": 1_718_000_000_000}
    body = {"requestId": "0000simulated", "sys": code, "details": {}, "reason": reason, "suggestion": ""}
    return Response(status, _HEADERS, _encode(body))


def _refusal(status: int, kind: str, reason: str) -> RefusalError:
    return RefusalError(_error(status, kind, reason))


def _native(value: Any) -> Any:  # noqa: PLR0911 - one case per type
    match value:
        case Link():
            return _refer("Media" if value.kind == "asset" else "Content", value.id)
        case Resource():
            return f"{value.space}/{value.id}"
        case Location():
            return {"latitude": value.latitude, "longitude": value.longitude}
        case Moment():
            return iso(milliseconds(value.text))
        case RichText():
            return f"<h2>{value.heading}</h2><p>{value.paragraph}</p>"
        case Block():
            return {"kind": value.name, "headline": value.headline, "image": _native(value.image)}
        case Group():
            return {"headline": value.headline, "weight": value.weight, "image": _native(value.image)}
        case File():
            url = f"https://media.weegloo.com/{SPACE}/{value.name}"
            return {"fileName": value.name, "contentType": value.mime, "size": value.size, "url": url}
        case list():
            return [_native(each) for each in value]
        case _:
            return value


FRONT_END = Weegloo
