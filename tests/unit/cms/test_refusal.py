"""What an answer other than 200 means: whether it may pass, and what may be behind it."""

from typing import Any

import httpx
import pytest

from connector.cms.refusal import looks_like_html, meaning, named
from connector.errors import ConnectorError, SourceRejected, SourceUnavailable

MESSAGE = "Acme answered"
HINTS = {400: "check api_filter", 401: "check token", 404: "check space"}


def refusal(status: int, content: bytes = b"{}", **headers: str) -> ConnectorError:
    """Return what an answer means to a vendor with its own hints."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return meaning(httpx.Response(status, content=content, headers=given), MESSAGE, HINTS)


@pytest.mark.parametrize(("status", "hint"), [(400, "check api_filter"), (401, "check token"), (404, "check space")])
def test_a_refusal_has_the_vendors_own_hint(status: int, hint: str) -> None:
    """Only the vendor knows what is wrong with credentials, scope or parameters."""
    error = refusal(status)
    assert isinstance(error, SourceRejected)
    assert (str(error), error.hint) == (MESSAGE, hint)


@pytest.mark.parametrize("status", [403, 422])
def test_a_refusal_without_a_hint_is_still_a_refusal(status: int) -> None:
    """A vendor need not have a hint for every status."""
    error = refusal(status)
    assert isinstance(error, SourceRejected)
    assert error.hint == ""


@pytest.mark.parametrize("status", [300, 301, 302, 307, 399])
def test_a_redirect_is_refused_and_not_followed(status: int) -> None:
    """The credential goes nowhere else; the hint names the setting to correct."""
    error = refusal(status, location="https://login.example/")
    assert isinstance(error, SourceRejected)
    assert str(error) == f"{MESSAGE}, a redirect; it was not followed"
    assert "base_url" in error.hint
    assert "login.example" not in f"{error}{error.hint}"


@pytest.mark.parametrize("status", [201, 204, 402, 405, 408, 409, 418, 425, 429, 500, 502, 503, 504, 599])
def test_anything_else_may_pass(status: int) -> None:
    """It is tried again, and the hint says whether an operator has to act."""
    error = refusal(status)
    assert isinstance(error, SourceUnavailable)
    assert error.hint


def test_a_hint_fits_what_was_answered() -> None:
    """For a limit it is the pace, for a server error the vendor, and for what no API answers whatever is in between."""
    assert "poll_interval" in refusal(429).hint
    assert "vendor's status page" in refusal(500).hint
    assert refusal(599).hint == refusal(500).hint
    assert "proxy or gateway" in refusal(418).hint


@pytest.mark.parametrize("status", [400, 422])
def test_a_web_page_in_place_of_a_refusal_may_pass(status: int) -> None:
    """No vendor's API answers like that: a gateway did, which says nothing about our parameters."""
    error = refusal(status, b"<!DOCTYPE html>")
    assert isinstance(error, SourceUnavailable)
    assert "the body is a web page" in error.hint


@pytest.mark.parametrize("status", [401, 403, 503])
def test_a_web_page_is_named_before_the_usual_hint(status: int) -> None:
    """Whatever the status, the hint begins with who answered."""
    page = refusal(status, content_type="text/html; charset=utf-8").hint
    assert page.startswith("the body is a web page")
    assert page.endswith(refusal(status).hint)


@pytest.mark.parametrize(
    ("content", "kind", "is_page"),
    [
        (b"", "TEXT/HTML", True),
        (b" \n<!DocType HTML>", "", True),
        (b"<HTML>", "application/json", True),
        (b'{"html": "<html>"}', "application/json", False),
        (b"", "", False),
        (b" " * 100 + b"<html>", "", False),
    ],
)
def test_a_web_page_is_known_by_its_type_or_its_beginning(content: bytes, kind: str, *, is_page: bool) -> None:
    """In any spelling; a web page inside an API's JSON is not one."""
    response = httpx.Response(500, content=content, headers={"content-type": kind} if kind else {})
    assert looks_like_html(response) is is_page


def test_a_refusal_that_may_pass_says_how_long_to_wait() -> None:
    """As long as its headers say."""
    error = meaning(httpx.Response(503, headers={"Retry-After": "7"}), MESSAGE, HINTS)
    assert isinstance(error, SourceUnavailable)
    assert error.retry_after == 7


PARAMETERS = ("type", "content_type", "content_type_uid", "locale", "limit")


@pytest.mark.parametrize(
    ("body", "parameter"),
    [
        ({"errors": {"locale": ["is not valid."]}}, "locale"),
        ({"errors": [{"field": "limit"}]}, "limit"),
        ({"errors": {"path": "query/limit"}}, "limit"),
        ({"details": {"errors": [{"path": ["query", "type"]}]}}, "type"),
        ({"details": {"errors": [{"name": "unknownContentType"}]}}, "content_type"),
        ({"message": "The content type query is invalid."}, "content_type"),
        ({"error_message": "'locale' is unknown."}, "locale"),
        ({"reason": "limit must be below 1000"}, "limit"),
        ({"errors": {"content_type_uid": []}}, "content_type_uid"),
        ({"errors": {"locale": []}, "message": "limit is wrong"}, "locale"),
    ],
)
def test_the_parameter_that_was_complained_about_is_named(body: dict[str, Any], parameter: str) -> None:
    """By its name in a structured part, then in a sentence; a longer name wins over one that it contains."""
    assert named(httpx.Response(400, json=body), PARAMETERS) == parameter


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"sys": {"type": "Error"}},
        {"message": "The type of a field does not fit."},
        {"message": "The content type is gone.", "errors": []},
        {"errors": [{"value": "locale"}]},
        {"errors": {"mylocale": []}},
    ],
)
def test_no_parameter_is_blamed_for_a_common_word(body: Any) -> None:
    """An error body holds common words; one of them alone is not a complaint."""
    assert named(httpx.Response(400, json=body), ("type", "locale")) is None


@pytest.mark.parametrize("content", [b"", b"<html>", b"{", b'{"errors":{"locale":[]}, "x":"' + b"x" * 65_536 + b'"}'])
def test_a_body_that_is_not_short_json_names_nothing(content: bytes) -> None:
    """Nor does it raise anything: an error body may come from anybody."""
    assert named(httpx.Response(400, content=content), PARAMETERS) is None
