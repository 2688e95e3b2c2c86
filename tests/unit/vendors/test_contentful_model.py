"""Contentful's content model: requests and pages, what each type of field is, entities, what cannot be read."""

import hashlib
import json
from typing import Any

import httpx
import pytest

from connector.errors import SourceRejected, SourceUnavailable
from connector.model import timestamp
from connector.model.change import Change, EntityKey
from connector.model.content_model import ContentType, Field, Locale
from connector.model.model_page import ModelFrame, ModelPosition
from tests.unit.vendors.contentful_answers import contentful, error
from tests.unit.vendors.reading import only_locale, only_part, only_type, only_unread

MODEL = contentful().model
ENVIRONMENT = "https://cdn.contentful.com/spaces/cfexampleapi/environments/master"
LOCALES = ModelPosition("locale")
TOO_LARGE = error(400, "BadRequest", "Response size too big. Maximum allowed response size: 7340032B.")
CAT = (
    b'{"fields":[{"id":"name","name":"Name","type":"Text","required":true,"localized":true},'
    b'{"id":"likes","name":"Likes","type":"Array","localized":false,"items":{"type":"Symbol"}},'
    b'{"id":"bestFriend","name":"Best Friend","type":"Link","localized":false,"linkType":"Entry"},'
    b'{"id":"secret","name":"Secret","type":"Symbol","localized":false,"omitted":true}],'
    b'"name":"Cat","displayField":"name","description":"Meow.", "sys":{"type":"ContentType","id":"cat","revision":2,'
    b'"createdAt":"2013-06-27T22:46:12.852Z","updatedAt":"2013-09-02T13:14:47.863Z"}}'
)
GERMAN = (
    b'{"code":"de-AT","name":"German (Austria)","default":false,"fallbackCode":"en-US",'
    b'"sys":{"id":"4YnL","type":"Locale","version":3}}'
)


def listing(*items: bytes, **members: Any) -> httpx.Response:
    """Return a list of `items`."""
    end = json.dumps({"sys": {"type": "Array"}, **members})[1:].encode()
    return httpx.Response(200, content=b'{"items":[' + b",".join(items) + b"]," + end)


def described(*fields: Any, **members: Any) -> bytes:
    """Return a content type with these fields."""
    return json.dumps({"sys": {"id": "t", "type": "ContentType"}, "fields": fields, **members}).encode()


def test_content_types_come_first_then_locales() -> None:
    """In one environment, a thousand types at a time, in a stable order, with the token in the header alone."""
    first = MODEL.request(None)
    assert str(first.url) == f"{ENVIRONMENT}/content_types?order=sys.id&skip=0&limit=1000"
    assert first.headers["Authorization"] == "Bearer b4c0n73n7fu1"
    last = MODEL.frame(listing(CAT, total=1, skip=0, limit=1000), None)
    assert last == ModelFrame("content_type", [CAT], after=LOCALES, total=1)
    assert str(MODEL.request(LOCALES).url) == f"{ENVIRONMENT}/locales"
    assert MODEL.frame(listing(GERMAN, total=1), LOCALES) == ModelFrame("locale", [GERMAN], total=1)


@pytest.mark.parametrize(
    ("count", "members", "skip"),
    [
        (3, {"total": 5}, "3"),
        (3, {"total": 3}, None),
        (3, {}, None),
        (1000, {}, "1000"),
        (0, {"total": 5}, None),
        (3, {"total": "5"}, None),
        (3, {"total": -1}, None),
    ],
)
def test_a_list_continues_until_all_have_come(count: int, members: dict[str, Any], skip: str | None) -> None:
    """By the total, or by a full page where there is none; an empty page ends it in any case."""
    after = MODEL.frame(listing(*[CAT] * count, **members), None).after
    assert after is not None
    assert after == (LOCALES if skip is None else ModelPosition("content_type", f"{skip}:1000"))
    assert MODEL.request(after).url.params.get("skip") == skip


def test_a_page_too_large_for_the_api_is_asked_for_in_smaller_pages() -> None:
    """Down to single types; one that is too large by itself is an error that is worth a retry."""
    after = MODEL.frame(TOO_LARGE, ModelPosition("content_type", "40:1000")).after
    assert after is not None
    assert dict(MODEL.request(after).url.params) == {"order": "sys.id", "skip": "40", "limit": "100"}
    for expected in ("10", "1"):
        after = MODEL.frame(TOO_LARGE, after).after
        assert after is not None
        assert MODEL.request(after).url.params["limit"] == expected
    for at in (after, LOCALES):
        with pytest.raises(SourceUnavailable, match="exceeds the API's size limit"):
            MODEL.frame(TOO_LARGE, at)


@pytest.mark.parametrize("at", [None, LOCALES])
def test_an_answer_that_is_no_list_is_an_error(at: ModelPosition | None) -> None:
    """What is wrong with credentials or with the API is raised as by a page of the stream."""
    with pytest.raises(SourceRejected):
        MODEL.frame(error(401, "AccessTokenInvalid"), at)
    with pytest.raises(SourceUnavailable) as limited:
        MODEL.frame(error(429, "RateLimitExceeded", X_Contentful_RateLimit_Reset="7"), at)
    assert limited.value.retry_after == 7
    for body in (b"", b"[]", b"<html>", b'{"items":{}}', b'{"items":null}', b'{"total":1}'):
        with pytest.raises(SourceUnavailable):
            MODEL.frame(httpx.Response(200, content=body), at)


def test_a_content_type_is_read() -> None:
    """Fields in the model's order, by their id; one that answers omit is left out."""
    assert only_type(MODEL, CAT) == ContentType(
        id="cat",
        name="Cat",
        display_field="name",
        fields=(
            Field(id="name", name="name", kind="text", type="Text"),
            Field(id="likes", name="likes", kind="texts", type="Array<Symbol>", localized=False),
            Field(id="bestFriend", name="bestFriend", kind="link", type="Link", localized=False),
        ),
    )


def test_a_locale_is_read() -> None:
    """With its fallback, if it has one."""
    assert only_locale(MODEL, GERMAN) == Locale(code="de-AT", name="German (Austria)", fallback="en-US")
    assert only_locale(
        MODEL, b'{"code":"en-US","name":"English","default":true,"fallbackCode":null,"sys":{"id":"1"}}'
    ) == Locale(code="en-US", name="English", default=True)


@pytest.mark.parametrize(
    ("field", "kind", "type"),
    [
        ({"type": "Symbol"}, "text", "Symbol"),
        ({"type": "Text"}, "text", "Text"),
        ({"type": "Integer"}, "integer", "Integer"),
        ({"type": "Number"}, "number", "Number"),
        ({"type": "Boolean"}, "boolean", "Boolean"),
        ({"type": "Date"}, "date", "Date"),
        ({"type": "Location"}, "location", "Location"),
        ({"type": "Link", "linkType": "Asset"}, "link", "Link"),
        ({"type": "ResourceLink"}, "json", "ResourceLink"),
        ({"type": "RichText"}, "json", "RichText"),
        ({"type": "Object"}, "json", "Object"),
        ({"type": "Array", "items": {"type": "Symbol"}}, "texts", "Array<Symbol>"),
        ({"type": "Array", "items": {"type": "Link", "linkType": "Entry"}}, "links", "Array<Link>"),
        ({"type": "Array", "items": {"type": "ResourceLink"}}, "json", "Array<ResourceLink>"),
        ({"type": "Array", "items": "Symbol"}, "json", "Array<unknown>"),
        ({"type": "Array"}, "json", "Array<unknown>"),
        ({"type": "Hologram"}, "json", "Hologram"),
        ({"type": ["Symbol"]}, "json", "unknown"),
        ({}, "json", "unknown"),
    ],
)
def test_each_type_of_field_has_its_kind(field: dict[str, Any], kind: str, type: str) -> None:  # noqa: A002  the field's
    """A type that nobody knows is JSON."""
    (found,) = only_type(MODEL, described({"id": "f", "localized": False, **field})).fields
    assert (found.kind, found.type, found.localized) == (kind, type, False)


@pytest.mark.parametrize(
    ("display", "found"), [("title", "title"), ("hidden", None), ("none", None), (None, None), ([], None), ({}, None)]
)
def test_only_a_delivered_field_titles_an_entry(display: Any, found: str | None) -> None:
    """A display field that answers omit, or that is not there, titles nothing."""
    fields = ({"id": "title", "type": "Symbol"}, {"id": "hidden", "type": "Symbol", "omitted": True})
    assert only_type(MODEL, described(*fields, displayField=display)).display_field == found


def test_a_part_is_an_entity_verbatim() -> None:
    """The item's own bytes: its array of fields apart, all other members in their order; no locale."""
    updated_at = timestamp.read("2013-09-02T13:14:47.863Z")
    fields, _, rest = CAT.removeprefix(b'{"fields":').partition(b',"name":"Cat"')
    assert only_part(MODEL, "content_type", CAT).change == Change(
        key=EntityKey("blog", "content_type", "cat", "*"),
        change_type="published",
        digest=hashlib.blake2b(CAT, digest_size=16).digest(),
        raw=CAT,
        revision=2,
        changed_at=updated_at,
        created_at=timestamp.read("2013-06-27T22:46:12.852Z"),
        updated_at=updated_at,
        fields=fields,
        meta=(b'{"name":"Cat"' + rest).replace(b', "sys"', b',"sys"'),
    )


def test_a_locale_is_an_entity_by_its_code() -> None:
    """Content refers to the code; what has no clocks gives none."""
    change = only_part(MODEL, "locale", GERMAN).change
    assert change.key == EntityKey("blog", "locale", "de-AT", "*")
    assert (change.revision, change.changed_at, change.fields) == (3, None, None)
    assert change.meta == GERMAN


@pytest.mark.parametrize(
    ("raw", "id"),
    [
        (b"7", None),
        (b"null", None),
        (b"{", None),
        (b"{}", None),
        (b'{"sys":7}', None),
        (b'{"sys":{"id":""},"fields":[]}', None),
        (b'{"sys":{"id":"\\ud83d"},"fields":[]}', None),
        (b'{"sys":{"id":"a\\u0000"},"fields":[]}', None),
        (b'{"sys":{"id":"a"},"sys":{"id":"b"},"fields":[]}', None),
        (b'{"sys":{"id":"a","x":' + b"[" * 600 + b"]" * 600 + b'},"fields":[]}', None),
        (b'{"sys":{"id":"a"}}', "a"),
        (b'{"sys":{"id":"a"},"fields":{}}', "a"),
        (b'{"sys":{"id":"a"},"fields":[7]}', "a"),
        (b'{"sys":{"id":"a"},"fields":[{"type":"Text"}]}', "a"),
        (b'{"sys":{"id":"a"},"fields":[{"id":"\\ud83d","type":"Text"}]}', "a"),
        (b'{"sys":{"id":"a"},"fields":[{"id":"f"},{"id":"f"}]}', "a"),
    ],
)
def test_a_type_that_cannot_be_understood_is_reported(raw: bytes, id: str | None) -> None:  # noqa: A002  one word per thing
    """By its id where it has one, without its content; the other types of the answer are read."""
    letter = only_unread(MODEL, "content_type", raw)
    assert (letter.item_id, letter.error) == (id, "MalformedItem")
    page = MODEL.read(ModelFrame("content_type", [CAT, raw, described()]))
    assert [part.change.key.id for part in page.parts] == ["cat", "t"]
    assert page.unread == (letter,)


@pytest.mark.parametrize(
    "raw", [b"[]", b"{}", b'{"sys":{},"code":7}', b'{"code":"de"}', b'{"sys":{},"code":"\\ud83d"}']
)
def test_a_locale_that_cannot_be_understood_is_reported(raw: bytes) -> None:
    """It has no usable code."""
    assert only_unread(MODEL, "locale", raw).item_id is None


def test_only_a_locale_that_says_so_is_the_default() -> None:
    """Whatever else stands in its place."""
    for default in (b"", b',"default":null', b',"default":"true"', b',"default":1'):
        assert not only_locale(MODEL, b'{"code":"en-US","sys":{}' + default + b"}").default


def test_odd_values_beside_what_matters_cost_nothing() -> None:
    """A name that no column could carry is empty; unknown members are kept in the entity."""
    raw = described({"id": "f", "type": "Text", "new": [1]}, name="\ud83d", displayField=3, later={"x": None})
    part = only_part(MODEL, "content_type", raw)
    assert part.content == ContentType(id="t", fields=(Field(id="f", name="f", kind="text", type="Text"),))
    assert part.change.meta is not None
    assert b'"later":{"x": null}' in part.change.meta
