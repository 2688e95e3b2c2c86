"""Published states that the compiled core has read: how the core writes their events, and what they are in Python."""

from typing import Final

from connector.events.envelope import Event, Provenance, Transaction, constant_headers, tables
from connector.events.index import VERSION
from connector.events.policy import Policy
from connector.events.program import Filling, program
from connector.events.record import Record, Route
from connector.model.change import Change, EntityKey
from connector.model.core import CORE, Item, Step, Writer
from connector.model.core import Route as CoreRoute
from connector.model.timestamp import Timestamp

_ENTITY: Final = {
    "entity_type": "entity_type",
    "id": "id",
    "locale": "locale",
    "content_type": "content_type",
    "revision": "revision",
    "created_at": "created_ms",
    "updated_at": "updated_ms",
    "fields": "fields",
    "meta": "meta",
    "refs": "refs",
    "ref_fields": "ref_fields",
}
_EVENT: Final = {"ts_ms": "now_ms", "event_id": "event_id"}
_SOURCE: Final = {
    "ts_ms": "source_ms",
    "table": "table",
    "sequence": "sequence",
    "revision": "revision",
    "locale": "locale",
}
# An item is read in a snapshot, carries a published state, and nothing was known of it before.
_FIRST: Final = {"op": "r", "origin": "snapshot", "change_type": "published", "marker": None}
_NO_TRANSACTION: Final = {f"transaction_{name}": None for name in Transaction.__struct_fields__}
_INDEX: Final = Filling(
    {"version": VERSION, "live": True, "change_type": "published", "removed_at": None, "rows": None},
    {
        "content_type": "content_type",
        "revision": "revision",
        "changed_at": "changed_at",
        "digest": "digest",
        "epoch": "epoch",
        "content": "content",
    },
)


def key(connection: str) -> list[Step]:
    """Return the program that writes a connection's keys."""
    slots = {name: name for name in ("entity_type", "id", "locale")}
    return program("key", Filling({"connection": connection}, slots))


def writer(provenance: Provenance, policy: Policy) -> Writer | None:
    """Return what writes events and index records of items nothing was known of before, None without the core."""
    if CORE is None:
        return None
    said = {name: getattr(provenance, name) for name in ("version", "connector", "name", "db", "schema")}
    if policy.envelope == "flat":
        own = {"connection": provenance.name, "source_db": provenance.db, "source_schema": provenance.schema}
        constants = {**said, **_FIRST, **own, **_NO_TRANSACTION, "snapshot": "true"}
        value = program("flat", Filling(constants, _flat()))
    else:
        constants = {f"source.{name}": value for name, value in {**said, "snapshot": "true"}.items()}
        constants |= {**_FIRST, "before": None, "after.connection": provenance.name, "transaction": None}
        value = program("envelope", Filling(constants, _debezium()))
    known, unknown = tables()
    made: Writer = CORE.Writer(
        value, program("index_entry", _INDEX), known, unknown, constant_headers(provenance, "published"), Record
    )
    return made


def _debezium() -> dict[str, str]:
    entity = {f"after.{name}": slot for name, slot in _ENTITY.items()}
    return {**entity, **{f"source.{name}": slot for name, slot in _SOURCE.items()}, **_EVENT}


def _flat() -> dict[str, str]:
    source = {"source_ts_ms": "source_ms", "source_table": "table", "sequence": "sequence"}
    return {**_ENTITY, **source, **_EVENT}


def route(to: Route) -> CoreRoute:
    """Return where records go as the core knows it."""
    assert CORE is not None
    made: CoreRoute = CORE.Route(to.topic, to.key.prefix, to.value.prefix)
    return made


def entity_key(item: Item, connection: str) -> EntityKey:
    """Return the key of what an item is about."""
    return EntityKey(connection, item.entity_type, item.id, item.locale)


def change(item: Item, connection: str) -> Change:
    """Return the change that an item is, as its vendor reads it."""
    members = item.members()
    for name in ("changed_at", "created_at", "updated_at"):
        members[name] = Timestamp(*members[name]) if members[name] else None
    return Change(
        key=entity_key(item, connection),
        change_type="published",
        raw=item.raw,
        content_type=item.content_type,
        **members,
    )


def event(item: Item, record: Record, connection: str, sequence: int, now_ms: int) -> Event:
    """Return the event that the core has written as `record`."""
    event_id = dict(record.headers)["ce_id"].decode()
    return Event(change(item, connection), None, "r", "snapshot", sequence, event_id, now_ms, "true", None)
