"""What the three front ends share: following the store, walking the feed, and finding them by name. No I/O."""

import importlib
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import ClassVar, Literal

import msgspec

import connector.simulator
from connector.simulator.cursor import BadCursorError, Cursor, Seal
from connector.simulator.feed import Entry, Feed
from connector.simulator.message import Live, RefusalError, Request, Response
from connector.simulator.store import Change, Store
from connector.simulator.value import Model

Mode = Literal["shift", "refuse"]
RequestKind = Literal["start", "cursor", "model", "probe"]

_CACHED_ITEMS = 50_000


class Page(msgspec.Struct, frozen=True):
    """One sync response before it is put into the vendor's envelope.

    `here` is the cursor of this page, `next` its continuation, and `more` says whether the walk continues. `opens`:
    whether this is the first page of a walk. `origin`: scheme and host for next URLs, if not the client's.
    """

    items: tuple[bytes, ...]
    here: Cursor
    next: Cursor
    more: bool
    opens: bool
    limit: int
    origin: str | None = None


class FrontEnd(ABC):
    """One vendor's HTTP API over a store. Not thread-safe: the simulator calls it under its lock."""

    name: ClassVar[str]
    cursor_params: ClassVar[tuple[str, ...]]
    mode: Mode = "shift"
    # Behaviour that the vendor has shown although its documentation does not mention it, by switch name.
    known_quirks: ClassVar[frozenset[str]] = frozenset()
    page_size: int

    def __init__(self, store: Store) -> None:
        self.generation = 0
        self.quirks: frozenset[str] = frozenset()
        self._seal = Seal(f"{store.seed}:{self.name}")
        self.serve_from(store)

    def serve_from(self, store: Store) -> None:
        """Deliver another store's content from now on; positions keep their meaning."""
        self.store = store
        self.feed = Feed()
        self._read = 0
        self._items: dict[int, bytes] = {}

    def follow(self) -> None:
        """Read what has happened in the store since the last call."""
        log = self.store.log
        while self._read < len(log):
            self.expand(log[self._read])
            self._read += 1

    def kind(self, request: Request) -> RequestKind:
        """Return what `request` is: the start of an initial sync, one with a cursor, for the model, or any other one.

        Who asks for one content type alone only wants to know whether there is an answer.
        """
        if not self.is_sync(request):
            return "model" if self.is_model(request) and request.params.get("limit") != "1" else "probe"
        return "cursor" if any(name in request.params for name in self.cursor_params) else "start"

    def sync(self, request: Request) -> Page:
        """Return the page that `request` asks for; raises `RefusalError`."""
        self.authorise(request)
        return self.page(self.cursor(request), request)

    def page(self, cursor: Cursor, request: Request) -> Page:
        """Return the page at `cursor`, newest changes first.

        What changes during the walk moves before its start and is left to the next delta.
        """
        opens = cursor.before is None
        here = msgspec.structs.replace(cursor, start=len(self.feed), before=len(self.feed)) if opens else cursor
        limit = self.limit(cursor, request)
        matching = filter(self.accepts(cursor), self.entries(here))
        entries = tuple(islice(matching, limit))
        more = next(matching, None) is not None
        delivered = here.delivered + len(entries)
        return Page(
            items=tuple(map(self.item, entries)),
            here=here,
            next=msgspec.structs.replace(here, before=entries[-1].position, delivered=delivered)
            if more
            else self.after_walk(here, changed=here.initial or delivered > 0),
            more=more,
            opens=opens,
            limit=limit,
        )

    def entries(self, cursor: Cursor) -> Iterator[Entry]:
        """Yield what is still to come in a walk, the newest first, before the cursor's filter is applied."""
        return self.feed.newest_first(cursor.since, cursor.before or 0)

    def after_walk(self, cursor: Cursor, *, changed: bool) -> Cursor:
        """Return the cursor of the next delta; an empty walk leads back to where it started."""
        since = cursor.start if changed else cursor.since
        return Cursor(cursor.scope, cursor.query, since, generation=self.generation)

    def item(self, entry: Entry) -> bytes:
        """Return the encoded item of `entry`."""
        cached = self._items.get(entry.position)
        if cached is None:
            if len(self._items) >= _CACHED_ITEMS:
                self._items.clear()
            cached = self._items[entry.position] = self.render(entry)
        return cached

    def truth(self) -> list[Live]:
        """Return every key that is delivered now, in the order of its last change."""
        return [self.live(entry) for entry in self.feed.oldest_first() if entry.live]

    def close(self, cursor: Cursor) -> str:
        """Return the opaque text of `cursor`."""
        return self._seal.close(cursor)

    def open(self, text: str, scope: str) -> Cursor:
        """Return the cursor in `text`; raises `BadCursorError` if it is not one of this scope and generation.

        In the mode `refuse` it also raises for a cursor within a walk if something has changed since the walk began.
        """
        cursor = self._seal.open(text)
        if (cursor.scope, cursor.generation) != (scope, self.generation):
            raise BadCursorError("a cursor of another scope, or an expired one")
        if self.mode == "refuse" and self.in_walk(cursor) and cursor.start != len(self.feed):
            raise BadCursorError("the content changed during the walk")
        return cursor

    def in_walk(self, cursor: Cursor) -> bool:
        """Return whether `cursor` continues a walk."""
        return cursor.before is not None

    def limit(self, cursor: Cursor, request: Request) -> int:  # noqa: ARG002 - a vendor may look at it
        """Return how many items a page has."""
        return int(cursor.param("limit") or self.page_size)

    @abstractmethod
    def owns(self, path: str) -> bool:
        """Return whether `path` belongs to this vendor's API."""

    @abstractmethod
    def is_sync(self, request: Request) -> bool:
        """Return whether `request` goes to the sync endpoint."""

    @abstractmethod
    def is_model(self, request: Request) -> bool:
        """Return whether `request` asks for content types or locales."""

    @abstractmethod
    def model(self) -> Model:
        """Return the content model as the vendor tells it."""

    @abstractmethod
    def authorise(self, request: Request) -> None:
        """Raise `RefusalError` unless credentials and scope are right."""

    @abstractmethod
    def cursor(self, request: Request) -> Cursor:
        """Return the position that a sync request asks for; raises `RefusalError` for wrong parameters."""

    @abstractmethod
    def accepts(self, cursor: Cursor) -> Callable[[Entry], bool]:
        """Return the filter that the cursor's frozen parameters define."""

    @abstractmethod
    def expand(self, change: Change) -> None:
        """Put into the feed what `change` means for this vendor."""

    @abstractmethod
    def render(self, entry: Entry) -> bytes:
        """Return the item of `entry` as JSON."""

    @abstractmethod
    def live(self, entry: Entry) -> Live:
        """Return the truth about a live entry."""

    @abstractmethod
    def envelope(self, page: Page, request: Request) -> Response:
        """Return the sync response that carries `page`."""

    @abstractmethod
    def other(self, request: Request) -> Response:
        """Answer a request that is not to the sync endpoint; raises `RefusalError`."""

    @classmethod
    @abstractmethod
    def connection(cls) -> dict[str, str]:
        """Return the credentials and scope that a client needs."""

    @abstractmethod
    def error(self, status: int, *, told: bool = True) -> Response:
        """Return the vendor's answer for an error status (429, 5xx); `told`: with its retry time."""

    @abstractmethod
    def bad_cursor(self, request: Request) -> RefusalError:
        """Return the refusal of the request's cursor."""

    @abstractmethod
    def strange_items(self) -> Mapping[str, bytes]:
        """Return a `malformed` item and one of an `unknown` type."""


def connection(vendor: str, base_url: str = "http://127.0.0.1") -> dict[str, str]:
    """Return the configuration of a connection: vendor, scope, credentials as text and `base_url`.

    All but the last are the same for every simulator. Raises `LookupError` for an unknown vendor.
    """
    found = find_all()
    if vendor not in found:
        raise LookupError(f"no vendor {vendor!r}; there are {', '.join(sorted(found))}")
    return {"vendor": vendor, **found[vendor].connection(), "base_url": base_url}


def find_all() -> dict[str, type[FrontEnd]]:
    """Return the front ends by name: each is a module of this package with a `FRONT_END`."""
    found = {}
    for module in pkgutil.iter_modules(connector.simulator.__path__):
        front_end = getattr(importlib.import_module(f"connector.simulator.{module.name}"), "FRONT_END", None)
        if front_end is not None:
            found[front_end.name] = front_end
    return found
