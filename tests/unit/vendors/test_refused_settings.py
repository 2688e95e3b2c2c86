"""A refusal caused by a setting names it as the operator writes it, and blames no other."""

from typing import Any

import httpx
import pytest

from connector.errors import SourceRejected
from tests.unit.vendors.contentful_answers import START, contentful
from tests.unit.vendors.contentstack_answers import contentstack, error
from tests.values import page_of


@pytest.mark.parametrize(
    ("body", "parameter"),
    [
        ({"details": {"errors": [{"name": "unknownContentType", "value": "DOESNOTEXIST"}]}}, "content_type"),
        ({"message": "The content_type query is invalid."}, "content_type"),
        ({"details": {"errors": [{"path": ["type"]}]}}, "type"),
    ],
)
def test_a_refused_filter_is_named(body: dict[str, Any], parameter: str) -> None:
    """The parameter that the API complains about, not the credentials."""
    vendor = contentful(api_filter={"type": "Entry", "content_type": "DOESNOTEXIST"})
    response = httpx.Response(400, json={"sys": {"type": "Error", "id": "InvalidQuery"}, **body})
    with pytest.raises(SourceRejected, match=rf"api_filter\.{parameter}$") as caught:
        page_of(vendor, response, START)
    assert "token" not in caught.value.hint
    assert "DOESNOTEXIST" not in str(caught.value)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"message": "The query is not applicable to the type of a field."},
        {"message": "The content type is gone."},
        {"details": {"errors": [{"name": "unknown", "value": "type"}]}},
        {"details": "type", "errors": 7, "message": ["type"]},
    ],
)
def test_a_parameter_that_was_not_complained_about_is_not_blamed(body: dict[str, Any]) -> None:
    """Every error body holds the word `type`, in `sys`, which is not the filter. The hint names what was sent."""
    vendor = contentful(api_filter={"type": "Entry"})
    response = httpx.Response(400, json={"sys": {"type": "Error", "id": "BadRequest"}, **body})
    with pytest.raises(SourceRejected) as caught:
        page_of(vendor, response, START)
    assert "refuses" not in str(caught.value)
    assert "api_filter" in caught.value.hint


@pytest.mark.parametrize(
    "body",
    [{"message": "The limit must be a number from 1 to 1000."}, {"details": {"errors": [{"path": "query.limit"}]}}],
)
def test_a_refused_page_size_is_named(body: dict[str, Any]) -> None:
    """By the key that the operator writes."""
    response = httpx.Response(400, json={"sys": {"type": "Error", "id": "InvalidQuery"}, **body})
    with pytest.raises(SourceRejected, match=r"it refuses page_size$"):
        page_of(contentful(page_size=1000), response, START)


@pytest.mark.parametrize(
    ("code", "field", "setting"),
    [
        (141, "content_type_uid", "api_filter.content_type_uid"),
        (118, "uid", "api_filter.content_type_uid"),
        (141, "locale", "api_filter.locale"),
        (141, "start_from", "api_filter.start_from"),
        (141, "type", "api_filter.type"),
        (141, "environment", "environment"),
        (141, "branch", "branch"),
        (141, "access_token", "token"),
        (109, "api_key", "api_key"),
        (141, "limit", "page_size"),
    ],
)
@pytest.mark.parametrize("status", [200, 400, 404, 422])
def test_a_refused_parameter_is_named_as_the_operator_writes_it(
    status: int, code: int, field: str, setting: str
) -> None:
    """The hint names only that setting: nobody should go and check credentials that are right."""
    filtered = {"content_type_uid": "nope", "locale": "xx", "start_from": "2024-05-01", "type": "entry_published"}
    with pytest.raises(SourceRejected, match=rf"it refuses {setting}$") as caught:
        page_of(contentstack(api_filter=filtered), error(status, code, {field: ["is not valid."]}), START)
    assert setting in caught.value.hint
    assert ("api_key" in caught.value.hint) is (setting == "api_key")
