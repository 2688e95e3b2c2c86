"""Replayed dead letters: what is published, what stays, and that nothing newer is overwritten."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import SecretStr

from connector import vendors
from connector.commands import dead_letters
from connector.commands.dead_letters import Replayed
from connector.errors import ConnectorError
from connector.events.policy import Policy
from tests.memory import NOW_MS, Stream
from tests.published import latest, ops, seen
from tests.values import CONNECTION, amended, clock, published, removed

VENDOR = vendors.find("contentful")(
    CONNECTION, vendors.find("contentful").settings_type.model_validate({"token": SecretStr("t"), "space": "s"})
)


def item(entry: str, second: int | None, *, kind: str = "Entry", title: str = "t") -> bytes:
    """Return an item of a CMS, at a second of its clock."""
    moment = {} if second is None else {"updatedAt": clock(second), "deletedAt": clock(second)}
    sys = {"id": entry, "type": kind, "revision": second, **moment}
    return json.dumps({"sys": sys, **({"fields": {"title": title}} if kind == "Entry" else {})}).encode()


def letter(raw: bytes, **members: Any) -> dict[str, Any]:
    """Return the dead letter of an item, written just now in the first epoch."""
    facts = {"error": "MalformedItem", "reason": "r", "item_type": "Entry", "item_id": "e1"}
    return {"raw": raw, **facts, "epoch": 1, "ts_ms": NOW_MS, **members}


def replayed(stream: Stream, *letters: Mapping[str, Any]) -> Replayed:
    """Replay letters into a stream."""
    return dead_letters._publish([dict(each) for each in letters], VENDOR, "f", NOW_MS / 1000, stream.publisher)


def reasons(outcome: Replayed) -> list[str]:
    """Return why letters stay."""
    return [stays.why for stays in outcome.stays]


def test_a_letter_that_can_now_be_read_is_published_once() -> None:
    """As if it had just arrived, in sequence; replayed again, it repeats what the index holds."""
    stream = Stream()
    stream.publish(published("e9"))
    outcome = replayed(stream, letter(item("e1", 5)))
    assert outcome == Replayed(1, 1)
    assert ops(stream.store.records)[1:] == [("c", "e1")]
    assert (stream.checkpoint.progress.sequence, stream.checkpoint.position.cursor) == (2, "next")
    assert replayed(stream, letter(item("e1", 5))) == Replayed(1, 0)
    assert replayed(stream.restarted(), letter(item("e1", 5))) == Replayed(1, 0)


def test_an_older_letter_never_overwrites_what_is_newer() -> None:
    """Neither a newer state nor a removal, whatever the order of the letters."""
    stream = Stream()
    stream.publish(published("e1", 9), removed("e2", 9))
    stale = [letter(item("e1", 5)), letter(item("e2", 5))]
    assert replayed(stream, *stale, letter(item("e3", 7)), letter(item("e3", 6, title="old"))) == Replayed(4, 1)
    assert {key.id: event["source"]["revision"] for key, event in latest(seen(stream.store.records)).items()} == {
        "e1": 9,
        "e3": 7,
    }


def test_a_removal_is_replayed_too() -> None:
    """An item that removes what is live gives a delete and its tombstone, once."""
    stream = Stream()
    stream.publish(published("e1", 1))
    gone = letter(item("e1", 5, kind="DeletedEntry"))
    assert replayed(stream, gone, gone) == Replayed(2, 1)
    assert ops(stream.store.records)[1:] == [("d", "e1"), ("tombstone", "e1")]


def test_what_is_still_unreadable_stays_and_says_why() -> None:
    """It gives no second letter, and nothing is published."""
    stream = Stream()
    stream.publish(published("e9"))
    outcome = replayed(stream, letter(b'{"sys":{"id":"x","type":"Gadget"}}'), letter(b"{"))
    assert (outcome.letters, outcome.published, len(outcome.stays)) == (2, 0, 2)
    assert "type is unknown" in reasons(outcome)[0]
    assert len(stream.store.records) == 1


def test_what_is_still_too_large_stays_and_delays_nothing() -> None:
    """The others are published, and no second letter is written."""
    stream = Stream(Policy(oversized="stop", max_message_bytes=3000))
    stream.publish(published("e9"))
    large = letter(item("big", 5, title="x" * 5000))
    outcome = replayed(stream, letter(item("e1", 5)), large, letter(item("e2", 5)), letter(item("e3", 5)))
    assert (outcome.published, [stays.letter["raw"] for stays in outcome.stays]) == (3, [large["raw"]])
    assert "exceeds max.message.bytes" in reasons(outcome)[0]
    assert {id_ for _, id_ in ops(stream.store.records)} == {"e9", "e1", "e2", "e3"}


@pytest.mark.parametrize(
    ("doubtful", "why"),
    [
        (letter(item("new", 5), epoch=0), "a later snapshot"),
        (letter(item("new", 5), ts_ms=NOW_MS - 8 * 86_400_000), "its key may have been removed and forgotten"),
        (letter(item("e1", None)), "has no clock"),
    ],
)
def test_a_letter_that_cannot_be_compared_stays(doubtful: dict[str, Any], why: str) -> None:
    """From another epoch, older than the index remembers removals, or without a clock to compare."""
    stream = Stream()
    stream.publish(published("e1", 1))
    outcome = replayed(stream, doubtful)
    assert (outcome.published, len(outcome.stays)) == (0, 1)
    assert why in reasons(outcome)[0]


def test_an_item_without_a_clock_is_published_if_nothing_is_known() -> None:
    """And only once."""
    stream = Stream()
    stream.publish(published("e9"))
    assert replayed(stream, letter(item("new", None))) == Replayed(1, 1)
    assert replayed(stream, letter(item("new", None))) == Replayed(1, 0)


@pytest.mark.parametrize("changes", [{"phase": "snapshot"}, {"phase": "reconciling"}, {"fingerprint": "other"}])
def test_during_a_snapshot_nothing_is_replayed(changes: dict[str, Any]) -> None:
    """Marking a key as seen could hide that it vanished, and a snapshot reads every item again anyway."""
    stream = Stream()
    stream.publisher.commit_checkpoint(amended(stream.checkpoint, **changes))
    with pytest.raises(ConnectorError, match="a snapshot is running or due"):
        replayed(stream, letter(item("e1", 5)))


def test_an_open_walk_stays_open() -> None:
    """A replay between two transactions of a walk moves neither its cursor nor its end."""
    stream = Stream()
    stream.publish(published("e9"))
    stream.publisher.commit_checkpoint(amended(stream.checkpoint, walk_open=True))
    replayed(stream, letter(item("e1", 5)))
    assert (stream.checkpoint.position.walk_open, stream.checkpoint.position.cursor) == (True, "next")
