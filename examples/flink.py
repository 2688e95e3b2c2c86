"""Prints the CREATE TABLE statements of Flink SQL for typed tables, by their schemas in the registry.

Run: python -m examples.flink --registry http://localhost:8081 --bootstrap kafka:9092 --tables contentwire.blog.table.
Flink keeps the columns that a statement names: run it again after the content model has changed.
"""

import argparse
import json
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from typing import Any

_KEY = ("connection", "entity_type", "id", "locale")
_TYPES = {"string": "STRING", "long": "BIGINT", "double": "DOUBLE", "boolean": "BOOLEAN"}


def main(arguments: Sequence[str]) -> None:
    """Print the statements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--registry", required=True, help="base URL of its Confluent API, also for Flink")
    parser.add_argument("--bootstrap", required=True, help="the brokers, as Flink reaches them")
    parser.add_argument("--tables", required=True, help="what their topics begin with: PREFIX.CONNECTION.table.")
    given = parser.parse_args(arguments)
    found = list(statements(given.registry, given.bootstrap, given.tables))
    if not found:
        raise SystemExit(f"no subject begins with {given.tables}: has the connection `tables = true`, and has it run?")
    sys.stdout.write("\n".join(found))


def statements(registry: str, bootstrap: str, tables: str) -> Iterator[str]:
    """Yield the statement of each table whose topic's name begins with `tables`."""
    for subject in sorted(_asked(f"{registry}/subjects")):
        if subject.startswith(tables) and subject.endswith("-value"):
            latest = _asked(f"{registry}/subjects/{urllib.parse.quote(subject, safe='')}/versions/latest")
            topic = subject.removesuffix("-value")
            columns = [f"`{name}` STRING NOT NULL" for name in _KEY]
            columns += [
                f"`{field['name']}` {flink_type(field['type'])}" for field in json.loads(latest["schema"])["fields"]
            ]
            yield _statement(topic.removeprefix(tables), columns, _options(topic, bootstrap, registry))


def flink_type(avro: Any) -> str:
    """Return the type of a column of a typed table."""
    if isinstance(avro, list):
        (avro,) = [each for each in avro if each != "null"]
        return _type(avro)
    return f"{_type(avro)} NOT NULL"


def _type(avro: Any) -> str:
    if not isinstance(avro, dict):
        return _TYPES[avro]
    if avro["type"] == "array":
        return f"ARRAY<{_type(avro['items'])}>"
    if avro.get("logicalType") == "timestamp-millis":
        return "TIMESTAMP(3)"
    return _TYPES[avro["type"]]


def _asked(url: str) -> Any:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)
    except (OSError, ValueError) as error:
        raise SystemExit(f"{url} does not answer as a schema registry: {error}") from error


def _options(topic: str, bootstrap: str, registry: str) -> dict[str, str]:
    return {
        "connector": "upsert-kafka",
        "topic": topic,
        "properties.bootstrap.servers": bootstrap,
        "properties.isolation.level": "read_committed",
        "key.format": "avro-confluent",
        "key.avro-confluent.url": registry,
        "value.format": "avro-confluent",
        "value.avro-confluent.url": registry,
        "value.fields-include": "EXCEPT_KEY",
    }


def _statement(name: str, columns: list[str], options: dict[str, str]) -> str:
    lines = ",\n".join(f"  {each}" for each in [*columns, f"PRIMARY KEY ({', '.join(_KEY)}) NOT ENFORCED"])
    chosen = ",\n".join(f"  '{option}' = '{value}'" for option, value in options.items())
    return f"CREATE TABLE `{name}` (\n{lines}\n) WITH (\n{chosen}\n);\n"


if __name__ == "__main__":
    main(sys.argv[1:])
