"""The admin API: the simulator's methods over HTTP, and errors that say what is wrong."""

import json
import re
from pathlib import Path
from typing import Any, get_args

import pytest

from connector.simulator import Fault, FieldType, Request, Simulator
from tests.unit.simulator.readers import READERS

CONTENTFUL = READERS["contentful"]
PAGE = (Path(__file__).parents[3] / "docs" / "simulator.md").read_text(encoding="utf-8")


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


def test_the_content_model_is_edited_like_content() -> None:
    """Fields of a new type are a list; the answers are ids, and the model as a vendor tells it."""
    simulator = Simulator(entries=5)
    event = '{"id": "event", "name": "Event", "fields": [{"name": "label", "type": "symbol", "localized": true}]}'
    calls = [
        ("add_content_type", event, "event"),
        ("add_field", '{"content_type": "event", "name": "by", "type": "entry", "target": "author"}', "event-r2"),
        ("rename_field", '{"content_type": "event", "name": "by", "to": "host"}', "event-r2"),
        ("retype_field", '{"content_type": "event", "name": "host", "type": "number"}', "event-r2"),
        ("remove_field", '{"content_type": "event", "name": "host"}', "event-r2"),
        ("add_locale", '{"code": "de-AT", "fallback": "de-DE"}', "de-AT"),
        ("delete_content_type", '{"content_type": "author"}', "author"),
    ]
    for method, body, result in calls:
        assert post(simulator, method, body) == (200, {"result": result}), method
    _, answer = post(simulator, "model", vendor="contentstack")
    *_, added = answer["result"]["content_types"]
    assert (added["id"], added["name"]) == ("event", "Event")
    assert [(each["name"], each["type"], each["localized"]) for each in added["fields"]] == [
        ("title", "symbol", True),
        ("label", "symbol", True),
    ]
    assert answer["result"]["locales"][-1] == {"code": "de-at", "name": "de-AT", "fallback": "de-de"}


@pytest.mark.parametrize(
    ("method", "body", "status"),
    [
        ("model", "", 400),
        ("model", '{"vendor": "dreamcms"}', 404),
        ("add_field", '{"content_type": "dream", "name": "rank", "type": "integer"}', 404),
        ("add_field", '{"content_type": "author", "name": "rank", "type": "colour"}', 400),
        ("add_field", '{"content_type": "author", "name": "name", "type": "text"}', 400),
        ("remove_field", '{"content_type": "author", "name": "rank"}', 404),
        ("add_content_type", '{"id": "event", "fields": [{"name": "label", "type": "colour"}]}', 400),
        ("add_content_type", '{"id": "event", "fields": {"label": {}}}', 400),
        ("add_locale", '{"code": "de-AT", "fallback": "it-IT"}', 404),
        ("publish", '{"fields": [{"name": "label", "type": "symbol"}]}', 400),
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


def test_the_page_shows_calls_that_work() -> None:
    """One after the other, as they stand there."""
    simulator = Simulator(entries=60)
    calls = re.findall(r"curl -d '(.*)' localhost:8484/_admin/(\w+)", PAGE)
    assert len(calls) > 15
    for body, method in calls:
        given = body.replace("…", simulator.ids()[0])
        assert post(simulator, method, given)[0] == 200, (method, given)


def test_the_page_names_every_type_of_field() -> None:
    """With how they are spelled."""
    assert [each for each in get_args(FieldType) if f"`{each}`" not in PAGE] == []
