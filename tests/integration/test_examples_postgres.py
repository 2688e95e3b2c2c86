"""The read model in PostgreSQL and its API, by the commands of their document."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row
from psycopg.sql import SQL, Identifier
from psycopg.types.json import set_json_loads

from connector.devservers.broker import Broker
from connector.devservers.child import free_ports
from connector.simulator import Simulator
from examples.read_model.api import answer
from examples.read_model.postgres import Model
from examples.tables import Row
from tests import postgres
from tests.documents import commands
from tests.stage import VENDOR, Stage, shown
from tests.tables import Rows

DOCUMENT = "docs/consumers/read-model.md"


@pytest.fixture(name="stage")
def _stage(kafka: Broker, registry: str, prefix: str, tmp_path: Path, database: str) -> Iterator[Stage]:
    listen = {"DATABASE": database, "LISTEN": f"127.0.0.1:{free_ports(1)[0]}"}
    with Simulator(seed=11, entries=20, wall_clock=True).serving() as cms:
        yield Stage(tmp_path, cms, kafka, registry, prefix, more=listen)


def held(database: str) -> Rows:
    """Return the tables, by the key of each row."""
    found: Rows = {}
    with psycopg.connect(database, row_factory=dict_row) as connection:
        connection.execute("set timezone = 'UTC'")
        set_json_loads(
            lambda text: text if isinstance(text, str) else bytes(text).decode(), connection
        )  # the column's own bytes
        names = connection.execute(
            "select table_name from information_schema.tables where table_schema = %s and table_name <> %s",
            (VENDOR, "_contentwire_position"),
        ).fetchall()
        for table in [each["table_name"] for each in names]:
            rows = connection.execute(SQL("select * from {}").format(Identifier(VENDOR, table))).fetchall()
            found[table] = {(row["_entity_id"], row["_locale"]): shown(row) for row in rows}
    return found


def test_the_read_model_equals_the_cms(stage: Stage, database: str) -> None:
    """Through an edited model, deletes and a restart; a service answers from it as the document says."""
    follow = commands(DOCUMENT, "read_model.postgres")
    stage.publish()
    stage.shell.run(follow)
    stage.edit()
    stage.publish()
    stage.shell.run(follow)
    delivered = {table: {key: shown(row) for key, row in rows.items()} for table, rows in stage.tables().items()}
    assert held(database) == delivered

    shown_by_join = stage.shell.run(commands(DOCUMENT, "psql"))
    posts = [row for (_, locale), row in delivered["blogPost"].items() if locale == "en-US"]
    assert f"({len(posts)} rows)" in shown_by_join

    with stage.shell.start(commands(DOCUMENT, "read_model.api")):
        (entity, locale), row = next(iter(delivered["author"].items()))
        status, body = get(stage.variables["LISTEN"], f"/author/{entity}?locale={locale}")
    assert (status, body["name"]) == (200, row["name"])


def get(listen: str, path: str) -> tuple[int, Any]:
    """Return the status and the decoded body of a request to a server that may be still starting."""
    end = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(f"http://{listen}{path}", timeout=10) as found:
                return found.status, json.load(found)
        except urllib.error.HTTPError:
            raise
        except OSError:
            assert time.monotonic() < end


def row(offset: int, entity: str, **values: Any) -> Row:
    """Return a row of the table `post`; without values it is a delete."""
    key = {"connection": VENDOR, "entity_type": "entry", "id": entity, "locale": "en-US"}
    own = {"_entity_id": entity, "_locale": "en-US"}
    kinds = {"title": "string", "Größe": "double", "rich": "json"}
    columns = {name: kinds.get(name, "string") for name in {**values, **own}} if values else {}
    return Row("post", 0, offset, datetime.now(UTC), key, columns, {**values, **own} if values else None)


def test_rows_columns_and_offsets_change_together(database: str) -> None:
    """A batch that fails in its second table leaves no table, no row and no offset of it behind."""
    bad = row(2, "c", title="bad", rich="no JSON")._replace(table="other")
    with psycopg.connect(database, autocommit=True) as connection:
        model = Model(connection, VENDOR)
        model.write([row(0, "a", title="first")])
        before = held(database)
        with pytest.raises(psycopg.DataError):
            model.write([row(1, "b", title="second", Größe=1.5), bad])
        assert model.position("post", 0) == 1
        assert held(database) == before
    with psycopg.connect(database, autocommit=True) as connection:
        again = Model(connection, VENDOR)
        again.write([row(1, "b", title="second", Größe=1.5), row(2, "a")])
        assert again.position("post", 0) == 3
    assert held(database)["post"] == {
        ("b", "en-US"): {"_entity_id": "b", "_locale": "en-US", "title": "second", "Größe": 1.5}
    }


def test_a_value_that_is_gone_becomes_null(database: str) -> None:
    """A row that is replaced keeps nothing of its earlier version, and the last version in a batch wins."""
    with psycopg.connect(database, autocommit=True) as connection:
        model = Model(connection, VENDOR)
        model.write([row(0, "a", title="first", Größe=1.5)])
        model.write([row(1, "a", title="second"), row(2, "a"), row(3, "a", title="third")])
    assert held(database)["post"]["a", "en-US"] == {"_entity_id": "a", "_locale": "en-US", "title": "third"}


def test_a_name_that_postgresql_would_shorten_is_an_error(database: str) -> None:
    """Two columns that begin alike would become one."""
    with (
        psycopg.connect(database, autocommit=True) as connection,
        pytest.raises(SystemExit, match=r"would shorten ö+ to 63 bytes"),
    ):
        Model(connection, VENDOR).write([row(0, "a", **{"ö" * 32: "64 bytes"})])


def test_a_second_consumer_ends(database: str) -> None:
    """Two at once would overwrite newer rows by older ones: the second says why it does not start."""
    with (
        psycopg.connect(database, autocommit=True) as first,
        psycopg.connect(database, autocommit=True) as second,
    ):
        Model(first, VENDOR)
        with pytest.raises(SystemExit, match="another consumer writes the schema contentful"):
            Model(second, VENDOR)


@pytest.fixture(scope="module", name="posts")
def _posts(postgresql: str) -> Iterator[psycopg.Connection]:
    """Yield a database with two posts, which nobody changes."""
    with psycopg.connect(postgres.database(postgresql), autocommit=True) as connection:
        Model(connection, VENDOR).write([row(0, "a", title="first"), row(1, "b", title="second")])
        yield connection


@pytest.mark.parametrize(
    ("url", "status", "said"),
    [
        ("/post/a", 200, '"title":"first"'),
        ("/post/a?locale=de-DE", 404, "post a is not published in de-DE"),
        ("/post?limit=1", 200, '"_entity_id":"a"'),
        ("/post?after=a", 200, '"_entity_id":"b"'),
        ("/post?after=b", 200, "[]"),
        ("/post?limit=1000", 400, "limit is a number up to 100"),
        ("/post?color=red", 400, "unknown parameter color"),
        ("/nothing/a", 404, "there is no content type nothing"),
        ('/post"; drop table post; --/a', 404, "there is no content type"),
        ("/post/%00", 404, "say which content type"),
        ("/", 404, "say which content type"),
    ],
)
def test_the_api_answers_or_says_why_not(posts: psycopg.Connection, url: str, status: int, said: str) -> None:
    """Rows, and reasons for every other request."""
    found = answer(posts, VENDOR, url)
    assert (found.status, said in found.body) == (status, True), found
