"""Both sides of a proof for tests: items that a CMS delivered, and records that topics hold."""

from typing import Any

import msgspec

from connector.events.policy import Policy
from connector.kafka.published import Entry
from connector.kafka.reader import Consumed
from connector.model.change import Change
from connector.model.checkpoint import Position
from connector.testing import ManualClock
from connector.verify.sides import Delivered, Published
from tests.values import clock_ms, page

EVERYTHING = Policy()
RECORD = Consumed("t", 2, 7, 1_750_000_000_000, b"", b"")


def quiet(_what: str, _count: int) -> None:
    """Show no progress."""


def given(*items: Change) -> Delivered:
    """Return the CMS's side as if it had delivered these items, in this order."""
    nowhere: Any = None  # nothing is fetched
    side = Delivered(nowhere, EVERYTHING, Position(), ManualClock(), quiet)
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


def held(*entries: Entry) -> Published:
    """Return the topic's side with these records."""
    side = Published((), quiet)
    side.take(entries)
    return side
