"""What in a stream's topics counts as foreign, and that nothing of ours ever does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.errors import ForeignRecord, StateTooNew
from connector.events import codec
from connector.events.index import IndexEntry, decode_entry
from connector.events.owner_report import REPORT_KEY, OwnerReport, encode_report
from connector.events.state_record import CHECKPOINT_KEY, encode_checkpoint, flat
from connector.kafka.foreign_records import Foreign, StateJudge, listing
from connector.model.change import EntityKey
from connector.tables.catalog import LOCALES_KEY, TABLE_KEY, TYPE_KEY
from tests.values import checkpoint

TOPIC = "cw.blog.state"
KEY = codec.encode_key(EntityKey("blog", "entry", "e1", "*"))
ENTRY = IndexEntry(True, "published", "post", 3, 1_700_000_000_000_000, b"d" * 16, 1).encode()
OTHERS_KEY = codec.encode_key(EntityKey("shop", "entry", "e1", "*"))
CHECKPOINT = encode_checkpoint(checkpoint(cursor="c", partitions={"cw.blog.changes": 6}))


def requesting(text: str) -> bytes:
    """Return a checkpoint whose request is this text."""
    return codec.encode("checkpoint", {**flat(checkpoint()), "request": text})


FOREIGN = {
    "an empty key": (b"", b"x"),
    "a plain key": (b"hello", b"world"),
    "a framed key": (codec.single_object("key").prefix + KEY, ENTRY),
    "a key with more behind it": (KEY + b"x", ENTRY),
    "a key of another connection": (OTHERS_KEY, ENTRY),
    "a key of no entity": (KEY.replace(b"entry", b"thing"), ENTRY),
    "a key with an empty id": (KEY.replace(b"\x04e1", b"\x00"), ENTRY),
    "a key with an empty locale": (KEY.replace(b"\x02*", b"\x00"), ENTRY),
    "an empty entry": (KEY, b""),
    "a plain entry": (KEY, b"hello"),
    "half an entry": (KEY, ENTRY[:-5]),
    "an entry with more behind it": (KEY, ENTRY + b"more"),
    "an entry that begins like one": (KEY, b"\x02\x01garbage"),
    "an entry that is not UTF-8": (KEY, ENTRY.replace(b"post", b"p\xff\xffs")),
    "a huge entry": (KEY, b"\x02" * 1_000_000),
    "an entry of version zero": (KEY, b"\x00" + ENTRY[1:]),
    "a plain content type": (TYPE_KEY + b"post", b"hello"),
    "locales that are no list": (LOCALES_KEY, b"\x02\x04{}"),
    "an empty layout": (TABLE_KEY + b"post", b""),
    "a plain checkpoint": (CHECKPOINT_KEY, b"hello"),
    "an empty checkpoint": (CHECKPOINT_KEY, b""),
    "a checkpoint of another stream": (CHECKPOINT_KEY, encode_checkpoint(checkpoint(stream="shop"))),
    "a checkpoint in no phase": (CHECKPOINT_KEY, CHECKPOINT.replace(b"snapshot", b"sleeping")),
    "a checkpoint with a broken request": (CHECKPOINT_KEY, requesting("{")),
    "a checkpoint with a request that is none": (CHECKPOINT_KEY, requesting("[]")),
}
OURS = {
    "an entry": (KEY, ENTRY),
    "a removed entry": (KEY, IndexEntry(False, "deleted", None, None, None, b"d" * 16, 300, 10**13).encode()),
    "long names": (
        codec.encode_key(EntityKey("blog", "content_type", "é" * 300, "zh-Hans-CN")),
        IndexEntry(True, "published", "p" * 400, -(2**40), -(2**50), bytes(16), 2**40).encode(),
    ),
    "a tombstone": (KEY, None),
    "a checkpoint": (CHECKPOINT_KEY, CHECKPOINT),
    "an older checkpoint": (CHECKPOINT_KEY, CHECKPOINT[:-1]),
    "a request": (CHECKPOINT_KEY, encode_checkpoint(checkpoint(request='{"paused":true}'))),
    "no checkpoint": (CHECKPOINT_KEY, None),
    "a report": (REPORT_KEY, encode_report(OwnerReport(state="running"))),
    "a tombstone of something else": (b"hello", None),
}


@pytest.mark.parametrize("what", FOREIGN)
def test_what_others_wrote_into_the_state_is_refused_with_its_place(what: str) -> None:
    """Nothing foreign is taken for ours, and the error gives topic, partition, offset and what to do."""
    judge = StateJudge(TOPIC, "blog")
    assert judge.accepts(KEY, ENTRY, 11)
    assert not judge.accepts(*FOREIGN[what], 12)
    with pytest.raises(ForeignRecord, match=f"{TOPIC} partition 0 offset 12: its ") as caught:
        judge.check()
    assert "contentwire foreign-records blog --remove" in caught.value.hint
    assert "hello" not in str(caught.value)


@pytest.mark.parametrize("what", OURS)
def test_what_contentwire_wrote_is_accepted(what: str) -> None:
    """Including records of earlier releases, and any name or number."""
    judge = StateJudge(TOPIC, "blog")
    assert judge.accepts(*OURS[what], 12)
    judge.check()


@pytest.mark.parametrize("value", [None, ENTRY])
def test_what_a_later_record_replaces_is_forgotten(value: bytes | None) -> None:
    """A tombstone repairs the key, and so does the owner's next record."""
    judge = StateJudge(TOPIC, "blog")
    assert not judge.accepts(KEY, b"hello", 12)
    assert judge.accepts(KEY, value, 13)
    judge.check()


def test_a_record_without_a_key_replaces_nothing() -> None:
    """It is ignored, but listed for whoever asks: compaction drops it."""
    judge = StateJudge(TOPIC, "blog")
    assert not judge.accepts(None, b"hello", 12)
    judge.check()
    assert [str(each) for each in judge.harmless] == [f"{TOPIC} partition 0 offset 12: it has no key"]


def test_parts_of_a_content_model_are_ours() -> None:
    """Also once a later one of the same key takes them away."""
    judge = StateJudge(TOPIC, "blog")
    assert judge.accepts(LOCALES_KEY, b"\x02\x04[]", 1)
    assert judge.accepts(TYPE_KEY + b"post", b"\x02" + codec.string(b'{"id":"post"}'), 2)
    assert judge.accepts(TYPE_KEY + b"post", None, 3)
    judge.check()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (KEY, b"\x06whatever"),
        (TYPE_KEY + b"post", b"\x04"),
        (CHECKPOINT_KEY, b"\x04"),
        (REPORT_KEY, b"\x06"),
        (b"\x00lease", b"\x02"),
    ],
)
def test_what_a_later_release_wrote_is_not_called_foreign(key: bytes, value: bytes) -> None:
    """A version above ours, or a kind of record that we do not know: reported with its place, and never removed."""
    with pytest.raises(StateTooNew, match=f"{TOPIC} partition 0 offset 12: .*newer version"):
        StateJudge(TOPIC, "blog").accepts(key, value, 12)


@given(value=st.binary(max_size=120) | st.binary(max_size=80).map(lambda end: ENTRY[: len(end) % len(ENTRY)] + end))
def test_what_is_taken_for_an_entry_can_be_decoded(value: bytes) -> None:
    """Whatever the bytes: nothing that recovery lets into the index fails when it is decoded."""
    try:
        accepted = StateJudge(TOPIC, "blog").accepts(KEY, value, 1)
    except StateTooNew:
        return
    if accepted:
        decode_entry(value)


@given(value=st.binary(max_size=200))
def test_bytes_of_no_schema_are_a_value_error(value: bytes) -> None:
    """Decoding raises the same error, whatever the library does with them."""
    for name in ("key", "envelope", "flat", "dead_letter", "checkpoint", "owner_report"):
        try:
            codec.decode(name, value)
            codec.decode_as(name, codec.text(name), value)
        except ValueError:
            continue


def test_many_are_listed_as_a_few() -> None:
    """One line, the first places in order, and how many more."""
    found = [Foreign("t", 0, offset, b"k", "x") for offset in (9, 1, 5, 7)]
    assert (
        listing(found) == "t partition 0 offset 1: x; t partition 0 offset 5: x; t partition 0 offset 7: x; and 1 more"
    )
