"""What each path of the operators' port answers, and to whom; no port is opened."""

from collections.abc import Iterator
from html.parser import HTMLParser

import httpx
import pytest

from connector.config.site import Site
from connector.service.server import _Application, status_page
from tests.statussource import Streams, stream


@pytest.fixture
def streams() -> Streams:
    """Return a supervisor without streams."""
    return Streams()


@pytest.fixture
def http(streams: Streams) -> Iterator[httpx.Client]:
    """Yield a client of the port's application."""
    content_type = "text/plain; version=1.0.0; charset=utf-8"
    application = _Application(Site("127.0.0.1", 0), streams, lambda: b"up 1\n", content_type, lambda _reason: None)
    network = httpx.WSGITransport(application, raise_app_exceptions=True)
    with httpx.Client(base_url="http://127.0.0.1", transport=network) as client:
        yield client


def test_health_reports_a_wedged_supervisor(http: httpx.Client, streams: Streams) -> None:
    """Health means that the supervisor's loop runs, whatever the streams do."""
    streams.streams = [stream(state="stopped", error="401")]
    assert http.get("/healthz").status_code == 200
    streams.turned = 31.0
    answer = http.get("/healthz")
    assert (answer.status_code, answer.json()["ok"]) == (503, False)


@pytest.mark.parametrize(
    ("facts", "status"),
    [
        ({}, 503),
        ({"state": "retrying", "phase": "snapshot"}, 503),
        ({"committed_at_ms": 1}, 200),
        ({"phase": "streaming"}, 200),
        ({"owned": False, "state": "standby"}, 200),
    ],
)
def test_readiness_waits_for_the_streams_owned_here(
    http: httpx.Client, streams: Streams, facts: dict[str, object], status: int
) -> None:
    """A process is ready when each of its streams has committed or is streaming; other processes' do not count."""
    streams.streams = [stream(connection="done", committed_at_ms=1), stream(**facts)]
    answer = http.get("/readyz")
    assert answer.status_code == status
    assert answer.json()["ready"] is (status == 200)


def test_readiness_names_what_it_waits_for(http: httpx.Client, streams: Streams) -> None:
    """An unready process says which stream it waits for and why."""
    streams.streams = [stream(error="the CMS does not answer", state="retrying"), stream(connection="shop")]
    assert http.get("/readyz").json() == {
        "ready": False,
        "waiting": {"blog": "the CMS does not answer", "shop": "no commit yet, running"},
    }


def test_a_webhook_that_is_not_authentic_is_refused(http: httpx.Client) -> None:
    """A wrong secret is 401, an unknown connection 404."""
    assert http.post("/webhooks/blog", headers={"X-Secret": "wrong"}).status_code == 401
    assert http.post("/webhooks/other", headers={"X-Secret": "right"}).status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/", 405),
        ("DELETE", "/metrics", 405),
        ("POST", "/healthz", 405),
        ("GET", "/webhooks/blog", 405),
        ("GET", "/nothing", 404),
        ("POST", "/webhooks/", 404),
        ("POST", "/webhooks/a/b", 404),
        ("HEAD", "/", 200),
    ],
)
def test_only_known_paths_and_methods_are_answered(http: httpx.Client, method: str, path: str, status: int) -> None:
    """A wrong path is 404, a wrong method 405 with the right ones."""
    answer = http.request(method, path)
    assert answer.status_code == status
    assert (status == 405) is ("allow" in answer.headers)


class _Texts(HTMLParser):
    """Collects a page's elements and texts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.links: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in {"src", "href"}]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_the_page_shows_each_stream(http: httpx.Client, streams: Streams) -> None:
    """A person sees phase, sequence, last commit, freshness, error and hint of every stream."""
    streams.streams = [
        stream(phase="snapshot", sequence=1234, committed_at_ms=1_700_000_000_000, freshness=2.34, epoch=3, page=7),
        stream(connection="shop", state="stopped", error="401 from the CMS", hint="correct the token"),
    ]
    answer = http.get("/")
    assert answer.headers["content-type"].startswith("text/html")
    texts = _Texts(answer.text).texts
    for text in ("blog", "snapshot", "1234", "2023-11-14 22:13:20 UTC", "2.3 s", "3 / 7", "shop", "stopped"):
        assert text in texts
    assert "401 from the CMS" in texts
    assert "correct the token" in texts


def test_the_page_escapes_every_value_and_loads_nothing() -> None:
    """Text from a CMS or an error stays text, and nothing is loaded from another host."""
    evil = "</td><script>alert(1)</script>"
    facts = dict.fromkeys(("connection", "vendor", "state", "phase", "error", "hint"), evil)
    page = _Texts(status_page([stream(**facts)]))
    assert "script" not in page.tags
    assert page.links == []
    assert "".join(page.texts).count(evil) == 6


def test_braces_in_a_value_are_not_a_template() -> None:
    """A value that looks like a template is shown as it is."""
    assert "{rows}" in _Texts(status_page([stream(error="{rows}")])).texts


def test_a_failing_source_is_a_500_without_its_reason(http: httpx.Client, streams: Streams) -> None:
    """A bug behind the page answers 500 and reveals nothing to the client."""
    streams.streams = [None]  # type: ignore[list-item]
    answer = http.get("/readyz")
    assert answer.status_code == 500
    assert "Traceback" not in answer.text
    assert "NoneType" not in answer.text


def test_a_rebound_name_reads_nothing(http: httpx.Client, streams: Streams) -> None:
    """Neither the page nor health nor metrics; a webhook authenticates itself, so any host will do."""
    for path in ("/", "/metrics", "/healthz", "/readyz"):
        answer = http.get(path, headers={"Host": "evil.example"})
        assert (answer.status_code, "blog" in answer.text) == (421, False)
    answer = http.post("/webhooks/blog", headers={"Host": "hooks.example", "X-Secret": "right"})
    assert answer.status_code == 202
    assert len(streams.calls) == 1


def test_a_dead_thread_and_a_stopped_stream_are_visible_to_probes(http: httpx.Client, streams: Streams) -> None:
    """Health is 503 while a thread is dead; `streams=all` and readiness report stopped streams as well."""
    assert http.get("/healthz").status_code == 200
    streams.ended = ["blog"]
    answer = http.get("/healthz")
    assert (answer.status_code, answer.json()["dead"]) == (503, ["blog"])
    streams.ended = []
    streams.streams = [stream(state="stopped", owned=True, phase="streaming", error="401", committed_at_ms=1)]
    assert http.get("/healthz").status_code == 200
    assert http.get("/healthz?streams=all").status_code == 503
    answer = http.get("/readyz")
    assert (answer.status_code, answer.json()["waiting"]) == (503, {"blog": "401"})


def test_metrics_are_served_as_they_are_rendered(http: httpx.Client) -> None:
    """A scrape gets the metrics with their content type."""
    answer = http.get("/metrics")
    assert (answer.status_code, answer.text) == (200, "up 1\n")
    assert answer.headers["content-type"] == "text/plain; version=1.0.0; charset=utf-8"
