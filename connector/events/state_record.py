"""The checkpoint's record in the state topic: its key, and its flat value as bytes or JSON, both ways. Pure."""

import json
from typing import Any

import msgspec

from connector.events import codec
from connector.events.index import check_version
from connector.model.checkpoint import Checkpoint, KeySchemaId, KnownTopic, Phase, Position, Progress, Request

# No index key can equal it: those begin with the (never zero) length of the connection's name.
CHECKPOINT_KEY = b"\x00checkpoint"
CHECKPOINT_VERSION = 1

# Older releases end a checkpoint before its topic ids, or before its snapshot's epoch: an empty map and a zero, ignored
# after a full record.
_UNWRITTEN = b"\0\0"
# Written in place of a topic's id: the topic is replaceable, or also of a former configuration.
_REPLACEABLE, _FORMER = "", "-"
# Before the id of a topic that holds rows. An id has no colon.
_TABLE = "table:"
# Kept in the request, where releases without a second walk of their own look for it.
_SECOND_WALK = "second_look"
_WALKED = "reconciling", "streaming"


class _Record(msgspec.Struct, kw_only=True):
    """The record, member by member as in `schemas/checkpoint.avsc`."""

    version: int = CHECKPOINT_VERSION
    stream: str
    cursor: str | None = None
    phase: Phase = "snapshot"
    page: int = 0
    sequence: int = 0
    epoch: int = 1
    fingerprint: str = ""
    key_schema_id: KeySchemaId = KeySchemaId("", "")
    walk_open: bool = False
    request: str | None = None
    committed_at: int = 0
    identity: str | None = None
    page_size: int | None = None
    partitions: dict[str, int] = {}
    topic_ids: dict[str, str] = {}
    snapshot_epoch: int = 0


def encode_checkpoint(checkpoint: Checkpoint) -> bytes:
    """Return the state record's value."""
    return codec.encode("checkpoint", flat(checkpoint))


def decode_checkpoint(value: bytes) -> Checkpoint:
    """Return the checkpoint of a state record.

    Raises `StateTooNew` for a version this release does not know, `ValueError` for bytes that are something else.
    """
    check_version(value, CHECKPOINT_VERSION)
    return _checkpoint(msgspec.convert(codec.decode("checkpoint", value + _UNWRITTEN), _Record))


def read_json(text: str | bytes) -> Checkpoint:
    """Return the checkpoint from the JSON of what `flat` returns; raises `ValueError` for anything else."""
    return _checkpoint(msgspec.json.decode(text, type=_Record))


def flat(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return the record, ready for Avro and JSON."""
    position, progress = checkpoint.position, checkpoint.progress
    found = _Record(
        stream=checkpoint.stream,
        cursor=position.cursor,
        phase=position.phase,
        page=position.page,
        sequence=progress.sequence,
        epoch=position.epoch,
        fingerprint=checkpoint.fingerprint,
        key_schema_id=progress.key_schema_id,
        walk_open=position.walk_open,
        request=requested(checkpoint) or None,
        committed_at=checkpoint.committed_at,
        identity=position.identity,
        page_size=position.page_size,
        partitions=progress.partitions,
        topic_ids={name: written for name, topic in progress.topics.items() if (written := _id(topic)) is not None},
        snapshot_epoch=progress.snapshot_epoch,
    )
    value: dict[str, Any] = msgspec.to_builtins(found)
    return value


def requested(checkpoint: Checkpoint) -> str:
    """Return what is requested of a stream as JSON, an empty text for nothing."""
    asked = {name: value for name, value in msgspec.to_builtins(checkpoint.request).items() if value}
    if checkpoint.position.second_walk:
        asked[_SECOND_WALK] = True
    return json.dumps(asked) if asked else ""


def _checkpoint(found: _Record) -> Checkpoint:
    asked = msgspec.json.decode(found.request) if found.request else {}
    return Checkpoint(
        stream=found.stream,
        fingerprint=found.fingerprint,
        position=Position(
            cursor=found.cursor,
            phase=found.phase,
            page=found.page,
            epoch=found.epoch,
            walk_open=found.walk_open,
            # Earlier releases keep the mark until the snapshot ends. What is not an object is refused below.
            second_walk=isinstance(asked, dict) and _SECOND_WALK in asked and found.phase not in _WALKED,
            identity=found.identity,
            page_size=found.page_size,
        ),
        progress=Progress(
            sequence=found.sequence,
            snapshot_epoch=found.snapshot_epoch,
            key_schema_id=found.key_schema_id,
            topics={name: _topic(count, found.topic_ids.get(name)) for name, count in found.partitions.items()},
        ),
        request=msgspec.convert(asked, Request),
        committed_at=found.committed_at,
    )


def _id(topic: KnownTopic) -> str | None:
    written = topic.topic_id
    if topic.replaceable:
        written = _FORMER if topic.former else _REPLACEABLE
    return f"{_TABLE}{written or _REPLACEABLE}" if topic.table else written


def _topic(partitions: int, written: str | None) -> KnownTopic:
    table = written is not None and written.startswith(_TABLE)
    written = written.removeprefix(_TABLE) if written is not None else None
    if written in (_REPLACEABLE, _FORMER):
        return KnownTopic(partitions, replaceable=True, former=written == _FORMER, table=table)
    return KnownTopic(partitions, written, table=table)
