"""Weegloo's content model: content types of the stream, requests for locales, what each type of field is."""

import json
from typing import Any

import httpx
import pytest

from connector.errors import QuotaExhausted, SourceUnavailable
from connector.model import timestamp
from connector.model.change import EntityKey
from connector.model.content_model import ContentType, Field, Locale
from connector.model.model_page import ModelFrame, ModelPosition
from tests.unit.vendors.reading import only_locale, only_part, only_type, only_unread
from tests.unit.vendors.test_weegloo import CONTENT, answer, error, read, weegloo

MODEL = weegloo().model
LOCALES = "https://cda.weegloo.com/v1/spaces/tcq4V2Xb/locales"
PRODUCT = (
    b'{ "sys": { "id": "3trmXRM3RqbgSnifyg7PAmlxvX4fGY", "type": "ContentType",'
    b' "createdAt": "2026-06-17T16:22:01.047Z", "updatedAt": "2026-06-18T03:05:11.424Z", "revision": 7 },'
    b' "name": "Product", "displayField": "productName",'
    b' "fields": [ { "id": "3hzbux8gsnb4h", "name": "Product Name", "apiName": "productName", "type": "ShortText",'
    b' "localized": true, "required": true, "validations": [], "disabled": false },'
    b' { "id": "4usptben4t1z", "name": "Price", "apiName": "price", "type": "Long", "localized": false } ] }'
)
ENGLISH = (
    b'{ "sys": { "id": "3trmXRM3RqbgSnifyg7PAlm5PVgE8o", "type": "Locale", "name": "English (United States)",'
    b' "default": true, "code": "en-US", "createdAt": "2026-06-17T16:21:10.310Z",'
    b' "updatedAt": "2026-06-17T16:21:10.310Z", "version": 1 }, "optional": false }'
)


def listing(*items: bytes, **members: Any) -> httpx.Response:
    """Return a list of `items`."""
    end = json.dumps({"sys": {"type": "PageResponse"}, **members})[1:].encode()
    return httpx.Response(200, content=b'{"items":[' + b",".join(items) + b"]," + end)


def described(*fields: Any, **members: Any) -> bytes:
    """Return a content type with these fields."""
    return json.dumps({"sys": {"id": "t", "type": "ContentType"}, "fields": fields, **members}).encode()


def test_only_locales_are_asked_for() -> None:
    """Content types come with the stream; the media type is the one that the API answers."""
    request = MODEL.request(None)
    assert (str(request.url), request.headers["Accept"]) == (LOCALES, "*/*")
    assert MODEL.frame(listing(ENGLISH, links={}), None) == ModelFrame("locale", [ENGLISH])
    assert MODEL.frame(listing(ENGLISH, links={"self": "/x?y=1"}, totalCount=1), None).total == 1


@pytest.mark.parametrize(
    "url", ["/v1/spaces/tcq4V2Xb/locales?skip=15&limit=15", "https://elsewhere.example/x?skip=15&limit=15#f"]
)
def test_a_list_continues_at_our_own_url(url: str) -> None:
    """Only the query is taken from the URL that the API gives, whatever host that names."""
    after = MODEL.frame(listing(ENGLISH, links={"next": url}), None).after
    assert after == ModelPosition("locale", "skip=15&limit=15")
    assert str(MODEL.request(after).url) == f"{LOCALES}?skip=15&limit=15"


@pytest.mark.parametrize("url", [7, "/v1/spaces/tcq4V2Xb/locales", "https://[x?a=1", "\ud83d?a=1", ["?a=1"]])
def test_an_unusable_next_url_is_an_error(url: Any) -> None:
    """To end the list there would leave locales out."""
    with pytest.raises(SourceUnavailable, match=r"links\.next"):
        MODEL.frame(listing(ENGLISH, links={"next": url}), None)


@pytest.mark.parametrize("status", [401, 403, 404, 405, 422])
def test_locales_that_are_refused_are_unknown(status: int) -> None:
    """The token's role may not cover them: the model has none then, and says why."""
    frame = MODEL.frame(error(status, f"WGL{status}001"), None)
    assert frame == ModelFrame("locale", [], refused=frame.refused)
    assert f"answered {status}" in (frame.refused or "")


def test_an_answer_that_is_no_list_is_an_error() -> None:
    """What is wrong with the plan or with the API is raised as by a page of the stream."""
    with pytest.raises(QuotaExhausted):
        MODEL.frame(error(429, "WGL429001"), None)
    for broken in (httpx.Response(500), httpx.Response(200), httpx.Response(200, content=b'{"items":7}')):
        with pytest.raises(SourceUnavailable):
            MODEL.frame(broken, None)


def test_a_content_type_of_the_stream_is_read() -> None:
    """A field keeps its id when it is renamed; content uses its `apiName`."""
    assert only_type(MODEL, PRODUCT) == ContentType(
        id="3trmXRM3RqbgSnifyg7PAmlxvX4fGY",
        name="Product",
        display_field="productName",
        fields=(
            Field(id="3hzbux8gsnb4h", name="productName", kind="text", type="ShortText"),
            Field(id="4usptben4t1z", name="price", kind="integer", type="Long", localized=False),
        ),
    )
    assert only_part(MODEL, "content_type", PRODUCT).change == read(PRODUCT)


def test_a_locale_is_read() -> None:
    """Its members are in `sys`; a fallback is found there or beside it."""
    assert only_locale(MODEL, ENGLISH) == Locale(code="en-US", name="English (United States)", default=True)
    for raw in (
        b'{"sys":{"code":"ko-KR","name":"Korean"},"fallbackCode":"en-US"}',
        b'{"sys":{"code":"ko-KR","name":"Korean","fallbackCode":"en-US"}}',
    ):
        assert only_locale(MODEL, raw) == Locale(code="ko-KR", name="Korean", fallback="en-US")
    change = only_part(MODEL, "locale", ENGLISH).change
    assert change.key == EntityKey("site", "locale", "en-US", "*")
    assert (change.revision, change.updated_at) == (1, timestamp.read("2026-06-17T16:21:10.310Z"))
    assert json.loads(change.meta or b"") == json.loads(ENGLISH)


@pytest.mark.parametrize(
    ("field", "kind", "type"),
    [
        ({"type": "ShortText"}, "text", "ShortText"),
        ({"type": "LongText"}, "text", "LongText"),
        ({"type": "RichText"}, "text", "RichText"),
        ({"type": "Long"}, "integer", "Long"),
        ({"type": "Number"}, "number", "Number"),
        ({"type": "Boolean"}, "boolean", "Boolean"),
        ({"type": "Date"}, "date", "Date"),
        ({"type": "Location"}, "location", "Location"),
        ({"type": "Refer"}, "link", "Refer"),
        ({"type": "Json"}, "json", "Json"),
        ({"type": "Array", "items": {"type": "ShortText"}}, "texts", "Array<ShortText>"),
        ({"type": "Array", "items": {"type": "LongText"}}, "texts", "Array<LongText>"),
        ({"type": "Array", "items": {"type": "RichText"}}, "texts", "Array<RichText>"),
        ({"type": "Array", "items": {"type": "Refer"}}, "links", "Array<Refer>"),
        ({"type": "Array", "items": {"type": "Long"}}, "json", "Array<Long>"),
        ({"type": "Array", "items": []}, "json", "Array<unknown>"),
        ({"type": "Hologram"}, "json", "Hologram"),
        ({"type": None}, "json", "unknown"),
    ],
)
def test_each_type_of_field_has_its_kind(field: dict[str, Any], kind: str, type: str) -> None:  # noqa: A002  the field's
    """A type that nobody knows is JSON."""
    (found,) = only_type(MODEL, described({"id": "f", "apiName": "f", **field})).fields
    assert (found.kind, found.type, found.localized) == (kind, type, True)


def test_a_field_without_an_id_goes_by_its_name() -> None:
    """Its values are found all the same."""
    (field,) = only_type(MODEL, described({"id": 7, "apiName": "price", "type": "Long"})).fields
    assert (field.id, field.name) == ("price", "price")


@pytest.mark.parametrize(
    ("raw", "id"),
    [
        (CONTENT, None),
        (b"7", None),
        (b'{"sys":{"type":"ContentType"},"fields":[]}', None),
        (b'{"sys":{"type":"DeletedContent","id":"a"}}', None),
        (b'{"sys":{"type":"ContentType","id":"a"}}', "a"),
        (b'{"sys":{"type":"ContentType","id":"a"},"fields":{"f":{}}}', "a"),
        (b'{"sys":{"type":"ContentType","id":"a"},"fields":[{"id":"f"}]}', "a"),
        (b'{"sys":{"type":"ContentType","id":"a"},"fields":[{"id":"f","apiName":"x"},{"id":"f","apiName":"y"}]}', "a"),
        (b'{"sys":{"type":"ContentType","id":"a"},"fields":[{"id":"f","apiName":"x"},{"id":"g","apiName":"x"}]}', "a"),
    ],
)
def test_a_type_that_cannot_be_understood_is_reported(raw: bytes, id: str | None) -> None:  # noqa: A002  one word per thing
    """By its id where it has one; an item of another kind is no content type."""
    assert only_unread(MODEL, "content_type", raw).item_id == id


@pytest.mark.parametrize("raw", [b"7", b"{}", b'{"sys":[]}', b'{"sys":{"code":7}}', b'{"code":"en-US"}'])
def test_a_locale_that_cannot_be_understood_is_reported(raw: bytes) -> None:
    """It has no usable code."""
    assert only_unread(MODEL, "locale", raw).item_id is None


def test_the_stream_still_delivers_the_same_entity() -> None:
    """A content type's event is that of the stream, as before."""
    assert read(PRODUCT).key == EntityKey("site", "content_type", "3trmXRM3RqbgSnifyg7PAmlxvX4fGY", "*")
    assert answer(PRODUCT).status_code == 200
