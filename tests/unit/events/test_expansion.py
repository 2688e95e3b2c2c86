"""One item that stands for several keys: an entity delivered without its locale, and later with it."""

import pytest

from tests.memory import Stream
from tests.published import events, ops
from tests.values import published, removed


def test_an_item_with_a_locale_replaces_the_one_without() -> None:
    """Both are the same content: consumers must not keep it twice."""
    stream = Stream()
    stream.publish(published("e1", 1))
    records = stream.publish(published("e1", 2, locale="de"))
    assert ops(records) == [("d", "e1"), ("tombstone", "e1"), ("c", "e1/de")]
    removal, _ = events(records)
    assert (removal["origin"], removal["change_type"], removal["before"]["locale"]) == ("expanded", "deleted", "*")


@pytest.mark.parametrize("change_type", ["unpublished", "deleted"])
def test_a_removal_with_a_locale_removes_what_came_without(change_type: str) -> None:
    """Both have the same kind of removal."""
    stream = Stream()
    stream.publish(published("e1", 1))
    records = stream.publish(removed("e1", 2, locale="de", change_type=change_type))
    assert ops(records) == [("d", "e1"), ("tombstone", "e1"), ("d", "e1/de"), ("tombstone", "e1/de")]
    assert [event["change_type"] for event in events(records)] == [change_type, change_type]


def test_what_replaced_it_is_replaced_once() -> None:
    """Further locales, and the walk read again, remove nothing more."""
    stream = Stream()
    stream.publish(published("e1", 1))
    stream.publish(published("e1", 2, locale="de"))
    assert ops(stream.publish(published("e1", 2, locale="de"), published("e1", 2, locale="fr"))) == [("c", "e1/fr")]


def test_an_older_item_with_a_locale_replaces_nothing() -> None:
    """The staleness rule applies to expansions too."""
    stream = Stream()
    stream.publish(published("e1", 5))
    assert ("d", "e1") not in ops(stream.publish(published("e1", 1, locale="de")))
