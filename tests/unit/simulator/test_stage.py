"""What surrounds a front end: edits between pages, a rate limit, and a log of requests without credentials."""

import pytest

from connector.simulator import Fault, Simulator
from connector.simulator.contentful import TOKEN
from tests.unit.simulator.readers import READERS

VENDORS = tuple(READERS)
CONTENTFUL = READERS["contentful"]


@pytest.mark.parametrize("vendor", VENDORS)
def test_edits_on_a_page_wait_for_the_next_walk(vendor: str) -> None:
    """They happen once, after that page."""
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
    """But it says whether there were any, what was requested, and the answer."""
    simulator = Simulator(entries=5)
    params = {"initial": "true", "access_token": TOKEN}
    CONTENTFUL.ask(simulator, None, {"accept": "*/*", "authorization": "Bearer secret"}, **params)
    [logged] = simulator.requests("contentful")
    assert (logged.kind, logged.params, logged.headers) == ("start", {"initial": "true"}, {"accept": "*/*"})
    assert (logged.authorised, logged.status) == (True, 401)
    assert "secret" not in repr(logged)
    assert TOKEN not in repr(logged)


def test_too_many_requests_are_limited() -> None:
    """With the vendor's 429, beyond the given number per second."""
    simulator = Simulator(entries=5, requests_per_second=3)
    statuses = [CONTENTFUL.ask(simulator, **CONTENTFUL.start).status for _ in range(20)]
    assert statuses[:3] == [200] * 3
    assert 429 in statuses


def test_what_was_scripted_can_be_withdrawn() -> None:
    """Both faults and edits, of one vendor."""
    simulator = Simulator(entries=5)
    calls: list[int] = []
    for vendor in ("contentful", "weegloo"):
        simulator.push_fault(vendor, Fault("reset"))
    simulator.on_page("contentful", 1, lambda: calls.append(1))
    simulator.clear_faults("contentful")
    assert CONTENTFUL.ask(simulator, **CONTENTFUL.start).status == 200
    assert (calls, simulator.faults("contentful"), len(simulator.faults("weegloo"))) == ([], [], 1)


def test_a_request_that_met_a_fault_says_so() -> None:
    """The log has the answer, and the fault that gave it."""
    simulator = Simulator(entries=5)
    simulator.push_fault("contentful", Fault("status", status=503))
    CONTENTFUL.ask(simulator, **CONTENTFUL.start)
    CONTENTFUL.ask(simulator, **CONTENTFUL.start)
    logged = simulator.requests("contentful")
    assert [(each.status, each.fault, each.items > 0) for each in logged] == [(503, "status", False), (200, None, True)]


def ask_model(simulator: Simulator, vendor: str, **params: str) -> int:
    """Send a model request and return its status."""
    paths = {"contentful": "content_types", "contentstack": "content_types", "weegloo": "locales"}
    root = "/v3" if vendor == "contentstack" else READERS[vendor].path.removesuffix("/sync")
    return READERS[vendor].ask(simulator, f"{root}/{paths[vendor]}", **params).status


@pytest.mark.parametrize("vendor", VENDORS)
def test_model_requests_are_told_apart(vendor: str) -> None:
    """They have a list of their own; who asks for one content type alone probes whether there is an answer."""
    simulator, reader = Simulator(entries=5), READERS[vendor]
    reader.ask(simulator, **reader.start)
    assert (ask_model(simulator, vendor), ask_model(simulator, vendor, limit="1")) == (200, 200)
    assert [(each.kind, each.items > 0) for each in simulator.requests(vendor)] == [("start", True), ("probe", False)]
    assert [(each.kind, each.status, each.authorised) for each in simulator.model_requests(vendor)] == [
        ("model", 200, True)
    ]
    simulator.clear_requests(vendor)
    assert (simulator.requests(vendor), simulator.model_requests(vendor)) == ([], [])


@pytest.mark.parametrize("vendor", VENDORS)
def test_faults_can_be_meant_for_model_requests(vendor: str) -> None:
    """Those for sync requests and for probes spare them."""
    simulator, reader = Simulator(entries=5), READERS[vendor]
    for on, status in (("sync", 500), ("probe", 502), ("model", 503)):
        simulator.push_fault(vendor, Fault("status", status=status, on=on))  # type: ignore[arg-type]
    assert [ask_model(simulator, vendor) for _ in range(2)] == [503, 200]
    assert reader.ask(simulator, **reader.start).status == 500
    simulator.push_fault(vendor, Fault("truncated_body", on="any"))
    assert ask_model(simulator, vendor) == 200
    assert simulator.model_requests(vendor)[-1].fault == "truncated_body"


@pytest.mark.parametrize("vendor", VENDORS)
def test_model_requests_count_for_the_rate_limit(vendor: str) -> None:
    """Like all others."""
    simulator = Simulator(entries=5, requests_per_second=2)
    assert 429 in [ask_model(simulator, vendor) for _ in range(20)]
