"""Contentful's model requests against the vendor's documentation and recordings."""

import json
from typing import Any

import pytest

from connector.simulator import Field, Simulator
from tests.unit.simulator.reader import body
from tests.unit.simulator.readers.contentful import READER, ROOT

ask = READER.ask

# As recorded in 2022: members in this order, links with their type at the end.
TYPE = ["sys", "displayField", "name", "description", "fields"]
SYS = {"space", "id", "type", "createdAt", "updatedAt", "environment", "revision"}
FIELD = ["id", "name", "type", "localized", "required", "disabled", "omitted"]
ITEMS = {"Link": ["type", "validations", "linkType"], "Symbol": ["type", "validations"]}
LOCALE = ["code", "name", "default", "fallbackCode", "sys"]


@pytest.fixture
def simulator() -> Simulator:
    """One with fields of every type."""
    return Simulator(seed=7, entries=30, content_types=20)


def listed(simulator: Simulator, path: str = "content_types", **params: str) -> Any:
    """Return a collection."""
    return body(ask(simulator, f"{ROOT}/{path}", **params))


def named(simulator: Simulator, content_type: str) -> Any:
    """Return one content type."""
    return listed(simulator, f"content_types/{content_type}")


def test_a_client_reads_the_model_as_it_is(simulator: Simulator) -> None:
    """Page by page."""
    assert READER.model(simulator) == simulator.model("contentful")
    assert len(simulator.model("contentful").content_types) == 20


def test_content_types_have_the_recorded_shape(simulator: Simulator) -> None:
    """Every type, and every field of it."""
    listing = listed(simulator)
    assert list(listing) == ["sys", "total", "skip", "limit", "items"]
    assert (listing["sys"], listing["total"], listing["skip"], listing["limit"]) == ({"type": "Array"}, 20, 0, 100)
    for each in listing["items"]:
        assert list(each) == TYPE
        assert set(each["sys"]) == SYS
        assert each["displayField"] == each["fields"][0]["id"]
        for field in each["fields"]:
            extra = {"Link": ["linkType"], "Array": ["items"]}.get(field["type"], [])
            assert list(field) == FIELD + extra
            if extra == ["items"]:
                assert list(field["items"]) == ITEMS[field["items"]["type"]]


def test_locales_have_the_recorded_shape(simulator: Simulator) -> None:
    """Up to 1,000 on a page, without being asked; the default one falls back to none."""
    simulator.add_locale("de-AT", fallback="de-DE", name="German (Austria)")
    listing = listed(simulator, "locales")
    assert (listing["total"], listing["limit"]) == (4, 1000)
    assert all(list(each) == LOCALE for each in listing["items"])
    assert {each["code"]: (each["default"], each["fallbackCode"]) for each in listing["items"]} == {
        "en-US": (True, None),
        "de-DE": (False, "en-US"),
        "fr-FR": (False, "en-US"),
        "de-AT": (False, "de-DE"),
    }


def test_pages_are_ordered_by_id(simulator: Simulator) -> None:
    """Either way; skipped items are not on the page, the total stays."""
    ids = sorted(simulator.ids("content_type"))
    page = listed(simulator, order="sys.id", skip="3", limit="5")
    assert [each["sys"]["id"] for each in page["items"]] == ids[3:8]
    assert (page["total"], page["skip"], page["limit"]) == (20, 3, 5)
    last = listed(simulator, order="-sys.id", limit="1000")["items"]
    assert [each["sys"]["id"] for each in last] == ids[::-1]


@pytest.mark.parametrize(
    "params", [{"limit": "1001"}, {"limit": "many"}, {"skip": "-1"}, {"order": "fields.name"}, {"include": "2"}]
)
def test_a_wrong_query_is_refused(simulator: Simulator, params: dict[str, str]) -> None:
    """As an invalid query, in the vendor's words."""
    for path in ("content_types", "locales"):
        refused = ask(simulator, f"{ROOT}/{path}", **params)
        assert (refused.status, json.loads(refused.body)["sys"]["id"]) == (400, "InvalidQuery")
        assert json.loads(refused.body)["message"].startswith("The query you sent was invalid.")


def test_wrong_credentials_are_refused(simulator: Simulator) -> None:
    """As for every other request."""
    assert ask(simulator, f"{ROOT}/content_types", {}).status == 401
    assert ask(simulator, ROOT.replace("master", "other") + "/locales").status == 404


def test_an_edit_is_a_revision_that_the_stream_does_not_tell(simulator: Simulator) -> None:
    """Nothing is delivered until an entry is published again."""
    cursor = READER.caught_up(simulator)
    before = named(simulator, "author")
    simulator.add_field("author", "rank", "integer")
    simulator.rename_field("author", "bornOn", "birthday")
    after = named(simulator, "author")
    assert READER.items(simulator, sync_token=cursor) == []
    assert (before["sys"]["revision"], after["sys"]["revision"]) == (1, 3)
    assert after["sys"]["updatedAt"] > before["sys"]["updatedAt"]
    ids = [field["id"] for field in after["fields"] if not field["disabled"]]
    assert ids == ["name", "biography", "portrait", "birthday", "rank"]


def test_any_json_is_an_object(simulator: Simulator) -> None:
    """Groups and blocks have no type of their own."""
    simulator.add_content_type("card", [Field("name", "symbol"), Field("a", "group"), Field("b", "blocks")])
    assert [field["type"] for field in named(simulator, "card")["fields"][:3]] == ["Symbol", "Object", "Object"]


def test_fields_without_a_value_are_disabled_ones(simulator: Simulator) -> None:
    """As recorded: what editors no longer see is still in entries and in the model."""
    for each in listed(simulator)["items"]:
        disabled = [field for field in each["fields"] if field["disabled"]]
        assert [field["id"] for field in disabled] == ["emptyField", "nullField"]


def test_an_entry_is_read_in_the_fallbacks_of_a_locale(simulator: Simulator) -> None:
    """The nearest one that has a value; a locale without a fallback has none."""
    simulator.add_locale("de-AT", fallback="de-DE")
    simulator.add_locale("it-IT")
    id_ = simulator.publish("author", locales=["en-US", "de-DE"])
    path = f"{ROOT}/entries/{id_}"
    by_locale = body(ask(simulator, path, locale="*"))["fields"]
    austrian = body(ask(simulator, path, locale="de-AT"))["fields"]
    assert austrian["biography"] == by_locale["biography"]["de-DE"]
    assert austrian["name"] == by_locale["name"]["en-US"]
    assert body(ask(simulator, path, locale="it-IT"))["fields"] == {}
