"""Turns a change and what the index knows into an event: op, before and after, provenance, event id, headers. Pure."""

import json
import re
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, Literal, get_args

import msgspec
from msgspec.structs import replace

from connector.events.index import IndexEntry
from connector.model.change import Change, ChangeType

Op = Literal["c", "r", "u", "d"]
Origin = Literal["delta", "snapshot", "expanded", "reconciled"]
Snapshot = Literal["first", "true", "last", "false"]
Headers = list[tuple[str, bytes]]

_TABLES = {"asset": "_asset", "content_type": "_content_type", "locale": "_locale"}
_UNKNOWN_TABLE = "_unknown"
_SPECVERSION = ("ce_specversion", b"1.0")
_TYPES = {change_type: ("ce_type", f"contentwire.{change_type}".encode()) for change_type in get_args(ChangeType)}
_CONTENT_TYPE = ("content-type", b"application/avro")
_RFC3339_MILLIS = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")


class Provenance(msgspec.Struct, frozen=True):
    """What every event of a stream says about its source: release, vendor, connection, space or stack, environment."""

    version: str
    connector: str
    name: str
    db: str
    schema: str | None


class Transaction(msgspec.Struct, frozen=True):
    """A place in a transaction, as Debezium writes it: among all its events, and among those of a table, from 1."""

    id: str
    total_order: int
    data_collection_order: int


class Event(msgspec.Struct, frozen=True):
    """One event before encoding: the change with its verdict, its place in the stream, and when it is published.

    `known` is the index entry before the change. An event of a snapshot has its place there and no `transaction`.
    """

    change: Change
    known: IndexEntry | None
    op: Op
    origin: Origin
    sequence: int
    event_id: str
    now_ms: int
    snapshot: Snapshot
    transaction: Transaction | None


def event_id(change: Change, cause: str = "") -> str:
    """Return 128 bits in hex: the same for the same change, however often it is read.

    `cause` tells apart events without an item of their own: it is the epoch of a reconciled delete, or the id of the
    event that caused an expanded one.
    """
    key = change.key
    parts = (
        key.connection,
        key.entity_type,
        key.id,
        key.locale,
        change.change_type,
        "" if change.revision is None else str(change.revision),
        "" if change.changed_at is None else change.changed_at.text,
        cause,
    )
    # Lengths keep the parts apart: no id can imitate another combination.
    text = "".join([f"{len(part)}:{part}" for part in parts])
    return blake2b(text.encode("utf-8", "surrogatepass") + change.digest, digest_size=16).hexdigest()


def table(change: Change, known: IndexEntry | None) -> str:
    """Return `source.table`: the content type if known, else a name by entity type."""
    return _TABLES.get(change.key.entity_type) or content_type(change, known) or _UNKNOWN_TABLE


def content_type(change: Change, known: IndexEntry | None) -> str | None:
    """Return the content type from the item, else from the index."""
    return change.content_type or (known.content_type if known else None)


def reference(change: Change, size: int, url: str) -> Change:
    """Return the change without its content: what remains is its size, its digest and where to fetch it."""
    said = {"bytes": size, "digest": change.digest.hex(), "id": change.key.id, "url": url}
    meta = json.dumps({"contentwire_reference": said}).encode()
    return replace(change.without_content(), meta=meta, marker=None)


def source_ms(event: Event) -> int:
    """Return the CMS's time of the change in milliseconds; ours if the item has no readable clock."""
    clock = event.change.clock
    return event.now_ms if clock is None else clock // 1000


def envelope(event: Event, provenance: Provenance) -> dict[str, Any]:
    """Return the Debezium-shaped value of an event."""
    change = event.change
    return {
        "before": _before(event) if event.op in ("u", "d") else None,
        "after": None if event.op == "d" else _after(change),
        "source": {
            "version": provenance.version,
            "connector": provenance.connector,
            "name": provenance.name,
            "ts_ms": source_ms(event),
            "snapshot": event.snapshot,
            "db": provenance.db,
            "schema": provenance.schema,
            "table": table(change, event.known),
            "sequence": event.sequence,
            "revision": change.revision,
            "locale": change.key.locale,
        },
        "transaction": event.transaction and msgspec.structs.asdict(event.transaction),
        **_verdict(event),
    }


def flat(event: Event, provenance: Provenance) -> dict[str, Any]:
    """Return the flat value of an event: the entity's columns beside the event's own, without `before`."""
    change = event.change
    return {
        **(_before(event) if event.op == "d" else _after(change)),
        **_verdict(event),
        "sequence": event.sequence,
        "source_ts_ms": source_ms(event),
        **_transaction_columns(event.transaction),
        "snapshot": event.snapshot,
        "version": provenance.version,
        "connector": provenance.connector,
        "source_db": provenance.db,
        "source_schema": provenance.schema,
        "source_table": table(change, event.known),
    }


def tables() -> tuple[list[tuple[str, str]], str]:
    """Return `source.table` of the entity types that have one of their own, and that of an unknown content type."""
    return list(_TABLES.items()), _UNKNOWN_TABLE


def constant_headers(provenance: Provenance, change_type: ChangeType) -> list[tuple[str, bytes | None]]:
    """Return the headers of an event in their order, those with None that are of the event alone."""
    source = ("ce_source", f"/{provenance.connector}/{provenance.name}".encode())
    own: list[tuple[str, bytes | None]] = [("ce_subject", None), ("ce_time", None)]
    return [_SPECVERSION, ("ce_id", None), source, _TYPES[change_type], *own, _CONTENT_TYPE]


def headers(event: Event, provenance: Provenance, *, tombstone: bool = False) -> Headers:
    """Return the CloudEvents 1.0 binary-mode headers (Kafka protocol binding) of an event or of its tombstone."""
    key = event.change.key
    identity = f"{event.event_id}.tombstone" if tombstone else event.event_id
    attributes = [
        _SPECVERSION,
        ("ce_id", identity.encode()),
        ("ce_source", f"/{provenance.connector}/{provenance.name}".encode()),
        _TYPES[event.change.change_type],
        ("ce_subject", f"{key.entity_type}/{key.id}/{key.locale}".encode()),
        ("ce_time", _rfc3339(event).encode()),
    ]
    return attributes if tombstone else [*attributes, _CONTENT_TYPE]


def _transaction_columns(transaction: Transaction | None) -> dict[str, Any]:
    members = Transaction.__struct_fields__
    return {f"transaction_{name}": transaction and getattr(transaction, name) for name in members}


def _verdict(event: Event) -> dict[str, Any]:
    return {
        "op": event.op,
        "ts_ms": event.now_ms,
        "change_type": event.change.change_type,
        "origin": event.origin,
        "event_id": event.event_id,
        "marker": event.change.marker,
    }


def _after(change: Change) -> dict[str, Any]:
    key = change.key
    return {
        "connection": key.connection,
        "entity_type": key.entity_type,
        "id": key.id,
        "locale": key.locale,
        "content_type": change.content_type,
        "revision": change.revision,
        "created_at": change.created_at and change.created_at.millis,
        "updated_at": change.updated_at and change.updated_at.millis,
        "fields": change.fields,
        "meta": change.meta,
        "refs": list(change.refs),
        "ref_fields": list(change.ref_fields),
    }


def _before(event: Event) -> dict[str, Any]:
    """Return what was known before: never null on u and d, where sinks need it to find the row."""
    key = event.change.key
    return {
        "connection": key.connection,
        "entity_type": key.entity_type,
        "id": key.id,
        "locale": key.locale,
        "content_type": content_type(event.change, event.known),
        "revision": event.known.revision if event.known else None,
        "created_at": None,
        "updated_at": None,
        "fields": None,
        "meta": None,
        "refs": None,
        "ref_fields": None,
    }


def _rfc3339(event: Event) -> str:
    written = event.change.changed_at
    if written and written.micros is not None and _RFC3339_MILLIS.fullmatch(written.text):
        return written.text
    try:
        moment = datetime.fromtimestamp(source_ms(event) / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        moment = datetime.fromtimestamp(event.now_ms / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
