"""Which topics are opened: those that events are published to, and no others."""

import pytest

from connector.errors import MalformedItem
from connector.events.policy import Policy
from connector.events.record import Record, Route
from connector.model.change import Change, DeadLetter, EntityKey
from connector.testing import MemoryStore
from tests.memory import Stream
from tests.published import letters, ops
from tests.values import published, removed, removed_everywhere, removed_type

ASSET = EntityKey("blog", "asset", "a1", "*")


class Localized(MemoryStore):
    """A store with a topic for each entity type and locale; `opened` are those that were asked for."""

    def __init__(self) -> None:
        super().__init__(connection="blog")
        self.opened: list[str] = []
        self.letters_opened = 0

    def route(self, key: EntityKey) -> Route:
        """Return the topic of a key's entity type and locale; there is none for a locale with a space."""
        if " " in key.locale:
            raise MalformedItem("no topic")
        topic = f"{key.entity_type}.{key.locale}"
        self.opened.append(topic)
        route = super().route(key)
        return Route(topic, route.key, route.value, route.found)

    def letters_route(self) -> Route:
        """Count, and return the dead-letters topic."""
        self.letters_opened += 1
        return super().letters_route()


def publishing(*changes: Change | DeadLetter, policy: Policy | None = None) -> tuple[Localized, list[Record]]:
    """Publish one page to topics of each locale; return the store and the records."""
    store = Localized()
    return store, Stream(policy, store=store).publish(*changes)


def test_each_topic_is_asked_for_once_per_page() -> None:
    """However many of its keys the page holds."""
    store, records = publishing(
        published("e1", locale="de"), published("e2", locale="fr"), published("e3", locale="de")
    )
    assert store.opened == ["entry.de", "entry.fr"]
    assert [record.topic for record in records] == ["entry.de", "entry.fr", "entry.de"]


@pytest.mark.parametrize(
    ("policy", "change"),
    [
        (Policy(entity_types=frozenset({"entry"})), published("a1", key=ASSET)),
        (Policy(content_types=frozenset({"page"})), published("e1", locale="de")),
        (Policy(unseen_deletes="suppress"), removed("e1", locale="de")),
        (Policy(unseen_deletes="suppress"), removed_everywhere()),
    ],
)
def test_no_topic_is_created_for_what_is_left_out(policy: Policy, change: Change) -> None:
    """A connection that publishes no assets has no topic for them, whatever its space holds."""
    store, records = publishing(change, policy=policy)
    assert (store.opened, records) == ([], [])


def test_a_removal_opens_the_topics_of_what_it_removes() -> None:
    """The removal's own key stands for nothing then, and needs no topic."""
    store, _ = publishing(published("e1", locale="de"), published("e1", locale="fr"))
    store.opened.clear()
    records = Stream(store=store).publish(removed_everywhere("e1", 2))
    assert store.opened == ["entry.de", "entry.fr"]
    assert [key for op, key in ops(records) if op == "d"] == ["e1/de", "e1/fr"]


def test_a_removal_reaches_what_its_own_page_has_published() -> None:
    """The page opens the topics of both."""
    _, records = publishing(published("e1", locale="de"), removed_everywhere("e1", 2))
    assert ops(records) == [("c", "e1/de"), ("d", "e1/de"), ("tombstone", "e1/de")]


def test_a_removed_type_opens_its_own_topic_and_those_of_its_entries() -> None:
    """All of these are written to, but not the topic of an entry of another type."""
    store, _ = publishing(published("e1", locale="de"), published("e2", locale="fr", content_type="page"))
    store.opened.clear()
    Stream(store=store).publish(removed_type("post", 2))
    assert sorted(store.opened) == ["content_type.*", "entry.de"]


def test_what_came_without_its_locale_is_removed_from_its_own_topic() -> None:
    """The item that names a locale replaces it, in another topic."""
    store, _ = publishing(published("e1"))
    store.opened.clear()
    records = Stream(store=store).publish(published("e1", 2, locale="de"))
    assert sorted(store.opened) == ["entry.*", "entry.de"]
    assert [(record.topic, record.value is None) for record in records] == [
        ("entry.*", False), ("entry.*", True), ("entry.de", False),
    ]  # fmt: skip


def test_a_key_without_a_topic_is_a_dead_letter() -> None:
    """It affects no other item, and leaves nothing in the index."""
    store, records = publishing(published("e1", locale="d e"), published("e2", locale="de"))
    assert ops(records) == [("c", "e2/de")]
    assert [(letter["error"], letter["reason"]) for letter in letters(records)] == [("MalformedItem", "no topic")]
    assert store.letters_opened == 1


def test_the_dead_letters_topic_comes_with_the_first() -> None:
    """A stream that never had a dead letter has no topic for them."""
    store, _ = publishing(published("e1"))
    assert store.letters_opened == 0
    Stream(store=store).publish(DeadLetter(b"{}", "odd"))
    assert store.letters_opened == 1


def test_no_topic_is_created_for_what_turns_out_to_be_stale() -> None:
    """A removal that is left out is still known, and nothing older than it is published."""
    store, records = publishing(
        removed("e1", 10, locale="de"), published("e1", 5, locale="de"), policy=Policy(unseen_deletes="suppress")
    )
    assert (store.opened, records) == ([], [])


def test_a_type_known_only_from_an_earlier_item_of_the_page_counts() -> None:
    """The item's topic is opened, though by itself it would pass no filter."""
    page = removed("e1", 1, content_type="post"), published("e1", 2, content_type=None)
    policy = Policy(content_types=frozenset({"post"}), unseen_deletes="suppress")
    store, records = publishing(*page, policy=policy)
    assert (store.opened, ops(records)) == (["entry.*"], [("c", "e1")])
