"""The proof: an independent read_committed consumer compares a stream's topic with the simulator's change log."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from confluent_kafka import Consumer, IsolationLevel, KafkaError, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._listoffsets import OffsetSpec

from connector.events import codec
from connector.simulator import Simulator
from connector.simulator.feed import Entry, Feed

Key = tuple[str, str, str]
Client = Mapping[str, str]

_TIMEOUT = 20


class Seen(NamedTuple):
    """One record of a changes topic: a key, and an event or (None) a tombstone."""

    partition: int
    offset: int
    key: Key
    event: dict[str, Any] | None


class Ledger:
    """What the simulator's change log says that one vendor's stream must hold.

    `note` it whenever changes were made. A key may be noted once more only after the stream has caught up: an API tells
    the latest state alone.
    """

    def __init__(self, simulator: Simulator, vendor: str) -> None:
        self._simulator = simulator
        self._vendor = vendor
        initial = self.truth()
        # Every key's states, live or not, as often as the stream must tell of them.
        self.states = Counter((key, True) for key in initial)
        self.removed_before = self._removed_before()
        self._position = len(self._feed)

    def note(self) -> None:
        """Take in what changed since the last time."""
        self.truth()
        self.states.update((_key(entry), entry.live) for entry in self._feed.oldest_first(self._position))
        self._position = len(self._feed)

    def note_swap(self, former: Mapping[Key, object]) -> None:
        """Take in that another environment is delivered now, not the `former` truth: what both have is no change."""
        now = self.truth()
        self.states.update((key, False) for key in former.keys() - now.keys())
        self.states.update((key, True) for key in now if former.get(key) != now[key])
        self.removed_before |= self._removed_before()
        self._position = len(self._feed)

    def _removed_before(self) -> set[Key]:
        """Return what an initial sync may or may not tell of, as it was removed before it."""
        return {_key(entry) for entry in self._feed.oldest_first() if not entry.live} - self.truth().keys()

    def truth(self) -> dict[Key, tuple[int, bytes | None]]:
        """Return what the vendor delivers now: revision and fields of each key."""
        return {
            (live.entity_type, live.id, live.locale): (live.revision, live.fields)
            for live in self._simulator.truth(self._vendor)
        }

    def missing(self, records: Iterable["Seen"]) -> Counter[tuple[Key, bool]]:
        """Return the states that the records do not tell of yet."""
        return self.states - told(records)

    @property
    def _feed(self) -> Feed:
        return self._simulator._stage(self._vendor).front_end.feed


def prove(client: Client, topic: str, ledger: Ledger) -> list[Seen]:
    """Assert that the topic holds every change exactly once, in sequence, and the CMS's state; return its records."""
    assert_nothing_is_open(client, topic)
    records = read(client, topic)
    assert_each_change_once(records, ledger)
    assert_sequence_is_contiguous(records)
    assert_deletes_have_tombstones(records)
    assert_latest_is_the_truth(records, ledger)
    return records


def assert_nothing_is_open(client: Client, topic: str) -> None:
    """Assert that no transaction is left open: it would hide everything behind it from consumers."""
    assert ends(client, topic, IsolationLevel.READ_COMMITTED) == ends(client, topic, IsolationLevel.READ_UNCOMMITTED)


def assert_each_change_once(records: Sequence[Seen], ledger: Ledger) -> None:
    """Assert that each change is there once, with its own event id, and nothing that nobody did."""
    ids = Counter(record.event["event_id"] for record in records if record.event)
    assert [event_id for event_id, count in ids.items() if count > 1] == [], "events with the same id"
    assert ledger.missing(records) == Counter(), "changes that are missing"
    surplus = told(records) - ledger.states
    assert surplus - Counter((key, False) for key in ledger.removed_before) == Counter(), "changes that nobody made"


def told(records: Iterable[Seen]) -> Counter[tuple[Key, bool]]:
    """Return how often the records tell that a key is live, or is not."""
    return Counter((record.key, record.event["op"] != "d") for record in records if record.event)


def assert_sequence_is_contiguous(records: Sequence[Seen]) -> None:
    """Assert that sequence numbers are 1..n, and grow within each partition."""
    by_partition: dict[int, list[int]] = {}
    for record in records:
        if record.event:
            by_partition.setdefault(record.partition, []).append(record.event["source"]["sequence"])
    for numbers in by_partition.values():
        assert numbers == sorted(numbers)
    every = sorted(number for numbers in by_partition.values() for number in numbers)
    assert every == list(range(1, len(every) + 1))


def assert_deletes_have_tombstones(records: Sequence[Seen]) -> None:
    """Assert that after each `d`, and nowhere else, its tombstone is the next record of the partition."""
    followers = [None, *records]
    for record, before in zip(records, followers, strict=False):
        expects = before is not None and before.event is not None and before.event["op"] == "d"
        assert (record.event is None) == expects, record
        if before and expects:
            assert (before.partition, before.key) == (record.partition, record.key)
    assert not (records and records[-1].event and records[-1].event["op"] == "d")


def assert_latest_is_the_truth(records: Sequence[Seen], ledger: Ledger) -> None:
    """Assert that the topic, compacted, is what the CMS delivers now."""
    latest: dict[Key, tuple[int, bytes | None]] = {}
    for record in records:
        latest.pop(record.key, None)
        if record.event and record.event["op"] != "d":
            after = record.event["after"]
            fields = after["fields"]
            latest[record.key] = (after["revision"], None if fields is None else fields.encode())
    truth = ledger.truth()
    assert latest.keys() == truth.keys()
    assert {key: value for key, value in latest.items() if value != truth[key]} == {}


def read(client: Client, topic: str, isolation: str = "read_committed") -> list[Seen]:
    """Return all that the topic holds now, partition by partition, each in its order."""
    return [
        seen
        for partition in range(partition_count(client, topic))
        for seen in _read(client, topic, partition, isolation)
    ]


def partition_count(client: Client, topic: str) -> int:
    """Return the topic's number of partitions, 0 if there is no such topic."""
    found = AdminClient(dict(client)).list_topics(timeout=_TIMEOUT).topics.get(topic)
    return len(found.partitions) if found else 0


def ends(client: Client, topic: str, isolation: IsolationLevel) -> list[int]:
    """Return where each partition ends for a reader of that isolation level."""
    admin = AdminClient(dict(client))
    partitions = admin.list_topics(timeout=_TIMEOUT).topics[topic].partitions
    wanted = {TopicPartition(topic, each): OffsetSpec.latest() for each in partitions}  # type: ignore[no-untyped-call]
    futures = admin.list_offsets(wanted, isolation_level=isolation)
    return [future.result(_TIMEOUT).offset for _, future in sorted(futures.items(), key=lambda item: item[0].partition)]


def _read(client: Client, topic: str, partition: int, isolation: str) -> Iterator[Seen]:
    settings = {"group.id": "proof", "isolation.level": isolation, "enable.partition.eof": True}
    consumer = Consumer({**client, **settings, "enable.auto.commit": False, "fetch.wait.max.ms": 50})
    consumer.assign([TopicPartition(topic, partition, 0)])
    try:
        while True:
            message = consumer.poll(_TIMEOUT)
            assert message is not None, f"{topic} does not answer"
            if error := message.error():
                assert error.code() == KafkaError._PARTITION_EOF, error
                return
            key, value, offset = message.key(), message.value(), message.offset()
            assert isinstance(key, bytes)
            assert offset is not None
            yield Seen(partition, offset, _decoded_key(key), None if value is None else _decoded(bytes(value)))
    finally:
        consumer.close()


def _decoded_key(key: bytes) -> Key:
    decoded = codec.decode_key(codec.unframe(key)[1])
    return decoded.entity_type, decoded.id, decoded.locale


def _decoded(value: bytes) -> dict[str, Any]:
    return codec.decode("envelope", codec.unframe(value)[1])


def _key(entry: Entry) -> Key:
    return entry.version.kind, entry.version.id, entry.locale or "*"
