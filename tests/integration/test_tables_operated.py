"""Typed tables in operation, on a real broker and registry: switched, filled again, repaired, and made otherwise."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from confluent_kafka.admin import AdminClient

from connector.devservers.broker import Broker
from connector.simulator import Live, Simulator
from tests.operated import Operated


@pytest.fixture(name="cms")
def _cms() -> Iterator[Simulator]:
    with Simulator(seed=11, entries=24, content_types=5).serving() as serving:
        yield serving


Operating = Callable[..., Operated]


@pytest.fixture(name="stage_of")
def _stage_of(tmp_path: Path, cms: Simulator, kafka: Broker, registry: str, prefix: str) -> Operating:
    def make(connection: str = "tables = true", **options: Any) -> Operated:
        return Operated(tmp_path, cms, kafka, registry, prefix, connection=connection, **options)

    return make


def drop_tables(stage: Operated, registry: str = "") -> None:
    """Delete the topics of all tables, and with a registry their subjects, as an operator would."""
    topics = stage.reader.topics()
    admin = AdminClient(dict(stage.broker.client))  # must outlive the answers
    for done in admin.delete_topics(topics).values():
        done.result(20)
    while set(topics) & admin.list_topics(timeout=20).topics.keys():
        pass
    for topic in topics if registry else ():
        for part in ("key", "value"):
            httpx.delete(f"{registry}/subjects/{topic}-{part}", timeout=20).raise_for_status()


def test_a_snapshot_of_rows_alone_fills_tables_that_were_lost(stage_of: Operating) -> None:
    """The stream stops and names the command; after it every row is there again, and no event was published."""
    stage = stage_of()
    stage.run()
    published = stage.published()
    drop_tables(stage)
    stopped = stage.try_to_run()
    assert stopped.code == 1
    assert "--tables" in stopped.err
    again = stage.place.run("snapshot", stage.vendor, "--tables")
    assert (again.code, "with the rows of all tables" in again.out) == (0, True)
    stage.run()
    assert stage.differences() == []
    assert stage.published() == published
    assert {row["_op"] for row in stage.reader.rows()["author"].values()} == {"r"}


def test_a_snapshot_of_rows_alone_selects_nothing(stage_of: Operating) -> None:
    """It is used alone, and with tables: else the error says so, and nothing is changed."""
    stage = stage_of()
    for others in (("--all",), ("--content-type", "author"), ("--entity", "e1")):
        refused = stage.place.run("snapshot", stage.vendor, "--tables", *others)
        assert (refused.code, "use it alone" in refused.err) == (2, True)
    stage.configure("")
    without = stage.place.run("snapshot", stage.vendor, "--tables")
    assert (without.code, "tables = true" in without.err) == (2, True)


def test_tables_are_switched_on_off_and_on_again(stage_of: Operating, cms: Simulator, registry: str) -> None:
    """No event is published for it; topics that were deleted meanwhile come back; no row is stale."""
    stage = stage_of("")
    stage.run()
    published = stage.published()
    stage.configure("tables = true")
    stage.run()
    assert stage.differences() == []
    assert stage.published() - published == stage.published("content_type", "locale")
    for deleted in (False, True):
        stage.configure("")
        stage.run()
        if deleted:
            drop_tables(stage, registry)
        cms.delete(cms.ids(content_type="author")[0])
        cms.unpublish(cms.ids(content_type="product")[0])
        cms.edit(cms.ids(content_type="category")[0])
        stage.run()
        published = stage.published()
        stage.configure("tables = true")
        stage.run()
        assert stage.published() == published
        assert stage.differences() == []


def test_a_replayed_letter_writes_the_row_that_was_withheld(stage_of: Operating, cms: Simulator) -> None:
    """Once the field's type fits: until then the letter stays, and is no second one; the event is not repeated."""
    stage = stage_of()
    one = cms.publish("product", fields={"stock": {"en-US": 5}}, locales=["en-US"])
    stage.run()
    cms.edit(one, fields={"stock": {"en-US": msgspec.Raw(b"1.5")}})
    stage.run()
    published = stage.published("entry")
    early = stage.place.run("dead-letters", stage.vendor, "--replay")
    assert "0 events published, 1 letters stay" in early.out
    assert "column stock" in early.out
    assert f"contentwire resume {stage.vendor}" in early.out
    cms.retype_field("product", "stock", "number")
    stage.run()
    assert stage.reader.rows()["product"][one, "en-US"]["stock"] == 5
    replayed = stage.place.run("dead-letters", stage.vendor, "--replay")
    assert "0 events published, 0 letters stay" in replayed.out
    row = stage.reader.rows()["product"][one, "en-US"]
    assert (row["stock"], row["stock__2"]) == (None, 1.5)
    assert stage.published("entry") == published
    assert len(stage.letters()) == 1


def stopped_by_another_type(stage: Operated) -> str:
    """Let the stream meet a field of another type, and stop; return the id of an entry that has a value of it."""
    stage.run()
    stage.cms.retype_field("product", "stock", "symbol")
    edited = stage.cms.edit(stage.cms.ids(content_type="product")[0])
    before = stage.reader.rows()
    stopped = stage.try_to_run()
    assert stopped.code == 1
    assert "content type product: the field stock was of the kind integer, now it is text" in stopped.err
    assert 'undo the change in the CMS, or set evolution = "column" or "json"' in stopped.err
    assert stage.reader.rows() == before
    return edited


STOP = 'tables = { evolution = "stop" }'


def test_a_type_that_was_taken_back_lets_a_stopped_stream_go_on(stage_of: Operating) -> None:
    """What stopped it is asked for again; streams beside it have never stopped."""
    stage = stage_of(STOP, beside=("weegloo",))
    edited = stopped_by_another_type(stage)
    status = json.loads(stage.place.run("status", "--json").out)
    assert {each["connection"]: each["stopped"] for each in status} == {"contentful": True, "weegloo": False}
    stage.cms.retype_field("product", "stock", "integer")
    stage.cms.edit(edited)
    stage.run()
    assert stage.differences() == []
    assert stage.letters() == []


@pytest.mark.parametrize(
    ("evolution", "column", "value"), [("column", "stock__2", "plenty"), ("json", "stock__2", '"plenty"')]
)
def test_another_evolution_lets_a_stopped_stream_go_on(
    stage_of: Operating, evolution: str, column: str, value: str
) -> None:
    """Values of the new type go to a column of that type, or of JSON; those of content that is older stay."""
    stage = stage_of(STOP)
    stopped_by_another_type(stage)
    stage.configure(f'tables = {{ evolution = "{evolution}" }}')
    one, other = stage.cms.ids(content_type="product")[1:3]
    stage.cms.edit(one, fields={"stock": {"en-US": "plenty"}})
    former = stage.reader.rows()["product"][other, "en-US"]["stock"]
    stage.run()
    rows = stage.reader.rows()["product"]
    assert (rows[one, "en-US"]["stock"], rows[one, "en-US"][column]) == (None, value)
    assert rows[other, "en-US"]["stock"] == former is not None
    assert stage.differences() == []
    assert stage.letters() == []


def test_json_is_one_column_whatever_the_type(stage_of: Operating, cms: Simulator) -> None:
    """From the first change on: a second one adds no column, and each value is the vendor's JSON."""
    stage = stage_of('tables = { evolution = "json" }')
    stage.run()
    one, other = cms.ids(content_type="product")[:2]
    cms.retype_field("product", "stock", "symbol")
    cms.edit(one, fields={"stock": {"en-US": "plenty"}})
    stage.run()
    cms.retype_field("product", "stock", "boolean")
    cms.edit(other, fields={"stock": {"en-US": True}})
    stage.run()
    rows = stage.reader.rows()["product"]
    assert [rows[each, "en-US"]["stock__2"] for each in (one, other)] == ['"plenty"', "true"]
    assert not [name for name in rows[other, "en-US"] if name.startswith("stock__3")]
    assert stage.differences() == []


def of_author(live: Live) -> bool:
    """Return whether an entry is of the type that is chosen."""
    return live.content_type == "author"


@pytest.mark.parametrize(
    ("vendor", "lines", "chosen"),
    [
        ("contentful", 'content_types = ["author"]', of_author),
        ("contentful", 'entity_types = ["entry"]', lambda _: True),
        ("contentstack", 'locales = ["de-de"]', lambda live: live.locale == "de-de"),
        ("contentful", 'envelope = "flat"', lambda _: True),
    ],
)
def test_tables_hold_what_the_connection_publishes(
    stage_of: Operating, cms: Simulator, vendor: str, lines: str, chosen: Callable[[Live], bool]
) -> None:
    """Whatever its filters, and in whichever shape its events are: no other row, and no topic of what is left out."""
    stage = stage_of(f"tables = true\n{lines}", vendor=vendor)
    stage.run()
    assert stage.differences(chosen) == []
    for kind in ("author", "product"):
        cms.edit(cms.ids(content_type=kind)[0])
        cms.delete(cms.ids(content_type=kind)[1])
    cms.add_field("author", "nickname", "symbol", localized=True)
    cms.publish("author")
    stage.run()
    assert stage.differences(chosen) == []
    held = stage.reader.rows()
    assert held["author"]
    if chosen is of_author:
        assert "product" not in held
    assert bool(held.get("_asset")) is ("entity_types" not in lines)
    assert stage.letters() == []
