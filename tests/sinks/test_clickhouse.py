"""ClickHouse, as `chdb` has it: the whole engine in a process, but no threads that would follow a Kafka topic."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connector.devservers.broker import Broker
from connector.simulator import Simulator
from tests.consumer import consume
from tests.debian import lacks
from tests.documents import commands
from tests.sinks.recipe import block, unequal
from tests.stage import VENDOR, Stage
from tests.tables import Rows, differences

pytestmark = pytest.mark.sinks

_HEADING = "ClickHouse"


@pytest.fixture(name="stage")
def _stage(kafka: Broker, registry: str, prefix: str, tmp_path: Path) -> Iterator[Stage]:
    try:
        import chdb  # noqa: F401, PLC0415  # the group `sinks` alone has it
    except ImportError:
        lacks("no chdb: run these tests with `make sinks`")
    with Simulator(seed=11, entries=60, content_types=20).serving() as cms:
        stage = Stage(tmp_path, cms, kafka, registry, prefix, settings='envelope = "flat"')
        stage.publish()
        stage.edit()
        stage.publish()
        yield stage


def answers(stage: Stage, script: str) -> list[dict[str, Any]]:
    """Return the rows that the last statement of a script gives, in an empty database."""
    path = stage.folder / "script.sql"
    path.write_text(script, encoding="utf-8")
    printed = stage.shell.run('python -m chdb "$(cat script.sql)" JSONEachRow')
    return [json.loads(line) for line in printed.splitlines() if line]


def test_typed_tables_are_read_from_the_lake(stage: Stage) -> None:
    """Twenty content types in three locales, no column by hand; a deleted row is not there, a new column is."""
    stage.shell.run(commands("docs/consumers/data-lake.md", "data_lake.consumer"))
    held: Rows = {}
    for table in stage.tables():
        found = answers(stage, block(_HEADING, "icebergLocal", {"blog/blogPost": f"{VENDOR}/{table}"}))
        held[table] = {(row["_entity_id"], row["_locale"]): row for row in found}
        assert len(found) == len(held[table]), f"{table} has a key twice"
    assert differences(stage.cms, VENDOR, held) == []
    assert any("nickname" in row for row in held["author"].values())


def test_the_changes_topic_gives_the_current_state(stage: Stage) -> None:
    """By the recipe's columns, registry and tables; what the Kafka engine would hand on is inserted from a file."""
    topic = f"{stage.variables['PREFIX']}.{VENDOR}.changes"
    records = consume(stage.broker.client, topic)
    (stage.folder / "values").write_bytes(b"".join(record.value for record in records if record.value))
    addresses = {"http://registry:8081": stage.variables["REGISTRY"], "contentwire.blog.changes": topic}
    recipe = block(_HEADING, "ENGINE = Kafka", addresses)
    (columns,) = re.findall(r"CREATE TABLE blog_queue \((.*?)\) ENGINE = Kafka", recipe, re.DOTALL)
    (setting,) = re.findall(r"format_avro_schema_registry_url = '[^']+'", recipe)
    tables = re.sub(r"ENGINE = Kafka SETTINGS[^;]*;", "ENGINE = Null;", recipe)
    inserted = f"INSERT INTO blog_queue SELECT * FROM file('values', AvroConfluent, '{columns}') SETTINGS {setting};"
    asked = "SELECT entity_type, id, content_type, fields FROM blog FINAL"
    rows = answers(stage, f"{tables}\n{inserted}\n{asked}")
    assert unequal(rows, stage.cms.truth(VENDOR)) == []
