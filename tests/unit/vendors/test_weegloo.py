"""Weegloo: requests, items, the walk that only an empty page ends, and what each error answer means."""

import hashlib
import json
from functools import partial
from typing import Any

import httpx
import pytest
from pydantic import SecretStr, ValidationError

from connector.cms import webhook
from connector.errors import (
    CheckpointRejected,
    ConfigError,
    QuotaExhausted,
    SourceRejected,
    SourceUnavailable,
)
from connector.model import timestamp
from connector.model.change import Change, EntityKey
from connector.model.checkpoint import Position
from connector.vendors.weegloo import Weegloo, WeeglooSettings
from tests.unit.vendors import reading
from tests.values import page_of

START = Position()
RESUMED = Position(cursor="165rWhDiuLNoYOwjVQQAYXMA7", phase="streaming")
NEXT = "/v1/spaces/tcq4V2Xb/sync?sync-token=165rWhDiuLNo"
CONTENT = (
    b'{ "sys": { "id": "3trmXRM3RqbgSnifyg7PBUM8Ds0Xvw", "type": "Content",'
    b' "space": { "sys": { "id": "tcq4V2Xb", "type": "Refer", "targetType": "Space" } },'
    b' "contentType": { "sys": { "id": "3trmXRM3RqbgSnifyg7PAmlxvX4fGY", "type": "Refer",'
    b' "targetType": "ContentType" } },'
    b' "createdAt": "2026-06-17T16:58:56.660Z", "updatedAt": "2026-06-18T01:46:55.604Z", "revision": 3 },'
    b' "fields": { "price": { "en-US": 18000 }, "photo": {}, "productName": { "en-US": "Stainless Tumbler 500ml" } } }'
)


def weegloo(**settings: Any) -> Weegloo:
    """Return a vendor for the documentation's demo space."""
    return Weegloo("site", WeeglooSettings(token=SecretStr("w33"), space="tcq4V2Xb", **settings))


def answer(*items: bytes, url: Any = NEXT) -> httpx.Response:
    """Return a sync page of `items`."""
    end = b'],"links":{},"nextSyncUrl":' + json.dumps(url).encode() + b"}"
    return httpx.Response(200, content=b'{"sys":{"type":"PageResponse"},"limit":15,"items":[' + b",".join(items) + end)


def error(status: int, code: str, **headers: str) -> httpx.Response:
    """Return an error as the documentation words it."""
    body = {"requestId": "r", "sys": {"id": "Error", "type": "Error", "code": code}, "reason": "secret words"}
    return httpx.Response(status, json=body, headers={name.replace("_", "-"): value for name, value in headers.items()})


def read(raw: bytes) -> Change:
    """Return the change that a single item becomes."""
    return reading.only(page_of(weegloo(), answer(raw), START))


raised = partial(reading.raised, weegloo())


def test_a_snapshot_asks_for_everything() -> None:
    """Without a cursor: initial=true and type=All; accepting only application/json could be answered with 406."""
    request = weegloo().request(START)
    assert request.url == "https://cda.weegloo.com/v1/spaces/tcq4V2Xb/sync?initial=true&type=All"
    assert request.headers["Authorization"] == "Bearer w33"
    assert request.headers["Accept"] == "*/*"


def test_filters_are_sent_with_the_initial_request_only() -> None:
    """Type and content type start a walk; then the token is sent alone."""
    vendor = weegloo(api_filter={"type": "Content", "content-type": "product"})
    assert dict(vendor.request(START).url.params) == {"initial": "true", "type": "Content", "content-type": "product"}
    assert dict(vendor.request(RESUMED).url.params) == {"sync-token": "165rWhDiuLNoYOwjVQQAYXMA7"}


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"page_size": 100}, "Weegloo decides"),
        ({"space": "a/b"}, "pattern"),
        ({"api_filter": {"content_type": "x"}}, "known: type, content-type"),
        ({"api_filter": {"type": "Entry"}}, "All, Content, Media"),
        ({"api_filter": {"type": "Content", "content-type": ""}}, "empty"),
        ({"region": "eu"}, "Extra inputs"),
    ],
)
def test_a_wrong_setting_is_refused(settings: dict[str, Any], problem: str) -> None:
    """A value that cannot work is refused, and the message names those that can."""
    given = {"token": SecretStr("w33"), "space": "tcq4V2Xb"} | settings
    with pytest.raises(ValidationError, match=problem):
        WeeglooSettings.model_validate(given)


@pytest.mark.parametrize("kind", [{}, {"type": "All"}, {"type": "Media"}, {"type": "DeletedMedia"}])
def test_a_content_type_needs_a_type_of_content(kind: dict[str, str]) -> None:
    """The API accepts only that pair."""
    with pytest.raises(ConfigError, match="needs type"):
        weegloo(api_filter={"content-type": "x", **kind})


def test_labels_and_scope_hold_no_credential() -> None:
    """Events and fingerprints name the space and the filters; there is no environment."""
    vendor = weegloo(api_filter={"type": "Media"})
    assert (vendor.db, vendor.schema) == ("tcq4V2Xb", None)
    assert vendor.scope != weegloo().scope
    assert "w33" not in str(vendor.scope)


def test_content_becomes_a_published_change() -> None:
    """The documentation's sample arrives whole, byte for byte."""
    cut = CONTENT.index(b' "fields": ')
    assert read(CONTENT) == Change(
        key=EntityKey("site", "entry", "3trmXRM3RqbgSnifyg7PBUM8Ds0Xvw", "*"),
        change_type="published",
        digest=hashlib.blake2b(CONTENT, digest_size=16).digest(),
        raw=CONTENT,
        content_type="3trmXRM3RqbgSnifyg7PAmlxvX4fGY",
        revision=3,
        changed_at=timestamp.read("2026-06-18T01:46:55.604Z"),
        created_at=timestamp.read("2026-06-17T16:58:56.660Z"),
        updated_at=timestamp.read("2026-06-18T01:46:55.604Z"),
        fields=CONTENT[cut + 11 : -2],
        meta=b'{"sys":' + CONTENT[len(b'{ "sys": ') : cut - 1] + b"}",
    )


def test_a_content_type_is_an_entity_too() -> None:
    """Its `fields` array is its fields, the other members are meta; what it validates against is not a reference."""
    fields = b'[{"id":"f1","apiName":"a","validations":[{"sys":{"type":"Refer","targetType":"ContentType","id":"x"}}]}]'
    raw = b'{"sys":{"id":"ct","type":"ContentType","revision":0},"name":"Product","fields":' + fields + b',"x":1.10}'
    change = read(raw)

    assert change.key == EntityKey("site", "content_type", "ct", "*")
    assert (change.fields, change.revision, change.scope, change.refs) == (fields, 0, "key", ())
    assert change.meta == b'{"sys":{"id":"ct","type":"ContentType","revision":0},"name":"Product","x":1.10}'


@pytest.mark.parametrize(("kind", "entity_type"), [("DeletedContent", "entry"), ("DeletedMedia", "asset")])
@pytest.mark.parametrize(
    ("clocks", "changed_at"), [({}, None), ({"updatedAt": "u"}, "u"), ({"updatedAt": "u", "deletedAt": "d"}, "d")]
)
@pytest.mark.parametrize("after", [START, RESUMED])
def test_a_deletion_marker_is_a_removal(
    kind: str, entity_type: str, clocks: dict[str, str], changed_at: str | None, after: Position
) -> None:
    """Even in an initial sync; it needs only id and type, whatever clocks it has."""
    raw = json.dumps({"sys": {"id": "m1", "type": kind, **clocks}}).encode()
    (change,) = page_of(weegloo(), answer(raw), after).changes
    assert (change.key, change.change_type) == (EntityKey("site", entity_type, "m1", "*"), "deleted")
    assert (change.marker, change.fields, change.meta, change.changed_at) == (
        raw,
        None,
        None,
        timestamp.read(changed_at),
    )


def test_refers_to_content_and_media_are_refs() -> None:
    """Once each, in order; references to spaces and types are left out."""
    targets = [("Media", "m1"), ("Content", "c1"), ("ContentType", "t"), ("Space", "s"), ("Media", "m1")]
    refers = [{"sys": {"id": found, "type": "Refer", "targetType": target}} for target, found in targets]
    fields = {"a": {"en": refers[:1]}, "b": {"en": refers}}
    raw = json.dumps({"sys": {"id": "c0", "type": "Content"}, "fields": fields}, indent=1).encode()
    assert (read(raw).refs, read(raw).ref_fields) == (("asset:m1", "entry:c1"), ("a", "b"))


@pytest.mark.parametrize(
    ("raw", "kind", "found"),
    [
        (b'{"sys":{"id":"x","type":"DeletedContentType"}}', "DeletedContentType", "x"),
        (b'{"sys":{"type":"Media"}}', "Media", None),
        (b'{"sys":{"id":null,"type":"DeletedMedia"}}', "DeletedMedia", None),
        (b'{"sys":"secret"}', None, None),
        (b"{}", None, None),
        (b"1", None, None),
        (b'{"sys":{"id":"x","type":"Media"},"fields":"\xff"}', None, None),
    ],
)
def test_a_malformed_item_costs_only_itself(raw: bytes, kind: str | None, found: str | None) -> None:
    """It becomes a dead letter with its raw bytes and whatever could be read of it; its neighbours are published."""
    page = page_of(weegloo(), answer(CONTENT, raw), START)
    (letter,) = page.dead_letters
    assert len(page.changes) == 1
    assert (letter.raw, letter.error, letter.item_type, letter.item_id) == (raw, "MalformedItem", kind, found)
    assert "secret" not in letter.reason


def test_only_an_empty_page_ends_a_walk() -> None:
    """Pages and deltas continue with the same URL; a short page means nothing, nor do items that cannot be read."""
    first = page_of(weegloo(), answer(CONTENT), START)
    assert (first.caught_up, first.position.cursor, first.position.page) == (False, "165rWhDiuLNo", 1)
    assert not page_of(weegloo(), answer(b"1"), START).caught_up

    last = page_of(weegloo(), answer(url=NEXT + "2"), first.position)
    assert (last.caught_up, last.position.cursor, last.position.phase) == (True, "165rWhDiuLNo2", "catching_up")


@pytest.mark.parametrize("url", [NEXT, "https://cda.weegloo.com" + NEXT, "https://cda.weegloo.com:443" + NEXT])
def test_a_next_url_of_the_same_origin_is_followed(url: str) -> None:
    """Relative as documented, or absolute."""
    assert page_of(weegloo(), answer(CONTENT, url=url), START).position.cursor == "165rWhDiuLNo"


@pytest.mark.parametrize("origin", ["https://origin.example.com", "http://cda.weegloo.com", "//cdn.example.com", "x"])
def test_only_the_token_of_a_next_url_matters(origin: str) -> None:
    """The rest of the URL is not followed: requests go to the configured host."""
    page = page_of(weegloo(), answer(CONTENT, url=origin + NEXT), START)
    assert page.position.cursor == page_of(weegloo(), answer(CONTENT), START).position.cursor
    assert weegloo().request(page.position).url.host == "cda.weegloo.com"


def test_a_refused_filter_is_named() -> None:
    """The parameter that the API complains about, not the credentials."""
    vendor = weegloo(api_filter={"type": "Content", "content-type": "nope"})
    body = {"sys": {"type": "Unprocessable", "code": "WGL422001"}, "reason": "unknown content-type"}
    with pytest.raises(SourceRejected, match=r"api_filter\.content-type$"):
        page_of(vendor, httpx.Response(422, json=body), START)
    with pytest.raises(SourceRejected, match=r"for space tcq4V2Xb$"):
        page_of(vendor, httpx.Response(422, json=body | {"reason": "the plan has ended"}), START)


@pytest.mark.parametrize(
    "response",
    [
        answer(url=None),
        answer(url=7),
        answer(url="/v1/spaces/tcq4V2Xb/sync"),
        answer(url="/v1/spaces/tcq4V2Xb/sync?sync-token="),
        answer(url=NEXT + "&sync-token=2"),
        httpx.Response(200, content=b"<html>"),
        httpx.Response(200, content=b'{"items":[{"sys"'),
        httpx.Response(200, content=b'{"nextSyncUrl":"' + NEXT.encode() + b'"}'),
        httpx.Response(500),
        httpx.Response(503, json=[]),
    ],
)
def test_a_broken_answer_is_tried_again(response: httpx.Response) -> None:
    """5xx, HTML, a truncated body or a page without a single continuation is not a refused cursor."""
    assert isinstance(raised(response, RESUMED), SourceUnavailable)


@pytest.mark.parametrize("status", [400, 404, 422])
def test_a_4xx_is_doubtful_for_a_token_and_final_without_one(status: int) -> None:
    """The answer to a bad token is undocumented: the caller probes before taking a new snapshot."""
    refused = raised(error(status, "WGL404001"), RESUMED)
    assert isinstance(refused, CheckpointRejected)
    assert refused.doubtful
    assert isinstance(raised(error(status, "WGL404001"), START), SourceRejected)


@pytest.mark.parametrize("after", [START, RESUMED])
@pytest.mark.parametrize("status", [301, 401, 403])
def test_other_refusals_stop_the_stream(status: int, after: Position) -> None:
    """An operator has to correct credentials, redirects and the like; the message holds only the code."""
    refused = raised(error(status, "WGL401001"), after)
    assert isinstance(refused, SourceRejected)
    assert "(WGL401001)" in str(refused)
    assert "secret" not in str(refused)
    assert refused.hint


@pytest.mark.parametrize(
    ("headers", "wait"),
    [({}, 900), ({"Retry_After": "3600"}, 3600), ({"Retry_After": "1"}, 900), ({"Retry_After": "999999999"}, 86_400)],
)
def test_a_used_up_quota_waits_long_but_not_forever(headers: dict[str, str], wait: float) -> None:
    """WGL429 means a plan's quota, not a burst: retrying soon is wrong, and so is waiting without bound."""
    refused = raised(error(429, "WGL429001", **headers), RESUMED)
    assert isinstance(refused, QuotaExhausted)
    assert refused.retry_after == wait
    assert refused.hint


@pytest.mark.parametrize(("headers", "wait"), [({}, None), ({"Retry_After": "4"}, 4)])
def test_any_other_429_is_a_burst(headers: dict[str, str], wait: float | None) -> None:
    """Without the quota's code the usual waiting applies."""
    limited = raised(error(429, "", **headers), RESUMED)
    assert isinstance(limited, SourceUnavailable)
    assert not isinstance(limited, QuotaExhausted)
    assert limited.retry_after == wait


def test_the_probe_asks_for_content_types() -> None:
    """It distinguishes bad credentials or space from a bad cursor."""
    assert weegloo().probe().url == "https://cda.weegloo.com/v1/spaces/tcq4V2Xb/content-types"
    weegloo().check_probe(httpx.Response(200))
    with pytest.raises(SourceRejected):
        weegloo().check_probe(error(404, "WGL404001"))


@pytest.mark.parametrize(
    ("api_filter", "withheld"),
    [
        ({}, []),
        ({"type": "Media"}, ["no delete"]),
        ({"type": "Content", "content-type": "x"}, ["no delete", "other content types"]),
        ({"type": "Deletion"}, ["no published content"]),
    ],
)
def test_filter_gaps_name_what_a_filter_withholds(api_filter: dict[str, str], withheld: list[str]) -> None:
    """An unfiltered stream loses nothing; for each filter it is said which deletes are lost."""
    found = weegloo(api_filter=api_filter).filter_gaps()
    assert len(found) == len(withheld)
    assert all(part in gap.what for part, gap in zip(withheld, found, strict=True))


@pytest.mark.parametrize("secret", [None, "", "s3cret"])
@pytest.mark.parametrize("given", [None, "", "other", "s3cret"])
def test_only_the_shared_secret_wakes(secret: str | None, given: str | None) -> None:
    """Nothing is authentic without a configured secret; with it, the body gives the id if it has one."""
    vendor = weegloo(webhook_secret=SecretStr(secret) if secret is not None else None)
    headers = {"X-Contentwire-Secret": given} if given is not None else {}
    woken = vendor.wake_up(webhook.WebhookCall(headers, "POST", "/", b'{"sys":{"id":"c1"}}'), 0.0)
    reason: webhook.Reason = "unconfigured" if not secret else "unsigned" if given is None else "wrong"
    assert woken == (webhook.WakeUp(id="c1") if secret == given == "s3cret" else webhook.Refused(reason))
