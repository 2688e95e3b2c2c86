"""Contentful's front end against the vendor's documentation and recordings."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest

from connector.simulator import Fault, Simulator
from connector.simulator.contentful import ENVIRONMENT, SPACE, TOKEN
from tests.unit.simulator.reader import body
from tests.unit.simulator.readers.contentful import AUTHORISED, PATH, READER

ask, items, walk, token, caught_up = READER.ask, READER.items, READER.pages, READER.token, READER.caught_up


@pytest.fixture
def simulator() -> Simulator:
    """A small one."""
    return Simulator(seed=7, entries=250)


def test_walk_has_full_pages_of_100_and_ends_with_next_sync_url(simulator: Simulator) -> None:
    """Each page has exactly one URL; all but the last page are full; only the last has `nextSyncUrl`."""
    pages = list(walk(simulator, initial="true"))
    assert [len(page["items"]) for page in pages] == [100, 100, 100, 1]
    assert [("nextPageUrl" in page, "nextSyncUrl" in page) for page in pages] == [(True, False)] * 3 + [(False, True)]
    assert all(page["sys"] == {"type": "Array"} and not {"total", "skip", "limit"} & page.keys() for page in pages)


def test_next_urls_are_absolute_and_name_the_environment(simulator: Simulator) -> None:
    """A client that follows them needs no base URL."""
    url = urlsplit(body(ask(simulator, initial="true"))["nextPageUrl"])
    assert (url.scheme, url.path) == ("http", PATH)


def test_items_come_newest_first_without_repetition(simulator: Simulator) -> None:
    """Every recording is sorted by `sys.updatedAt` descending, across pages and kinds."""
    delivered = items(simulator, initial="true")
    times = [item["sys"]["updatedAt"] for item in delivered]
    assert times == sorted(times, reverse=True)
    assert len({item["sys"]["id"] for item in delivered}) == len(delivered)


def test_initial_sync_delivers_what_is_live_and_no_deletions(simulator: Simulator) -> None:
    """Deletions are for deltas."""
    delivered = items(simulator, initial="true")
    assert {item["sys"]["type"] for item in delivered} == {"Entry", "Asset"}
    assert {item["sys"]["id"] for item in delivered} == {*simulator.ids(), *simulator.ids("asset")}


@pytest.mark.parametrize(
    ("wanted", "kinds"),
    [
        ("all", {"Entry", "Asset"}),
        ("Entry", {"Entry"}),
        ("Asset", {"Asset"}),
        ("Deletion", {"DeletedEntry"}),
        ("DeletedEntry", {"DeletedEntry"}),
        ("DeletedAsset", set()),
    ],
)
def test_type_selects_what_is_synchronised(simulator: Simulator, wanted: str, kinds: set[str]) -> None:
    """`Deletion` includes the historical ones too."""
    assert {item["sys"]["type"] for item in items(simulator, initial="true", type=wanted)} == kinds


def test_content_type_needs_type_entry_and_brings_no_deletions(simulator: Simulator) -> None:
    """The documentation: 'meaning there will be no deletions'."""
    assert ask(simulator, initial="true", content_type="author").status == 400
    delivered = items(simulator, initial="true", type="Entry", content_type="author")
    assert {item["sys"]["contentType"]["sys"]["id"] for item in delivered} == {"author"}
    cursor = caught_up(simulator, type="Entry", content_type="author")
    gone, edited = simulator.ids(content_type="author")[:2]
    simulator.delete(gone)
    simulator.edit(edited)
    simulator.edit(simulator.ids(content_type="product")[0])
    assert [item["sys"]["id"] for item in items(simulator, sync_token=cursor)] == [edited]


def test_a_token_stands_alone(simulator: Simulator) -> None:
    """Any other parameter beside it is a 400 in the vendor's words; the credential does not count."""
    cursor = caught_up(simulator)
    refused = ask(simulator, sync_token=cursor, limit="10")
    assert (refused.status, json.loads(refused.body)["sys"]["id"]) == (400, "BadRequest")
    assert json.loads(refused.body)["message"] == (
        "When passing a sync token you can not pass any other parameters. "
        'If you want to sync with a specific limit, start a new sync with "initial".'
    )
    assert ask(simulator, PATH, {}, sync_token=cursor, access_token=TOKEN).status == 200


def test_limit_is_frozen_in_the_token(simulator: Simulator) -> None:
    """It is encoded in the token and used for all following synchronisations."""
    cursor = caught_up(simulator, limit="60")
    simulator.release(130)
    assert [len(page["items"]) for page in walk(simulator, sync_token=cursor)] == [60, 60, 10]


@pytest.mark.parametrize("params", [{"initial": "true", "locale": "en-US"}, {"initial": "true", "skip": "1"}])
def test_unknown_parameters_are_an_invalid_query(simulator: Simulator, params: dict[str, str]) -> None:
    """There is no locale, include, select, order or skip."""
    refused = ask(simulator, **params)
    assert (refused.status, json.loads(refused.body)["sys"]["id"]) == (400, "InvalidQuery")


def test_a_delta_is_compacted_to_the_latest_state(simulator: Simulator) -> None:
    """Intermediate versions are lost; a removal that was undone is not reported; a creation that was is."""
    cursor = caught_up(simulator)
    edited, gone, back = simulator.ids()[:3]
    simulator.edit(edited)
    simulator.edit(edited)
    simulator.delete(gone)
    simulator.unpublish(back)
    simulator.publish(id=back)
    brief = simulator.publish("product")
    simulator.unpublish(brief)
    delivered = [(item["sys"]["id"], item["sys"]["type"]) for item in items(simulator, sync_token=cursor)]
    assert delivered == [(brief, "DeletedEntry"), (back, "Entry"), (gone, "DeletedEntry"), (edited, "Entry")]


def test_revision_counts_publications(simulator: Simulator) -> None:
    """It starts at 1."""
    id_ = simulator.publish("author")
    cursor = caught_up(simulator)
    simulator.edit(id_)
    simulator.edit(id_)
    assert [item["sys"]["revision"] for item in items(simulator, sync_token=cursor)] == [3]


def test_an_empty_delta_returns_the_identical_url(simulator: Simulator) -> None:
    """The token denotes the last change, not the call."""
    cursor = caught_up(simulator)
    page = body(ask(simulator, sync_token=cursor))
    assert (page["items"], token(page)) == ([], cursor)
    assert caught_up(simulator) == cursor


def test_a_delta_emptied_by_its_filter_returns_the_identical_url(simulator: Simulator) -> None:
    """Changes of other content types change nothing."""
    cursor = caught_up(simulator, type="Entry", content_type="author")
    simulator.edit(simulator.ids(content_type="product")[0])
    assert token(body(ask(simulator, sync_token=cursor))) == cursor


def test_markers_are_bare(simulator: Simulator) -> None:
    """No fields, no metadata, no content type; created, updated and deleted at the same time."""
    cursor = caught_up(simulator)
    simulator.unpublish(simulator.ids()[0])
    simulator.delete(simulator.ids("asset")[0])
    markers = items(simulator, sync_token=cursor)
    assert [marker["sys"]["type"] for marker in markers] == ["DeletedAsset", "DeletedEntry"]
    for marker in markers:
        assert marker.keys() == {"sys"}
        assert "contentType" not in marker["sys"]
        assert marker["sys"]["createdAt"] == marker["sys"]["updatedAt"] == marker["sys"]["deletedAt"]


def test_every_locale_is_delivered_in_one_item(simulator: Simulator) -> None:
    """Fields are maps from locale to value."""
    id_ = simulator.publish("author", fields={"biography": {"en-US": "sea", "de-DE": "See", "fr-FR": "mer"}})
    [entry] = [item for item in items(simulator, initial="true") if item["sys"]["id"] == id_]
    assert entry["fields"]["biography"] == {"en-US": "sea", "de-DE": "See", "fr-FR": "mer"}


def test_losing_one_locale_is_a_publication_without_it(simulator: Simulator) -> None:
    """A removal from one locale leaves the entry live."""
    id_ = simulator.publish("author", locales=["en-US", "de-DE"])
    cursor = caught_up(simulator)
    simulator.delete(id_, locale="de-DE")
    [entry] = items(simulator, sync_token=cursor)
    assert entry["sys"]["type"] == "Entry"
    assert entry["fields"]["biography"].keys() == {"en-US"}


def test_content_types_are_not_in_the_stream_but_their_entries_go(simulator: Simulator) -> None:
    """A type can vanish only after its entries."""
    cursor = caught_up(simulator)
    authors = set(simulator.ids(content_type="author"))
    simulator.edit("product")
    simulator.delete_content_type("author")
    delivered = items(simulator, sync_token=cursor)
    assert {item["sys"]["id"] for item in delivered} == authors
    assert {item["sys"]["type"] for item in delivered} == {"DeletedEntry"}


def test_recorded_shapes_occur() -> None:
    """Entries without fields, with an empty locale map and an explicit null, without environment or metadata."""
    delivered = items(Simulator(seed=7, entries=250), initial="true")
    assert any("fields" not in item for item in delivered)
    assert any(item.get("fields", {}).get("emptyField") == {} for item in delivered)
    assert any(item.get("fields", {}).get("nullField") == {"en-US": None} for item in delivered)
    assert any("environment" not in item["sys"] for item in delivered)
    assert any("metadata" not in item for item in delivered)
    assert any("publishedVersion" not in item["sys"] for item in delivered)


@pytest.mark.parametrize(
    ("path", "headers", "status", "code"),
    [
        (PATH, {}, 401, "AccessTokenInvalid"),
        (PATH, {"authorization": "Bearer other"}, 401, "AccessTokenInvalid"),
        (f"/spaces/other/environments/{ENVIRONMENT}/sync", AUTHORISED, 404, "NotFound"),
        (f"/spaces/{SPACE}/environments/other/sync", AUTHORISED, 404, "NotFound"),
    ],
)
def test_wrong_credentials_and_scope(
    simulator: Simulator, path: str, headers: dict[str, str], status: int, code: str
) -> None:
    """The vendor's status and error code."""
    refused = ask(simulator, path, headers, initial="true")
    error = json.loads(refused.body)
    assert (refused.status, error["sys"]) == (status, {"type": "Error", "id": code})
    assert error["requestId"]


def test_the_old_path_means_master(simulator: Simulator) -> None:
    """`/spaces/{s}/sync` is the environment `master`."""
    assert body(ask(simulator, f"/spaces/{SPACE}/sync", initial="true"))["items"]


def test_bad_and_expired_tokens_are_refused(simulator: Simulator) -> None:
    """As a bad request; the credentials are still right."""
    cursor = caught_up(simulator)
    assert ask(simulator, sync_token="w5ZGw6JFwqZmVcKsE8Kow4grw45QdyYx").status == 400
    simulator.expire_cursors("contentful")
    assert ask(simulator, sync_token=cursor).status == 400
    assert ask(simulator, PATH.replace("sync", "content_types"), limit="1").status == 200


def test_a_response_above_7_mib_is_refused(simulator: Simulator) -> None:
    """A smaller limit helps."""
    for _ in range(2):
        simulator.publish("author", fields={"biography": {"en-US": "x" * 4_000_000}})
    refused = ask(simulator, initial="true")
    assert refused.status == 400
    assert json.loads(refused.body)["message"] == "Response size too big. Maximum allowed response size: 7340032B."
    assert ask(simulator, initial="true", limit="1").status == 200


@pytest.mark.parametrize(("told", "header"), [(True, "1"), (False, None)])
def test_rate_limit_may_give_the_retry_time(simulator: Simulator, told: bool, header: str | None) -> None:  # noqa: FBT001
    """`X-Contentful-RateLimit-Reset`, in seconds; it may be missing."""
    simulator.push_fault("contentful", Fault("rate_limited", told=told))
    refused = ask(simulator, initial="true")
    assert (refused.status, refused.headers.get("X-Contentful-RateLimit-Reset")) == (429, header)
    assert json.loads(refused.body)["sys"]["id"] == "RateLimitExceeded"


def test_the_environment_reports_its_identity(simulator: Simulator) -> None:
    """`cf-environment-uuid` changes when an alias is retargeted; the old token silently stays valid."""
    cursor = caught_up(simulator)
    before = ask(simulator, sync_token=cursor)
    simulator.swap_environment()
    after = ask(simulator, sync_token=cursor)
    assert after.status == 200
    assert before.headers["cf-environment-uuid"] != after.headers["cf-environment-uuid"]
    assert before.headers["Content-Type"] == "application/vnd.contentful.delivery.v1+json"


def edited_while_paging(simulator: Simulator, edit: Callable[[], object]) -> tuple[list[Any], str]:
    """Return the items of a walk with `edit` after its first page, and the token after it."""
    simulator.on_page("contentful", 1, edit)
    pages = list(walk(simulator, initial="true"))
    return [item for page in pages for item in page["items"]], token(pages[-1])


def test_what_changes_during_a_walk_is_in_the_delta_after_it(simulator: Simulator) -> None:
    """An edited entry moves to a page already read; the delta covers everything since the walk's start."""
    unread = simulator.ids()[0]
    delivered, cursor = edited_while_paging(simulator, lambda: simulator.edit(unread))
    assert unread not in {item["sys"]["id"] for item in delivered}
    assert [item["sys"]["id"] for item in items(simulator, sync_token=cursor)] == [unread]


def test_a_removal_during_a_walk_hides_nothing_else(simulator: Simulator) -> None:
    """What is still live and unchanged is delivered by the walk."""
    expected = set(simulator.ids()) | set(simulator.ids("asset"))
    gone = [simulator.ids()[0], simulator.ids()[-1]]
    delivered, cursor = edited_while_paging(simulator, lambda: [simulator.delete(each) for each in gone])
    assert expected - {item["sys"]["id"] for item in delivered} == {gone[0]}
    assert {item["sys"]["id"] for item in items(simulator, sync_token=cursor)} == set(gone)


def test_a_walk_can_be_refused_after_a_publication(simulator: Simulator) -> None:
    """In the mode `refuse`; a new walk is answered."""
    simulator.set_mode("contentful", "refuse")
    page = body(ask(simulator, initial="true"))
    simulator.edit(simulator.ids()[0])
    assert ask(simulator, sync_token=token(page)).status == 400
    assert ask(simulator, initial="true").status == 200


def test_a_token_replayed_gives_the_identical_page(simulator: Simulator) -> None:
    """As long as nothing changed."""
    cursor = token(body(ask(simulator, initial="true")))
    assert ask(simulator, sync_token=cursor) == ask(simulator, sync_token=cursor)


def test_content_types_are_listed(simulator: Simulator) -> None:
    """Paged by skip and limit, with a total."""
    listing = body(ask(simulator, PATH.replace("sync", "content_types"), skip="1", limit="2"))
    assert (listing["total"], listing["skip"], listing["limit"], len(listing["items"])) == (4, 1, 2, 2)
    types = {field["type"] for each in simulator_types(simulator) for field in each["fields"]}
    documented = {"Symbol", "Text", "RichText", "Integer", "Number", "Date", "Boolean", "Location", "Link", "Array"}
    assert types == documented | {"Object", "ResourceLink"}


def simulator_types(simulator: Simulator) -> list[Any]:
    """Return the content types."""
    return list(body(ask(simulator, PATH.replace("sync", "content_types")))["items"])


def test_numbers_are_delivered_verbatim(simulator: Simulator) -> None:
    """`1.10` is not `1.1`, and no number is too large."""
    odd: dict[str, Any] = {
        "price": {"en-US": Decimal("1.10"), "de-DE": msgspec.Raw(b"1.0E400")},
        "stock": {"en-US": 2**70},
        "odd": {"en-US": "\ud83d"},
    }
    simulator.publish("product", fields=odd)
    page = ask(simulator, initial="true", limit="1").body
    assert b'"price":{"en-US":1.10,"de-DE":1.0E400}' in page
    assert b'"stock":{"en-US":1180591620717411303424}' in page
    assert b'"odd":{"en-US":"\\ud83d"}' in page
