"""What becomes of a change: op, before and tombstone, staleness, repetition, filters, dead letters, size."""

import json
from typing import Any

import msgspec
import pytest

from connector.errors import ItemRefused, StateTooNew
from connector.events import codec
from connector.events.policy import Policy
from connector.events.state_record import CHECKPOINT_KEY, decode_checkpoint
from connector.model.change import Change, DeadLetter, EntityKey
from connector.model.checkpoint import (
    Phase,
)
from tests.memory import NOW_MS, Stream
from tests.published import events, letters, ops, seen
from tests.values import amended, digest, published, removed

LETTER = DeadLetter(b'{"odd":1}', "the item has no sys", item_type="Entry", item_id="e9")


def sequences(stream: Stream) -> list[int]:
    """Return the sequence numbers of everything published."""
    return [event["source"]["sequence"] for event in events(stream.store.records)]


def test_a_new_key_in_a_delta_is_c() -> None:
    """The index does not know the key: create."""
    (event,) = events(Stream().publish(published()))
    assert (event["op"], event["before"], event["origin"]) == ("c", None, "delta")
    assert event["source"]["snapshot"] == "false"


def test_a_known_live_key_is_u_with_before() -> None:
    """The index knows the key live: update, and before is not null."""
    stream = Stream()
    stream.publish(published("e1", 1))
    (event,) = events(stream.publish(published("e1", 2)))
    assert event["op"] == "u"
    assert event["before"]["id"] == "e1"
    assert event["after"]["revision"] == 2


def test_an_upsert_after_a_delete_is_c() -> None:
    """What was removed and comes back is created again, without a before."""
    stream = Stream()
    stream.publish(published("e1", 1), removed("e1", 2))
    (event,) = events(stream.publish(published("e1", 3)))
    assert (event["op"], event["before"]) == ("c", None)


def test_a_new_key_in_a_snapshot_is_r() -> None:
    """A snapshot reads: r, marked as a snapshot."""
    event, _ = events(Stream(phase="snapshot").publish(published("e1"), published("e2")))
    assert (event["op"], event["before"], event["origin"]) == ("r", None, "snapshot")
    assert event["source"]["snapshot"] == "first"


def test_a_changed_live_key_in_a_new_snapshot_is_u() -> None:
    """A re-snapshot finds a live key in another state: an update with its before."""
    stream = Stream()
    stream.publish(published("e1", 1))
    stream.move_to("snapshot", epoch=2)
    (event,) = events(stream.publish(published("e1", 2)))
    assert (event["op"], event["origin"], event["before"]["revision"]) == ("u", "snapshot", 1)


@pytest.mark.parametrize("change_type", ["unpublished", "deleted"])
@pytest.mark.parametrize("phase", ["snapshot", "catching_up", "streaming"])
def test_every_removal_is_d_with_before_and_a_tombstone_after_it(change_type: Any, phase: Phase) -> None:
    """Both kinds are `d` in every phase: before is not null, and the next record is a tombstone of the same key."""
    stream = Stream(phase=phase)
    stream.publish(published("e1", 1), published("e2", 1), caught_up=False)
    first, tombstone, last = stream.publish(removed("e1", 2, change_type=change_type), published("e3", 2))
    removal = seen([first])[0].event
    assert removal
    assert (removal["op"], removal["after"], removal["before"]["id"]) == ("d", None, "e1")
    assert (tombstone.topic, tombstone.key, tombstone.value) == (first.topic, first.key, None)
    assert last.value is not None
    assert len(stream.store.transactions) == 2


def test_tombstones_can_be_switched_off() -> None:
    """Without tombstones only the `d` is published."""
    assert ops(Stream(Policy(tombstones=False)).publish(removed("e1"))) == [("d", "e1")]


def test_no_value_is_an_empty_byte_string() -> None:
    """A tombstone is null, never empty: an empty value would be a record to every consumer."""
    records = Stream().publish(published("e1"), removed("e1", 2), LETTER)
    assert [record for record in records if record.value == b""] == []


def test_a_delete_of_a_key_never_seen_is_published() -> None:
    """Something may have been published and removed between two polls: consumers are told."""
    records = Stream().publish(removed("unseen"))
    assert ops(records) == [("d", "unseen"), ("tombstone", "unseen")]
    assert events(records)[0]["before"] == {
        "connection": "blog", "entity_type": "entry", "id": "unseen", "locale": "*", "content_type": None,
        "revision": None,
        "created_at": None, "updated_at": None, "fields": None, "meta": None, "refs": None, "ref_fields": None,
    }  # fmt: skip


def test_deletes_of_unseen_keys_can_be_suppressed() -> None:
    """`unseen_deletes = "suppress"` leaves out what was never live here, and nothing else."""
    stream = Stream(Policy(unseen_deletes="suppress"))
    records = stream.publish(removed("unseen"), published("e1"), removed("e1", 2))
    assert ops(records) == [("c", "e1"), ("d", "e1"), ("tombstone", "e1")]
    assert ops(stream.publish(removed("e1", 3))) == []


@pytest.mark.parametrize("phase", ["snapshot", "catching_up", "streaming"])
@pytest.mark.parametrize("late", [published("e1", 1), removed("e1", 1)])
def test_an_older_clock_never_wins(phase: Phase, late: Change) -> None:
    """In every phase, a change older than what the index holds is left out."""
    stream = Stream(phase=phase)
    stream.publish(published("e1", 2), caught_up=False)
    assert ops(stream.publish(late)) == []
    stream.publish(published("e1", 3))
    assert events(stream.store.records)[-1]["before"]["revision"] == 2


@pytest.mark.parametrize("late", [published("e1", 1), removed("e1", 1)])
def test_an_older_clock_never_wins_over_a_removal(late: Change) -> None:
    """A removed key stays removed when older changes arrive late."""
    stream = Stream()
    stream.publish(removed("e1", 2))
    assert ops(stream.publish(late)) == []


def test_clocks_of_another_environment_are_not_compared() -> None:
    """After a change of environment, an older clock wins over what an earlier epoch knew, not over this one."""
    stream = Stream()
    stream.publish(published("e1", 5), published("e2", 5))
    stream.publisher.commit_checkpoint(amended(stream.checkpoint, request='{"rebase":true}'))
    stream.move_to("snapshot", epoch=2)
    assert ops(stream.publish(published("e1", 3), published("e2", 5, meta=b"[]"), caught_up=False)) == [
        ("u", "e1"), ("u", "e2"),
    ]  # fmt: skip
    assert ops(stream.publish(published("e1", 2))) == []


def test_an_equal_clock_wins() -> None:
    """Clocks are coarse and releases share them: what arrives later with the same clock is published."""
    stream = Stream()
    stream.publish(published("e1", 2))
    assert ops(stream.publish(published("e1", 2, revision=7))) == [("u", "e1")]
    assert ops(stream.publish(removed("e1", 2))) == [("d", "e1"), ("tombstone", "e1")]


def test_an_item_without_a_clock_is_not_stale_and_does_not_disarm_the_rule() -> None:
    """A change without a clock is published; an older one after it still loses."""
    stream = Stream()
    stream.publish(published("e1", 5))
    assert ops(stream.publish(published("e1", None))) == [("u", "e1")]
    assert ops(stream.publish(published("e1", 4))) == []


def test_a_repeated_item_is_left_out() -> None:
    """What the index already holds, to the byte, is not published again."""
    stream = Stream()
    stream.publish(published("e1", 1), removed("e2", 1))
    assert ops(stream.publish(published("e1", 1), removed("e2", 1))) == []


def test_in_a_delta_every_other_item_is_published() -> None:
    """Even if its content did not change: the CMS says that it was published again."""
    stream = Stream()
    stream.publish(published("e1", 1, revision=1))
    assert ops(stream.publish(published("e1", 1, revision=1, meta=b'{"x":1}'))) == [("u", "e1")]


def test_a_snapshot_leaves_out_what_is_unchanged() -> None:
    """Unchanged is the same revision and clock, or the same raw digest."""
    stream = Stream()
    stream.publish(published("same-clock", 1), published("same-bytes", None, revision=None), published("other", 1))
    stream.move_to("snapshot", epoch=2)
    again = [published("same-clock", 1, meta=b'{"x":1}'), published("same-bytes", None, revision=None)]
    assert ops(stream.publish(*again, published("other", 1, revision=2))) == [("u", "other")]


def test_equal_revisions_without_a_clock_prove_nothing() -> None:
    """Without a clock only equal bytes are unchanged."""
    stream = Stream()
    stream.publish(published("e1", None, revision=3), published("e2", 3, revision=None))
    stream.move_to("snapshot", epoch=2)
    again = [published("e1", None, revision=3, meta=b"[]"), published("e2", 3, revision=None, meta=b"[]")]
    assert ops(stream.publish(*again)) == [("u", "e1"), ("u", "e2")]


def test_a_snapshot_can_publish_everything_again() -> None:
    """`republish = "all"` publishes every live key once per epoch, changed or not."""
    stream = Stream(Policy(republish="all"))
    stream.publish(published("e1"))
    stream.move_to("snapshot", epoch=2)
    assert ops(stream.publish(published("e1"), caught_up=False)) == [("u", "e1")]
    assert ops(stream.publish(published("e1"))) == []


def test_a_snapshot_brings_back_what_a_delete_took() -> None:
    """A removed key that the new snapshot delivers is live, even with its old clock and revision."""
    stream = Stream()
    stream.publish(published("e1", 1), removed("e1", None))
    stream.move_to("snapshot", epoch=2)
    assert ops(stream.publish(published("e1", 1))) == [("r", "e1")]


def test_the_sequence_is_contiguous_and_tombstones_have_none() -> None:
    """It grows by one per event, across pages, transactions and restarts; what is left out takes no number."""
    stream = Stream()
    stream.publish(published("e1", 1), removed("e2", 1), published("e1", 1), LETTER)
    stream.publish(published("e3", 1), caught_up=False)
    stream = stream.restarted()
    stream.publish(removed("e3", 2), published("e1", 0), published("e1", 2))
    assert sequences(stream) == [1, 2, 3, 4, 5]
    assert stream.checkpoint.progress.sequence == 5


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (Policy(entity_types=frozenset({"asset"})), ["a1"]),
        (Policy(content_types=frozenset({"post"})), ["e1", "a1", "de"]),
        (Policy(content_types=frozenset({"cat"})), ["e2", "a1"]),
        (Policy(content_types=frozenset({"cat"}), entity_types=frozenset({"entry"})), ["e2"]),
        (Policy(locales=frozenset({"de"})), ["e1", "e2", "a1", "de"]),
        (Policy(locales=frozenset({"fr"})), ["e1", "e2", "a1"]),
    ],
)
def test_filters_choose_what_is_published(policy: Policy, expected: list[str]) -> None:
    """Entity types, content types (assets have none and pass) and locales (`*` holds all and passes)."""
    asset = published("a1", key=EntityKey("blog", "asset", "a1", "*"), content_type=None)
    items = [published("e1"), published("e2", content_type="cat"), asset, published("de", locale="de")]
    records = Stream(policy).publish(*items)
    assert [each.key.id for each in seen(records)] == expected


def test_filtered_items_advance_the_checkpoint() -> None:
    """A page of excluded items still counts as done."""
    stream = Stream(Policy(entity_types=frozenset({"asset"})))
    stream.publish(published())
    assert stream.checkpoint.position.cursor == "next"


def test_a_type_filter_loses_no_delete() -> None:
    """A marker without a content type takes it from the index: what was published is removed, the rest is not."""
    stream = Stream(Policy(content_types=frozenset({"cat"})))
    stream.publish(published("mine", 1, content_type="cat"), published("other", 1, content_type="dog"))
    records = stream.publish(removed("mine", 2), removed("other", 2), removed("mine", 3))
    assert ops(records) == [("d", "mine"), ("tombstone", "mine"), ("d", "mine"), ("tombstone", "mine")]


def test_a_content_type_is_filtered_by_its_own_id() -> None:
    """The schema of an excluded content type is excluded too."""
    items = [published(each, key=EntityKey("blog", "content_type", each, "*")) for each in ("cat", "dog")]
    assert ops(Stream(Policy(content_types=frozenset({"cat"}))).publish(*items)) == [("c", "cat")]


def test_an_entry_that_changes_to_an_excluded_type_is_removed() -> None:
    """An id that returns under an excluded content type leaves the filtered view: consumers must not keep it."""
    stream = Stream(Policy(content_types=frozenset({"cat"})))
    stream.publish(published("e1", 1, content_type="cat"))
    records = stream.publish(published("e1", 2, content_type="dog"))
    assert ops(records) == [("d", "e1"), ("tombstone", "e1")]
    assert events(records)[0]["source"]["table"] == "cat"
    assert ops(stream.publish(published("e1", 2, content_type="dog"))) == []


def test_a_removal_under_an_excluded_type_removes_what_was_published() -> None:
    """Whatever type the marker names, what consumers hold must go."""
    stream = Stream(Policy(content_types=frozenset({"cat"})))
    stream.publish(published("e1", 1, content_type="cat"))
    assert ops(stream.publish(removed("e1", 2, content_type="dog"))) == [("d", "e1"), ("tombstone", "e1")]


def test_a_new_filter_deletes_nothing_by_itself() -> None:
    """What a changed filter excludes is left to reconciliation, which holds too many deletes."""
    stream = Stream()
    stream.publish(published("e1", 1, content_type="dog"))
    stream = stream.restarted(Policy(content_types=frozenset({"cat"})))
    stream.move_to("snapshot", epoch=2)
    assert ops(stream.publish(published("e1", 2, content_type="dog"))) == []


def test_a_dead_letter_is_in_the_transaction_of_its_page() -> None:
    """The raw item, the reason and the place it came from, together with the page's events and checkpoint."""
    stream = Stream()
    stream.publish(published("e1"), LETTER)
    (transaction,) = stream.store.transactions
    (letter,) = letters(transaction)
    assert letter == {
        "version": 1, "connection": "blog", "vendor": "acme", "error": "MalformedItem", "raw": LETTER.raw,
        "reason": LETTER.reason, "item_type": "Entry", "item_id": "e9", "cursor": "start", "page": 0,
        "phase": "streaming", "epoch": 1, "sequence": 0, "ts_ms": NOW_MS,
    }  # fmt: skip
    assert ops(transaction) == [("c", "e1")]
    assert {record.topic for record in transaction} == {"contentwire.blog.changes", "contentwire.blog.dead-letters"}


def test_a_malformed_item_can_stop_the_stream() -> None:
    """`malformed = "stop"`: named by type and id, never by content; nothing of the page is committed."""
    stream = Stream(Policy(malformed="stop"))
    with pytest.raises(ItemRefused, match="Entry e9: the item has no sys") as caught:
        stream.publish(published("e1"), LETTER)
    assert "odd" not in str(caught.value)
    assert (stream.store.transactions, stream.restarted().checkpoint.position.cursor) == ([], "start")


LARGE = published("big", 2, fields=json.dumps({"text": "x" * 20_000}).encode(), raw=b"[large]")


def test_an_event_that_is_too_large_becomes_a_dead_letter() -> None:
    """Checked before it is produced: the raw item is kept, the others are published, the sequence has no gap."""
    stream = Stream(Policy(max_message_bytes=10_000))
    records = stream.publish(published("e1"), LARGE, published("e2"))
    (letter,) = letters(records)
    assert ops(records) == [("c", "e1"), ("c", "e2")]
    assert (letter["error"], letter["raw"], letter["item_id"]) == ("EventTooLarge", b"[large]", "big")
    assert "10000" in letter["reason"]
    assert sequences(stream) == [1, 2]


def test_an_event_that_is_too_large_can_stop_the_stream() -> None:
    """`oversized = "stop"`: nothing of the page is committed, the message names entity and limit."""
    stream = Stream(Policy(max_message_bytes=10_000, oversized="stop"))
    with pytest.raises(ItemRefused, match=r"entry big: .* exceeds max.message.bytes = 10000"):
        stream.publish(published("e1"), LARGE)
    assert stream.store.transactions == []


def test_an_event_that_is_too_large_can_be_a_reference() -> None:
    """`oversized = "reference"`: an event without content, with its size and digest; never a truncated one."""
    stream = Stream(Policy(max_message_bytes=10_000, oversized="reference"))
    (event,) = events(stream.publish(LARGE))
    reference = json.loads(event["after"]["meta"])["contentwire_reference"]
    assert (event["op"], event["after"]["fields"], event["after"]["id"]) == ("c", None, "big")
    assert (reference["digest"], reference["id"]) == (LARGE.digest.hex(), "big")
    assert reference["bytes"] > 20_000
    assert ops(stream.publish(LARGE)) == []


def test_the_size_limit_is_the_topics() -> None:
    """What fits is published whole: to within a kilobyte, no event that the broker would accept is left out."""
    (record,) = Stream().publish(LARGE)
    size = len(record.key or b"") + len(record.value or b"")
    assert ops(Stream(Policy(max_message_bytes=size + 1024)).publish(LARGE)) == [("c", "big")]
    assert ops(Stream(Policy(max_message_bytes=size + 1023)).publish(LARGE)) == []


def test_the_checkpoint_is_the_last_state_record() -> None:
    """It is the page's checkpoint, with the sequence, the key schema and topics, and the time of the commit."""
    stream = Stream()
    stream.publish(published("e1"), caught_up=False)
    recorded = stream.store.state[CHECKPOINT_KEY]
    assert recorded
    checkpoint = decode_checkpoint(recorded)
    assert list(stream.store.state)[-1] == CHECKPOINT_KEY
    assert (
        checkpoint.position.cursor,
        checkpoint.position.page,
        checkpoint.progress.sequence,
        checkpoint.committed_at,
    ) == ("next", 1, 1, NOW_MS)
    assert checkpoint.progress.partitions == {"contentwire.blog.changes": 1}
    assert checkpoint.progress.key_schema_id == codec.single_object("key").schema_id
    assert stream.restarted().checkpoint == checkpoint


def test_a_newer_checkpoint_is_refused() -> None:
    """A checkpoint of a later format is an error of its own, raised before any of it is used."""
    stream = Stream()
    stream.publish(published())
    record = stream.store.state[CHECKPOINT_KEY]
    assert record
    stream.store.state[CHECKPOINT_KEY] = b"\x04" + record[1:]
    with pytest.raises(StateTooNew, match="newer version"):
        stream.restarted()


def test_raw_digests_decide_what_is_repeated() -> None:
    """The digest is over the raw item: different bytes are a different item, whatever they mean."""
    stream = Stream()
    stream.publish(published("e1", 1))
    spaced = msgspec.structs.replace(published("e1", 1), digest=digest(b"{ }"))
    assert ops(stream.publish(spaced)) == [("u", "e1")]
