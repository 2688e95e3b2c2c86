"""The subjects of a connection's topics, and the error without a registry."""

from pathlib import Path

import pytest

from connector.commands import schemas
from connector.commands.schemas import Wanted
from connector.errors import ConfigError
from tests.unit.configured import configured


def test_a_topic_has_a_subject_for_keys_and_one_for_values(tmp_path: Path) -> None:
    """Named as registry clients expect; dead letters have no key schema."""
    assert list(schemas.subjects(configured(tmp_path, kafka='prefix = "cw"'))) == [
        ("cw.blog.changes-key", "key"),
        ("cw.blog.changes-value", "envelope"),
        ("cw.blog.dead-letters-value", "dead_letter"),
    ]


def test_a_flat_stream_registers_the_flat_schema(tmp_path: Path) -> None:
    """The schema registered is the one its events are written with."""
    assert ("contentwire.blog.changes-value", "flat") in schemas.subjects(
        configured(tmp_path, blog='envelope = "flat"')
    )


def test_every_topic_of_a_template_has_its_subjects(tmp_path: Path) -> None:
    """Even before the first event of an entity type, and each once."""
    found = dict(schemas.subjects(configured(tmp_path, kafka='topic = "cms.{connection}.{entity_type}"')))
    topics = [f"cms.blog.{kind}" for kind in ("asset", "content_type", "entry", "locale")]
    ends = {"key": "key", "value": "envelope"}
    changes = {f"{topic}-{end}": name for topic in topics for end, name in ends.items()}
    assert found == {**changes, "contentwire.blog.dead-letters-value": "dead_letter"}


def test_without_a_registry_there_is_nothing_to_manage(tmp_path: Path) -> None:
    """Neither command asks Kafka first: the configuration decides, and the hint says how to add one."""
    stream = configured(tmp_path)
    for asked in (schemas.registry, schemas.examined, lambda each: schemas.missing(each, Wanted(()))):
        with pytest.raises(ConfigError, match="registry is not configured") as caught:
            asked(stream)
        assert "registry = { url" in caught.value.hint
