"""Typed tables on a real broker and registry: they equal what the CMS delivers, whatever becomes of its model."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from connector.devservers.broker import Broker
from connector.kafka.topic_names import partitioned
from connector.simulator import Field, Simulator
from tests.consumer import consume
from tests.faults.deployment import KILLED, Deployment, everyday
from tests.operated import Operated
from tests.tables import Reader, differences

VENDORS = ("contentful", "contentstack", "weegloo")


@pytest.fixture(name="cms")
def _cms() -> Iterator[Simulator]:
    with Simulator(seed=11, entries=30, content_types=9).serving() as serving:
        yield serving


@pytest.fixture(name="stage")
def _stage(request: pytest.FixtureRequest, tmp_path: Path, cms: Simulator, kafka: Broker, registry: str) -> Operated:
    prefix, vendor = request.getfixturevalue("prefix"), getattr(request, "param", "contentful")
    return Operated(tmp_path, cms, kafka, registry, prefix, vendor=vendor)


def test_a_row_is_on_the_partition_of_its_key(stage: Operated, kafka: Broker) -> None:
    """Where Java's producers put it too: rows that share a key are in order, and compacted together."""
    stage.run()
    topic = f"{stage.place.prefix}.{stage.vendor}.table.blogPost"
    rows = consume(kafka.client, topic)
    assert {row.partition for row in rows} == {0, 1}
    assert all(row.partition == partitioned(row.key or b"", 2) for row in rows)


def edit_everything(cms: Simulator) -> None:
    """Edit the model in every way, and content of each type after it."""
    cms.add_field("author", "nickname", "symbol", localized=True)
    cms.add_field("blogPost", "readers", "integer")
    cms.retype_field("author", "bornOn", "symbol")
    cms.retype_field("product", "attributes", "symbols")
    cms.remove_field("product", "warehouse")
    cms.add_locale("nl-NL", fallback="en-US")
    cms.add_content_type("note", [Field("title", "symbol", localized=True), Field("weight", "number")])
    for kind in ("author", "blogPost", "category", "product"):
        for each in cms.ids(content_type=kind)[:3]:
            cms.edit(each)
    cms.publish("note")
    cms.publish("author", locales=["en-US", "nl-NL"])
    cms.delete(cms.ids(content_type="blogPost")[0])
    cms.unpublish(cms.ids(content_type="product")[0])


@pytest.mark.parametrize("stage", [*VENDORS[:2], pytest.param(VENDORS[2], marks=pytest.mark.faults)], indirect=True)
def test_tables_equal_the_cms_while_its_model_is_edited(stage: Operated, cms: Simulator) -> None:
    """After a snapshot, edits of the model and the content, and restarts, each row is what the CMS delivers."""
    stage.run()
    assert stage.differences() == []
    edit_everything(cms)
    stage.run()
    assert stage.differences() == []
    cms.churn(20)
    cms.expire_cursors()
    cms.delete(cms.ids(content_type="author")[0])
    stage.run()
    verified = stage.place.run("verify", stage.vendor)
    assert verified.code == 0, verified
    held = stage.reader.rows()
    assert differences(cms, stage.vendor, held) == []
    assert held["_asset"]
    assert stage.letters() == []


def test_a_refused_schema_stops_the_stream(stage: Operated, cms: Simulator, registry: str) -> None:
    """It says which table, and in which fields its schema differs; nothing is written with the new one."""
    stage.run()
    subject = f"{stage.place.prefix}.{stage.vendor}.table.author-value"
    fields = [{"name": "nickname", "type": "long"}]
    other = {"type": "record", "name": "author", "namespace": f"contentwire.table.{stage.vendor}", "fields": fields}
    httpx.put(f"{registry}/config/{subject}", json={"compatibility": "NONE"}, timeout=20).raise_for_status()
    body = {"schema": json.dumps(other)}
    httpx.post(f"{registry}/subjects/{subject}/versions", json=body, timeout=20).raise_for_status()
    httpx.put(f"{registry}/config/{subject}", json={"compatibility": "BACKWARD"}, timeout=20).raise_for_status()
    before = stage.reader.rows()
    cms.add_field("author", "nickname", "symbol")
    cms.edit(cms.ids(content_type="author")[0])
    ended = stage.try_to_run()
    assert ended.code == 1
    assert subject in ended.err
    assert "nickname was long, now it is" in ended.err
    assert stage.reader.rows() == before


def test_a_value_that_fits_no_column_is_a_dead_letter(stage: Operated, cms: Simulator) -> None:
    """Its row keeps its former state, the entity's other rows and its event are published."""
    stage.run()
    one = cms.publish("product", fields={"stock": {"en-US": 5}}, locales=["en-US"])
    stage.run()
    cms.edit(one, fields={"stock": {"en-US": msgspec.Raw(b"1.5")}})
    stage.run()
    row = stage.reader.rows()["product"][one, "en-US"]
    assert row["stock"] == 5
    (letter,) = stage.letters()
    assert "table product: column stock" in str(letter["reason"])


def test_without_tables_nothing_of_them_is_published(stage: Operated, cms: Simulator) -> None:
    """No topic, no request for the model, no content type of an API that lists them elsewhere."""
    stage.configure("")
    stage.run()
    assert stage.reader.topics() == []
    assert cms.model_requests(stage.vendor) == []
    changes = consume(stage.broker.client, f"{stage.place.prefix}.{stage.vendor}.changes")
    assert changes
    assert not [record for record in changes if b"content_type" in (record.key or b"")]


KINDS = ("http", "begin.after", "produce", "flush.after", "commit.before", "commit.after")
FIRST = ("contentful", "begin.after")


@pytest.mark.parametrize(
    "case",
    [
        pytest.param((vendor, kind), marks=() if (vendor, kind) == FIRST else pytest.mark.faults)
        for vendor in ("contentful", "weegloo")
        for kind in KINDS
    ],
)
def test_killed_while_the_model_is_edited(
    kafka: Broker, registry: str, prefix: str, tmp_path: Path, case: tuple[str, str]
) -> None:
    """Wherever it is interrupted, between a new schema and its first rows too, tables equal the CMS in the end."""
    vendor, kind = case
    settings: dict[str, Any] = {"kafka": {"registry": {"url": registry}}, "connection": {"tables": True}}
    with Deployment(kafka, prefix, tmp_path, vendors=(vendor,), **settings) as deployment:
        deployment.follow()
        simulator, reader = deployment.simulator, Reader(kafka.client, registry, f"{prefix}.{vendor}.table.")
        edit_everything(simulator)
        codes = []
        for number in range(0, 60, 20) if kind == "produce" else range(4):
            simulator.add_field("author", f"extra{number}", "symbol")
            simulator.add_content_type(f"kind{number}", [Field("title", "symbol", localized=True)])
            simulator.publish(f"kind{number}")
            everyday(simulator)
            codes.append(deployment.spawn(at={vendor: f"{kind}:{number + 1}"}).wait(60.0))
            deployment.follow()
            assert differences(simulator, vendor, reader.rows()) == []
    assert KILLED in codes


def test_another_choice_of_locales_is_another_table(stage: Operated, cms: Simulator) -> None:
    """Rows of locales that are no longer chosen are deleted; no event is published again."""
    stage.run()
    published = stage.published()
    assert {locale for _, locale in stage.reader.rows()["author"]} > {"en-US"}
    stage.configure('tables = { locales = "default" }')
    stage.run()
    entries = {each.id for each in cms.truth(stage.vendor) if each.content_type == "author"}
    assert stage.reader.rows()["author"].keys() == {(each, "en-US") for each in entries}
    stage.configure('tables = { locales = ["en-US", "de-DE"] }')
    stage.run()
    rows = stage.reader.rows()["author"]
    assert rows.keys() == {(each, "*") for each in entries}
    assert all(row["biography__en_US"] or row["biography__de_DE"] for row in rows.values())
    assert stage.published() == published
