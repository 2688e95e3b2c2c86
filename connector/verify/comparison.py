"""Compares what the CMS delivers with what consumers hold, key by key, until the differences settle. Pure."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, Literal

import msgspec
from msgspec.structs import replace

from connector.clock import Clock
from connector.model.change import EntityKey
from connector.verify.rows import DueRow, HeldRow, differing
from connector.verify.sides import Delivered, Published, Trace

Kind = Literal["missing", "stale", "extra"]

_LOOKS: Final = 10  # within the time that a key has
_MOST_WAITS: Final = 4  # times that time, for keys that never settle


class RowKey(msgspec.Struct, frozen=True, order=True):
    """The row of an entity in a table, by the row's locale."""

    entity: EntityKey
    table: str
    locale: str


Key = EntityKey | RowKey
"""What is compared: an entity's event, or one of its rows."""


class Difference(msgspec.Struct, frozen=True):
    """One key on which the CMS and the topic disagree: `missing`, `stale` or `extra` in the topic.

    `older`: what the CMS delivers is older than what the topic holds, or than the removal of what is missing, as after
    a restored backup. `unknown`: the stream does not know that this extra key is live, so no reconciliation deletes it.
    `columns`: those in which a row is stale.
    """

    kind: Kind
    key: EntityKey
    table: str
    cms_revision: int | None
    topic_revision: int | None
    older: bool = False
    unknown: bool = False
    columns: tuple[str, ...] = ()


class Comparison:
    """Compares both sides, then what differed again. `shallow` trusts an equal revision and clock."""

    def __init__(self, delivered: Delivered, published: Published, clock: Clock, *, shallow: bool) -> None:
        self.differences: dict[Key, Difference] = {}
        self.equal: Counter[str] = Counter()
        self.equal_rows: Counter[str] = Counter()
        self._delivered = delivered
        self._published = published
        self._clock = clock
        self._shallow = shallow

    def compare(self, keys: Iterable[Key], former: Mapping[Any, Trace | HeldRow | None] = MappingProxyType({})) -> None:
        """Compare these keys: each is then counted as equal, or among the differences, or on neither side.

        `former`: what the topic held before the CMS was read; agreeing with that is enough, as the topic moves on.
        """
        for key in keys:
            theirs = self._theirs(key)
            found = self._difference(key, theirs)
            if found and not (key in former and self._difference(key, former[key]) is None):
                self.differences[key] = found
                continue
            self.differences.pop(key, None)
            if isinstance(key, RowKey):
                self.equal_rows.update([key.table] if theirs else [])
            elif key in self._delivered.traces:
                self.equal.update([self._delivered.traces[key].table])

    def compare_all(self) -> None:
        """Compare every key of either side."""
        delivered, published = self._delivered.traces, self._published
        self.compare(delivered.keys() | published.traces.keys())
        for entity in delivered.keys() | published.rows.keys():
            due = delivered[entity].rows.keys() if entity in delivered else set()
            self.compare(RowKey(entity, *place) for place in due | published.rows.get(entity, {}).keys())

    def settle(self, patience: float) -> Iterator[float]:
        """Compare again what differs, each time after the caller has read on; yield the seconds that this may last.

        A key has `patience` seconds after its last change in the CMS, the time the stream may take for its next walk.
        A key that keeps changing is given up in the end.
        """
        since = {key: (self._ours(key), self._clock.monotonic()) for key in self.differences}
        given_up_at = self._clock.monotonic() + _MOST_WAITS * patience
        while since:
            left = min(max(at for _, at in since.values()) + patience, given_up_at) - self._clock.monotonic()
            if left <= 0:
                return
            self._clock.wait(min(patience / _LOOKS, left))
            former = {key: self._theirs(key) for key in since}
            yield left
            self.compare(since.keys(), former)
            since = {key: self._moved(key, *since[key]) for key in self.differences}

    def set_aside(self, items: Collection[bytes], of_rows: Collection[bytes] = ()) -> int:
        """Drop the differences that dead letters explain; return of how many entities they are.

        Of an entity whose present item is among the digests `items`, with its rows; of a row that is withheld if its
        entity's item is among `of_rows`.
        """
        aside = [key for key in self.differences if self._explained(key, items, of_rows)]
        for key in aside:
            del self.differences[key]
        return len({_entity(key) for key in aside})

    def _explained(self, key: Key, items: Collection[bytes], of_rows: Collection[bytes]) -> bool:
        ours = self._ours(key)
        if ours is None:
            return False
        if isinstance(key, RowKey):
            return (ours.item in items and key.entity in self.differences) or (
                ours.item in of_rows and self._withheld(key)
            )
        return ours.item in items

    def _withheld(self, key: RowKey) -> bool:
        due = self._due(key)
        return due is not None and not due.ways

    def _ours(self, key: Key) -> Trace | None:
        return self._delivered.traces.get(_entity(key))

    def _theirs(self, key: Key) -> Trace | HeldRow | None:
        if isinstance(key, RowKey):
            return self._published.rows.get(key.entity, {}).get((key.table, key.locale))
        return self._published.traces.get(key)

    def _due(self, key: RowKey) -> DueRow | None:
        trace = self._delivered.traces.get(key.entity)
        return trace.rows.get((key.table, key.locale)) if trace else None

    def _moved(self, key: Key, former: Trace | None, at: float) -> tuple[Trace | None, float]:
        now = self._ours(key)
        return (now, at if now == former else self._clock.monotonic())

    def _difference(self, key: Key, theirs: Trace | HeldRow | None) -> Difference | None:
        if isinstance(key, RowKey):
            assert not isinstance(theirs, Trace)
            return self._row_difference(key, theirs)
        assert not isinstance(theirs, HeldRow)
        return self._event_difference(key, self._ours(key), theirs)

    def _event_difference(self, key: EntityKey, ours: Trace | None, theirs: Trace | None) -> Difference | None:
        if ours is None:
            # What the CMS delivers but we cannot read is in the dead letters, not gone.
            if theirs is None or key.id in self._delivered.unreadable:
                return None
            return Difference("extra", key, theirs.table, None, theirs.revision)
        if theirs is None:
            return Difference("missing", key, ours.table, ours.revision, None, self._came_back_older(key, ours))
        if _agree(ours, theirs, shallow=self._shallow):
            return None
        older = None not in (ours.clock, theirs.clock) and (ours.clock or 0) // 1000 < (theirs.clock or 0) // 1000
        return Difference("stale", key, ours.table, ours.revision, theirs.revision, older)

    def _row_difference(self, key: RowKey, theirs: HeldRow | None) -> Difference | None:
        ours, due = self._ours(key), self._due(key)
        row = replace(key.entity, locale=key.locale)
        if ours is None or due is None:
            if theirs is None or key.entity.id in self._delivered.unreadable:
                return None
            return Difference("extra", row, key.table, None, theirs.revision)
        if theirs is None and due.optional:
            return None
        if theirs is None:
            return Difference("missing", row, key.table, ours.revision, None, self._came_back_older(key.entity, ours))
        columns, ours_ms = differing(due, theirs), _millis(ours.clock)
        trusted = self._shallow and None not in (ours.revision, ours_ms)
        if due.ways and (not columns or (trusted and (ours.revision, ours_ms) == (theirs.revision, theirs.clock_ms))):
            return None
        older = None not in (ours_ms, theirs.clock_ms) and (ours_ms or 0) < (theirs.clock_ms or 0)
        return Difference("stale", row, key.table, ours.revision, theirs.revision, older, columns=columns)

    def _came_back_older(self, key: EntityKey, ours: Trace) -> bool:
        """Return whether the stream may take the entity for stale, given the clock of a removal it has published."""
        if key not in self._published.removed or ours.clock is None:
            return False
        removed_at = self._published.removed[key]
        return removed_at is None or ours.clock // 1000 < removed_at // 1000


def _entity(key: Key) -> EntityKey:
    return key.entity if isinstance(key, RowKey) else key


def _agree(ours: Trace, theirs: Trace, *, shallow: bool) -> bool:
    """Return whether both have the same content or, for a reference, the very item it stands for."""
    same_content = theirs.item == ours.item if theirs.item else theirs.content == ours.content
    if same_content or not shallow or None in (ours.revision, ours.clock):
        return same_content
    return (ours.revision, _millis(ours.clock)) == (theirs.revision, _millis(theirs.clock))


def _millis(clock: int | None) -> int | None:
    return None if clock is None else clock // 1000
