"""The tables of one connection: the content model they follow, their layouts, and the rows of events. Pure: no I/O.

What is known is kept in state records, whose keys no other state record has: of the locales, of each content type, and
of each table's layout. A layout outlives its content type: deletes still need it.
"""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec
from msgspec.structs import replace

from connector.errors import MalformedItem, ModelOutdated, ModelRefused
from connector.events import codec, envelope
from connector.events.envelope import Event
from connector.events.index import check_version
from connector.events.table_rows import TableRows
from connector.model import rawjson
from connector.model.change import Change
from connector.model.content_model import ContentModel, ContentType, Locale, in_order
from connector.tables import fixed, names, schema
from connector.tables.columns import Layout, Options, evolve
from connector.tables.rows import Row, Stamp, Table, removed
from connector.tables.values import Misfit

LOCALES_KEY: Final = b"\x00model"
"""Of the locales: it is there as soon as anything is known of the model. Index keys begin with no zero."""
TYPE_KEY: Final = b"\x00type:"
"""Followed by the content type's id."""
TABLE_KEY: Final = b"\x00table:"
"""Followed by the table's name."""
MODEL_VERSION: Final = schema.LAYOUT_VERSION
"""Of all these records."""

_OWN: Final = {
    names.ASSETS: fixed.ASSET,
    names.CONTENT_TYPES: fixed.CONTENT_TYPE,
    names.LOCALES: fixed.LOCALE,
}
_ONE_LOCALE: Final = frozenset({names.CONTENT_TYPES, names.LOCALES})

State = dict[bytes, bytes | None]
"""State records to be committed, None for one that is no longer needed."""


class Plan(msgspec.Struct, frozen=True):
    """What following a content model takes.

    - `schemas`: of the tables whose layout it changes, by name; they MUST be registered before the plan is adopted.
    - `state`: the records by which it differs from what is known; they MUST be committed before.
    """

    model: ContentModel
    layouts: Mapping[str, Layout]
    tables: Mapping[str, Table]
    schemas: Mapping[str, str]
    state: State


class Catalog:
    """The tables of the connection `name`. `restore` MUST be called first, then `adopt` whenever the model changes.

    `localized`: each item is of one locale. `own_members` are members of an item's fields that no content type has.
    `chosen`: the content types that have tables, None for all. `described` reads the raw item of a content
    type; it raises `MalformedItem`.
    """

    def __init__(  # noqa: PLR0913  all but three are keywords
        self,
        name: str,
        options: Options,
        described: Callable[[bytes], ContentType],
        *,
        localized: bool = False,
        own_members: frozenset[str] = frozenset(),
        chosen: frozenset[str] | None = None,
    ) -> None:
        self._name = name
        self._options = options
        self._described = described
        self._localized = localized
        self._own_members = own_members
        self._chosen = chosen
        self._confirmed: set[tuple[str, str]] = set()
        self._newest: dict[str, int] = {}
        self.restore({})

    def restore(self, state: Mapping[bytes, bytes]) -> None:
        """Know what state records say, and nothing else. Raises `StateTooNew`, or what `plan` raises.

        `ready` says whether rows can be written: not without a model, nor if other options ask for other layouts.
        """
        self.ready = False
        self.model = ContentModel()
        self._known = LOCALES_KEY in state
        self._layouts: Mapping[str, Layout] = {}
        self._tables: Mapping[str, Table] = {}
        self._texts: Mapping[str, str] = {}
        self._types: Mapping[str, ContentType] = {}
        if not self._known:
            return
        types = [_type(value) for key, value in state.items() if key.startswith(TYPE_KEY)]
        self._layouts = {
            key.removeprefix(TABLE_KEY).decode(): schema.decode(value)
            for key, value in state.items()
            if key.startswith(TABLE_KEY)
        }
        self._texts = {table: schema.text(layout) for table, layout in self._layouts.items()}
        locales = msgspec.json.decode(_part(state[LOCALES_KEY]), type=tuple[Locale, ...])
        self.model = ContentModel(content_types=in_order(types), locales=locales)
        plan = self.plan(self.model)
        if not plan.state:
            self.adopt(plan)

    @property
    def layouts(self) -> Mapping[str, Layout]:
        """The layout of each table that there is or was, by its name."""
        return self._layouts

    def plan(self, model: ContentModel) -> Plan:
        """Return what following `model` takes; nothing is followed until it is adopted.

        Raises `ModelRefused` for a model that no table can follow, or two content types whose tables would be one.
        """
        if self._chosen is not None:
            model = replace(model, content_types=tuple(each for each in model.content_types if each.id in self._chosen))
        former = (names.unescape(table) for table in self._layouts if table not in _OWN)
        if clash := names.collisions(dict.fromkeys((*former, *(each.id for each in model.content_types)))):
            raise ModelRefused(
                f"the content types {clash[0][0]} and {clash[0][1]} would share a table: only case tells them apart",
                hint="rename one of them in the CMS, or leave one out with content_types",
            )
        layouts, tables = {}, {}
        for table, content_type in _types(model).items():
            before = self._layouts.get(table) or Layout(name=names.record(self._name, table))
            options = replace(self._options, locales="rows") if table in _ONE_LOCALE else self._options
            localized = self._localized or table in _ONE_LOCALE
            layouts[table] = evolve(before, content_type, options)
            tables[table] = Table(layouts[table], content_type, options, model.locales, localized=localized)
        changed = {table: after for table, after in layouts.items() if after != self._layouts.get(table)}
        schemas = {table: schema.text(after) for table, after in changed.items()}
        return Plan(model, {**self._layouts, **layouts}, tables, schemas, self._changes(model, changed))

    def adopt(self, plan: Plan) -> None:
        """Follow the model of a plan. What it still lacks is asked for again only if it is another one."""
        if plan.model != self.model:
            self._confirmed.clear()
        self.model, self._layouts, self._tables = plan.model, plan.layouts, plan.tables
        self._types = _types(plan.model)
        self._texts = {**self._texts, **plan.schemas}
        self._known = self.ready = True

    def with_type(self, raw: bytes) -> ContentModel:
        """Return the model with one content type as its raw item says."""
        found = self._described(raw)
        others = [each for each in self.model.content_types if each.id != found.id]
        return replace(self.model, content_types=in_order((*others, found)))

    def confirm(self, outdated: ModelOutdated) -> None:
        """Note that the newest model does not know these names either: they are not asked for again."""
        self._confirmed.update(outdated.unknown)

    def rows(self, event: Event, live: frozenset[str]) -> TableRows | None:
        """Return what an event writes; raises `ModelOutdated` for one that shows more than the model has."""
        change = event.change
        kind, content_type = change.key.entity_type, envelope.content_type(change, event.known)
        table = names.escape(content_type or "") if kind == "entry" else envelope.table(change, event.known)
        if event.op == "d":
            known = table in self._texts  # it may have come and gone while there were no tables
            return self._written(table, removed(change.key, live), frozenset()) if live and known else None
        try:
            change = self._shaped(change)
            self._check_known(table, change)
            found = self._tables[table].rows(change, Stamp(event.event_id, event.sequence, event.op), live)
        except (MalformedItem, ValueError) as error:
            return self._refused(table, str(error), live)
        if unknown := self._unconfirmed(table, found.unknown):
            raise ModelOutdated("an item has fields that the content model lacks", unknown=unknown)
        misfits = tuple(dict.fromkeys(map(_said, found.misfits)))
        return self._written(table, found.rows, found.live, misfits, found.inexact)

    def _written(
        self,
        table: str,
        rows: tuple[Row, ...],
        live: frozenset[str],
        misfits: tuple[str, ...] = (),
        inexact: int = 0,
    ) -> TableRows:
        each = tuple((row.key, row.value) for row in rows)
        return TableRows(table, self._texts[table], each, live, misfits, inexact)

    def _refused(self, table: str, reason: str, live: frozenset[str]) -> TableRows:
        return TableRows(table, self._texts.get(table, ""), (), live, (reason,))

    def _shaped(self, change: Change) -> Change:
        """Return a change with the fields that its table's content type has."""
        kind = change.key.entity_type
        if kind == "asset":
            return replace(change, fields=fixed.asset(change.fields or b"{}", localized=self._localized))
        if kind == "content_type":
            return replace(change, fields=fixed.model(self._type(change)))
        if kind == "locale":
            return replace(change, fields=fixed.locale(self._locale(change)))
        return change

    def _locale(self, change: Change) -> Locale:
        """Return the locale of an item: the model that is followed was read with it."""
        found = next((each for each in self.model.locales if each.code == change.key.id), None)
        if found is None:
            raise MalformedItem("the content model lacks this locale")
        return found

    def _type(self, change: Change) -> ContentType:
        """Return the content type of an item; raises `ModelOutdated` if that is newer than the one that is followed."""
        found, clock = self._described(change.raw), change.clock or 0
        if found != self._types.get(names.escape(found.id)) and clock >= self._newest.get(found.id, 0):
            # A walk that is read again delivers earlier versions too: they must not be followed again.
            self._newest[found.id] = clock + 1
            raise ModelOutdated("a content type has changed", item=change.raw)
        return found

    def _check_known(self, table: str, change: Change) -> None:
        """Raise `ModelOutdated` if the model lacks what an item has, unless the newest one is known to lack it too."""
        if table not in self._tables:
            if unknown := self._unconfirmed(table, ("",)):
                raise ModelOutdated("an item is of a content type that the content model lacks", unknown=unknown)
            raise MalformedItem("the content model lacks its content type: it has no table")
        if self._localized and change.key.entity_type == "entry" and change.fields:
            fields = {field.name for field in self._types[table].fields}
            found = rawjson.members(change.fields).keys() - fields - self._own_members
            if unknown := self._unconfirmed(table, tuple(sorted(found))):
                raise ModelOutdated("an item has fields that the content model lacks", unknown=unknown)

    def _unconfirmed(self, table: str, found: tuple[str, ...]) -> frozenset[tuple[str, str]]:
        own = table in _OWN
        return frozenset() if own else frozenset({(table, name) for name in found} - self._confirmed)

    def _changes(self, model: ContentModel, layouts: Mapping[str, Layout]) -> State:
        """Return the state records by which a model, and the layouts it changes, differ from what is known."""
        known = {each.id: each for each in self.model.content_types}
        now = {each.id: each for each in model.content_types}
        state: State = {TABLE_KEY + table.encode(): schema.encode(after) for table, after in layouts.items()}
        for each in now.values():
            if known.get(each.id) != each:
                state[TYPE_KEY + each.id.encode()] = _encoded(msgspec.json.encode(each))
        state |= {TYPE_KEY + gone.encode(): None for gone in known.keys() - now.keys()}
        if not self._known or self.model.locales != model.locales:
            state[LOCALES_KEY] = _encoded(msgspec.json.encode(model.locales))
        return state


def is_model(key: bytes) -> bool:
    """Return whether a state record's key is one of a catalog's."""
    return key == LOCALES_KEY or key.startswith((TYPE_KEY, TABLE_KEY))


def check_model(key: bytes, value: bytes) -> None:
    """Raise `ValueError` for what no catalog has written, `StateTooNew` for what one of a later release has."""
    if key.startswith(TABLE_KEY):
        schema.decode(value)
    elif key.startswith(TYPE_KEY):
        _type(value)
    else:
        msgspec.json.decode(_part(value), type=tuple[Locale, ...])


def _type(value: bytes) -> ContentType:
    return msgspec.json.decode(_part(value), type=ContentType)


def _part(value: bytes) -> str:
    check_version(value, MODEL_VERSION)
    return str(codec.decode("model_part", value)["part"])


def _encoded(part: bytes) -> bytes:
    return codec.encode("model_part", {"version": MODEL_VERSION, "part": part})


def _types(model: ContentModel) -> dict[str, ContentType]:
    """Return the content types by the names of their tables, ours included."""
    return {**_OWN, **{names.escape(each.id): each for each in model.content_types}}


def _said(misfit: Misfit) -> str:
    column = f"column {misfit.column}: " if misfit.column else ""
    return f"{column}{misfit.reason}{f' (locale {misfit.locale})' if misfit.locale else ''}"
