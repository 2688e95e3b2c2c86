"""One content store, its front ends, their faults, and the operations on them; thread-safe. Never does I/O."""

import threading
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from connector.simulator import catalogue, model
from connector.simulator.fault import Fault
from connector.simulator.front_end import Mode, find_all
from connector.simulator.message import Live, Request, Response
from connector.simulator.stage import Edits, LoggedRequest, Stage
from connector.simulator.store import Change, Store
from connector.simulator.value import ContentType, Field, FieldType, Kind, Locale, Model
from connector.simulator.verbatim import verbatim

_CREATED, _EDITED, _UNPUBLISHED = 0.2, 0.7, 0.85


class Operations:
    """Three CMSs over one content store. Equal arguments and equal calls give equal bytes (without `wall_clock`).

    `entries` are live at the start, with a fifth as many assets and a few removed ones. `page_sizes` replaces vendors'
    default page sizes. Requests beyond `requests_per_second` get 429. `wall_clock` dates changes with the real time.
    `content_types` is how many there are; entries of those beyond the first four have fields of every type.
    """

    def __init__(  # noqa: PLR0913 - what a space begins with
        self,
        seed: int = 1,
        entries: int = 300,
        *,
        content_types: int = len(catalogue.TYPES),
        wall_clock: bool = False,
        page_sizes: Mapping[str, int] | None = None,
        requests_per_second: int | None = None,
    ) -> None:
        self._lock = threading.RLock()
        self._entries, self._content_types, self._wall_clock = entries, content_types, wall_clock
        self._store = self._new_store(seed)
        self._stages = {
            name: Stage(front_end(self._store), requests_per_second) for name, front_end in sorted(find_all().items())
        }
        self._random = Random(seed)  # noqa: S311 - a choice of entities, not cryptography
        for name, size in (page_sizes or {}).items():
            self._stage(name).front_end.page_size = size

    @property
    def vendors(self) -> tuple[str, ...]:
        """The names of the simulated vendors."""
        return tuple(self._stages)

    def answer(self, request: Request) -> Response:
        """Answer one request as the vendor that its path belongs to; 404 if it belongs to none."""
        with self._lock:
            stage = next((each for each in self._stages.values() if each.front_end.owns(request.path)), None)
            return stage.answer(request) if stage else Response(404, {}, b"")

    # Content

    def ids(self, kind: Kind = "entry", content_type: str | None = None) -> list[str]:
        """Return the ids of what is live, in order of the last change."""
        with self._lock:
            return self._store.ids(kind, content_type)

    def publish(
        self,
        content_type: str = "blogPost",
        *,
        kind: Kind = "entry",
        id: str | None = None,  # noqa: A002 - one word per thing
        fields: Mapping[str, Mapping[str, Any]] | None = None,
        locales: Sequence[str] | None = None,
    ) -> str:
        """Publish a new entity and return its id; an existing `id` is published again, its content unchanged.

        `fields` (field -> locale -> value) replace generated ones; a value is JSON-like, or `msgspec.Raw` for
        verbatim JSON.
        """
        with self._lock:
            if id in self._store.versions:
                return self._store.edit(id, fields=verbatim(fields), locales=locales, same=True).id
            known = content_type if kind == "entry" else None
            return self._store.create(kind, known, id=id, fields=verbatim(fields), locales=locales).id

    def edit(
        self,
        id: str,  # noqa: A002 - as above
        *,
        fields: Mapping[str, Mapping[str, Any]] | None = None,
        locales: Sequence[str] | None = None,
    ) -> str:
        """Publish `id` with new content, in `locales` (default: all it is live in); return it."""
        with self._lock:
            return self._store.edit(id, fields=verbatim(fields), locales=locales).id

    def unpublish(self, id: str, *, locale: str | None = None) -> str:  # noqa: A002 - as above
        """Unpublish `id`, from one locale or from all; return it."""
        with self._lock:
            return self._store.remove(id, "unpublished", locale=locale).id

    def delete(self, id: str, *, locale: str | None = None) -> str:  # noqa: A002 - as above
        """Delete `id`, in one locale or in all; return it."""
        with self._lock:
            return self._store.remove(id, "deleted", locale=locale).id

    def release(self, count: int) -> list[str]:
        """Publish new content of `count` entries at the same moment; return their ids."""
        with self._lock:
            chosen = self._store.ids()[:count]
            with self._store.clock.held():
                return [self._store.edit(each).id for each in chosen]

    def churn(self, count: int) -> list[str]:
        """Make `count` edits of all kinds, chosen by the seed; return the ids affected."""
        with self._lock:
            return [self._churn() for _ in range(count)]

    def skew_clock(self, seconds: float) -> None:
        """Date all later changes `seconds` ahead of the clock, or behind it if negative."""
        with self._lock:
            self._store.clock.skew = round(seconds * 1000)

    def swap_environment(self, seed: int | None = None) -> None:
        """Retarget the environment's alias: other content and identity behind the same names; cursors stay valid."""
        with self._lock:
            seed = self._store.seed + 1 if seed is None else seed
            self._store = self._new_store(seed)
            for stage in self._stages.values():
                stage.front_end.serve_from(self._store)

    # Content model

    def add_content_type(self, id: str, fields: Sequence[Field], *, name: str = "") -> str:  # noqa: A002 - as above
        """Add a content type and return its id; the first of its `fields` is the title."""
        with self._lock:
            for target in {field.target for field in fields} - {"", id}:
                self._type(target)
            linked = [model.linked(field, id) for field in fields]
            return self._store.add_type(model.content_type(id, name or id, linked)).id

    def delete_content_type(self, content_type: str) -> str:
        """Delete a content type with its entries, as each vendor would report it; return it."""
        with self._lock:
            return self._store.remove_type(content_type).id

    def add_field(
        self,
        content_type: str,
        name: str,
        type: FieldType,  # noqa: A002 - as above
        *,
        localized: bool = False,
        target: str | None = None,
    ) -> str:
        """Add a field at the end and return its id; its links point to `target` (default: its own content type).

        As with every edit of the model, entries follow it when they are published the next time.
        """
        with self._lock:
            old = self._type(content_type)
            # No later field gets this id: every edit is a revision of its own.
            id_ = f"{content_type}-r{self._store.known(content_type).revision + 1}"
            field = Field(name, type, localized, self._type(target or content_type).id, id_)
            self._store.change_type(model.with_field(old, model.linked(field, content_type)))
            return id_

    def remove_field(self, content_type: str, name: str) -> str:
        """Remove a field and return its id; the first field of a content type, its title, stays."""
        with self._lock:
            old = self._type(content_type)
            id_ = model.find(old, name).id
            self._store.change_type(model.without_field(old, name))
            return id_

    def retype_field(
        self,
        content_type: str,
        name: str,
        type: FieldType,  # noqa: A002 - as above
        *,
        target: str | None = None,
    ) -> str:
        """Give a field another type and return its id; values that were given for it are no longer published."""
        with self._lock:
            to = self._type(target or content_type).id
            changed = model.with_retyped(self._type(content_type), name, type, to)
            self._store.change_type(changed)
            return model.find(changed, name).id

    def rename_field(self, content_type: str, name: str, to: str) -> str:
        """Give a field another name and return its id, which stays."""
        with self._lock:
            changed = model.with_renamed(self._type(content_type), name, to)
            self._store.change_type(changed)
            return model.find(changed, to).id

    def add_locale(self, code: str, *, fallback: str | None = None, name: str = "") -> str:
        """Add a locale and return its code; new entries may be written in it, others if they are edited in it."""
        with self._lock:
            self._store.locales = model.with_locale(self._store.locales, Locale(code, name or code, fallback))
            return code

    # Script

    def set_mode(self, vendor: str, mode: Mode) -> None:
        """Choose what happens to a walk when content changes: `shift` (items move) or `refuse` (the cursor is bad)."""
        with self._lock:
            self._stage(vendor).front_end.mode = mode

    def set_quirks(self, vendor: str, quirks: Sequence[str]) -> None:
        """Switch on exactly these quirks, behaviour that a vendor has shown; `known_quirks` lists them."""
        with self._lock:
            front_end = self._stage(vendor).front_end
            if unknown := sorted(set(quirks) - front_end.known_quirks):
                raise LookupError(f"no quirk {unknown[0]!r}; there are {', '.join(sorted(front_end.known_quirks))}")
            front_end.quirks = frozenset(quirks)

    def expire_cursors(self, vendor: str | None = None) -> None:
        """Refuse every cursor issued so far."""
        with self._lock:
            for stage in self._chosen(vendor):
                stage.front_end.generation += 1

    def push_fault(self, vendor: str, fault: Fault) -> None:
        """Script one more fault, after those already waiting."""
        with self._lock:
            self._stage(vendor).script.waiting.append(fault)

    def faults(self, vendor: str) -> list[Fault]:
        """Return the faults still waiting."""
        with self._lock:
            return list(self._stage(vendor).script.waiting)

    def clear_faults(self, vendor: str | None = None) -> None:
        """Forget the faults and page hooks that are waiting."""
        with self._lock:
            for stage in self._chosen(vendor):
                stage.clear()

    def on_page(self, vendor: str, page: int, edits: Edits) -> None:
        """Call `edits` once, after the `page`-th page (from 1) of the next walk is made and before it is sent."""
        with self._lock:
            self._stage(vendor).on_page(page, edits)

    # Looking

    def truth(self, vendor: str) -> list[Live]:
        """Return every key that the vendor delivers now, in order of the last change."""
        with self._lock:
            front_end = self._stage(vendor).front_end
            front_end.follow()
            return front_end.truth()

    def model(self, vendor: str) -> Model:
        """Return the content model as the vendor tells it: its names, and the types that it can tell apart."""
        with self._lock:
            return self._stage(vendor).front_end.model()

    def changes(self) -> list[Change]:
        """Return every change of the content so far, the oldest first; vendors report only the latest of each key."""
        with self._lock:
            return list(self._store.log)

    def requests(self, vendor: str) -> list[LoggedRequest]:
        """Return the vendor's requests so far, but for those for the content model."""
        with self._lock:
            return [each for each in self._stage(vendor).log if each.kind != "model"]

    def model_requests(self, vendor: str) -> list[LoggedRequest]:
        """Return the requests for the vendor's content model so far: clients send them beside those for content."""
        with self._lock:
            return [each for each in self._stage(vendor).log if each.kind == "model"]

    def clear_requests(self, vendor: str | None = None) -> None:
        """Forget the requests so far."""
        with self._lock:
            for stage in self._chosen(vendor):
                stage.log.clear()

    def _new_store(self, seed: int) -> Store:
        return Store(seed, self._entries, content_types=self._content_types, wall_clock=self._wall_clock)

    def _type(self, id: str) -> ContentType:  # noqa: A002 - as above
        try:
            return self._store.types[id]
        except KeyError:
            raise LookupError(f"no content type {id!r}; there are {', '.join(self._store.types)}") from None

    def _stage(self, vendor: str) -> Stage:
        try:
            return self._stages[vendor]
        except KeyError:
            raise LookupError(f"no vendor {vendor!r}; there are {', '.join(self._stages)}") from None

    def _chosen(self, vendor: str | None) -> list[Stage]:
        return list(self._stages.values()) if vendor is None else [self._stage(vendor)]

    def _churn(self) -> str:
        ids = self._store.ids()
        one, choice = ids[self._random.randrange(len(ids))], self._random.random()
        if choice < _CREATED:
            return self.publish()
        if choice < _EDITED:
            return self.edit(one)
        locale = self._random.choice((None, self._store.known(one).live[-1]))
        return self.unpublish(one, locale=locale) if choice < _UNPUBLISHED else self.delete(one, locale=locale)
