"""The columns of a table, and how they follow the content model: nothing that was once a column goes away. Pure."""

from collections.abc import Iterable
from typing import Literal

import msgspec
from msgspec.structs import replace

from connector.errors import ConfigError, ModelRefused
from connector.model.content_model import ContentType, Field, FieldKind
from connector.tables import names
from connector.tables.kinds import KINDS, ColumnType, Part

Locales = Literal["rows", "default"] | tuple[str, ...]
"""`rows`: a row for each locale; `default`: one row, of the default locale; codes: one row, columns for each locale."""

Evolution = Literal["column", "stop", "json"]
"""What a field that changes its kind gets: a column of the new kind, an error, or a column of JSON for any kind."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How the tables of a connection are made. Another choice of locales is another table: a new snapshot fills it."""

    locales: Locales = "rows"
    evolution: Evolution = "column"


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """One column: of a field, for a locale (None: whichever the row is of), for a part of its value.

    - `stem`: what the names of the field's columns of this kind begin with. `type`: for ever the same.
    - `field` is the field's id; `source` its name, and `vendor_type` its type, by the vendor's word, when it was last
      seen with this kind.
    - `current`: values of the field go here, while it is in the model; else only those that fit no current column.
    """

    stem: str
    type: ColumnType
    field: str
    source: str
    vendor_type: str
    kind: FieldKind
    part: Part = ""
    locale: str | None = None
    current: bool = True

    @property
    def name(self) -> str:
        """The column's name in Avro."""
        return names.column(self.stem, self.locale, self.part)


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """A table as it is written now: the full name of its Avro record, the content type's name, the fields' columns."""

    name: str
    title: str = ""
    columns: tuple[Column, ...] = ()


def check(options: Options, *, localized: bool) -> None:
    """Raise `ConfigError` for options that cannot be, or not with a vendor whose items are of one locale each."""
    if not isinstance(options.locales, tuple):
        return
    if not options.locales or len({code.lower() for code in options.locales}) < len(options.locales):
        raise ConfigError(
            "tables: locales names none, or one of them twice",
            hint='name each locale once, as in locales = ["en-US", "de-DE"]',
        )
    if localized:
        raise ConfigError(
            "tables: this vendor delivers each locale on its own: no row can have several locales as columns",
            hint='use locales = "rows" or "default", and join the rows of an entry by _entity_id',
        )


def evolve(previous: Layout, content_type: ContentType, options: Options) -> Layout:
    """Return the layout after `previous` (at first: one without columns) for a content type as it is now.

    Columns keep their names, types and order, and new ones follow. A field that is gone keeps its columns, which are
    null from then on; one that comes back, or returns to an earlier kind, gets its earlier columns again. A field is
    known by its id: one that is renamed keeps its columns.
    Raises `ModelRefused` for a model that no table can follow: two fields of one id or name, or, with the evolution
    `stop`, a field that changes its kind.
    """
    _refuse_twins(content_type)
    columns = previous.columns
    for field in content_type.fields:
        columns = tuple(_with(columns, field, _kind(columns, field, content_type, options.evolution), options.locales))
    return replace(previous, title=content_type.name, columns=columns)


def _refuse_twins(content_type: ContentType) -> None:
    for what in ("id", "name"):
        found = [getattr(field, what) for field in content_type.fields]
        if twins := sorted({each for each in found if found.count(each) > 1}):
            raise ModelRefused(
                f"content type {content_type.id}: two fields have the {what} {twins[0]}",
                hint="rename one of them in the CMS",
            )


def _kind(columns: Iterable[Column], field: Field, of: ContentType, evolution: Evolution) -> FieldKind:
    """Return the kind of the columns that a field's values go to."""
    known = {column.kind: column.current for column in columns if column.field == field.id}
    if not known or known.get(field.kind):
        return field.kind
    if evolution == "json":
        return "json"
    if evolution == "stop" and field.kind not in known:
        former = next(kind for kind, current in known.items() if current)
        raise ModelRefused(
            f"content type {of.id}: the field {field.name} was of the kind {former}, now it is {field.kind}",
            hint='undo the change in the CMS, or set evolution = "column" or "json" for the tables of this connection',
        )
    return field.kind


def _with(columns: Iterable[Column], field: Field, kind: FieldKind, locales: Locales) -> Iterable[Column]:
    """Yield the columns with those that a field's values go to, and the others of the field no longer current."""
    taken, stem, known = set(), "", set()
    for column in columns:
        taken.add(column.stem)
        if column.field != field.id:
            yield column
        elif column.kind != kind:
            yield replace(column, current=False)
        else:
            stem = column.stem
            known.add((column.locale, column.part))
            yield replace(column, source=field.name, vendor_type=field.type, current=True)
    stem = stem or names.stem(field.name, taken)
    for locale in locales if field.localized and isinstance(locales, tuple) else (None,):
        for part, type_ in KINDS[kind].parts.items():
            if (locale, part) not in known:
                yield Column(
                    stem=stem,
                    type=type_,
                    field=field.id,
                    source=field.name,
                    vendor_type=field.type,
                    kind=kind,
                    part=part,
                    locale=locale,
                )
