"""What a consumer of the published records sees: decoded events, the latest state of each key, the stream's order."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from connector.demo.ledger import Received
from connector.events import codec
from connector.events.record import Record
from connector.model.change import EntityKey
from tests.consumer import Consumed


class Seen(NamedTuple):
    """One record: an event's decoded value, None for a tombstone."""

    topic: str
    key: EntityKey
    event: dict[str, Any] | None
    headers: dict[str, str]

    @property
    def op(self) -> str:
        """The event's op, or `tombstone`."""
        return str(self.event["op"]) if self.event else "tombstone"


def seen(records: Iterable[Record | Consumed], schema: codec.Name = "envelope") -> list[Seen]:
    """Return the decoded records of the changes topics, in their order."""
    return [_decode(record, schema) for record in records if not record.topic.endswith(".dead-letters")]


def received(records: Iterable[Record | Consumed]) -> list[Received]:
    """Return the decoded records of the changes topics, partition by partition, each in order, to prove them."""
    decoded = [
        Received(each.partition if isinstance(each, Consumed) else 0, shown.key, shown.event, 0.0)
        for each in records
        for shown in seen([each])
    ]
    return sorted(decoded, key=lambda each: each.partition)


def events(records: Iterable[Record]) -> list[dict[str, Any]]:
    """Return the decoded events, without tombstones."""
    return [each.event for each in seen(records) if each.event]


def letters(records: Iterable[Record | Consumed]) -> list[dict[str, Any]]:
    """Return the decoded dead letters."""
    bodies = [codec.unframe(each.value or b"")[1] for each in records if each.topic.endswith(".dead-letters")]
    return [codec.decode("dead_letter", body) for body in bodies]


def ops(records: Iterable[Record]) -> list[tuple[str, str]]:
    """Return each record as (op, id), to read and compare easily; the id includes the locale, if there is one."""
    return [(each.op, _name(each.key)) for each in seen(records)]


def latest(records: Iterable[Seen]) -> dict[EntityKey, dict[str, Any]]:
    """Return what a compacted topic holds once it is compacted: the last event of each key, unless it is removed."""
    state: dict[EntityKey, dict[str, Any]] = {}
    for each in records:
        if each.event is None or each.event["op"] == "d":
            state.pop(each.key, None)
        else:
            state[each.key] = each.event
    return state


def _name(key: EntityKey) -> str:
    return key.id if key.locale == "*" else f"{key.id}/{key.locale}"


def _decode(record: Record | Consumed, schema: codec.Name) -> Seen:
    assert record.key is not None
    key = codec.decode_key(codec.unframe(record.key)[1])
    event = None if record.value is None else codec.decode(schema, codec.unframe(record.value)[1])
    return Seen(record.topic, key, event, {name: value.decode() for name, value in record.headers})
