"""The simulator as a whole: its truth, determinism, script, log and admin API."""

import json
from typing import Any

import pytest

from connector.simulator import Request, Response, Simulator, UnknownEntityError
from connector.simulator.contentful import ENVIRONMENT, SPACE, TOKEN
from connector.simulator.cursor import BadCursorError, Cursor, Seal

CONTENTFUL = f"/spaces/{SPACE}/environments/{ENVIRONMENT}/sync"
STARTS: dict[str, tuple[str, dict[str, str]]] = {
    "contentful": (CONTENTFUL, {"initial": "true"}),
    "contentstack": ("/v3/stacks/sync", {"init": "true"}),
    "weegloo": ("/v1/spaces/wgSim1ated/sync", {"initial": "true", "type": "All"}),
}
HEADERS = {
    "contentful": {"authorization": f"Bearer {TOKEN}"},
    "contentstack": {"api_key": "bltsimulated0001", "access_token": "cssimulateddeliverytoken0001"},
    "weegloo": {"authorization": "Bearer simulated-weegloo-delivery-token"},
}
VENDORS = sorted(STARTS)


def send(simulator: Simulator, vendor: str, params: dict[str, str]) -> Any:
    """Return the JSON of a sync answer."""
    response = simulator.handle(Request("GET", STARTS[vendor][0], params, HEADERS[vendor]))
    assert response.status == 200, response.body
    return json.loads(response.body)


def continuation(page: Any) -> dict[str, str]:
    """Return the parameters of the request after `page`."""
    for name in ("pagination_token", "sync_token"):
        if name in page:
            return {name: page[name]}
    url = page.get("nextPageUrl") or page["nextSyncUrl"]
    name, value = url.split("?")[1].split("=")
    return {name: value}


def walk(simulator: Simulator, vendor: str, params: dict[str, str]) -> tuple[list[Any], dict[str, str]]:
    """Return the items of a walk, oldest first, and the parameters of the next delta."""
    pages = [send(simulator, vendor, params)]
    while (
        "nextPageUrl" in pages[-1] or "pagination_token" in pages[-1] or ("links" in pages[-1] and pages[-1]["items"])
    ):
        pages.append(send(simulator, vendor, continuation(pages[-1])))
    items = [item for page in pages for item in page["items"]]
    return items if vendor == "weegloo" else items[::-1], continuation(pages[-1])


def replayed(vendor: str, state: dict[tuple[str, ...], Any], items: list[Any]) -> dict[tuple[str, ...], Any]:
    """Apply `items` to what a reader of the vendor's documentation keeps: key -> fields."""
    for item in items:
        if vendor == "contentstack":
            _replay_one_locale(state, item)
        elif item["sys"]["type"].startswith("Deleted"):
            state.pop((item["sys"]["id"], "*"), None)
        else:
            state[item["sys"]["id"], "*"] = item.get("fields")
    return state


def _replay_one_locale(state: dict[tuple[str, ...], Any], item: Any) -> None:
    data = item["data"]
    if item["type"] == "content_type_deleted":
        for key in [key for key, data in state.items() if data["_type"] == item["content_type_uid"]]:
            del state[key]
    elif item["type"].endswith("_published"):
        state[data["uid"], data.get("publish_details", data)["locale"]] = {**data, "_type": item["content_type_uid"]}
    else:
        state.pop((data["uid"], data["locale"]), None)


def truth(simulator: Simulator, vendor: str) -> dict[tuple[str, ...], Any]:
    """Return the admin API's key -> fields."""
    return {
        (live.id, live.locale): None if live.fields is None else json.loads(live.fields)
        for live in simulator.truth(vendor)
    }


@pytest.mark.parametrize("vendor", VENDORS)
def test_following_the_stream_leads_to_the_truth(vendor: str) -> None:
    """Snapshot, then deltas over all sorts of edits: what a client holds is what the admin API says."""
    simulator = Simulator(seed=11, entries=120)
    items, cursor = walk(simulator, vendor, STARTS[vendor][1])
    state = replayed(vendor, {}, items)
    for count in (0, 1, 40, 200):
        simulator.churn(count)
        items, cursor = walk(simulator, vendor, cursor)
        replayed(vendor, state, items)
    if vendor == "contentstack":
        simulator.delete_content_type("author")
        replayed(vendor, state, walk(simulator, vendor, cursor)[0])
        for each in state.values():
            each.pop("_type")
    assert state == truth(simulator, vendor)


@pytest.mark.parametrize("vendor", VENDORS)
def test_the_truth_carries_the_very_bytes(vendor: str) -> None:
    """Fields are as in the items, byte for byte."""
    simulator = Simulator(seed=11, entries=20, page_sizes={vendor: 1000})
    response = simulator.handle(Request("GET", STARTS[vendor][0], STARTS[vendor][1], HEADERS[vendor]))
    lives = simulator.truth(vendor)
    assert len(lives) > 20
    assert all(live.fields is None or live.fields in response.body for live in lives)


@pytest.mark.parametrize("vendor", VENDORS)
def test_equal_seeds_and_calls_give_equal_bytes(vendor: str) -> None:
    """Another seed gives other content."""

    def answer(seed: int) -> Response:
        simulator = Simulator(seed=seed, entries=30)
        simulator.churn(50)
        return simulator.handle(Request("GET", STARTS[vendor][0], STARTS[vendor][1], HEADERS[vendor]))

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
    _, cursor = walk(simulator, "contentful", STARTS["contentful"][1])
    released = simulator.release(12)
    items, _ = walk(simulator, "contentful", cursor)
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
    simulator = Simulator(seed=1, entries=150)
    simulator.set_mode(vendor, "shift")
    first = send(simulator, vendor, STARTS[vendor][1])
    calls: list[int] = []
    simulator.on_page(vendor, 2, lambda: calls.append(1))
    second = send(simulator, vendor, continuation(first))
    send(simulator, vendor, continuation(second))
    assert calls == []
    first = send(simulator, vendor, STARTS[vendor][1])
    assert calls == []
    send(simulator, vendor, continuation(first))
    assert calls == [1]
    walk(simulator, vendor, STARTS[vendor][1])
    assert calls == [1]


def test_the_request_log_has_no_credentials() -> None:
    """But says whether there were any, and what was asked and answered."""
    simulator = Simulator(entries=5)
    params = {"initial": "true", "access_token": TOKEN}
    simulator.handle(Request("GET", CONTENTFUL, params, {"accept": "*/*", "authorization": "Bearer secret"}))
    [logged] = simulator.requests("contentful")
    assert (logged.kind, logged.params, logged.headers) == ("start", {"initial": "true"}, {"accept": "*/*"})
    assert (logged.authorised, logged.status) == (True, 401)
    assert "secret" not in repr(logged)
    assert TOKEN not in repr(logged)


def test_too_many_requests_are_limited() -> None:
    """Beyond so many a second, with the vendor's 429."""
    simulator = Simulator(entries=5, requests_per_second=3)
    request = Request("GET", CONTENTFUL, {"initial": "true"}, HEADERS["contentful"])
    statuses = [simulator.handle(request).status for _ in range(20)]
    assert statuses[:3] == [200] * 3
    assert 429 in statuses


def test_unknown_paths_and_vendors() -> None:
    """404, and an error that names the known ones."""
    simulator = Simulator(entries=5)
    assert simulator.handle(Request("GET", "/", {}, {})).status == 404
    with pytest.raises(LookupError, match="contentful, contentstack, weegloo"):
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
