"""Whatever a CMS answers to a request for its content model: every vendor gives a frame or a known error."""

import functools
import json
from collections.abc import Iterable
from typing import Any, get_args

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector import vendors
from connector.cms.content_model import gather
from connector.errors import SourceRejected, SourceUnavailable, WalkBroken
from connector.events.envelope import event_id
from connector.model.content_model import ContentType, FieldKind, Locale
from connector.model.model_page import ModelFrame, ModelKind, ModelPart, ModelPosition
from tests.property.test_vendor_fuzz import BOMBS, DEBRIS, HEADERS, connected

LISTS = ("items", "content_types", "locales")
MEMBERS = (
    "sys id uid code name title type data_type apiName fields schema items multiple localized omitted non_localizable "
    "displayField options default fallbackCode fallback_locale revision version _version createdAt updated_at next"
)
NAMES = st.sampled_from(MEMBERS.split())
TEXTS = st.sampled_from(
    [
        "Symbol",
        "Array",
        "Link",
        "Refer",
        "text",
        "reference",
        "ContentType",
        "Locale",
        "cat",
        "de-AT",
        "\x00",
        "\ud83d",
        "",
    ]
)
VALUES = st.recursive(
    TEXTS | st.text(max_size=5) | st.integers() | st.none() | st.booleans() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(max_size=3), inner, max_size=6),
    max_leaves=25,
)
SYS = st.fixed_dictionaries({"id": TEXTS, "code": TEXTS, "type": st.just("ContentType")}, optional={"version": VALUES})
FIELD = st.fixed_dictionaries(
    {"id": TEXTS, "uid": TEXTS, "apiName": TEXTS},
    optional={"type": TEXTS, "data_type": TEXTS, "items": VALUES, "multiple": VALUES, "omitted": VALUES},
)
FIELDS = st.lists(FIELD, max_size=4) | VALUES
ITEMS = VALUES | st.fixed_dictionaries(
    {"sys": SYS, "uid": TEXTS, "code": TEXTS, "fields": FIELDS, "schema": FIELDS},
    optional={"displayField": VALUES, "options": VALUES, "name": VALUES, "title": VALUES, "fallbackCode": VALUES},
)
KINDS: tuple[ModelKind, ...] = ("content_type", "locale")

each_vendor = pytest.mark.parametrize("name", vendors.names())


@functools.cache
def positions(name: str) -> list[ModelPosition | None]:
    """Return the start of a model and what comes after each list that is empty."""
    reader = connected(name).model
    found: list[ModelPosition | None] = [None]
    empty = httpx.Response(200, content=b'{"items":[],"content_types":[],"locales":[]}')
    while after := reader.frame(empty, found[-1]).after:
        found.append(after)
    return found


def framed(name: str, response: httpx.Response) -> Iterable[ModelFrame]:
    """Yield the frame of a response at each position, unless it is an error that a caller knows how to handle."""
    reader = connected(name).model
    for after in positions(name):
        try:
            frame = reader.frame(response, after)
        except (SourceUnavailable, SourceRejected):
            continue
        assert frame.after is None or reader.request(frame.after) is not None
        yield frame


def check(part: ModelPart, kind: ModelKind) -> None:
    """Check that a part is fit for keys, columns and Avro, and says of its item what the item holds."""
    content, change = part.content, part.change
    assert event_id(change)
    assert (change.key.entity_type, change.change_type, change.scope) == (kind, "published", "key")
    assert change.meta is not None
    assert isinstance(json.loads(change.meta), dict)
    if isinstance(content, Locale):
        texts = [content.code, content.name, content.fallback]
    else:
        assert isinstance(content, ContentType)
        texts = [content.id, content.name, content.display_field]
        texts += [text for field in content.fields for text in (field.id, field.name, field.type)]
        assert all(field.id and field.name and field.kind in get_args(FieldKind) for field in content.fields)
        assert len({field.name for field in content.fields}) == len(content.fields)
        assert content.display_field is None or content.display_field in {field.name for field in content.fields}
    assert all("\0" not in text and text.encode() is not None for text in texts if text)


@each_vendor
@given(status=st.integers(200, 599), body=st.binary(max_size=200), headers=HEADERS)
def test_any_response_is_a_frame_or_a_known_error(name: str, status: int, body: bytes, headers: dict[str, str]) -> None:
    """Any status, header and body: never an unknown error, and never one that asks for a new snapshot."""
    raw = [(key.encode(), value.encode("latin-1")) for key, value in headers.items()]
    list(framed(name, httpx.Response(status, content=body, headers=raw)))


@each_vendor
@given(status=st.sampled_from([200, 400, 401, 404, 422, 429, 500]), body=VALUES)
def test_any_json_body_is_a_frame_or_a_known_error(name: str, status: int, body: Any) -> None:
    """Any JSON in place of a list or an error body."""
    list(framed(name, httpx.Response(status, content=json.dumps(body).encode())))


@each_vendor
@given(items=st.lists(ITEMS, max_size=5), members=st.dictionaries(st.sampled_from(["total", "count", "links"]), VALUES))
def test_every_item_is_a_part_or_is_reported(name: str, items: list[Any], members: dict[str, Any]) -> None:
    """None is dropped, and none breaks the list; a model can be made of what remains."""
    reader = connected(name).model
    raws = [json.dumps(item).encode() for item in items]
    for frame in framed(name, httpx.Response(200, content=json.dumps(members | dict.fromkeys(LISTS, items)).encode())):
        assert frame.raws == raws
    for kind in KINDS:
        page = reader.read(ModelFrame(kind, raws))
        assert sorted([part.change.raw for part in page.parts] + [letter.raw for letter in page.unread]) == sorted(raws)
        for part in page.parts:
            check(part, kind)
        model = gather(reader, [ModelFrame(kind, raws, total=len(raws))])
        assert len({change.key for change in model.changes}) == len(model.changes)
        assert len(model.content.content_types) + len(model.content.locales) == len(model.parts)
        assert model.gone(change.key for change in model.changes) == []


@each_vendor
@given(
    cuts=st.lists(st.lists(ITEMS, max_size=3), max_size=3), totals=st.lists(st.none() | st.integers(0, 4), max_size=3)
)
def test_a_model_in_several_answers_is_whole_or_broken(
    name: str, cuts: list[list[Any]], totals: list[int | None]
) -> None:
    """Whatever the answers hold and claim: what comes of them is consistent, or the pass is to be repeated."""
    reader = connected(name).model
    frames = [
        ModelFrame("locale", [json.dumps(item).encode() for item in items], total=total)
        for items, total in zip(cuts, totals, strict=False)
    ]
    try:
        model = gather(reader, frames)
    except WalkBroken:
        return
    assert len({change.key for change in model.changes}) == len(model.changes)


@each_vendor
@given(data=st.data())
def test_a_mutated_list_is_a_frame_or_a_known_error(name: str, data: st.DataObject) -> None:
    """A list with bytes removed, inserted or changed anywhere."""
    reader = connected(name).model
    body = json.dumps(dict.fromkeys(LISTS, data.draw(st.lists(ITEMS, min_size=1, max_size=3)))).encode()
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(body)))
        cut = data.draw(st.sampled_from([0, 1, 1, 7, len(body)]))
        body = body[:at] + data.draw(DEBRIS) + body[at + cut :]
    for frame in framed(name, httpx.Response(200, content=body)):
        reader.read(frame)


@each_vendor
@pytest.mark.timeout(30)
@pytest.mark.parametrize("bomb", BOMBS, ids=["arrays", "objects", "quotes", "digits", "open"])
def test_a_bomb_costs_at_most_its_answer(name: str, bomb: bytes) -> None:
    """Deep, unterminated or endless values are read or refused at once, as an item and as a body."""
    reader = connected(name).model
    for status in (200, 404):
        list(framed(name, httpx.Response(status, content=bomb)))
        for member in LISTS:
            for frame in framed(name, httpx.Response(status, content=b'{"' + member.encode() + b'":[' + bomb + b"]}")):
                reader.read(frame)
    for kind in KINDS:
        for item in (bomb, b'{"uid":"a","sys":{"id":"a"},"schema":' + bomb + b"}"):
            assert len(reader.read(ModelFrame(kind, [item])).unread) == 1
