"""Deletes that a fresh snapshot proves: which, in which transactions, how a restart continues, when they are held."""

import pytest
from msgspec.structs import replace

from connector.errors import DeletesHeld, UnknownOutcome
from connector.events.policy import Policy
from connector.model.change import Change, DeadLetter
from connector.model.checkpoint import Request
from connector.stream.reconcile import reconcile
from connector.testing import fail_before_commit
from tests.memory import Stream
from tests.published import events, ops
from tests.values import amended, published, removed


def vanished(count: int, kept: int = 0, policy: Policy | None = None) -> Stream:
    """Return a stream whose new snapshot has seen `kept` of its keys, and not `count` others."""
    stream = Stream(policy)
    stream.publish(*[published(f"gone{number:02}") for number in range(count)])
    stream.publish(*[published(f"kept{number}") for number in range(kept)], removed("dead", 3))
    stream.move_to("snapshot", epoch=2)
    stream.publish(*[published(f"kept{number}") for number in range(kept)], caught_up=False)
    stream.move_to("reconciling")
    return stream


def of_kind(kind: str, id_: str) -> Change:
    """Return a published entity of a kind."""
    change = published(id_)
    return replace(change, key=replace(change.key, entity_type=kind), content_type=None)


def run(stream: Stream, *, share: float = 0.2, items: int = 1000) -> list[tuple[str, str]]:
    """Reconcile; return what it published."""
    before = len(stream.store.records)
    reconcile(stream.publisher, max_delete_share=share, page_items=items)
    return ops(stream.store.records[before:])


def test_live_keys_that_the_snapshot_did_not_see_are_deleted() -> None:
    """A `reconciled` d with before and tombstone for each; nothing for what was seen or is already dead."""
    stream = vanished(2, kept=3)
    assert run(stream) == [("d", "gone00"), ("tombstone", "gone00"), ("d", "gone01"), ("tombstone", "gone01")]
    deleted = events(stream.store.records)[-1]
    assert (deleted["origin"], deleted["change_type"], deleted["marker"]) == ("reconciled", "deleted", None)
    assert (deleted["before"]["content_type"], deleted["source"]["table"]) == ("post", "post")


def test_what_cannot_be_read_has_not_vanished() -> None:
    """A dead letter protects every key that its item may stand for, in each locale: the CMS still delivers it."""
    stream = Stream()
    stream.publish(
        published("odd"), published("local", locale="en"), published("local", locale="de"), published("gone")
    )
    stream.move_to("snapshot", epoch=2)
    letters = [DeadLetter(b"{}", "the item has no fields", item_id=each) for each in ("odd", "local")]
    stream.publish(*letters, caught_up=False)
    stream.move_to("reconciling")
    assert run(stream) == [("d", "gone"), ("tombstone", "gone")]


@pytest.mark.parametrize("streamed", [False, True])
def test_what_nobody_asks_for_has_not_vanished(*, streamed: bool) -> None:
    """Without tables the content model's lists are not read: what they delivered once stays.

    Where the stream delivers content types, those that it no longer delivers are gone.
    """
    stream = Stream()
    model = [of_kind("content_type", "post"), of_kind("content_type", "page"), of_kind("locale", "de-DE")]
    stream.publish(*model, published("kept"))
    stream.move_to("snapshot", epoch=2)
    stream.publish(published("kept"), *(model[:1] if streamed else ()), caught_up=False)
    stream.move_to("reconciling")
    assert run(stream) == ([("d", "page"), ("tombstone", "page")] if streamed else [])


def test_a_filter_that_leaves_out_types_deletes_them() -> None:
    """Nobody asks for them either, but the operator has said that they go."""
    stream = Stream()
    stream.publish(of_kind("content_type", "post"), published("kept"))
    stream = stream.restarted(Policy(entity_types=frozenset({"entry"})))
    stream.move_to("snapshot", epoch=2)
    stream.publish(published("kept"), caught_up=False)
    stream.move_to("reconciling")
    assert run(stream) == [("d", "post"), ("tombstone", "post")]


def test_then_the_stream_is_streaming_and_the_request_is_fulfilled() -> None:
    """The last transaction says so, even if nothing vanished."""
    stream = vanished(0, kept=2)
    assert run(stream) == []
    after = stream.restarted().checkpoint
    assert (after.position.phase, after.position.walk_open, after.request) == ("streaming", False, Request())


def test_deletes_are_published_in_bounded_transactions() -> None:
    """Each also writes live = false, so that a restart continues after it."""
    stream = vanished(5)
    before = len(stream.store.transactions)
    run(stream, items=2)
    assert [len(ops(each)) for each in stream.store.transactions[before:]] == [4, 4, 2, 0]


@pytest.mark.parametrize("survived", range(6))
def test_a_restart_continues_where_it_stopped(survived: int) -> None:
    """A crash after any transaction: every delete once, and streaming in the end; the share is not judged again."""
    stream = vanished(50, kept=2)
    stream.store.faults.extend([*[None] * survived, fail_before_commit(UnknownOutcome("crash"))])
    with pytest.raises(UnknownOutcome):
        run(stream, items=10, share=1.0)
    stream = stream.restarted()
    run(stream, items=10, share=0.0 if survived else 1.0)
    deleted = [event["before"]["id"] for event in events(stream.store.records) if event["op"] == "d"]
    assert deleted == ["dead", *[f"gone{number:02}" for number in range(50)]]
    assert stream.checkpoint.position.phase == "streaming"


@pytest.mark.parametrize(("count", "kept", "held"), [(19, 0, False), (20, 0, True), (20, 80, False), (21, 79, True)])
def test_too_large_a_share_is_held(count: int, kept: int, *, held: bool) -> None:
    """From 20 deletes up, more than the share of live keys stops the stream: nothing is deleted, the error counts."""
    stream = vanished(count, kept)
    if not held:
        assert len(run(stream)) == 2 * count
        return
    with pytest.raises(DeletesHeld, match=f"lacks {count} of {count + kept} live keys") as caught:
        run(stream)
    assert caught.value.held == count
    assert "contentwire snapshot blog --allow-deletes" in caught.value.hint
    assert stream.restarted().checkpoint.position.phase == "reconciling"


def test_an_operator_may_allow_what_is_held() -> None:
    """The request is in the checkpoint: it survives a restart, and applies to this reconciliation alone."""
    stream = vanished(30)
    stream.publisher.commit_checkpoint(amended(stream.checkpoint, request='{"allow_deletes":true}'))
    stream = stream.restarted()
    assert len(run(stream)) == 60
    assert stream.checkpoint.request == Request()


def test_a_share_of_one_allows_everything() -> None:
    """Whoever wants no protection configures none."""
    assert len(run(vanished(30), share=1.0)) == 60


def test_a_reconciled_key_may_come_back() -> None:
    """With its old clock and its old bytes: it is created again."""
    stream = vanished(1)
    run(stream)
    assert ops(stream.publish(published("gone00"))) == [("c", "gone00")]


def test_reconciled_deletes_of_two_epochs_have_two_ids() -> None:
    """The same key can vanish twice: the epoch tells the events apart."""
    stream = vanished(1)
    run(stream)
    stream.publish(published("gone00"))
    stream.move_to("reconciling", epoch=3)
    run(stream)
    ids = [event["event_id"] for event in events(stream.store.records) if event["origin"] == "reconciled"]
    assert len(ids) == len(set(ids)) == 2


def test_filters_do_not_hold_up_deletes() -> None:
    """What a new filter excludes was published under the old one, and must go."""
    stream = vanished(1)
    stream = stream.restarted(Policy(content_types=frozenset({"cat"}), entity_types=frozenset({"asset"})))
    assert run(stream) == [("d", "gone00"), ("tombstone", "gone00")]


def test_dead_keys_are_forgotten_one_epoch_later() -> None:
    """The index does not keep what is long gone."""
    stream = vanished(0, kept=1)
    assert len(stream.publisher.index) == 2
    run(stream)
    assert [entry.live for _, entry in stream.restarted().publisher.index.entries()] == [True]


def test_a_marker_that_every_snapshot_repeats_is_published_once() -> None:
    """Some APIs repeat old deletions in every initial sync: a dead key that is still repeated is not forgotten."""
    stream = vanished(0, kept=1)
    for epoch in (2, 3, 4):
        stream.move_to("snapshot", epoch=epoch)
        assert ops(stream.publish(published("kept0"), removed("dead", 3), caught_up=False)) == []
        stream.move_to("reconciling")
        assert run(stream) == []
