"""Removes from a stream's topics what contentwire did not write; works on a running stream, whose owner continues."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from connector.errors import ForeignRecord
from connector.events import codec
from connector.events.index import Index, row_locales
from connector.events.record import Record
from connector.events.state_record import CHECKPOINT_KEY
from connector.kafka.foreign_records import Foreign
from connector.kafka.published import entity_of
from connector.kafka.store import KafkaStore
from connector.kafka.topic_names import Layout, partitioned
from connector.model.change import EntityKey
from connector.model.checkpoint import Checkpoint
from connector.tables import names
from connector.wiring import ConfiguredStream, against_owner

_COMPACTED: Final = "compaction drops it: it has no key to write a tombstone for"
_NO_CHECKPOINT: Final = "no checkpoint is left: contentwire checkpoints import {} FILE, with an exported one"
_UNVOUCHED: Final = "stays, because nothing says what is live: import a checkpoint, then contentwire snapshot {} --all"
_AT_ONCE: Final = 1000  # tombstones of one transaction
_EXPIRES: Final = "expires with the topic's retention; it is skipped until then"


class Found(msgspec.Struct, frozen=True):
    """A foreign record. `removed`: whoever reads the topic to its end no longer holds it. `remark`: what to do next."""

    record: Foreign
    removed: bool = False
    remark: str = ""

    def facts(self) -> dict[str, Any]:
        """Return it, ready for JSON, without its key, which may be anything."""
        place = {name: getattr(self.record, name) for name in ("topic", "partition", "offset", "why")}
        return {**place, "removed": self.removed, "remark": self.remark}


def find(stream: ConfiguredStream) -> list[Found]:
    """Return the foreign records in a stream's topics, all of which are read. Changes nothing."""
    checkpoint, state = _in_state(stream)
    published = stream.published_at(checkpoint)
    letters = [entry.foreign for entry in published.dead_letters() if entry.foreign]
    standing = [*state, *published.foreign(), *(published.foreign_rows() if stream.connection.tables else ())]
    found = [Found(each, remark="" if each.key is not None else _COMPACTED) for each in standing]
    return found + [Found(each, remark=_EXPIRES) for each in letters]


def remove(stream: ConfiguredStream) -> list[Found]:
    """Remove what `find` finds, as far as possible; return all of it with the outcome of each.

    In the state topic, a foreign record is replaced by the record before it, or by a tombstone. A record under the key
    of a live entity, or of a row that it has, stays: the entity has to be published again. Raises `Unreachable`,
    `StreamStopped`, or `ConnectorError` if the owner was faster every time.
    """
    found = find(stream)
    if all(each.remark for each in found):
        return found
    layout, store, index = stream.layout, stream.store(), Index()

    def once() -> list[Found]:
        checkpoint = _recovered(store, index)
        localized = stream.vendor.localized
        judged = [_judged(each, layout, checkpoint, index, localized=localized) for each in found]
        gone = [each.record for each in judged if each.removed and each.record.topic != layout.state_topic]
        for at in range(0, len(gone), _AT_ONCE):
            part = gone[at : at + _AT_ONCE]
            store.replace([Record(each.topic, each.key, None, [], each.partition) for each in part])
        return judged

    try:
        return against_owner(stream.name, once)
    finally:
        store.close()


def _recovered(store: KafkaStore, index: Index) -> Checkpoint | None:
    try:
        return store.recover(index)
    except ForeignRecord:
        store.mend(index)
        return store.recover(index)


def _judged(
    found: Found, layout: Layout, checkpoint: Checkpoint | None, index: Index, *, localized: bool = False
) -> Found:
    """Return the outcome for a record, now that nobody else can publish; `localized` as for `entity_of`."""
    record = found.record
    if found.remark or record.key is None:
        return found
    if record.key == CHECKPOINT_KEY and checkpoint is None:
        return Found(record, removed=True, remark=_NO_CHECKPOINT.format(layout.connection))
    if record.topic == layout.state_topic:
        return Found(record, removed=True)
    if checkpoint is None or not checkpoint.progress.key_schema_id.framing:
        return Found(record, remark=_UNVOUCHED.format(layout.connection))
    live = _live(record, layout, index, localized=localized)
    if live is None:
        return Found(record, removed=True)
    # Republishing replaces the record in the entity's own partition; a record in another would stay.
    elsewhere = record.partition != partitioned(record.key, checkpoint.progress.partitions.get(record.topic, 1))
    command = f"contentwire snapshot {layout.connection} --entity {live.id}"
    return Found(record, removed=elsewhere, remark=f"the entity is live: {command}")


def _live(record: Foreign, layout: Layout, index: Index, *, localized: bool) -> EntityKey | None:
    """Return the live entity in whose place a record stands: under its key or, in its table, under that of a row."""
    body = _entity(record.key or b"")
    if not layout.is_table(record.topic):
        entry = index.get(body) if body else None
        return codec.decode_key(body) if body and entry and entry.live else None
    try:
        row = codec.decode_key(body or b"")
    except (ValueError, TypeError):
        return None
    entity = entity_of(row, localized=localized)
    entry = index.get(codec.encode_key(entity))
    if entry is None or row.locale not in row_locales(entry.rows):
        return None
    table = record.topic.removeprefix(layout.tables_prefix)
    return entity if row.entity_type != "entry" or table == names.escape(entry.content_type or "") else None


def _entity(key: bytes) -> bytes | None:
    """Return the index key of an event's key, whatever its schema id; None if it has no known framing."""
    try:
        return codec.unframe(key)[1]
    except ValueError:
        return None


def _in_state(stream: ConfiguredStream) -> tuple[Checkpoint | None, Sequence[Foreign]]:
    topic = stream.layout.state_topic
    if topic not in stream.cluster.topics():
        return None, []
    checkpoint, judge = stream.cluster.read_state(topic, stream.name)
    return checkpoint, [*judge.foreign, *judge.harmless]
