"""Proves a stream against the live CMS: a fresh full read compared with the latest state per key of its topics.

Reads only: the stream's state, its owner and the consumer group are not touched.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from types import MappingProxyType
from typing import Any, Final

import msgspec

from connector.events.codec import encode_key
from connector.events.index import Index
from connector.events.record import RECORD_OVERHEAD
from connector.events.table_rows import WITHHELD
from connector.kafka.cluster import RecordedModel
from connector.kafka.foreign_records import Foreign
from connector.kafka.published import PublishedRecords
from connector.model.checkpoint import Position
from connector.verify.comparison import Comparison, Difference, RowKey
from connector.verify.due import DueRows
from connector.verify.sides import Delivered, Progress, Published
from connector.wiring import ConfiguredStream

COUNTS: Final = ("table", "equal", "missing", "stale", "extra")

_BY_NAME: Final = 10  # the most entities that a command names one by one
_MANY: Final = 20  # from this many deletes on, reconciliation may hold them
_BESIDE_A_ROW: Final = RECORD_OVERHEAD + 5  # bytes that are reckoned for the rest, with the five of a schema's id
_MARGIN: Final = 5.0  # seconds that a walk may take beyond the poll interval


class Report(msgspec.Struct, frozen=True):
    """The outcome, sorted by key. `equal`: keys that agree, by table; `equal_rows`: rows that do, likewise.

    `unreadable`: items of the CMS that cannot be read; `set_aside`: entities whose current item is a dead letter. Both
    are known to be absent from the topics, and are not differences. `foreign`: records in the topics that contentwire
    did not write; a consumer that reads one no longer holds what the CMS delivers.
    """

    equal: Mapping[str, int]
    differences: tuple[Difference, ...]
    unreadable: int = 0
    set_aside: int = 0
    foreign: tuple[Foreign, ...] = ()
    equal_rows: Mapping[str, int] = MappingProxyType({})
    row_differences: tuple[Difference, ...] = ()

    @property
    def proven(self) -> bool:
        """Whether the topics equal the CMS."""
        return not (self.differences or self.row_differences or self.foreign)

    def counts(self) -> list[tuple[object, ...]]:
        """Return a row for each table, in the columns that `COUNTS` names."""
        return _counts(self.equal, self.differences)

    def row_counts(self) -> list[tuple[object, ...]]:
        """Return how many rows of each table agree or differ, as `counts` does for keys; nothing without tables."""
        return _counts(self.equal_rows, self.row_differences)

    def command(self, connection: str) -> list[str]:
        """Return the command that repairs every difference, once the stream has carried it out.

        Missing and stale entities are published again, whatever the stream believes it has published; if the CMS's
        state is older than that, together with everything else. Their rows are published with them. Extra keys are
        removed by reconciliation, many of them only with consent. Entities that are named are looked up in the topics,
        so the stream learns of an extra key, and of an extra row.
        """
        found = (*self.differences, *self.row_differences)
        again = {each.key.id for each in self.differences if each.kind != "extra" or each.unknown}
        again |= {each.key.id for each in self.row_differences}
        extra = {each.key.id for each in found if each.kind == "extra"}
        everything = len(again) > _BY_NAME or any(each.older for each in found)
        chosen = ["--all"] if everything else [part for each in sorted(again) for part in ("--entity", each)]
        consent = ["--allow-deletes"] if len(extra) >= _MANY else []
        return ["contentwire", "snapshot", connection, *chosen, *consent]

    def facts(self, limit: int | None) -> dict[str, Any]:
        """Return everything, ready for JSON, with at most `limit` differences, and as many of rows."""
        aside = {"unreadable": self.unreadable, "set_aside": self.set_aside}
        foreign = [
            {"topic": each.topic, "partition": each.partition, "offset": each.offset, "why": each.why}
            for each in self.foreign[:limit]
        ]
        of_keys = _facts(self.counts(), self.differences[:limit])
        of_rows = _facts(self.row_counts(), self.row_differences[:limit])
        return {"proven": self.proven, **of_keys, **aside, "foreign": foreign, "rows": of_rows}


def verify(stream: ConfiguredStream, *, shallow: bool, progress: Progress) -> Report:
    """Compare what the CMS delivers with what consumers hold.

    Keys that differ are compared again until the stream has had time for its next walk: both sides may have changed
    meanwhile. Raises `Unreachable`, or another `ConnectorError` if either side cannot be read or the stream has no
    checkpoint: there is nothing to compare before its first run.
    """
    records = stream.published_at(stream.committed())
    source = stream.source()
    start = Position(page_size=stream.connection.settings.page_size or 100)
    tables = _due_rows(stream)
    delivered = Delivered(source, stream.policy, start, stream.clock, progress, tables=tables)
    published = Published(stream.policy.content_members, progress, localized=stream.vendor.localized)
    comparison = Comparison(delivered, published, stream.clock, shallow=shallow)

    def read() -> None:
        delivered.read()
        published.take(records.events(published.go_on))
        if tables:
            published.take_rows(records.rows(published.go_on))

    try:
        read()
        comparison.compare_all()
        aside = comparison.set_aside(*_letters(records)) if comparison.differences else 0
        for left in comparison.settle(stream.connection.poll_interval + _MARGIN):
            what = f"waiting up to {left:.0f} s for the stream's next walk, keys that differ"
            progress(what, len(comparison.differences))
            read()
        aside += comparison.set_aside(*_letters(records)) if comparison.differences else 0
    finally:
        source.close()
    found = comparison.differences
    return Report(
        equal=dict(sorted(comparison.equal.items())),
        differences=_judged(stream, [each for key, each in found.items() if not isinstance(key, RowKey)]),
        unreadable=len(delivered.unreadable),
        set_aside=aside,
        foreign=published.standing.found,
        equal_rows=dict(sorted(comparison.equal_rows.items())),
        row_differences=_in_order(each for key, each in found.items() if isinstance(key, RowKey)),
    )


def _due_rows(stream: ConfiguredStream) -> DueRows | None:
    """Return what makes the rows that the stream's tables must hold, if it has any."""
    tables = stream.connection.tables
    if not tables:
        return None
    return DueRows(
        stream.catalog_with,
        tables.options(),
        RecordedModel(stream.client, stream.layout.state_topic, stream.name, clock=stream.clock).read,
        stream.vendor.model,
        stream.policy.max_message_bytes - _BESIDE_A_ROW,
    )


def _judged(stream: ConfiguredStream, found: Iterable[Difference]) -> tuple[Difference, ...]:
    """Return differences sorted by key, the extra ones with what the stream itself knows of them."""
    differences = _in_order(found)
    if not any(each.kind == "extra" for each in differences):
        return differences
    cluster, topic = stream.cluster, stream.layout.state_topic
    index = cluster.index(topic, stream.name) if topic in cluster.topics() else Index()
    return tuple(msgspec.structs.replace(each, unknown=_unknown(each, index)) for each in differences)


def _unknown(found: Difference, index: Index) -> bool:
    entry = index.get(encode_key(found.key))
    return found.kind == "extra" and not (entry and entry.live)


def _letters(records: PublishedRecords) -> tuple[set[bytes], set[bytes]]:
    """Return the digests of the items among the dead letters: those without an event, and those without a row."""
    without_event: set[bytes] = set()
    without_row: set[bytes] = set()
    for letter in (entry.value for entry in records.dead_letters() if entry.value):
        found = blake2b(letter["raw"], digest_size=16).digest()
        (without_row if letter["reason"].startswith(WITHHELD) else without_event).add(found)
    return without_event, without_row


def _in_order(found: Iterable[Difference]) -> tuple[Difference, ...]:
    return tuple(sorted(found, key=lambda each: (each.key, each.table)))


def _counts(equal: Mapping[str, int], differences: Iterable[Difference]) -> list[tuple[object, ...]]:
    found = Counter((each.table, each.kind) for each in differences)
    tables = sorted({*equal, *(name for name, _ in found)})
    return [(name, equal.get(name, 0), *(found[name, kind] for kind in COUNTS[2:])) for name in tables]


def _facts(counts: Iterable[tuple[object, ...]], differences: Iterable[Difference]) -> dict[str, Any]:
    return {
        "counts": [dict(zip(COUNTS, row, strict=True)) for row in counts],
        "differences": [msgspec.to_builtins(each) for each in differences],
    }
