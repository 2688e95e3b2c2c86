"""Contentful: every recorded item shape, continuation, and what each error answer means."""

import hashlib
import json
from functools import partial
from typing import Any

import httpx
import pytest

from connector.errors import (
    CheckpointRejected,
    PageTooLarge,
    SourceRejected,
    SourceUnavailable,
)
from connector.model import timestamp
from connector.model.change import Change, EntityKey
from connector.model.checkpoint import Position
from tests.unit.vendors import reading
from tests.unit.vendors.contentful_answers import (
    DELETED,
    ENTRY,
    RESUMED,
    START,
    SYNC_URL,
    answer,
    contentful,
    error,
)
from tests.unit.vendors.reading import only
from tests.values import page_of


def entry(fields: str = "{}", **sys: Any) -> bytes:
    """Return an entry."""
    head = json.dumps({"id": "e1", "type": "Entry"} | sys)
    return f'{{"sys":{head},"fields":{fields}}}'.encode()


raised = partial(reading.raised, contentful())


def test_an_entry_becomes_a_published_change() -> None:
    """Every member of the item is in exactly one place, byte for byte."""
    change = only(page_of(contentful(), answer(ENTRY), START))
    fields = ENTRY[ENTRY.index(b'"fields":') + 9 : -1]

    assert change == Change(
        key=EntityKey("blog", "entry", "nyancat", "*"),
        change_type="published",
        digest=hashlib.blake2b(ENTRY, digest_size=16).digest(),
        raw=ENTRY,
        content_type="cat",
        revision=5,
        changed_at=timestamp.read("2013-09-04T09:19:39.027Z"),
        created_at=timestamp.read("2013-06-27T22:46:19.513Z"),
        updated_at=timestamp.read("2013-09-04T09:19:39.027Z"),
        fields=fields,
        meta=ENTRY[: ENTRY.index(b',"fields":')] + b"}",
        refs=("entry:happycat",),
        ref_fields=("bestFriend",),
    )


def test_an_asset_has_no_content_type() -> None:
    """An asset is an entity of its own type, keyed by its id."""
    asset = answer(b'{"sys":{"id":"nyan","type":"Asset","revision":0},"fields":{}}')
    change = only(page_of(contentful(), asset, START))
    assert (change.key.entity_type, change.key.id, change.content_type, change.revision) == ("asset", "nyan", None, 0)


@pytest.mark.parametrize("kind", ["DeletedEntry", "DeletedAsset"])
def test_a_delete_marker_is_a_removal(kind: str) -> None:
    """A removal has no fields and no meta, its marker is the whole item, its clock is deletedAt."""
    raw = DELETED.replace(b"DeletedEntry", kind.encode())
    assert only(page_of(contentful(), answer(raw), RESUMED)) == Change(
        key=EntityKey("blog", kind.removeprefix("Deleted").lower(), "4rPdazIwWkuuKEAQgemSmO", "*"),
        change_type="deleted",
        digest=hashlib.blake2b(raw, digest_size=16).digest(),
        raw=raw,
        revision=1,
        changed_at=timestamp.read("2014-08-11T08:30:42.600Z"),
        marker=raw,
    )


def test_a_marker_with_a_content_type_keeps_it() -> None:
    """No recorded marker has a content type, but one that does is believed."""
    marker = b'{"sys":{"id":"e1","type":"DeletedEntry","contentType":{"sys":{"id":"cat"}},"updatedAt":"u"}}'
    change = only(page_of(contentful(), answer(marker), RESUMED))
    assert (change.content_type, change.changed_at) == ("cat", timestamp.read("u"))


@pytest.mark.parametrize(
    ("item", "fields"),
    [
        (b'{"sys":{"id":"e1","type":"Entry"}}', None),
        (b'{"sys":{"id":"e1","type":"Entry"},"fields":{}}', b"{}"),
        (b'{"sys":{"id":"e1","type":"Entry"},"fields":null}', b"null"),
        (b'{"fields":{"a":{}},"sys":{"type":"Entry","id":"e1"}}', b'{"a":{}}'),
    ],
)
def test_fields_may_be_missing_null_or_empty(item: bytes, fields: bytes | None) -> None:
    """Every recorded shape of `fields` is published unchanged; without the member there are none."""
    assert only(page_of(contentful(), answer(item), START)).fields == fields


@pytest.mark.parametrize(
    "value",
    [
        "1.10",
        "1e400",
        "1180591620717411303424",
        "-0",
        '"\u2028"',
        r'"\ud83d"',
        "null",
        "{}",
        '{"b":1,"a":1,"b":2}',
        "[ 1 ]",
    ],
)
def test_values_pass_through_byte_for_byte(value: str) -> None:
    """Numbers, surrogates, nulls and layout reach the event as written, whichever path reads them."""
    item = f'{{"sys" : {{"id":"e1","type":"Entry"}},\n "x": {value},"fields":{{"a":{{"en-US":{value}}}}} }}'.encode()
    change = only(page_of(contentful(), answer(item), START))

    assert change.fields == f'{{"a":{{"en-US":{value}}}}}'.encode()
    assert change.meta == f'{{"sys":{{"id":"e1","type":"Entry"}},"x":{value}}}'.encode()
    assert change.raw == item


def test_links_within_the_space_are_refs_once_each_in_order() -> None:
    """Links to entries and assets count, wherever they are; other spaces, types, tags and lookalikes do not.

    Each has the field that it stands in first.
    """
    fields = json.dumps(
        {
            "body": {
                "en-US": {
                    "content": [{"data": {"target": link("Asset", "a1")}}, {"data": {"target": link("Entry", "e2")}}]
                }
            },
            "more": {"en-US": [link("Entry", "e2"), link("Entry", "e3"), link("Tag", "t"), link("ContentType", "c")]},
            "far": {"en-US": {"sys": {"type": "ResourceLink", "linkType": "Contentful:Entry", "urn": "crn:x"}}},
            "text": {"en-US": json.dumps(link("Entry", "quoted"))},
            "odd": {
                "en-US": [
                    {"sys": {"type": "Link", "linkType": 1, "id": "n"}},
                    {"sys": {"linkType": "Entry", "id": "n"}},
                ]
            },
        },
        indent=1,
    )
    change = only(page_of(contentful(), answer(entry(fields)), START))
    assert change.refs == ("asset:a1", "entry:e2", "entry:e3")
    assert change.ref_fields == ("body", "body", "more")


@pytest.mark.parametrize("name", ["", "a\0b", "\ud83d"])
def test_a_field_whose_name_no_column_can_carry_has_none(name: str) -> None:
    """The link counts all the same."""
    change = only(page_of(contentful(), answer(entry(json.dumps({name: {"en-US": link("Entry", "e2")}}))), START))
    assert (change.refs, change.ref_fields) == (("entry:e2",), ("",))


def link(target: str, found: str) -> dict[str, Any]:
    """Return a link as the API writes it."""
    return {"sys": {"type": "Link", "linkType": target, "id": found}}


@pytest.mark.parametrize(
    ("item", "kind", "found"),
    [
        (b'{"sys":{"id":"x","type":"Comment"}}', "Comment", "x"),
        (b'{"sys":{"type":"Entry"}}', "Entry", None),
        (b'{"sys":{"id":7,"type":"Entry"}}', "Entry", None),
        (b'{"sys":{"id":"","type":"DeletedEntry"}}', "DeletedEntry", None),
        (rb'{"sys":{"id":"a\u0000b","type":"Asset"}}', "Asset", None),
        (rb'{"sys":{"id":"\ud83d","type":"Asset"}}', "Asset", None),
        (b'{"sys":{"id":"x"}}', None, "x"),
        (b'{"sys":[]}', None, None),
        (b'{"fields":{"secret":1}}', None, None),
        (b"[]", None, None),
        (b"null", None, None),
        (b'"secret"', None, None),
        (b'{"sys":{"id":"x","type":"Entry"},"fields":{"secret":"\xff"}}', None, None),
        (b'{"sys":{"id":"x","type":"Entry"},"fields":1,"fields":2}', None, None),
        (b'{"sys":{"id":"x","type":"Entry"},"fields":' + b"[" * 9999 + b"]" * 9999 + b"}", None, None),
    ],
)
def test_a_malformed_item_costs_only_itself(item: bytes, kind: str | None, found: str | None) -> None:
    """It becomes a dead letter with its raw bytes and whatever could be read of it; its neighbours are published."""
    page = page_of(contentful(), answer(ENTRY, item, DELETED), START)
    (letter,) = page.dead_letters

    assert [change.key.id for change in page.changes] == ["nyancat", "4rPdazIwWkuuKEAQgemSmO"]
    assert (letter.raw, letter.error, letter.item_type, letter.item_id) == (item, "MalformedItem", kind, found)
    assert letter.reason
    assert "secret" not in letter.reason


@pytest.mark.parametrize(
    ("sys", "revision", "clock"),
    [
        ({"revision": "5", "updatedAt": 7}, None, None),
        ({"revision": 2**63, "updatedAt": ""}, None, None),
        ({"revision": True}, None, None),
    ],
)
def test_odd_values_besides_the_id_are_accepted(sys: dict[str, Any], revision: None, clock: None) -> None:
    """A revision or clock that no column can hold is left in `meta`."""
    change = only(page_of(contentful(), answer(entry(**sys)), START))
    assert (change.revision, change.changed_at, change.updated_at) == (revision, *[timestamp.read(clock)] * 2)


def test_a_page_url_continues_and_a_sync_url_ends_the_walk() -> None:
    """Neither an empty nor a short page ends a walk, only the URL that it gives."""
    middle = page_of(contentful(), answer(end="nextPageUrl"), START)
    assert (middle.caught_up, middle.position.page, middle.position.phase) == (False, 1, "snapshot")

    last = page_of(contentful(), answer(ENTRY), middle.position)
    assert (last.caught_up, last.position.page, last.position.phase) == (True, 0, "catching_up")


def test_with_both_urls_the_page_comes_first() -> None:
    """Continuing with the page cannot skip anything."""
    body = {"items": [], "nextPageUrl": SYNC_URL + "page", "nextSyncUrl": SYNC_URL + "sync"}
    page = page_of(contentful(), httpx.Response(200, json=body), START)
    assert (page.position.cursor, page.caught_up) == ("page", False)


@pytest.mark.parametrize("end", ["nextSyncUrl", "nextPageUrl"])
@pytest.mark.parametrize(
    "url",
    [
        "https://origin.example.com/sync?sync_token=t",
        "http://cdn.contentful.com/sync?sync_token=t",
        "https://cdn.contentful.com:8443/sync?sync_token=t",
        "https://cdn.contentful.com:x/?sync_token=t",
        "https://gateway.example/cms/spaces/s/environments/e/sync?other=1&sync_token=t",
        "//cdn.example.com/?sync_token=t",
    ],
)
def test_only_the_token_of_a_next_url_matters(end: str, url: str) -> None:
    """A caching proxy's body names the host behind it, perhaps by http: no request ever goes there."""
    page = page_of(contentful(), answer(end=end, url=url), START)
    assert page.position.cursor == "t"
    assert contentful().request(page.position).url.host == "cdn.contentful.com"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>bad gateway</html>",
        b'{"items":[],"nextSyncUrl":"https://cdn.conte',
        b"[]",
        b"{}",
        b'{"items":[]}',
        b'{"items":{},"nextSyncUrl":"' + SYNC_URL.encode() + b't"}',
        b'{"nextSyncUrl":"' + SYNC_URL.encode() + b't"}',
        b'{"items":[],"nextSyncUrl":7}',
        b'{"items":[],"nextSyncUrl":"https://cdn.contentful.com/sync"}',
        b'{"items":[],"nextSyncUrl":"https://cdn.contentful.com/sync?sync_token="}',
        b'{"items":[],"nextSyncUrl":"https://cdn.contentful.com/sync?sync_token=%FF"}',
        b'{"items":[],"nextSyncUrl":"https://[cdn.contentful.com/?sync_token=t"}',
        b'{"items":[1],"items":[],"nextSyncUrl":"' + SYNC_URL.encode() + b't"}',
    ],
)
def test_a_body_that_is_not_a_sync_page_is_tried_again(body: bytes) -> None:
    """HTML, a truncated body or a page without a continuation is a broken answer, not a refused cursor."""
    assert isinstance(raised(httpx.Response(200, content=body), RESUMED), SourceUnavailable)


@pytest.mark.parametrize("status", [400, 404, 410, 422])
def test_a_4xx_to_a_token_is_doubtful(status: int) -> None:
    """The answer to a bad token is undocumented: the caller probes before taking a new snapshot."""
    refused = raised(error(status, "NotFound"), RESUMED)
    assert isinstance(refused, CheckpointRejected)
    assert refused.doubtful
    assert not isinstance(refused, PageTooLarge)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_a_refused_initial_request_is_for_an_operator(status: int) -> None:
    """Without a token only scope, filter or credentials can be wrong; each status has its own hint."""
    refused = raised(error(status, "AccessDenied"), START)
    assert isinstance(refused, SourceRejected)
    assert {400: "api_filter", 401: "token", 403: "rights", 404: "space", 422: "api_filter"}[status] in refused.hint


@pytest.mark.parametrize("status", [402, 405, 408, 409, 410, 418, 423, 425, 429, 451, 500, 502, 503, 504, 599])
def test_what_may_pass_is_tried_again(status: int) -> None:
    """Time-outs, conflicts, limits, and statuses that the API does not document, with a hint for whoever looks."""
    refused = raised(error(status, "Whatever"), START)
    assert isinstance(refused, SourceUnavailable)
    assert refused.hint


@pytest.mark.parametrize("status", [400, 403, 404, 422, 503])
def test_a_web_page_in_place_of_the_api_is_named(status: int) -> None:
    """A firewall or gateway has answered: the hint says to check what is in between, and no cursor is given up."""
    page = httpx.Response(status, headers={"Content-Type": "text/html"}, content=b"<html>blocked</html>")
    for after in (START, RESUMED):
        refused = raised(page, after)
        assert isinstance(refused, SourceUnavailable | SourceRejected)
        assert "firewall" in refused.hint
        assert "blocked" not in str(refused)


@pytest.mark.parametrize("status", [401, 403])
def test_refused_credentials_stop_the_stream_in_a_delta_too(status: int) -> None:
    """401 and 403 concern the credential, never the cursor; the hint says what to check."""
    refused = raised(error(status, "AccessTokenInvalid"), RESUMED)
    assert isinstance(refused, SourceRejected)
    assert "AccessTokenInvalid" in str(refused)
    assert "token" in refused.hint


@pytest.mark.parametrize("status", [301, 302, 304, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    """A credential is never sent to where a redirect points."""
    response = httpx.Response(status, headers={"Location": "https://evil.example.com/"})
    assert isinstance(raised(response, RESUMED), SourceRejected)


@pytest.mark.parametrize("after", [START, RESUMED])
@pytest.mark.parametrize("unit", ["7340032B", "7340032b"])
def test_a_page_too_large_means_asking_for_a_smaller_one(after: Position, unit: str) -> None:
    """The API's size limit has an error of its own, in a snapshot and in a delta."""
    message = f"Response size too big. Maximum allowed response size: {unit}."
    assert isinstance(raised(error(400, "BadRequest", message), after), PageTooLarge)


@pytest.mark.parametrize(("header", "wait"), [("3581", 3581), ("2", 2), (None, 1), ("soon", 1), ("-4", 1), ("inf", 1)])
def test_a_rate_limit_waits_as_long_as_the_api_says(header: str | None, wait: float) -> None:
    """The wait comes from the API's header; it is a second if there is no sensible one."""
    headers = {"X_Contentful_RateLimit_Reset": header} if header else {}
    limited = raised(error(429, "RateLimitExceeded", **headers), RESUMED)
    assert isinstance(limited, SourceUnavailable)
    assert limited.retry_after == wait


@pytest.mark.parametrize("status", [500, 502, 503, 504, 204, 206])
def test_a_server_error_is_tried_again(status: int) -> None:
    """5xx, and a success that is not a page, pass by themselves."""
    assert isinstance(raised(httpx.Response(status, content=b"<html>"), RESUMED), SourceUnavailable)


def test_errors_name_the_code_and_never_the_body() -> None:
    """The message holds the API's code if there is one; text from the body, and the token, stay out."""
    shown = str(raised(error(404, "NotFound", "secret b4c0n73n7fu1"), START))
    assert shown == "Contentful answered 404 (NotFound) for space cfexampleapi, environment master"
    assert str(raised(error(404, "se cret"), START)).startswith("Contentful answered 404 for")


def test_the_environment_behind_a_name_is_watched() -> None:
    """Its identity is kept from the first page; another identity means that the cursor belongs to other content."""
    first = page_of(contentful(), answer(cf_environment_uuid="u-1"), START)
    assert first.position.identity == "u-1"
    assert page_of(contentful(), answer(), first.position).position.identity == "u-1"
    with pytest.raises(CheckpointRejected, match="no longer the same") as caught:
        page_of(contentful(), answer(cf_environment_uuid="u-2"), first.position)
    assert not caught.value.doubtful
