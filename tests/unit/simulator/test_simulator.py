"""The simulator as a whole: its truth, determinism, script, log and admin API."""

import json
from typing import Any

import pytest

from connector.simulator import Request, Response, Simulator, UnknownEntityError
from connector.simulator.contentful import TOKEN
from connector.simulator.cursor import BadCursorError, Cursor, Seal
from tests.unit.simulator.reader import State
from tests.unit.simulator.readers import READERS

VENDORS = tuple(READERS)
CONTENTFUL = READERS["contentful"]


def start(simulator: Simulator, vendor: str) -> Response:
    """Send the request that starts an initial sync."""
    return READERS[vendor].ask(simulator, **READERS[vendor].start)


def truth(simulator: Simulator, vendor: str) -> dict[tuple[str, ...], Any]:
    """Return the admin API's key -> fields."""
    return {
        (live.id, live.locale): None if live.fields is None else json.loads(live.fields)
        for live in simulator.truth(vendor)
    }


def test_every_vendor_can_be_read() -> None:
    """Whoever adds a vendor is told that its reader is missing."""
    assert Simulator(entries=1).vendors == VENDORS


@pytest.mark.parametrize("vendor", VENDORS)
def test_following_the_stream_leads_to_the_truth(vendor: str) -> None:
    """Snapshot, then deltas over all sorts of edits: what a client holds is what the admin API says."""
    simulator, reader, state = Simulator(seed=11, entries=120), READERS[vendor], State()
    cursor = reader.read(simulator, state, reader.start)
    for count in (0, 1, 40, 200):
        simulator.churn(count)
        cursor = reader.read(simulator, state, cursor)
    simulator.delete_content_type("author")
    reader.read(simulator, state, cursor)
    # Where a content type is delivered, its own removal is not.
    state.pop(("author", "*"), None)
    assert {key: fields for key, (fields, _) in state.items()} == truth(simulator, vendor)


@pytest.mark.parametrize("vendor", VENDORS)
def test_the_truth_carries_the_very_bytes(vendor: str) -> None:
    """Fields are as in the items, byte for byte."""
    simulator = Simulator(seed=11, entries=20, page_sizes={vendor: 1000})
    response = start(simulator, vendor)
    lives = simulator.truth(vendor)
    assert len(lives) > 20
    assert all(live.fields is None or live.fields in response.body for live in lives)


@pytest.mark.parametrize("vendor", VENDORS)
def test_equal_seeds_and_calls_give_equal_bytes(vendor: str) -> None:
    """Another seed gives other content."""

    def answer(seed: int) -> Response:
        simulator = Simulator(seed=seed, entries=30)
        simulator.churn(50)
        return start(simulator, vendor)

    assert answer(4) == answer(4)
    assert answer(4).body != answer(5).body


def test_entries_are_live_at_the_start() -> None:
    """As many as asked for, a fifth as many assets (and one), and all content types."""
    simulator = Simulator(entries=100)
    assert len(simulator.ids()) == 100
    assert len(simulator.ids("asset")) == 21
    assert set(simulator.ids("content_type")) == {"blogPost", "product", "author", "category"}


def test_a_simulator_may_be_empty() -> None:
    """Of entries."""
    assert Simulator(entries=0).ids() == []


def test_a_release_has_one_time() -> None:
    """For all its entries."""
    simulator = Simulator(entries=30)
    cursor = CONTENTFUL.caught_up(simulator)
    released = simulator.release(12)
    items = CONTENTFUL.items(simulator, sync_token=cursor)
    assert {item["sys"]["id"] for item in items} == set(released)
    assert len({item["sys"]["updatedAt"] for item in items}) == 1


def test_a_deleted_entity_starts_again_with_revision_1() -> None:
    """When it is created under its old id."""
    simulator = Simulator(entries=5)
    id_ = simulator.ids()[0]
    simulator.edit(id_)
    simulator.delete(id_)
    simulator.publish("author", id=id_)
    assert [live.revision for live in simulator.truth("contentful") if live.id == id_] == [1]


def test_a_skewed_clock_dates_changes_earlier() -> None:
    """Order in the stream is that of the changes."""
    simulator = Simulator(entries=5)
    simulator.skew_clock(-3600)
    id_ = simulator.edit(simulator.ids()[0])
    *others, skewed = simulator.truth("contentful")
    assert skewed.id == id_
    assert all(skewed.changed_at < other.changed_at for other in others)


def test_wall_clock_dates_changes_with_real_time() -> None:
    """Content of the start lies before."""
    simulator = Simulator(entries=5, wall_clock=True)
    simulator.edit(simulator.ids()[0])
    times = [live.changed_at for live in simulator.truth("contentful")]
    assert times == sorted(times)


def test_unknown_entities_and_locales_are_refused() -> None:
    """With their names."""
    simulator = Simulator(entries=5)
    with pytest.raises(UnknownEntityError, match="nobody"):
        simulator.edit("nobody")
    with pytest.raises(UnknownEntityError, match="it-IT"):
        simulator.publish("author", locales=["it-IT"])
    id_ = simulator.publish("author", locales=["en-US"])
    with pytest.raises(UnknownEntityError, match="de-DE"):
        simulator.unpublish(id_, locale="de-DE")


@pytest.mark.parametrize("vendor", VENDORS)
def test_edits_on_a_page_wait_for_the_next_walk(vendor: str) -> None:
    """And happen once, after that page."""
    simulator, reader = Simulator(seed=1, entries=300), READERS[vendor]
    simulator.set_mode(vendor, "shift")
    under_way = reader.pages(simulator, **reader.start)
    next(under_way)
    calls: list[int] = []
    simulator.on_page(vendor, 2, lambda: calls.append(1))
    next(under_way)
    next(under_way)
    assert calls == []
    pages = reader.pages(simulator, **reader.start)
    next(pages)
    assert calls == []
    next(pages)
    assert calls == [1]
    assert reader.items(simulator, **reader.start)
    assert calls == [1]


def test_the_request_log_has_no_credentials() -> None:
    """But says whether there were any, and what was asked and answered."""
    simulator = Simulator(entries=5)
    params = {"initial": "true", "access_token": TOKEN}
    CONTENTFUL.ask(simulator, None, {"accept": "*/*", "authorization": "Bearer secret"}, **params)
    [logged] = simulator.requests("contentful")
    assert (logged.kind, logged.params, logged.headers) == ("start", {"initial": "true"}, {"accept": "*/*"})
    assert (logged.authorised, logged.status) == (True, 401)
    assert "secret" not in repr(logged)
    assert TOKEN not in repr(logged)


def test_too_many_requests_are_limited() -> None:
    """Beyond so many a second, with the vendor's 429."""
    simulator = Simulator(entries=5, requests_per_second=3)
    statuses = [start(simulator, "contentful").status for _ in range(20)]
    assert statuses[:3] == [200] * 3
    assert 429 in statuses


def test_unknown_paths_and_vendors() -> None:
    """404, and an error that names the known ones."""
    simulator = Simulator(entries=5)
    assert simulator.handle(Request("GET", "/", {}, {})).status == 404
    with pytest.raises(LookupError, match=", ".join(VENDORS)):
        simulator.truth("dreamcms")


@pytest.mark.parametrize("text", ["", "é", "AAAA", "x" * 200])
def test_text_from_elsewhere_is_no_cursor(text: str) -> None:
    """Nor is one that was altered, or sealed with another secret."""
    with pytest.raises(BadCursorError):
        Seal("secret").open(text)


def test_cursors_cannot_be_read_or_altered() -> None:
    """They show nothing of their scope."""
    cursor = Cursor("space/environment", since=5)
    text = Seal("secret").close(cursor)
    assert Seal("secret").open(text) == cursor
    assert "space" not in text
    with pytest.raises(BadCursorError):
        Seal("other").open(text)
    with pytest.raises(BadCursorError):
        Seal("secret").open(text[:-2] + ("AA" if text[-2:] != "AA" else "BB"))
