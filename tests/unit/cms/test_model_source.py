"""A content model fetched: one answer after the other, bounded, over the source's own connection."""

import json
import threading
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from connector.cms.http import Pool
from connector.cms.model_source import fetch
from connector.cms.outbound import Proxy
from connector.cms.source import Source
from connector.cms.vendor import Vendor
from connector.errors import ForeignUrl, SourceRejected, SourceUnavailable, WalkBroken
from connector.model.model_page import ListedModel, ModelFrame, ModelPosition
from connector.testing import ManualClock
from tests.cms import vendor
from tests.story import HOME

Answer = Callable[[httpx.Request], httpx.Response]


def source(answer: Answer, of: Vendor | None = None, **settings: Any) -> Source:
    """Return a source of a CMS that answers like this."""

    def streamed(request: httpx.Request) -> httpx.Response:
        whole = answer(request)
        return httpx.Response(whole.status_code, headers=whole.headers, stream=httpx.ByteStream(whole.content))

    network = httpx.MockTransport(streamed)
    return Source(of or vendor("contentful", base_url=HOME), clock=ManualClock(), transport=network, **settings)


def content_type(number: int, **members: Any) -> dict[str, Any]:
    """Return a content type."""
    return {"sys": {"id": f"t{number:04}", "type": "ContentType"}, "fields": [], **members}


def space(count: int, page: int, asked: list[httpx.URL] | None = None, **members: Any) -> Answer:
    """Return a CMS of so many content types, which gives so many at once, and of one locale."""

    def answer(request: httpx.Request) -> httpx.Response:
        if asked is not None:
            asked.append(request.url)
        if request.url.path.endswith("/locales"):
            return httpx.Response(200, json={"items": [{"code": "en", "sys": {}}], "total": 1})
        skip = int(request.url.params["skip"])
        found = [content_type(number, **members) for number in range(skip, min(count, skip + page))]
        return httpx.Response(200, json={"items": found, "total": count})

    return answer


def failing(answer: Callable[[], httpx.Response]) -> Answer:
    """Return a CMS that answers each request with this."""
    return lambda _request: answer()


def test_a_model_is_fetched_page_by_page() -> None:
    """All of it, in order, one request after the other."""
    asked: list[httpx.URL] = []
    model = fetch(source(space(5, 2, asked)))
    assert [each.id for each in model.content.content_types] == [f"t{number:04}" for number in range(5)]
    assert [each.code for each in model.content.locales] == ["en"]
    assert model.complete == {"content_type", "locale"}
    assert [url.params.get("skip") for url in asked] == ["0", "2", "4", None]


def test_an_error_of_the_api_is_raised_as_it_is() -> None:
    """Nothing is asked again."""
    asked: list[int] = []

    def refuse() -> httpx.Response:
        asked.append(1)
        return httpx.Response(401)

    with pytest.raises(SourceRejected):
        fetch(source(failing(refuse)))
    assert len(asked) == 1
    with pytest.raises(SourceUnavailable):
        fetch(source(failing(lambda: httpx.Response(503))))


def test_an_error_of_a_proxy_names_it() -> None:
    """Over plain HTTP, the proxy may have given the answer itself."""
    proxied = Pool(Proxy("https_proxy", "http://proxy.example:3128"))
    of = vendor("contentful", base_url="http://cms.example", allow_http=True)
    with pytest.raises(SourceRejected, match=r"by the proxy http://proxy\.example:3128"):
        fetch(source(failing(lambda: httpx.Response(403)), of, pool=proxied))


def test_an_endless_model_is_given_up() -> None:
    """However many pages the API promises."""
    asked: list[httpx.URL] = []
    with pytest.raises(SourceUnavailable, match="more than 200 pages"):
        fetch(source(space(1_000_000, 1, asked)))
    assert len(asked) == 200


def test_a_huge_model_is_given_up() -> None:
    """All of its answers together have a limit, and each of them the source's."""
    huge = space(100, 1, description="x" * 1000)
    with pytest.raises(SourceUnavailable, match="more than 5000 bytes"):
        fetch(source(huge), max_bytes=5000)
    with pytest.raises(SourceUnavailable, match="max_response_bytes = 500"):
        fetch(source(huge, max_response_bytes=500))


def test_a_model_that_changes_meanwhile_is_broken_off() -> None:
    """An id that comes again shows that the list has moved."""

    def answer(request: httpx.Request) -> httpx.Response:
        found = [content_type(max(0, int(request.url.params["skip"]) - 1))]
        return httpx.Response(200, json={"items": found, "total": 3})

    with pytest.raises(WalkBroken, match="changed while it was read"):
        fetch(source(answer))


def test_a_stream_that_stops_asks_no_further() -> None:
    """It does not take half a model for the whole."""
    asked: list[httpx.URL] = []
    stop = threading.Event()
    stop.set()
    with pytest.raises(WalkBroken, match="stopping"):
        fetch(source(space(5, 2, asked)), stop=stop)
    assert len(asked) == 1
    assert fetch(source(failing(lambda: httpx.Response(403)), vendor("weegloo", base_url=HOME)), stop=stop).refused


class Odd:
    """A vendor whose model is asked for and read as a test says."""

    base_url = HOME

    def __init__(self, request: httpx.Request | None, after: ModelPosition | None = None) -> None:
        self._request = request
        self._after = after
        self.model: Any = self

    def request(self, after: ModelPosition | None) -> httpx.Request | None:
        """Return the request."""
        return self._request

    def frame(self, response: httpx.Response, after: ModelPosition | None) -> ModelFrame:
        """Return an empty frame before the position."""
        return ModelFrame("locale", [], after=self._after)

    def read(self, frame: ModelFrame) -> Any:
        """Return nothing."""
        return vendor("contentful").model.read(frame)


def odd(request: httpx.Request | None, after: ModelPosition | None = None) -> Source:
    """Return a source of a CMS whose vendor is odd."""
    of: Any = Odd(request, after)
    return source(failing(lambda: httpx.Response(200, content=json.dumps({}).encode())), of)


def test_a_vendor_without_a_model_has_an_empty_one() -> None:
    """Nothing is sent, and nothing is proved."""
    assert fetch(odd(None)) == ListedModel(parts=())


def test_a_position_that_comes_again_ends_the_pass() -> None:
    """It would go on for ever."""
    with pytest.raises(WalkBroken, match="twice"):
        fetch(odd(httpx.Request("GET", HOME), ModelPosition("locale", "x")))


def test_the_credential_goes_to_the_configured_host_only() -> None:
    """Whatever request a vendor makes."""
    with pytest.raises(ForeignUrl):
        fetch(odd(httpx.Request("GET", "https://elsewhere.example/")))
