"""Checkpoints: they advance and restart as the phases require."""

import msgspec
import pytest

from connector.model.checkpoint import Checkpoint, KeySchemaId, KnownTopic, Phase, Position, Progress, Request

BEFORE = Position(cursor="c1", phase="streaming", page=2, epoch=3, walk_open=True, identity="uuid", page_size=50)
STREAMING = Checkpoint(
    stream="blog",
    fingerprint="f",
    position=BEFORE,
    progress=Progress(sequence=9, key_schema_id=KeySchemaId("confluent", "7"), topics={"t": KnownTopic(6)}),
    request=Request(paused=True),
)


def test_values_are_immutable() -> None:
    """A value that was passed on stays as it is."""
    with pytest.raises(AttributeError):
        BEFORE.page = 3  # type: ignore[misc]  # what the test is about


def test_a_page_within_a_walk_counts_and_keeps_the_phase() -> None:
    """The next page of the same walk: one more page done, the walk no longer open."""
    after = BEFORE.advance(cursor="c2", caught_up=False)
    assert after == msgspec.structs.replace(BEFORE, cursor="c2", page=3, walk_open=False)


@pytest.mark.parametrize(
    ("phase", "following"),
    [("snapshot", "catching_up"), ("catching_up", "reconciling"), ("streaming", "streaming")],
)
def test_the_end_of_a_walk_leads_to_the_next_phase(phase: Phase, following: Phase) -> None:
    """Snapshot, catching up, reconciling, streaming: in this order, and streaming stays."""
    after = msgspec.structs.replace(BEFORE, phase=phase).advance(cursor="c2", caught_up=True)
    assert (after.phase, after.page, after.cursor) == (following, 0, "c2")


def test_the_identity_is_kept_once_it_is_known() -> None:
    """A response that does not name the environment does not make us forget it."""
    assert BEFORE.advance(cursor="c2", caught_up=False).identity == "uuid"
    assert BEFORE.advance(cursor="c2", caught_up=False, identity="other").identity == "other"


def test_a_restart_is_a_new_epoch_and_the_sequence_continues() -> None:
    """A new snapshot forgets cursor, page and identity; sequence, partitions and key schema stay."""
    assert STREAMING.restart() == msgspec.structs.replace(STREAMING, position=Position(epoch=4, page_size=50))


def test_a_restart_keeps_the_smallest_page_size_learnt() -> None:
    """What the API could not deliver once is not requested again."""
    assert BEFORE.restart().page_size == 50
    assert BEFORE.restart(page_size=20).page_size == 20


def test_tables_that_are_switched_on_are_due_their_rows_and_nothing_else() -> None:
    """A new walk, with clocks that can be compared; a pause, and what a walk under way must still do, stay."""
    after = msgspec.structs.replace(STREAMING, fingerprint="s.t").restarted_for("s.t:rows")
    assert (after.position, after.fingerprint) == (Position(epoch=4, page_size=50), "s.t:rows")
    assert after.request == Request(paused=True, rows=True)
    assert after.progress == STREAMING.progress
    everything = msgspec.structs.replace(
        STREAMING, fingerprint="s.t", position=Position(), request=Request(republish="all", rebase=True)
    )
    assert everything.restarted_for("s.t:rows").request == Request(republish="all", rebase=True, rows=True)


def test_without_tables_the_stream_continues_where_it_stands() -> None:
    """Whoever deletes their topics stops nothing; what is in them is known to be ours if tables come back."""
    topics = {"t": KnownTopic(6), "r": KnownTopic(6, "id2", table=True)}
    progress = msgspec.structs.replace(STREAMING.progress, topics=topics)
    on = msgspec.structs.replace(STREAMING, fingerprint="s.t:rows", progress=progress, request=Request(rows=True))
    off = on.restarted_for("s.t")
    assert off.progress.expected_topics == {"t": KnownTopic(6)}
    assert off.progress.topics["r"] == KnownTopic(6, replaceable=True, table=True)
    assert off == msgspec.structs.replace(on, fingerprint="s.t", progress=off.progress, request=Request())


def test_other_tables_in_another_scope_are_due_their_rows_too() -> None:
    """Everything is read again for the scope anyway."""
    there = msgspec.structs.replace(STREAMING, fingerprint="s.t:rows")
    after = there.restarted_for("other.t:default")
    assert after.request == Request(paused=True, rebase=True, rows=True)
    assert there.restarted_for("other.t:rows").request == Request(paused=True, rebase=True)
    assert there.restarted_for("s.t:rows").request == Request(paused=True, rebase=True)
