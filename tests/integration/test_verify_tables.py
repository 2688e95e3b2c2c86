"""`contentwire verify` on typed tables, with a real broker and registry: what it finds in rows, and what repairs it."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from connector.devservers.broker import Broker
from connector.simulator import Simulator
from tests.command import Workplace, WorkplaceOf
from tests.scripted import ONCE
from tests.tables import Reader
from tests.topics import produce

VENDORS = ("contentful", "contentstack", "weegloo")

# The others differ in their rows, which `test_rows_that_equal_the_cms_are_proven` compares: half a minute each.
one_vendor = pytest.mark.parametrize(
    "vendor", [VENDORS[0], *(pytest.param(vendor, marks=pytest.mark.faults) for vendor in VENDORS[1:])]
)


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """Yield a served simulator with fields of every type, and small pages."""
    with Simulator(seed=11, entries=30, content_types=9, page_sizes=dict.fromkeys(VENDORS, 10)).serving() as serving:
        yield serving


class Stage:
    """A connection with tables that is current, and what reads and forges its rows."""

    def __init__(self, place: Workplace, reader: Reader, broker: Broker, vendor: str) -> None:
        self.place = place
        self.reader = reader
        self.vendor = vendor
        self._broker = broker

    def run(self) -> None:
        """Follow until the stream is current."""
        ended = self.place.run(*ONCE)
        assert ended.code == 0, ended

    def verified(self, *options: str, code: int = 0) -> Any:
        """Run `verify --json`, check its exit code, and return its report."""
        ended = self.place.run("verify", self.vendor, "--json", *options)
        assert ended.code == code, ended
        return json.loads(ended.out)

    def write(self, table: str, key: bytes, value: bytes | None) -> None:
        """Write a record into a table's topic."""
        produce(self._broker, f"{self.place.prefix}.{self.vendor}.table.{table}", key, value)

    def repaired(self, said: str) -> bool:
        """Run the command that `verify` has advised, and the stream; return whether everything is equal then."""
        (line,) = [line for line in said.splitlines() if "contentwire snapshot" in line]
        assert self.place.run(*line.partition("contentwire ")[2].split()).code == 0
        self.run()
        return self.place.run("verify", self.vendor).code == 0


@pytest.fixture
def staged(followed: WorkplaceOf, kafka: Broker, registry: str, prefix: str) -> Callable[..., Stage]:
    """Return a maker of stages."""

    def make(vendor: str, lines: str = "tables = true", *, kafka_lines: str = "") -> Stage:
        place = followed(
            vendor,
            kafka_lines=f'registry = {{ url = "{registry}" }}\npartitions = 2\n{kafka_lines}',
            connection_lines=f"{lines}\n",
        )
        return Stage(place, Reader(kafka.client, registry, f"{prefix}.{vendor}.table."), kafka, vendor)

    return make


def found(report: Any) -> dict[tuple[str, str, str], str]:
    """Return the kinds of the differences in rows by table, id and locale."""
    return {
        (each["table"], each["key"]["id"], each["key"]["locale"]): each["kind"]
        for each in report["rows"]["differences"]
    }


@pytest.mark.parametrize(
    ("vendor", "lines"),
    [
        *((vendor, "tables = true") for vendor in VENDORS),
        ("contentstack", 'tables = { locales = "default" }'),
        ("weegloo", 'tables = { locales = ["en-US", "de-DE"] }'),
        pytest.param("contentful", 'tables = { locales = "default" }', marks=pytest.mark.faults),
        pytest.param("contentful", 'tables = { locales = ["en-US", "de-DE"] }', marks=pytest.mark.faults),
        pytest.param(
            "weegloo",
            'tables = { evolution = "json" }\ncontent_types = ["author", "product"]',
            marks=pytest.mark.faults,
        ),
    ],
)
def test_rows_that_equal_the_cms_are_proven(
    staged: Callable[..., Stage], simulator: Simulator, vendor: str, lines: str
) -> None:
    """After edits of content and model: each row that the topics hold is counted, by table; also with `--shallow`."""
    stage = staged(vendor, lines)
    simulator.retype_field("author", "bornOn", "symbol")
    simulator.retype_field("product", "attributes", "symbols")
    simulator.remove_field("product", "warehouse")
    simulator.add_field("author", "nickname", "symbol", localized=True)
    for kind in ("author", "product"):
        for each in simulator.ids(content_type=kind)[:2]:
            simulator.edit(each)
    simulator.churn(20)
    stage.run()
    for options in ((), ("--shallow",)):
        report = stage.verified(*options)
        held = {table: len(rows) for table, rows in stage.reader.rows().items() if rows}
        assert {each["table"]: each["equal"] for each in report["rows"]["counts"]} == held
        assert report["rows"]["differences"] == []
        assert held["author"]


@one_vendor
def test_each_kind_of_difference_in_rows_is_found_and_repaired(
    staged: Callable[..., Stage], simulator: Simulator, vendor: str
) -> None:
    """A row deleted, a row changed, a row of a locale that is gone: by table, id and locale, with the columns."""
    stage = staged(vendor)
    one = simulator.publish("author", locales=["en-US", "de-DE"])
    deleted, changed = [each for each in simulator.ids(content_type="author") if each != one][:2]
    stage.run()
    rows = stage.reader.records("author")
    (locale, *_) = sorted(locale for each, locale in rows if each == changed)
    german = "de-de" if vendor == "contentstack" else "de-DE"
    if vendor == "contentstack":
        simulator.unpublish(one, locale="de-DE")
    else:
        simulator.edit(one, fields={"name": {"en-US": "Ada"}, "biography": {"en-US": "-"}}, locales=["en-US"])
    stage.run()
    assert stage.verified()["proven"]
    assert (one, german) not in stage.reader.records("author")
    (key, value) = rows[changed, locale]
    stage.write("author", key, stage.reader.forged(value, name="Somebody else", _sequence=1, _op="r"))
    for each in [each for each in rows if each[0] == deleted]:
        stage.write("author", rows[each][0], None)
    stage.write("author", *rows[one, german])
    report = stage.verified(code=1)
    missing = {("author", *each): "missing" for each in rows if each[0] == deleted}
    assert found(report) == {("author", changed, locale): "stale", ("author", one, german): "extra", **missing}
    (stale,) = [each for each in report["rows"]["differences"] if each["kind"] == "stale"]
    assert stale["columns"] == ["name"]
    assert report["differences"] == []
    said = stage.place.run("verify", vendor).out
    assert f"{len(missing) + 2} differ" in said
    assert stage.repaired(said)


@one_vendor
def test_rows_of_entries_that_are_gone_are_found_and_repaired(
    staged: Callable[..., Stage], simulator: Simulator, vendor: str
) -> None:
    """All entries of a type were removed, and their events agree: each row that is left is extra."""
    stage = staged(vendor)
    rows = stage.reader.records("category")
    for each in simulator.ids(content_type="category"):
        simulator.delete(each)
    stage.run()
    for record in rows.values():
        stage.write("category", *record)
    report = stage.verified(code=1)
    assert found(report) == {("category", *each): "extra" for each in rows}
    assert len(rows) > 2
    assert report["differences"] == []
    assert stage.repaired(stage.place.run("verify", vendor).out)
    assert stage.reader.records("category") == {}


def test_a_row_with_the_same_version_is_compared_by_value(staged: Callable[..., Stage]) -> None:
    """Unless `--shallow` is given; what the CMS says of an entity beside its fields is compared as well."""
    stage = staged("contentful")
    (row, (key, value)), *_ = stage.reader.records("_asset").items()
    stage.write("_asset", key, stage.reader.forged(value, size=4711))
    assert found(stage.verified(code=1)) == {("_asset", *row): "stale"}
    assert stage.verified("--shallow")["proven"]
    stage.write("_asset", key, stage.reader.forged(value, _created_at=4711))
    (difference,) = stage.verified(code=1)["rows"]["differences"]
    assert difference["columns"] == ["_created_at"]


def test_a_row_withheld_in_the_dead_letters_is_no_difference(
    staged: Callable[..., Stage], simulator: Simulator
) -> None:
    """Neither if it keeps its former state, nor if it never was; the item's other rows are still compared."""
    stage = staged("contentful")
    one = simulator.publish("product", fields={"stock": {"en-US": 5}}, locales=["en-US", "de-DE"])
    stage.run()
    simulator.edit(one, fields={"stock": {"en-US": msgspec.Raw(b"1.5")}})
    other = simulator.publish("author", fields={"biography": {"en-US": "a\0b", "de-DE": "x"}})
    stage.run()
    report = stage.verified()
    assert report["set_aside"] == 2
    assert (one, "en-US") in stage.reader.records("product")
    rows = stage.reader.records("author")
    key, value = rows[other, "de-DE"]
    stage.write("author", key, stage.reader.forged(value, biography="forged"))
    assert found(stage.verified(code=1)) == {("author", other, "de-DE"): "stale"}


def test_a_row_that_is_too_large_is_no_difference(staged: Callable[..., Stage], simulator: Simulator) -> None:
    """Its event is published as a reference, and the row is among the dead letters."""
    stage = staged("contentful", 'tables = true\noversized = "reference"', kafka_lines="max_message_bytes = 20000")
    simulator.publish("author", fields={"biography": {"en-US": "x" * 30_000}}, locales=["en-US"])
    stage.run()
    assert stage.verified()["set_aside"] == 1


@one_vendor
def test_edits_of_content_and_model_during_the_check_settle(
    staged: Callable[..., Stage], simulator: Simulator, vendor: str
) -> None:
    """While both sides are read and the stream follows, nothing of it is a difference in the end."""
    stage = staged(vendor)

    def edit() -> None:
        simulator.add_field("author", "nickname", "symbol", localized=True)
        simulator.retype_field("product", "attributes", "symbols")
        for _ in range(20):
            time.sleep(0.2)  # spread over what the command takes: more at once, and a slow machine would not catch up
            simulator.churn(2)

    with stage.place.start("run") as run:
        assert run.said('"recovered"')
        stage.place.edit(r"poll_interval = 0\.1", "poll_interval = 20")
        simulator.on_page(vendor, 2, lambda: simulator.churn(5) and None)
        editor = threading.Thread(target=edit)
        editor.start()
        outcome = stage.place.start("verify", vendor, "--json").ends()
        editor.join()
    assert outcome.code == 0, outcome


def test_foreign_rows_are_counted(staged: Callable[..., Stage]) -> None:
    """A record that is no row of its table and key: a consumer that decodes it does not hold what the CMS delivers."""
    stage = staged("contentful")
    (one, (key, value)), (_, (_, other)), *_ = stage.reader.records("author").items()
    stage.write("author", key, b"junk")
    assert "its value is not contentwire's" in stage.verified(code=1)["foreign"][0]["why"]
    stage.write("author", key, other)
    assert "it is the row of another key" in stage.verified(code=1)["foreign"][0]["why"]
    (_, (_, asset)), *_ = stage.reader.records("_asset").items()
    stage.write("author", key, asset)
    assert (
        "its schema is not that of contentwire.table.contentful.author" in stage.verified(code=1)["foreign"][0]["why"]
    )
    stage.write("author", key, value)
    assert stage.verified()["proven"], one
