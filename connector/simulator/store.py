"""The content store behind all front ends: what is live, and the ordered log of how it got there. No I/O."""

import contextlib
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

import msgspec

from connector.simulator import catalogue, model
from connector.simulator.content import Content, entity_id, locales_at
from connector.simulator.value import DEFAULT_LOCALE, ContentType, Kind, Locale, Model, Values

Action = Literal["published", "unpublished", "deleted"]

_EPOCH_MS = 1_718_000_000_000
_REMOVED_SHARE = 20


class Version(msgspec.Struct, frozen=True, gc=False):
    """One published state of an entity. Points in time are milliseconds since 1970.

    `written`: the locales that have content. `live`: the locales that it is published in; none once it is removed.
    `schema`: the content type as it was at the time, of an entry or of itself; None if there was none.
    """

    kind: Kind
    id: str
    content_type: str | None
    index: int
    edit: int
    revision: int
    created_at: int
    updated_at: int
    written: tuple[str, ...]
    live: tuple[str, ...]
    overrides: Mapping[str, Mapping[str, Any]] | None = None
    schema: ContentType | None = None


class Change(msgspec.Struct, frozen=True, gc=False):
    """One step of the log: `version` is the state after it, `locales` are those it affected.

    `cascade`: the entries that were removed with a content type, as they were before.
    """

    at: int
    action: Action
    version: Version
    locales: tuple[str, ...]
    cascade: tuple[Version, ...] = ()


class UnknownEntityError(LookupError):
    """The store has no such entity, or it is not in the state that the operation needs."""


class Clock:
    """The CMS's clock in milliseconds. It never runs backwards, unless `skew` makes it do so.

    Without `wall`, it advances by a fixed pattern at each tick; with it, ticks are real time.
    """

    def __init__(self, *, wall: bool, start: int = _EPOCH_MS) -> None:
        self._wall = wall
        self._now = start
        self._ticks = 0
        self._held = False
        self.skew = 0

    def tick(self) -> int:
        """Return the time of the next change."""
        return self._now + self.skew if self._held else self._advance()

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Give all changes within the block the same time."""
        self._advance()
        self._held = True
        try:
            yield
        finally:
            self._held = False

    def _advance(self) -> int:
        self._ticks += 1
        self._now = max(self._now, time.time_ns() // 1_000_000) if self._wall else self._now + self._ticks * 37 % 1009
        return self._now + self.skew


class Store:
    """The content model, entities, and their change log.

    At first: `content_types` content types, `entries` live entries, a fifth as many assets, and some removed ones.
    """

    def __init__(
        self, seed: int, entries: int, *, content_types: int = len(catalogue.TYPES), wall_clock: bool = False
    ) -> None:
        self.seed = seed
        self.types: dict[str, ContentType] = {each.id: each for each in catalogue.content_types(content_types)}
        self.locales: tuple[Locale, ...] = catalogue.LOCALES
        self.content = Content(seed, tuple(self.types)[len(catalogue.TYPES) :])
        self.log: list[Change] = []
        self.versions: dict[str, Version] = {}
        self._counts: dict[Kind, int] = {"entry": 0, "asset": 0, "content_type": 0}
        span = 600 * (entries + entries // 5 + 100)
        self.clock = Clock(wall=False, start=time.time_ns() // 1_000_000 - span if wall_clock else _EPOCH_MS)
        self._populate(entries)
        if wall_clock:
            self.clock = Clock(wall=True)

    def model(self) -> Model:
        """Return the content model as it is now: the content types that are live, and the locales."""
        live = {id_ for id_ in self.types if id_ in self.versions and self.versions[id_].live}
        return Model(tuple(each for each in self.types.values() if each.id in live), self.locales)

    def codes(self) -> tuple[str, ...]:
        """Return the codes of the locales, the default one first."""
        return tuple(each.code for each in self.locales)

    def ids(self, kind: Kind = "entry", content_type: str | None = None) -> list[str]:
        """Return the ids of what is live, oldest first."""
        return [
            version.id
            for version in self.versions.values()
            if version.kind == kind and version.live and content_type in (None, version.content_type)
        ]

    def values(self, version: Version) -> Values:
        """Return the content of `version`: its generated fields, replaced by their overrides."""
        if version.kind == "asset":
            values = self.content.asset(version.index, version.edit, version.written)
        elif version.schema is None:
            values = {}
        else:
            values = self.content.values(version.schema, version.index, version.edit, version.written)
        for name, by_locale in (version.overrides or {}).items():
            values[name] = dict(by_locale)
        return values

    def create(
        self,
        kind: Kind,
        content_type: str | None,
        *,
        id: str | None = None,  # noqa: A002 - one word per thing
        locales: Iterable[str] | None = None,
        fields: Values | None = None,
    ) -> Version:
        """Publish a new entity in `locales` (default: all, some as fallback copies of the default locale)."""
        index = self._counts[kind]
        self._counts[kind] = index + 1
        at = self.clock.tick()
        live = self.codes() if locales is None else self._checked(locales)
        id_ = id or entity_id(self.seed, kind, index)
        return self._append(
            "published",
            Version(
                kind=kind,
                id=id_,
                content_type=content_type,
                index=index,
                edit=0,
                revision=1,
                created_at=at - 1,
                updated_at=at,
                written=self._written(live, locales_at(index, self.codes()) if locales is None else live),
                live=live,
                overrides=fields,
                schema=self.types.get(id_ if kind == "content_type" else content_type or ""),
            ),
            live,
            at,
        )

    def edit(
        self,
        id: str,  # noqa: A002 - one word per thing
        *,
        fields: Values | None = None,
        locales: Iterable[str] | None = None,
        same: bool = False,
    ) -> Version:
        """Publish `id` again, in `locales` (default: those it is live in), with new content or the `same`."""
        old = self.known(id)
        at = self.clock.tick()
        concerned = old.live or self.codes() if locales is None else self._checked(locales)
        live = tuple(locale for locale in self.codes() if locale in {*old.live, *concerned})
        schema = self.types.get(old.id if old.kind == "content_type" else old.content_type or "")
        version = msgspec.structs.replace(
            old,
            edit=old.edit + (not same),
            revision=old.revision + 1,
            updated_at=at,
            written=self._written(live, {*old.written, *(() if locales is None else concerned)}),
            live=live,
            overrides={**model.carried(old.overrides, old.schema, schema), **(fields or {})} or None,
            schema=schema,
        )
        return self._append("published", version, concerned, at)

    def remove(self, id: str, action: Action, *, locale: str | None = None) -> Version:  # noqa: A002 - as above
        """Unpublish or delete `id` in one locale or in all; raises `UnknownEntityError` if it is not live there."""
        old = self.known(id)
        gone = (locale,) if locale else old.live
        if not gone or not set(gone) <= set(old.live):
            raise UnknownEntityError(f"{id} is not live in {locale or 'any locale'}")
        live = tuple(each for each in old.live if each not in gone)
        at = self.clock.tick()
        version = msgspec.structs.replace(
            old,
            revision=old.revision + bool(live),
            updated_at=at,
            written=self._written(live, old.written) if live else old.written,
            live=live,
        )
        self._append(action, version, gone, at)
        if action == "deleted" and not live:
            del self.versions[id]
            self.types.pop(id, None)
        return version

    def add_type(self, content_type: ContentType) -> Version:
        """Publish a new content type; raises `ValueError` if something has its id."""
        taken = {model.alike(each) for each in (*self.types, *self.versions)}
        if model.alike(content_type.id) in taken:
            raise ValueError(f"there is a {content_type.id!r} already")
        self.types[content_type.id] = content_type
        return self.create("content_type", None, id=content_type.id, locales=(DEFAULT_LOCALE,))

    def change_type(self, content_type: ContentType) -> Version:
        """Publish another version of a content type; entries follow it when they are published again."""
        self.types[content_type.id] = content_type
        return self.edit(content_type.id)

    def remove_type(self, content_type: str) -> Version:
        """Delete a content type together with its live entries."""
        old = self.known(content_type)
        cascade = tuple(each for each in self.versions.values() if each.kind == "entry" and each.content_type == old.id)
        at = self.clock.tick()
        gone = msgspec.structs.replace(old, updated_at=at, live=())
        self.log.append(Change(at, "deleted", gone, old.live, tuple(each for each in cascade if each.live)))
        for version in (old, *cascade):
            del self.versions[version.id]
        self.types.pop(old.id, None)
        return gone

    def known(self, id: str) -> Version:  # noqa: A002 - as above
        """Return the current version of `id`; raises `UnknownEntityError`."""
        try:
            return self.versions[id]
        except KeyError:
            raise UnknownEntityError(f"no entity {id}") from None

    def _append(self, action: Action, version: Version, locales: tuple[str, ...], at: int) -> Version:
        # Re-inserting keeps `versions` in order of the last change.
        self.versions.pop(version.id, None)
        self.versions[version.id] = version
        self.log.append(Change(at, action, version, locales))
        return version

    def _populate(self, entries: int) -> None:
        for content_type in self.types:
            self.create("content_type", None, id=content_type, locales=(DEFAULT_LOCALE,))
        for _ in range(entries // 5 + 1):
            self.create("asset", None)
        removed = entries // _REMOVED_SHARE + 2
        for start in range(0, entries + removed, 3):
            # Bulk releases give many entities the same time.
            with self.clock.held():
                for index in range(start, min(start + 3, entries + removed)):
                    self.create("entry", self.content.type_at(index))
        stride = (entries + removed) // removed
        for index in range(removed):
            self.remove(entity_id(self.seed, "entry", index * stride), ("unpublished", "deleted")[index % 2])

    def _written(self, live: Iterable[str], candidates: Iterable[str]) -> tuple[str, ...]:
        """Return the live locales that are written, plus the default locale if another falls back to it."""
        wanted = set(live) & set(candidates)
        if wanted != set(live):
            wanted.add(DEFAULT_LOCALE)
        return tuple(locale for locale in self.codes() if locale in wanted)

    def _checked(self, locales: Iterable[str]) -> tuple[str, ...]:
        wanted, known = tuple(locales), self.codes()
        if not wanted or not set(wanted) <= set(known):
            raise UnknownEntityError(f"locales are {', '.join(known)}; not {', '.join(wanted) or 'none'}")
        return wanted
