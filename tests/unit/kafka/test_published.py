"""Published records: keys are checked before any record is read, and foreign records are found."""

import pytest

from connector.errors import KeySchemaChanged
from connector.events import codec
from connector.kafka.foreign_records import Foreign
from connector.kafka.published import Entry, PublishedRecords
from connector.kafka.reader import Consumed
from connector.kafka.topic_names import Layout
from connector.model.checkpoint import Checkpoint, KeySchemaId, Progress
from connector.testing import ManualClock

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
