"""Published records, decoded: a stream's events, its dead letters, and what consumers hold of it. Only reads."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from connector.model.change import EntityKey, EntityType
from connector.model.checkpoint import Checkpoint, KeySchemaId

_Reader = Callable[[bytes], dict[str, Any]]

_BEGINNING: Mapping[Place, int] = MappingProxyType({})


class Entry(msgspec.Struct, frozen=True):
    """One record with its decoded key and value; a None value is a tombstone. `key` is text if it is not Avro.

    `foreign` says that contentwire did not write it, and how we know: then key and value are None.
    """

    record: Consumed
    key: Any
    value: dict[str, Any] | None
    foreign: Foreign | None = None

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

    def events(self, begin: Mapping[Place, int] = _BEGINNING) -> Iterator[Entry]:
        """Yield the events up to now, from the offsets in `begin`, else from the start of a partition.

        A record outside its key's partition is foreign too. Keys are not checked when a read continues.
        """
        if not begin:
            self.check_keys()
        partitions = self._checkpoint.progress.partitions if self._checkpoint else {}
        pattern = self._layout.changes_pattern
        found = reader.records(
            self._client, pattern, from_beginning=True, until_end=True, go_on=begin, clock=self._clock
        )
        return map(self._decode(partitions), found)

    def foreign(self, newest: int | None = None) -> Sequence[Foreign]:
        """Return the records in the changes topics that contentwire did not write.

        `newest`: how many of each partition's newest records to read, None for all.
        """
        begin: dict[Place, int] = {}
        if newest is not None:
            ends = reader.ends(self._client, self._layout.changes_pattern)
            begin = {place: max(end - newest, 0) for place, end in ends.items()}
        standing = Standing()
        for entry in self.events(begin):
            standing.note(*entry.standing())
        return standing.found

    def dead_letters(self) -> Iterator[Entry]:
        """Yield the dead letters that the topic still holds, oldest first; `raw` is the item's bytes."""
        self.check_keys()
        pattern = re.compile(re.escape(self._layout.letters_topic))
        decode = partial(_letter, _Decoder(self._registry, "dead_letter"))
        return map(
            decode, reader.records(self._client, pattern, from_beginning=True, until_end=True, clock=self._clock)
        )

    def _decode(self, partitions: Mapping[str, int]) -> Callable[[Consumed], Entry]:
        keys, values = _Decoder(self._registry, "key"), _Decoder(self._registry, "envelope", "flat")
        return partial(_event, keys, values, self._layout.connection, partitions)


class Live:
    """What consumers hold of a stream: the index keys of live entities that are `chosen`, with their content types."""

    def __init__(self, published: PublishedRecords, chosen: Callable[[EntityKey, str | None], bool]) -> None:
        self._published = published
        self._chosen = chosen
        self._read_to: dict[Place, int] = {}
        self._keys: dict[bytes, str | None] = {}

    def read(self) -> Mapping[bytes, str | None]:
        """Read to the end, from where the last call ended; return what is live. Raises what `events` raises."""
        for entry in self._published.events(self._read_to):
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


def _event(keys: _Decoder, values: _Decoder, connection: str, partitions: Mapping[str, int], record: Consumed) -> Entry:
    try:
        key = EntityKey(**keys.decode(record.key))
        if key.connection != connection or key.entity_type not in get_args(EntityType):
            raise ValueError(f"its key names no entity of {connection}")  # noqa: TRY301  as decoding does
    except (ValueError, TypeError) as error:
        return _foreign(record, f"its key is not contentwire's: {error}")
    count = partitions.get(record.topic)
    if count and record.partition != partitioned(record.key or b"", count):
        return _foreign(record, "it is not in its key's partition")
    try:
        value = None if record.value is None else values.decode(record.value)
    except ValueError as error:
        return _foreign(record, f"its value is not contentwire's: {error}")
    return Entry(record, msgspec.structs.asdict(key), value)


def _letter(values: _Decoder, record: Consumed) -> Entry:
    try:
        return Entry(record, (record.key or b"").decode("utf-8", "replace"), values.decode(record.value))
    except ValueError as error:
        return _foreign(record, f"its value is not contentwire's: {error}")


def _foreign(record: Consumed, why: str) -> Entry:
    return Entry(record, None, None, Foreign(record.topic, record.partition, record.offset, record.key, why))
