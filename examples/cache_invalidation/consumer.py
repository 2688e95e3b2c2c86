"""Purges by tag the pages that a change makes stale, once the read model that they are rendered from has it.

Run: python -m examples.cache_invalidation.consumer --topic contentwire.blog.changes --purge-url http://localhost:6081 \
    --database model.db

Each tag is purged twice, the second time for pages that were being rendered during the first. Purging too often does no
harm, so an offset is committed after both.
"""

import argparse
import sqlite3
import sys
import time
import urllib.request
from collections import deque
from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import Consumer, TopicPartition

from examples import changes
from examples.read_model.consumer import position

_TAGS = 100  # in one request: the header's length is bounded
_COLLECT = 0.2  # seconds, so that a release of fifty entries becomes one request
_LOOK = 0.02


@dataclass
class Round:
    """Tags that are purged together, and the next offsets once they are."""

    tags: set[str] = field(default_factory=set)
    places: dict[int, int] = field(default_factory=dict)
    changed_ms: list[int] = field(default_factory=list)
    due: float = 0.0

    def add(self, partition: int, offset: int, event: dict[str, Any] | None) -> None:
        """Add a record; a tombstone has no event."""
        self.places[partition] = offset + 1
        if event:
            self.tags |= affected(event)
            if event["op"] != "r":  # what a snapshot finds was changed at any time before
                self.changed_ms.append(event["source"]["ts_ms"] if "source" in event else event["source_ts_ms"])


def main(arguments: Sequence[str]) -> None:
    """Follow the topic as a member of a consumer group."""
    given = _arguments(arguments)
    decode = changes.decoder(given.registry)
    reader = changes.consumer(given.bootstrap, given.group)
    count = len(changes.partitions(reader, given.topic))
    reader.subscribe([given.topic])
    with closing(reader), closing(sqlite3.connect(given.database)) as model:
        fresh, purged = Round(due=time.monotonic() + _COLLECT), deque[Round]()
        for message in changes.messages(reader, count if given.until_end else None, wait=_COLLECT):
            if message is not None:
                value = message.value()
                fresh.add(*changes.place(message), decode(value) if value else None)
            now = time.monotonic()
            if fresh.places and (now >= fresh.due or len(fresh.tags) >= _TAGS):
                purged.append(_purge_first(fresh, given, model))
                fresh = Round(due=now + _COLLECT)
            while purged and purged[0].due <= now:
                _purge_again(purged.popleft(), given, reader)
        if fresh.places:
            purged.append(_purge_first(fresh, given, model))
        for each in purged:
            time.sleep(max(0.0, each.due - time.monotonic()))
            _purge_again(each, given, reader)


def affected(event: dict[str, Any]) -> set[str]:
    """Return the tags that an event makes stale: the entity's, and that of the lists of its table."""
    entity = changes.row(event)
    return {f"{entity['entity_type']}:{entity['id']}", changes.table(event)}


def purge(url: str, tags: Collection[str]) -> None:
    """Purge everything with one of these tags; raises if the cache refuses. The only place that knows the cache."""
    request = urllib.request.Request(url, headers={"xkey": " ".join(sorted(tags))}, method="PURGE")
    urllib.request.urlopen(request, timeout=10).close()


def _purge_first(fresh: Round, given: argparse.Namespace, model: sqlite3.Connection) -> Round:
    # Purged before the model has the change, a page would be rendered from the old state, and stay.
    while not _has(model, fresh.places):
        time.sleep(_LOOK)
    if fresh.tags:
        purge(given.purge_url, fresh.tags)
        took = [
            f", {time.time() - changed_ms / 1000:.1f} s after the change" for changed_ms in sorted(fresh.changed_ms)
        ]
        sys.stdout.write(f"purged {len(fresh.tags)} tags{took[0] if took else ''}\n")
        sys.stdout.flush()
    fresh.due = time.monotonic() + given.render_seconds
    return fresh


def _has(model: sqlite3.Connection, places: dict[int, int]) -> bool:
    try:
        return all(position(model, partition) >= offset for partition, offset in places.items())
    except sqlite3.OperationalError:
        return False  # the read model has not begun yet


def _purge_again(each: Round, given: argparse.Namespace, reader: Consumer) -> None:
    if each.tags:
        purge(given.purge_url, each.tags)
    places = [TopicPartition(given.topic, partition, offset) for partition, offset in each.places.items()]
    reader.commit(offsets=places, asynchronous=False)


def _arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = changes.arguments(__doc__)
    parser.add_argument("--purge-url", required=True, help="the cache's")
    parser.add_argument("--database", required=True, help="the read model that pages are rendered from")
    parser.add_argument("--group", default="cache-invalidation")
    parser.add_argument("--render-seconds", type=float, default=2.0, help="how long a page takes to render at most")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
