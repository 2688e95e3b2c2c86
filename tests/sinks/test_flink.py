"""Flink SQL: typed tables are tables as the registry knows them, and the changes topic counts right by the recipe."""

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from connector.devservers.broker import Broker
from connector.simulator import Simulator
from tests import java
from tests.documents import commands
from tests.sinks.recipe import block
from tests.stage import VENDOR, Stage
from tests.tables import Rows, differences

pytestmark = pytest.mark.sinks

_HEADING = "Flink SQL"
_TO_THE_END = "/*+ OPTIONS('scan.bounded.mode'='latest-offset') */"
_QUESTION = f"""
SELECT COUNT(*) AS entries, SUM(revision) AS revisions, COUNT(fields) AS contents,
  COUNT(JSON_VALUE(fields, '$.title[''en-US'']')) AS titles, COUNT(JSON_VALUE(fields, '$.title."en-US"')) AS misspelled
FROM blog {_TO_THE_END} WHERE entity_type = 'entry';
"""

Answer = list[dict[str, Any]]


@pytest.fixture(scope="module", name="stage")
def _stage(kafka: Broker, registry: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("flink")
    with Simulator(seed=11, entries=60, content_types=20).serving() as cms:
        stage = Stage(folder, cms, kafka, registry, f"t{uuid.uuid4().hex[:10]}")
        stage.publish()
        stage.edit()
        stage.publish()
        cms.churn(40)
        stage.publish()
        yield stage


def asked(stage: Stage, script: str) -> list[Answer]:
    """Return what remains of each query's rows, once all of its changes have happened."""
    path = stage.folder / "script.sql"
    path.write_text(script, encoding="utf-8")
    answers: list[Answer] = [[]]
    for line in java.run("flink.bsh", str(path), bundle="flink-2.2.0"):
        kind, _, row = line.partition(" ")
        if kind == "end":
            answers.append([])
        elif kind in ("+I", "+U"):
            answers[-1].append(json.loads(row))
        elif kind in ("-U", "-D"):
            answers[-1].remove(json.loads(row))
    return answers[:-1]


def test_typed_tables_are_upsert_tables(stage: Stage) -> None:
    """Twenty content types in three locales, no column by hand; a delete deletes, a new column and table appear."""
    stage.shell.run(commands("docs/consumers/sinks.md", "examples.flink"))
    created = (stage.folder / "tables.sql").read_text(encoding="utf-8")
    tables = list(stage.tables())
    questions = "".join(f"SELECT * FROM `{table}` {_TO_THE_END};\n" for table in tables)
    held: Rows = {}
    for table, rows in zip(tables, asked(stage, created + questions), strict=True):
        held[table] = {(row["id"], row["locale"]): row for row in rows}
        assert len(rows) == len(held[table]), f"{table} has a key twice"
    assert differences(stage.cms, VENDOR, held) == []
    assert any(row["nickname"] for row in held["author"].values())


def test_the_changes_topic_counts_right_by_the_recipe_alone(stage: Stage) -> None:
    """What is counted and added is what the CMS delivers; without the `SET` more is counted than there is."""
    addresses = {
        "contentwire.blog.changes": f"{stage.variables['PREFIX']}.{VENDOR}.changes",
        "kafka:9092": stage.broker.bootstrap,
        "http://registry:8081": stage.variables["REGISTRY"],
    }
    recipe = block(_HEADING, "CREATE TABLE blog", addresses)
    (setting,) = [line for line in recipe.splitlines() if line.startswith("SET")]
    entries = [each for each in stage.cms.truth(VENDOR) if each.entity_type == "entry"]
    titles = [json.loads(each.fields or b"{}").get("title", {}) for each in entries]
    right = {
        "entries": len(entries),
        "revisions": sum(each.revision or 0 for each in entries),
        "contents": len(entries),
        "titles": sum("en-US" in title for title in titles),
        "misspelled": 0,
    }
    assert asked(stage, recipe + _QUESTION) == [[right]]
    ((wrong,),) = asked(stage, recipe.replace(setting, "") + _QUESTION)
    assert wrong["contents"] > right["contents"]
    assert wrong["titles"] > right["titles"]
