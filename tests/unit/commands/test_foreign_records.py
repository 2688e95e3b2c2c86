"""The outcome for a foreign record: removed, kept because the entity is live, or kept because nobody knows."""

import pytest

from connector.commands.foreign_records import Found, _judged
from connector.events import codec
from connector.events.index import Index, IndexEntry
from connector.events.state_record import CHECKPOINT_KEY
from connector.kafka.foreign_records import Foreign
from connector.kafka.topic_names import Layout, partitioned
from connector.model.change import EntityKey
from connector.model.checkpoint import Checkpoint, KeySchemaId, KnownTopic, Progress

LAYOUT = Layout(prefix="cw", connection="blog")
CHANGES = "cw.blog.changes"
PARTITIONS = 6
CHECKPOINT = Checkpoint(
    stream="blog",
    fingerprint="f",
    progress=Progress(key_schema_id=KeySchemaId("single-object", "x"), topics={CHANGES: KnownTopic(PARTITIONS)}),
)
LIVE, GONE, UNKNOWN = (codec.encode_key(EntityKey("blog", "entry", each, "*")) for each in ("live", "gone", "unknown"))


def framed(body: bytes) -> bytes:
    """Return a key as events carry it."""
    return codec.single_object("key").prefix + body


@pytest.fixture(name="index")
def _index() -> Index:
    """Return an index of one live and one removed entity."""
    index = Index()
    for key, live in ((LIVE, True), (GONE, False)):
        index.stage(key, IndexEntry(live, "published", "post", 1, None, b"d" * 16, 1).encode())
    index.commit()
    return index


def judged(
    index: Index,
    key: bytes | None,
    checkpoint: Checkpoint | None = CHECKPOINT,
    *,
    topic: str = CHANGES,
    partition: int = 0,
) -> Found:
    """Return the outcome for a foreign record with this key."""
    return _judged(Found(Foreign(topic, partition, 7, key, "x")), LAYOUT, checkpoint, index)


@pytest.mark.parametrize("key", [b"hello", b"", framed(GONE), framed(UNKNOWN)])
def test_a_record_of_nothing_live_is_removed(index: Index, key: bytes) -> None:
    """A tombstone in its place takes nothing away from any consumer."""
    found = judged(index, key)
    assert (found.removed, found.remark) == (True, "")


def test_a_live_entity_has_to_be_published_again(index: Index) -> None:
    """A tombstone would delete it: in its own partition the record stays until the entity is published again."""
    own = partitioned(framed(LIVE), PARTITIONS)
    found = judged(index, framed(LIVE), partition=own)
    assert not found.removed
    assert found.remark == "the entity is live: contentwire snapshot blog --entity live"


def test_in_another_partition_nothing_would_replace_it(index: Index) -> None:
    """So the record is removed, and the entity still has to be published again."""
    other = (partitioned(framed(LIVE), PARTITIONS) + 1) % PARTITIONS
    found = judged(index, framed(LIVE), partition=other)
    assert (found.removed, "--entity live" in found.remark) == (True, True)


@pytest.mark.parametrize("checkpoint", [None, Checkpoint(stream="blog", fingerprint="f")])
def test_if_nothing_says_what_is_live_everything_stays(index: Index, checkpoint: Checkpoint | None) -> None:
    """A lost state must not cause deletions."""
    found = judged(index, framed(UNKNOWN), checkpoint)
    assert not found.removed
    assert "import a checkpoint" in found.remark


def test_the_state_is_restored_from_what_is_known(index: Index) -> None:
    """Any key in the state topic is restored or removed; a lost checkpoint has to be imported."""
    state = LAYOUT.state_topic
    for checkpoint in (CHECKPOINT, None):
        found = judged(index, b"hello", checkpoint, topic=state)
        assert (found.removed, found.remark) == (True, "")
    assert judged(index, CHECKPOINT_KEY, topic=state).remark == ""
    lost = judged(index, CHECKPOINT_KEY, None, topic=state)
    assert (lost.removed, "contentwire checkpoints import blog" in lost.remark) == (True, True)


def test_what_has_a_remark_or_no_key_is_left_alone(index: Index) -> None:
    """No tombstone can be written for it, or it expires."""
    assert not judged(index, None).removed
    kept = Found(Foreign(CHANGES, 0, 7, b"hello", "x"), remark="expires with the topic's retention")
    assert _judged(kept, LAYOUT, CHECKPOINT, index) is kept


def test_facts_leave_out_the_key() -> None:
    """It may be anything, including what JSON cannot hold."""
    facts = Found(Foreign(CHANGES, 3, 7, b"\xff", "not a key"), removed=True, remark="gone").facts()
    assert facts == {
        "topic": CHANGES,
        "partition": 3,
        "offset": 7,
        "why": "not a key",
        "removed": True,
        "remark": "gone",
    }


@pytest.mark.parametrize(
    ("table", "key", "locale", "removed"),
    [
        ("post", "live", "en-US", False),
        ("post", "live", "de-DE", True),
        ("page", "live", "en-US", True),
        ("post", "gone", "en-US", True),
    ],
)
def test_only_in_place_of_a_live_row_a_record_stays(table: str, key: str, locale: str, *, removed: bool) -> None:
    """Of the entity's own table, in a locale that it has: then the entity has to be published again."""
    index = Index()
    index.stage(LIVE, IndexEntry(True, "published", "post", 1, None, b"d" * 16, 1, rows='["en-US"]').encode())
    index.stage(GONE, IndexEntry(False, "deleted", "post", 1, None, b"d" * 16, 1).encode())
    index.commit()
    row = framed(codec.encode_key(EntityKey("blog", "entry", key, locale)))
    topic = f"cw.blog.table.{table}"
    found = judged(index, row, topic=topic, partition=partitioned(row, 1))
    assert found.removed is removed
    assert found.remark == ("" if removed else "the entity is live: contentwire snapshot blog --entity live")


def test_a_record_of_no_row_is_removed_from_a_table(index: Index) -> None:
    """Whatever its key is."""
    for key in (b"", b"hello", framed(b"junk")):
        assert judged(index, key, topic="cw.blog.table.post").removed
