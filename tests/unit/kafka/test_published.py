"""Published records: keys are checked before any record is read, and foreign records are found."""

import io
import json
from contextlib import closing
from typing import Any

import fastavro
import pytest

from connector.errors import KeySchemaChanged
from connector.events import codec
from connector.kafka.foreign_records import Foreign
from connector.kafka.published import Entry, PublishedRecords
from connector.kafka.reader import Consumed
from connector.kafka.topic_names import Layout
from connector.model.change import EntityKey
from connector.model.checkpoint import Checkpoint, KeySchemaId, Progress
from connector.tables import schema
from connector.testing import ManualClock
from tests.schemaregistry import ScriptedRegistry
from tests.unit.tables.models import field, layout_of, post

KEY_FIELDS = ("connection", "entity_type", "id", "locale")
FOREIGN = Foreign("t", 2, 9, b"k", "its key is not contentwire's")


def checked(recorded: KeySchemaId | None) -> str:
    """Return what `check_keys` says if the checkpoint recorded this of keys; None for no checkpoint."""
    checkpoint = None if recorded is None else Checkpoint(stream="blog", progress=Progress(key_schema_id=recorded))
    layout = Layout(prefix="cms", connection="blog")
    return PublishedRecords({}, layout, None, checkpoint, ManualClock()).check_keys()


@pytest.mark.parametrize("recorded", [None, KeySchemaId("", "")])
def test_a_stream_without_keys_has_none_to_check(recorded: KeySchemaId | None) -> None:
    """Before its first checkpoint, and before its first event."""
    assert checked(recorded) == "none were written yet"


def test_keys_as_before_are_said_to_be() -> None:
    """With their schema."""
    recorded = codec.single_object("key").schema_id
    assert checked(recorded) == f"written with the schema {recorded.id}, as before"


def test_keys_that_would_differ_stop_the_read() -> None:
    """Every record of ours would look foreign."""
    with pytest.raises(KeySchemaChanged):
        checked(KeySchemaId("confluent", "1"))


def entry(key: bytes | None, value: bytes | None, foreign: Foreign | None) -> Entry:
    """Return an entry as read."""
    return Entry(Consumed("t", 2, 9, 0, key, value), None, None, foreign)


def test_a_foreign_record_stands_until_its_key_is_replaced() -> None:
    """A tombstone replaces it, foreign or not; a record without a key replaces nothing and stands as well."""
    assert entry(b"k", b"v", FOREIGN).standing() == ("t", 2, b"k", FOREIGN)
    assert entry(b"k", b"v", None).standing() == ("t", 2, b"k", None)
    assert entry(b"k", None, FOREIGN).standing() == ("t", 2, b"k", None)
    assert entry(None, None, FOREIGN).standing() == ("t", 2, None, FOREIGN)


LAYOUT = Layout(prefix="cms", connection="blog")
POST = layout_of(post(field("title")))
ROW = {"title": "Hi", "_entity_id": "e1", "_locale": "en-US", "_sequence": 7, "_event_id": "x", "_op": "c"}
ABSENT = dict.fromkeys(("_revision", "_published_at", "_created_at", "_updated_at"))


def framed(scripted: ScriptedRegistry, schema: str, body: bytes) -> bytes:
    """Return a value that is framed with a schema which the registry then knows."""
    with closing(scripted.client()) as registry:
        return codec.confluent(registry.register("any", schema)).prefix + body


def avro(text: str, row: dict[str, Any]) -> bytes:
    """Return a row in Avro."""
    written = io.BytesIO()
    fastavro.schemaless_writer(written, fastavro.parse_schema(json.loads(text)), row)
    return written.getvalue()


def read(scripted: ScriptedRegistry, value: bytes | None, *, table: str = "post", locale: str = "en-US") -> Entry:
    """Return a record of a table's topic as it is read."""
    key = codec.single_object("key").prefix + codec.encode_key(EntityKey("blog", "entry", "e1", locale))
    with closing(scripted.client()) as registry:
        records = PublishedRecords({}, LAYOUT, registry, None, ManualClock())
        return records._decode_rows({})(Consumed(f"cms.blog.table.{table}", 0, 9, 0, key, value))


def test_a_row_is_read_by_the_schema_it_was_written_with() -> None:
    """As the registry has it; the entry says which it was. A null deletes the row."""
    scripted, text = ScriptedRegistry(), schema.text(POST)
    found = read(scripted, framed(scripted, text, avro(text, {**ROW, **ABSENT})))
    assert (found.value, found.schema, found.foreign) == ({**ROW, **ABSENT}, text, None)
    assert found.key == {"connection": "blog", "entity_type": "entry", "id": "e1", "locale": "en-US"}
    deleted = read(scripted, None)
    assert (deleted.value, deleted.foreign) == (None, None)


def test_what_is_no_row_of_its_table_and_key_is_foreign() -> None:
    """Bytes of anything else, another table's row, another key's, a schema that nobody knows."""
    scripted, text = ScriptedRegistry(), schema.text(POST)
    value = framed(scripted, text, avro(text, {**ROW, **ABSENT}))
    other = framed(scripted, codec.text("key"), avro(codec.text("key"), dict.fromkeys(KEY_FIELDS, "x")))
    for found, why in (
        (read(scripted, b"junk"), "not framed"),
        (read(scripted, value, table="page"), "not that of contentwire.table.blog.page"),
        (read(scripted, other), "not that of contentwire.table.blog.post"),
        (read(scripted, value, locale="de-DE"), "the row of another key"),
        (read(scripted, value[:8]), "not a record of its schema"),
        (read(scripted, b"\0\0\0\0\x63"), "the confluent schema 99 is unknown"),
    ):
        assert found.foreign
        assert why in found.foreign.why
        assert "Hi" not in found.foreign.why
