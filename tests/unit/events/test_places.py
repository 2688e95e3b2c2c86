"""Where an event stands: at the beginning or the end of a snapshot, and in its transaction."""

from typing import Any

import pytest

from connector.errors import TransactionAborted
from connector.events.policy import Policy
from connector.model.change import Change, EntityKey
from connector.testing import fail_before_commit
from tests.memory import Stream
from tests.published import events, seen
from tests.values import published, removed, removed_type


def places(stream: Stream, *items: Change, caught_up: bool = True) -> list[str]:
    """Publish a page; return where its events stand in a snapshot."""
    return [event["source"]["snapshot"] for event in events(stream.publish(*items, caught_up=caught_up))]


def orders(found: list[dict[str, Any]]) -> list[tuple[str, int, int]]:
    """Return where events stand in their transactions."""
    return [tuple(event["transaction"].values()) for event in found]


def test_a_snapshot_has_a_first_and_a_last_event() -> None:
    """Over all its pages, whichever process publishes them; the delta after it belongs to no snapshot."""
    stream = Stream(phase="snapshot")
    assert places(stream, published("e1"), published("e2"), caught_up=False) == ["first", "true"]
    stream = stream.restarted()
    assert places(stream, published("e3"), caught_up=False) == ["true"]
    assert places(stream, published("e4"), published("e5")) == ["true", "last"]
    assert places(stream, published("e6")) == ["false"]


def test_the_first_event_may_be_pages_away_from_the_first_item() -> None:
    """What a page lacks, or a filter excludes, begins nothing."""
    stream = Stream(Policy(content_types=frozenset({"cat"})), phase="snapshot")
    assert places(stream, caught_up=False) == []
    assert places(stream, published("e1", content_type="dog"), caught_up=False) == []
    kept = [published(each, content_type="cat") for each in ("e2", "e3")]
    assert places(stream.restarted(), *kept, caught_up=False) == ["first", "true"]


def test_each_snapshot_has_a_first_event() -> None:
    """One that begins anew, whether the one before it ended or not."""
    stream = Stream(phase="snapshot")
    assert places(stream, published("e1", 1), published("e2", 1), caught_up=False) == ["first", "true"]
    for epoch in (2, 3):
        stream.move_to("snapshot", epoch=epoch)
        changed = [published(each, epoch) for each in ("e1", "e2", "e3")]
        assert places(stream, *changed) == ["first", "true", "last"]


def test_an_aborted_first_event_is_first_again() -> None:
    """Nobody has seen it."""
    stream = Stream(phase="snapshot")
    stream.publish(caught_up=False)
    stream.store.faults.append(fail_before_commit(TransactionAborted("no")))
    with pytest.raises(TransactionAborted):
        stream.publish(published("e1"), caught_up=False)
    assert places(stream.restarted(), published("e1"), caught_up=False) == ["first"]


def test_the_only_event_of_a_snapshot_is_its_last() -> None:
    """As Debezium says."""
    assert places(Stream(phase="snapshot"), published("e1")) == ["last"]


def test_a_last_event_is_not_promised() -> None:
    """The end may be an item that has not changed, or a page without items."""
    stream = Stream(phase="snapshot")
    assert places(stream, published("e1", 1), published("e2", 1), caught_up=False) == ["first", "true"]
    assert places(stream) == []
    stream.move_to("snapshot", epoch=2)
    assert places(stream, published("e1", 2), published("e2", 1)) == ["first"]


def test_a_snapshot_that_is_walked_twice_ends_once() -> None:
    """Without a delta, what moved during the first walk comes in the second one."""
    stream = Stream(phase="snapshot", follows=False)
    assert places(stream, published("e1"), published("e2")) == ["first", "true"]
    stream.publisher.commit_checkpoint(stream.checkpoint.at(stream.checkpoint.position.unfollowed()))
    assert places(stream, published("e3"), published("e4")) == ["true", "last"]


def test_a_removal_in_a_snapshot_has_its_place_too() -> None:
    """Some APIs list what was removed; what such an item stands for besides is not read from a snapshot."""
    stream = Stream(phase="snapshot")
    stream.publish(published("e1"), caught_up=False)
    found = events(stream.publish(removed_type("post", 2), removed("e2", 2)))
    assert [(event["origin"], event["source"]["snapshot"]) for event in found] == [
        ("expanded", "false"),
        ("snapshot", "true"),
        ("snapshot", "last"),
    ]
    assert {str(event["transaction"]) for event in found} == {"None"}


def test_events_of_a_batch_are_one_transaction() -> None:
    """Counted from 1, and from 1 within each table; the next batch is another transaction."""
    stream = Stream()
    asset = published("a1", key=EntityKey("blog", "asset", "a1", "*"), content_type=None)
    items = [published("e1", content_type="cat"), asset, published("e2", content_type="cat"), removed("e1", 2)]
    assert orders(events(stream.publish(*items))) == [
        ("blog:1:1", 1, 1),
        ("blog:1:1", 2, 1),
        ("blog:1:1", 3, 2),
        ("blog:1:1", 4, 3),
    ]
    stream.move_to("catching_up", epoch=2)
    assert orders(events(stream.publish(published("e2", 3)))) == [("blog:2:5", 1, 1)]


def test_what_is_left_out_has_no_place() -> None:
    """Positions have no gaps: a change that is not published counts nowhere."""
    stream = Stream()
    stream.publish(published("e1", 2))
    found = events(stream.publish(published("e1", 1), published("e2"), published("e1", 1), published("e3")))
    assert orders(found) == [("blog:1:2", 1, 1), ("blog:1:2", 2, 2)]


def test_a_batch_that_is_divided_is_several_transactions() -> None:
    """Each one is committed by itself, and has an id of its own."""
    stream = Stream(Policy(commit_items=2))
    stream.publish(*[published(f"e{number}") for number in range(3)])
    found = orders(events(stream.publish(removed_type("post", 2))))
    assert [order for _, order, _ in found] == [1, 2, 1, 2]
    assert [found[0][0], found[2][0]] == ["blog:1:4", "blog:1:6"]
    assert len(stream.store.transactions) == len({name for name, _, _ in orders(events(stream.store.records))})


def test_a_batch_that_is_tried_again_has_the_same_bytes() -> None:
    """As long as the clock stands still; the id of its transaction depends on nothing but what is committed."""
    stream, undisturbed = Stream(), Stream()
    items = [published("e1"), published("e2"), removed("e1", 2)]
    stream.store.faults.append(fail_before_commit(TransactionAborted("no")))
    with pytest.raises(TransactionAborted):
        stream.publish(*items)
    assert stream.restarted().publish(*items) == undisturbed.publish(*items)


def test_another_batching_changes_no_event_id() -> None:
    """Consumers deduplicate by `event_id`: what a restart batches otherwise keeps it, and changes its transaction."""
    together, apart = Stream(), Stream()
    items = [published("e1"), published("e2")]
    one = events(together.publish(*items))
    other = [*events(apart.publish(items[0])), *events(apart.restarted().publish(items[1]))]
    assert [event["event_id"] for event in one] == [event["event_id"] for event in other]
    assert orders(one) != orders(other)


def test_the_flat_envelope_has_columns_for_both() -> None:
    """The block's members, each a column; null in a snapshot."""
    stream = Stream(Policy(envelope="flat"), phase="snapshot")
    columns = ("snapshot", "transaction_id", "transaction_total_order", "transaction_data_collection_order")
    found = [*stream.publish(published("e1"), published("e2")), *stream.publish(published("e3"))]
    rows = [each.event for each in seen(found, "flat") if each.event]
    assert [tuple(row[name] for name in columns) for row in rows] == [
        ("first", None, None, None),
        ("last", None, None, None),
        ("false", "blog:1:3", 1, 1),
    ]
