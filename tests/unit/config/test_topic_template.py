"""The template of the changes topics: what it may contain, and that no two connections share a topic."""

import pytest

from connector.config.topic_template import checked, collisions
from tests.unit.config.acme import BLOG, KAFKA, Problems


@pytest.mark.parametrize(
    ("topic", "problem"),
    [
        ("cms.changes", "must contain {connection} between dots"),
        ("{prefix}-{connection}-{locale}", "must contain {connection} between dots"),
        ("{prefix}.{connection}.{content_type}", "{content_type} cannot route"),
        ("{prefix}.{connection}.{}", "{} cannot route"),
        ("{prefix}.{connection!r}", "{connectionr} cannot route"),
        ("{prefix}.{connection.name}", "{connection.name} cannot route"),
        ("{prefix}.{connection", "is not a template"),
        ("{prefix}.{connection}.a b", "must consist of the characters"),
        ("{prefix}.{connection}.state", "which contentwire reserves for itself"),
        ("{prefix}.{connection}.dead-letters", "which contentwire reserves for itself"),
        ("{prefix}.{connection}." + "x" * 240, "longer than 249 characters"),
    ],
)
def test_a_topic_template_that_would_mix_streams_is_refused(problems: Problems, topic: str, problem: str) -> None:
    """No template may route by what a delete does not know, or lead two kinds of records into one topic."""
    (line,) = problems(f'{KAFKA}topic = "{topic}"\n{BLOG}')
    assert line.startswith("kafka.topic: ")
    assert problem in line


def test_a_connection_called_like_a_topic_ending_is_caught(problems: Problems) -> None:
    """A template may be harmless for one name and lead into the state topic for another."""
    text = KAFKA + 'topic = "{prefix}.state.{connection}"\n' + BLOG.replace("blog", "state")
    assert ["reserves for itself" in line for line in problems(text)] == [True]


@pytest.mark.parametrize(
    "topic",
    [
        "{prefix}.{connection}.changes",
        "{connection}",
        "cms-{prefix}.{connection}.{entity_type}_{locale}",
        "{connection}.{connection}",
    ],
)
def test_a_template_that_tells_connections_apart_is_returned_as_it_is(topic: str) -> None:
    """With or without the other parts, which all depend only on the key."""
    assert checked(topic) == topic


def test_names_that_give_separate_topics_do_not_collide() -> None:
    """Neither with each other nor with contentwire's other topics."""
    assert list(collisions("{prefix}.{connection}.changes", "cw", ("blog", "shop"))) == []


def test_a_topic_that_all_processes_share_is_reserved_too() -> None:
    """Webhook calls are handed on by it; the message names the connection and the topic."""
    assert list(collisions("cw.{connection}", "cw", ("wake-ups",))) == [
        "the changes topic of wake-ups would be cw.wake-ups, which contentwire reserves for itself"
    ]


@pytest.mark.parametrize(("end", "long"), [("x" * 232, True), ("x" * 231, False)])
def test_the_longest_name_of_an_entity_type_counts(end: str, *, long: bool) -> None:
    """A topic must be legal for every key: 249 characters at most, of which `blog.content_type.` takes 18."""
    topic = f"{{connection}}.{{entity_type}}.{end}"
    assert bool(list(collisions(topic, "cw", ("blog",)))) is long
