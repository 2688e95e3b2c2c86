"""Both sides of a proof for tests: items that a CMS delivered, and records that topics hold."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from connector.events.policy import Policy
from connector.kafka.published import Entry
from connector.kafka.reader import Consumed
from connector.model.change import Change
from connector.model.checkpoint import Position
from connector.tables import schema
from connector.testing import ManualClock
from connector.verify.rows import DueRow, RowPlace, due, shape
from connector.verify.sides import Delivered, Published
from tests.unit.tables.models import field, layout_of, post
from tests.values import clock_ms, entry_key, page

EVERYTHING = Policy()
RECORD = Consumed("t", 2, 7, 1_750_000_000_000, b"", b"")
ROW = Consumed("cw.blog.table.post", 1, 7, 1_750_000_000_000, b"", b"")
LAYOUT = layout_of(post(field("title")))


def quiet(_what: str, _count: int) -> None:
    """Show no progress."""


class Due:
    """Makes rows of `post`: by id, the title in each locale; None for a row that is withheld."""

    outdated = False

    def __init__(self, rows: Mapping[str, Mapping[str, str | None]]) -> None:
        self._rows = rows

    def rows(self, change: Change) -> dict[RowPlace, DueRow]:
        """Return the rows of an entity."""
        of = shape(LAYOUT, {"title"})
        return {
            ("post", locale): DueRow(of, ()) if title is None else due(of, [_row(change.key.id, locale, title)])
            for locale, title in self._rows.get(change.key.id, {}).items()
        }


def given(*items: Change, rows: Mapping[str, Mapping[str, str | None]] = MappingProxyType({})) -> Delivered:
    """Return the CMS's side as if it had delivered these items, in this order, with these rows."""
    nowhere: Any = None  # nothing is fetched
    tables: Any = Due(rows)
    side = Delivered(nowhere, EVERYTHING, Position(), ManualClock(), quiet, tables=tables)
    side._take(page(*items, after=Position()))
    return side


def entry(change: Change, *, flat: bool = False, **members: Any) -> Entry:
    """Return the record that a consumer holds of a change; for a removal, its tombstone."""
    key = msgspec.structs.asdict(change.key)
    if change.change_type != "published":
        return Entry(RECORD, key, None)
    fields = None if change.fields is None else change.fields.decode()
    entity = {"revision": change.revision, "fields": fields, "meta": "{}", **members}
    ts_ms = clock_ms(change.revision or 0)
    if flat:
        return Entry(RECORD, key, {"op": "u", **entity, "source_ts_ms": ts_ms, "source_table": "post"})
    return Entry(RECORD, key, {"op": "c", "after": entity, "source": {"ts_ms": ts_ms, "table": "post"}})


def row(entity: str, locale: str, title: str | None = "t", second: int = 1) -> Entry:
    """Return the record of a row of `post`; without a title, of its deletion."""
    key = msgspec.structs.asdict(entry_key(entity, locale))
    if title is None:
        return Entry(ROW, key, None)
    return Entry(ROW, key, _row(entity, locale, title, clock_ms(second)), schema=schema.text(LAYOUT))


def _row(entity: str, locale: str, title: str, published_at: int | None = None) -> dict[str, Any]:
    at = clock_ms(1) if published_at is None else published_at
    stamps = {"_revision": 1, "_published_at": at, "_created_at": None, "_updated_at": None}
    return {"title": title, "_entity_id": entity, "_locale": locale, **stamps}


def held(*entries: Entry) -> Published:
    """Return the topic's side with these records."""
    side = Published((), quiet)
    side.take(entries)
    return side
