"""Compares what the CMS delivers with what consumers hold, key by key, until the differences settle. Pure."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from types import MappingProxyType
from typing import Final, Literal

import msgspec

from connector.clock import Clock
from connector.model.change import EntityKey
from connector.verify.sides import Delivered, Published, Trace

Kind = Literal["missing", "stale", "extra"]

_LOOKS: Final = 10  # within the time that a key has
_MOST_WAITS: Final = 4  # times that time, for keys that never settle


class Difference(msgspec.Struct, frozen=True):
    """One key on which the CMS and the topic disagree: `missing`, `stale` or `extra` in the topic.

    `older`: what the CMS delivers is older than what the topic holds, or than the removal of what is missing, as after
    a restored backup. `unknown`: the stream does not know that this extra key is live, so no reconciliation deletes it.
    """

    kind: Kind
    key: EntityKey
    table: str
    cms_revision: int | None
    topic_revision: int | None
    older: bool = False
    unknown: bool = False


class Comparison:
    """Compares both sides, then what differed again. `shallow` trusts an equal revision and clock."""

    def __init__(self, delivered: Delivered, published: Published, clock: Clock, *, shallow: bool) -> None:
        self.differences: dict[EntityKey, Difference] = {}
        self.equal: Counter[str] = Counter()
        self._delivered = delivered
        self._published = published
        self._clock = clock
        self._shallow = shallow

    def compare(
        self, keys: Collection[EntityKey], former: Mapping[EntityKey, Trace | None] = MappingProxyType({})
    ) -> None:
        """Compare these keys: each is then counted as equal, or among the differences, or on neither side.

        `former`: what the topic held before the CMS was read; agreeing with that is enough, as the topic moves on.
        """
        for key in keys:
            ours, theirs = self._delivered.traces.get(key), self._published.traces.get(key)
            found = self._difference(key, ours, theirs)
            if found and not (key in former and self._difference(key, ours, former[key]) is None):
                self.differences[key] = found
            else:
                self.differences.pop(key, None)
                self.equal.update([ours.table] if ours else [])

    def compare_all(self) -> None:
        """Compare every key of either side."""
        self.compare(self._delivered.traces.keys() | self._published.traces.keys())

    def settle(self, patience: float) -> Iterator[float]:
        """Compare again what differs, each time after the caller has read on; yield the seconds that this may last.

        A key has `patience` seconds after its last change in the CMS, the time the stream may take for its next walk.
        A key that keeps changing is given up in the end.
        """
        since = {key: (self._delivered.traces.get(key), self._clock.monotonic()) for key in self.differences}
        given_up_at = self._clock.monotonic() + _MOST_WAITS * patience
        while since:
            left = min(max(at for _, at in since.values()) + patience, given_up_at) - self._clock.monotonic()
            if left <= 0:
                return
            self._clock.wait(min(patience / _LOOKS, left))
            former = {key: self._published.traces.get(key) for key in since}
            yield left
            self.compare(since.keys(), former)
            since = {key: self._moved(key, *since[key]) for key in self.differences}

    def set_aside(self, items: Collection[bytes]) -> int:
        """Drop the differences whose present item is among the digests `items`; return how many."""
        traces = self._delivered.traces
        aside = [key for key in self.differences if key in traces and traces[key].item in items]
        for key in aside:
            del self.differences[key]
        return len(aside)

    def _moved(self, key: EntityKey, former: Trace | None, at: float) -> tuple[Trace | None, float]:
        now = self._delivered.traces.get(key)
        return (now, at if now == former else self._clock.monotonic())

    def _difference(self, key: EntityKey, ours: Trace | None, theirs: Trace | None) -> Difference | None:
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

    def _came_back_older(self, key: EntityKey, ours: Trace) -> bool:
        """Return whether the stream may take the entity for stale, given the clock of a removal it has published."""
        if key not in self._published.removed or ours.clock is None:
            return False
        removed_at = self._published.removed[key]
        return removed_at is None or ours.clock // 1000 < removed_at // 1000


def _agree(ours: Trace, theirs: Trace, *, shallow: bool) -> bool:
    """Return whether both have the same content or, for a reference, the very item it stands for."""
    same_content = theirs.item == ours.item if theirs.item else theirs.content == ours.content
    if same_content or not shallow or None in (ours.revision, ours.clock):
        return same_content
    return (ours.revision, _millis(ours.clock)) == (theirs.revision, _millis(theirs.clock))


def _millis(clock: int | None) -> int | None:
    return None if clock is None else clock // 1000
