"""Published records, decoded: a stream's events, rows and dead letters, and what consumers hold of it. Only reads."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from types import MappingProxyType
from typing import Any, get_args

import msgspec

from connector.clock import Clock
from connector.events import codec
from connector.kafka import reader
from connector.kafka.client import Settings
from connector.kafka.foreign_records import Foreign, Standing
from connector.kafka.reader import Consumed, Place
from connector.kafka.registry import Registry
from connector.kafka.schema_ids import check_recorded
from connector.kafka.topic_names import Layout, partitioned
from connector.model.change import ALL_LOCALES, EntityKey, EntityType
from connector.model.checkpoint import Checkpoint, KeySchemaId
from connector.tables import names

_Reader = Callable[[bytes], dict[str, Any]]

_BEGINNING: Mapping[Place, int] = MappingProxyType({})


class Entry(msgspec.Struct, frozen=True):
    """One record with its decoded key and value; a None value is a tombstone. `key` is text if it is not Avro.

    `foreign` says that contentwire did not write it, and how we know: then key and value are None. `schema` is the text
    of the schema that a table's row was written with.
    """

    record: Consumed
    key: Any
    value: dict[str, Any] | None
    foreign: Foreign | None = None
    schema: str = ""

    def standing(self) -> tuple[str, int, bytes | None, Foreign | None]:
        """Return what `foreign_records.Standing` takes; a tombstone replaces whatever its key stood for."""
        record = self.record
        foreign = self.foreign if record.key is None or record.value is not None else None
        return record.topic, record.partition, record.key, foreign


class PublishedRecords:
    """The records in one stream's topics, as consumers get them, foreign ones included.

    `checkpoint`, the stream's last one or None before its first, says how keys are written and how many partitions a
    topic has. Methods raise `BrokerUnavailable` or `BrokerFatal`, what `check_keys` raises, and what a `Registry`
    raises.
    """

    def __init__(
        self, client: Settings, layout: Layout, registry: Registry | None, checkpoint: Checkpoint | None, clock: Clock
    ) -> None:
        self._client = client
        self._layout = layout
        self._registry = registry
        self._checkpoint = checkpoint
        self._clock = clock

    def check_keys(self) -> str:
        """Return a sentence that says how keys are written, if that is as before.

        Else raises `RegistryChanged` or `KeySchemaChanged`: anything registered now would conflict with a restored
        registry, and every record of ours would look foreign.
        """
        recorded = self._checkpoint.progress.key_schema_id if self._checkpoint else None
        if recorded is None or not recorded.framing:
            return "none were written yet"
        check_recorded(self._registry, recorded, self._layout.connection)
        return f"written with the schema {recorded.id}, as before"

    def tail(self, *, from_beginning: bool, until_end: bool) -> Iterator[Entry]:
        """Yield events as they come, from the oldest or from now on; without `until_end` it never ends."""
        self.check_keys()
        pattern = self._layout.changes_pattern
        found = reader.records(
            self._client, pattern, from_beginning=from_beginning, until_end=until_end, clock=self._clock
        )
        return map(self._decode({}), found)

    def tail_rows(self, tables: Sequence[str], *, from_beginning: bool, until_end: bool) -> Iterator[Entry]:
        """Yield the rows of these tables, of all if none is named, as `tail` yields events."""
        self.check_keys()
        pattern = self._layout.tables_named(*tables)
        found = reader.records(
            self._client, pattern, from_beginning=from_beginning, until_end=until_end, clock=self._clock
        )
        return map(self._decode_rows({}), found)

    def events(self, begin: Mapping[Place, int] = _BEGINNING) -> Iterator[Entry]:
        """Yield the events up to now, from the offsets in `begin`, else from the start of a partition.

        A record outside its key's partition is foreign too. Keys are not checked when a read continues.
        """
        return map(self._decode(self._partitions), self._until_now(self._layout.changes_pattern, begin))

    def rows(self, begin: Mapping[Place, int] = _BEGINNING) -> Iterator[Entry]:
        """Yield the rows of all tables up to now, as `events` yields events; a None value deletes a row."""
        return map(self._decode_rows(self._partitions), self._until_now(self._layout.tables_pattern, begin))

    def foreign(self, newest: int | None = None) -> Sequence[Foreign]:
        """Return the records in the changes topics that contentwire did not write.

        `newest`: how many of each partition's newest records to read, None for all.
        """
        return _standing(self.events(self._newest(self._layout.changes_pattern, newest)))

    def foreign_rows(self, newest: int | None = None) -> Sequence[Foreign]:
        """Return the records in the tables' topics that contentwire did not write, as `foreign` does."""
        return _standing(self.rows(self._newest(self._layout.tables_pattern, newest)))

    def dead_letters(self) -> Iterator[Entry]:
        """Yield the dead letters that the topic still holds, oldest first; `raw` is the item's bytes."""
        self.check_keys()
        pattern = re.compile(re.escape(self._layout.letters_topic))
        decode = partial(_letter, _Decoder(self._registry, "dead_letter"))
        return map(
            decode, reader.records(self._client, pattern, from_beginning=True, until_end=True, clock=self._clock)
        )

    @property
    def _partitions(self) -> Mapping[str, int]:
        return self._checkpoint.progress.partitions if self._checkpoint else {}

    def _until_now(self, pattern: re.Pattern[str], begin: Mapping[Place, int]) -> Iterator[Consumed]:
        if not begin:
            self.check_keys()
        return reader.records(
            self._client, pattern, from_beginning=True, until_end=True, go_on=begin, clock=self._clock
        )

    def _newest(self, pattern: re.Pattern[str], count: int | None) -> Mapping[Place, int]:
        if count is None:
            return _BEGINNING
        return {place: max(end - count, 0) for place, end in reader.ends(self._client, pattern).items()}

    def _decode(self, partitions: Mapping[str, int]) -> Callable[[Consumed], Entry]:
        keys, values = _Decoder(self._registry, "key"), _Decoder(self._registry, "envelope", "flat")
        return partial(_event, keys, values, self._layout.connection, partitions)

    def _decode_rows(self, partitions: Mapping[str, int]) -> Callable[[Consumed], Entry]:
        keys, values = _Decoder(self._registry, "key"), _RowDecoder(self._registry, self._layout)
        return partial(_row, keys, values, self._layout.connection, partitions)


class Held(msgspec.Struct, frozen=True):
    """What consumers hold of an entity: its event with a content type, if `live`; its rows, by table and locale."""

    live: bool = False
    content_type: str | None = None
    rows: frozenset[tuple[str, str]] = frozenset()


class Live:
    """What consumers hold of a stream, by index key: the live entities that are `chosen`, and those that have rows.

    `localized`: as for `entity_of`; None if there are no tables.
    """

    def __init__(
        self,
        published: PublishedRecords,
        chosen: Callable[[EntityKey, str | None], bool],
        *,
        localized: bool | None = None,
    ) -> None:
        self._published = published
        self._chosen = chosen
        self._localized = localized
        self._read_to: dict[Place, int] = {}
        self._rows_read_to: dict[Place, int] = {}
        self._held: dict[bytes, Held] = {}

    def read(self) -> Mapping[bytes, Held]:
        """Read to the end, from where the last call ended; return what is held. Raises what `events` raises."""
        for entry in _noting(self._published.events(self._read_to), self._read_to):
            self._apply(EntityKey(**entry.key), entry.value)
        if self._localized is not None:
            for entry in _noting(self._published.rows(self._rows_read_to), self._rows_read_to):
                self._apply_row(entry, entity_of(EntityKey(**entry.key), localized=self._localized))
        return self._held

    def _apply(self, key: EntityKey, value: Mapping[str, Any] | None) -> None:
        entity = None if value is None or value["op"] == "d" else value.get("after") or value
        if entity is None:
            self._put(codec.encode_key(key), live=False, content_type=None)
        elif self._chosen(key, entity["content_type"]):
            self._put(codec.encode_key(key), live=True, content_type=entity["content_type"])

    def _apply_row(self, entry: Entry, entity: EntityKey) -> None:
        table, body = table_of(entry), codec.encode_key(entity)
        row, before = (table, entry.key["locale"]), self._held.get(body, Held()).rows
        if entry.value is None:
            self._put(body, rows=before - {row})
        elif self._chosen(entity, names.unescape(table)):
            self._put(body, rows=before | {row})

    def _put(self, body: bytes, **changed: Any) -> None:
        held = msgspec.structs.replace(self._held.get(body, Held()), **changed)
        if held.live or held.rows:
            self._held[body] = held
        else:
            self._held.pop(body, None)


def table_of(entry: Entry) -> str:
    """Return the table of a row, by its topic."""
    return entry.record.topic.rpartition(".")[2]


def entity_of(row: EntityKey, *, localized: bool) -> EntityKey:
    """Return the key of a row's entity, by the row's; `localized`: each item of the vendor is of one locale."""
    return row if localized else EntityKey(row.connection, row.entity_type, row.id, ALL_LOCALES)


def _noting(entries: Iterable[Entry], read_to: dict[Place, int]) -> Iterator[Entry]:
    """Yield what is ours, and note in `read_to` how far was read."""
    for entry in entries:
        record = entry.record
        read_to[record.topic, record.partition] = record.offset + 1
        if not entry.foreign:
            yield entry


class _Decoder:
    """Decodes framed bytes by the schema that they were written with: a registry's, or one of this release."""

    def __init__(self, registry: Registry | None, *names: codec.Name) -> None:
        self._registry = registry
        self._names = names
        self._readers: dict[KeySchemaId, _Reader] = {
            codec.single_object(name).schema_id: partial(codec.decode, name) for name in names
        }

    def decode(self, data: bytes | None) -> dict[str, Any]:
        """Return what was written with one of the decoder's schemas, of any release.

        Raises ValueError for anything else, and `ConnectorError` if the registry does not answer.
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
        """Decode what another release has written; raise ValueError if it is not ours."""
        for name in self._names:
            with suppress(ValueError):
                return codec.decode_as(name, schema, body)
        raise ValueError(f"its schema is not that of a contentwire {' or '.join(self._names)}")


class _RowDecoder:
    """Decodes the rows of a stream's tables by the schemas that they were written with, which a registry has."""

    def __init__(self, registry: Registry | None, layout: Layout) -> None:
        self._registry = registry
        self._layout = layout
        self._schemas: dict[KeySchemaId, str] = {}

    def decode(self, record: Consumed, key: EntityKey) -> tuple[dict[str, Any] | None, str]:
        """Return the row of a record, None for one that deletes it, and the schema it was written with.

        Raises ValueError for what is no row of this table and key, `ConnectorError` if the registry does not answer.
        """
        if record.value is None:
            return None, ""
        written_by, body = codec.unframe(record.value)
        schema = self._schema(written_by)
        name = names.record(self._layout.connection, record.topic.removeprefix(self._layout.tables_prefix))
        if full_name(schema) != name:
            raise ValueError(f"its schema is not that of {name}")
        row = codec.decode_by(schema, body)
        if (row.get("_entity_id"), row.get("_locale")) != (key.id, key.locale):
            raise ValueError("it is the row of another key")
        return row, schema

    def _schema(self, written_by: KeySchemaId) -> str:
        if written_by not in self._schemas:
            confluent = written_by.framing == "confluent" and self._registry
            schema = confluent.by_id(int(written_by.id)) if confluent else None
            if schema is None:
                raise ValueError(f"the {written_by.framing} schema {written_by.id} is unknown")
            self._schemas[written_by] = schema
        return self._schemas[written_by]


def full_name(schema: str) -> str:
    """Return the full name of the record that a schema's text describes, nothing for what is no such text."""
    try:
        found = msgspec.json.decode(schema, type=_Named)
    except (ValueError, RecursionError):
        return ""
    return f"{found.namespace}.{found.name}" if found.type == "record" else ""


class _Named(msgspec.Struct):
    type: str
    name: str
    namespace: str


def _event(keys: _Decoder, values: _Decoder, connection: str, partitions: Mapping[str, int], record: Consumed) -> Entry:
    key = _key(keys, connection, partitions, record)
    if isinstance(key, Entry):
        return key
    try:
        value = None if record.value is None else values.decode(record.value)
    except ValueError as error:
        return _foreign(record, f"its value is not contentwire's: {error}")
    return Entry(record, msgspec.structs.asdict(key), value)


def _row(
    keys: _Decoder, values: _RowDecoder, connection: str, partitions: Mapping[str, int], record: Consumed
) -> Entry:
    key = _key(keys, connection, partitions, record)
    if isinstance(key, Entry):
        return key
    try:
        value, schema = values.decode(record, key)
    except ValueError as error:
        return _foreign(record, f"its value is not contentwire's: {error}")
    return Entry(record, msgspec.structs.asdict(key), value, schema=schema)


def _key(keys: _Decoder, connection: str, partitions: Mapping[str, int], record: Consumed) -> EntityKey | Entry:
    """Return the key of a record, or why it is foreign."""
    try:
        key = EntityKey(**keys.decode(record.key))
        if key.connection != connection or key.entity_type not in get_args(EntityType):
            raise ValueError(f"its key names no entity of {connection}")  # noqa: TRY301  as decoding does
    except (ValueError, TypeError) as error:
        return _foreign(record, f"its key is not contentwire's: {error}")
    count = partitions.get(record.topic)
    if count and record.partition != partitioned(record.key or b"", count):
        return _foreign(record, "it is not in its key's partition")
    return key


def _standing(entries: Iterable[Entry]) -> Sequence[Foreign]:
    standing = Standing()
    for entry in entries:
        standing.note(*entry.standing())
    return standing.found


def _letter(values: _Decoder, record: Consumed) -> Entry:
    try:
        return Entry(record, (record.key or b"").decode("utf-8", "replace"), values.decode(record.value))
    except ValueError as error:
        return _foreign(record, f"its value is not contentwire's: {error}")


def _foreign(record: Consumed, why: str) -> Entry:
    return Entry(record, None, None, Foreign(record.topic, record.partition, record.offset, record.key, why))
