"""Keys and values on the wire: golden bytes from the Avro specification, read by a second implementation."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.events import codec
from connector.events.state_record import decode_checkpoint, encode_checkpoint
from connector.model.change import EntityKey
from connector.model.checkpoint import Checkpoint, KeySchemaId, KnownTopic, Position, Progress
from tests import avro_spec

# The parsing canonical form of the key's schema, by the specification's rules: it must never change.
KEY_FORM = (
    b'{"name":"contentwire.Key","type":"record","fields":['
    b'{"name":"connection","type":"string"},{"name":"entity_type","type":"string"},'
    b'{"name":"id","type":"string"},{"name":"locale","type":"string"}]}'
)
KEY = EntityKey("blog", "entry", "nyan-é", "*")
KEY_BODY = b"\x08blog" + b"\x0aentry" + b"\x0enyan-\xc3\xa9" + b"\x02*"
NAMES: tuple[codec.Name, ...] = (
    "key",
    "envelope",
    "flat",
    "checkpoint",
    "index_entry",
    "owner_report",
    "dead_letter",
    "table_layout",
    "model_part",
)


def test_a_key_body_is_four_strings_in_order() -> None:
    """A key's bytes are its strings, each after its length: partitions depend on them permanently."""
    assert codec.encode_key(KEY) == KEY_BODY
    assert codec.decode_key(KEY_BODY) == KEY


def test_the_single_object_prefix_is_the_marker_and_the_fingerprint() -> None:
    """Without a registry a record begins with C3 01 and the schema's CRC-64-AVRO, little endian."""
    fingerprint = avro_spec.crc_64_avro(KEY_FORM).to_bytes(8, "little")
    framing = codec.single_object("key")
    assert framing.prefix == b"\xc3\x01" + fingerprint
    assert framing.schema_id == KeySchemaId("single-object", fingerprint.hex())


def test_the_confluent_prefix_is_a_zero_and_the_id() -> None:
    """With a registry a record begins with a zero byte and the schema id in four bytes, big endian."""
    framing = codec.confluent(66_051)
    assert framing.prefix == b"\x00\x00\x01\x02\x03"
    assert framing.schema_id == KeySchemaId("confluent", "66051")


@pytest.mark.parametrize("name", NAMES)
def test_fingerprints_are_those_of_the_specification(name: codec.Name) -> None:
    """Each prefix holds the specification's CRC over the Apache implementation's canonical form."""
    fingerprint = avro_spec.crc_64_avro(avro_spec.canonical(name))
    assert codec.single_object(name).prefix[2:] == fingerprint.to_bytes(8, "little")


def test_the_apache_implementation_finds_the_same_fingerprint_of_keys() -> None:
    """For keys its canonical form follows every rule, so it finds the exact bytes of the prefix."""
    assert avro_spec.canonical("key") == KEY_FORM
    assert codec.single_object("key").prefix[2:] == avro_spec.apache("key").fingerprint("CRC-64-AVRO")


def test_every_schema_has_a_name_in_the_code() -> None:
    """No schema in the folder is unused, and none is missing."""
    assert sorted(NAMES) == avro_spec.names()


# Where Avro for Java prints an attribute: those of a record, a fixed, an array or a map, then those of a field.
JAVAS_ORDER = (
    [
        "type",
        "name",
        "namespace",
        "doc",
        "fields",
        "size",
        "items",
        "values",
        "logicalType",
        "connect.version",
        "connect.name",
    ],
    ["name", "type", "doc", "default"],
)


@pytest.mark.parametrize("name", NAMES)
def test_the_text_of_a_schema_is_in_javas_order(name: codec.Name) -> None:
    """One line, no namespace twice, every attribute where Java prints it; with Java itself, `test_java` compares."""
    text = codec.text(name)
    orders: list[list[str]] = []

    def note(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        orders.append([key for key, _ in pairs])
        return dict(pairs)

    json.loads(text, object_pairs_hook=note)
    assert orders
    assert all(any(order == [key for key in java if key in order] for java in JAVAS_ORDER) for order in orders)
    assert text == json.dumps(json.loads(text), separators=(",", ":"), ensure_ascii=False)
    assert text.count('"namespace":"contentwire"') == 1


def test_every_row_begins_with_its_key() -> None:
    """A key's columns, of the same types, are the first of each row: sinks that take the key from it find it whole."""
    key, envelope, flat = (json.loads(codec.text(name))["fields"] for name in ("key", "envelope", "flat"))
    columns = [(field["name"], field["type"]) for field in key]
    for row in (envelope[0]["type"][1]["fields"], flat):
        assert [(field["name"], field["type"]) for field in row[: len(key)]] == columns


@pytest.mark.parametrize("framing", [codec.single_object("key"), codec.confluent(7)])
def test_unframing_gives_back_what_was_framed(framing: codec.Framing) -> None:
    """A framed record says which schema wrote it."""
    assert codec.unframe(framing.prefix + KEY_BODY) == (framing.schema_id, KEY_BODY)


@pytest.mark.parametrize("data", [b"", b"{}", b"\x00\x00\x00", b"\xc3\x01abc", b"\xc3\x02" + 20 * b"x"])
def test_other_beginnings_are_refused(data: bytes) -> None:
    """What contentwire did not write is an error, never a guess."""
    with pytest.raises(ValueError, match="not framed"):
        codec.unframe(data)


@pytest.mark.parametrize("body", [b"", b"\x08blo", b"\x08blog\x02", b"\x02\xff\x02a\x02b\x02c"])
def test_a_body_of_another_schema_is_refused(body: bytes) -> None:
    """Truncated bytes and strings that are not UTF-8 are a ValueError."""
    with pytest.raises(ValueError, match="not a record"):
        codec.decode("key", body)


@pytest.mark.parametrize("number", [0, -1, 1, 63, 64, -64, -65, 8191, 8192, 2**31, 2**63 - 1, -(2**63)])
def test_longs_are_written_as_specified(number: int) -> None:
    """Numbers of every length, both signs."""
    entry = index_entry(revision=number)
    body = avro_spec.long(1) + b"\x01" + avro_spec.string("published") + b"\x00" + b"\x02" + avro_spec.long(number)
    assert codec.encode("index_entry", entry) == body + b"\x00" + bytes(16) + b"\x02" + 3 * b"\x00"


def test_a_timestamp_stays_a_number() -> None:
    """CMSs deliver years that no calendar type can hold, and these pass through."""
    far = 253_402_300_800_000 * 9
    value = codec.decode("index_entry", codec.encode("index_entry", index_entry(changed_at=far)))
    assert value["changed_at"] == far


@pytest.mark.parametrize("text", ["", "post", "Näh \u2028", "x" * 20_000])
def test_a_text_is_written_the_same_from_its_bytes(text: str) -> None:
    """Known UTF-8 is written unchanged, whatever its length: an item's fields are not decoded first."""
    written = codec.encode("index_entry", index_entry(change_type=text))
    assert codec.encode("index_entry", index_entry(change_type=text.encode())) == written


def index_entry(**members: Any) -> dict[str, Any]:
    """Return the value of an index record."""
    unset = {
        "content_type": None,
        "revision": None,
        "changed_at": None,
        "digest": bytes(16),
        "epoch": 1,
        "removed_at": None,
        "content": None,
        "rows": None,
    }
    return {"version": 1, "live": True, "change_type": "published", "removed_at": None, **unset, **members}


SIMPLE: dict[str, st.SearchStrategy[Any]] = {
    "string": st.text(max_size=5) | st.sampled_from(["é" * 64, "\u2028", "\0", "x" * 5000]),
    "long": st.integers(-(2**63), 2**63 - 1) | st.integers(-130, 130),
    "boolean": st.booleans(),
    "bytes": st.binary(max_size=200),
}


def strategy(schema: Any, named: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Return a strategy for the values of a schema."""
    if isinstance(schema, list):
        return st.none() | strategy(schema[1], named)
    kind = schema["type"] if isinstance(schema, dict) else schema
    if kind == "record":
        named[schema["name"]] = schema
        return st.fixed_dictionaries({field["name"]: strategy(field["type"], named) for field in schema["fields"]})
    if kind == "array":
        return st.lists(strategy(schema["items"], named), max_size=3)
    if kind == "map":
        return st.dictionaries(st.text(max_size=4), strategy(schema["values"], named), max_size=3)
    if kind == "fixed":
        return st.binary(min_size=schema["size"], max_size=schema["size"])
    known = SIMPLE.get(kind) if isinstance(kind, str) else None
    return known if known is not None else strategy(kind if isinstance(kind, dict) else named[kind], named)


VALUES = {name: strategy(json.loads(avro_spec.text(name)), {}) for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
def test_the_apache_implementation_reads_every_record_as_we_do(name: codec.Name, data: st.DataObject) -> None:
    """Whatever we write, a second implementation reads the same value, and so do we."""
    value = data.draw(VALUES[name])
    body = codec.encode(name, value)
    assert avro_spec.decode(body, avro_spec.plain(name)) == value
    assert codec.decode(name, body) == value


# A checkpoint as written before there were topic ids, field by field.
FORMER_CHECKPOINT = (
    avro_spec.long(1)
    + avro_spec.string("blog")
    + avro_spec.some("cursor")
    + avro_spec.string("streaming")
    + b"".join(map(avro_spec.long, (0, 42, 3)))
    + avro_spec.string("scope.topic")
    + avro_spec.string("single-object")
    + avro_spec.string("0123")
    + b"\x00"
    + avro_spec.NULL
    + avro_spec.long(1_700_000_000_000)
    + avro_spec.NULL * 2
    + avro_spec.long(1)
    + avro_spec.string("topic")
    + avro_spec.long(6)
    + avro_spec.long(0)
)


def test_a_checkpoint_of_a_release_without_topic_ids_is_read() -> None:
    """An upgrade continues where the former release stopped; a downgrade works too, as topic ids come last."""
    former = decode_checkpoint(FORMER_CHECKPOINT)
    progress = Progress(
        sequence=42, key_schema_id=KeySchemaId("single-object", "0123"), topics={"topic": KnownTopic(6)}
    )
    assert former == Checkpoint(
        stream="blog",
        fingerprint="scope.topic",
        position=Position(cursor="cursor", phase="streaming", epoch=3),
        progress=progress,
        committed_at=1_700_000_000_000,
    )
    topics = {"topic": KnownTopic(6, "id")}
    present = msgspec.structs.replace(former, progress=msgspec.structs.replace(progress, topics=topics))
    assert encode_checkpoint(present).startswith(FORMER_CHECKPOINT)
    assert decode_checkpoint(encode_checkpoint(present)) == present


def test_a_lone_surrogate_cannot_be_written() -> None:
    """Text that is not Unicode is an error when written, never bytes that no reader accepts."""
    with pytest.raises(UnicodeEncodeError):
        codec.encode_key(EntityKey("blog", "entry", "\ud83d", "*"))


@pytest.mark.parametrize("schema", ["", "[]", '"string"', '{"type":"record","name":"a","fields":[{"type":"x"}]}'])
def test_what_is_no_schema_of_a_record_is_refused(schema: str) -> None:
    """Anybody may have registered it."""
    with pytest.raises(ValueError, match="not a record"):
        codec.decode_by(schema, b"\x02a")
