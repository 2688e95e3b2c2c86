"""Each side of a proof: what a CMS delivers while it changes and fails, and what topics hold."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
import pytest

from connector.cms.content_model import described
from connector.errors import SourceRejected
from connector.events import canonical_json
from connector.events.filters import wanted
from connector.events.policy import Policy
from connector.model.checkpoint import Position
from connector.simulator import Fault, Simulator
from connector.tables.catalog import Catalog
from connector.tables.columns import Options
from connector.testing import ManualClock
from connector.vendors import names
from connector.verify.comparison import Comparison
from connector.verify.due import DueRows
from connector.verify.sides import Delivered, Published, Trace
from tests.cms import truth
from tests.story import source_of
from tests.tables import locales
from tests.unit.verify.given import EVERYTHING, entry, given, held, quiet, row
from tests.values import CONNECTION, clock, entry_key, page, published, removed, removed_type

VENDORS = names()
Reading = Callable[..., Delivered]


@pytest.fixture
def simulator() -> Simulator:
    """Return a simulator with small pages."""
    return Simulator(entries=30, page_sizes=dict.fromkeys(VENDORS, 7))


@pytest.fixture
def delivered(simulator: Simulator) -> Reading:
    """Return a function that makes the CMS's side of a vendor's proof, not yet read."""

    def make(vendor: str, policy: Policy = EVERYTHING) -> Delivered:
        source = source_of(simulator, vendor, page_size=7)
        return Delivered(source, policy, Position(page_size=7), ManualClock(), quiet)

    return make


def assert_delivers_the_truth(side: Delivered, simulator: Simulator, vendor: str) -> None:
    """Check keys, tables, revisions, clocks and content against the simulator's own account."""
    expected = truth(simulator, vendor, lambda key, kind: wanted(side._policy, key, kind))
    assert side.traces.keys() == expected.keys()
    for key, (content_type, revision, ms, fields) in expected.items():
        trace = side.traces[key]
        assert trace.table == {"asset": "_asset", "content_type": "_content_type"}.get(key.entity_type, content_type)
        assert (trace.revision, (trace.clock or 0) // 1000) == (revision, ms)
        assert trace.content == canonical_json.digest(fields)


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_read_gives_what_the_cms_delivers(delivered: Reading, simulator: Simulator, vendor: str) -> None:
    """A first read and a later one, after changes of every kind, each give the current content."""
    side = delivered(vendor)
    side.read()
    assert_delivers_the_truth(side, simulator, vendor)
    simulator.churn(20)
    side.read()
    assert_delivers_the_truth(side, simulator, vendor)


def test_a_removed_type_is_read_as_the_api_reports_it(delivered: Reading, simulator: Simulator) -> None:
    """One item that stands for many entities, in the middle of a walk."""
    side = delivered("contentstack")
    side.read()
    simulator.delete_content_type("author")
    side.read()
    assert_delivers_the_truth(side, simulator, "contentstack")


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("mode", ["shift", "refuse"])
def test_content_may_change_while_it_is_read(delivered: Reading, simulator: Simulator, vendor: str, mode: Any) -> None:
    """Neither items that move between pages nor a CMS that then refuses the next page spoil the read."""
    simulator.set_mode(vendor, mode)
    simulator.on_page(vendor, 2, lambda: simulator.churn(10))
    side = delivered(vendor)
    side.read()
    assert_delivers_the_truth(side, simulator, vendor)


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("fault", [Fault("status", on="cursor"), Fault("repeat_cursor", on="cursor", after=1)])
def test_a_read_survives_occasional_faults_of_the_cms(
    delivered: Reading, simulator: Simulator, vendor: str, fault: Fault
) -> None:
    """A failed request is repeated, a broken walk starts again."""
    simulator.push_fault(vendor, fault)
    side = delivered(vendor)
    side.read()
    assert_delivers_the_truth(side, simulator, vendor)


def test_a_read_ends_if_the_cms_refuses_permanently(delivered: Reading, simulator: Simulator) -> None:
    """Wrong credentials are reported, not tried again."""
    simulator.push_fault("contentful", Fault("status", status=403, times=None))
    with pytest.raises(SourceRejected):
        delivered("contentful").read()


@pytest.mark.parametrize("vendor", VENDORS)
def test_filters_apply_as_in_the_stream(delivered: Reading, simulator: Simulator, vendor: str) -> None:
    """What the operator excludes is not a difference."""
    side = delivered(vendor, Policy(entity_types=frozenset({"entry"}), content_types=frozenset({"author"})))
    side.read()
    assert side.traces
    assert_delivers_the_truth(side, simulator, vendor)


def test_an_older_repetition_never_wins() -> None:
    """Neither over a newer state nor over a removal; equal clocks let the later item win."""
    assert given(published(second=2, revision=5), published(second=1)).traces[entry_key()].revision == 5
    assert given(removed(second=2), published(second=1)).traces == {}
    assert given(published(second=2), removed(second=1)).traces.keys() == {entry_key()}
    assert given(removed(second=1), published(second=1)).traces.keys() == {entry_key()}


def test_a_higher_revision_with_an_older_clock_wins_as_in_the_stream() -> None:
    """Between published states only: against a removal the clock decides."""
    older_clock = published(revision=3, changed_at=clock(1))
    assert given(published(second=2, revision=2), older_clock).traces[entry_key()].revision == 3
    assert given(older_clock, published(second=2, revision=2)).traces[entry_key()].revision == 2
    assert given(removed(second=2), older_clock).traces == {}


def test_an_entity_that_leaves_the_filter_is_gone() -> None:
    """Published under another content type, it is no longer wanted."""
    side = given(published("e1"))
    side._policy = Policy(content_types=frozenset({"post"}))
    side._take(page(published("e1", 2, content_type="page"), after=Position()))
    assert side.traces == {}


def test_a_removed_type_takes_its_entries_along() -> None:
    """But no entry that is newer than the removal, and none of another type."""
    other = published("e3", content_type="page")
    side = given(published("e1"), published("e2", 9), other, removed_type("post", 5))
    assert side.traces.keys() == {entry_key("e2"), entry_key("e3")}


def test_an_unreadable_item_is_not_gone(delivered: Reading, simulator: Simulator) -> None:
    """A key whose current item is malformed is counted, and is not extra."""
    simulator.push_fault("contentful", Fault("malformed_item", item='{"sys": {"id": "bad1", "type": "Gadget"}}'))
    side = delivered("contentful")
    side.read()
    assert side.unreadable == {"bad1"}
    comparison = Comparison(side, held(entry(published("bad1"))), ManualClock(), shallow=True)
    comparison.compare([entry_key("bad1")])
    assert comparison.differences == {}


def test_what_became_readable_again_is_compared_again(delivered: Reading, simulator: Simulator) -> None:
    """An item that a later delta delivers whole is no longer excused."""
    one = simulator.ids()[0]
    simulator.push_fault("contentful", Fault("malformed_item", item=json.dumps({"sys": {"id": one, "type": "Gadget"}})))
    side = delivered("contentful")
    side.read()
    simulator.edit(one)
    side.read()
    assert side.unreadable == set()


def test_only_digests_are_kept() -> None:
    """However large a document is, little is kept of it."""
    side = given(published("e1", fields=b'{"title":"%s"}' % (b"x" * 1_000_000)))
    trace = side.traces[entry_key()]
    assert isinstance(trace, Trace)
    assert len(msgspec.json.encode(trace)) < 300


def tabled(simulator: Simulator, vendor: str) -> Delivered:
    """Return the CMS's side with tables of which the stream has recorded nothing."""
    source = source_of(simulator, vendor, page_size=7)
    reading = source.vendor

    def made(options: Options) -> Catalog:
        own, read = reading.own_members, partial(described, reading.model)
        return Catalog(CONNECTION, options, read, localized=reading.localized, own_members=own)

    tables = DueRows(made, Options(), dict, reading.model, 10**7)
    return Delivered(source, EVERYTHING, Position(page_size=7), ManualClock(), quiet, tables=tables)


def assert_rows_are_due(side: Delivered, simulator: Simulator, vendor: str) -> None:
    """Check that each entry has a row that fits in each of its locales."""
    default = simulator.model(vendor).locales[0].code
    wanted = {
        (live.id, locale)
        for live in simulator.truth(vendor)
        if live.entity_type == "entry"
        for locale in locales(live, json.loads(live.fields or b"{}"), default)
    }
    entries = {key: trace for key, trace in side.traces.items() if key.entity_type == "entry"}
    assert {(key.id, locale) for key, trace in entries.items() for _, locale in trace.rows} == wanted
    assert all(row.ways for trace in entries.values() for row in trace.rows.values())


@pytest.mark.parametrize("vendor", VENDORS)
def test_rows_are_made_by_one_model(simulator: Simulator, vendor: str) -> None:
    """Whenever it has changed, everything is read again, as rows may be other ones now; else only what is new."""
    side = tabled(simulator, vendor)
    side.read()
    assert_rows_are_due(side, simulator, vendor)
    assert any(key.entity_type == "content_type" for key in side.traces)
    before = {key: trace.rows for key, trace in side.traces.items() if trace.table == "author"}
    simulator.churn(5)
    simulator.clear_requests(vendor)
    side.read()
    few = len(simulator.requests(vendor))
    simulator.add_field("author", "nickname", "symbol", localized=True)
    simulator.add_locale("nl-NL", fallback="en-US")
    simulator.publish("author", locales=["en-US", "nl-NL"])
    simulator.clear_requests(vendor)
    side.read()
    assert len(simulator.requests(vendor)) > few
    assert_rows_are_due(side, simulator, vendor)
    after = {key: trace.rows for key, trace in side.traces.items() if key in before}
    assert {key for key, rows in after.items() if rows == before[key]} == set()


def test_rows_are_held_as_their_topics_say_last() -> None:
    """Of their entity, by table and locale; deleted ones are not; foreign ones stand beside them."""
    side = held()
    side.take_rows([row("e1", "en-US"), row("e1", "de-DE"), row("e2", "en-US"), row("e1", "de-DE", None)])
    assert {key: set(rows) for key, rows in side.rows.items()} == {
        entry_key("e1"): {("post", "en-US")},
        entry_key("e2"): {("post", "en-US")},
    }
    side.take_rows([row("e2", "en-US", None)])
    assert side.rows.keys() == {entry_key("e1")}
    assert side.go_on == {("cw.blog.table.post", 1): 8}
    own = Published((), quiet, localized=True)
    own.take_rows([row("e1", "de-DE")])
    assert own.rows.keys() == {entry_key("e1", "de-DE")}
