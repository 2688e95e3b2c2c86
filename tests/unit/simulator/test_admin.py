"""The admin API: the simulator's methods over HTTP, and errors that say what is wrong."""

import json
from typing import Any

import pytest

from connector.simulator import Fault, Request, Simulator
from tests.unit.simulator.readers import READERS

CONTENTFUL = READERS["contentful"]


def post(simulator: Simulator, method: str, body: str = "", **params: str) -> tuple[int, Any]:
    """Call a method; return the status and the answer."""
    request = Request("POST", f"/_admin/{method}", params, {}, body.encode())
    response = simulator.handle(request)
    return response.status, json.loads(response.body)


def test_a_method_is_called_with_its_arguments() -> None:
    """From the body or, for a GET, from the query."""
    simulator = Simulator(entries=5)
    assert post(simulator, "ids") == (200, {"result": simulator.ids()})
    assert post(simulator, "ids", '{"kind": "asset"}') == (200, {"result": simulator.ids("asset")})
    assert post(simulator, "ids", kind="asset") == (200, {"result": simulator.ids("asset")})


def test_given_fields_are_kept_byte_for_byte() -> None:
    """Over HTTP too: `1.10` is not `1.1`."""
    simulator = Simulator(entries=1)
    body = '{"content_type": "product", "id": "p1", "fields": {"price": {"en-US": 1.10}}}'
    assert post(simulator, "publish", body) == (200, {"result": "p1"})
    (live,) = (each for each in simulator.truth("contentful") if each.id == "p1")
    assert live.fields
    assert b"1.10" in live.fields


def test_a_fault_is_its_members_and_the_vendor() -> None:
    """Members that are not given have their defaults."""
    simulator = Simulator(entries=1)
    assert post(simulator, "push_fault", '{"vendor": "weegloo", "kind": "slow", "delay": 2}')[0] == 200
    assert simulator.faults("weegloo") == [Fault("slow", delay=2)]


def test_edits_on_a_page_are_a_list_of_calls() -> None:
    """They happen when the page is made, not before."""
    simulator = Simulator(entries=1)
    edits = '[{"method": "publish", "arguments": {"content_type": "author", "id": "a1"}}]'
    assert post(simulator, "on_page", f'{{"vendor": "contentful", "page": 1, "edits": {edits}}}')[0] == 200
    assert "a1" not in simulator.ids()
    CONTENTFUL.ask(simulator, **CONTENTFUL.start)
    assert "a1" in simulator.ids()


@pytest.mark.parametrize(
    ("method", "body", "status"),
    [
        ("explode", "", 404),
        ("__init__", "", 404),
        ("handle", "", 404),
        ("edit", '{"id": "nobody"}', 404),
        ("truth", '{"vendor": "dreamcms"}', 404),
        ("edit", "{}", 400),
        ("ids", '{"colour": "red"}', 400),
        ("ids", "[", 400),
        ("ids", "[]", 400),
        ("push_fault", '{"vendor": "weegloo", "kind": "meteor"}', 400),
    ],
)
def test_what_cannot_be_done_is_an_error(method: str, body: str, status: int) -> None:
    """404 for what does not exist, 400 for wrong arguments; only the listed methods can be called."""
    answered, answer = post(Simulator(entries=1), method, body)
    assert (answered, list(answer)) == (status, ["error"])
