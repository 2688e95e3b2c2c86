"""Bad items and big ones on the real broker: set aside byte for byte, and published after a fix."""

import json
import signal
import urllib.request
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.admin._resource import ResourceType

from connector.devservers.broker import Broker
from connector.events import codec
from connector.simulator import Fault, Simulator
from connector.vendors import names
from tests.command import Workplace, WorkplaceOf
from tests.consumer import consume
from tests.scripted import ONCE

VENDORS = names()
ALL = ("--from-beginning", "--until-end", "--json")

DEEP = '{"sys": {"id": "deep", "type": "Entry"}, "fields": ' + '{"a": ' * 10_000 + "1" + "}" * 10_001
HOSTILE = {
    "malformed": '{"sys": {"type": "Entry"}, "fields": {}}',
    "unknown type": '{"sys": {"id": "u1", "type": "Gadget"}, "weight": 1.10}',
    "too deep": DEEP,
    "NUL in the id": r'{"sys": {"id": "a\u0000b", "type": "Entry"}}',
    "lone surrogate in the id": r'{"sys": {"id": "a\ud83d", "type": "Entry"}}',
    "lone surrogate in the type": r'{"sys": {"id": "s1", "type": "\udfff"}}',
    "a name twice": '{"sys": {"id": "d1", "type": "Entry"}, "fields": {}, "fields": {}}',
    "no object": '"text"',
}

# Incompressible: the broker checks the size of what arrives.
BODY = Random(1).randbytes(20_000).hex()


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """Yield a served simulator with small pages."""
    with Simulator(entries=30, page_sizes=dict.fromkeys(VENDORS, 10)).serving() as served:
        yield served


def letters(kafka: Broker, prefix: str) -> list[dict[str, Any]]:
    """Return the dead letters as an independent consumer reads them."""
    records = consume(kafka.client, f"{prefix}.contentful.dead-letters")
    return [codec.decode("dead_letter", codec.unframe(record.value or b"")[1]) for record in records]


def events(workplace: Workplace, entity: str) -> list[Any]:
    """Return the events of an entity."""
    entries = workplace.lines("tail", "contentful", *ALL)
    return [each["value"] for each in entries if each["key"]["id"] == entity and each["value"]]


def large(simulator: Simulator) -> str:
    """Publish an entity larger than any `max_message_bytes` of these tests; return its id."""
    return simulator.publish("blogPost", fields={"body": {"en-US": BODY}})


def test_hostile_items_are_set_aside_byte_for_byte(
    workplace_of: WorkplaceOf, simulator: Simulator, kafka: Broker, prefix: str
) -> None:
    """Each becomes one letter with a reason and its cursor; the rest is published and proven; listing works."""
    for item in HOSTILE.values():
        simulator.push_fault("contentful", Fault("malformed_item", item=item))
    workplace = workplace_of()
    for _ in HOSTILE:
        simulator.publish()
        assert workplace.run(*ONCE).code == 0
    found = letters(kafka, prefix)
    assert sorted(letter["raw"].decode() for letter in found) == sorted(HOSTILE.values())
    assert all(letter["reason"] and letter["error"] == "MalformedItem" for letter in found)
    assert {letter["item_id"] for letter in found} <= {None, "u1", "s1", "deep"}
    listed = workplace.run("dead-letters", "contentful")
    assert (listed.code, len(listed.out.splitlines())) == (0, 1 + len(HOSTILE))
    raws = [each["value"]["raw"] for each in workplace.lines("dead-letters", "contentful", "--json")]
    assert sorted(raws) == sorted(HOSTILE.values())
    replayed = workplace.run("dead-letters", "contentful", "--replay")
    assert f"0 events published, {len(HOSTILE)} letters stay" in replayed.out
    assert len(letters(kafka, prefix)) == len(HOSTILE)
    assert workplace.run("verify", "contentful").code == 0


def test_an_event_that_is_too_large_is_set_aside_or_stops_the_stream(
    workplace_of: WorkplaceOf, simulator: Simulator, kafka: Broker, prefix: str
) -> None:
    """By policy: a dead letter with the item, or a stop that names the item and commits nothing of its page."""
    workplace = workplace_of(kafka_lines="max_message_bytes = 30000")
    assert workplace.run(*ONCE).code == 0
    one = large(simulator)
    workplace.edit(r"poll_interval = 0\.1", 'poll_interval = 0.1\noversized = "stop"')
    stopped = workplace.run(*ONCE)
    assert stopped.code == 1
    assert one in stopped.err
    assert "exceeds max.message.bytes = 30000" in stopped.err
    assert (letters(kafka, prefix), events(workplace, one)) == ([], [])
    workplace.edit('oversized = "stop"', 'oversized = "dead-letter"')
    assert workplace.run(*ONCE).code == 0
    (letter,) = letters(kafka, prefix)
    assert (letter["error"], letter["item_id"], letter["cursor"] is not None) == ("EventTooLarge", one, True)
    assert BODY.encode() in letter["raw"]
    assert events(workplace, one) == []


def test_an_event_that_is_too_large_may_say_where_to_fetch_from(
    workplace_of: WorkplaceOf, simulator: Simulator
) -> None:
    """The reference has the digest, the size and the delivery API's URL of the entity, and no credential."""
    workplace = workplace_of(kafka_lines="max_message_bytes = 30000", connection_lines='oversized = "reference"')
    one = large(simulator)
    assert workplace.run(*ONCE).code == 0
    (event,) = events(workplace, one)
    reference = json.loads(event["after"]["meta"])["contentwire_reference"]
    assert (event["op"], event["after"]["fields"], event["after"]["revision"]) == ("r", None, 1)
    assert reference["bytes"] > 40_000
    assert len(reference["digest"]) == 32
    connection = simulator.connection("contentful")
    space, environment = connection["space"], connection["environment"]
    assert reference["url"] == f"{simulator.url()}/spaces/{space}/environments/{environment}/entries/{one}"
    assert connection["token"] not in reference["url"]
    assert workplace.run("verify", "contentful").code == 0


def test_letters_are_replayed_after_a_fix_on_a_running_stream(
    workplace_of: WorkplaceOf, simulator: Simulator, kafka: Broker, prefix: str
) -> None:
    """Each once, never over newer state; what is still unreadable stays; the owner recovers and continues."""
    workplace = workplace_of(kafka_lines="max_message_bytes = 30000")
    waits, overtaken = large(simulator), large(simulator)
    simulator.push_fault("contentful", Fault("unknown_item", item=HOSTILE["unknown type"]))
    assert workplace.run(*ONCE).code == 0
    simulator.edit(overtaken, fields={"body": {"en-US": "short by now"}})
    assert workplace.run(*ONCE).code == 0
    assert len(letters(kafka, prefix)) == 3
    still = workplace.run("dead-letters", "contentful", "--replay")
    assert "0 events published, 2 letters stay" in still.out
    set_the_limit(kafka, prefix, 90_000)
    workplace.edit("max_message_bytes = 30000", "max_message_bytes = 90000")
    with workplace.start("run") as run:
        assert run.said('"recovered"')
        replayed = workplace.run("dead-letters", "contentful", "--replay")
        assert "3 letters read again, 1 events published, 1 letters stay" in replayed.out
        assert "u1" in replayed.out
        assert run.said('"recovered"', times=2)
        later = simulator.publish()
        assert run.said('"committed"', times=1)
        again = workplace.run("dead-letters", "contentful", "--replay")
        assert "0 events published, 1 letters stay" in again.out
        run.ends(signal.SIGTERM)
    assert workplace.run(*ONCE).code == 0
    assert [event["op"] for event in events(workplace, waits)] == ["c"]
    assert [event["op"] for event in events(workplace, overtaken)] == ["c"]
    assert "short by now" in events(workplace, overtaken)[0]["after"]["fields"]
    assert len(events(workplace, later)) == 1
    sequences = sorted(
        each["value"]["source"]["sequence"] for each in workplace.lines("tail", "contentful", *ALL) if each["value"]
    )
    assert sequences == list(range(1, len(sequences) + 1))
    assert len(letters(kafka, prefix)) == 3
    assert workplace.run("verify", "contentful").code == 0


def test_a_limit_lowered_unannounced_stops_the_stream_visibly(
    workplace_of: WorkplaceOf, simulator: Simulator, kafka: Broker, prefix: str
) -> None:
    """The broker refuses the batch: state `stopped` with the message and a hint, in metrics and on the status page."""
    workplace = workplace_of()
    workplace.edit(r"\Z", '[server]\nlisten = "127.0.0.1:0"\n')
    with workplace.start("run") as run:
        assert run.said('"committed"')
        port = listening(workplace)
        set_the_limit(kafka, prefix, 2000)
        large(simulator)
        assert run.said('"stream stopped"')
        assert 'state="stopped"} 1.0' in fetched(port, "/metrics")
        page = fetched(port, "/")
        assert "too large" in page
        assert "max.message.bytes" in page
        assert fetched(port, "/healthz")
        run.ends(signal.SIGTERM)
    set_the_limit(kafka, prefix, 8 * 1024 * 1024)
    assert workplace.run(*ONCE).code == 0
    assert workplace.run("verify", "contentful").code == 0


def set_the_limit(kafka: Broker, prefix: str, size: int) -> None:
    """Set the largest batch that the changes topic accepts."""
    entry = ConfigEntry("max.message.bytes", str(size), incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, f"{prefix}.contentful.changes", incremental_configs=[entry])
    admin = AdminClient(dict(kafka.client))  # must outlive the answer
    admin.incremental_alter_configs([resource])[resource].result(10)


def listening(workplace: Workplace) -> int:
    """Return the operators' port."""
    lines = map(json.loads, (workplace.folder / "1.log").read_text().splitlines())
    return next(int(line["port"]) for line in lines if line["event"] == "listening")


def fetched(port: int, path: str) -> str:
    """Return what the operators' port answers."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        return str(answer.read().decode())
