"""Proves a stream against the live CMS: a fresh full read compared with the latest state per key of its topics.

Reads only: the stream's state, its owner and the consumer group are not touched. Keeps digests, never documents.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal, InvalidOperation
from hashlib import blake2b
from typing import Any, Literal

import msgspec

from connector.batch import Policy, wanted
from connector.model import Change, Checkpoint, EntityKey
from connector.source import Source
from connector.tail import Entry
from connector.timestamp import micros

Kind = Literal["missing", "stale", "extra"]
Progress = Callable[[str, int], None]

_TABLES = {"asset": "_asset", "content_type": "_content_type"}


class Trace(msgspec.Struct, frozen=True):
    """What is remembered of one entity: its table, revision, clock in milliseconds, and a digest of its content."""

    table: str
    revision: int | None
    clock_ms: int | None
    content: bytes


class Difference(msgspec.Struct, frozen=True):
    """One key on which the CMS and the topic disagree: `missing` and `stale` in the topic, or `extra` there."""

    kind: Kind
    key: EntityKey
    table: str
    cms_revision: int | None
    topic_revision: int | None


class Report(msgspec.Struct, frozen=True):
    """The outcome. `equal`: keys that agree, by table. `unreadable`: items of the CMS that became dead letters."""

    equal: Mapping[str, int]
    differences: tuple[Difference, ...]
    unreadable: int

    @property
    def proven(self) -> bool:
        """Whether the topic equals the CMS."""
        return not self.differences


class Delivered:
    """What the CMS delivers now, read by a walk of our own; `catch_up` follows it further."""

    def __init__(self, source: Source, policy: Policy, connection: str, progress: Progress) -> None:
        self.traces: dict[EntityKey, Trace] = {}
        self.unreadable: set[str] = set()
        self._source = source
        self._policy = policy
        self._progress = progress
        self._checkpoint = Checkpoint(stream=connection)

    def read(self) -> None:
        """Take a snapshot, then catch up with what changed meanwhile. Raises what `Source.walk` raises."""
        self._walk()
        self.catch_up()

    def catch_up(self) -> None:
        """Follow the delta until it gives nothing new."""
        while self._source.vendor.follows and self._walk():
            continue

    def _walk(self) -> int:
        changes = 0
        for page in self._source.walk(self._checkpoint):
            self._checkpoint = page.checkpoint
            self.unreadable |= {letter.item_id or "" for letter in page.dead_letters}
            for change in page.changes:
                changes += 1
                self._apply(change)
            self._progress("read from the CMS", len(self.traces))
        return changes

    def _apply(self, change: Change) -> None:
        if change.change_type != "published":
            for key in self._removed(change):
                self.traces.pop(key, None)
        elif wanted(self._policy, change.key, change.content_type):
            clock = micros(change.changed_at)
            clock_ms = None if clock is None else clock // 1000
            known = self.traces.get(change.key)
            # Items move while a client pages: an older repetition must not win.
            if known and clock_ms is not None and known.clock_ms is not None and clock_ms < known.clock_ms:
                return
            table = _TABLES.get(change.key.entity_type) or change.content_type or "_unknown"
            self.traces[change.key] = Trace(table, change.revision, clock_ms, digest(change.fields))

    def _removed(self, change: Change) -> list[EntityKey]:
        if change.scope == "key":
            return [change.key]
        if change.scope == "entity":
            wanted_id = (change.key.entity_type, change.key.id)
            return [key for key in self.traces if (key.entity_type, key.id) == wanted_id]
        return [key for key, trace in self.traces.items() if trace.table == change.key.id]


def published(entries: Iterable[Entry], progress: Progress) -> dict[EntityKey, Trace]:
    """Return the latest state per key of the changes topics, from decoded records read from the start to the end."""
    traces: dict[EntityKey, Trace] = {}
    for count, entry in enumerate(entries, 1):
        key = EntityKey(**entry.key)
        value = entry.value
        if value is None or value["op"] == "d":
            traces.pop(key, None)
        else:
            traces[key] = _trace(value)
        if count % 1000 == 0:
            progress("read from the topic", count)
    return traces


def compare(delivered: Delivered, topic: Mapping[EntityKey, Trace], *, deep: bool) -> Report:
    """Compare both sides. Equal means the same revision and clock, or the same content; `deep` asks for the content."""
    equal: Counter[str] = Counter()
    differences = []
    for key, ours in delivered.traces.items():
        theirs = topic.get(key)
        if theirs is None:
            differences.append(Difference("missing", key, ours.table, ours.revision, None))
        elif _agree(ours, theirs, deep=deep):
            equal[ours.table] += 1
        else:
            differences.append(Difference("stale", key, ours.table, ours.revision, theirs.revision))
    # What the CMS delivers but nobody can read is in the dead letters, not gone.
    extra = (key for key in topic.keys() - delivered.traces.keys() if key.id not in delivered.unreadable)
    differences += [Difference("extra", key, topic[key].table, None, topic[key].revision) for key in extra]
    return Report(dict(equal), tuple(sorted(differences, key=lambda found: found.key)), len(delivered.unreadable))


def digest(fields: bytes | str | None) -> bytes:
    """Return 16 bytes that are equal for equal content: the order of members and the spelling of numbers aside."""
    if fields is None:
        return b""
    canonical = json.loads(
        fields, parse_float=_number, parse_int=_number, object_pairs_hook=_object, parse_constant=_number
    )
    return blake2b(json.dumps(canonical).encode(), digest_size=16).digest()


def _agree(ours: Trace, theirs: Trace, *, deep: bool) -> bool:
    same_state = None not in (ours.revision, ours.clock_ms) and (ours.revision, ours.clock_ms) == (
        theirs.revision,
        theirs.clock_ms,
    )
    return ours.content == theirs.content or (same_state and not deep)


def _trace(value: Mapping[str, Any]) -> Trace:
    flat = "source" not in value
    entity = value if flat else value["after"]
    clock_ms = value["source_ts_ms"] if flat else value["source"]["ts_ms"]
    table = value["table"] if flat else value["source"]["table"]
    return Trace(table, entity["revision"], clock_ms, digest(entity["fields"]))


def _object(pairs: list[tuple[str, Any]]) -> tuple[str, Any]:
    return "object", sorted(pairs, key=lambda pair: pair[0])


def _number(text: str) -> tuple[str, str]:
    """Return a number's digits and exponent, without trailing zeros: exact whatever its size."""
    try:
        sign, digits, exponent = Decimal(text).as_tuple()
    except InvalidOperation:
        return "number", text
    if not isinstance(exponent, int):
        return "number", text
    whole = "".join(map(str, digits)).lstrip("0")
    kept = whole.rstrip("0")
    return "number", f"{'-' if sign and kept else ''}{kept}e{exponent + len(whole) - len(kept) if kept else 0}"
