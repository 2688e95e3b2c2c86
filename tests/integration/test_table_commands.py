"""Commands on typed tables, with a real broker and registry: `tail`, `schemas`, `check` and `foreign-records`."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from connector.devservers.broker import Broker
from connector.events import codec
from connector.kafka.registry import Registry
from connector.kafka.topic_names import partitioned
from connector.simulator import Simulator
from tests.command import Workplace, WorkplaceOf
from tests.scripted import ONCE
from tests.tables import Reader
from tests.topics import produce

ALL = ("--from-beginning", "--until-end")


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """Yield a served simulator."""
    with Simulator(seed=4, entries=12).serving() as serving:
        yield serving


@pytest.fixture(name="place")
def _place(workplace_of: WorkplaceOf, registry: str) -> Workplace:
    """Return a workplace with a connection that has tables, not yet followed."""
    return workplace_of(
        kafka_lines=f'registry = {{ url = "{registry}" }}\npartitions = 2', connection_lines="tables = true"
    )


@pytest.fixture(name="current")
def _current(place: Workplace) -> Workplace:
    """Return a workplace whose stream is current."""
    assert place.run(*ONCE).code == 0
    return place


@pytest.fixture(name="reader")
def _reader(kafka: Broker, registry: str, prefix: str) -> Reader:
    """Return an independent reader of its tables."""
    return Reader(kafka.client, registry, f"{prefix}.contentful.table.")


def test_tail_shows_the_rows_of_a_table(current: Workplace, simulator: Simulator, reader: Reader) -> None:
    """Each as one line, or as JSON with its key; a deleted row is a t, or null."""
    gone = simulator.delete(simulator.ids(content_type="author")[0])
    assert current.run(*ONCE).code == 0
    records = current.lines("tail", "contentful", "--table", "author", *ALL, "--json")
    held: dict[tuple[str, str], Any] = {}
    for record in records:
        held[record["key"]["id"], record["key"]["locale"]] = record["value"]
    assert {place: row for place, row in held.items() if row} == reader.rows()["author"]
    assert {place[0] for place, row in held.items() if row is None} == {gone}
    assert {record["topic"] for record in records} == {f"{current.prefix}.contentful.table.author"}
    lines = [line.split() for line in current.run("tail", "contentful", "--table", "author", *ALL).out.splitlines()]
    assert len(lines) == len(records)
    deleted = [place for place, row in held.items() if row is None]
    assert sorted((line[2], line[3]) for line in lines if line[0] == "t") == sorted(deleted)
    (op, table, entity, locale, revision, sequence) = lines[0]
    row = next(each["value"] for each in records if f"#{(each['value'] or {}).get('_sequence')}" == sequence)
    assert (op, table, entity) == (row["_op"], "author", row["_entity_id"])
    assert (locale, revision) == (row["_locale"], f"r{row['_revision']}")


def test_tail_shows_several_tables_or_all(current: Workplace, reader: Reader) -> None:
    """As many rows as they hold; `--limit` ends it."""
    held = {table: len(rows) for table, rows in reader.rows().items()}
    chosen = current.run("tail", "contentful", "--table", "author", "--table", "_asset", *ALL).out.splitlines()
    assert len(chosen) == held["author"] + held["_asset"]
    assert len(current.run("tail", "contentful", "--tables", *ALL).out.splitlines()) == sum(held.values())
    assert len(current.run("tail", "contentful", "--tables", *ALL, "--limit", "3").out.splitlines()) == 3


def test_a_table_that_is_not_there_is_an_error_that_names_those_that_are(current: Workplace) -> None:
    """Before any record is read; so is a connection that has no tables, or none yet."""
    ended = current.run("tail", "contentful", "--table", "authors", *ALL)
    assert (ended.code, ended.out) == (1, "")
    assert "has no table authors" in ended.err
    assert "it has _asset, _content_type, _locale, author, " in ended.err
    assert current.run("tail", "contentful", "--table", "author", "--tables").code == 2
    current.edit("tables = true", "")
    ended = current.run("tail", "contentful", "--tables", *ALL)
    assert (ended.code, ended.out) == (2, "")
    assert "publishes no tables" in ended.err
    current.edit(r'prefix = ".*"', f'prefix = "{current.prefix}x"')
    current.edit(r"(poll_interval = .*)", r"\1\ntables = true")
    ended = current.run("tail", "contentful", "--tables", *ALL)
    assert (ended.code, ended.out) == (1, "")
    assert "no tables yet" in ended.err


def counted(out: str) -> int:
    """Return the number of subjects that a command's last sentence gives."""
    found = re.findall(r"contentful: (\d+) subjects", out)
    return int(found[-1])


def test_schemas_of_tables_are_checked_and_registered(place: Workplace, registry: str, prefix: str) -> None:
    """Once their model is recorded; before that, both commands and `check` say so in one line."""
    for command in ("check", "register"):
        ended = place.run("schemas", command)
        assert ended.code == 0, ended
        assert counted(ended.out) == 3
        assert "contentful: no content model is recorded yet" in ended.out
    schemas = {each["subject"]: each for each in json.loads(place.run("check", "--json").out)}["contentful: schemas"]
    assert "3 of 3 are registered; no content model is recorded yet" in schemas["message"]
    assert place.run(*ONCE).code == 0
    at = Registry(registry)
    tables = ("_asset", "_content_type", "_locale", "author", "blogPost", "category", "product")
    wanted = {f"{prefix}.contentful.table.{table}-{end}" for table in tables for end in ("key", "value")}
    assert {name for name in at.subjects() if name.startswith(f"{prefix}.contentful.table.")} == wanted
    for command in ("check", "register"):
        ended = place.run("schemas", command)
        assert ended.code == 0, ended
        assert counted(ended.out) == 3 + len(wanted)
        assert "no content model" not in ended.out
    assert f"{prefix}.contentful.table.author-value has id" in ended.out


def test_a_table_whose_subject_is_taken_is_found(current: Workplace, registry: str, prefix: str) -> None:
    """Another schema registered since, which ours may not follow: `schemas check` and `check` name the subject."""
    subject = f"{prefix}.contentful.table.author-value"
    schema = {"type": "record", "name": "author", "fields": [{"name": "nickname", "type": "long"}]}
    at = Registry(registry)
    at._send("PUT", f"/config/{subject}", {"compatibility": "NONE"})
    at._send("DELETE", f"/subjects/{subject}")
    at.register(subject, json.dumps(schema))
    at._send("PUT", f"/config/{subject}", {"compatibility": "BACKWARD"})
    for command in (("schemas", "check"), ("check",)):
        ended = current.run(*command)
        assert ended.code == 1, ended
        assert subject in ended.out + ended.err


def test_foreign_rows_are_removed(current: Workplace, kafka: Broker, reader: Reader) -> None:
    """By a tombstone, but for one in the place of a live row: its entity has to be published again, by name."""
    (row, (key, value)), *_ = reader.records("author").items()
    topic = f"{current.prefix}.contentful.table.author"
    body = codec.unframe(key)[1]
    ghost = key.removesuffix(body) + codec.encode_key(
        type(codec.decode_key(body))("contentful", "entry", "ghost", "en-US")
    )
    produce(kafka, topic, b"hello", b"world")
    produce(kafka, topic, ghost, b"junk")
    produce(kafka, topic, key, b"junk")
    produce(kafka, topic, key, value, 1 - partitioned(key, 2))
    produce(kafka, f"{current.prefix}.contentful.table.product", key, b"junk")
    assert current.run("check").code == 1
    ended = current.run("foreign-records", "contentful", "--json")
    assert (ended.code, len(json.loads(ended.out))) == (1, 5)
    ended = current.run("foreign-records", "contentful", "--remove", "--json")
    assert ended.code == 1
    (stays,) = [each for each in json.loads(ended.out) if not each["removed"]]
    assert stays["remark"] == f"the entity is live: contentwire snapshot contentful --entity {row[0]}"
    assert current.run(*stays["remark"].partition(": contentwire ")[2].split()).code == 0
    assert current.run(*ONCE).code == 0
    assert json.loads(current.run("foreign-records", "contentful", "--json").out) == []
    assert current.run("verify", "contentful").code == 0
    assert current.run("check").code == 0
