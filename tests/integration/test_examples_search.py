"""Search, by the commands of its document: an index that holds what the CMS delivers, in each language."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connector.devservers.broker import Broker
from connector.simulator import Simulator
from examples.search.index import Writer, opened, positions, search
from examples.tables import Row
from tests.documents import commands
from tests.stage import Stage

DOCUMENT = "docs/consumers/search.md"


@pytest.fixture(name="stage")
def _stage(kafka: Broker, registry: str, prefix: str, tmp_path: Path) -> Iterator[Stage]:
    with Simulator(seed=11, entries=20).serving() as cms:
        yield Stage(tmp_path, cms, kafka, registry, prefix, more={"WORDS": "Haus"})


def test_the_index_follows_the_tables(stage: Stage) -> None:
    """In the asked language, by the stem of a word; an unpublished entry and a removed locale are no longer found."""
    follow, ask = commands(DOCUMENT, "search.consumer"), commands(DOCUMENT, "search.query")
    house = stage.cms.publish("category", fields={"label": {"en-US": "Houses", "de-DE": "Des Hauses Dach"}})
    other = stage.cms.publish("category", fields={"label": {"en-US": "Haus", "de-DE": "Wiese"}})
    stage.publish()
    stage.shell.run(follow)
    found = stage.shell.run(ask)
    assert f"category/{house}  Des Hauses Dach" in found
    assert other not in found

    stage.cms.edit(house, fields={"label": {"en-US": "Houses"}}, locales=["en-US"])
    stage.publish()
    stage.shell.run(follow)
    assert house not in stage.shell.run(ask)
    english = ask.replace("de-DE", "en-US").replace("$WORDS", "house")
    assert house in stage.shell.run(english)
    stage.cms.unpublish(house)
    stage.publish()
    stage.shell.run(follow)
    assert house not in stage.shell.run(english)


def row(offset: int, entity: str, text: str | None, locale: str = "en-US") -> Row:
    """Return a row of the table `post`; without a text it is a delete."""
    key = {"connection": "blog", "entity_type": "entry", "id": entity, "locale": locale}
    columns = {"body": "json", "tags": "strings", "_op": "string"}
    values = {"body": f'{{"content": [{{"value": "{text}"}}]}}', "tags": ["tagged"], "_op": "u"}
    moment = datetime.now(UTC)
    return Row("post", 0, offset, moment, key, columns if text else {}, values if text else None)


def test_rows_and_position_are_of_one_commit(tmp_path: Path) -> None:
    """What is searched and where to continue change together; the last version in a batch wins."""
    index = opened(tmp_path)
    writer = Writer(index)
    writer.write([row(0, "a", "running"), row(1, "b", "swimming")])
    writer.write([row(3, "a", "walking"), row(4, "b", "diving"), row(5, "b", None)])
    index.reload()
    assert positions(index) == {"post": {0: 6}}
    assert writer.position("post", 0) == 6
    assert [hit.id for hit in search(index, "walk", "en-US")] == ["a"]
    assert search(index, "run", "en-US") == []
    assert search(index, "dive swim", "en-US") == []
    assert [hit.id for hit in search(index, "tagged", "en-US")] == ["a"]


@pytest.mark.parametrize("text", ["", '"', "body:", "nothing:x", "AND", "(walk"])
def test_any_text_is_an_answer(tmp_path: Path, text: str) -> None:
    """What a visitor types is never an error."""
    index = opened(tmp_path)
    Writer(index).write([row(0, "a", "walking")])
    assert isinstance(search(index, text, "en-US"), list)


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    """Two writers of one index would delete each other's documents."""
    first = Writer(opened(tmp_path))
    with pytest.raises(ValueError, match="LockBusy"):
        Writer(opened(tmp_path))
    del first
