"""Content types and rows for tests: what a test does not name is irrelevant to it."""

import json
from typing import Any

from connector.events import codec
from connector.model.change import Change
from connector.model.content_model import ContentType, Field, FieldKind, Locale
from connector.tables import names, schema
from connector.tables.columns import Layout, Locales, Options, evolve
from connector.tables.rows import Rows, Stamp, Table
from tests.values import CONNECTION, published

EMPTY = Layout(name=names.record(CONNECTION, "post"))
EN, DE, AT = (
    Locale(code="en-US", default=True),
    Locale(code="de-DE", fallback="en-US"),
    Locale(code="de-AT", fallback="de-DE"),
)
STAMP = Stamp("e" * 32, 7, "c")


def field(name: str, kind: FieldKind = "text", *, id: str = "", localized: bool = True) -> Field:  # noqa: A002
    """Return a field, whose id is its name and whose type by the vendor's word is its kind with a capital letter."""
    return Field(id=id or name, name=name, kind=kind, type=kind.capitalize(), localized=localized)


def post(*fields: Field) -> ContentType:
    """Return the content type `post`."""
    return ContentType(id="post", name="Blog post", fields=fields)


def layout_of(*models: ContentType, locales: Locales = "rows") -> Layout:
    """Return the layout after these states of a content type, one after the other."""
    layout = EMPTY
    for model in models:
        layout = evolve(layout, model, Options(locales=locales))
    return layout


def entry(fields: Any, locale: str = "*") -> Change:
    """Return a published entry with these fields: JSON as bytes, or what becomes of it."""
    return published(locale=locale, fields=fields if isinstance(fields, bytes) else json.dumps(fields).encode())


def table_of(
    *models: ContentType, locales: Locales = "rows", localized: bool = False, known: Any = (EN, DE, AT)
) -> Table:
    """Return the table of a content type's last state, which had these states before."""
    layout = layout_of(*models, locales=locales)
    return Table(layout, models[-1], Options(locales=locales), known, localized=localized)


def read(rows: Rows, layout: Layout) -> dict[str, dict[str, Any] | None]:
    """Return the rows by locale, each without the columns that every table has and those that are null."""
    return {row.key.locale: None if row.value is None else _said(row.value, layout) for row in rows.rows}


def _said(value: bytes, layout: Layout) -> dict[str, Any]:
    row = codec.decode_by(schema.text(layout), value)
    return {name: each for name, each in row.items() if not name.startswith("_") and each is not None}
