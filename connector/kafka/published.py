"""Published records, decoded for a person or a script: the events of a connection, and its dead letters."""

import json
import re
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from types import MappingProxyType
from typing import Any, Final, get_args

import msgspec

from connector import wiring
from connector.config.settings import Config, Connection
from connector.console import moment, plain
from connector.errors import ForeignRecord, StateTooNew
from connector.events import codec
from connector.kafka import reader
from connector.kafka.cluster import Cluster
from connector.kafka.foreign_records import Foreign, Standing
from connector.kafka.layout import Layout, partitioned
from connector.kafka.reader import Consumed, Place
from connector.kafka.registry import Registry
from connector.kafka.schema_ids import check_recorded
from connector.model.change import EntityKey, EntityType
from connector.model.checkpoint import Checkpoint, KeySchemaId

_Reader = Callable[[bytes], dict[str, Any]]

_ANY: Final = {"entity_type": "(?:entry|asset|content_type)", "locale": "[A-Za-z0-9._-]+"}


LETTER_HEADERS: Final = ("when", "error", "item type", "item id", "reason")

_WIDTHS: Final = (2, 16, 24, 6, 5, 8, 0)  # of op, table, id, locale, revision, freshness, origin


class Entry(msgspec.Struct, frozen=True):
    """One record with its decoded key and value; a None value is a tombstone. `key` is text where it is no Avro.

    `foreign` says that contentwire did not write it, and why it cannot have: then key and value are None.
    """

    record: Consumed
    key: Any
    value: dict[str, Any] | None
    foreign: Foreign | None = None

    def standing(self) -> tuple[str, int, bytes | None, Foreign | None]:
        """Return what `foreign_records.Standing` takes in; a tombstone replaces whatever its key stood for."""
        record = self.record
        foreign = self.foreign if record.key is None or record.value is not None else None
        return record.topic, record.partition, record.key, foreign

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


def events(  # noqa: PLR0913  what readers choose
    config: Config,
    connection: Connection,
    *,
    from_beginning: bool,
    until_end: bool,
    go_on: Mapping[Place, int] = MappingProxyType({}),
    partitions: Mapping[str, int] = MappingProxyType({}),
) -> Iterator[Entry]:
    """Yield what consumers of the connection's changes topics get, foreign records too.

    With `partitions`, how many a topic has, a record is foreign too where it is not in its key's partition. Raises what
    `reader.records` and `compare` raise, and what a registry does that does not answer or refuses.
    """
    pattern = changes_pattern(wiring.layout(config.kafka, connection))
    registry = wiring.registry(config.kafka)
    if not go_on:
        compare(config, connection, registry)
    keys, values = _Decoder(registry, "key"), _Decoder(registry, "envelope", "flat")
    decode = partial(_event, keys, values, connection.name, partitions)
    client = config.kafka.properties()
    found = reader.records(client, pattern, from_beginning=from_beginning, until_end=until_end, go_on=go_on)
    return map(decode, found)


class Live:
    """What consumers hold of a stream: the index keys of live entities that are `chosen`, with their content types."""

    def __init__(
        self, config: Config, connection: Connection, chosen: Callable[[EntityKey, str | None], bool] = lambda *_: True
    ) -> None:
        written = partitions(config, connection)
        self._events = partial(events, config, connection, from_beginning=True, until_end=True, partitions=written)
        self._chosen = chosen
        self._read_to: dict[Place, int] = {}
        self._keys: dict[bytes, str | None] = {}

    def read(self) -> Mapping[bytes, str | None]:
        """Read to the end, from where the last call has ended; return what there is. Raises what `events` raises."""
        for entry in self._events(go_on=self._read_to):
            record = entry.record
            self._read_to[record.topic, record.partition] = record.offset + 1
            if not entry.foreign:
                self._apply(EntityKey(**entry.key), entry.value)
        return self._keys

    def _apply(self, key: EntityKey, value: Mapping[str, Any] | None) -> None:
        entity = None if value is None or value["op"] == "d" else value.get("after") or value
        if entity is None:
            self._keys.pop(codec.encode_key(key), None)
        elif self._chosen(key, entity["content_type"]):
            self._keys[codec.encode_key(key)] = entity["content_type"]


def partitions(config: Config, connection: Connection) -> Mapping[str, int]:
    """Return how many partitions each changes topic has that was written to."""
    checkpoint = _checkpoint(config, connection)
    return checkpoint.partitions if checkpoint else {}


def compare(config: Config, connection: Connection, at: Registry | None) -> str:
    """Return that keys are written as before, in a sentence.

    Raises `RegistryChanged` or `KeySchemaChanged` where they would not be: what is registered then would get in the way
    of a restored registry, and every record of ours looks foreign. Needs the broker, for the stream's checkpoint.
    """
    checkpoint = _checkpoint(config, connection)
    if checkpoint is None or not checkpoint.key_schema_id.framing:
        return "none were written yet"
    check_recorded(at, checkpoint.key_schema_id, connection.name)
    return f"written with the schema {checkpoint.key_schema_id.id}, as before"


def foreign(
    config: Config, connection: Connection, partitions: Mapping[str, int], *, newest: int | None = None
) -> Sequence[Foreign]:
    """Return what stands in the changes topics and was not written by contentwire.

    `partitions` as `events` takes it; `newest`: how many records of each partition are looked at, None for all. Raises
    what `events` raises.
    """
    begin: dict[Place, int] = {}
    if newest is not None:
        ends = reader.ends(config.kafka.properties(), changes_pattern(wiring.layout(config.kafka, connection)))
        begin = {place: max(end - newest, 0) for place, end in ends.items()}
    standing = Standing()
    for entry in events(config, connection, from_beginning=True, until_end=True, go_on=begin, partitions=partitions):
        standing.note(*entry.standing())
    return standing.found


def _checkpoint(config: Config, connection: Connection) -> Checkpoint | None:
    topic = wiring.layout(config.kafka, connection).state_topic
    cluster = Cluster(config.kafka.properties())
    if topic not in cluster.topics():
        return None
    try:
        return cluster.last_checkpoint(topic, connection.name)
    except ForeignRecord:
        return cluster.read_state(topic, connection.name)[0]
    except StateTooNew:
        return None


def dead_letters(config: Config, connection: Connection) -> Iterator[Entry]:
    """Yield the dead letters that the topic still holds, oldest first; `raw` is the item's bytes. As `events` else."""
    pattern = re.compile(re.escape(wiring.layout(config.kafka, connection).letters_topic))
    registry = wiring.registry(config.kafka)
    compare(config, connection, registry)
    decode = partial(_letter, _Decoder(registry, "dead_letter"))
    return map(decode, reader.records(config.kafka.properties(), pattern, from_beginning=True, until_end=True))


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
    """Decodes framed bytes by the schema that they were written with: a registry's, or one of this release."""

    def __init__(self, registry: Registry | None, *names: codec.Name) -> None:
        self._registry = registry
        self._names = names
        self._readers: dict[KeySchemaId, _Reader] = {
            codec.single_object(name).schema_id: partial(codec.decode, name) for name in names
        }

    def decode(self, data: bytes | None) -> dict[str, Any]:
        """Return what one of the decoder's schemas has written, whatever release it is of.

        Raises ValueError for anything else, and `ConnectorError` where the registry does not say.
        """
        written_by, body = codec.unframe(data or b"")
        reader = self._readers.get(written_by) or self._reader(written_by)
        if reader is None:
            # Not remembered: one node of a registry may learn of a schema later than another.
            raise ValueError(f"the {written_by.framing} schema {written_by.id} is unknown")
        self._readers[written_by] = reader
        return reader(body)

    def _reader(self, written_by: KeySchemaId) -> "_Reader | None":
        if written_by.framing != "confluent" or self._registry is None:
            return None
        schema = self._registry.by_id(int(written_by.id))
        if schema is None:
            return None
        ours = next((name for name in self._names if codec.same(name, schema)), None)
        return partial(codec.decode, ours) if ours else partial(self._resolved, schema)

    def _resolved(self, schema: str, body: bytes) -> dict[str, Any]:
        """Decode what another release has written, or nobody of ours."""
        for name in self._names:
            with suppress(ValueError):
                return codec.decode_as(name, schema, body)
        raise ValueError(f"its schema is not that of a contentwire {' or '.join(self._names)}")


def _event(keys: _Decoder, values: _Decoder, connection: str, partitions: Mapping[str, int], record: Consumed) -> Entry:
    try:
        key = EntityKey(**keys.decode(record.key))
        if key.connection != connection or key.entity_type not in get_args(EntityType):
            raise ValueError(f"its key is no entity's of {connection}")  # noqa: TRY301  as what decoding finds
    except (ValueError, TypeError) as error:
        return _foreign(record, f"its key is none of contentwire: {error}")
    count = partitions.get(record.topic)
    if count and record.partition != partitioned(record.key or b"", count):
        return _foreign(record, "it is not in its key's partition")
    try:
        value = None if record.value is None else values.decode(record.value)
    except ValueError as error:
        return _foreign(record, f"its value is none of contentwire: {error}")
    return Entry(record, msgspec.structs.asdict(key), value)


def _letter(values: _Decoder, record: Consumed) -> Entry:
    try:
        return Entry(record, (record.key or b"").decode("utf-8", "replace"), values.decode(record.value))
    except ValueError as error:
        return _foreign(record, f"its value is none of contentwire: {error}")


def _foreign(record: Consumed, why: str) -> Entry:
    return Entry(record, None, None, Foreign(record.topic, record.partition, record.offset, record.key, why))


def _readable(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")


def _line(*cells: str) -> str:
    return " ".join(f"{plain(cell):<{width}}" for cell, width in zip(cells, _WIDTHS, strict=False)).rstrip()
