"""Three CMSs into a real broker and a real registry, read by an independent consumer without our codec.

It decodes with the Apache implementation, using the registry's schema for the id at the start of each record.
"""

import struct
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import avro.schema
import httpx
import pytest

from connector import vendors, wiring
from connector.clock import SYSTEM
from connector.config.load import load
from connector.config.tables import tables
from connector.demo.ledger import Received
from connector.demo.proof import event_ids, latest_state, sequence, tombstones
from connector.devservers.broker import Broker
from connector.model.change import EntityKey
from connector.service.metrics import Metrics
from connector.service.supervisor import Supervisor
from connector.simulator import Fault, Simulator
from tests.avro_spec import decode
from tests.cms import assert_holds, contiguous, truth
from tests.consumer import Consumed, consume
from tests.values import CONNECTION


class Seen(NamedTuple):
    """One record, decoded; for a tombstone the event is None."""

    partition: int
    raw_key: bytes
    key: dict[str, str]
    event: dict[str, Any] | None
    headers: dict[str, str]


class Deployment:
    """One process that follows every vendor, as its configuration file says."""

    def __init__(self, simulator: Simulator, kafka: Broker, registry: str, prefix: str, folder: Path) -> None:
        self.simulator, self.kafka, self.prefix = simulator, kafka, prefix
        self._registry = registry
        self._path = folder / "contentwire.toml"

    def run(self, kafka: str = "", connection: str = "") -> str:
        """Start a process, let every stream become current, and return the outcome."""
        connections = {name: self.simulator.connection(name) for name in vendors.names()}
        connected, environ = tables(connections)
        text = f'[kafka]\nbootstrap_servers = "{self.kafka.bootstrap}"\nprefix = "{self.prefix}"\n'
        text += f'registry = {{ url = "{self._registry}" }}\npartitions = 3\n{kafka}\n'
        self._path.write_text(text + connected.replace("vendor =", f"{connection}\nvendor ="))
        loaded = load(self._path, environ)
        streams = wiring.streams(loaded)
        specs = [stream.spec() for stream in streams]
        supervisor = Supervisor(
            specs, loaded.kafka.properties(), loaded.kafka.prefix, Metrics(), clock=SYSTEM, once=True
        )
        return supervisor.run([stream.layout.state_spec() for stream in streams])

    def read(self, name: str, topic: str = "changes") -> list[Seen]:
        """Return everything a read_committed consumer sees."""
        return [self._decode(each) for each in consume(self.kafka.client, f"{self.prefix}.{name}.{topic}")]

    def letters(self, name: str) -> list[dict[str, Any]]:
        """Return the decoded dead letters."""
        found = consume(self.kafka.client, f"{self.prefix}.{name}.dead-letters")
        return [self._body(each.value or b"") for each in found]

    def schema(self, schema_id: int) -> Any:
        """Return a schema from the registry, parsed by the Apache implementation."""
        return avro.schema.parse(_registered(self._registry, schema_id))

    def subjects(self) -> set[str]:
        """Return the registry's subjects of this deployment."""
        answer = httpx.get(f"{self._registry}/subjects", params={"subjectPrefix": self.prefix}, timeout=10).json()
        return {each for each in answer if each.startswith(self.prefix)}

    def _decode(self, record: Consumed) -> Seen:
        assert record.key
        key = self._body(record.key)
        event = None if record.value is None else self._body(record.value)
        headers = {name: value.decode() for name, value in record.headers}
        return Seen(record.partition, record.key, key, event, headers)

    def _body(self, data: bytes) -> dict[str, Any]:
        magic, schema_id = struct.unpack(">bI", data[:5])
        assert magic == 0
        value: dict[str, Any] = decode(data[5:], self.schema(schema_id))
        return value


@cache
def _registered(registry: str, schema_id: int) -> str:
    return str(httpx.get(f"{registry}/schemas/ids/{schema_id}", timeout=10).json()["schema"])


def received(records: Iterable[Seen]) -> list[Received]:
    """Return records partition by partition, for the proof."""
    return [
        Received(each.partition, EntityKey(**{**each.key, "connection": CONNECTION}), each.event, 0.0)
        for each in sorted(records, key=lambda each: each.partition)
    ]


def murmur2(data: bytes) -> int:
    """Return Kafka's own murmur2 of a key, a Java int, by the algorithm of its default partitioner."""
    seed, mixer, mask = 0x9747B28C, 0x5BD1E995, 0xFFFFFFFF
    state = (seed ^ len(data)) & mask
    whole = len(data) // 4 * 4
    for (word,) in struct.iter_unpack("<I", data[:whole]):
        mixed = word * mixer & mask
        mixed = (mixed ^ mixed >> 24) * mixer & mask
        state = (state * mixer & mask) ^ mixed
    rest = data[whole:]
    if rest:
        state = (state ^ int.from_bytes(rest, "little")) * mixer & mask
    state = (state ^ state >> 13) * mixer & mask
    return state ^ state >> 15


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """Yield a served simulator."""
    with Simulator(seed=21, entries=30).serving() as serving:
        yield serving


@pytest.fixture
def deployment(simulator: Simulator, kafka: Broker, registry: str, prefix: str, tmp_path: Path) -> Deployment:
    """Return a process that follows every vendor."""
    return Deployment(simulator, kafka, registry, prefix, tmp_path)


@pytest.mark.parametrize(
    ("key", "expected"),
    [(b"21", -973932308), (b"foobar", -790332482), (b"a-little-bit-long-string", -985981536), (b"abc", 479470107)],
)
def test_murmur2_is_kafkas(key: bytes, expected: int) -> None:
    """This file's partitioner gives the values that Kafka's own tests give."""
    assert murmur2(key) == expected % 2**32


def test_three_cms_in_one_process_equal_their_topics(deployment: Deployment, simulator: Simulator) -> None:
    """Snapshot, then deltas: every change once, in sequence, each removal whole, each key on Java's partition."""
    assert deployment.run() == "current"
    for name in vendors.names():
        assert_holds(latest_state(received(deployment.read(name)), simulator.truth(name)))
    simulator.churn(25)
    simulator.release(10)
    assert deployment.run() == "current"
    simulator.delete(simulator.ids()[0])
    assert deployment.run() == "current"
    for name in vendors.names():
        records = deployment.read(name)
        shown = received(records)
        assert_holds(latest_state(shown, simulator.truth(name)), sequence(shown), event_ids(shown), tombstones(shown))
        assert {"r", "c", "u", "d"} <= {each.event["op"] for each in records if each.event}
        assert [each.partition for each in records] == [(murmur2(each.raw_key) & 2**31 - 1) % 3 for each in records]


def test_every_removal_is_whole_and_every_record_has_its_headers(deployment: Deployment, simulator: Simulator) -> None:
    """A `d` has a before, and its tombstone is the next record of its partition; CloudEvents headers on both."""
    deployment.run()
    for entry in simulator.ids()[:4]:
        simulator.unpublish(entry)
    deployment.run()
    for name in vendors.names():
        records = deployment.read(name)
        for place, each in enumerate(records):
            assert each.headers["ce_specversion"] == "1.0"
            assert each.headers["ce_source"] == f"/{name}/{name}"
            assert each.key["connection"] == name
            if each.event is None:
                continue
            assert each.headers["ce_id"] == each.event["event_id"]
            assert each.event["source"]["connector"] == name
            if each.event["op"] == "d":
                tombstone = records[place + 1]
                assert (tombstone.raw_key, tombstone.event) == (each.raw_key, None)
                assert tombstone.headers["ce_id"] == f"{each.event['event_id']}.tombstone"
                assert each.event["before"]["id"] == each.key["id"]


def test_schemas_are_registered_per_topic(deployment: Deployment, simulator: Simulator) -> None:
    """Subjects `<topic>-key` and `<topic>-value`, no others, and those of dead letters once there are some."""
    simulator.push_fault(vendors.names()[0], Fault("unknown_item"))
    deployment.run()
    changes = {f"{deployment.prefix}.{name}.changes-{part}" for name in vendors.names() for part in ("key", "value")}
    assert deployment.subjects() == {*changes, f"{deployment.prefix}.{vendors.names()[0]}.dead-letters-value"}


def test_dead_letters_are_read_with_only_the_registry(deployment: Deployment, simulator: Simulator) -> None:
    """The raw item, the reason, and its position: enough to replay it."""
    for name in vendors.names():
        simulator.push_fault(name, Fault("malformed_item"))
    assert deployment.run() == "current"
    for name in vendors.names():
        (letter,) = deployment.letters(name)
        assert (letter["connection"], letter["vendor"], letter["error"]) == (name, name, "MalformedItem")
        assert letter["raw"].startswith(b"{")
        assert letter["reason"]
        assert_holds(latest_state(received(deployment.read(name)), simulator.truth(name)))


def test_the_flat_form_is_read_with_only_the_registry(deployment: Deployment, simulator: Simulator) -> None:
    """`envelope = "flat"`: one record, with the same state."""
    deployment.run(connection='envelope = "flat"')
    for name in vendors.names():
        events = [each.event for each in deployment.read(name) if each.event]
        state = {(row["entity_type"], row["id"], row["locale"]): row["fields"] for row in events if row["op"] != "d"}
        wanted = {(key.entity_type, key.id, key.locale): row[3] for key, row in truth(simulator, name).items()}
        assert state == wanted
        assert contiguous(row["sequence"] for row in events)


def test_topics_may_be_routed_by_parts_of_the_key(deployment: Deployment, simulator: Simulator) -> None:
    """A template by entity type and locale: `all` stands for `*`; together the topics hold everything."""
    template = 'topic = "{prefix}.{connection}.{entity_type}.{locale}"'
    assert deployment.run(template) == "current"
    simulator.churn(5)
    assert deployment.run(template) == "current"
    for name in vendors.names():
        keys = truth(simulator, name)
        routes = {f"{key.entity_type}.{'all' if key.locale == '*' else key.locale}" for key in keys}
        records = [record for route in sorted(routes) for record in deployment.read(name, route)]
        assert_holds(latest_state(received(records), simulator.truth(name)))
        assert contiguous(each.event["source"]["sequence"] for each in records if each.event)


def test_a_large_entry_fits(deployment: Deployment, simulator: Simulator) -> None:
    """Six megabytes in one event: more than the broker's default, less than the topic's limit."""
    name = vendors.names()[0]
    large = simulator.publish(fields={"text": {"en-US": "x" * 6_000_000}})
    assert deployment.run() == "current"
    sizes = [
        len(each.event["after"]["fields"]) for each in deployment.read(name) if each.event and each.key["id"] == large
    ]
    assert min(sizes) > 6_000_000
    assert deployment.letters(name) == []
