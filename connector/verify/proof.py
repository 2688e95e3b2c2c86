"""Proves a stream against the live CMS: a fresh full read compared with the latest state per key of its topics.

Reads only: the stream's state, its owner and the consumer group are not touched.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from hashlib import blake2b
from types import MappingProxyType
from typing import Any, Final, Literal

import msgspec

from connector.clock import Clock
from connector.events.codec import encode_key
from connector.events.index import Index
from connector.kafka.foreign_records import Foreign
from connector.kafka.published import PublishedRecords
from connector.model.change import EntityKey
from connector.model.checkpoint import Position
from connector.verify.sides import Delivered, Progress, Published, Trace
from connector.wiring import ConfiguredStream

Kind = Literal["missing", "stale", "extra"]

COUNTS: Final = ("table", "equal", "missing", "stale", "extra")

_BY_NAME: Final = 10  # entities that a command names one by one
_MANY: Final = 20  # deletes that reconciliation may hold back
_MARGIN: Final = 5.0  # seconds that a walk may take beyond the poll interval
_LOOKS: Final = 10  # within that time
_MOST_WAITS: Final = 4  # times that time is waited for a key that does not come to rest


class Difference(msgspec.Struct, frozen=True):
    """One key on which the CMS and the topic disagree: `missing` and `stale` in the topic, or `extra` there.

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


class Report(msgspec.Struct, frozen=True):
    """The outcome, sorted by key. `equal`: keys that agree, by table.

    `unreadable`: items of the CMS that nobody can read, `set_aside`: keys whose present item is a dead letter. Both
    are known to be absent from the topic, and no differences. `foreign`: records that stand in the topics and that
    contentwire did not write; with one of them a consumer does not hold what the CMS delivers.
    """

    equal: Mapping[str, int]
    differences: tuple[Difference, ...]
    unreadable: int = 0
    set_aside: int = 0
    foreign: tuple[Foreign, ...] = ()

    @property
    def proven(self) -> bool:
        """Whether the topic equals the CMS."""
        return not (self.differences or self.foreign)

    def counts(self) -> list[tuple[object, ...]]:
        """Return a row for each table of what `COUNTS` names."""
        found = Counter((each.table, each.kind) for each in self.differences)
        tables = sorted({*self.equal, *(name for name, _ in found)})
        return [(name, self.equal.get(name, 0), *(found[name, kind] for kind in COUNTS[2:])) for name in tables]

    def command(self, connection: str) -> list[str]:
        """Return the command that mends every difference, once the stream has obeyed it.

        What is missing or stale is published again whatever the stream believes to have published, and with everything
        else where it is older than that; what is too much vanishes by reconciliation, for many keys with consent. What
        is named is looked up in the topic: that is how the stream learns of an extra key.
        """
        again = sorted({each.key.id for each in self.differences if each.kind != "extra" or each.unknown})
        extra = sum(1 for each in self.differences if each.kind == "extra")
        everything = len(again) > _BY_NAME or any(each.older for each in self.differences)
        chosen = ["--all"] if everything else [part for each in again for part in ("--entity", each)]
        consent = ["--allow-deletes"] if extra >= _MANY else []
        return ["contentwire", "snapshot", connection, *chosen, *consent]

    def facts(self, limit: int | None) -> dict[str, Any]:
        """Return everything, ready for JSON, with at most `limit` differences."""
        counts = [dict(zip(COUNTS, row, strict=True)) for row in self.counts()]
        differences = [msgspec.to_builtins(each) for each in self.differences[:limit]]
        aside = {"unreadable": self.unreadable, "set_aside": self.set_aside}
        foreign = [
            {"topic": each.topic, "partition": each.partition, "offset": each.offset, "why": each.why}
            for each in self.foreign[:limit]
        ]
        return {"proven": self.proven, "counts": counts, **aside, "differences": differences, "foreign": foreign}


class Comparison:
    """Compares both sides, and again what differed. `shallow` believes an equal revision and clock."""

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

        `former`: what the topic held before the CMS was read; agreeing with that will do, for the topic goes on.
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
        """Look again at what differs, each time after the caller has read on; yield the seconds that this may last.

        A key has `patience` seconds from its last change in the CMS on: so long the stream may take for its next walk.
        What never comes to rest is given up in the end.
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
            # What the CMS delivers but nobody can read is in the dead letters, not gone.
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
        """Tell whether the stream may take the entity for stale, by the clock of a removal that it has published."""
        if key not in self._published.removed or ours.clock is None:
            return False
        removed_at = self._published.removed[key]
        return removed_at is None or ours.clock // 1000 < removed_at // 1000


def verify(stream: ConfiguredStream, *, shallow: bool, progress: Progress) -> Report:
    """Compare what the CMS delivers with what consumers hold.

    Keys that differ are looked at again until the stream has had time for its next walk: both sides may have changed
    meanwhile. Raises `Unreachable`, or another `ConnectorError` where one of both sides cannot be read, or where the
    stream has no checkpoint: there is nothing to compare before its first run.
    """
    records = stream.published_at(stream.committed())
    source = stream.source()
    start = Position(page_size=stream.connection.settings.page_size or 100)
    delivered = Delivered(source, stream.policy, start, stream.clock, progress)
    published = Published(stream.policy.content_members, progress)
    comparison = Comparison(delivered, published, stream.clock, shallow=shallow)
    try:
        delivered.read()
        published.take(records.events(published.go_on))
        comparison.compare_all()
        aside = comparison.set_aside(_letters(records)) if comparison.differences else 0
        for left in comparison.settle(stream.connection.poll_interval + _MARGIN):
            what = f"waiting up to {left:.0f} s for the stream's next walk, keys that differ"
            progress(what, len(comparison.differences))
            delivered.read()
            published.take(records.events(published.go_on))
        aside += comparison.set_aside(_letters(records)) if comparison.differences else 0
    finally:
        source.close()
    differences = _judged(stream, comparison.differences.values())
    return Report(
        dict(sorted(comparison.equal.items())), differences, len(delivered.unreadable), aside, published.standing.found
    )


def _judged(stream: ConfiguredStream, found: Iterable[Difference]) -> tuple[Difference, ...]:
    """Return differences by key, with what the stream itself knows of those that are too much."""
    differences = sorted(found, key=lambda each: each.key)
    if not any(each.kind == "extra" for each in differences):
        return tuple(differences)
    cluster, topic = stream.cluster, stream.layout.state_topic
    index = cluster.index(topic, stream.name) if topic in cluster.topics() else Index()
    return tuple(msgspec.structs.replace(each, unknown=_unknown(each, index)) for each in differences)


def _unknown(found: Difference, index: Index) -> bool:
    entry = index.get(encode_key(found.key))
    return found.kind == "extra" and not (entry and entry.live)


def _agree(ours: Trace, theirs: Trace, *, shallow: bool) -> bool:
    """Equal means the same content; of a reference, the very item it stands for."""
    same_content = theirs.item == ours.item if theirs.item else theirs.content == ours.content
    if same_content or not shallow or None in (ours.revision, ours.clock):
        return same_content
    return (ours.revision, _millis(ours.clock)) == (theirs.revision, _millis(theirs.clock))


def _millis(clock: int | None) -> int | None:
    return None if clock is None else clock // 1000


def _letters(records: PublishedRecords) -> set[bytes]:
    letters = [entry.value for entry in records.dead_letters() if entry.value]
    return {blake2b(letter["raw"], digest_size=16).digest() for letter in letters}
