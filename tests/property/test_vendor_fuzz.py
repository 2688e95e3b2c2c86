"""Whatever a CMS, or anything in between, answers: every vendor gives a page or a known error."""

import functools
import json
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector import vendors
from connector.cms.vendor import Vendor
from connector.cms.webhook import WakeUp, WebhookCall
from connector.errors import CheckpointRejected, ForeignUrl, SourceRejected, SourceUnavailable
from connector.model.checkpoint import Position
from connector.model.page import SyncPage
from connector.simulator import Simulator
from tests.cms import vendor
from tests.loopback import Loopback
from tests.values import page_of

TAXONOMY = (SourceUnavailable, SourceRejected, ForeignUrl, CheckpointRejected)
POSITIONS = (Position(), Position(cursor="t", phase="streaming", identity="i"))

# Names and values that vendors look at, which bring arbitrary items close to real ones.
NAMES = st.sampled_from(
    [
        "sys",
        "id",
        "type",
        "fields",
        "contentType",
        "revision",
        "updatedAt",
        "deletedAt",
        "linkType",
        "targetType",
        "data",
        "uid",
        "locale",
        "_version",
        "event_at",
        "content_type_uid",
        "publish_details",
        "_content_type_uid",
        "filename",
    ]
)
TEXTS = st.sampled_from(
    [
        "Entry",
        "Asset",
        "DeletedEntry",
        "Content",
        "Media",
        "ContentType",
        "DeletedMedia",
        "Link",
        "Refer",
        "sys_assets",
        "entry_published",
        "entry_deleted",
        "asset_published",
        "content_type_deleted",
        "e1",
        "\x00",
        "�",
    ]
) | st.just("")
VALUES = st.recursive(
    TEXTS | st.text(max_size=5) | st.integers() | st.none() | st.booleans() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(max_size=3), inner, max_size=6),
    max_leaves=25,
)
SYS = st.fixed_dictionaries({"id": TEXTS, "type": TEXTS}, optional={"revision": VALUES, "contentType": VALUES})
ITEMS = VALUES | st.fixed_dictionaries(
    {"sys": SYS, "type": TEXTS, "data": st.dictionaries(NAMES, VALUES, max_size=5)}, optional={"fields": VALUES}
)
HEADERS = st.dictionaries(
    st.sampled_from(
        ["Retry-After", "X-Contentful-RateLimit-Reset", "x-ratelimit-reset", "Date", "cf-environment-uuid"]
    ),
    st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0"), max_size=20),
)

DEBRIS = st.binary(max_size=2) | st.sampled_from([b'"', b"{", b"}", b"\\", b"\xff"])
BOMBS = [b"[" * 100_000, b'{"sys":' * 50_000, b'"' + rb"\"" * 100_000, b"9" * 200_000, b'{"a":[' * 9]

each_vendor = pytest.mark.parametrize("name", vendors.names())


@functools.cache
def connected(name: str) -> Vendor:
    """Return a vendor with the least settings it needs."""
    return vendor(name)


@functools.cache
def envelope(name: str) -> dict[str, Any]:
    """Return what surrounds the items of a page, as in the vendor's simulator."""
    with httpx.Client(transport=Loopback(Simulator(entries=1))) as client:
        response = client.send(connected(name).request(POSITIONS[0]))
    return {member: value for member, value in response.json().items() if member != "items"}


def outcome(name: str, response: httpx.Response, after: Position) -> SyncPage | None:
    """Return the page in a response, or None for an error that a caller knows how to handle."""
    try:
        return page_of(connected(name), response, after)
    except TAXONOMY:
        return None


def enveloped(name: str, items: bytes) -> bytes:
    """Return a page of the vendor around the bytes of its `items`."""
    return b'{"items":' + items + b"," + json.dumps(envelope(name))[1:].encode()


@each_vendor
@given(status=st.integers(200, 599), body=st.binary(max_size=200), headers=HEADERS, after=st.sampled_from(POSITIONS))
def test_any_response_is_a_page_or_a_known_error(
    name: str, status: int, body: bytes, headers: dict[str, str], after: Position
) -> None:
    """Any status, header and body: never an unknown error."""
    raw = [(key.encode(), value.encode("latin-1")) for key, value in headers.items()]
    outcome(name, httpx.Response(status, content=body, headers=raw), after)


@each_vendor
@given(status=st.sampled_from([200, 400, 401, 404, 422, 429, 500]), body=VALUES, after=st.sampled_from(POSITIONS))
def test_any_json_body_is_a_page_or_a_known_error(name: str, status: int, body: Any, after: Position) -> None:
    """Any JSON in place of a page or an error body."""
    outcome(name, httpx.Response(status, content=json.dumps(body).encode()), after)


@each_vendor
@given(items=st.lists(ITEMS, max_size=5))
def test_every_item_becomes_a_change_or_a_dead_letter(name: str, items: list[Any]) -> None:
    """None is dropped, and none breaks the page; what comes out is fit for keys, columns and Avro."""
    raws = [json.dumps(item).encode() for item in items]
    page = outcome(name, httpx.Response(200, content=enveloped(name, b"[" + b",".join(raws) + b"]")), POSITIONS[0])

    assert page is not None
    assert len(page.changes) + len(page.dead_letters) == len(items)
    assert {change.raw for change in page.changes} | {letter.raw for letter in page.dead_letters} == set(raws)
    for change in page.changes:
        told = change.changed_at.text if change.changed_at else None
        texts = (change.key.id, change.key.locale, change.content_type, told, *change.refs, *change.ref_fields)
        assert all("\0" not in text and text.encode() for text in texts if text is not None)
        assert len(change.refs) == len(change.ref_fields)
        assert (change.marker is None) == (change.change_type == "published") == (change.meta is not None)
        for part in (change.fields, change.meta, change.marker):
            assert part is None or json.loads(part.decode()) is not ...


@each_vendor
@given(data=st.data())
def test_a_mutated_page_is_a_page_or_a_known_error(name: str, data: st.DataObject) -> None:
    """A page with bytes removed, inserted or changed anywhere."""
    items = data.draw(st.lists(ITEMS, min_size=1, max_size=3))
    body = enveloped(name, json.dumps(items, indent=data.draw(st.sampled_from([None, 1]))).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(body)))
        cut = data.draw(st.sampled_from([0, 1, 1, 7, len(body)]))
        body = body[:at] + data.draw(DEBRIS) + body[at + cut :]
    outcome(name, httpx.Response(200, content=body), data.draw(st.sampled_from(POSITIONS)))


@each_vendor
@pytest.mark.timeout(30)
@pytest.mark.parametrize("bomb", BOMBS, ids=["arrays", "objects", "quotes", "digits", "open"])
def test_a_bomb_costs_at_most_its_page(name: str, bomb: bytes) -> None:
    """Deep, unterminated or endless values are read or refused at once, in a page and in an error body."""
    for status in (200, 404):
        outcome(name, httpx.Response(status, content=enveloped(name, b"[" + bomb + b"]")), POSITIONS[1])
        outcome(name, httpx.Response(status, content=bomb), POSITIONS[1])


@each_vendor
@given(
    headers=st.dictionaries(
        st.sampled_from(["X-Contentwire-Secret", "x-contentful-signature", "x-contentful-timestamp"])
        | st.just("x-contentful-signed-headers"),
        st.text(max_size=10) | st.sampled_from(["secret", "0", "x-contentful-timestamp"]),
    ),
    body=st.binary(max_size=50) | VALUES.map(lambda value: json.dumps(value).encode()),
    path=st.text(max_size=10),
)
def test_any_webhook_call_wakes_or_does_not(name: str, headers: dict[str, str], body: bytes, path: str) -> None:
    """No call raises, and only one with the secret in its header is authentic."""
    woken = vendor(name, webhook_secret="secret").wake_up(WebhookCall(headers, "POST", path, body), 0.0)
    assert isinstance(woken, WakeUp) == (headers.get("X-Contentwire-Secret") == "secret")
