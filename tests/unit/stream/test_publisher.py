"""What is committed together, what a failure leaves, and how a restart continues: expansions, open walks, outcomes."""

from collections import Counter

import msgspec
import pytest

from connector.errors import BrokerUnavailable, Fenced, ItemRefused, TransactionAborted, UnknownOutcome
from connector.events.index import Index
from connector.events.policy import Policy
from connector.events.state_record import CHECKPOINT_KEY
from connector.model.change import Change, DeadLetter
from connector.model.checkpoint import Checkpoint
from connector.stream.publisher import Publisher
from connector.testing import ManualClock, MemoryStore, fail_after_commit, fail_before_commit
from tests.memory import Stream
from tests.published import Seen, events, ops, seen
from tests.values import amended, entry_key, page, published, removed, removed_everywhere, removed_type

SMALL = Policy(commit_items=2)
LOCALES = ("de", "en", "fr", "it", "nl")


def everywhere(entry: str, second: int = 1, locales: tuple[str, ...] = LOCALES) -> list[Change]:
    """Return the publications of an entry to each locale."""
    return [published(entry, second, locale=locale) for locale in locales]


def removals(records: list[Seen]) -> list[Seen]:
    """Return the `d` events."""
    return [each for each in records if each.op == "d"]


def test_whole_pages_are_one_transaction_with_their_checkpoint() -> None:
    """Events, tombstones, index records and the checkpoint after the last page become visible together."""
    stream = Stream()
    first = page(published("e1"), after=stream.checkpoint.position, cursor="c1", caught_up=False)
    second = page(removed("e2"), after=first.position, cursor="c2")
    stream.publisher.publish([first, second])
    (transaction,) = stream.store.transactions
    assert ops(transaction) == [("c", "e1"), ("d", "e2"), ("tombstone", "e2")]
    assert stream.restarted().checkpoint.position.cursor == "c2"


def test_a_removal_without_a_locale_removes_every_live_one() -> None:
    """One `expanded` d with its tombstone for each live locale, none for a dead one, none for the item itself."""
    stream = Stream()
    stream.publish(*everywhere("e1"), removed("e1", 2, locale="fr"), published("e2", locale="de"))
    records = seen(stream.publish(removed_everywhere("e1", 3)))
    assert [(each.op, each.key.locale) for each in records] == [
        (op, locale) for locale in ("de", "en", "it", "nl") for op in ("d", "tombstone")
    ]
    assert {each.event["origin"] for each in records if each.event} == {"expanded"}


def test_a_removal_without_a_locale_of_nothing_live_is_one_event() -> None:
    """The removal has its own key: consumers may know more than the index."""
    records = seen(Stream().publish(removed_everywhere("e1")))
    assert [(each.op, each.key) for each in records] == [("d", entry_key()), ("tombstone", entry_key())]


def test_a_removed_type_removes_its_live_entries() -> None:
    """One event for the type and one `expanded` d for each live entry of it; assets and other types stay."""
    stream = Stream()
    stream.publish(*everywhere("e1", locales=("de", "en")), published("e2"), published("e3", content_type="cat"))
    stream.publish(removed("e2", 2))
    records = removals(seen(stream.publish(removed_type("post", 3))))
    assert [(each.key.id, each.key.locale) for each in records] == [("e1", "de"), ("e1", "en"), ("post", "*")]
    assert [each.event["origin"] for each in records if each.event] == ["expanded", "expanded", "delta"]


def test_expanded_events_name_what_caused_them() -> None:
    """Each has its own id, stable when read again, and the causing item as its marker."""
    ids = []
    for _ in range(2):
        stream = Stream()
        stream.publish(*everywhere("e1"))
        found = events(stream.publish(removed_everywhere("e1", 3)))
        ids.append([event["event_id"] for event in found])
        assert {event["marker"] for event in found} == {removed_everywhere("e1", 3).raw.decode()}
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == len(LOCALES)


def test_an_expansion_obeys_the_staleness_rule() -> None:
    """What was published after the expanded removal stays."""
    stream = Stream()
    stream.publish(*everywhere("e1", 1), published("e1", 5, locale="fr"))
    assert [each.key.locale for each in removals(seen(stream.publish(removed_everywhere("e1", 3))))] == [
        "de", "en", "it", "nl",
    ]  # fmt: skip
    assert [each.key.id for each in removals(seen(stream.publish(removed_type("post", 4))))] == ["post"]


def test_a_removal_of_a_locale_that_is_not_live_is_counted() -> None:
    """A marker for a locale that is not live while another is indicates a fallback or a mistake: a metric counts it."""
    stream = Stream()
    stream.publish(published("e1", locale="de"))
    stream.publish(removed("e1", 2, locale="fr"))
    stream.publish(removed("e1", 2, locale="de"))
    assert [batch.tally.locale_mismatches for batch in stream.batches] == [0, 1, 0]


def test_a_large_expansion_is_split() -> None:
    """Transactions keep within bounds; only the last one moves the cursor, the others are marked as open."""
    stream = Stream(SMALL)
    stream.publish(*everywhere("e1"))
    before = len(stream.batches)
    stream.publish(removed_everywhere("e1", 3))
    committed = [batch.checkpoint for batch in stream.batches[before:]]
    assert [(each.position.cursor, each.position.walk_open) for each in committed] == [
        ("next", True),
        ("next", True),
        ("next", False),
    ]
    assert [each.progress.sequence for each in committed] == [7, 9, 10]


@pytest.mark.parametrize("survived", range(4))
@pytest.mark.parametrize("locales", [LOCALES, LOCALES[:4]])
@pytest.mark.parametrize("removal", [removed_everywhere("e1", 3), removed_type("post", 3)])
def test_a_crash_during_an_expansion_loses_and_duplicates_nothing(
    removal: Change, locales: tuple[str, ...], survived: int
) -> None:
    """After any of its transactions: the page is read again, and each key is removed exactly once."""
    calm = Stream(SMALL)
    calm.publish(*everywhere("e1", locales=locales))
    expected = ops(calm.publish(removal))

    stream = Stream(SMALL)
    stream.publish(*everywhere("e1", locales=locales))
    stream.store.faults.extend([None] * survived)
    stream.store.faults.append(fail_before_commit(UnknownOutcome("crash")))
    before = len(stream.store.records)
    start = stream.checkpoint.position
    try:
        stream.publish(removal)
    except UnknownOutcome:
        stream = stream.restarted()
        assert stream.checkpoint.position.walk_open == (survived > 0)
        stream.publisher.publish([page(removal, after=start)])
    assert ops(stream.store.records[before:]) == expected
    assert [each["source"]["sequence"] for each in events(stream.store.records)] == list(
        range(1, len(locales) + len(expected) // 2 + 1)
    )


def test_an_expansion_read_again_is_left_out() -> None:
    """A removal without a locale that was published completely is not published again under its own key."""
    stream = Stream()
    stream.publish(*everywhere("e1"))
    stream.publish(removed_everywhere("e1", 3), caught_up=False)
    assert ops(stream.restarted().publish(removed_everywhere("e1", 3))) == []


def test_an_open_walk_read_again_leaves_out_what_is_committed() -> None:
    """The first part of a large walk is committed; the second walk publishes only the rest."""
    stream = Stream()
    start = stream.checkpoint.position
    walk = [published("e1", 1), removed("e2", 2), published("e3", 3)]
    stream.publisher.publish([msgspec.structs.replace(page(*walk[:2], after=start), position=start.opened())])
    stream = stream.restarted()
    assert (stream.checkpoint.position.cursor, stream.checkpoint.position.walk_open) == ("start", True)
    assert ops(stream.publish(*walk)) == [("c", "e3")]
    assert not stream.checkpoint.position.walk_open


def test_an_open_walk_without_anything_new_is_closed() -> None:
    """If the end of a walk was lost, walking again commits its checkpoint, though there are no events."""
    stream = Stream()
    stream.publisher.commit_checkpoint(amended(stream.checkpoint, walk_open=True))
    stream.publish()
    assert not stream.restarted().checkpoint.position.walk_open


def test_an_idle_delta_commits_nothing() -> None:
    """The checkpoint moves on in memory and waits for the next transaction."""
    stream = Stream()
    stream.publish(published("e1"))
    stream.publish()
    assert len(stream.store.transactions) == 1
    stream.publish(published("e2"))
    assert stream.restarted().checkpoint == stream.checkpoint


def test_an_idle_delta_does_not_count_as_a_commit() -> None:
    """However often an idle stream polls, its last commit gets older, and the heartbeat falls due."""
    stream = Stream()
    stream.publish(published("e1"))
    committed_at = stream.checkpoint.committed_at
    stream.clock.ms += 600_000
    stream.publish()
    assert stream.checkpoint.committed_at == committed_at


@pytest.mark.parametrize("phase", ["snapshot", "catching_up"])
def test_an_empty_page_before_streaming_is_committed(phase: str) -> None:
    """An empty page advances the checkpoint: an empty snapshot is a snapshot."""
    stream = Stream(phase=phase)  # type: ignore[arg-type]  # one of the phases
    stream.publish()
    assert (
        stream.restarted().checkpoint.position.phase == {"snapshot": "catching_up", "catching_up": "reconciling"}[phase]
    )


def test_a_snapshot_marks_unchanged_keys() -> None:
    """Every key seen, changed or not, gets the epoch in its page's transaction."""
    stream = Stream()
    stream.publish(published("e1"), published("e2"))
    stream.move_to("snapshot", epoch=2)
    assert ops(stream.publish(published("e1"))) == []
    marks = {entry.epoch for _, entry in stream.restarted().publisher.index.entries()}
    assert marks == {1, 2}


@pytest.mark.parametrize("error", [TransactionAborted("no"), Fenced("no"), UnknownOutcome("no")])
def test_after_an_error_the_publisher_refuses_until_it_recovers(error: UnknownOutcome) -> None:
    """Nobody may guess: the publisher is unusable until the checkpoint is read back."""
    stream = Stream()
    stream.store.faults.append(fail_before_commit(error))
    with pytest.raises(type(error)):
        stream.publish(published("e1"))
    assert not stream.publisher.ready
    with pytest.raises(RuntimeError, match="recover first"):
        _ = stream.checkpoint
    assert stream.publisher.recover().position.cursor == "start"


class Unanswering(MemoryStore):
    """A store that answers only its first recovery."""

    answers = 1

    def recover(self, index: Index) -> Checkpoint | None:
        """Read everything back, once."""
        if not self.answers:
            raise BrokerUnavailable("no answer")
        self.answers -= 1
        return super().recover(index)


def test_a_failed_recovery_leaves_nothing_to_continue_from() -> None:
    """What was known may be out of date, for the reason that made the recovery necessary."""
    stream = Stream(store=Unanswering())
    assert stream.publisher.ready
    with pytest.raises(BrokerUnavailable):
        stream.publisher.recover()
    assert not stream.publisher.ready


def test_before_the_first_recovery_the_publisher_refuses() -> None:
    """`recover` is the only way to start."""
    fresh = Stream()
    publisher = Publisher(MemoryStore(), fresh.assembler(), initial=fresh.initial, clock=ManualClock())
    assert not publisher.ready
    with pytest.raises(RuntimeError, match="recover first"):
        publisher.publish([])


def test_a_lost_answer_is_resolved_by_reading() -> None:
    """Committed, but the answer was lost: recovery finds the page done, and nothing is published twice."""
    stream = Stream()
    stream.store.faults.append(fail_after_commit(UnknownOutcome("timeout")))
    with pytest.raises(UnknownOutcome):
        stream.publish(published("e1"))
    assert stream.publisher.recover().position.cursor == "next"
    assert ops(stream.publish(published("e1"))) == []
    assert ops(stream.store.records) == [("c", "e1")]


def test_an_aborted_batch_leaves_the_index_as_it_was() -> None:
    """What was staged for a batch that is not visible is forgotten: the next attempt publishes it."""
    stream = Stream()
    stream.store.faults.append(fail_before_commit(TransactionAborted("no")))
    with pytest.raises(TransactionAborted):
        stream.publish(published("e1"))
    stream.publisher.recover()
    assert ops(stream.publish(published("e1"))) == [("c", "e1")]


def test_a_refused_page_leaves_nothing_for_the_next_transaction() -> None:
    """What was prepared before the refusal is forgotten, though nothing was committed and no recovery is needed."""
    stream = Stream(Policy(malformed="stop"))
    good = page(published("e1"), after=stream.checkpoint.position, caught_up=False)
    with pytest.raises(ItemRefused):
        stream.publisher.publish([good, page(DeadLetter(b"{}", "odd"), after=good.position)])
    assert stream.publisher.ready
    assert ops(stream.publish(published("e2"))) == [("c", "e2")]
    assert ops(stream.restarted().publish(published("e1"))) == [("c", "e1")]


def test_no_state_is_the_initial_checkpoint() -> None:
    """A stream that never committed starts at its initial checkpoint."""
    stream = Stream(phase="snapshot")
    assert stream.checkpoint == stream.initial
    assert not [key for key in stream.store.state if key != CHECKPOINT_KEY]


def test_later_changes_of_a_batch_see_earlier_ones() -> None:
    """To create, update, delete and create one key again in one page gives these ops in that order."""
    records = Stream().publish(
        published("e1", 1), published("e1", 2), removed("e1", 3), published("e1", 4), removed("e1", 5)
    )
    assert Counter(op for op, _ in ops(records)) == Counter(c=2, u=1, d=2, tombstone=2)
    assert [op for op, _ in ops(records) if op != "tombstone"] == ["c", "u", "d", "c", "d"]
