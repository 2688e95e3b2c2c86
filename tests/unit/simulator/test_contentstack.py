"""Contentstack's front end against the vendor's documentation and recordings."""

import json
from typing import Any

import pytest

from connector.simulator import Fault, Simulator
from connector.simulator.contentstack import API_KEY, ENVIRONMENT, TOKEN
from tests.unit.simulator.reader import body
from tests.unit.simulator.readers.contentstack import PATH, READER

ALL_TYPES = (
    "entry_published,asset_published,entry_unpublished,asset_unpublished,"
    "entry_deleted,asset_deleted,content_type_deleted"
)


ask, items, walk, caught_up = READER.ask, READER.items, READER.pages, READER.caught_up


def event_of(item: Any) -> tuple[str, str, str | None]:
    """Return what an item reports: its event, entity and locale."""
    return item["type"], item["data"].get("uid"), item["data"].get("locale")


@pytest.fixture
def simulator() -> Simulator:
    """A small one."""
    return Simulator(seed=3, entries=60)


def test_walk_has_pages_of_100_and_one_total(simulator: Simulator) -> None:
    """`skip` increases, `total_count` stays, and each page has exactly one token."""
    pages = list(walk(simulator, init="true"))
    total = 60 * 3 + 13 * 3
    assert [(page["skip"], page["limit"], len(page["items"])) for page in pages] == [
        (0, 100, 100),
        (100, 100, 100),
        (200, 100, total - 200),
    ]
    assert {page["total_count"] for page in pages} == {total}
    assert ["pagination_token" in page for page in pages] == [True, True, False]
    assert ["sync_token" in page for page in pages] == [False, False, True]


def test_limit_is_at_most_100(simulator: Simulator) -> None:
    """From the request or the initial one."""
    assert len(body(ask(simulator, init="true", limit="500"))["items"]) == 100
    assert [len(page["items"]) for page in walk(simulator, init="true", limit="75")] == [75, 75, 69]


def test_event_at_descends_and_releases_tie(simulator: Simulator) -> None:
    """Across pages; items of a bulk publication share one time."""
    released = simulator.release(10)
    delivered = items(simulator, init="true")
    times = [item["event_at"] for item in delivered]
    assert times == sorted(times, reverse=True)
    assert len({item["event_at"] for item in delivered if item["data"]["uid"] in released}) == 1


def test_event_at_is_a_little_later_than_the_publish_time(simulator: Simulator) -> None:
    """Never join on equality."""
    for item in items(simulator, init="true"):
        if "publish_details" in item["data"]:
            assert item["event_at"] > item["data"]["publish_details"]["time"]


def test_a_replayed_pagination_token_gives_the_identical_page(simulator: Simulator) -> None:
    """Recorded; a resume after a crash is safe."""
    token = body(ask(simulator, init="true"))["pagination_token"]
    assert ask(simulator, pagination_token=token) == ask(simulator, pagination_token=token)


def test_an_empty_delta_has_the_same_token_and_no_counts(simulator: Simulator) -> None:
    """Recorded."""
    token = caught_up(simulator)
    assert body(ask(simulator, sync_token=token)) == {"items": [], "sync_token": token}


def test_without_type_an_initial_sync_brings_published_items_only(simulator: Simulator) -> None:
    """Its deltas deliver everything."""
    assert {item["type"] for item in items(simulator, init="true")} == {"entry_published", "asset_published"}
    token = caught_up(simulator)
    simulator.unpublish(simulator.ids()[0])
    simulator.delete(simulator.ids()[0])
    simulator.unpublish(simulator.ids("asset")[0])
    simulator.delete(simulator.ids("asset")[0])
    simulator.edit(simulator.ids()[0])
    simulator.edit(simulator.ids("asset")[0])
    simulator.delete_content_type("category")
    assert {item["type"] for item in items(simulator, sync_token=token)} == set(ALL_TYPES.split(","))


def test_type_is_a_frozen_list(simulator: Simulator) -> None:
    """Values remain unchanged for all subsequent requests."""
    historical = {item["type"] for item in items(simulator, init="true", type=ALL_TYPES)}
    assert historical > {"entry_published", "entry_deleted"}
    token = caught_up(simulator, type="entry_deleted,asset_published")
    deleted, edited = simulator.ids()[:2]
    simulator.delete(deleted)
    simulator.edit(edited)
    assert {event_of(item)[:2] for item in items(simulator, sync_token=token)} == {("entry_deleted", deleted)}
    assert ask(simulator, init="true", type="entry_dreamt").status == 422


def test_content_type_uid_is_frozen(simulator: Simulator) -> None:
    """Only entries of that type, and its deletion; nothing for a type that does not exist, without an error."""
    token = caught_up(simulator, content_type_uid="blog_post")
    edited = simulator.ids(content_type="blogPost")[0]
    simulator.edit(edited)
    simulator.edit(simulator.ids(content_type="product")[0])
    assert {item["data"]["uid"] for item in items(simulator, sync_token=token)} == {edited}
    simulator.delete_content_type("blogPost")
    assert [item["type"] for item in items(simulator, sync_token=token)] == ["content_type_deleted"]
    assert items(simulator, init="true", content_type_uid="dream") == []


def test_locale_is_frozen(simulator: Simulator) -> None:
    """It means the published locale."""
    token = caught_up(simulator, locale="de-de")
    id_ = simulator.ids()[0]
    simulator.edit(id_)
    [item] = items(simulator, sync_token=token)
    assert (item["data"]["uid"], item["data"]["publish_details"]["locale"]) == (id_, "de-de")


def test_start_from_filters_by_event_time(simulator: Simulator) -> None:
    """Publications from that time on."""
    delivered = items(simulator, init="true")
    middle = delivered[100]["event_at"]
    later = [item for item in delivered if item["event_at"] >= middle]
    assert items(simulator, init="true", start_from=middle) == later
    assert ask(simulator, init="true", start_from="yesterday").status == 422


def test_each_locale_published_to_is_an_item(simulator: Simulator) -> None:
    """A fallback copy has the locale of its content in `data.locale`."""
    id_ = simulator.publish("author", locales=["en-US"])
    simulator.edit(id_, locales=["fr-FR"], fields={"biography": {"en-US": "sea", "fr-FR": "mer"}})
    copies = [item["data"] for item in items(simulator, init="true") if item["data"]["uid"] == id_]
    assert [(each["publish_details"]["locale"], each["locale"], each["biography"]) for each in copies] == [
        ("fr-fr", "fr-fr", "mer"),
        ("en-us", "en-us", copies[1]["biography"]),
    ]
    pairs = {
        (item["data"]["publish_details"]["locale"], item["data"]["locale"])
        for item in items(simulator, init="true", type="entry_published")
        if "publish_details" in item["data"]
    }
    assert ("de-de", "en-us") in pairs
    assert ("de-de", "de-de") in pairs


def test_publishing_one_locale_leaves_the_others(simulator: Simulator) -> None:
    """One item; `_version` is the entry's."""
    id_ = simulator.publish("author")
    token = caught_up(simulator)
    simulator.edit(id_, locales=["de-DE"])
    [item] = items(simulator, sync_token=token)
    assert (item["data"]["publish_details"]["locale"], item["data"]["_version"]) == ("de-de", 2)


def test_publish_details_may_be_missing() -> None:
    """Reported by users; then `data.locale` is the published locale."""
    delivered = items(Simulator(seed=3, entries=60), init="true", type="entry_published")
    assert any("publish_details" not in item["data"] for item in delivered)


def test_assets_are_shaped_like_recorded_ones(simulator: Simulator) -> None:
    """`sys_assets`; the MIME type is `content_type`, the size is text, and there is no `data.locale`."""
    for item in items(simulator, init="true", type="asset_published"):
        assert item["content_type_uid"] == "sys_assets"
        assert item["data"]["content_type"] == "image/jpeg"
        assert isinstance(item["data"]["file_size"], str)
        assert item["data"]["is_dir"] is False
        assert "locale" not in item["data"]
        assert item["data"]["publish_details"]["locale"] in {"en-us", "de-de", "fr-fr"}


def test_references_come_in_two_forms(simulator: Simulator) -> None:
    """Objects with the content type, or plain uids; files are plain uids; a user field may be called `type`."""
    posts = [item["data"] for item in items(simulator, init="true", content_type_uid="blog_post")]
    forms = {type(post["author"][0]) for post in posts}
    assert forms == {dict, str}
    assert all(isinstance(post["hero_image"], str) for post in posts)
    assert {post["type"] for post in posts} == {"article"}


@pytest.mark.parametrize(("operation", "event"), [("unpublish", "unpublished"), ("delete", "deleted")])
def test_removals_are_reported_per_locale(simulator: Simulator, operation: str, event: str) -> None:
    """One locale gives one item of uid and locale, all locales one item each; the same for assets."""
    token = caught_up(simulator)
    one, all_, asset = *simulator.ids()[:2], simulator.ids("asset")[0]
    getattr(simulator, operation)(one, locale="de-DE")
    getattr(simulator, operation)(all_)
    getattr(simulator, operation)(asset)
    markers = items(simulator, sync_token=token)
    expected = [(f"entry_{event}", one, "de-de")]
    expected += [(f"entry_{event}", all_, locale) for locale in ("en-us", "de-de", "fr-fr")]
    expected += [(f"asset_{event}", asset, locale) for locale in ("en-us", "de-de", "fr-fr")]
    assert [event_of(marker) for marker in markers] == expected[::-1]
    assert all(marker["data"].keys() == {"uid", "locale"} for marker in markers)
    assert {marker["content_type_uid"] for marker in markers if "asset" in marker["type"]} == {"sys_assets"}


def test_a_deleted_content_type_is_one_item(simulator: Simulator) -> None:
    """No deletions of its entries follow, and an earlier edit is never reported."""
    token = caught_up(simulator)
    simulator.edit(simulator.ids(content_type="author")[0])
    simulator.delete_content_type("author")
    [item] = items(simulator, sync_token=token)
    assert (item["type"], item["content_type_uid"], item["data"]) == ("content_type_deleted", "author", {})
    assert not items(simulator, init="true", type="entry_published", content_type_uid="sys_assets")
    assert "author" not in {item["content_type_uid"] for item in items(simulator, init="true")}


@pytest.mark.parametrize("name", ["sync_token", "pagination_token"])
def test_a_bad_token_is_141_and_is_named(simulator: Simulator, name: str) -> None:
    """The recorded body."""
    refused = ask(simulator, **{name: "blt122334455667"})
    assert json.loads(refused.body) == {
        "error_message": "Failed to fetch items. Please try again with valid parameters.",
        "error_code": 141,
        "errors": {name: ["is not valid."]},
    }


def test_a_token_of_one_kind_is_not_one_of_the_other(simulator: Simulator) -> None:
    """The error names the parameter it came in."""
    page = body(ask(simulator, init="true"))
    token = caught_up(simulator)
    assert json.loads(ask(simulator, sync_token=page["pagination_token"]).body)["errors"].keys() == {"sync_token"}
    assert json.loads(ask(simulator, pagination_token=token).body)["errors"].keys() == {"pagination_token"}


def test_expired_tokens_are_141(simulator: Simulator) -> None:
    """Of both kinds."""
    page = body(ask(simulator, init="true"))
    token = caught_up(simulator)
    simulator.expire_cursors("contentstack")
    first = json.loads(ask(simulator, pagination_token=page["pagination_token"]).body)
    second = json.loads(ask(simulator, sync_token=token).body)
    assert (first["errors"], second["errors"]) == (
        {"pagination_token": ["is not valid."]},
        {"sync_token": ["is not valid."]},
    )


def test_another_environment_is_141_of_the_access_token(simulator: Simulator) -> None:
    """The same code as for a bad token, with another field."""
    refused = json.loads(ask(simulator, init="true", environment="staging").body)
    assert (refused["error_code"], refused["errors"]) == (
        141,
        {"access_token": ["environment or access token is not matched."]},
    )


def test_wrong_credentials(simulator: Simulator) -> None:
    """A wrong delivery token is a 401, a wrong stack has its own code."""
    assert ask(simulator, PATH, {"api_key": API_KEY, "access_token": "other"}, init="true").status == 401
    refused = ask(simulator, PATH, {"api_key": "other", "access_token": TOKEN}, init="true")
    assert json.loads(refused.body)["error_code"] == 109


def test_further_parameters_beside_a_token_are_ignored(simulator: Simulator) -> None:
    """SDKs send environment, type and more."""
    token = caught_up(simulator)
    assert ask(simulator, sync_token=token, environment=ENVIRONMENT, type="entry_published").status == 200


def test_a_publication_during_a_walk_makes_clients_start_over(simulator: Simulator) -> None:
    """As the guide warns; a new init works."""
    page = body(ask(simulator, init="true"))
    simulator.edit(simulator.ids()[0])
    refused = json.loads(ask(simulator, pagination_token=page["pagination_token"]).body)
    assert refused["errors"] == {"pagination_token": ["is not valid."]}
    assert items(simulator, init="true")


def test_items_shift_in_the_other_mode(simulator: Simulator) -> None:
    """Then the delta after the walk delivers what changed during it."""
    simulator.set_mode("contentstack", "shift")
    unread = simulator.ids("asset")[0]
    simulator.on_page("contentstack", 1, lambda: simulator.edit(unread))
    pages = list(walk(simulator, init="true"))
    assert unread not in {item["data"]["uid"] for page in pages for item in page["items"]}
    delta = items(simulator, sync_token=pages[-1]["sync_token"])
    assert {item["data"]["uid"] for item in delta} == {unread}


def test_rate_limit_headers(simulator: Simulator) -> None:
    """`retry-after` in seconds, and what remains."""
    simulator.push_fault("contentstack", Fault("rate_limited"))
    refused = ask(simulator, init="true")
    assert refused.status == 429
    assert (refused.headers["retry-after"], refused.headers["x-ratelimit-remaining"]) == ("1", "0")


def test_the_first_delta_may_report_older_removals(simulator: Simulator) -> None:
    """With the quirk, once, and even of entities that are live again; later deltas report what is new."""
    simulator.set_quirks("contentstack", ["older_removals"])
    again, gone = simulator.ids()[:2]
    simulator.unpublish(again, locale="de-DE")
    simulator.edit(again, locales=["de-DE"])
    simulator.delete(gone, locale="en-US")
    token = caught_up(simulator)
    simulator.edit(gone, locales=["de-DE"])
    *_, last = walk(simulator, sync_token=token)
    first = [event_of(item) for item in items(simulator, sync_token=token)]
    assert first[:3] == [
        ("entry_published", gone, first[0][2]),
        ("entry_deleted", gone, "en-us"),
        ("entry_unpublished", again, "de-de"),
    ]
    assert all("published" not in event.split("_") for event, _, _ in first[1:])
    assert items(simulator, sync_token=last["sync_token"]) == []


def test_limit_may_be_ignored(simulator: Simulator) -> None:
    """With the quirk."""
    simulator.set_quirks("contentstack", ["own_page_size"])
    assert len(body(ask(simulator, init="true", limit="5"))["items"]) == 100
    with pytest.raises(LookupError, match="older_removals, own_page_size"):
        simulator.set_quirks("contentstack", ["another"])


def test_one_entry_or_asset_is_delivered_by_its_uid(simulator: Simulator) -> None:
    """In a locale; what is not published there, or is of another content type, is a 404."""
    gone, kept = simulator.ids(content_type="blogPost")[:2]
    simulator.unpublish(gone, locale="de-DE")
    entry = {item["data"]["uid"]: item["data"] for item in items(simulator, init="true", locale="de-de")}[kept]
    path = "/v3/content_types/blog_post/entries"
    assert body(ask(simulator, f"{path}/{kept}", locale="de-de"))["entry"] == entry
    assert ask(simulator, f"{path}/{gone}", locale="de-de").status == 404
    assert ask(simulator, f"/v3/content_types/author/entries/{kept}").status == 404
    asset = simulator.ids("asset")[0]
    assert body(ask(simulator, f"/v3/assets/{asset}"))["asset"]["uid"] == asset
