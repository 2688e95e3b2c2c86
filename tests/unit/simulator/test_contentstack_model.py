"""Contentstack's model requests against the vendor's documentation and recordings."""

import json
from typing import Any

import pytest

from connector.simulator import Field, Simulator
from connector.simulator.contentstack_model import uid
from tests.unit.simulator.reader import body
from tests.unit.simulator.readers.contentstack import READER

ask = READER.ask
TYPES, LOCALES = "/v3/content_types", "/v3/locales"

# As recorded, without the rights of roles.
TYPE = {
    "created_at", "updated_at", "title", "uid", "_version", "inbuilt_class", "schema", "last_activity",
    "maintain_revisions", "description", "options",
}  # fmt: skip
FIELD = {"display_name", "uid", "data_type", "field_metadata", "multiple", "mandatory", "unique", "non_localizable"}
EXTRA = {
    "reference": {"reference_to"},
    "json": {"reference_to", "extension_uid"},
    "file": {"extensions"},
    "isodate": {"startDate", "endDate"},
    "group": {"schema"},
    "global_field": {"reference_to", "schema"},
    "blocks": {"blocks"},
}
LANGUAGE = {
    "code", "uid", "created_by", "updated_by", "created_at", "updated_at", "name", "ACL", "_version", "fallback_locale",
}  # fmt: skip


@pytest.fixture
def simulator() -> Simulator:
    """One with fields of every type."""
    return Simulator(seed=7, entries=30, content_types=20)


def schemas(simulator: Simulator, **params: str) -> dict[str, dict[str, Any]]:
    """Return the fields of every content type, by uid."""
    listing = body(ask(simulator, TYPES, include_global_field_schema="true", **params))
    return {each["uid"]: {field["uid"]: field for field in each["schema"]} for each in listing["content_types"]}


def test_a_client_reads_the_model_as_it_is(simulator: Simulator) -> None:
    """Page by page."""
    assert READER.model(simulator) == simulator.model("contentstack")
    assert len(simulator.model("contentstack").content_types) == 20


def test_content_types_have_the_recorded_shape(simulator: Simulator) -> None:
    """With all documented data types except taxonomy."""
    listing = body(ask(simulator, TYPES))
    assert all(each.keys() == TYPE for each in listing["content_types"])
    fields = [field for each in schemas(simulator).values() for field in each.values()]
    assert {field["data_type"] for field in fields} == {
        "text", "number", "isodate", "boolean", "file", "link", "reference", "group", "global_field", "blocks", "json",
    }  # fmt: skip
    for field in fields:
        assert field.keys() >= FIELD
        assert field.keys() - FIELD <= EXTRA.get(field["data_type"], set())


def test_every_type_begins_with_a_title(simulator: Simulator) -> None:
    """A mandatory, unique text, even where entries have no field of that name; their first text is in it."""
    for fields in schemas(simulator).values():
        title, *_ = fields.values()
        assert (title["uid"], title["data_type"], title["mandatory"], title["unique"]) == ("title", "text", True, True)
    simulator.add_field("product", "title", "text")
    product = list(schemas(simulator)["product"].values())
    assert (product[0]["uid"], product[0]["field_metadata"]) == ("title", {"_default": True, "version": 3})
    simulator.rename_field("blogPost", "title", "headline")
    assert list(schemas(simulator)["blog_post"])[:2] == ["title", "headline"]
    id_ = simulator.publish("blogPost")
    entry = body(ask(simulator, f"{TYPES}/blog_post/entries/{id_}"))["entry"]
    assert entry["title"] == entry["headline"]


def test_how_many_references_there_are_is_in_the_metadata(simulator: Simulator) -> None:
    """`multiple` is false for all of them; it tells lists of files and of texts."""
    fields = schemas(simulator)["blog_post"]
    one, many = fields["author"], fields["related"]
    assert (one["reference_to"], one["field_metadata"]["ref_multiple"], one["multiple"]) == (["author"], False, False)
    assert (many["reference_to"], many["field_metadata"]["ref_multiple"]) == (["blog_post"], True)
    assert many["multiple"] is False
    assert fields["keywords"]["multiple"] is True


def test_global_fields_show_their_schema_if_they_are_asked_to(simulator: Simulator) -> None:
    """Otherwise only which one they are."""
    simulator.add_field("author", "card", "group")
    whole = schemas(simulator)["author"]["card"]
    assert (whole["data_type"], whole["reference_to"]) == ("global_field", "card")
    assert [each["uid"] for each in whole["schema"]] == ["headline", "weight", "image"]
    brief = body(ask(simulator, TYPES))["content_types"]
    card = next(
        field for each in brief if each["uid"] == "author" for field in each["schema"] if field["uid"] == "card"
    )
    assert "schema" not in card


def test_the_count_is_given_if_it_is_asked_for(simulator: Simulator) -> None:
    """Of content types and of languages; a page has 100 at most."""
    assert "count" not in body(ask(simulator, TYPES))
    page = body(ask(simulator, TYPES, include_count="true", skip="18", limit="500"))
    assert (page["count"], len(page["content_types"])) == (20, 2)
    assert body(ask(simulator, LOCALES, include_count="true"))["count"] == 3


@pytest.mark.parametrize(("name", "value"), [("skip", "-1"), ("limit", "many")])
def test_a_wrong_parameter_is_named(simulator: Simulator, name: str, value: str) -> None:
    """In the vendor's error."""
    for path in (TYPES, LOCALES):
        refused = ask(simulator, path, **{name: value})
        error = json.loads(refused.body)
        assert (refused.status, error["error_code"], error["errors"]) == (422, 141, {name: ["is not valid."]})


def test_wrong_credentials_are_refused(simulator: Simulator) -> None:
    """As for every other request."""
    for path in (TYPES, LOCALES):
        assert ask(simulator, path, {}).status == 412
        assert ask(simulator, path, {**READER.headers, "access_token": "other"}).status == 401
        assert ask(simulator, path, environment="other").status == 422


def test_languages_have_the_documented_shape(simulator: Simulator) -> None:
    """In lower case; each but the master language has a fallback, which is the master language if none was chosen."""
    simulator.add_locale("de-AT", fallback="de-DE")
    simulator.add_locale("it-IT")
    languages = body(ask(simulator, LOCALES))["locales"]
    assert all(each.keys() == LANGUAGE for each in languages)
    assert {each["code"]: each["fallback_locale"] for each in languages} == {
        "en-us": None,
        "de-de": "en-us",
        "fr-fr": "en-us",
        "de-at": "de-de",
        "it-it": "en-us",
    }
    assert len({each["uid"] for each in languages}) == 5


def test_a_copy_is_of_the_nearest_fallback(simulator: Simulator) -> None:
    """What is published in a language without content of its own has that of the language it falls back to."""
    simulator.add_locale("de-AT", fallback="de-DE")
    made = [simulator.publish("category") for _ in range(4)]
    sources: dict[str, dict[str, str]] = {each: {} for each in made}
    for item in READER.items(simulator, init="true", content_type_uid="category"):
        data = item["data"]
        if data["uid"] in sources:
            sources[data["uid"]][data["publish_details"]["locale"]] = data["locale"]
    copies = [source for source in sources.values() if source["de-at"] != "de-at"]
    assert {(source["de-de"], source["de-at"]) for source in copies} == {("de-de", "de-de"), ("en-us", "en-us")}
    assert all(source["fr-fr"] in ("fr-fr", "en-us") for source in copies)


def test_an_edit_is_a_version_that_the_stream_does_not_tell(simulator: Simulator) -> None:
    """Nothing is delivered until an entry is published again."""
    token = READER.caught_up(simulator)
    simulator.retype_field("author", "bornOn", "number")
    simulator.add_content_type("extra", [Field("name", "symbol")])
    assert READER.items(simulator, sync_token=token) == []
    listing = {each["uid"]: each for each in body(ask(simulator, TYPES))["content_types"]}
    assert (listing["author"]["_version"], listing["extra"]["_version"]) == (2, 1)
    assert listing["author"]["updated_at"] > listing["author"]["created_at"]
    assert schemas(simulator)["author"]["born_on"]["data_type"] == "number"


@pytest.mark.parametrize(("name", "spelled"), [("heroImage", "hero_image"), ("2ndHandOffer", "2nd_hand_offer")])
def test_uids_are_lower_case_with_underscores(name: str, spelled: str) -> None:
    """Wherever a word begins."""
    assert uid(name) == spelled
