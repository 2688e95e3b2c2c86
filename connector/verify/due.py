"""The rows that tables must hold, made of what the CMS delivers, by the pure room that makes the stream's. No I/O."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from msgspec.structs import replace

from connector.cms.content_model import ModelReader, described
from connector.errors import ModelOutdated
from connector.events import codec
from connector.events.envelope import Event
from connector.events.table_rows import TableRows
from connector.model.change import Change
from connector.model.content_model import ContentModel, ContentType, Field, FieldKind, in_order
from connector.model.model_page import ListedModel
from connector.tables import names
from connector.tables.catalog import Catalog
from connector.tables.columns import Layout, Options
from connector.verify.rows import DueRow, RowPlace, Shape, due, shape

_NO_EVENT: Final = "verify"


class DueRows:
    """Makes the rows of entities by a content model: the stream's recorded one, brought up to date by the CMS's.

    `made` returns tables with given options, of which nothing is known; `recorded` what the stream's state has of them.
    `follow` MUST be called first. `outdated` says that the model is no longer that of all rows made since then. Rows of
    more than `longest` bytes are withheld.
    """

    def __init__(
        self,
        made: Callable[[Options], Catalog],
        options: Options,
        recorded: Callable[[], Mapping[bytes, bytes]],
        reader: ModelReader,
        longest: int,
    ) -> None:
        self._made = made
        self._options = options
        self._recorded = recorded
        self._reader = reader
        self._longest = longest
        self._state: dict[bytes, bytes] = {}
        self._catalog = made(options)
        self._former: list[Catalog] = []
        self._shapes: dict[str, Shape] = {}
        self._delivered: dict[str, ContentType] = {}
        self.outdated = False

    def follow(self, listed: ListedModel) -> bool:
        """Follow the model that the CMS lists now; return whether rows that were made before may be other ones now.

        Raises `ModelRefused` if no table can follow it, as the stream does.
        """
        before = self._catalog.model, self._catalog.layouts
        self._state = dict(self._recorded())
        self._catalog.restore(self._state)
        model = listed.over(self._catalog.model)
        if "content_type" not in listed.complete:
            model = _with_types(model, self._delivered)
        self._adopt(model)
        self.outdated = False
        return before != (self._catalog.model, self._catalog.layouts)

    def rows(self, change: Change) -> dict[RowPlace, DueRow]:
        """Return the rows of a published entity."""
        event = Event(change, None, "c", "delta", 0, _NO_EVENT, 0, "false", None)
        # With every locale said to have a row, those that are withheld show.
        live = frozenset({change.key.locale, *(locale.code for locale in self._catalog.model.locales)})
        written = self._written(self._catalog, event, live)
        if written is None:
            return {}
        ways = [_decoded(written, self._longest)]
        if change.key.entity_type == "entry":
            ways += [_decoded(self._written(each, event, live), self._longest) for each in self._former]
        of = self._shape(written.table)
        found = {locale: due(of, [way[locale] for way in ways if locale in way]) for locale in ways[0]}
        found |= {locale: DueRow(of, ()) for locale in written.live - found.keys()}
        # A locale that only fields have which are gone by now: removing them has deleted no row.
        for locale in {locale for way in ways for locale in way} - found.keys():
            found[locale] = replace(due(of, [way[locale] for way in ways if locale in way]), optional=True)
        return {(written.table, locale): row for locale, row in found.items()}

    def _written(self, catalog: Catalog, event: Event, live: frozenset[str]) -> TableRows | None:
        while True:
            try:
                return catalog.rows(event, live)
            except ModelOutdated as error:
                if error.item:
                    # An API that lists no content types delivers them among the others, in any order.
                    self._deliver(error.item)
                else:
                    # The model was asked for a moment ago: what it lacks, the stream leaves out as well.
                    catalog.confirm(error)

    def _deliver(self, raw: bytes) -> None:
        found = described(self._reader, raw)
        self._delivered[found.id] = found
        self._adopt(self._catalog.with_type(raw))
        self.outdated = True

    def _adopt(self, model: ContentModel) -> None:
        plan = self._catalog.plan(model)
        self._catalog.adopt(plan)
        for key, value in plan.state.items():
            if value is None:
                self._state.pop(key, None)
            else:
                self._state[key] = value
        self._shapes.clear()
        self._former = [self._follower(each) for each in _former(self._catalog.model, self._catalog.layouts)]

    def _follower(self, model: ContentModel) -> Catalog:
        """Return the same tables, but as they follow another model."""
        made = self._made(replace(self._options, evolution="column"))
        made.restore(self._state)
        made.adopt(made.plan(model))
        return made

    def _shape(self, table: str) -> Shape:
        if table not in self._shapes:
            layout = self._catalog.layouts.get(table) or Layout(name=table)
            types = {names.escape(each.id): each for each in self._catalog.model.content_types}
            of = types.get(table)
            fields = {field.id for field in of.fields} if of else {column.field for column in layout.columns}
            self._shapes[table] = shape(layout, fields)
        return self._shapes[table]


def _with_types(model: ContentModel, types: Mapping[str, ContentType]) -> ContentModel:
    known = {each.id: each for each in model.content_types}
    return replace(model, content_types=in_order({**known, **types}.values()))


def _former(model: ContentModel, layouts: Mapping[str, Layout]) -> Iterator[ContentModel]:
    """Yield models with the fields that are gone, in which those that changed their kind have one that they had before.

    That is each of their kinds, in the end; nothing if no field ever went or changed.
    """
    whole = [_whole(each, layouts[names.escape(each.id)]) for each in model.content_types]
    other = {
        (each.id, field.id): list(_other_kinds(layouts[names.escape(each.id)], field))
        for each in whole
        for field in each.fields
    }
    gone = tuple(whole) != model.content_types
    for nth in range(max(map(len, other.values()), default=0) or gone):
        types = [
            replace(
                each,
                fields=tuple(
                    replace(field, kind=(other[each.id, field.id][nth:] or [field.kind])[0]) for field in each.fields
                ),
            )
            for each in whole
        ]
        yield replace(model, content_types=tuple(types))


def _whole(content_type: ContentType, layout: Layout) -> ContentType:
    """Return a content type with the fields that it once had, but for those whose names others have taken."""
    fields = {field.name: field for field in content_type.fields}
    ids = {field.id for field in content_type.fields}
    for each in layout.columns:
        if each.field not in ids:
            fields.setdefault(
                each.source, Field(id=each.field, name=each.source, kind=each.kind, type=each.vendor_type)
            )
    return replace(content_type, fields=tuple(fields.values()))


def _other_kinds(layout: Layout, field: Field) -> Iterable[FieldKind]:
    """Return the kinds of the columns of a field that its values do not go to now."""
    return dict.fromkeys(each.kind for each in layout.columns if each.field == field.id and not each.current)


def _decoded(written: TableRows | None, longest: int) -> dict[str, dict[str, Any]]:
    """Return rows by locale, without those that are too long."""
    rows = written.rows if written else ()
    schema = written.schema if written else ""
    return {key.locale: codec.decode_by(schema, row) for key, row in rows if row is not None and len(row) <= longest}
