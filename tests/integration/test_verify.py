"""`contentwire verify` on the real broker: what it finds, what it tolerates, and what it leaves untouched."""

import json
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient

from connector.devservers.broker import Broker
from connector.events import codec
from connector.simulator import Fault, Simulator
from connector.vendors import names
from tests.command import Workplace, WorkplaceOf
from tests.consumer import consume
from tests.scripted import ONCE
from tests.topics import produce

VENDORS = names()


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """Yield a served simulator with small pages."""
    with Simulator(entries=40, page_sizes=dict.fromkeys(VENDORS, 10)).serving() as served:
        yield served


def verified(workplace: Workplace, vendor: str, *options: str, code: int = 0) -> Any:
    """Run `verify --json`, check its exit code, and return its report."""
    ended = workplace.run("verify", vendor, "--json", *options)
    assert ended.code == code, ended
    return json.loads(ended.out)


def records(kafka: Broker, topic: str) -> dict[str, tuple[bytes, bytes]]:
    """Return the last record of each live key by its entity's id: key and value."""
    found: dict[str, tuple[bytes, bytes]] = {}
    for record in consume(kafka.client, topic):
        entity = codec.decode_key(codec.unframe(record.key or b"")[1])
        if record.value is None:
            found.pop(entity.id, None)
        else:
            found[entity.id] = (record.key or b"", record.value)
    return found


def forged(value: bytes, source: Mapping[str, Any], **after: Any) -> bytes:
    """Return the event with other values."""
    framing = codec.single_object("envelope")
    event = codec.decode("envelope", codec.unframe(value)[1])
    event["after"] |= after
    event["source"] |= source
    return framing.prefix + codec.encode("envelope", event)


def touched(kafka: Broker, prefix: str, vendor: str) -> tuple[int, set[str]]:
    """Return what a read-only command must leave as it is: the length of the state, and the groups."""
    admin = AdminClient(dict(kafka.client))
    groups = [
        each.group_id for each in admin.list_consumer_groups().result(10).valid if each.group_id.startswith(prefix)
    ]
    return len(consume(kafka.client, f"{prefix}.{vendor}.state")), set(groups)


TEMPLATE = 'topic = "{prefix}.{connection}.{entity_type}.{locale}"'


@pytest.mark.parametrize(
    ("kafka_lines", "connection_lines"),
    [
        ("", ""),
        (TEMPLATE, 'envelope = "flat"'),
        ("", 'content_types = ["author", "blogPost"]\nentity_types = ["entry"]'),
        ("max_message_bytes = 2500", 'oversized = "reference"'),
    ],
)
def test_a_current_stream_equals_its_cms(
    followed: WorkplaceOf, simulator: Simulator, kafka_lines: str, connection_lines: str
) -> None:
    """For each vendor, by content too: with routed topics, the flat envelope, filters, and references to big items."""
    workplace = followed(*VENDORS, kafka_lines=kafka_lines, connection_lines=connection_lines)
    simulator.churn(20)
    assert workplace.run(*ONCE).code == 0
    for vendor in VENDORS:
        for options in ((), ("--shallow",)):
            report = verified(workplace, vendor, *options)
            assert (report["proven"], report["differences"]) == (True, [])
            assert sum(row["equal"] for row in report["counts"]) > 10


def test_missing_stale_and_extra_keys_are_reported(
    followed: WorkplaceOf, simulator: Simulator, kafka: Broker, prefix: str
) -> None:
    """Each with its table and revisions, as a table and as JSON; exit code 1; the stream is untouched."""
    workplace = followed()
    topic = f"{prefix}.contentful.changes"
    missing, stale, tampered, *_ = simulator.ids()
    held = records(kafka, topic)
    produce(kafka, topic, held[missing][0], None)
    produce(kafka, topic, held[stale][0], forged(held[stale][1], {}, revision=77, fields='{"title": 1}'))
    produce(kafka, topic, held[tampered][0], forged(held[tampered][1], {}, fields='{"title": 1}'))
    key = codec.decode_key(codec.unframe(held[stale][0])[1])
    extra = codec.single_object("key").prefix + codec.encode(
        "key", {"connection": key.connection, "entity_type": "entry", "id": "nowhere", "locale": "*"}
    )
    produce(kafka, topic, extra, forged(held[stale][1], {"table": "ghost"}, id="nowhere"))
    before = touched(kafka, prefix, "contentful")
    report = verified(workplace, "contentful", "--shallow", code=1)
    found = {each["key"]["id"]: each["kind"] for each in report["differences"]}
    assert found == {missing: "missing", stale: "stale", "nowhere": "extra"}
    assert {"table": "ghost", "equal": 0, "missing": 0, "stale": 0, "extra": 1} in report["counts"]
    deep = workplace.run("verify", "contentful", "--limit", "99")
    assert deep.code == 1
    rows = [line.split() for line in deep.out.splitlines()]
    assert ["stale", tampered] in [[line[0], line[3]] for line in rows if len(line) > 5]
    assert "4 differ" in deep.out
    assert "keys that differ" in deep.err
    assert len(verified(workplace, "contentful", "--limit", "1", code=1)["differences"]) == 1
    state, groups = touched(kafka, prefix, "contentful")
    assert state == before[0]
    assert groups <= before[1]  # a broker forgets a group that nobody is in any more
    (advised,) = [line.partition("contentwire ")[2] for line in deep.out.splitlines() if "contentwire snapshot" in line]
    assert workplace.run(*advised.split()).code == 0
    assert workplace.run(*ONCE).code == 0
    assert verified(workplace, "contentful")["proven"]


def test_changes_made_during_the_check_are_tolerated(followed: WorkplaceOf, simulator: Simulator) -> None:
    """Content that keeps changing while both sides are read, and a stream one poll behind, are not differences."""
    workplace = followed(*VENDORS)

    def edit() -> None:
        for _ in range(20):
            time.sleep(0.2)  # spread over what the commands take: more at once, and a slow machine would never catch up
            simulator.churn(2)

    with workplace.start("run") as run:
        assert run.said('"recovered"', times=len(VENDORS))
        for vendor in VENDORS:
            simulator.on_page(vendor, 2, lambda: simulator.churn(10))
        # The command waits for its own interval: the stream's would be too short on a busy machine.
        workplace.edit(r"poll_interval = 0\.1", "poll_interval = 30")
        editor = threading.Thread(target=edit)
        editor.start()
        outcomes = [each.ends() for each in [workplace.start("verify", vendor) for vendor in VENDORS]]
        editor.join()
    assert [outcome.code for outcome in outcomes] == [0, 0, 0], "\n".join(outcome.out for outcome in outcomes)


def test_a_stream_that_is_behind_is_waited_for_and_then_reported(followed: WorkplaceOf, simulator: Simulator) -> None:
    """Nobody follows the CMS: what changed since the last run is missing once a next walk should have ended."""
    workplace = followed()
    one = simulator.publish()
    report = verified(workplace, "contentful", code=1)
    assert [(each["kind"], each["key"]["id"]) for each in report["differences"]] == [("missing", one)]


def test_items_among_the_dead_letters_are_reported_and_excused(followed: WorkplaceOf, simulator: Simulator) -> None:
    """Unreadable and oversized items are counted, and the rest is proven."""
    simulator.push_fault("contentful", Fault("unknown_item"))
    workplace = followed(kafka_lines="max_message_bytes = 2500")
    letters = workplace.lines("dead-letters", "contentful", "--json")
    large = [letter for letter in letters if letter["value"]["error"] == "EventTooLarge"]
    report = verified(workplace, "contentful")
    assert report["set_aside"] == len(large) > 0
    assert f"{len(large)} items are dead letters instead" in workplace.run("verify", "contentful").out


def test_an_unreachable_side_ends_with_3(followed: WorkplaceOf) -> None:
    """A side that cannot be read is not taken for differences."""
    workplace = followed()
    workplace.edit(r'base_url = ".*"', 'base_url = "http://127.0.0.1:1"')
    assert workplace.run("verify", "contentful").code == 3
