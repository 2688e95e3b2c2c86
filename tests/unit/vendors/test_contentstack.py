"""Contentstack: the seven item types, their keys and scopes, continuation, and what each error answer means."""

import hashlib
import json
from typing import Any

import httpx
import pytest

from connector.errors import CheckpointRejected, SourceRejected, SourceUnavailable
from connector.model import timestamp
from connector.model.change import Change, EntityKey
from connector.model.checkpoint import Position
from tests.unit.vendors.contentstack_answers import (
    ENTRY,
    PAGING,
    RESUMED,
    START,
    answer,
    contentstack,
    error,
    item,
    raised,
    read,
)
from tests.values import page_of


def test_an_entry_becomes_a_published_change() -> None:
    """Its key is the locale it was published to, its fields are all of `data`, meta is the rest, byte for byte."""
    cut = ENTRY.index(b',"data":')
    assert read(ENTRY) == Change(
        key=EntityKey("shop", "entry", "blt1", "en-gb"),
        change_type="published",
        digest=hashlib.blake2b(ENTRY, digest_size=16).digest(),
        raw=ENTRY,
        content_type="speaker",
        revision=0,
        changed_at=timestamp.read("2020-12-05T15:43:05.355Z"),
        created_at=timestamp.read("2020-04-10T09:07:57.441Z"),
        updated_at=timestamp.read("2020-12-05T15:43:04.000Z"),
        fields=ENTRY[cut + 8 : -1],
        meta=ENTRY[:cut] + b"}",
        refs=("entry:blt7",),
        ref_fields=("talks",),
    )


@pytest.mark.parametrize(
    "value", ["1.10", "1e400", "1180591620717411303424", "-0", r'"\ud83d"', "null", '{"b":1,"a":[ ]}']
)
def test_values_pass_through_byte_for_byte(value: str) -> None:
    """Whatever the value, and whichever path reads it, `data` arrives as written."""
    data = f'{{ "uid": "e1", "locale": "en-us", "x": {value} }}'
    raw = f'{{"type":"entry_published","data":{data},"more":{value}}}'.encode()
    change = read(raw)
    assert change.fields == data.encode()
    assert change.meta == f'{{"type":"entry_published","more":{value}}}'.encode()


def test_the_documented_samples_are_read() -> None:
    """The documentation's own items, impossible times included, become the changes it describes."""
    body = {
        "items": [
            {"type": "entry_unpublished", "event_at": "2017-11-23T00:00:000Z", "content_type_uid": "Blog",
             "data": {"uid": "5", "locale": "en-us", "title": "My Fifth Blog"}},
            {"type": "asset_unpublished", "event_at": "2017-11-23T00:00:000Z",
             "data": {"uid": "5", "locale": "en-us", "filename": "Blog6.img"}},
            {"type": "content_type_deleted", "event_at": "2017-11-22T00:00:000Z",
             "content_type_uid": "Suggestions", "data": {}},
        ],
        "skip": 0, "limit": 3, "total_count": 3, "sync_token": "blt1223344556677",
    }  # fmt: skip
    page = page_of(contentstack(), httpx.Response(200, json=body), RESUMED)

    clocks = ["2017-11-23T00:00:000Z", "2017-11-23T00:00:000Z", "2017-11-22T00:00:000Z"]
    assert [change.changed_at for change in page.changes] == list(map(timestamp.read, clocks))
    assert [(change.key, change.change_type, change.scope) for change in page.changes] == [
        (EntityKey("shop", "entry", "5", "en-us"), "unpublished", "key"),
        (EntityKey("shop", "asset", "5", "en-us"), "unpublished", "key"),
        (EntityKey("shop", "content_type", "Suggestions", "*"), "deleted", "content_type"),
    ]
    assert [change.content_type for change in page.changes] == ["Blog", None, None]
    assert all(change.marker == change.raw and change.fields is change.meta is None for change in page.changes)
    assert (page.position.cursor, page.caught_up) == ("blt1223344556677", True)


@pytest.mark.parametrize(
    ("data", "locale"),
    [
        ({"locale": "en-us", "publish_details": {"locale": "en-gb"}}, "en-gb"),
        ({"locale": "en-us", "publish_details": [{"locale": "en-gb"}]}, "en-gb"),
        ({"locale": "en-us", "publish_details": [{"locale": "en-gb"}, {"locale": "de"}]}, "en-us"),
        ({"locale": "en-us"}, "en-us"),
        ({"locale": "en-us", "publish_details": None}, "en-us"),
        ({"locale": "en-us", "publish_details": {"locale": ""}}, "en-us"),
        ({"publish_details": "odd"}, "*"),
    ],
)
def test_an_upsert_is_keyed_by_the_locale_it_was_published_to(data: dict[str, Any], locale: str) -> None:
    """A fallback copy carries another locale's content; without any locale, one key stands for the whole entity."""
    assert read(item("entry_published", {"uid": "e1"} | data)).key.locale == locale
    assert read(item("asset_published", {"uid": "a1"} | data)).key.locale == locale


@pytest.mark.parametrize("kind", ["entry_unpublished", "entry_deleted", "asset_unpublished", "asset_deleted"])
@pytest.mark.parametrize(
    ("data", "locale", "scope"),
    [
        ({"locale": "en-us", "publish_details": {"locale": "en-gb"}}, "en-gb", "key"),
        ({"locale": "en-us"}, "en-us", "key"),
        ({}, "*", "entity"),
    ],
)
def test_a_removal_applies_to_the_locale_it_names(kind: str, data: dict[str, Any], locale: str, scope: str) -> None:
    """To one locale, or to every live one if the marker names none."""
    change = read(item(kind, {"uid": "e1"} | data))
    assert (change.key.entity_type, change.key.locale, change.scope) == (kind.split("_", maxsplit=1)[0], locale, scope)
    assert change.change_type == kind.split("_")[1]


def test_an_entry_deleted_may_be_set_to_mean_every_locale() -> None:
    """`entry_deleted_scope` concerns that type alone: unpublishing, and assets, keep to their locale."""
    changes = [
        read(item(kind, {"uid": "e1", "locale": "en-us"}), entry_deleted_scope="entry")
        for kind in ("entry_deleted", "entry_unpublished", "asset_deleted")
    ]
    assert [(change.key.locale, change.scope) for change in changes] == [
        ("*", "entity"),
        ("en-us", "key"),
        ("en-us", "key"),
    ]


def test_references_are_found_in_every_form_that_shows_one() -> None:
    """Reference objects, file objects and embedded nodes count; plain uids, which look like any text, do not."""
    data = {
        "uid": "e1",
        "filename": "a user's field of that name",
        "plain": ["speaker_1_uid"],
        "cover": {"uid": "a1", "filename": "a.png", "url": "https://x", "publish_details": {"locale": "en"}},
        "related": [{"uid": "e2", "_content_type_uid": "talk"}, {"_content_type_uid": "sys_assets", "uid": "a2"}],
        "blocks": [{"hero": {"who": [{"uid": "e2", "_content_type_uid": "talk", "title": "included"}]}}],
        "rich": {"type": "doc", "children": [
            {"type": "reference", "attrs": {"type": "entry", "entry-uid": "e3", "content-type-uid": "talk"}},
            {"type": "reference", "attrs": {"type": "asset", "asset-uid": "a3", "content-type-uid": "sys_assets"}},
        ]},
        "text": '{"uid":"no","_content_type_uid":"talk"}',
        "odd": [{"uid": 7, "_content_type_uid": "talk"}, {"uid": "", "filename": "x"}, {"uid": "x", "filename": 1}],
    }  # fmt: skip
    change = read(item("entry_published", data))
    assert change.refs == ("asset:a1", "entry:e2", "asset:a2", "entry:e3", "asset:a3")
    assert change.ref_fields == ("cover", "related", "related", "rich", "rich")


def test_a_reference_with_an_escaped_name_is_found() -> None:
    """A name written with escapes is the same name."""
    raw = rb'{"type":"entry_published","data":{"uid":"e1","locale":"x","r":{"uid":"e2","\u005fcontent_type_uid":"t"}}}'
    assert (read(raw).refs, read(raw).ref_fields) == (("entry:e2",), ("r",))


@pytest.mark.parametrize(
    ("raw", "kind", "found"),
    [
        (item("entry_archived", {"uid": "e1"}), "entry_archived", "e1"),
        (item("entry_published", {"locale": "en-us"}), "entry_published", None),
        (item("entry_published", None), "entry_published", None),
        (item("entry_deleted", {"uid": ["e1"]}), "entry_deleted", None),
        (b'{"type":"asset_deleted","data":"secret"}', "asset_deleted", None),
        (b'{"type":"asset_deleted","data":null}', "asset_deleted", None),
        (b'{"type":"content_type_deleted","content_type_uid":"","data":{}}', "content_type_deleted", None),
        (rb'{"type":"asset_published","data":{"uid":"\ud800","locale":"en"}}', "asset_published", None),
        (b'{"data":{"uid":"e1"}}', None, "e1"),
        (b'{"type":"entry_published","data":{"uid":"e1"},"data":{"uid":"e2"}}', None, None),
        (b'{"type":"entry_published","data":{"uid":"e1","x":"\xff"}}', None, None),
        (b'{"type":"entry_published","data":{"uid":"e1","x":' + b"[" * 9999 + b"]" * 9999 + b"}}", None, None),
        (b"7", None, None),
    ],
)
def test_a_malformed_item_costs_only_itself(raw: bytes, kind: str | None, found: str | None) -> None:
    """It becomes a dead letter with its raw bytes and whatever could be read of it; its neighbours are published."""
    page = page_of(contentstack(), answer(ENTRY, raw, item("entry_deleted", {"uid": "e9"})), START)
    (letter,) = page.dead_letters

    assert [change.key.id for change in page.changes] == ["blt1", "e9"]
    assert (letter.raw, letter.error, letter.item_type, letter.item_id) == (raw, "MalformedItem", kind, found)
    assert "secret" not in letter.reason


@pytest.mark.parametrize(
    ("tokens", "cursor", "caught_up"),
    [
        ({"sync_token": "s1"}, "s1", True),
        ({"pagination_token": "p1"}, "pagination_token:p1", False),
        ({"sync_token": "s1", "pagination_token": "p1"}, "pagination_token:p1", False),
        ({"sync_token": "s1", "pagination_token": ""}, "s1", True),
    ],
)
def test_a_walk_ends_with_a_sync_token(tokens: dict[str, str], cursor: str, caught_up: bool) -> None:  # noqa: FBT001 (a table's column)
    """A pagination token continues it; if both are given, continuing cannot skip anything."""
    page = page_of(contentstack(), answer(ENTRY, **tokens), START)
    assert (page.position.cursor, page.caught_up) == (cursor, caught_up)


def test_an_empty_delta_has_a_token_and_nothing_else() -> None:
    """It drops the counters and repeats the token: the walk is caught up, and the checkpoint moves on."""
    empty = httpx.Response(200, content=b'{"items":[],"sync_token":"blt1223344556677"}')
    page = page_of(contentstack(), empty, RESUMED)
    assert (page.changes, page.caught_up, page.position) == ((), True, RESUMED)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b'{"items":[',
        b"[]",
        b"{}",
        b'{"items":[]}',
        b'{"items":7,"sync_token":"s"}',
        b'{"sync_token":"s"}',
        b'{"items":[],"sync_token":7}',
        b'{"items":[],"sync_token":""}',
        b'{"items":[1],"items":[],"sync_token":"s"}',
    ],
)
def test_a_body_that_is_not_a_sync_page_is_tried_again(body: bytes) -> None:
    """HTML, a truncated body or a page without a token is a broken answer, not a refused cursor."""
    assert isinstance(raised(httpx.Response(200, content=body), RESUMED), SourceUnavailable)


@pytest.mark.parametrize("status", [200, 400, 404, 412, 422])
@pytest.mark.parametrize("field", ["sync_token", "pagination_token"])
def test_a_refused_token_is_recognised_by_the_body(status: int, field: str) -> None:
    """Code 141 with the token's field means a new snapshot without a probe, whatever the status."""
    refused = raised(error(status, 141, {field: ["is not valid."]}), PAGING)
    assert isinstance(refused, CheckpointRejected)
    assert not refused.doubtful
    assert field in str(refused)


@pytest.mark.parametrize("after", [START, RESUMED])
@pytest.mark.parametrize(
    "response",
    [
        error(422, 141, {"access_token": ["environment or access token is not matched."]}),
        error(422, 141, {}),
        error(412, 109, {"api_key": ["is not valid."]}),
        error(401, 105, {}),
        error(403, None, {}),
        error(404, 118, {"sync_token": ["of another code"]}),
        error(200, 109, {}),
        httpx.Response(404, content=b"[]"),
        httpx.Response(302, headers={"Location": "https://evil.example.com"}),
    ],
)
def test_any_other_refusal_stops_the_stream(response: httpx.Response, after: Position) -> None:
    """An operator has to correct credentials, environment and scope; the API's words never reach the message."""
    refused = raised(response, after)
    assert isinstance(refused, SourceRejected)
    assert refused.hint
    assert "secret" not in str(refused)


def test_a_token_error_without_a_token_stops_the_stream() -> None:
    """If none was sent, a new snapshot would be refused every time."""
    assert isinstance(raised(error(422, 141, {"sync_token": ["is not valid."]}), START), SourceRejected)


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"retry_after": "7"}, 7),
        ({"x_ratelimit_reset": "1700000030", "date": "Tue, 14 Nov 2023 22:13:20 GMT"}, 30),
        ({"x_ratelimit_reset": "1600000000", "date": "Tue, 14 Nov 2023 22:13:20 GMT"}, 1),
        ({"x_ratelimit_reset": "1700000030"}, 1),
        ({"x_ratelimit_reset": "1700000030", "date": "yesterday"}, 1),
        ({"retry_after": "soon"}, 1),
        ({}, 1),
    ],
)
def test_a_rate_limit_waits_as_long_as_the_api_says(headers: dict[str, str], wait: float) -> None:
    """Seconds are taken as they are; a point in time is measured from the response's own date."""
    limited = raised(error(429, None, {}, **headers), RESUMED)
    assert isinstance(limited, SourceUnavailable)
    assert limited.retry_after == wait


@pytest.mark.parametrize("status", [500, 502, 503, 204])
def test_a_server_error_is_tried_again(status: int) -> None:
    """5xx, and a success that is not a page, pass by themselves."""
    assert isinstance(raised(httpx.Response(status, content=json.dumps({}).encode()), RESUMED), SourceUnavailable)
