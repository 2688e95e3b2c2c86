"""Recovery: how long a restart takes to restore its index, against a consumer that discards what it reads."""

import hashlib
import time
from statistics import median

import stream
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition
from figure import Figure
from process import alone, peak_megabytes

from connector.clock import SYSTEM
from connector.events import codec
from connector.events.index import Index, IndexEntry
from connector.events.record import Batch, Tally
from connector.events.state_record import CHECKPOINT_KEY, encode_checkpoint
from connector.kafka.store import KafkaStore
from connector.model.change import EntityKey
from connector.model.checkpoint import Checkpoint, Position

_BATCH = 10_000
_NO_CMS = "http://127.0.0.1:1"

Result = dict[str, float]


def measure(bootstrap: str, entities: int, rounds: int) -> list[Figure]:
    """Return the time and memory that restoring an index of `entities` takes."""
    restored, read = [], []
    with stream.prefix(bootstrap) as prefix:
        alone(fill, bootstrap, prefix, entities)
        for _ in range(rounds):
            read.append(alone(drain, bootstrap, prefix))
            restored.append(alone(restore, bootstrap, prefix, entities))
    ours, floor = (median(one["seconds"] for one in runs) for runs in (restored, read))
    grown = median(one["megabytes"] for one in restored)
    return [
        Figure(f"recovery of {entities:,} entities", ours, "s", floor, "bare consumer"),
        Figure("recovery: memory", grown, "MB"),
        Figure("recovery: memory per entity", grown * 2**20 / entities, "bytes"),
    ]


def fill(bootstrap: str, prefix: str, entities: int) -> None:
    """Write an index as snapshots leave it."""
    store = _store(bootstrap, prefix)
    store.recover(Index())
    checkpoint = Checkpoint(stream="bench", position=Position(phase="streaming"))
    for start in range(0, entities, _BATCH):
        state: list[tuple[bytes, bytes | None]] = [_record(n) for n in range(start, min(start + _BATCH, entities))]
        store.commit(Batch([], [*state, (CHECKPOINT_KEY, encode_checkpoint(checkpoint))], checkpoint, Tally()))
    store.close()


def restore(bootstrap: str, prefix: str, entities: int) -> Result:
    """Recover as a restarted process does: fence, look up the end, read up to it."""
    store, index = _store(bootstrap, prefix), Index()
    before, begin = peak_megabytes(), time.perf_counter()
    store.recover(index)
    seconds = time.perf_counter() - begin
    assert len(index) == entities
    return {"seconds": seconds, "megabytes": peak_megabytes() - before}


def drain(bootstrap: str, prefix: str) -> Result:
    """Read the whole state topic and discard it."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "unused",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
        }
    )
    topic = stream.layout(stream.config(bootstrap, prefix, _NO_CMS)).state_topic
    begin = time.perf_counter()
    consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
    while not _ended(consumer):
        pass
    seconds = time.perf_counter() - begin
    consumer.close()
    return {"seconds": seconds}


def _ended(consumer: Consumer) -> bool:
    messages = consumer.consume(_BATCH, 0.05)
    last = messages[-1].error() if messages else None
    return last is not None and last.code() == KafkaError._PARTITION_EOF  # noqa: SLF001  the client's name


def _store(bootstrap: str, prefix: str) -> KafkaStore:
    settings = stream.config(bootstrap, prefix, _NO_CMS)
    return KafkaStore(settings.kafka.properties(), stream.layout(settings), clock=SYSTEM)


def _record(number: int) -> tuple[bytes, bytes]:
    entry = IndexEntry(
        live=True,
        change_type="published",
        content_type=f"type{number % 7}",
        revision=3,
        changed_at=1_767_225_600_000_000 + number * 1000,
        digest=hashlib.blake2b(number.to_bytes(8, "big"), digest_size=16).digest(),
        epoch=1,
    )
    return codec.encode_key(EntityKey("bench", "entry", f"entry{number}", "*")), entry.encode()
