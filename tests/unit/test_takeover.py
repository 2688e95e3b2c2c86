"""An operator's edits of checkpoints: what each changes, and what none may change."""

import json
from functools import partial

import pytest
from msgspec.structs import replace

from connector import takeover
from connector.errors import ConfigError
from connector.model import Checkpoint
from connector.takeover import Edit

STREAMING = Checkpoint(
    stream="blog",
    cursor="c7",
    phase="streaming",
    sequence=41,
    epoch=3,
    fingerprint="before",
    identity="e1",
    partitions={"t": 6},
)
EDITS: list[Edit] = [
    partial(takeover.snapshot, anew="all", allow_deletes=True),
    takeover.reset,
    takeover.pause,
    takeover.resume,
    partial(takeover.at_cursor, cursor="c1"),
    takeover.imported(takeover.exported(replace(STREAMING, sequence=2, epoch=1, fingerprint="now")), "cp.json"),
]


@pytest.mark.parametrize("edit", EDITS)
def test_sequence_and_epoch_never_go_down(edit: Edit) -> None:
    """Whatever an operator asks for, consumers see sequences and epochs that only grow; topics stay as recorded."""
    after = edit(STREAMING, "now")
    assert after.sequence >= 41
    assert after.epoch >= 3
    assert after.partitions == {"t": 6}


@pytest.mark.parametrize("edit", [takeover.reset, partial(takeover.snapshot, anew=None, allow_deletes=False)])
def test_a_new_snapshot_starts_from_nothing_under_the_present_configuration(edit: Edit) -> None:
    """It has no cursor, a new epoch, and the fingerprint that its walk is made with."""
    after = edit(STREAMING, "now")
    assert (after.cursor, after.phase, after.epoch, after.fingerprint) == (None, "snapshot", 4, "now")
    assert after.asks("rebase") is (edit is takeover.reset)


def test_a_pause_leaves_everything_else_alone() -> None:
    """Pausing and resuming give the very checkpoint back: above all its fingerprint, which tells of changed filters."""
    paused = takeover.pause(STREAMING, "now")
    assert paused.asks("paused")
    assert takeover.resume(paused, "now") == STREAMING


def test_wishes_add_up() -> None:
    """A snapshot that is asked for while the stream rests begins when it goes on, with all that was asked for."""
    paused = takeover.pause(STREAMING, "now")
    both = takeover.snapshot(paused, "now", anew="all", allow_deletes=True)
    assert json.loads(both.request or "") == {"paused": True, "republish": "all", "allow_deletes": True, "rebase": True}
    assert not takeover.resume(both, "now").asks("paused")
    assert takeover.resume(both, "now").asks("allow_deletes")


def test_a_part_is_selected_by_type_and_id() -> None:
    """The request names each once; nothing selected is no wish."""
    part = takeover.selected(("post", "page", "post"), ("e1",))
    after = takeover.snapshot(STREAMING, "now", anew=part, allow_deletes=False)
    assert after.wish("republish") == {"content_types": ["page", "post"], "ids": ["e1"]}
    assert takeover.selected((), ()) is None


def test_an_exported_checkpoint_comes_back() -> None:
    """Export and import give the cursor and what belongs to it; a higher sequence and epoch are kept."""
    exported = takeover.exported(replace(STREAMING, page_size=50))
    after = takeover.imported(exported, "cp.json")(Checkpoint(stream="blog"), "before")
    assert (after.cursor, after.phase, after.identity, after.page_size) == ("c7", "streaming", "e1", 50)
    assert (after.sequence, after.epoch, after.fingerprint) == (41, 3, "before")


def test_an_import_under_another_configuration_is_refused() -> None:
    """A cursor of another space, environment or filter stands for something else."""
    edit = takeover.imported(takeover.exported(STREAMING), "cp.json")
    with pytest.raises(ConfigError, match=r"cp\.json: was exported under another configuration"):
        edit(STREAMING, "now")


@pytest.mark.parametrize("amid", [{"phase": "snapshot", "page": 3}, {"walk_open": True}, {"phase": "reconciling"}])
def test_an_import_from_amid_a_walk_is_refused(amid: dict[str, object]) -> None:
    """Such a cursor stands for less than all: what lies before it would be missed."""
    with pytest.raises(ConfigError, match="was exported in the phase"):
        takeover.imported(takeover.exported(replace(STREAMING, **amid)), "cp.json")


@pytest.mark.parametrize("text", ["", "[]", '{"stream": 1}', "\ufeff{}"])
def test_an_import_of_anything_else_is_refused(text: str) -> None:
    """The message names the file and the command that writes one."""
    with pytest.raises(ConfigError, match=r"cp\.json: not an exported checkpoint") as caught:
        takeover.imported(text, "cp.json")
    assert "contentwire checkpoints export" in caught.value.hint
