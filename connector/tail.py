"""Published records, decoded for a person or a script: the events of a connection, and its dead letters."""

import json
import re
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, Final

import msgspec

from connector import codec, wiring
from connector.config import Config, Connection
from connector.errors import ConnectorError
from connector.kafka import reader
from connector.kafka.cluster import Cluster
from connector.kafka.layout import Layout
from connector.kafka.reader import Consumed, Place
from connector.model import KeySchemaId
from connector.registry import Registry
from connector.screen import moment, plain

_ANY: Final = {"entity_type": "(?:entry|asset|content_type)", "locale": "[A-Za-z0-9._-]+"}


LETTER_HEADERS: Final = ("when", "error", "item type", "item id", "reason")

_WIDTHS: Final = (2, 16, 24, 6, 5, 8, 0)  # of op, table, id, locale, revision, freshness, origin


class Entry(msgspec.Struct, frozen=True):
    """One record with its decoded key and value; a None value is a tombstone. `key` is text where it is no Avro."""

    record: Consumed
    key: Any
    value: dict[str, Any] | None

    def json(self) -> str:
        """Return the whole record as one line of JSON."""
        record = self.record
        place = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
        told = {**place, "timestamp_ms": record.timestamp_ms, "key": self.key, "value": self.value}
        return json.dumps(told, default=_readable)

    def event(self) -> str:
        """Return an event or a tombstone as one line: op, table, id, locale, revision, freshness."""
        if self.value is None:
            return _line("t", "(tombstone)", self.key["id"], self.key["locale"])
        value = self.value
        source = value.get("source") or {**value, "ts_ms": value["source_ts_ms"]}
        entity = (value.get("after") or value.get("before") or value) if "source" in value else value
        fresh = "" if value["origin"] != "delta" else f"{(value['ts_ms'] - source['ts_ms']) / 1000:.1f} s"
        revision = "" if entity["revision"] is None else f"r{entity['revision']}"
        cells = (value["op"], source["table"], entity["id"], entity["locale"], revision, fresh, value["origin"])
        return _line(*cells)

    def letter(self) -> tuple[object, ...]:
        """Return a dead letter's row: when, error, item type, item id, reason."""
        value = self.value or {}
        return tuple(
            moment(value.get(name)) if name == "ts_ms" else value.get(name)
            for name in ("ts_ms", "error", "item_type", "item_id", "reason")
        )


def topics(config: Config, connection: Connection) -> set[str]:
    """Return the connection's changes topics that there are. Raises `BrokerUnavailable` or `BrokerFatal`."""
    pattern = changes_pattern(wiring.layout(config.kafka, connection))
    return {name for name in Cluster(config.kafka.properties()).topics() if pattern.fullmatch(name)}


def events(
    config: Config,
    connection: Connection,
    *,
    from_beginning: bool,
    until_end: bool,
    go_on: Mapping[Place, int] = MappingProxyType({}),
) -> Iterator[Entry]:
    """Yield what consumers of the connection's changes topics get. Raises what `reader.records` and decoding raise."""
    pattern = changes_pattern(wiring.layout(config.kafka, connection))
    decode = partial(_entry, _Decoder(wiring.registry(config.kafka)))
    client = config.kafka.properties()
    found = reader.records(client, pattern, from_beginning=from_beginning, until_end=until_end, go_on=go_on)
    return map(decode, found)


def dead_letters(config: Config, connection: Connection) -> Iterator[Entry]:
    """Yield the dead letters that the topic still holds, oldest first; `raw` is the item's bytes."""
    pattern = re.compile(re.escape(wiring.layout(config.kafka, connection).letters_topic))
    decoder = _Decoder(wiring.registry(config.kafka))
    for record in reader.records(config.kafka.properties(), pattern, from_beginning=True, until_end=True):
        yield Entry(record, (record.key or b"").decode("utf-8", "replace"), decoder.decode(record.value or b""))


def newest(entries: Iterable[Entry], limit: int | None) -> Collection[Entry]:
    """Return the last `limit` entries, or all."""
    return deque(entries, maxlen=limit)


def changes_pattern(layout: Layout) -> re.Pattern[str]:
    """Return what the names of all changes topics of a stream match, and nothing else does."""
    known = {"prefix": re.escape(layout.prefix), "connection": re.escape(layout.connection)}
    parts = re.split(r"\{(\w+)\}", layout.topic)
    pattern = "".join((known | _ANY)[part] if at % 2 else re.escape(part) for at, part in enumerate(parts))
    reserved = "|".join(map(re.escape, (layout.state_topic, layout.letters_topic)))
    return re.compile(f"(?!(?:{reserved})$){pattern}")


class _Decoder:
    """Decodes framed values by the schema they were written with: a registry's, or one of this release."""

    def __init__(self, registry: Registry | None) -> None:
        self._registry = registry
        self._schemas: dict[str, str] = {}
        names: tuple[codec.Name, ...] = ("envelope", "flat", "dead_letter")
        self._own = {codec.single_object(name).schema_id.id: codec.text(name) for name in names}

    def decode(self, data: bytes) -> dict[str, Any]:
        """Return a value; raises `ConnectorError` if its schema cannot be had or does not fit."""
        try:
            written_by, body = codec.unframe(data)
            return codec.decode_by(self._schema(written_by), body)
        except ValueError as error:
            raise ConnectorError(
                f"a record cannot be decoded: {error}",
                hint="something else has written to the topic, or a newer contentwire: read it with that release",
            ) from error

    def _schema(self, written_by: KeySchemaId) -> str:
        if written_by.framing == "confluent":
            return self._fetched(written_by.id)
        if written_by.id not in self._own:
            raise ValueError("a schema that this release does not know")
        return self._own[written_by.id]

    def _fetched(self, schema_id: str) -> str:
        if self._registry is None:
            raise ConnectorError(
                f"a record was written with the registry's schema {schema_id}, and no registry is configured",
                hint="write registry = { url = … } into [kafka]",
            )
        if schema_id not in self._schemas:
            self._schemas[schema_id] = self._registry.schema(int(schema_id))
        return self._schemas[schema_id]


def _entry(decoder: _Decoder, record: Consumed) -> Entry:
    key = msgspec.structs.asdict(codec.decode_key(codec.unframe(record.key or b"")[1]))
    return Entry(record, key, None if record.value is None else decoder.decode(record.value))


def _readable(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")


def _line(*cells: str) -> str:
    return " ".join(f"{plain(cell):<{width}}" for cell, width in zip(cells, _WIDTHS, strict=False)).rstrip()
