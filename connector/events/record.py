"""What one transaction carries: records, where they go, and their tally. Values only."""

from collections import Counter
from typing import Final, NamedTuple

import msgspec

from connector.events.codec import Framing
from connector.events.envelope import Headers
from connector.model.checkpoint import Checkpoint, KnownTopic

RECORD_OVERHEAD: Final = 1024
"""What a record costs besides key, value and headers, rounded up generously (Kafka message format v2)."""


class Record(NamedTuple):
    """One Kafka record of a changes or dead-letters topic; a None value is a tombstone. Partition -1: by key."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers
    partition: int = -1


class Letter(NamedTuple):
    """A dead letter's key and bare value; its route is opened only once there is one."""

    key: bytes
    value: bytes


class Route(msgspec.Struct, frozen=True):
    """Where records go, how their keys and values are framed there, and the topic as found."""

    topic: str
    key: Framing
    value: Framing
    found: KnownTopic


class Tally(msgspec.Struct):
    """What a batch contains, for metrics and the log.

    `dead_letters` are counted by error; `letters` are the first few: error, item type, item id, bytes. `changed_ms`:
    the CMS's times of a delta's events. `rows` of tables: how many were `written` or `deleted`, did not fit (`misfit`),
    and how many numbers stand in a column of text (`inexact`).
    """

    ops: Counter[str] = msgspec.field(default_factory=Counter)
    left_out: Counter[str] = msgspec.field(default_factory=Counter)
    dead_letters: Counter[str] = msgspec.field(default_factory=Counter)
    letters: list[tuple[str, str | None, str | None, int]] = msgspec.field(default_factory=list)
    rows: Counter[str] = msgspec.field(default_factory=Counter)
    locale_mismatches: int = 0
    changed_ms: list[int] = msgspec.field(default_factory=list)


class Batch(msgspec.Struct):
    """The content of one transaction.

    `state` are the state topic's records, the checkpoint last. `letters` MUST be `addressed` before it is committed.
    """

    records: list[Record]
    state: list[tuple[bytes, bytes | None]]
    checkpoint: Checkpoint
    tally: Tally
    letters: list[Letter] = []


def addressed(batch: Batch, route: Route) -> Batch:
    """Return the batch with its dead letters among its records."""
    letters = [Record(route.topic, letter.key, route.value.prefix + letter.value, []) for letter in batch.letters]
    return msgspec.structs.replace(batch, records=[*letters, *batch.records], letters=[])
