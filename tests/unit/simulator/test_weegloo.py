"""Weegloo's front end against the vendor's documentation."""

import json

import pytest

from connector.simulator import Fault, Simulator
from connector.simulator.weegloo import SPACE
from tests.unit.simulator.reader import body
from tests.unit.simulator.readers.weegloo import AUTHORISED, PATH, READER

ask, items, walk, token, caught_up = READER.ask, READER.items, READER.pages, READER.token, READER.caught_up


@pytest.fixture
def simulator() -> Simulator:
    """A small one."""
    return Simulator(seed=5, entries=40)


def test_the_envelope_is_the_documented_one(simulator: Simulator) -> None:
    """A page response with a limit, an empty links object, and a path to continue."""
    page = body(ask(simulator, initial="true", type="All"))
    assert page.keys() == {"sys", "limit", "items", "links", "nextSyncUrl"}
    assert (page["sys"], page["limit"], page["links"]) == ({"type": "PageResponse"}, 15, {})
    assert page["nextSyncUrl"].startswith(f"/v1/spaces/{SPACE}/sync?sync-token=")


def test_a_walk_ends_at_an_empty_page_with_a_new_url(simulator: Simulator) -> None:
    """Every page has a URL, even the one without items."""
    pages = list(walk(simulator, initial="true", type="All"))
    assert [len(page["items"]) for page in pages[:-2]] == [15] * (len(pages) - 2)
    assert pages[-1]["items"] == []
    again = body(ask(simulator, sync_token=token(pages[-1])))
    assert again["items"] == []
    assert token(again) != token(pages[-1])


def test_a_delta_can_start_at_any_page(simulator: Simulator) -> None:
    """A delta from any page's URL delivers what came after that page, and what changed."""
    first, *rest = walk(simulator, initial="true", type="All")
    edited = simulator.ids()[-1]
    simulator.edit(edited)
    followed = [item["sys"]["id"] for item in items(simulator, sync_token=token(first))]
    left = [item["sys"]["id"] for page in rest for item in page["items"] if item["sys"]["id"] != edited]
    assert followed == [*left, edited]


LIVE = {"Content", "Media", "ContentType"}
DELETED = {"DeletedContent", "DeletedMedia"}


@pytest.mark.parametrize(
    ("wanted", "kinds"),
    [
        ("All", LIVE | DELETED),
        ("Content", LIVE),
        ("Media", LIVE),
        ("Deletion", DELETED),
        ("DeletedContent", {"DeletedContent"}),
        ("DeletedMedia", {"DeletedMedia"}),
    ],
)
def test_type_selects_as_the_table_says(simulator: Simulator, wanted: str, kinds: set[str]) -> None:
    """An initial sync of `All` includes all deletion markers."""
    simulator.delete(simulator.ids("asset")[0])
    assert {item["sys"]["type"] for item in items(simulator, initial="true", type=wanted)} == kinds


def test_content_type_narrows_contents_and_their_markers(simulator: Simulator) -> None:
    """Only with `Content` or `DeletedContent`."""
    narrowed = items(simulator, initial="true", type="Content", content_type="author")
    assert {item["sys"]["contentType"]["sys"]["id"] for item in narrowed} == {"author"}
    gone = simulator.ids(content_type="category")[0]
    simulator.delete(gone)
    markers = items(simulator, initial="true", type="DeletedContent", content_type="category")
    assert gone in {item["sys"]["id"] for item in markers}
    assert ask(simulator, initial="true", type="All", content_type="author").status == 422


def test_a_delta_is_compacted_and_has_markers(simulator: Simulator) -> None:
    """Only the latest state of each entity."""
    cursor = caught_up(simulator)
    edited, gone = simulator.ids()[:2]
    simulator.edit(edited)
    simulator.edit(edited)
    simulator.edit(gone)
    simulator.unpublish(gone)
    delta = items(simulator, sync_token=cursor)
    assert [(item["sys"]["id"], item["sys"]["type"]) for item in delta] == [
        (edited, "Content"),
        (gone, "DeletedContent"),
    ]
    assert delta[0]["sys"]["revision"] == 3
    assert delta[1].keys() == {"sys"}


def test_markers_promise_no_more_than_id_and_type(simulator: Simulator) -> None:
    """Some have a time, some do not."""
    markers = items(simulator, initial="true", type="Deletion")
    assert {"deletedAt" in marker["sys"] for marker in markers} == {True, False}
    assert all({"id", "type"} <= marker["sys"].keys() and marker.keys() == {"sys"} for marker in markers)


def test_contents_are_locale_maps_with_refer_links(simulator: Simulator) -> None:
    """Links are `Refer` with a `targetType`; a field without any value is an empty map."""
    contents = [item for item in items(simulator, initial="true", type="Content") if item["sys"]["type"] == "Content"]
    posts = [each for each in contents if each["sys"]["contentType"]["sys"]["id"] == "blogPost"]
    assert all(set(each["fields"]["title"]) <= {"en-US", "de-DE", "fr-FR"} for each in posts)
    link = posts[0]["fields"]["author"]["en-US"]["sys"]
    assert (link["type"], link["targetType"]) == ("Refer", "Content")
    assert {each["fields"]["heroImage"] == {} for each in posts} == {True, False}


def test_content_types_are_in_the_stream(simulator: Simulator) -> None:
    """As live objects with fields of a stable id and an apiName, of all documented types."""
    cursor = caught_up(simulator)
    types = [item for item in items(simulator, initial="true", type="All") if item["sys"]["type"] == "ContentType"]
    assert {each["sys"]["id"] for each in types} == {"blogPost", "product", "author", "category"}
    fields = [field for each in types for field in each["fields"]]
    assert all(field["id"] != field["apiName"] for field in fields)
    documented = {"ShortText", "LongText", "RichText", "Long", "Number", "Boolean", "Date", "Location", "Refer"}
    assert {field["type"] for field in fields} == documented | {"Json", "Array"}
    simulator.edit("author")
    [edited] = items(simulator, sync_token=cursor)
    assert (edited["sys"]["id"], edited["sys"]["revision"]) == ("author", 2)


def test_a_deleted_content_type_has_no_marker_but_its_contents_have(simulator: Simulator) -> None:
    """There is no DeletedContentType."""
    cursor = caught_up(simulator)
    authors = simulator.ids(content_type="author")
    simulator.delete_content_type("author")
    delivered = [(item["sys"]["id"], item["sys"]["type"]) for item in items(simulator, sync_token=cursor)]
    assert sorted(delivered) == sorted((each, "DeletedContent") for each in authors)


@pytest.mark.parametrize(
    ("path", "headers", "status", "kind"),
    [
        (PATH, {}, 401, "Unauthorized"),
        ("/v1/spaces/other/sync", AUTHORISED, 404, "NotFound"),
        (PATH, AUTHORISED | {"accept": "application/json"}, 406, "NotAcceptable"),
    ],
)
def test_errors_have_the_documented_shape(
    simulator: Simulator, path: str, headers: dict[str, str], status: int, kind: str
) -> None:
    """A request id, a sys with type, code and time, details, reason and suggestion."""
    refused = ask(simulator, path, headers, initial="true", type="All")
    error = json.loads(refused.body)
    assert (refused.status, error["sys"]["type"]) == (status, kind)
    assert error.keys() == {"requestId", "sys", "details", "reason", "suggestion"}
    assert error["sys"]["code"].startswith(f"WGL{status}")
    assert isinstance(error["sys"]["timestamp"], int)


@pytest.mark.parametrize("accept", ["*/*", "application/vnd.com.weegloo.v1+json", "application/json, */*"])
def test_other_accept_headers_are_answered(simulator: Simulator, accept: str) -> None:
    """With the vendor's own content type."""
    response = ask(simulator, PATH, AUTHORISED | {"accept": accept}, initial="true", type="All")
    assert response.status == 200
    assert response.headers["Content-Type"] == "application/vnd.com.weegloo.v1+json;charset=UTF-8"


def test_429_is_a_used_up_quota_without_headers(simulator: Simulator) -> None:
    """Its code begins with WGL429, and nothing says how long to wait."""
    simulator.push_fault("weegloo", Fault("rate_limited"))
    refused = ask(simulator, initial="true", type="All")
    assert (refused.status, set(refused.headers)) == (429, {"Content-Type"})
    assert json.loads(refused.body)["sys"]["code"].startswith("WGL429")


def test_bad_and_expired_tokens_are_refused(simulator: Simulator) -> None:
    """The credentials are still right."""
    cursor = caught_up(simulator)
    assert ask(simulator, sync_token="165rWhDiuLNoYOwjVQQAYXMA7makztXn").status == 422
    simulator.expire_cursors()
    assert ask(simulator, sync_token=cursor).status == 422
    assert ask(simulator, PATH.replace("sync", "content-types")).status == 200


def test_what_changes_during_a_walk_comes_again_at_its_end(simulator: Simulator) -> None:
    """An entity already delivered is delivered a second time, in its new state."""
    read = body(ask(simulator, initial="true", type="All"))["items"][0]["sys"]["id"]
    simulator.on_page("weegloo", 2, lambda: simulator.edit(read))
    delivered = [item["sys"]["id"] for item in items(simulator, initial="true", type="All")]
    assert [place for place, each in enumerate(delivered) if each == read] == [0, len(delivered) - 1]


def test_a_walk_can_be_refused_after_a_publication(simulator: Simulator) -> None:
    """In the mode `refuse`; a delta from the end of a walk is answered."""
    simulator.set_mode("weegloo", "refuse")
    cursor = caught_up(simulator)
    page = body(ask(simulator, initial="true", type="All"))
    simulator.edit(simulator.ids()[0])
    assert ask(simulator, sync_token=token(page)).status == 422
    assert ask(simulator, sync_token=cursor).status == 200


def test_one_content_media_or_content_type_is_delivered_by_its_id(simulator: Simulator) -> None:
    """Like a sync item; what is gone, or of another kind, is a 404."""
    listed = {item["sys"]["id"]: item for item in items(simulator, initial="true", type="All")}
    kept, gone, media = *simulator.ids()[:2], simulator.ids("asset")[0]
    simulator.delete(gone)
    root = f"/v1/spaces/{SPACE}"
    for path, id_ in (("contents", kept), ("medias", media), ("content-types", "blogPost")):
        assert body(ask(simulator, f"{root}/{path}/{id_}")) == listed[id_]
    assert ask(simulator, f"{root}/contents/{gone}").status == 404
    assert ask(simulator, f"{root}/medias/{kept}").status == 404


@pytest.mark.parametrize(
    ("quirks", "kinds"),
    [
        ([], {"Content", "Media"}),
        (["wide_deltas"], {"Content", "Media", "DeletedContent", "DeletedMedia"}),
        (["narrow_deltas"], {"Content"}),
    ],
)
def test_type_may_filter_deltas_differently(simulator: Simulator, quirks: list[str], kinds: set[str]) -> None:
    """With a quirk: markers beside `type=Content`, or only contents; the initial sync is the same."""
    simulator.set_quirks("weegloo", quirks)
    start = caught_up(simulator, type="Content")
    simulator.edit(simulator.ids()[0])
    simulator.edit(simulator.ids("asset")[0])
    simulator.delete(simulator.ids()[1])
    simulator.unpublish(simulator.ids("asset")[1])
    assert {item["sys"]["type"] for item in items(simulator, sync_token=start)} == kinds
    initial = {item["sys"]["type"] for item in items(simulator, initial="true", type="Content")}
    assert initial == {"Content", "Media", "ContentType"}


@pytest.mark.parametrize(("status", "kind"), [(401, "Unauthorized"), (403, "Forbidden"), (404, "NotFound")])
def test_errors_are_named_by_status(simulator: Simulator, status: int, kind: str) -> None:
    """As in the documentation's table."""
    simulator.push_fault("weegloo", Fault("status", status=status))
    assert json.loads(ask(simulator, initial="true").body)["sys"]["type"] == kind
