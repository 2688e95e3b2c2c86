"""The statements of Flink SQL that are made from a registry: every type of a typed table has its own."""

import json
import urllib.parse
from typing import Any

import pytest

from examples import flink
from tests import jsonserver
from tests.jsonserver import Answer, Asked

TABLES = "contentwire.blog.table."
FIELDS = {
    "title": ["null", "string"],
    "stock": ["null", "long"],
    "price": ["null", "double"],
    "active": ["null", "boolean"],
    "day": ["null", {"type": "long", "logicalType": "timestamp-millis"}],
    "tags": ["null", {"type": "array", "items": "string"}],
    "body": ["null", {"type": "string", "connect.name": "io.debezium.data.Json"}],
    "order": ["null", "string"],
    "_entity_id": "string",
    "_sequence": "long",
}
COLUMNS = """
  `connection` STRING NOT NULL,
  `entity_type` STRING NOT NULL,
  `id` STRING NOT NULL,
  `locale` STRING NOT NULL,
  `title` STRING,
  `stock` BIGINT,
  `price` DOUBLE,
  `active` BOOLEAN,
  `day` TIMESTAMP(3),
  `tags` ARRAY<STRING>,
  `body` STRING,
  `order` STRING,
  `_entity_id` STRING NOT NULL,
  `_sequence` BIGINT NOT NULL,
  PRIMARY KEY (connection, entity_type, id, locale) NOT ENFORCED
"""


def registered(asked: Asked) -> Answer:
    """Answer as a registry with one table, its key, and what is no table of this connection."""
    post = f"{TABLES}blogPost-value"
    answers: dict[str, Any] = {
        "/subjects": [
            post,
            f"{TABLES}blogPost-key",
            "contentwire.blog.changes-value",
            "contentwire.shop.table.a-value",
        ],
        f"/subjects/{post}/versions/latest": {
            "schema": json.dumps({"fields": [{"name": name, "type": kind} for name, kind in FIELDS.items()]})
        },
    }
    return 200, {}, json.dumps(answers[urllib.parse.unquote(asked.path)]).encode()


def test_a_statement_has_every_column_of_the_registered_schema() -> None:
    """In their order, behind the key's, quoted, as column names may be words of SQL."""
    with jsonserver.serving(registered) as registry:
        (statement,) = flink.statements(registry, "kafka:9092", TABLES)
    name, _, rest = statement.partition("(")
    columns, _, options = rest.partition(") WITH (")
    assert (name, columns) == ("CREATE TABLE `blogPost` ", COLUMNS)
    assert "'topic' = 'contentwire.blog.table.blogPost'" in options
    assert "'properties.isolation.level' = 'read_committed'" in options


def test_what_is_missing_is_said() -> None:
    """No table, or no registry: what to look at."""
    given = ["--bootstrap", "kafka:9092", "--tables", "contentwire.other.table."]
    with (
        jsonserver.serving(registered) as registry,
        pytest.raises(SystemExit, match="has the connection `tables = true`"),
    ):
        flink.main(["--registry", registry, *given])
    with pytest.raises(SystemExit, match="does not answer as a schema registry"):
        flink.main(["--registry", "http://127.0.0.1:9", *given])
