"""Snapshot: pages from a static server through the whole connector into a real broker, against two floors.

The walk reads the same pages with bare httpx and looks only at the next URL; the producer commits the same records,
ready-made, in transactions of the same size. Each run has a separate process, and runs alternate.
"""

import re
import time
from statistics import median
from typing import Any

import bare
import httpx
import stream
from canned import sync_path
from figure import Figure
from page_server import PER_PAGE, serve
from process import alone, peak_megabytes

from connector import limits
from connector.clock import SYSTEM
from connector.config.settings import Config
from connector.events.index import Index
from connector.events.record import Batch
from connector.kafka.store import KafkaStore
from connector.kafka.topics import Topics

_NEXT = re.compile(rb'"next(Page|Sync)Url":"([^"]+)"}$')
_TAIL = 400

Result = dict[str, float]


def walk(origin: str, environment: str) -> Result:
    """Read all pages at the lowest cost possible for a client."""
    url = f"{origin}{sync_path(environment)}?initial=true&limit={PER_PAGE}"
    with httpx.Client() as client:
        begin = time.perf_counter()
        while True:
            body = client.get(url).content
            following = _NEXT.search(body, max(len(body) - _TAIL, 0))
            assert following
            if following[1] == b"Sync":
                return {"seconds": time.perf_counter() - begin}
            url = following[2].decode()


def produce(bootstrap: str, prefix: str, origin: str, environment: str) -> Result:
    """Commit the connector's records from memory, straight through the client library."""
    settings = stream.config(bootstrap, prefix, origin, environment)
    batches, state_topic = _batches(settings), stream.layout(settings).state_topic
    producer = bare.producer(bootstrap, f"{prefix}.floor")
    begin = time.perf_counter()
    for batch in batches:
        bare.commit(producer, batch, state_topic)
    return {"seconds": time.perf_counter() - begin}


def connect(bootstrap: str, prefix: str, origin: str, environment: str) -> Result:
    """Take the snapshot as `contentwire run` does."""
    publisher, runner = stream.follow(stream.config(bootstrap, prefix, origin, environment))
    limits.collect_rarely()  # as the process does
    begin, cpu = time.perf_counter(), time.process_time()
    runner.pass_once()
    result = {"seconds": time.perf_counter() - begin, "cpu_seconds": time.process_time() - cpu}
    assert publisher.checkpoint.position.phase == "catching_up"
    assert publisher.checkpoint.progress.sequence == len(publisher.index) > 0
    publisher.close()
    return result | {"megabytes": peak_megabytes()}


class _Keep(KafkaStore):
    """Keeps batches instead of committing them."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args, clock=SYSTEM)
        self.batches: list[Batch] = []

    def recover(self, _index: Index) -> None:
        """Report that nothing was ever committed."""

    def commit(self, batch: Batch) -> None:
        """Keep the batch."""
        self.batches.append(batch)


def _batches(settings: Config) -> list[Batch]:
    """Return what the connector commits; creates the topics."""
    client, layout = settings.kafka.properties(), stream.layout(settings)
    Topics(client, SYSTEM).ensure(layout.state_spec())
    keep = _Keep(client, layout)
    stream.follow(settings, keep).runner.pass_once()
    return keep.batches


def _connected(bootstrap: str, origin: str, environment: str) -> Result:
    with stream.prefix(bootstrap) as prefix:
        return alone(connect, bootstrap, prefix, origin, environment)


def measure(bootstrap: str, items: int, rounds: int, delay_ms: int) -> list[Figure]:
    """Return the speed and memory of snapshots, with their floors."""
    pages = max(items // PER_PAGE, 5)
    items = pages * PER_PAGE
    with serve(items) as origin:
        figures = _speed(bootstrap, origin, pages, rounds)
        figures.append(_delayed(bootstrap, origin, pages, delay_ms))
        return figures + _memory(bootstrap, origin, pages)


def _speed(bootstrap: str, origin: str, pages: int, rounds: int) -> list[Figure]:
    walks, producers, ours = [], [], []
    for _ in range(rounds):
        walks.append(alone(walk, origin, f"{pages}-0"))
        with stream.prefix(bootstrap) as prefix:
            producers.append(alone(produce, bootstrap, prefix, origin, f"{pages}-0"))
        ours.append(_connected(bootstrap, origin, f"{pages}-0"))
    items = pages * PER_PAGE
    # Medians: a single run may have competed with other work on the machine.
    reading, producing, speed = (
        round(items / median(one["seconds"] for one in runs)) for runs in (walks, producers, ours)
    )
    name = f"snapshot of {items:,} items"
    return [
        Figure(name, speed, "items/s", reading, "httpx walk"),
        Figure(name, speed, "items/s", producing, "transactions from memory"),
        Figure(f"{name}: best run", round(items / min(one["seconds"] for one in ours)), "items/s"),
        Figure(f"{name}: CPU per item", median(one["cpu_seconds"] for one in ours) / items * 1e6, "µs"),
    ]


def _delayed(bootstrap: str, origin: str, pages: int, delay_ms: int) -> Figure:
    environment = f"{pages}-{delay_ms}"
    floor = alone(walk, origin, environment)["seconds"]
    ours = _connected(bootstrap, origin, environment)["seconds"]
    return Figure(f"snapshot of {pages} pages at {delay_ms} ms", ours, "s", floor, "httpx walk")


def _memory(bootstrap: str, origin: str, pages: int) -> list[Figure]:
    """Return the peak memory at a fifth, a half and all of the pages, and the growth per entity."""
    peaks = {part: _connected(bootstrap, origin, f"{part}-0")["megabytes"] for part in (pages // 5, pages // 2, pages)}
    grown = (peaks[pages] - peaks[pages // 5]) * 2**20 / ((pages - pages // 5) * PER_PAGE)
    figures = [Figure(f"memory: peak at {part * PER_PAGE:,} items", peak, "MB") for part, peak in peaks.items()]
    return [*figures, Figure("memory: growth per entity", grown, "bytes")]
