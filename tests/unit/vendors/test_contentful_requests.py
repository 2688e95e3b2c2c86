"""Contentful: settings, requests, labels, filter gaps, and which webhook calls are authentic."""

import hmac
from typing import Any

import httpx
import pytest
from pydantic import SecretStr, ValidationError

from connector.cms import webhook
from connector.errors import (
    ConfigError,
    SourceRejected,
    SourceUnavailable,
    StreamStopped,
)
from connector.model.checkpoint import Position
from connector.vendors.contentful import Contentful, ContentfulSettings
from tests.unit.vendors.contentful_answers import RESUMED, START, SYNC_URL, answer, contentful, error
from tests.values import page_of


def test_a_snapshot_starts_with_an_initial_request() -> None:
    """Without a cursor: initial=true, a page size of 100, the bearer token only in its header."""
    request = contentful().request(START)

    assert request.method == "GET"
    assert (
        request.url.copy_with(query=None) == "https://cdn.contentful.com/spaces/cfexampleapi/environments/master/sync"
    )
    assert dict(request.url.params) == {"initial": "true", "limit": "100"}
    assert request.headers["Authorization"] == "Bearer b4c0n73n7fu1"


def test_a_token_travels_alone() -> None:
    """The API refuses any parameter beside a token: filters and page size go only with the initial request."""
    vendor = contentful(page_size=1000, api_filter={"type": "Entry", "content_type": "cat"})

    assert dict(vendor.request(START).url.params) == {
        "initial": "true",
        "type": "Entry",
        "content_type": "cat",
        "limit": "1000",
    }
    assert dict(vendor.request(RESUMED).url.params) == {"sync_token": "w5ZGw6JFwqZ"}


@pytest.mark.parametrize("token", ["w5ZGw6JFwqZmVcKsE8Kow4grw45QdyY", "a+b/c==", "ä%2B&x=1#", "a b"])
def test_a_token_is_sent_back_unchanged(token: str) -> None:
    """A token in a next URL, whatever its characters, is sent back as the same token."""
    url = str(httpx.URL(SYNC_URL.partition("?")[0], params={"sync_token": token}))
    page = page_of(contentful(), answer(url=url), START)

    assert page.position.cursor == token
    assert contentful().request(page.position).url.params["sync_token"] == token


@pytest.mark.parametrize(
    ("configured", "learnt", "sent"), [(None, None, "100"), (1000, 300, "300"), (50, 300, "50"), (None, 44, "44")]
)
def test_a_learnt_page_size_wins_if_it_is_smaller(configured: int | None, learnt: int | None, sent: str) -> None:
    """A size learnt from the API is kept, but never exceeds the configured one."""
    after = START.restart(page_size=learnt)
    assert contentful(page_size=configured).request(after).url.params["limit"] == sent


@pytest.mark.parametrize(
    ("settings", "host"),
    [
        ({}, "https://cdn.contentful.com"),
        ({"region": "eu"}, "https://cdn.eu.contentful.com"),
        ({"preview": True}, "https://preview.contentful.com"),
        ({"region": "eu", "preview": True}, "https://preview.eu.contentful.com"),
        ({"base_url": "http://127.0.0.1:8080/"}, "http://127.0.0.1:8080"),
        ({"base_url": "https://gateway.example/cms/"}, "https://gateway.example/cms"),
    ],
)
def test_the_host_follows_region_and_preview(settings: dict[str, Any], host: str) -> None:
    """Each region and API has its host; base_url wins."""
    vendor = contentful(**settings)
    assert vendor.base_url == host
    assert str(vendor.request(START).url).startswith(f"{host}/spaces/cfexampleapi/environments/master/sync?")


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"region": "asia"}, "'us' or 'eu'"),
        ({"page_size": 1001}, "less than or equal to 1000"),
        ({"page_size": 0}, "greater than or equal to 1"),
        ({"api_filter": {"locale": "en"}}, "no key 'locale'; known: type, content_type"),
        ({"api_filter": {"type": "entry"}}, "Entry, Asset"),
        ({"api_filter": {"type": "Entry", "content_type": ""}}, "empty"),
        ({"environment": "a/b"}, "pattern"),
        ({"base_url": "https://cdn.contentful.com/spaces?x=1"}, "alone"),
        ({"base_url": "http://cms.example.com"}, "unencrypted"),
    ],
)
def test_a_wrong_setting_is_refused(settings: dict[str, Any], problem: str) -> None:
    """A value that cannot work is refused, and the message names those that can."""
    with pytest.raises(ValidationError, match=problem):
        contentful(**settings)


def test_a_content_type_needs_the_type_entry() -> None:
    """The API accepts only the pair; the hint shows how to write it, and what loses no delete."""
    with pytest.raises(ConfigError, match="needs type") as caught:
        contentful(api_filter={"content_type": "cat"})
    assert "content_types" in caught.value.hint


def test_labels_and_scope_hold_no_credential() -> None:
    """Events and fingerprints name space, environment and filters; token, host and page size change neither."""
    vendor = contentful(api_filter={"type": "Entry"}, page_size=7, base_url="https://proxy.example.com")
    other = Contentful(
        "blog", ContentfulSettings(token=SecretStr("x"), space="cfexampleapi", api_filter={"type": "Entry"})
    )

    assert (vendor.db, vendor.schema) == ("cfexampleapi", "master")
    assert vendor.scope == other.scope
    assert vendor.scope != contentful().scope != contentful(preview=True).scope != contentful(environment="dev").scope
    assert "b4c0" not in str(vendor.scope)


def test_the_preview_api_is_not_asked_for_a_delta() -> None:
    """Its snapshot resumes at any page; after it the stream stops and says why."""
    vendor = contentful(preview=True)
    resumed = Position(cursor="page", page=1)
    assert vendor.request(resumed).url.host == "preview.contentful.com"
    with pytest.raises(StreamStopped, match="only initial syncs") as caught:
        vendor.request(RESUMED)
    assert "initial_only" in caught.value.hint


def test_the_probe_asks_for_one_content_type() -> None:
    """It distinguishes bad credentials or scope from a bad cursor: success returns, an error is never doubtful."""
    request = contentful().probe()
    assert request.url == "https://cdn.contentful.com/spaces/cfexampleapi/environments/master/content_types?limit=1"
    assert request.headers["Authorization"] == "Bearer b4c0n73n7fu1"
    contentful().check_probe(httpx.Response(200))
    with pytest.raises(SourceRejected):
        contentful().check_probe(error(404, "NotFound"))
    with pytest.raises(SourceUnavailable):
        contentful().check_probe(httpx.Response(503))


@pytest.mark.parametrize(
    ("settings", "withheld"),
    [
        ({}, []),
        ({"api_filter": {"type": "all"}}, []),
        ({"api_filter": {"type": "Entry"}}, ["no delete"]),
        ({"api_filter": {"type": "Entry", "content_type": "cat"}}, ["no delete", "other content types"]),
        ({"api_filter": {"type": "Deletion"}}, ["no published content"]),
        ({"preview": True}, ["no delete"]),
    ],
)
def test_filter_gaps_name_what_a_filter_withholds(settings: dict[str, Any], withheld: list[str]) -> None:
    """An unfiltered stream loses nothing; for each filter it is said which deletes are lost."""
    found = contentful(**settings).filter_gaps()
    assert len(found) == len(withheld)
    assert all(part in gap.what for part, gap in zip(withheld, found, strict=True))


SECRET = "s" * 64
NOW = 1_700_000_000.0
BODY = b'{"sys":{"type":"Entry","id":"e1"},"fields":{}}'


STAMP = "x-contentful-timestamp"
NAMES = ("x-contentful-signed-headers", STAMP, "x-contentful-topic")


def signed(
    secret: str = SECRET,
    at: float = NOW,
    body: bytes = BODY,
    path: str = "/webhooks/blog",
    names: tuple[str, ...] = NAMES,
) -> dict[str, str]:
    """Return headers as Contentful's documentation describes them, built without the code under test."""
    headers = {
        "x-contentful-signed-headers": ",".join(names),
        STAMP: str(int(at * 1000)),
        "x-contentful-topic": "ContentManagement.Entry.publish",
    }
    text = f"POST\n{path}\n" + ";".join(f"{name}:{headers[name]}" for name in sorted(names)) + "\n"
    signature = hmac.new(secret.encode(), text.encode() + body, "sha256").hexdigest()
    return {name.title(): value for name, value in headers.items()} | {"X-Contentful-Signature": signature}


def woken(
    headers: dict[str, str], body: bytes = BODY, secret: str | None = SECRET, path: str = "/webhooks/blog"
) -> webhook.WakeUp | webhook.Refused:
    """Return what a call to the webhook wakes."""
    vendor = contentful(webhook_secret=SecretStr(secret) if secret is not None else None)
    return vendor.wake_up(webhook.WebhookCall(headers, "POST", path, body), NOW)


def test_a_signed_call_wakes() -> None:
    """A fresh signature over method, path, signed headers and body is authentic, and the body gives the id."""
    for headers in (signed(), signed(names=NAMES[::-1])):
        assert woken(headers) == webhook.WakeUp(id="e1", once=headers["X-Contentful-Signature"])


def test_a_query_is_signed_as_it_is_or_escaped_again() -> None:
    """Contentful's own toolkit escapes the whole query before signing."""
    for spelt in ("/webhooks/blog?env=prod", "/webhooks/blog?env%3Dprod", "/webhooks/blog?env%253Dprod"):
        assert isinstance(woken(signed(path=spelt), path="/webhooks/blog?env=prod"), webhook.WakeUp)
    assert woken(signed(path="/webhooks/blog?env=other"), path="/webhooks/blog?env=prod") == webhook.Refused("wrong")


@pytest.mark.parametrize("off", [31.0, 7200.0, -7200.0])
def test_a_clock_that_is_off_is_distinguished_from_a_wrong_secret(off: float) -> None:
    """With how much it is off: an operator can see whose clock it is."""
    assert woken(signed(at=NOW - off)) == webhook.Refused("expired", off)


def test_a_shared_secret_wakes() -> None:
    """Without signing, the secret in our own header is enough, whatever the header's case."""
    assert woken({"x-contentwire-secret": SECRET}) == webhook.WakeUp(id="e1")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        signed(secret="other"),
        signed(at=NOW - 31),
        signed(at=NOW + 31),
        signed(body=b"other"),
        signed(path="/webhooks/other"),
        signed(names=("x-contentful-topic",)),
        signed() | {"X-Contentful-Topic": "other"},
        signed() | {"X-Contentful-Signed-Headers": "x-contentful-topic"},
        signed() | {"X-Contentful-Timestamp": "now"},
        signed() | {"X-Contentful-Signature": "\u00e9"},
        {"X-Contentwire-Secret": "other"},
        {"X-Contentwire-Secret": ""},
        {"X-Contentwire-Secret": "\ud83d"},
    ],
)
def test_any_other_call_does_not_wake(headers: dict[str, str]) -> None:
    """Unsigned, stale, altered and wrongly signed calls are refused."""
    assert isinstance(woken(headers), webhook.Refused)


@pytest.mark.parametrize("secret", [None, ""])
def test_without_a_secret_nothing_is_authentic(secret: str | None) -> None:
    """No secret is not the same as an empty one."""
    assert woken({"X-Contentwire-Secret": ""} | signed(secret=""), secret=secret) == webhook.Refused("unconfigured")


@pytest.mark.parametrize("body", [b"", b"\xff", b"[]", b"{}", b'{"sys":1}', b'{"sys":{"id":{}}}', b"[" * 100_000])
def test_an_authentic_call_with_a_strange_body_still_wakes(body: bytes) -> None:
    """Users may transform bodies: what matters is that something happened."""
    assert woken({"X-Contentwire-Secret": SECRET}, body) == webhook.WakeUp(id=None)
