"""Latency: one edit, from the poll that returns it until a read_committed consumer has it, against a bare transaction.

The CMS answers at once and from memory: the time measured is ours, the broker's and the consumer's. The floor commits
the records of the preceding edit through the client library.
"""

import json
import random
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from itertools import count
from statistics import median, quantiles
from typing import TYPE_CHECKING

import bare
import canned
import httpx
import stream
from confluent_kafka import Consumer, TopicPartition
from figure import Figure

if TYPE_CHECKING:
    from connector.events.record import Batch

_WARM_UP = 20
_FIRST_EDIT = 1_800_000_000
_ORIGIN = "http://127.0.0.1:1"


def measure(bootstrap: str, edits: int) -> list[Figure]:
    """Return the median and the 95th percentile, each with its floor."""
    with stream.prefix(bootstrap) as prefix:
        ours, floor = _race(bootstrap, prefix, edits)
    return [
        Figure("latency: edit to consumer, median", median(ours), "ms", median(floor), "bare transaction"),
        Figure("latency: edit to consumer, p95", _p95(ours), "ms", _p95(floor), "bare transaction"),
    ]


def _race(bootstrap: str, prefix: str, edits: int) -> tuple[list[float], list[float]]:
    """Return the milliseconds of alternating runs: ours, then the floor's."""
    settings = stream.config(bootstrap, prefix, _ORIGIN)
    batches: deque[Batch] = deque(maxlen=1)
    transport = httpx.MockTransport(_Edits().answer)
    publisher, runner = stream.follow(settings, committed=batches.append, transport=transport)
    while publisher.checkpoint.position.phase != "streaming":
        runner.pass_once()
    runner.pass_once()
    [record] = batches[0].records
    consumer, producer = _consumer(bootstrap, record.topic), bare.producer(bootstrap, f"{prefix}.floor")
    state_topic = stream.layout(settings).state_topic
    ours, floor = [], []
    for _ in range(_WARM_UP + edits):
        ours.append(_seen(consumer, runner.pass_once))
        floor.append(_seen(consumer, partial(bare.commit, producer, batches[0], state_topic)))
    consumer.close()
    publisher.close()
    return ours[_WARM_UP:], floor[_WARM_UP:]


def _seen(consumer: Consumer, act: Callable[[], object]) -> float:
    """Return the milliseconds from the start of `act` until the consumer has the record it publishes."""
    begin = time.perf_counter()
    act()
    message = consumer.poll(30)
    assert message is not None
    assert message.error() is None
    return (time.perf_counter() - begin) * 1000


def _consumer(bootstrap: str, topic: str) -> Consumer:
    """Return a consumer positioned at the end of every partition."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "unused",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
        }
    )
    partitions = [TopicPartition(topic, one) for one in consumer.list_topics(topic, 30).topics[topic].partitions]
    ends = [consumer.get_watermark_offsets(partition, 30)[1] for partition in partitions]
    consumer.assign([TopicPartition(topic, one.partition, end) for one, end in zip(partitions, ends, strict=True)])
    return consumer


def _p95(values: list[float]) -> float:
    return quantiles(values, n=20)[-1]


class _Edits:
    """A CMS in which every delta holds one more edit of the same entry; its snapshot is empty."""

    def __init__(self) -> None:
        self._numbers = count()
        self._item = canned.item(1, random.Random(1))

    def answer(self, request: httpx.Request) -> httpx.Response:
        number = next(self._numbers)
        edited = json.loads(json.dumps(self._item))
        edited["sys"]["updatedAt"] = datetime.fromtimestamp(_FIRST_EDIT + number, UTC).isoformat()
        edited["sys"]["revision"] = number
        array = [] if "initial" in request.url.params else [edited]
        url = f"{_ORIGIN}{canned.sync_path('master')}?sync_token={number}"
        return httpx.Response(200, stream=httpx.ByteStream(canned.page(json.dumps(array).encode(), url, last=True)))
