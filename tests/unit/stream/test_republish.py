"""A snapshot that publishes a part again: what is selected, and what is left alone."""

import pytest

from connector.commands import edits
from connector.events.policy import Policy
from connector.model.change import Change
from connector.model.checkpoint import Republish
from tests.memory import Stream
from tests.published import ops
from tests.values import published, removed

ITEMS = (published("e1"), published("e2"), published("p1", content_type="page"))


def again(republish: Republish, *items: Change, policy: Policy | None = None) -> list[tuple[str, str]]:
    """Publish `ITEMS`, request a new snapshot that delivers `items`, and return what it publishes."""
    stream = Stream(policy)
    stream.publish(*ITEMS)
    wanted = edits.snapshot(stream.checkpoint, "f", republish=republish, allow_deletes=False)
    stream.publisher.commit_checkpoint(wanted)
    return ops(stream.publish(*items))


@pytest.mark.parametrize(
    ("republish", "expected"),
    [
        (None, []),
        ("all", [("u", "e1"), ("u", "e2"), ("u", "p1")]),
        (edits.selected(("page",), ()), [("u", "p1")]),
        (edits.selected((), ("e2",)), [("u", "e2")]),
        (edits.selected(("page",), ("e2",)), [("u", "e2"), ("u", "p1")]),
        (edits.selected(("nothing",), ("nobody",)), []),
    ],
)
def test_what_is_selected_is_published_though_unchanged(republish: Republish, expected: list[tuple[str, str]]) -> None:
    """By content type or id, both together, all or nothing; never anything else that did not change."""
    assert again(republish, *ITEMS) == expected


def test_what_changed_is_published_whatever_was_selected() -> None:
    """A selection adds to what a new snapshot does by itself."""
    part = edits.selected((), ("e1",))
    assert again(part, published("e1"), published("e2", 2), published("e3")) == [("u", "e1"), ("u", "e2"), ("r", "e3")]


def test_a_repetition_within_the_walk_is_published_once() -> None:
    """Items that move between pages are selected once per epoch."""
    assert again(edits.selected((), ("e1",)), published("e1"), published("e1")) == [("u", "e1")]


def test_an_older_state_is_never_published_again() -> None:
    """A selection does not override the staleness rule."""
    assert again(edits.selected((), ("e1",)), published("e1", 0)) == []


def test_a_selection_survives_a_restart_and_ends_with_its_snapshot() -> None:
    """It is in the checkpoint until the reconciliation is done."""
    stream = Stream()
    stream.publish(*ITEMS)
    part = edits.selected((), ("e1", "e2"))
    stream.publisher.commit_checkpoint(edits.snapshot(stream.checkpoint, "f", republish=part, allow_deletes=False))
    assert ops(stream.publish(published("e1"), caught_up=False)) == [("u", "e1")]
    after = stream.restarted()
    assert ops(after.publish(published("e1"), published("e2"))) == [("u", "e2")]
    assert ops(after.publish(removed("p1", 5))) == [("d", "p1"), ("tombstone", "p1")]
