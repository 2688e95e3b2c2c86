"""The change log as a front end sees it: the latest state of each key, at positions that only grow."""

import msgspec

from connector.simulator.feed import Entry, Feed
from connector.simulator.store import Store

VERSION = next(iter(Store(1, 1).versions.values()))


def fed(*names: str) -> Feed:
    """Return a feed of these keys in this order; a capital letter is its key's removal."""
    feed = Feed()
    for name in names:
        feed.put(Entry((name.lower(),), name, VERSION, 0, live=name.islower()))
    return feed


def newest(feed: Feed, since: int, before: int, removals: int = 0) -> str:
    """Return the entries between two positions, the newest first."""
    return "".join(entry.label for entry in feed.newest_first(since, before, removals=removals))


def test_a_key_is_there_once() -> None:
    """At the position of its last change, in either direction."""
    feed = fed("a", "b", "a", "C")
    assert newest(feed, 0, 4) == "Cab"
    assert "".join(entry.label for entry in feed.oldest_first()) == "baC"
    assert [entry.position for entry in feed.oldest_first()] == [1, 2, 3]


def test_positions_are_never_given_twice() -> None:
    """A cursor keeps its place, whatever vanishes."""
    feed = fed("a", "b")
    feed.drop(("b",))
    feed.drop(("nobody",))
    assert (len(feed), feed.latest(("b",)), newest(feed, 0, 2)) == (2, None, "a")
    feed.put(Entry(("c",), "c", VERSION, 0))
    assert len(feed) == 3
    found = feed.latest(("c",))
    assert found
    assert msgspec.structs.asdict(found)["position"] == 2


def test_a_span_begins_with_its_start_and_ends_before_its_end() -> None:
    """Beyond the end of the feed there is nothing."""
    feed = fed("a", "b", "c", "d")
    assert newest(feed, 1, 3) == "cb"
    assert newest(feed, 3, 99) == "d"
    assert newest(feed, 2, 2) == ""
    assert "".join(entry.label for entry in feed.oldest_first(2)) == "cd"


def test_past_removals_can_be_asked_for() -> None:
    """Even of keys that are live again, before a position; past publications are gone for good."""
    feed = fed("a", "A", "a", "B", "b")
    assert newest(feed, 0, 5) == "ba"
    assert newest(feed, 0, 5, removals=5) == "bBaA"
    assert newest(feed, 0, 5, removals=3) == "baA"
