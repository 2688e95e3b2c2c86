"""Tells a CDN which tags to purge. Purging twice does no harm, so an offset is committed after its purge.

Run: python -m examples.cache_invalidation.consumer --topic contentwire.blog.changes --purge-url http://localhost:8080/purge

A page that shows entries tags its response with `entry:<id>` for each of them, and a list with the content type.
"""

import argparse
import json
import sys
import urllib.request
from collections.abc import Sequence
from typing import Any

from confluent_kafka import Consumer, TopicPartition

from examples import changes

_TAGS = 100


def main(arguments: Sequence[str]) -> None:
    """Follow the topic as a member of a consumer group."""
    parser = changes.arguments(__doc__)
    parser.add_argument("--purge-url", required=True)
    parser.add_argument("--group", default="cache-invalidation")
    given = parser.parse_args(arguments)
    reader, decode = changes.consumer(given.bootstrap, given.group), changes.decoder(given.registry)
    count = len(reader.list_topics(given.topic, timeout=10).topics[given.topic].partitions)
    reader.subscribe([given.topic])
    tags: set[str] = set()
    purged: dict[int, int] = {}
    for message in changes.messages(reader, count if given.until_end else None):
        if message is not None:
            if value := message.value():
                tags |= affected(decode(value))
            partition, offset = changes.place(message)
            purged[partition] = offset + 1
        if message is None or len(tags) >= _TAGS:
            flush(reader, given, tags, purged)
    flush(reader, given, tags, purged)
    reader.close()


def affected(event: dict[str, Any]) -> set[str]:
    """Return the tags that an event makes stale: the entity's, and that of the lists of its table."""
    entity = changes.row(event)
    return {f"{entity['entity_type']}:{entity['id']}", changes.table(event)}


def flush(reader: Consumer, given: argparse.Namespace, tags: set[str], purged: dict[int, int]) -> None:
    """Purge, then commit; raises if the CDN refuses, and then nothing is committed."""
    if tags:
        body = json.dumps({"tags": sorted(tags)}).encode()
        request = urllib.request.Request(given.purge_url, body, {"Content-Type": "application/json"}, method="POST")
        urllib.request.urlopen(request, timeout=10).close()
        tags.clear()
    if purged:
        offsets = [TopicPartition(given.topic, partition, offset) for partition, offset in purged.items()]
        reader.commit(offsets=offsets, asynchronous=False)
        purged.clear()


if __name__ == "__main__":
    main(sys.argv[1:])
