"""Operators' edits of checkpoints: what each changes, and what none may change."""

import json
from functools import partial

import pytest

from connector.commands import edits
from connector.commands.edits import Edit
from connector.errors import ConfigError, ConnectorError
from connector.events.state_record import requested
from connector.model.checkpoint import Checkpoint, KnownTopic, Position, Request, Selection
from tests.values import amended, checkpoint

STREAMING = checkpoint(
    cursor="c7",
    phase="streaming",
    sequence=41,
    epoch=3,
    fingerprint="before.topics",
    identity="e1",
    partitions={"t": 6},
    topic_ids={"t": "id"},
)
NOW = "now.topics"
EDITS: list[Edit] = [
    partial(edits.snapshot, republish="all", allow_deletes=True),
    edits.reset,
    edits.pause,
    edits.resume,
    partial(edits.at_cursor, cursor="c1"),
    edits.imported(edits.exported(amended(STREAMING, sequence=2, epoch=1, fingerprint="now.topics")), "cp.json"),
]


@pytest.mark.parametrize("edit", EDITS)
def test_sequence_and_epoch_never_decrease(edit: Edit) -> None:
    """Whatever an operator asks for, consumers see sequences and epochs that only grow; topics stay as recorded."""
    after = edit(STREAMING, NOW)
    assert after.progress.sequence >= 41
    assert after.position.epoch >= 3
    assert after.progress.partitions == {"t": 6}


@pytest.mark.parametrize("edit", [edits.reset, partial(edits.snapshot, republish=None, allow_deletes=False)])
def test_a_new_snapshot_starts_from_nothing_under_the_current_configuration(edit: Edit) -> None:
    """It has no cursor, a new epoch, and the fingerprint of the current configuration."""
    after = edit(STREAMING, NOW)
    assert (after.position, after.fingerprint) == (Position(epoch=4), NOW)
    assert after.request.rebase
    same = edit(STREAMING, STREAMING.fingerprint)
    assert (same.position.epoch, same.request.rebase) == (4, edit is edits.reset)
    assert after.progress.topics == same.progress.topics == {"t": KnownTopic(6, "id")}


@pytest.mark.parametrize("edit", [edits.reset, partial(edits.snapshot, republish=None, allow_deletes=False)])
def test_other_topics_get_everything(edit: Edit) -> None:
    """A command that sees a changed topic template first does what a run would: nobody fills the topics later."""
    after = edit(STREAMING, "before.others")
    assert (after.request.republish, after.fingerprint) == ("all", "before.others")
    assert after.progress.topics == {"t": KnownTopic(6, replaceable=True, former=True)}
    assert after.snapshot_finished().progress.topics == {}


@pytest.mark.parametrize(
    "edit",
    [
        edits.reset,
        partial(edits.snapshot, republish=None, allow_deletes=True),
        partial(edits.snapshot, republish=Selection(("post",)), allow_deletes=False),
        lambda checkpoint, _: checkpoint.restarted_for("later.topics"),
    ],
)
def test_what_the_topics_are_due_survives_other_requests(edit: Edit) -> None:
    """Everything is due because topics may lack it: no later request makes up for that."""
    everything = edits.snapshot(STREAMING, STREAMING.fingerprint, republish="all", allow_deletes=False)
    assert everything.progress.topics == {"t": KnownTopic(6, replaceable=True)}
    after = edit(everything, everything.fingerprint)
    assert (after.request.republish, after.request.rebase, after.position.epoch) == ("all", True, 5)
    assert after.snapshot_finished().carried_over == Request()


def test_a_cursor_cannot_be_imported_while_everything_is_due() -> None:
    """It would skip what the topics lack."""
    everything = edits.snapshot(STREAMING, STREAMING.fingerprint, republish="all", allow_deletes=False)
    for found, fingerprint in ((everything, everything.fingerprint), (STREAMING, "before.others")):
        with pytest.raises(ConnectorError, match="lack what was already published"):
            edits.at_cursor(found, fingerprint, cursor="c1")


def test_an_import_after_a_lost_state_confirms_the_topics() -> None:
    """The export's record of them counts, unless the stream has its own."""
    edit = edits.imported(edits.exported(STREAMING), "cp.json")
    assert edit(Checkpoint(stream="blog"), STREAMING.fingerprint).progress.topics == {"t": KnownTopic(6, "id")}
    known = edit(amended(STREAMING, topic_ids={"t": "other"}), STREAMING.fingerprint)
    assert known.progress.topics == {"t": KnownTopic(6, "other")}


def test_a_pause_leaves_everything_else_alone() -> None:
    """Pausing and resuming give the same checkpoint back, above all its fingerprint, which reveals changed filters."""
    paused = edits.pause(STREAMING, NOW)
    assert paused.request.paused
    assert edits.resume(paused, NOW) == STREAMING


def test_requests_add_up() -> None:
    """A snapshot requested while the stream is paused begins when it resumes, with everything requested."""
    paused = edits.pause(STREAMING, NOW)
    both = edits.snapshot(paused, NOW, republish="all", allow_deletes=True)
    assert json.loads(requested(both)) == {"paused": True, "republish": "all", "allow_deletes": True, "rebase": True}
    assert not edits.resume(both, NOW).request.paused
    assert edits.resume(both, NOW).request.allow_deletes


def test_a_part_is_selected_by_type_and_id() -> None:
    """The request names each once; selecting nothing requests nothing."""
    part = edits.selected(("post", "page", "post"), ("e1",))
    after = edits.snapshot(STREAMING, NOW, republish=part, allow_deletes=False)
    assert json.loads(requested(after))["republish"] == {"content_types": ["page", "post"], "ids": ["e1"]}
    assert edits.selected((), ()) is None


def test_an_exported_checkpoint_comes_back() -> None:
    """Export and import keep the cursor and what belongs to it, and a higher sequence and epoch."""
    exported = edits.exported(amended(STREAMING, page_size=50))
    after = edits.imported(exported, "cp.json")(Checkpoint(stream="blog"), STREAMING.fingerprint)
    assert after.position == Position(cursor="c7", phase="streaming", epoch=3, identity="e1", page_size=50)
    assert (after.progress.sequence, after.fingerprint) == (41, STREAMING.fingerprint)


def test_an_import_under_another_configuration_is_refused() -> None:
    """A cursor of another space, environment or filter means something else."""
    edit = edits.imported(edits.exported(STREAMING), "cp.json")
    with pytest.raises(ConfigError, match=r"cp\.json: was exported under another configuration"):
        edit(STREAMING, NOW)


@pytest.mark.parametrize("midway", [{"phase": "snapshot", "page": 3}, {"walk_open": True}, {"phase": "reconciling"}])
def test_an_import_from_the_middle_of_a_walk_is_refused(midway: dict[str, object]) -> None:
    """Such a cursor does not cover everything: what lies before it would be missed."""
    with pytest.raises(ConfigError, match="was exported in the phase"):
        edits.imported(edits.exported(amended(STREAMING, **midway)), "cp.json")


@pytest.mark.parametrize("text", ["", "[]", '{"stream": 1}', "\ufeff{}"])
def test_an_import_of_anything_else_is_refused(text: str) -> None:
    """The message names the file and the command that writes one."""
    with pytest.raises(ConfigError, match=r"cp\.json: not an exported checkpoint") as caught:
        edits.imported(text, "cp.json")
    assert "contentwire checkpoints export" in caught.value.hint


def test_what_a_complete_walk_has_published_is_no_longer_due() -> None:
    """Consent to deletes after the walk does not publish everything again; clocks are still not trusted."""
    everything = edits.snapshot(STREAMING, STREAMING.fingerprint, republish="all", allow_deletes=False)
    walked = amended(everything, phase="reconciling", topic_ids={"t": "id"})
    after = edits.snapshot(walked, walked.fingerprint, republish=None, allow_deletes=True)
    assert after.request == Request(rebase=True, allow_deletes=True)
    assert edits.at_cursor(walked, walked.fingerprint, cursor="c1").position.phase == "streaming"


def test_an_import_ends_every_request_but_a_pause() -> None:
    """Consent to deletes was for a snapshot that will not take place; a later one must ask again."""
    asked = edits.snapshot(edits.pause(STREAMING, NOW), NOW, republish=None, allow_deletes=True)
    assert edits.at_cursor(asked, NOW, cursor="c1").request == Request(paused=True)


TABLES = amended(
    STREAMING,
    fingerprint="before.topics:rows",
    partitions={"t": 6, "r": 6},
    topic_ids={"t": "id", "r": "table:id2"},
)
ROWS = partial(edits.snapshot, republish=None, allow_deletes=False, rows=True)


def test_a_snapshot_of_rows_takes_any_topic_for_a_table() -> None:
    """One that was deleted gets every row again; the topics of events must be what they were."""
    after = ROWS(TABLES, TABLES.fingerprint)
    assert after.request == Request(rows=True)
    assert after.progress.topics == {"t": KnownTopic(6, "id"), "r": KnownTopic(6, replaceable=True, table=True)}


@pytest.mark.parametrize(
    "edit",
    [
        edits.reset,
        partial(edits.snapshot, republish=None, allow_deletes=True),
        partial(edits.snapshot, republish="all", allow_deletes=True),
        lambda checkpoint, _: checkpoint.restarted_for("other.topics:rows"),
        lambda checkpoint, _: checkpoint.restarted_for("before.topics:default"),
        lambda checkpoint, _: checkpoint.restart(),
    ],
)
def test_rows_that_are_due_survive_other_requests(edit: Edit) -> None:
    """Until a whole walk has written them; then no more."""
    assert edit(ROWS(TABLES, TABLES.fingerprint), TABLES.fingerprint).request.rows
    walked = amended(ROWS(TABLES, TABLES.fingerprint), phase="catching_up")
    assert not edits.snapshot(walked, TABLES.fingerprint, republish=None, allow_deletes=False).request.rows


def test_a_cursor_cannot_be_imported_while_rows_are_due() -> None:
    """It would skip what the tables lack."""
    for found, fingerprint in ((ROWS(TABLES, TABLES.fingerprint), TABLES.fingerprint), (STREAMING, TABLES.fingerprint)):
        with pytest.raises(ConnectorError, match="lack what was already published") as refused:
            edits.at_cursor(found, fingerprint, cursor="c1")
        assert "snapshot blog --tables" in refused.value.hint


@pytest.mark.parametrize("edit", [edits.reset, partial(edits.snapshot, republish=None, allow_deletes=False)])
def test_a_command_that_sees_tables_switched_is_obeyed_too(edit: Edit) -> None:
    """It asks for a new snapshot, whatever the switch alone would have done."""
    off = edit(TABLES, "before.topics")
    assert (off.position.epoch, off.request.rows, list(off.progress.expected_topics)) == (4, False, ["t"])
    on = edit(STREAMING, TABLES.fingerprint)
    assert (on.position.epoch, on.request.rows, on.fingerprint) == (4, True, TABLES.fingerprint)
