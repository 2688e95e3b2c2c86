"""The template of the changes topics: what it may contain, and that no two connections share a topic."""

import pytest

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
