"""Debezium's JDBC sink in Kafka Connect: the rows of PostgreSQL are what the CMS delivers."""

import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.string import TextLoader

from connector.devservers.broker import Broker
from connector.simulator import Simulator
from tests import java, postgres
from tests.sinks.connect import CONVERTER, Worker
from tests.sinks.recipe import properties, unequal
from tests.stage import VENDOR, Stage
from tests.tables import Rows, differences

pytestmark = pytest.mark.sinks

_BUNDLE = "debezium-jdbc-3.6.0"
_TREE = "0660142b1d76a1efe6f254de7cce3cb2b3d9d848f0a15f7b1b751f7201a589c5"
_HEADING = "Debezium JDBC sink"
_TYPES = {
    "title": "text",
    "readingMinutes": "bigint",
    "featured": "boolean",
    "publishedOn": "timestamp without time zone",
    "publishedOn__text": "text",
    "author": "text",
    "keywords": "ARRAY",
    "seo": "json",
    "_updated_at": "timestamp without time zone",
    "_sequence": "bigint",
}


class Arrived:
    """A simulated space whose tables and changes flow into PostgreSQL, one database for each recipe."""

    def __init__(self, stage: Stage, worker: Worker, databases: dict[str, str]) -> None:
        self.stage = stage
        self.worker = worker
        self.databases = databases
        self.topics = f"{stage.variables['PREFIX']}_{VENDOR}_"

    def equal(self, differing: Callable[[], list[str]], within: float = 90.0) -> None:
        """Wait until nothing differs; fail with what still does."""
        deadline = time.monotonic() + within
        while differing():
            if time.monotonic() > deadline or self.worker.failed:
                raise AssertionError("\n".join([*differing()[:20], self.worker.log()]))
            time.sleep(0.2)

    def rows(self, recipe: str, table: str) -> list[dict[str, Any]]:
        """Return the rows of a table."""
        with psycopg.connect(self.databases[recipe], row_factory=dict_row) as connection:
            connection.adapters.register_loader("json", TextLoader)
            return connection.execute(sql.SQL("select * from {}").format(sql.Identifier(table))).fetchall()

    def tables(self, recipe: str) -> list[str]:
        """Return the names of a database's tables."""
        with psycopg.connect(self.databases[recipe]) as connection:
            found = connection.execute("select table_name from information_schema.tables where table_schema = 'public'")
            return sorted(name for (name,) in found)

    def columns(self, recipe: str, table: str) -> dict[str, str]:
        """Return a table's columns, with their types."""
        with psycopg.connect(self.databases[recipe]) as connection:
            asked = "select column_name, data_type from information_schema.columns where table_name = %s"
            return dict(connection.execute(asked, [table]).fetchall())

    def typed(self) -> list[str]:
        """Return in what the rows of typed tables differ from what the CMS delivers."""
        start = f"{self.topics}table_"
        held: Rows = {}
        for table in self.tables("typed"):
            found = self.rows("typed", table)
            held[table.removeprefix(start)] = {(row["_entity_id"], row["_locale"]): row for row in found}
        return differences(self.stage.cms, VENDOR, held)


@pytest.fixture(scope="module", name="arrived")
def _arrived(tmp_path_factory: pytest.TempPathFactory, kafka: Broker, registry: str) -> Iterator[Arrived]:
    folder = tmp_path_factory.mktemp("debezium")
    plugins = {"jdbc": java.unpacked(_BUNDLE, _TREE), "converter": java.fetched(CONVERTER)[0].parent}
    prefix = f"t{uuid.uuid4().hex[:10]}"
    with (
        Simulator(seed=11, entries=60, content_types=20).serving() as cms,
        postgres.server(tcp=True) as server,
    ):
        stage = Stage(folder, cms, kafka, registry, prefix)
        stage.publish()
        databases = {recipe: postgres.database(server) for recipe in ("typed", "changes", "by_type")}
        connectors = {
            recipe: _connector(folder, prefix, registry, database, recipe) for recipe, database in databases.items()
        }
        with Worker(folder, kafka.bootstrap, connectors, plugins) as worker:
            arrived = Arrived(stage, worker, databases)
            arrived.equal(arrived.typed)
            stage.edit()
            stage.publish()
            yield arrived


def _connector(folder: Path, prefix: str, registry: str, database: str, recipe: str) -> dict[str, str]:
    """Return the settings of a recipe, for a database."""
    secret = folder / "secret.properties"
    secret.write_text("password=none\n")
    parts = dict(part.split("=") for part in database.split())
    addresses = {
        "http://registry:8080": registry.removesuffix("/apis/ccompat/v7"),
        "postgres:5432/cms": f"{parts['host']}:{parts['port']}/{parts['dbname']}",
        "/run/secrets/connect.properties": str(secret),
        "contentwire[.]blog": f"{prefix}[.]{VENDOR}",
        "contentwire.blog": f"{prefix}.{VENDOR}",
    }
    common = properties("Kafka Connect", "io.apicurio", addresses)
    common |= properties("Kafka Connect", "consumer.override", addresses)
    typed = properties(_HEADING, "topics.regex", addresses)
    if recipe == "typed":
        return {**common, **typed}
    del typed["topics.regex"]
    changes = {"changes": "cms_changes", "by_type": "cms_${source.table}"}[recipe]
    return {**common, **typed, **properties(_HEADING, changes, addresses)}


def test_typed_tables_are_tables_of_the_database(arrived: Arrived) -> None:
    """Twenty content types in three locales, no column by hand; a delete deletes, a new column and table appear."""
    arrived.equal(arrived.typed)
    author = f"{arrived.topics}table_author"
    assert {"nickname", "bornOn__2"} <= arrived.columns("typed", author).keys()
    assert f"{arrived.topics}table_note" in arrived.tables("typed")


def test_columns_have_the_types_of_the_fields(arrived: Arrived) -> None:
    """Numbers, dates, lists and JSON are not text."""
    found = arrived.columns("typed", f"{arrived.topics}table_blogPost")
    assert {name: found[name] for name in _TYPES} == _TYPES


def test_the_changes_topic_is_one_table(arrived: Arrived) -> None:
    """A row for each live entity, with the content that the CMS delivers; a delete deletes."""
    arrived.equal(lambda: unequal(arrived.rows("changes", "cms_changes"), arrived.stage.cms.truth(VENDOR)))


def test_the_changes_topic_is_a_table_for_each_type(arrived: Arrived) -> None:
    """Each is called as its content type, and has its entities alone."""
    truth = arrived.stage.cms.truth(VENDOR)
    kinds = {live.content_type for live in truth if live.content_type}

    def differing() -> list[str]:
        tables = arrived.tables("by_type")
        lacking = [f"no cms_{kind}" for kind in kinds if f"cms_{kind}" not in tables]
        return lacking or [
            found
            for kind in kinds
            for found in unequal(arrived.rows("by_type", f"cms_{kind}"), [x for x in truth if x.content_type == kind])
        ]

    arrived.equal(differing)
