"""Foreign records in a stream's topics: reported with their place, skipped by commands that read, and removable."""

import json
import urllib.request
from collections.abc import Mapping
from functools import partial
from typing import Any

import pytest
from confluent_kafka import Message, Producer

from connector.clock import SYSTEM
from connector.devservers.broker import Broker
from connector.errors import ForeignRecord
from connector.events import codec
from connector.events.index import Index
from connector.events.owner_report import REPORT_KEY, OwnerReport
from connector.events.state_record import CHECKPOINT_KEY
from connector.kafka.store import KafkaStore
from connector.kafka.topic_names import Layout, partitioned
from connector.model.change import EntityKey
from connector.simulator import Fault, Simulator
from tests.command import Ended, Workplace, WorkplaceOf
from tests.consumer import consume
from tests.following import Following

NAMES = ("contentful", "weegloo")
ONCE = ("run", "--until-caught-up", "--timeout", "5", "--log-level", "error")
ALL = ("--from-beginning", "--until-end", "--json")

Shapes = Mapping[str, tuple[bytes | None, bytes | None]]


def write(kafka: Broker, topic: str, records: Shapes, partition: int = 0) -> dict[str, str]:
    """Write records as anybody might; return where each is, as reported."""
    places: dict[str, str] = {}

    def at(name: str, _error: object, message: Message) -> None:
        assert message.error() is None, message.error()
        places[name] = f"{topic} partition {message.partition()} offset {message.offset()}"

    producer = Producer({**kafka.client, "message.max.bytes": 8_000_000})
    for name, (key, value) in records.items():
        producer.produce(topic, value, key, partition, on_delivery=partial(at, name))
    assert producer.flush(20) == 0
    return places


def reported(ended: Ended, places: Mapping[str, str]) -> set[str]:
    """Return what is reported of these places, after checking that every failure has a message."""
    assert "Traceback" not in ended.err
    assert "bug in contentwire" not in ended.err
    return {name for name, place in places.items() if f"{place}: " in ended.err + ended.out}


def foreign_schema(registry: str, subject: str) -> int:
    """Register another application's schema; return its id."""
    schema = {"type": "record", "name": "Order", "fields": [{"name": "op", "type": "string"}]}
    request = urllib.request.Request(
        f"{registry}/subjects/{subject}-value/versions",
        json.dumps({"schema": json.dumps(schema)}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        return int(json.load(answer)["id"])


def listed(workplace: Workplace, *options: str, code: int) -> list[Any]:
    """Return what `foreign-records` lists, after checking its exit code."""
    ended = workplace.run("foreign-records", "contentful", "--json", *options)
    assert ended.code == code, ended
    found: list[Any] = json.loads(ended.out)
    return found


def framed_as(genuine: bytes, key: EntityKey) -> bytes:
    """Return a key, framed like a genuine one."""
    return genuine[: -len(codec.unframe(genuine)[1])] + codec.encode_key(key)


def shapes(key: bytes, value: bytes, prefixes: Mapping[str, bytes]) -> Shapes:
    """Return records that contentwire did not write, made of a genuine key and value, and of prefixes of schemas."""
    ghosts = {
        "an empty value": b"",
        "a plain value": b"hello",
        "a value cut short": value[:40],
        "a huge value": b"\0" * 6_000_000,
        **{name: prefix + b"\x02c" for name, prefix in prefixes.items()},
    }
    return {
        "an empty key": (b"", b"hello"),
        "a plain record": (b"hello", b"world"),
        "a key that is not UTF-8": (b"\xff\xfe\xfd", b"\xff"),
        "a key cut short": (key[:-3], value),
        "a key of another connection": (framed_as(key, EntityKey("shop", "entry", "e1", "*")), value),
        "a key of no entity": (framed_as(key, EntityKey("contentful", "thing", "e1", "*")), value),
        "a key that nobody has framed": (codec.unframe(key)[1], value),
        **{
            name: (framed_as(key, EntityKey("contentful", "entry", f"ghost{number}", "*")), ghost)
            for number, (name, ghost) in enumerate(ghosts.items())
        },
    }


@pytest.mark.parametrize("registered", [False, True])
def test_foreign_events_are_reported_and_the_rest_continues(
    followed: WorkplaceOf, kafka: Broker, registry: str, *, registered: bool
) -> None:
    """`tail` and `verify` say where each is, whatever its shape, and read on; once removed, all is proven again."""
    workplace = followed(kafka_lines=f'registry = {{ url = "{registry}" }}' if registered else "")
    topic = f"{workplace.prefix}.contentful.changes"
    events = workplace.lines("tail", "contentful", *ALL)
    genuine = next(each for each in consume(kafka.client, topic) if each.key and each.value)
    key, value = genuine.key or b"", genuine.value or b""
    prefixes = {
        "an unknown schema id": b"\0\x7f\xff\xff\xfe",
        "an unknown fingerprint": b"\xc3\x0112345678",
        "another schema of ours": key[: -len(codec.unframe(key)[1])],
    }
    if registered:
        prefixes["a schema of others"] = b"\0" + foreign_schema(registry, f"{topic}x").to_bytes(4, "big")
    places = write(kafka, topic, shapes(key, value, prefixes), partition=1)
    tailed = workplace.run("tail", "contentful", *ALL)
    assert (tailed.code, reported(tailed, places)) == (0, set(places))
    assert sorted(map(json.loads, tailed.out.splitlines()), key=str) == sorted(events, key=str)
    assert tailed.err.count("contentwire foreign-records contentful --remove") == 1
    verified = workplace.run("verify", "contentful", "--json")
    report = json.loads(verified.out)
    assert (verified.code, report["proven"], report["differences"]) == (1, False, [])
    assert len(report["foreign"]) == len(places)
    assert workplace.run(*ONCE).code == 0
    assert not any(each["removed"] for each in listed(workplace, code=1))
    assert [each["removed"] for each in listed(workplace, "--remove", code=0)] == [True] * len(places)
    assert listed(workplace, code=0) == []
    assert workplace.run("verify", "contentful").code == 0


def test_a_record_in_place_of_a_live_entity_is_left_until_that_is_published_again(
    followed: WorkplaceOf, kafka: Broker, simulator: Simulator
) -> None:
    """A tombstone would take the entity from consumers: the command names the entity that a snapshot has to publish."""
    workplace = followed()
    topic = f"{workplace.prefix}.contentful.changes"
    live = next(each for each in consume(kafka.client, topic) if each.key and each.value)
    entity = codec.decode_key(codec.unframe(live.key or b"")[1]).id
    here = partitioned(live.key or b"", 6)
    places = write(kafka, topic, {"here": (live.key, b"hello")}, here)
    places |= write(kafka, topic, {"elsewhere": (live.key, b"hello")}, (here + 1) % 6)
    removed = {each["partition"]: each for each in listed(workplace, "--remove", code=1)}
    assert {partition: each["removed"] for partition, each in removed.items()} == {here: False, (here + 1) % 6: True}
    assert f"snapshot contentful --entity {entity}" in removed[here]["remark"]
    assert reported(workplace.run("verify", "contentful"), places) == {"here"}
    assert workplace.run("snapshot", "contentful", "--entity", entity).code == 0
    assert workplace.run(*ONCE).code == 0
    assert workplace.run("verify", "contentful").code == 0


def state_of(workplace: Workplace, kafka: Broker) -> list[tuple[bytes | None, bytes | None]]:
    """Return the state of the stream: the last value of each key."""
    records = consume(kafka.client, f"{workplace.prefix}.contentful.state")
    return list({each.key: each.value for each in records if each.value}.items())


def test_run_and_status_judge_foreign_state_alike(followed: WorkplaceOf, kafka: Broker) -> None:
    """Both name the stream, topic, partition and offset; other streams are unaffected; once removed, all continues."""
    workplace = followed(*NAMES)
    topic = f"{workplace.prefix}.contentful.state"
    before = {key: value for key, value in state_of(workplace, kafka) if key not in (CHECKPOINT_KEY, REPORT_KEY)}
    known = next(key for key in before if key)
    places = write(kafka, topic, {"a plain record": (b"hello", b"world"), "an entry": (known, b"garbage")})
    ran, status, checked = workplace.run(*ONCE), workplace.run("status"), workplace.run("check")
    for ended in (ran, status, checked):
        assert (ended.code, reported(ended, places)) == (1, set(places))
        assert "contentwire foreign-records contentful --remove" in ended.err + ended.out
    streams = {each["connection"]: each for each in json.loads(workplace.run("status", "--json").out)}
    assert (streams["contentful"]["checkpoint"], bool(streams["contentful"]["error"])) == (None, True)
    assert (streams["weegloo"]["checkpoint"]["phase"], streams["weegloo"]["error"]) == ("streaming", "")
    assert len(listed(workplace, "--remove", code=0)) == 2
    assert dict(state_of(workplace, kafka))[known] == before[known]
    assert (workplace.run(*ONCE).code, workplace.run("status").code) == (0, 0)
    assert workplace.run("verify", "contentful").code == 0


def test_a_running_stream_whose_state_others_write_stops_and_then_continues(
    followed: WorkplaceOf, kafka: Broker, simulator: Simulator
) -> None:
    """Its owner notices, says where, and follows again once the record is replaced by what was there before."""
    workplace = followed()
    with workplace.start("run") as run:
        assert run.said('"recovered"')
        places = write(kafka, f"{workplace.prefix}.contentful.state", {"it": (CHECKPOINT_KEY, b"hello")})
        assert run.said(places["it"])
        assert run.said('"stream stopped"')
        assert len(listed(workplace, "--remove", code=0)) == 1
        one = simulator.publish()
        assert run.said('"committed"')
    assert one in {event["key"]["id"] for event in workplace.lines("tail", "contentful", *ALL)}
    assert workplace.run("verify", "contentful").code == 0


def test_what_others_write_just_before_a_commit_is_noticed(kafka: Broker, layout: Layout, simulator: Simulator) -> None:
    """The state topic has grown beyond what its owner wrote, though the owner's own record is the last one."""
    following = Following(
        simulator, "contentful", lambda: KafkaStore(kafka.client, layout, clock=SYSTEM), page_size=100
    )
    following.become_current()
    store = KafkaStore(kafka.client, layout, clock=SYSTEM)
    try:
        assert store.recover(Index())
        assert not store.superseded()
        places = write(kafka, layout.state_topic, {str(number): (b"hello", b"world") for number in range(2)})
        for _ in range(2):
            store.note(OwnerReport(state="running"))
            assert store.superseded()
        with pytest.raises(ForeignRecord, match=places["1"]):
            store.recover(Index())
    finally:
        store.close()


def test_foreign_dead_letters_are_passed_over(followed: WorkplaceOf, kafka: Broker, simulator: Simulator) -> None:
    """Listing and replaying say where they are and continue; they cannot be removed, and expire with the retention."""
    simulator.push_fault("contentful", Fault("malformed_item", item='{"sys": {"id": "bad1", "type": "Gadget"}}'))
    workplace = followed()
    records: Shapes = {
        "no key": (None, b"hello"),
        "nothing": (None, None),
        "plain": (b"k", b""),
        "framed": (b"k", b"\0\0\0\0\1x"),
    }
    places = write(kafka, f"{workplace.prefix}.contentful.dead-letters", records)
    ended = workplace.run("dead-letters", "contentful")
    assert (ended.code, reported(ended, places), "bad1" in ended.out) == (0, set(places), True)
    replayed = workplace.run("dead-letters", "contentful", "--replay")
    assert (replayed.code, "1 letters read again" in replayed.out) == (0, True)
    assert {each["remark"] for each in listed(workplace, "--remove", code=1)} == {
        "expires with the topic's retention; it is skipped until then"
    }
