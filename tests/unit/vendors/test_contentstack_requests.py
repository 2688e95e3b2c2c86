"""Contentstack: settings, requests, labels, filter gaps, and which webhook calls are authentic."""

from typing import Any

import httpx
import pytest
from pydantic import SecretStr, ValidationError

from connector.cms import webhook
from connector.errors import SourceRejected, SourceUnavailable
from tests.unit.vendors.contentstack_answers import PAGING, RESUMED, START, answer, contentstack, error
from tests.values import page_of

SEVEN = "entry_published,asset_published,entry_unpublished,asset_unpublished,entry_deleted,asset_deleted"
SEVEN += ",content_type_deleted"


def test_a_snapshot_starts_with_init() -> None:
    """Without a cursor: init=true and the environment; both credentials and the branch travel as headers."""
    request = contentstack(branch="release").request(START)

    assert request.url.copy_with(query=None) == "https://cdn.contentstack.io/v3/stacks/sync"
    assert dict(request.url.params) == {"init": "true", "environment": "production"}
    assert request.headers["api_key"] == "blt02f7"
    assert request.headers["access_token"] == "cs5b69"
    assert request.headers["branch"] == "release"
    assert "branch" not in contentstack().request(START).headers


def test_every_documented_parameter_can_be_sent() -> None:
    """Whatever the documentation shows can be configured, and is sent only with the init request."""
    api_filter = {
        "content_type_uid": "products",
        "locale": "en-us",
        "start_from": "2018-08-14T00:00:00.000Z",
        "type": "entry_published, entry_unpublished,asset_published",
    }
    vendor = contentstack(api_filter=api_filter, page_size=50)

    assert dict(vendor.request(START).url.params) == api_filter | {
        "init": "true",
        "environment": "production",
        "limit": "50",
        "type": "entry_published,entry_unpublished,asset_published",
    }
    sent = {"environment": "production", "limit": "50"}
    assert dict(vendor.request(RESUMED).url.params) == sent | {"sync_token": "blt1223344556677"}
    assert dict(vendor.request(PAGING).url.params) == sent | {"pagination_token": "blt122334455667"}


def test_each_kind_of_token_is_sent_back_as_its_kind() -> None:
    """A pagination token is never sent as a sync token, nor vice versa; a bare one is a sync token."""
    for tokens in ({"pagination_token": "p+1/="}, {"sync_token": "s&1"}):
        after = page_of(contentstack(), answer(**tokens), START).position
        sent = dict(contentstack().request(after).url.params)
        assert sent == tokens | {"environment": "production"}


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("na", "https://cdn.contentstack.io"),
        ("eu", "https://eu-cdn.contentstack.com"),
        ("au", "https://au-cdn.contentstack.com"),
        ("azure-na", "https://azure-na-cdn.contentstack.com"),
        ("azure-eu", "https://azure-eu-cdn.contentstack.com"),
        ("gcp-na", "https://gcp-na-cdn.contentstack.com"),
        ("gcp-eu", "https://gcp-eu-cdn.contentstack.com"),
    ],
)
def test_each_region_has_its_host(region: str, host: str) -> None:
    """The region names the host; base_url wins."""
    assert contentstack(region=region).base_url == host
    assert contentstack(region=region, base_url="https://proxy.example.com").base_url == "https://proxy.example.com"


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"region": "mars"}, "'na', 'eu'"),
        ({"page_size": 101}, "less than or equal to 100"),
        ({"environment": ""}, "pattern"),
        ({"branch": "a\nb"}, "pattern"),
        ({"entry_deleted_scope": "all"}, "'locale' or 'entry'"),
        ({"api_filter": {"limit": "5"}}, "no key 'limit'; known: content_type_uid"),
        ({"api_filter": {"type": "entry_published,entry_gone"}}, "no 'entry_gone'; known: entry_published"),
        ({"api_filter": {"type": ""}}, "type must not be empty"),
        ({"api_filter": {"locale": " "}}, "locale must not be empty"),
    ],
)
def test_a_wrong_setting_is_refused(settings: dict[str, Any], problem: str) -> None:
    """A value that cannot work is refused, and the message names those that can."""
    with pytest.raises(ValidationError, match=problem):
        contentstack(**settings)


def test_labels_and_scope_hold_no_credential() -> None:
    """The stack has a label of our choice; the fingerprint distinguishes stacks without showing the api key."""
    vendor = contentstack(branch="b", api_filter={"locale": "de"}, page_size=9)

    assert (contentstack().db, contentstack(stack="acme").db) == ("shop", "acme")
    assert (contentstack().schema, vendor.schema) == ("production", "production@b")
    assert (
        vendor.scope == contentstack(branch="b", api_filter={"locale": "de"}, token=SecretStr("t"), region="eu").scope
    )
    assert vendor.scope != contentstack(branch="b").scope != contentstack().scope
    assert contentstack().scope != contentstack(api_key=SecretStr("other")).scope
    assert "blt02f7" not in str((vendor.scope, vendor.db, vendor.schema))


def test_the_probe_asks_for_one_content_type() -> None:
    """It distinguishes bad credentials or scope from a bad cursor: an error is never about the cursor."""
    request = contentstack().probe()
    assert request.url == "https://cdn.contentstack.io/v3/content_types?environment=production&limit=1"
    contentstack().check_probe(httpx.Response(200))
    with pytest.raises(SourceRejected):
        contentstack().check_probe(error(422, 141, {"sync_token": ["is not valid."]}))
    with pytest.raises(SourceUnavailable):
        contentstack().check_probe(httpx.Response(500))


@pytest.mark.parametrize(
    ("api_filter", "withheld"),
    [
        ({}, []),
        ({"type": SEVEN}, []),
        ({"type": "entry_published,asset_published"}, ["entry_deleted"]),
        ({"content_type_uid": "a", "locale": "b", "start_from": "2024-05-01"}, ["delete", "another locale", "before"]),
    ],
)
def test_filter_gaps_name_what_a_filter_withholds(api_filter: dict[str, str], withheld: list[str]) -> None:
    """An unfiltered stream loses nothing; for each filter it is said what its token never delivers."""
    found = contentstack(api_filter=api_filter).filter_gaps()
    assert len(found) == len(withheld)
    assert all(part in gap.what for part, gap in zip(withheld, found, strict=True))


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b'{"module":"entry","data":{"entry":{"uid":"e1"},"locale":"en-us"}}', "e1"),
        (b'{"data":{"asset":{"uid":"a1"}}}', "a1"),
        (b'{"data":{"content_type":{"uid":"blog"}}}', "blog"),
        (b'{"data":{"entry":{"uid":7}}}', None),
        (b'{"data":[]}', None),
        (b"\xff", None),
    ],
)
def test_a_call_with_the_secret_wakes(body: bytes, found: str | None) -> None:
    """The secret header makes a call authentic; the body gives the id if it has one."""
    vendor = contentstack(webhook_secret=SecretStr("s3cret"))
    assert vendor.wake_up(
        webhook.WebhookCall({"x-contentwire-SECRET": "s3cret"}, "POST", "/", body), 0.0
    ) == webhook.WakeUp(id=found)


@pytest.mark.parametrize("headers", [{}, {"X-Contentwire-Secret": "other"}, {"X-Contentwire-Secret": ""}])
@pytest.mark.parametrize("secret", [None, "", "s3cret"])
def test_any_other_call_does_not_wake(headers: dict[str, str], secret: str | None) -> None:
    """A wrong secret, none in the call or none configured: nothing is authentic."""
    vendor = contentstack(webhook_secret=SecretStr(secret) if secret is not None else None)
    reason: webhook.Reason = "unconfigured" if not secret else "wrong" if headers else "unsigned"
    assert vendor.wake_up(webhook.WebhookCall(headers, "POST", "/", b"{}"), 0.0) == webhook.Refused(reason)
