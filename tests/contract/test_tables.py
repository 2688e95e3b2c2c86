"""Typed tables of every vendor's simulated content: what each delivers becomes rows, and nothing is a misfit."""

import json
import re
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from connector import vendors
from connector.events import codec
from connector.model.change import Change
from connector.model.checkpoint import Position
from connector.model.content_model import ContentType, Field, FieldKind, Locale
from connector.simulator import Simulator
from connector.simulator.catalogue import TYPES
from connector.tables import fixed, names, schema
from connector.tables.columns import Layout, Options, evolve
from connector.tables.rows import Stamp, Table
from tests.cms import vendor
from tests.loopback import Loopback
from tests.values import CONNECTION

KINDS: dict[str, FieldKind] = {
    **dict.fromkeys(("symbol", "text"), "text"),
    **dict.fromkeys(("rich_text", "object", "blocks", "resource"), "json"),
    **dict.fromkeys(("entry", "asset"), "link"),
    "integer": "integer",
    "number": "number",
    "date": "date",
    "boolean": "boolean",
    "location": "location",
    "entries": "links",
    "symbols": "texts",
}
"""What the simulated CMS's types are, in a form in which each vendor delivers them."""


def changes(name: str) -> list[Change]:
    """Return the published entries and assets of a simulated CMS's initial sync."""
    found: list[Change] = []
    cms, position, open_ = vendor(name), Position(), True
    with httpx.Client(transport=Loopback(Simulator(entries=40))) as client:
        while open_:
            frame = cms.frame(client.send(cms.request(position)), position)
            found += cms.read(frame).changes
            position, open_ = frame.position, not frame.caught_up
    return [each for each in found if each.change_type == "published" and each.key.entity_type != "content_type"]


def named(name: str, *, localized: bool) -> str:
    """Return what a vendor calls a field or a type: one whose items are of one locale writes no capital letters."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower() if localized else name


def models(*, localized: bool) -> dict[str, ContentType]:
    """Return the content types of the simulated CMS by id, and that of assets."""
    found = {names.ASSETS: fixed.ASSET}
    for each in TYPES:
        fields = tuple(
            Field(
                id=(name := named(field.name, localized=localized)),
                name=name,
                kind=KINDS[field.type],
                type=field.type,
                localized=field.localized,
            )
            for field in each.fields
        )
        found[named(each.id, localized=localized)] = ContentType(id=each.id, name=each.name, fields=fields)
    return found


def table_of(model: ContentType, *, localized: bool) -> tuple[Layout, Table]:
    """Return a content type's table at first sight."""
    layout = evolve(Layout(name=names.record(CONNECTION, names.escape(model.id))), model, Options())
    default = Locale(code="en-us" if localized else "en-US", default=True)
    return layout, Table(layout, model, Options(), (default,), localized=localized)


@pytest.mark.parametrize("name", vendors.names())
def test_every_item_is_rows(name: str) -> None:
    """One for each locale that it delivers, with its texts and the JSON of its objects to the letter."""
    localized = vendor(name).localized
    types = models(localized=localized)
    tables = {id_: table_of(model, localized=localized) for id_, model in types.items()}
    seen = set()
    for change in changes(name):
        of = change.content_type if change.key.entity_type == "entry" else names.ASSETS
        assert of is not None
        fields = change.fields or b"{}"
        fields = fixed.asset(fields, localized=localized) if of == names.ASSETS else fields
        layout, table = tables[of]
        made = table.rows(replace(change, fields=fields), Stamp("e", 1, "r"))
        assert made.misfits == ()
        said: dict[str, Any] = json.loads(fields)
        delivered = {change.key.locale} if localized else {each for by in said.values() for each in by}
        assert {row.key.locale for row in made.rows} == delivered == made.live
        for row in made.rows:
            cells = codec.decode_by(schema.text(layout), row.value or b"")
            for field in types[of].fields:
                value = _value(said.get(field.name), field, row.key.locale, localized=localized)
                if field.kind == "text":
                    assert cells[field.name] == value
                elif field.kind == "json":
                    assert json.loads(cells[field.name] or "null") == value
                elif value:
                    seen.add(field.kind)
                    parts = [cells[column.name] for column in layout.columns if column.field == field.id]
                    assert parts != [None] * len(parts), field
    assert seen == {"integer", "number", "date", "boolean", "location", "link", "links", "texts"}


def _value(said: Any, field: Field, locale: str, *, localized: bool) -> Any:
    """Return a field's value in a row."""
    return said if localized or said is None else said.get(locale if field.localized else "en-US")
