"""Proves a stream against the live CMS: a fresh full read compared with the latest state per key of its topics.

Reads only: the stream's state, its owner and the consumer group are not touched.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any, Final

import msgspec

from connector.events.codec import encode_key
from connector.events.index import Index
from connector.kafka.foreign_records import Foreign
from connector.kafka.published import PublishedRecords
from connector.model.checkpoint import Position
from connector.verify.comparison import Comparison, Difference
from connector.verify.sides import Delivered, Progress, Published
from connector.wiring import ConfiguredStream

COUNTS: Final = ("table", "equal", "missing", "stale", "extra")

_BY_NAME: Final = 10  # the most entities that a command names one by one
_MANY: Final = 20  # from this many deletes on, reconciliation may hold them
_MARGIN: Final = 5.0  # seconds that a walk may take beyond the poll interval


class Report(msgspec.Struct, frozen=True):
    """The outcome, sorted by key. `equal`: keys that agree, by table.

    `unreadable`: items of the CMS that cannot be read; `set_aside`: keys whose current item is a dead letter. Both are
    known to be absent from the topic, and are not differences. `foreign`: records in the topics that contentwire did
    not write; a consumer that reads one no longer holds what the CMS delivers.
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
        """Return a row for each table, in the columns that `COUNTS` names."""
        found = Counter((each.table, each.kind) for each in self.differences)
        tables = sorted({*self.equal, *(name for name, _ in found)})
        return [(name, self.equal.get(name, 0), *(found[name, kind] for kind in COUNTS[2:])) for name in tables]

    def command(self, connection: str) -> list[str]:
        """Return the command that repairs every difference, once the stream has carried it out.

        Missing and stale entities are published again, whatever the stream believes it has published; if the CMS's
        state is older than that, together with everything else. Extra keys are removed by reconciliation, many of them
        only with consent. Entities that are named are looked up in the topic, so the stream learns of an extra key.
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


def verify(stream: ConfiguredStream, *, shallow: bool, progress: Progress) -> Report:
    """Compare what the CMS delivers with what consumers hold.

    Keys that differ are compared again until the stream has had time for its next walk: both sides may have changed
    meanwhile. Raises `Unreachable`, or another `ConnectorError` if either side cannot be read or the stream has no
    checkpoint: there is nothing to compare before its first run.
    """
    records = stream.published_at(stream.committed())
    source = stream.source()
    start = Position(page_size=stream.connection.settings.page_size or 100)
    delivered = Delivered(source, stream.policy, start, stream.clock, progress)
    published = Published(stream.policy.content_members, progress)
    comparison = Comparison(delivered, published, stream.clock, shallow=shallow)
    try:
        delivered.read()
        if stream.catalog:
            delivered.read_model()
        published.take(records.events(published.go_on))
        comparison.compare_all()
        aside = comparison.set_aside(_letters(records)) if comparison.differences else 0
        for left in comparison.settle(stream.connection.poll_interval + _MARGIN):
            what = f"waiting up to {left:.0f} s for the stream's next walk, keys that differ"
            progress(what, len(comparison.differences))
            delivered.read()
            if stream.catalog:
                delivered.read_model()
            published.take(records.events(published.go_on))
        aside += comparison.set_aside(_letters(records)) if comparison.differences else 0
    finally:
        source.close()
    differences = _judged(stream, comparison.differences.values())
    return Report(
        dict(sorted(comparison.equal.items())), differences, len(delivered.unreadable), aside, published.standing.found
    )


def _judged(stream: ConfiguredStream, found: Iterable[Difference]) -> tuple[Difference, ...]:
    """Return differences sorted by key, the extra ones with what the stream itself knows of them."""
    differences = sorted(found, key=lambda each: each.key)
    if not any(each.kind == "extra" for each in differences):
        return tuple(differences)
    cluster, topic = stream.cluster, stream.layout.state_topic
    index = cluster.index(topic, stream.name) if topic in cluster.topics() else Index()
    return tuple(msgspec.structs.replace(each, unknown=_unknown(each, index)) for each in differences)


def _unknown(found: Difference, index: Index) -> bool:
    entry = index.get(encode_key(found.key))
    return found.kind == "extra" and not (entry and entry.live)


def _letters(records: PublishedRecords) -> set[bytes]:
    letters = [entry.value for entry in records.dead_letters() if entry.value]
    return {blake2b(letter["raw"], digest_size=16).digest() for letter in letters}
