"""Contentstack's content model: requests and pages, what each type of field is, entities, what cannot be read."""

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
from tests.unit.vendors.contentstack_answers import contentstack, error
from tests.unit.vendors.reading import only_locale, only_part, only_type, only_unread

MODEL = contentstack().model
LOCALES = ModelPosition("locale", "0")
TRACK = (
    b'{"uid":"track","title":"Track","_version":4,"created_at":"2020-04-10T05:46:12.329Z",'
    b'"updated_at":"2020-04-10T05:49:44.406Z","options":{"title":"title","singleton":false},"schema":['
    b'{"uid":"title","display_name":"Title","data_type":"text","multiple":false,"non_localizable":false},'
    b'{"uid":"colors","data_type":"text","multiple":true,"non_localizable":true},'
    b'{"uid":"speaker","data_type":"reference","reference_to":["speaker"],"multiple":false}],"description":""}'
)
GERMAN = (
    b'{"code":"de-de","uid":"blt5","name":"German - Germany","fallback_locale":"en-us","_version":2,'
    b'"created_at":"2015-01-08T15:07:53.495Z","updated_at":"2015-01-09T15:07:53.495Z"}'
)


def listing(name: str, *items: bytes, **members: Any) -> httpx.Response:
    """Return a list of `items`."""
    end = json.dumps({"notice": "", **members})[1:].encode()
    return httpx.Response(200, content=b'{"' + name.encode() + b'":[' + b",".join(items) + b"]," + end)


def described(*fields: Any, **members: Any) -> bytes:
    """Return a content type with these fields."""
    return json.dumps({"uid": "t", "schema": fields, **members}).encode()


def test_content_types_come_first_then_locales() -> None:
    """A hundred at a time, with the schemas of global fields; both credentials and the branch travel as headers."""
    first = contentstack(branch="release").model.request(None)
    assert first.url.copy_with(query=None) == "https://cdn.contentstack.io/v3/content_types"
    paging = {"include_count": "true", "skip": "0", "limit": "100"}
    sent = {"environment": "production", **paging}
    assert dict(first.url.params) == {"include_global_field_schema": "true", **sent}
    assert (first.headers["access_token"], first.headers["branch"]) == ("cs5b69", "release")
    types = MODEL.frame(listing("content_types", TRACK, count=1), None)
    assert types == ModelFrame("content_type", [TRACK], after=LOCALES, total=1)
    second = MODEL.request(LOCALES)
    assert (second.url.path, dict(second.url.params)) == ("/v3/locales", sent)
    assert MODEL.frame(listing("locales", GERMAN, count=1), LOCALES) == ModelFrame("locale", [GERMAN], total=1)


@pytest.mark.parametrize(
    ("count", "members", "skip"),
    [
        (3, {"count": 5}, "53"),
        (3, {"count": 53}, None),
        (3, {}, None),
        (100, {}, "150"),
        (0, {"count": 60}, None),
        (3, {"count": "99"}, None),
        (3, {"count": -1}, None),
    ],
)
@pytest.mark.parametrize("kind", ["content_type", "locale"])
def test_a_list_continues_until_all_have_come(kind: Any, count: int, members: dict[str, Any], skip: str | None) -> None:
    """By the count, or by a full page where there is none; an empty page ends it in any case."""
    at = ModelPosition(kind, "50")
    members = {"count": 55} if members == {"count": 5} else members
    after = MODEL.frame(listing(f"{kind}s", *[TRACK] * count, **members), at).after
    end = LOCALES if kind == "content_type" else None
    assert after == (end if skip is None else ModelPosition(kind, skip))


def test_an_answer_that_is_no_list_is_an_error() -> None:
    """What is wrong with credentials or with the API is raised as by a page of the stream."""
    with pytest.raises(SourceRejected, match="it refuses api_key"):
        MODEL.frame(error(412, 109, {"api_key": ["is not valid."]}), None)
    with pytest.raises(SourceUnavailable) as limited:
        MODEL.frame(error(429, None, {}, retry_after="7"), LOCALES)
    assert limited.value.retry_after == 7
    with pytest.raises(SourceUnavailable):
        MODEL.frame(httpx.Response(500), LOCALES)
    for body in (b"", b"[]", b"<html>", b'{"content_types":{}}', b'{"locales":[]}', b'{"error_code":141}'):
        with pytest.raises(SourceUnavailable):
            MODEL.frame(httpx.Response(200, content=body), None)


@pytest.mark.parametrize(
    "answer",
    [
        *(error(status, 141, {}) for status in (400, 401, 403, 404, 412, 422)),
        httpx.Response(404),
        httpx.Response(302),
        httpx.Response(200, content=b'{"error_code":141}'),
        httpx.Response(200, content=b"<html>"),
    ],
)
def test_locales_that_are_refused_cost_no_content_type(answer: httpx.Response) -> None:
    """No document says that the delivery API lists them: the model has none then, and says why."""
    frame = MODEL.frame(answer, LOCALES)
    assert frame == ModelFrame("locale", [], refused=frame.refused)
    assert frame.refused
    with pytest.raises((SourceRejected, SourceUnavailable)):
        MODEL.frame(answer, None)


def test_a_content_type_is_read() -> None:
    """Fields in the schema's order, by their uid."""
    assert only_type(MODEL, TRACK) == ContentType(
        id="track",
        name="Track",
        display_field="title",
        fields=(
            Field(id="title", name="title", kind="text", type="text"),
            Field(id="colors", name="colors", kind="texts", type="text[]", localized=False),
            Field(id="speaker", name="speaker", kind="links", type="reference"),
        ),
    )


def test_a_locale_is_read() -> None:
    """Only the stack's master language has no fallback."""
    assert only_locale(MODEL, GERMAN) == Locale(code="de-de", name="German - Germany", fallback="en-us")
    for fallback in (b',"fallback_locale":null', b',"fallback_locale":""', b""):
        raw = b'{"code":"en-us","name":"English"' + fallback + b"}"
        assert only_locale(MODEL, raw) == Locale(code="en-us", name="English", default=True)


@pytest.mark.parametrize(
    ("data_type", "single", "multiple"),
    [
        ("text", "text", "texts"),
        ("number", "number", "json"),
        ("boolean", "boolean", "json"),
        ("isodate", "date", "json"),
        ("reference", "links", "links"),
        ("file", "json", "json"),
        ("link", "json", "json"),
        ("group", "json", "json"),
        ("global_field", "json", "json"),
        ("blocks", "json", "json"),
        ("json", "json", "json"),
        ("taxonomy", "json", "json"),
        ("hologram", "json", "json"),
    ],
)
def test_each_type_of_field_has_its_kind(data_type: str, single: str, multiple: str) -> None:
    """A list of texts or references is that; any other list, and a type that nobody knows, is JSON."""
    fields = [
        {"uid": "one", "data_type": data_type, "multiple": False},
        {"uid": "many", "data_type": data_type, "multiple": True},
        {"uid": "odd", "data_type": data_type, "multiple": "yes"},
    ]
    found = only_type(MODEL, described(*fields)).fields
    assert [field.kind for field in found] == [single, multiple, single]
    assert [field.type for field in found] == [data_type, f"{data_type}[]", data_type]


@pytest.mark.parametrize("data_type", [None, 7, "", ["text"], {"text": 1}])
def test_a_type_that_is_no_text_is_json(data_type: Any) -> None:
    """The field is delivered, whatever it holds."""
    (field,) = only_type(MODEL, described({"uid": "f", "data_type": data_type})).fields
    assert (field.kind, field.type) == ("json", "unknown")


@pytest.mark.parametrize("options", [{}, {"options": None}, {"options": {"title": 3}}, {"options": {"title": "gone"}}])
def test_only_a_field_that_is_there_titles_an_entry(options: dict[str, Any]) -> None:
    """Options that name none give none."""
    assert only_type(MODEL, described({"uid": "title", "data_type": "text"}, **options)).display_field is None


def test_a_part_is_an_entity_verbatim() -> None:
    """The item's own bytes: its schema apart, all other members in their order; no locale."""
    updated_at = timestamp.read("2020-04-10T05:49:44.406Z")
    before, _, after = TRACK.partition(b',"schema":')
    schema, _, rest = after.partition(b',"description"')
    assert only_part(MODEL, "content_type", TRACK).change == Change(
        key=EntityKey("shop", "content_type", "track", "*"),
        change_type="published",
        digest=hashlib.blake2b(TRACK, digest_size=16).digest(),
        raw=TRACK,
        revision=4,
        changed_at=updated_at,
        created_at=timestamp.read("2020-04-10T05:46:12.329Z"),
        updated_at=updated_at,
        fields=schema,
        meta=before + b',"description"' + rest,
    )


def test_a_locale_is_an_entity_by_its_code() -> None:
    """Content is published to codes; all of the item is in its meta."""
    change = only_part(MODEL, "locale", GERMAN).change
    assert change.key == EntityKey("shop", "locale", "de-de", "*")
    assert (change.revision, change.changed_at) == (2, timestamp.read("2015-01-09T15:07:53.495Z"))
    assert (change.fields, change.meta) == (None, GERMAN)


@pytest.mark.parametrize(
    ("raw", "id"),
    [
        (b"7", None),
        (b"[]", None),
        (b"{}", None),
        (b'{"uid":7,"schema":[]}', None),
        (b'{"uid":"\\udead","schema":[]}', None),
        (b'{"uid":"a","uid":"b","schema":[]}', None),
        (b'{"uid":"a","schema":[],"x":' + b'{"a":' * 600 + b"1" + b"}" * 600 + b"}", None),
        (b'{"uid":"a"}', "a"),
        (b'{"uid":"a","schema":null}', "a"),
        (b'{"uid":"a","schema":[[]]}', "a"),
        (b'{"uid":"a","schema":[{"uid":""}]}', "a"),
        (b'{"uid":"a","schema":[{"uid":"f"},{"uid":"f"}]}', "a"),
    ],
)
def test_a_type_that_cannot_be_understood_is_reported(raw: bytes, id: str | None) -> None:  # noqa: A002  one word per thing
    """By its uid where it has one, without its content; the other types of the answer are read."""
    letter = only_unread(MODEL, "content_type", raw)
    assert letter.item_id == id
    page = MODEL.read(ModelFrame("content_type", [raw, TRACK]))
    assert [part.change.key.id for part in page.parts] == ["track"]


@pytest.mark.parametrize("raw", [b"7", b"{}", b'{"code":""}', b'{"code":["de"]}', b'{"code":"de'])
def test_a_locale_that_cannot_be_understood_is_reported(raw: bytes) -> None:
    """It has no usable code."""
    assert only_unread(MODEL, "locale", raw).item_id is None
