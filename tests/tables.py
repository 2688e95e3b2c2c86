"""Typed tables as an independent consumer reads them, and what a simulated CMS says they must hold."""

import io
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import fastavro
import httpx
import msgspec
from confluent_kafka.admin import AdminClient
from msgspec.structs import replace

from connector.cms.content_model import gather
from connector.cms.model_source import fetch
from connector.cms.source import Source
from connector.events import codec
from connector.events.codec import Framing
from connector.events.record import Record, Route
from connector.model.checkpoint import KeySchemaId, Position
from connector.model.content_model import ContentModel
from connector.model.model_page import ModelFrame
from connector.simulator import Field, Live, Simulator
from connector.testing import MemoryStore
from tests.consumer import consume
from tests.values import CONNECTION

Key = tuple[str, str]
"""The id of an entity, and the locale of one of its rows."""

Rows = dict[str, dict[Key, dict[str, Any]]]
"""The rows that tables hold, by table and key."""


class MemoryTables(MemoryStore):
    """A store in memory whose rows say which schema they were written with."""

    def __init__(self) -> None:
        super().__init__(connection=CONNECTION)
        self._texts: list[str] = []

    def table_route(self, table: str, schema: str) -> Route:
        """Return the topic of a table; the prefix of its values is the number of their schema."""
        if schema not in self._texts:
            self._texts.append(schema)
        route = super().table_route(table, schema)
        number = self._texts.index(schema).to_bytes(4)
        return msgspec.structs.replace(route, value=Framing(KeySchemaId("none", ""), number))

    def row_records(self, since: int = 0) -> list[tuple[str, Key]]:
        """Return the table and the key of every row that was written or deleted, after the first `since` records."""
        return [(table, at) for record in self.records[since:] for table, at, _ in self._row(record)]

    def rows(self) -> Rows:
        """Return what all tables hold now."""
        found: Rows = {}
        for record in self.records:
            for table, at, row in self._row(record):
                rows = found.setdefault(table, {})
                rows.pop(at, None)
                if row is not None:
                    rows[at] = row
        return found

    def _row(self, record: Record) -> Iterator[tuple[str, Key, dict[str, Any] | None]]:
        _, is_table, table = record.topic.partition(".table.")
        if is_table:
            key = codec.decode_key(codec.unframe(record.key or b"")[1])
            value, text = record.value, ""
            if value is not None:
                text = self._texts[int.from_bytes(value[:4])]
            yield table, (key.id, key.locale), None if value is None else codec.decode_by(text, value[4:])


class Reader:
    """Reads the tables under a prefix with the schemas of the registry."""

    def __init__(self, client: Mapping[str, str], registry: str, tables: str) -> None:
        self._client = client
        self._registry = registry
        self._tables = tables
        self._schemas: dict[int, Any] = {}

    def topics(self) -> list[str]:
        """Return the topics of all tables."""
        found = AdminClient(dict(self._client)).list_topics(timeout=20).topics
        return sorted(topic for topic in found if topic.startswith(self._tables))

    def rows(self) -> Rows:
        """Return what all tables hold now."""
        return {topic.removeprefix(self._tables): self._latest(topic) for topic in self.topics()}

    def records(self, table: str) -> dict[Key, tuple[bytes, bytes]]:
        """Return the last record of each row that a table holds, key and value as they are in its topic."""
        found: dict[Key, tuple[bytes, bytes]] = {}
        for record in consume(self._client, f"{self._tables}{table}"):
            key = self._decoded(record.key or b"")
            found.pop((key["id"], key["locale"]), None)
            if record.value is not None:
                found[key["id"], key["locale"]] = (record.key or b"", record.value)
        return found

    def forged(self, value: bytes, **columns: Any) -> bytes:
        """Return a row with other values, written with the same schema."""
        row = {**self._decoded(value), **columns}
        written = io.BytesIO()
        fastavro.schemaless_writer(written, self._schemas[int.from_bytes(value[1:5], "big")], row)
        return value[:5] + written.getvalue()

    def _latest(self, topic: str) -> dict[Key, dict[str, Any]]:
        found: dict[Key, dict[str, Any]] = {}
        for record in consume(self._client, topic):
            key = self._decoded(record.key or b"")
            at = key["id"], key["locale"]
            if record.value is None:
                found.pop(at, None)
            else:
                found[at] = row = self._decoded(record.value)
                assert (row["_entity_id"], row["_locale"]) == at
        return found

    def _decoded(self, framed: bytes) -> dict[str, Any]:
        assert framed[:1] == b"\0"
        number = int.from_bytes(framed[1:5], "big")
        if number not in self._schemas:
            answer = httpx.get(f"{self._registry}/schemas/ids/{number}", timeout=20).raise_for_status().json()
            self._schemas[number] = fastavro.parse_schema(json.loads(answer["schema"]))
        found: Any = fastavro.schemaless_reader(io.BytesIO(framed[5:]), self._schemas[number], None)
        return dict(found)


def differences(
    simulator: Simulator, vendor: str, held: Rows, *, chosen: Callable[[Live], bool] = lambda _: True
) -> list[str]:
    """Return in what tables with a row for each locale differ from what the CMS delivers, as sentences.

    `chosen`: which entries are to have rows. A locale that only fields which are gone by now have may have a row.
    """
    model = simulator.model(vendor)
    types = {each.id: each for each in model.content_types}
    default = model.locales[0].code
    wanted: dict[str, set[Key]] = {}
    said = []
    for live in simulator.truth(vendor):
        if live.entity_type != "entry" or not chosen(live):
            continue
        table, fields = spelled(live.content_type or ""), json.loads(live.fields or b"{}")
        known = {field.name: field for field in types[live.content_type or ""].fields}
        due = locales(live, {name: fields[name] for name in fields.keys() & known.keys()}, default)
        for locale in {*due, *locales(live, fields, default)}:
            wanted.setdefault(table, set()).add((live.id, locale))
            row = held.get(table, {}).get((live.id, locale))
            if row is None:
                said += [f"{table} lacks {live.id} {locale}"] if locale in due else []
                continue
            for field in known.values():
                value = _value(live, fields, field, locale, default)
                if not _holds(row, field.name, value):
                    said.append(f"{table} {live.id} {locale} {field.name}: {value!r} is not in {_columns(row, field)}")
    for table, rows in held.items():
        if not table.startswith("_"):
            said += [f"{table} has {key}, which is gone" for key in rows.keys() - wanted.get(table, set())]
    return said


def own_differences(simulator: Simulator, vendor: str, held: Rows) -> list[str]:
    """Return in what the tables of assets, content types and locales differ from the CMS, as sentences."""
    model, said = simulator.model(vendor), []
    default = model.locales[0].code
    assets: dict[Key, Any] = {}
    for live in simulator.truth(vendor):
        fields = json.loads(live.fields or b"{}")
        for locale in locales(live, fields, default) if live.entity_type == "asset" else ():
            title = fields.get("title") if live.locale != "*" else fields.get("title", {}).get(locale)
            assets[live.id, locale] = title
    tables = {
        "_asset": (assets, "title"),
        "_content_type": ({(each.id, "*"): spelled(each.id) for each in model.content_types}, "table"),
        "_locale": ({(each.code, "*"): each.fallback for each in model.locales}, "fallback"),
    }
    for table, (wanted, column) in tables.items():
        found = {at: row[column] for at, row in held.get(table, {}).items()}
        said += [f"{table} {at}: {found.get(at)!r} is not {wanted.get(at)!r}" for at in found.keys() ^ wanted.keys()]
        said += [
            f"{table} {at}: {found[at]!r} is not {wanted[at]!r}"
            for at in found.keys() & wanted.keys()
            if found[at] != wanted[at]
        ]
    return said


def spelled(name: str) -> str:
    """Return what a simulated CMS's name is called in tables, by the document: what Avro refuses becomes its code."""
    return re.sub(r"[^A-Za-z0-9_]|^[0-9]", lambda found: f"_x{ord(found[0]):02x}", name)


def locales(live: Live, fields: dict[str, Any], default: str) -> list[str]:
    """Return the locales that an entry has rows of; `default` is the one without values."""
    if live.locale != "*":
        return [live.locale]
    return sorted({locale for by_locale in fields.values() for locale in by_locale}) or [default]


def _value(live: Live, fields: dict[str, Any], field: Field, locale: str, default: str) -> Any:
    value = fields.get(field.name)
    if live.locale != "*":
        return value
    return (value or {}).get(locale if field.localized else default)


def _columns(row: dict[str, Any], field: Field) -> dict[str, Any]:
    name = spelled(field.name)
    return {column: value for column, value in row.items() if column == name or column.startswith(f"{name}__")}


def _holds(row: dict[str, Any], name: str, value: Any) -> bool:
    """Return whether the columns of a field hold a value, in any of the forms that its type may have."""
    columns = {column: held for column, held in row.items() if column.split("__")[0] == spelled(name)}
    held = {column.rpartition("__")[2]: each for column, each in columns.items() if each is not None}
    if value is None or value in ("", []):
        return all(each in ("", [], '""', "[]") for each in held.values())
    if "lat" in held and isinstance(value, dict) and value.keys() in ({"lat", "lon"}, {"latitude", "longitude"}):
        return held == {name[:3]: degrees for name, degrees in value.items()}
    return any(_same(each, value) for each in held.values())


def _same(held: Any, value: Any) -> bool:
    if isinstance(held, str) and (held == value or held == _id(value)):
        return True
    if isinstance(held, list):
        return held == [_id(each) for each in value] if isinstance(value, list) else held == [_id(value)]
    if isinstance(held, str):
        try:
            return bool(json.loads(held) == value)
        except ValueError:
            return isinstance(value, list) and [held] == [_id(each) for each in value]
    return bool(type(held) in (bool, int, float) and held == value)


def _id(value: Any) -> Any:
    if isinstance(value, dict):
        return value.get("sys", {}).get("id") or value.get("sys", {}).get("urn") or value.get("uid")
    return value


def content_model(source: Source) -> ContentModel:
    """Return a simulated CMS's content model: what its API lists, and the content types that its stream delivers."""
    listed = fetch(source)
    raws = [
        change.raw
        for page in source.walk(Position())
        for change in page.changes
        if change.key.entity_type == "content_type"
    ]
    streamed = gather(source.vendor.model, [ModelFrame("content_type", raws)])
    assert (listed.unread, streamed.unread) == ((), ())
    assert not (raws and listed.content.content_types)
    types = listed.content.content_types or streamed.content.content_types
    return replace(listed.content, content_types=types)
