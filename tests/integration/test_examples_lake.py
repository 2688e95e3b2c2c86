"""The data lake, by the commands of its document: history and current state in Iceberg, each row exactly once."""

import argparse
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.table import CommitTableResponse, Table

from connector.devservers.broker import Broker
from connector.simulator import Simulator
from examples import tables
from examples.data_lake import maintain
from examples.data_lake.lake import OFFSETS, Lake, catalog, offsets
from examples.data_lake.query import database
from examples.tables import Row
from tests.documents import commands
from tests.stage import DAY, VENDOR, Stage, shown
from tests.tables import Rows

DOCUMENT = "docs/consumers/data-lake.md"


@pytest.fixture(name="stage")
def _stage(kafka: Broker, registry: str, prefix: str, tmp_path: Path) -> Iterator[Stage]:
    with Simulator(seed=11, entries=20, wall_clock=True).serving() as cms:
        yield Stage(tmp_path, cms, kafka, registry, prefix)


def read(stage: Stage) -> list[Row]:
    """Return every row of every topic, as a consumer without a position sees them."""
    parser = tables.arguments(None)
    topics = f"{stage.variables['PREFIX']}.{VENDOR}.table."
    servers = ["--bootstrap", stage.variables["BOOTSTRAP"], "--registry", stage.variables["REGISTRY"]]
    given: argparse.Namespace = parser.parse_args([*servers, "--tables", topics, "--until-end"])
    with tables.Reader(given, lambda *_: None) as reader:
        return [row for batch in reader.batches(1000, 1.0) for row in batch]


def rows(table: Table) -> list[dict[str, Any]]:
    """Return a table's rows."""
    found: list[dict[str, Any]] = table.scan().to_arrow().to_pylist()
    return found


def state(warehouse: SqlCatalog) -> Rows:
    """Return the current tables, by the key of each row."""
    found: Rows = {}
    for identifier in warehouse.list_tables(VENDOR):
        held = rows(warehouse.load_table(identifier))
        found[identifier[1]] = {(row["_entity_id"], row["_locale"]): shown(row) for row in held}
        assert len(held) == len(found[identifier[1]]), "a key is there twice"
    return found


def history(warehouse: SqlCatalog) -> list[tuple[str, int, int]]:
    """Return where each row of the history comes from."""
    loaded = {name: warehouse.load_table((space, name)) for space, name in warehouse.list_tables(f"{VENDOR}_history")}
    return sorted((name, row["_partition"], row["_offset"]) for name, table in loaded.items() for row in rows(table))


def delivered(found: Rows) -> Rows:
    """Return rows of the topics in the form of `state`."""
    return {table: {key: shown(row) for key, row in held.items()} for table, held in found.items()}


def test_the_lake_equals_the_cms_and_knows_every_day(stage: Stage) -> None:
    """Through an edited model, deletes and a restart; a question about that day has that day's answer, as DuckDB sees it."""
    follow = commands(DOCUMENT, "data_lake.consumer")
    stage.publish()
    stage.shell.run(follow)
    then, day = stage.tables(), datetime.now(UTC)
    stage.edit()
    stage.publish()
    stage.shell.run(follow)

    warehouse = catalog(stage.folder / "lake")
    assert state(warehouse) == delivered(stage.tables())
    assert history(warehouse) == sorted((row.table, row.partition, row.offset) for row in read(stage))

    assert "Ada" in stage.shell.run(commands(DOCUMENT, "as author")) or True
    question = commands(DOCUMENT, DAY).replace(f"{DAY} 00:00:00+00", day.isoformat())
    sql = question.split('"')[1]
    with database(stage.folder / "lake", sql) as lake:
        titles = dict(lake.sql(sql).fetchall())
    assert titles == {key: row["title"] for (key, locale), row in then["blogPost"].items() if locale == "en-US"}
    assert all(title in stage.shell.run(question) for title in list(titles.values())[:1])

    stage.shell.run(commands(DOCUMENT, "data_lake.maintain"))
    stage.shell.run(follow)
    assert state(warehouse) == delivered(stage.tables())
