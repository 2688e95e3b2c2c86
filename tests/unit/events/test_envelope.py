"""Events on the wire: golden bytes of key and value, times, event ids, CloudEvents headers, the flat form."""

import hashlib
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from connector.events import codec, envelope
from connector.events.policy import Policy
from connector.events.record import Record
from connector.model import timestamp
from connector.model.change import EntityKey
from tests import avro_spec
from tests.avro_spec import NULL, SOME, long, some, string
from tests.memory import NOW_MS, Stream
from tests.published import events, seen
from tests.values import clock, clock_ms, published, removed, removed_type

FIELDS = '{"title":{"en-US":"Näh"},"weight":1.10}'
CHANGE = published(
    "nyan",
    2,
    content_type="cat",
    revision=5,
    created_at="2013-06-27T22:46:19.513Z",
    updated_at=clock(2),
    fields=FIELDS.encode(),
    meta=b'{"sys":{"id":"nyan"}}',
    refs=("entry:happy", "asset:hat"),
    ref_fields=("friend", "clothes"),
)
PREFIX = b"\xc3\x01" + avro_spec.crc_64_avro(avro_spec.canonical("envelope")).to_bytes(8, "little")


def value_of(*changes: Any, policy: Policy | None = None) -> dict[str, Any]:
    """Return the decoded value of the only event that these changes lead to."""
    (event,) = events(Stream(policy).publish(*changes))
    return event


def identity_of(change: Any, cause: str = "") -> str:
    """Return an event id by its definition: lengths and parts, then the digest, hashed to 128 bits."""
    key = change.key
    parts = [key.connection, key.entity_type, key.id, key.locale, change.change_type]
    parts += [
        "" if change.revision is None else str(change.revision),
        change.changed_at.text if change.changed_at else "",
        cause,
    ]
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.blake2b(text.encode() + change.digest, digest_size=16).hexdigest()


def test_golden_bytes_of_an_upsert() -> None:
    """Key and value of a new entry, byte for byte, as the Avro specification writes them."""
    (record,) = Stream().publish(CHANGE)
    after = string("blog") + string("entry") + string("nyan") + string("*") + some("cat") + SOME + long(5)
    # 2013-06-27T22:46:19.513Z is 15,883 days and 81,979.513 s after 1970 began.
    after += SOME + long(15_883 * 86_400_000 + 81_979_513) + SOME + long(clock_ms(2))
    after += some(FIELDS) + some('{"sys":{"id":"nyan"}}')
    after += SOME + long(2) + string("entry:happy") + string("asset:hat") + b"\x00"
    after += SOME + long(2) + string("friend") + string("clothes") + b"\x00"
    source = string("9.9.9") + string("acme") + string("blog") + long(clock_ms(2)) + string("false")
    source += string("space1") + some("master") + string("cat") + long(1) + SOME + long(5) + string("*")
    transaction = SOME + string("blog:1:1") + long(1) + long(1)
    tail = (
        string("c")
        + long(NOW_MS)
        + transaction
        + string("published")
        + string("delta")
        + string(identity_of(CHANGE))
        + NULL
    )

    assert record.key == codec.single_object("key").prefix + b"\x08blog\x0aentry\x08nyan\x02*"
    assert record.value == PREFIX + NULL + SOME + after + source + tail


def test_golden_bytes_of_a_removal() -> None:
    """A `d` has a before with what is known, no after, and the vendor's marker."""
    marker = removed("nyan", 3)
    stream = Stream()
    stream.publish(CHANGE)
    record, tombstone = stream.publish(marker)
    before = string("blog") + string("entry") + string("nyan") + string("*") + some("cat") + SOME + long(5) + 6 * NULL
    source = string("9.9.9") + string("acme") + string("blog") + long(clock_ms(3)) + string("false")
    source += string("space1") + some("master") + string("cat") + long(2) + NULL + string("*")
    transaction = SOME + string("blog:1:2") + long(1) + long(1)
    tail = string("d") + long(NOW_MS) + transaction + string("deleted") + string("delta") + string(identity_of(marker))

    assert record.value == PREFIX + SOME + before + NULL + source + tail + some(marker.raw.decode())
    assert (tombstone.key, tombstone.value) == (record.key, None)


def test_the_confluent_frame_precedes_the_same_bodies() -> None:
    """With a registry, only the first five bytes differ."""
    stream = Stream()
    (bare,) = stream.publish(CHANGE)
    framed = Stream()
    route = msgspec.structs.replace(
        framed.store.route(CHANGE.key), key=codec.confluent(258), value=codec.confluent(65_535)
    )
    framed.store.route = lambda _key: route  # type: ignore[method-assign]  # a route as with a registry
    framed = Stream(store=framed.store)
    (record,) = framed.publish(CHANGE)
    assert bare.key
    assert bare.value
    assert record.key == b"\x00\x00\x00\x01\x02" + bare.key[10:]
    assert record.value == b"\x00\x00\x00\xff\xff" + bare.value[10:]


@pytest.mark.parametrize("name", ["envelope", "flat"])
def test_events_are_read_by_the_apache_implementation(name: Any) -> None:
    """The Apache implementation reads upserts and removals, and their times as times."""
    policy = Policy(envelope="flat" if name == "flat" else "debezium")
    records = Stream(policy).publish(CHANGE, removed("gone", 3))
    values = [avro_spec.decode((each.value or b"")[10:], avro_spec.apache(name)) for each in records if each.value]
    entity = values[0] if name == "flat" else values[0]["after"]
    assert entity["created_at"] == datetime(2013, 6, 27, 22, 46, 19, 513_000, tzinfo=UTC)
    assert entity["fields"] == FIELDS
    assert values[1]["marker"] == removed("gone", 3).raw.decode()


def test_the_cms_clock_is_the_event_time() -> None:
    """source.ts_ms is the CMS's time of the change; ts_ms is when contentwire published it."""
    event = value_of(CHANGE)
    assert (event["source"]["ts_ms"], event["ts_ms"]) == (clock_ms(2), NOW_MS)


@pytest.mark.parametrize("written", [None, "yesterday", "2017-11-31T00:00:00Z"])
def test_without_a_readable_clock_the_event_time_is_ours(written: str | None) -> None:
    """source.ts_ms is never null, even for an item without a clock or with an impossible one."""
    event = value_of(published(changed_at=written, created_at=written))
    assert event["source"]["ts_ms"] == NOW_MS
    assert event["after"]["created_at"] is None


@pytest.mark.parametrize(
    ("change", "table"),
    [
        (published(content_type="cat"), "cat"),
        (published(key=EntityKey("blog", "asset", "a1", "*"), content_type=None), "_asset"),
        (published(key=EntityKey("blog", "content_type", "cat", "*"), content_type=None), "_content_type"),
        (removed("never-seen"), "_unknown"),
        (removed_type("cat"), "_content_type"),
    ],
)
def test_the_table_is_never_null(change: Any, table: str) -> None:
    """source.table is the content type, or a name that says why there is none."""
    assert value_of(change)["source"]["table"] == table


def test_a_removal_takes_its_table_from_the_index() -> None:
    """A marker without a content type goes to the table of what it removes."""
    stream = Stream()
    stream.publish(published("e1", 1, content_type="cat"))
    (removal,) = events(stream.publish(removed("e1", 2)))
    assert removal["source"]["table"] == removal["before"]["content_type"] == "cat"


def test_before_holds_what_the_index_knows() -> None:
    """Before has every column of the key, content type and revision, and nothing else."""
    stream = Stream()
    stream.publish(published("e1", 1, content_type="cat", revision=0))
    (update,) = events(stream.publish(published("e1", 2, content_type="cat")))
    unknown = dict.fromkeys(["created_at", "updated_at", "fields", "meta", "refs", "ref_fields"])
    key = {"connection": "blog", "entity_type": "entry", "id": "e1", "locale": "*"}
    known = key | {"content_type": "cat", "revision": 0}
    assert update["before"] == known | unknown


def test_a_revision_of_zero_is_a_revision() -> None:
    """Zero is published as zero."""
    event = value_of(published(revision=0))
    assert event["after"]["revision"] == event["source"]["revision"] == 0


def test_no_refs_is_an_empty_list() -> None:
    """An entity that points nowhere has an empty list of refs, and of their fields."""
    after = value_of(published(refs=()))["after"]
    assert (after["refs"], after["ref_fields"]) == ([], [])


def test_an_item_without_fields_has_none() -> None:
    """Fields that the vendor did not send are null, not an empty object."""
    assert value_of(published(fields=None))["after"]["fields"] is None


def headers_of(record: Record) -> dict[str, str]:
    """Return a record's headers."""
    return {name: value.decode() for name, value in record.headers}


def test_an_event_has_cloudevents_headers() -> None:
    """CloudEvents 1.0, binary mode: every required attribute, subject and time, and the data's content type."""
    (record,) = Stream().publish(CHANGE)
    assert headers_of(record) == {
        "ce_specversion": "1.0",
        "ce_id": identity_of(CHANGE),
        "ce_source": "/acme/blog",
        "ce_type": "contentwire.published",
        "ce_subject": "entry/nyan/*",
        "ce_time": "2024-06-10T08:00:02.000Z",
        "content-type": "application/avro",
    }


def test_a_tombstone_has_headers_of_its_own() -> None:
    """A tombstone says which change it belongs to, under its own id, and has no data to describe."""
    event, tombstone = Stream().publish(removed("e1", 3))
    expected = headers_of(event) | {"ce_id": f"{headers_of(event)['ce_id']}.tombstone"}
    assert headers_of(tombstone) == {name: text for name, text in expected.items() if name != "content-type"}
    assert headers_of(tombstone)["ce_type"] == "contentwire.deleted"


@pytest.mark.parametrize("change_type", ["published", "unpublished", "deleted"])
def test_the_change_type_is_in_the_ce_type(change_type: Any) -> None:
    """Unpublished and deleted are both `d`; change_type and ce_type keep them apart."""
    change = published(change_type=change_type) if change_type == "published" else removed(change_type=change_type)
    record = Stream().publish(change)[0]
    (event,) = events([record])
    assert headers_of(record)["ce_type"] == f"contentwire.{change_type}"
    assert (event["change_type"], event["op"]) == (change_type, "c" if change_type == "published" else "d")


@pytest.mark.parametrize(
    ("written", "time"),
    [
        ("2024-06-10T10:00:02+02:00", "2024-06-10T08:00:02.000Z"),
        ("2024-06-10T08:00:02.000999Z", "2024-06-10T08:00:02.000Z"),
        ("2024-06-10T08:00:02.123-0000", "2024-06-10T08:00:02.123Z"),
        ("2024-06-10 08:00:02.123Z", "2024-06-10T08:00:02.123Z"),
        ("2024-06-10T08:00:02,123Z", "2024-06-10T08:00:02.123Z"),
        ("2017-11-23T00:00:000Z", "2017-11-23T00:00:00.000Z"),
        ("0001-01-01T00:00:00.000Z", "0001-01-01T00:00:00.000Z"),
        (None, "2025-06-15T15:06:40.123Z"),
        ("next Tuesday", "2025-06-15T15:06:40.123Z"),
    ],
)
def test_ce_time_is_rfc_3339_in_utc(written: str | None, time: str) -> None:
    """Whatever a CMS writes, ce_time is one form that every reader knows."""
    (record,) = Stream().publish(published(changed_at=written))
    assert headers_of(record)["ce_time"] == time


def test_an_event_id_follows_from_the_change_alone() -> None:
    """Read again by another process, at another time, a change has the same id."""
    first, second = Stream(), Stream()
    second.clock.ms += 999_999
    second.publish(published("other"))
    assert events(first.publish(CHANGE))[0]["event_id"] == events(second.publish(CHANGE))[0]["event_id"]
    assert value_of(CHANGE)["event_id"] == identity_of(CHANGE)


@pytest.mark.parametrize(
    "other",
    [
        msgspec.structs.replace(CHANGE, key=EntityKey("blog2", "entry", "nyan", "*")),
        msgspec.structs.replace(CHANGE, key=EntityKey("blog", "asset", "nyan", "*")),
        msgspec.structs.replace(CHANGE, key=EntityKey("blog", "entry", "nya", "n*")),
        msgspec.structs.replace(CHANGE, key=EntityKey("blog", "entry", "nyan", "en-US")),
        msgspec.structs.replace(CHANGE, change_type="unpublished"),
        msgspec.structs.replace(CHANGE, revision=6),
        msgspec.structs.replace(CHANGE, revision=None),
        msgspec.structs.replace(CHANGE, changed_at=timestamp.read(clock(3))),
        msgspec.structs.replace(CHANGE, digest=bytes(16)),
    ],
)
def test_another_change_has_another_id(other: Any) -> None:
    """Every part of a change counts."""
    assert envelope.event_id(other) != envelope.event_id(CHANGE)
    assert envelope.event_id(CHANGE, "cause") != envelope.event_id(CHANGE)


def test_the_flat_form_is_one_record_without_before() -> None:
    """`envelope = "flat"`: the entity's columns beside the event's own; a removal keeps its key's columns."""
    stream = Stream(Policy(envelope="flat"))
    upsert = seen(stream.publish(CHANGE), "flat")[0].event
    removal = seen(stream.publish(removed("nyan", 3)), "flat")[0].event
    assert upsert
    assert removal
    assert upsert["fields"] == FIELDS
    assert (upsert["op"], upsert["sequence"], upsert["connection"], upsert["source_table"]) == ("c", 1, "blog", "cat")
    assert (upsert["source_db"], upsert["source_schema"]) == ("space1", "master")
    assert (upsert["source_ts_ms"], upsert["ts_ms"], upsert["snapshot"]) == (clock_ms(2), NOW_MS, "false")
    assert (removal["op"], removal["id"], removal["content_type"], removal["sequence"]) == ("d", "nyan", "cat", 2)
    assert (removal["fields"], removal["marker"]) == (None, removed("nyan", 3).raw.decode())
    assert not {"before", "after", "source"} & upsert.keys()
