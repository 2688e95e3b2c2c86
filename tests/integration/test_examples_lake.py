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
from connector.simulator import Field, Simulator
from examples import tables
from examples.data_lake import maintain
from examples.data_lake.lake import OFFSETS, Lake, catalog, offsets
from examples.data_lake.query import database
from examples.tables import Row
from tests.documents import commands
from tests.stage import VENDOR, Stage, shown
from tests.tables import Rows

DOCUMENT = "docs/consumers/data-lake.md"


@pytest.fixture(name="stage")
def _stage(kafka: Broker, registry: str, prefix: str, tmp_path: Path) -> Iterator[Stage]:
    with Simulator(seed=11, entries=20, wall_clock=True).serving() as cms:
        yield Stage(tmp_path, cms, kafka, registry, prefix)


def given(stage: Stage, *more: str) -> argparse.Namespace:
    """Return the arguments of a consumer."""
    topics = f"{stage.variables['PREFIX']}.{VENDOR}.table."
    servers = ["--bootstrap", stage.variables["BOOTSTRAP"], "--registry", stage.variables["REGISTRY"]]
    return tables.arguments(None).parse_args([*servers, "--tables", topics, *more])


def read(stage: Stage, position: int | None = None) -> list[Row]:
    """Return every row of every topic from a position on, to the end."""
    with tables.Reader(given(stage, "--until-end"), lambda *_: position) as reader:
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
    """Through an edited model, deletes and a restart; a question about that day has that day's answer."""
    follow = commands(DOCUMENT, "data_lake.consumer")
    stage.publish()
    stage.shell.run(follow)
    then, day = stage.tables(), datetime.now(UTC)
    columns = catalog(stage.folder / "lake").load_table((VENDOR, "product")).schema().column_names
    stage.edit()
    stage.publish()
    stage.shell.run(follow)

    warehouse = catalog(stage.folder / "lake")
    assert state(warehouse) == delivered(stage.tables())
    assert set(columns) <= set(warehouse.load_table((VENDOR, "product")).schema().column_names), "a column is gone"
    assert history(warehouse) == sorted((row.table, row.partition, row.offset) for row in read(stage))

    assert "author" in stage.shell.run(commands(DOCUMENT, "as author"))
    question = commands(DOCUMENT, "$DAY").replace("$DAY", day.isoformat())
    sql = question.split('"')[1]
    with database(stage.folder / "lake", sql) as lake:
        titles = dict(lake.sql(sql).fetchall())
    assert titles == {key: row["title"] for (key, locale), row in then["blogPost"].items() if locale == "en-US"}
    assert max(titles.values()) in stage.shell.run(question)
    assert "contentful.author: " in stage.shell.run(commands(DOCUMENT, "data_lake.maintain"))


def test_a_table_that_appears_is_followed(stage: Stage) -> None:
    """A running consumer reads the table of a content type that is new."""
    stage.publish()
    with tables.Reader(given(stage), lambda *_: None, look=0.1) as reader:
        batches = reader.batches(1, 1.0)
        assert next(batches)
        stage.cms.add_content_type("note", [Field("title", "symbol")])
        stage.cms.publish("note", fields={"title": {"en-US": "new"}})
        stage.publish()
        assert any(row.table == "note" for batch in batches for row in batch)


def test_another_topic_of_the_same_name_is_an_error(stage: Stage) -> None:
    """A position beyond its end: to begin anew by itself would repeat rows in the lake, or skip some."""
    with pytest.raises(SystemExit, match="no topic begins with"):
        read(stage)
    stage.publish()
    with pytest.raises(SystemExit, match="created anew"):
        read(stage, 1_000_000)


COLUMNS = {"title": "string", "_entity_id": "string", "_locale": "string", "_sequence": "long", "_op": "string"}
WIDER = {**COLUMNS, "price": "double"}


def row(partition: int, offset: int, entity: str, *, price: float | None = None, deleted: bool = False) -> Row:
    """Return a row whose title says where it comes from."""
    key = {"connection": VENDOR, "entity_type": "entry", "id": entity, "locale": "en-US"}
    own = {"_entity_id": entity, "_locale": "en-US", "_sequence": offset, "_op": "u"}
    values = {"title": f"{partition}/{offset}", **own, **({} if price is None else {"price": price})}
    columns = {} if deleted else COLUMNS if price is None else WIDER
    return Row("post", partition, offset, datetime(2026, 1, 31, tzinfo=UTC), key, columns, None if deleted else values)


# Each key in one partition, with the gaps that transactions leave; a column more, an update and a delete in the second.
BATCHES = (
    [row(0, 0, "a"), row(1, 0, "b"), row(0, 1, "c")],
    [row(0, 3, "a", price=1.5), row(1, 2, "b", deleted=True), row(1, 4, "d"), row(0, 5, "a", price=2.5)],
)
TITLES = {"a": ("0/5", 2.5), "c": ("0/1", None), "d": ("1/4", None)}


def write(lake: Lake) -> None:
    """Write the batches from where the lake is, as the consumer would."""
    for batch in BATCHES:
        lake.write(each for each in batch if each.offset >= (lake.position("post", each.partition) or 0))


class Crash(Exception):
    """The process ends."""


class Crashing(SqlCatalog):
    """A catalog whose process ends at its commit number `at`, just before or just after it."""

    at = 0
    after = False

    def commit_table(self, *arguments: Any) -> CommitTableResponse:
        """Commit, unless it is time."""
        self.at -= 1
        if self.at == 0 and not self.after:
            raise Crash
        answer = super().commit_table(*arguments)
        if self.at == 0:
            raise Crash
        return answer


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(1, 5))
def test_after_a_crash_at_any_commit_nothing_is_lost_or_repeated(tmp_path: Path, at: int, *, after: bool) -> None:
    """History or current state, first batch or second, just before its commit or just after it."""
    crashing = Crashing("lake", **catalog(tmp_path).properties)
    crashing.at, crashing.after = at, after
    with pytest.raises(Crash):
        write(Lake(crashing, VENDOR))
    warehouse = catalog(tmp_path)
    write(Lake(warehouse, VENDOR))
    assert history(warehouse) == sorted(("post", each.partition, each.offset) for batch in BATCHES for each in batch)
    current = rows(warehouse.load_table((VENDOR, "post")))
    assert {each["_entity_id"]: (each["title"], each.get("price")) for each in current} == TITLES
    assert len(current) == len(TITLES)


class Slow(SqlCatalog):
    """A catalog whose process is so slow that another consumer writes before its first commit."""

    rival: Lake | None = None

    def commit_table(self, *arguments: Any) -> CommitTableResponse:
        """Commit, after the other one."""
        rival, self.rival = self.rival, None
        if rival:
            rival.write(MORE)
        return super().commit_table(*arguments)


MORE = [row(0, 7, "e")]


def test_the_second_of_two_consumers_fails(tmp_path: Path) -> None:
    """Its commit is not repeated on top of the first one's, so that no row is there twice."""
    write(Lake(catalog(tmp_path), VENDOR))
    slow = Slow("lake", **catalog(tmp_path).properties)
    slow.rival = Lake(catalog(tmp_path), VENDOR)
    with pytest.raises(CommitFailedException):
        Lake(slow, VENDOR).write(MORE)
    expected = sorted(("post", each.partition, each.offset) for batch in (*BATCHES, MORE) for each in batch)
    assert history(catalog(tmp_path)) == expected


def test_maintenance_keeps_rows_and_offsets(tmp_path: Path) -> None:
    """Files merged, snapshots expired, orphans gone: what remains is readable, and the consumer knows its place."""
    lake = Lake(catalog(tmp_path), VENDOR)
    write(lake)
    before = history(catalog(tmp_path))
    history_table = catalog(tmp_path).load_table((f"{VENDOR}_history", "post"))
    places = offsets(history_table)
    files = set(tmp_path.rglob("*.parquet"))
    maintain.main(["--warehouse", str(tmp_path), "--keep-days", "-1", "--files", "1"])
    table = catalog(tmp_path).load_table((f"{VENDOR}_history", "post"))
    assert len(table.inspect.data_files()) == len(table.snapshots()) == 1
    assert offsets(table) == places
    assert not files <= set(tmp_path.rglob("*.parquet"))
    assert history(catalog(tmp_path)) == before
    write(lake)
    assert history(catalog(tmp_path)) == before


def test_a_writer_without_offsets_does_not_hide_them(tmp_path: Path) -> None:
    """A snapshot of another program has the offsets of its ancestor; with no such ancestor it is an error, not zero."""
    write(Lake(catalog(tmp_path), VENDOR))
    table = catalog(tmp_path).load_table((VENDOR, "post"))
    places = offsets(table)
    table.overwrite(table.scan().to_arrow())
    assert OFFSETS not in json.dumps(table.refresh().metadata.snapshots[-1].summary.model_dump())  # type: ignore[union-attr]
    assert offsets(table) == places
    table.maintenance.expire_snapshots().older_than(datetime.now(UTC).replace(tzinfo=None) + timedelta(days=1)).commit()
    with pytest.raises(ValueError, match=r"no snapshot of .* has contentwire\.offsets"):
        offsets(table.refresh())
