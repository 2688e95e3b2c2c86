"""Weegloo's content types and locales against the vendor's documentation."""

from typing import Any

import pytest

from connector.simulator import Field, Simulator
from tests.unit.simulator.reader import body
from tests.unit.simulator.readers.weegloo import READER, ROOT

ask, items, caught_up = READER.ask, READER.items, READER.caught_up

# As documented: members in this order; a list says what is in it.
FIELD = ["id", "name", "apiName", "type", "localized", "required", "validations", "disabled"]
LOCALE_SYS = {
    "id", "type", "space", "name", "default", "code", "createdBy", "createdAt", "updatedAt", "updatedBy", "version",
}  # fmt: skip


@pytest.fixture
def simulator() -> Simulator:
    """One with fields of every type."""
    return Simulator(seed=7, entries=30, content_types=20)


def types(delivered: list[Any]) -> dict[str, Any]:
    """Return the content types among items, by id."""
    return {item["sys"]["id"]: item for item in delivered if item["sys"]["type"] == "ContentType"}


def test_a_client_reads_the_model_as_it_is(simulator: Simulator) -> None:
    """From the items of the stream, and from the locales."""
    assert READER.model(simulator) == simulator.model("weegloo")
    assert len(simulator.model("weegloo").content_types) == 20


def test_content_types_have_the_documented_shape(simulator: Simulator) -> None:
    """A label is not a name, and what a link may point to is a rule; a list's rules are those of its items."""
    found = types(items(simulator, **READER.start))
    for each in found.values():
        assert list(each) == ["sys", "name", "displayField", "fields"]
        for field in each["fields"]:
            assert list(field) == FIELD + (["items"] if field["type"] == "Array" else [])
    fields = {field["apiName"]: field for field in found["blogPost"]["fields"]}
    author = {"sys": {"id": "author", "type": "Refer", "targetType": "ContentType"}}
    assert fields["author"]["validations"] == [{"referContentType": [author]}]
    assert fields["related"]["items"]["type"] == "Refer"
    assert (fields["heroImage"]["name"], fields["heroImage"]["type"]) == ("Hero image", "Refer")


def test_an_edit_delivers_the_changed_type(simulator: Simulator) -> None:
    """Once for any number of edits between two polls, in its next revision; its entries stay as they are."""
    cursor = caught_up(simulator)
    simulator.add_field("author", "rank", "integer")
    simulator.remove_field("author", "portrait")
    [author] = items(simulator, sync_token=cursor)
    assert (author["sys"]["id"], author["sys"]["type"], author["sys"]["revision"]) == ("author", "ContentType", 3)
    assert [field["apiName"] for field in author["fields"]] == ["name", "biography", "bornOn", "rank"]


def test_a_renamed_field_keeps_its_id(simulator: Simulator) -> None:
    """And no other field gets the id of one that is gone."""
    cursor = caught_up(simulator)
    before = {field["apiName"]: field["id"] for field in types(items(simulator, **READER.start))["author"]["fields"]}
    simulator.rename_field("author", "bornOn", "birthday")
    simulator.remove_field("author", "portrait")
    simulator.add_field("author", "portrait", "asset")
    [author] = items(simulator, sync_token=cursor)
    after = {field["apiName"]: field["id"] for field in author["fields"]}
    assert after["birthday"] == before["bornOn"]
    assert after["portrait"] not in before.values()


def test_a_new_type_is_delivered_and_a_renamed_title_is_the_display_field(simulator: Simulator) -> None:
    """Before any entry of it."""
    cursor = caught_up(simulator)
    simulator.add_content_type("extra", [Field("name", "text"), Field("size", "number")], name="An extra")
    simulator.rename_field("extra", "name", "heading")
    simulator.publish("extra", id="e1")
    extra, entry = items(simulator, sync_token=cursor)
    assert (extra["name"], extra["displayField"]) == ("An extra", "heading")
    assert entry["fields"].keys() == {"heading", "size"}


def test_locales_have_the_documented_shape(simulator: Simulator) -> None:
    """Code, name and whether it is the default are in `sys`; a fallback is only there if it is set."""
    simulator.add_locale("it-IT", name="Italian (Italy)")
    listing = body(ask(simulator, f"{ROOT}/locales"))
    assert listing["sys"] == {"type": "PageResponse"}
    assert all(each["sys"].keys() == LOCALE_SYS for each in listing["items"])
    assert [(each["sys"]["code"], each["sys"]["default"], each.get("fallbackCode")) for each in listing["items"]] == [
        ("en-US", True, None),
        ("de-DE", False, "en-US"),
        ("fr-FR", False, "en-US"),
        ("it-IT", False, None),
    ]
    assert listing["items"][0].keys() == {"sys", "optional"}


def test_lists_continue_at_their_next_link(simulator: Simulator) -> None:
    """A path; the last page has none."""
    first = body(ask(simulator, f"{ROOT}/content-types"))
    path, _, query = first["links"]["next"].partition("?")
    last = body(ask(simulator, path, **dict(pair.split("=") for pair in query.split("&"))))
    assert (len(first["items"]), len(last["items"]), first["totalCount"]) == (15, 5, 20)
    assert "next" not in last["links"]
    assert "next" not in body(ask(simulator, f"{ROOT}/content-types", limit="20"))["links"]
    assert types([*first["items"], *last["items"]]) == types(items(simulator, **READER.start))


def test_wrong_credentials_are_refused(simulator: Simulator) -> None:
    """As for every other request."""
    assert ask(simulator, f"{ROOT}/locales", {}).status == 401
    assert ask(simulator, ROOT.replace("wgSim", "other") + "/locales").status == 404
