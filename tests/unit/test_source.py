"""Requests and what comes back: bounds, transport errors, walks with one page of look-ahead, stopping."""

import gzip
import socket
import ssl
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing, suppress

import httpx
import pytest
import trustme

from connector import vendors
from connector.clock import SYSTEM
from connector.cms.source import Source
from connector.errors import (
    CheckpointRejected,
    ConnectorError,
    ForeignUrl,
    PageTooLarge,
    SourceRejected,
    SourceUnavailable,
    WalkBroken,
)
from connector.model.checkpoint import Position
from connector.model.page import SyncPage
from connector.simulator import Fault, Simulator
from tests.cms import connect, eventually, requests
from tests.loopback import Loopback

START = Position()
TOO_BIG = '{"sys":{"type":"Error","id":"BadRequest"},"message":"Response size too big. Maximum 7340032B."}'
NAME = "contentful"
TRANSPORT_ERRORS: list[type[Exception]] = [
    httpx.ConnectError, httpx.ConnectTimeout, httpx.ReadError, httpx.ReadTimeout, httpx.WriteError, httpx.WriteTimeout,
    httpx.PoolTimeout, httpx.CloseError, httpx.ProxyError, httpx.UnsupportedProtocol, httpx.LocalProtocolError,
    httpx.RemoteProtocolError, httpx.DecodingError, httpx.TooManyRedirects,
]  # fmt: skip


class Failing(httpx.BaseTransport):
    """A network that fails in one way."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Fail."""
        raise self.error


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """Give a served simulator with several pages."""
    with Simulator(seed=3, entries=20, page_sizes=dict.fromkeys(vendors.names(), 4)).serving() as serving:
        yield serving


@pytest.fixture
def opened() -> Iterator[Callable[..., Source]]:
    """Give a way to open sources that are closed in the end."""
    with ExitStack() as stack:
        yield lambda vendor, **options: stack.enter_context(closing(Source(vendor, clock=SYSTEM, **options)))


@pytest.fixture
def source(simulator: Simulator, opened: Callable[..., Source]) -> Source:
    """Give a source of the simulated CMS."""
    return opened(connect(simulator, NAME, page_size=4), timeout=5)


def raised(source: Source, checkpoint: Position = START) -> ConnectorError:
    """Return the error that fetching one page ends in."""
    with pytest.raises(ConnectorError) as caught:
        source.fetch(checkpoint)
    return caught.value


def walking(source: Source) -> Generator[SyncPage]:
    """Return a walk that can be left."""
    walk = source.walk(START)
    assert isinstance(walk, Generator)
    return walk


def second(source: Source) -> Position:
    """Return the checkpoint after the first page."""
    return source.fetch(START).position


@pytest.mark.parametrize("error", TRANSPORT_ERRORS)
def test_every_transport_error_is_worth_a_retry(
    simulator: Simulator, opened: Callable[..., Source], error: type[Exception]
) -> None:
    """Whatever goes wrong below HTTP is SourceUnavailable, names the host and never the credential."""
    vendor = connect(simulator, NAME)
    found = raised(opened(vendor, transport=Failing(error("went wrong"))))
    assert isinstance(found, SourceUnavailable)
    assert "127.0.0.1" in str(found)
    assert simulator.connection(NAME)["token"] not in str(found) + found.hint


@pytest.mark.parametrize("kind", ["reset", "truncated_body", "truncated_gzip", "html", "gzip_bomb", "oversized_page"])
@pytest.mark.parametrize("name", vendors.names())
def test_an_unusable_answer_is_worth_a_retry(
    simulator: Simulator, opened: Callable[..., Source], name: str, kind: str
) -> None:
    """Half bodies, other content and too much of it: SourceUnavailable, and the next attempt succeeds."""
    simulator.push_fault(name, Fault(kind, size=8 * 2**20))  # type: ignore[arg-type]  # one of the kinds
    source = opened(connect(simulator, name), max_response_bytes=2**20)
    assert type(raised(source)) is SourceUnavailable
    assert source.fetch(START).changes


def test_what_is_too_large_says_which_setting_bounds_it(simulator: Simulator, opened: Callable[..., Source]) -> None:
    """The operator learns the limit and what to do about it; a page within it is read."""
    simulator.push_fault(NAME, Fault("oversized_page", size=300_000))
    simulator.push_fault(NAME, Fault("oversized_page", size=200_000))
    source = opened(connect(simulator, NAME), max_response_bytes=200_000)
    error = raised(source)
    assert "max_response_bytes = 200000" in str(error)
    assert "page_size" in error.hint
    assert source.fetch(START).changes


def test_a_hanging_request_ends_at_the_timeout(simulator: Simulator, opened: Callable[..., Source]) -> None:
    """No answer within the limit is SourceUnavailable."""
    simulator.push_fault(NAME, Fault("hang"))
    error = raised(opened(connect(simulator, NAME), timeout=0.05))
    assert type(error) is SourceUnavailable
    assert "did not answer within" in str(error)


def test_a_dripping_body_ends_as_well(simulator: Simulator, opened: Callable[..., Source]) -> None:
    """Every single byte comes in time, the whole does not: bounded all the same."""
    with dripping() as url:
        begun = time.monotonic()
        error = raised(opened(connect(simulator, NAME, base_url=url), timeout=0.1))
        assert type(error) is SourceUnavailable
        assert time.monotonic() - begun < 5


def test_a_certificate_that_nobody_vouches_for_gets_no_request(
    simulator: Simulator, opened: Callable[..., Source]
) -> None:
    """Whoever poses as the CMS sees no credential; it is worth a retry, as certificates expire and are renewed."""
    context, heard = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), bytearray()
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)

    def pose() -> None:
        with listener.accept()[0] as client, suppress(OSError), context.wrap_socket(client, server_side=True) as heeded:
            heard.extend(heeded.recv(65_536))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        impostor = threading.Thread(target=pose)
        impostor.start()
        home = f"https://127.0.0.1:{listener.getsockname()[1]}"
        error = raised(opened(connect(simulator, NAME, base_url=home), timeout=5))
        impostor.join()
    assert type(error) is SourceUnavailable
    assert "certificate" in str(error)
    assert not heard


@pytest.mark.parametrize("name", vendors.names())
def test_a_redirect_is_not_followed(simulator: Simulator, opened: Callable[..., Source], name: str) -> None:
    """The credential goes to the configured host only: a redirect stops the stream."""
    with Simulator(entries=1).serving() as elsewhere:
        simulator.push_fault(name, Fault("redirect", to=f"{elsewhere.url()}/v3/stacks/sync"))
        assert type(raised(opened(connect(simulator, name)))) is SourceRejected
        assert [elsewhere.requests(each) for each in vendors.names()] == [[], [], []]


def test_a_foreign_next_url_is_never_followed(simulator: Simulator, source: Source) -> None:
    """A next URL of another host gives its token alone; nothing is sent there."""
    with Simulator(entries=1).serving() as elsewhere:
        simulator.push_fault(NAME, Fault("foreign_next_url", to=elsewhere.url()))
        assert list(source.walk(START))[-1].caught_up
        assert elsewhere.requests(NAME) == []


class Gateway(Loopback):
    """Passes on what is below its path, and refuses all else."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer as the CMS behind it does, whose URLs know nothing of the gateway."""
        assert request.url.raw_path.startswith(b"/cms/v%31/")
        inner = request.url.copy_with(host="cms.example", raw_path=request.url.raw_path.removeprefix(b"/cms/v%31"))
        return super().handle_request(httpx.Request(request.method, inner, headers=request.headers))


@pytest.mark.parametrize("name", vendors.names())
def test_a_gateway_may_have_a_path(simulator: Simulator, opened: Callable[..., Source], name: str) -> None:
    """Every request goes below it, whatever host next URLs name; it is no part of what a cursor belongs to."""
    behind = connect(simulator, name, page_size=4, base_url="https://gateway.example/cms/v%31/")
    direct = connect(simulator, name, page_size=4)
    source = opened(behind, transport=Gateway(simulator))
    source.probe()
    pages = list(source.walk(START))
    assert len(pages) > 1
    assert pages == list(opened(direct).walk(START))
    assert behind.scope == direct.scope
    key = pages[0].changes[0].key
    assert behind.locate(key, "page").startswith("https://gateway.example/cms/v%31/")


@pytest.mark.parametrize("url", ["http://localhost:{port}/", "https://127.0.0.1:{port}/", "http://127.0.0.1:1/"])
def test_no_request_leaves_the_configured_origin(source: Source, url: str) -> None:
    """Another host, scheme or port: refused before anything is sent."""
    request = httpx.Request("GET", url.format(port=httpx.URL(source.vendor.base_url).port))
    with pytest.raises(ForeignUrl):
        source.send(request)


def test_a_doubtful_refusal_is_probed(simulator: Simulator, source: Source) -> None:
    """A refused cursor is one only if credentials and scope still work."""
    cursor = second(source)
    simulator.expire_cursors(NAME)
    assert type(raised(source, cursor)) is CheckpointRejected
    assert requests(simulator, NAME) == ["start", "cursor", "probe"]


@pytest.mark.parametrize(
    ("fault", "error"),
    [(Fault("status", on="probe", status=401), SourceRejected), (Fault("status", on="probe"), SourceUnavailable)],
)
def test_a_failing_probe_is_the_failure(
    simulator: Simulator, source: Source, fault: Fault, error: type[ConnectorError]
) -> None:
    """A refused cursor and a refused probe: the credentials are the reason, and no snapshot would help."""
    cursor = second(source)
    simulator.expire_cursors(NAME)
    simulator.push_fault(NAME, fault)
    assert type(raised(source, cursor)) is error


def test_a_walk_yields_every_page_until_caught_up(simulator: Simulator, source: Source) -> None:
    """Each page once, in order, the last one caught up; what a page says is what it was asked for after."""
    pages = list(source.walk(START))
    assert [page.caught_up for page in pages] == [False] * (len(pages) - 1) + [True]
    ids = [change.key for page in pages for change in page.changes]
    assert len(ids) == len(set(ids)) == len(simulator.truth(NAME))
    assert list(source.walk(pages[-2].position)) == pages[-1:]


def test_the_look_ahead_is_one_page(simulator: Simulator, source: Source) -> None:
    """While a page is worked on the next one is on its way, and never the one after it."""
    asked = simulator.requests
    with closing(walking(source)) as walk:
        for page in range(1, 4):
            next(walk)
            eventually(lambda: len(asked(NAME)) > page)  # noqa: B023  called in this turn
            with pytest.raises(AssertionError, match="in vain"):
                eventually(lambda: len(asked(NAME)) > page + 1, within=0.15)  # noqa: B023  as above


def test_an_abandoned_walk_asks_for_nothing_more(simulator: Simulator, source: Source) -> None:
    """Whoever leaves a walk leaves no thread behind."""
    others = set(threading.enumerate())
    with closing(walking(source)) as walk:
        next(walk)
    eventually(lambda: "look-ahead" not in [thread.name for thread in set(threading.enumerate()) - others])
    assert len(simulator.requests(NAME)) <= 2


def test_errors_come_after_the_pages_before_them(simulator: Simulator, source: Source) -> None:
    """What was read before the failure is delivered first."""
    simulator.push_fault(NAME, Fault("status", after=2))
    walk = source.walk(START)
    assert [next(walk).position.page, next(walk).position.page] == [1, 2]
    with pytest.raises(SourceUnavailable):
        next(walk)


def test_a_refusal_midway_breaks_the_walk(simulator: Simulator, source: Source) -> None:
    """Contentstack may refuse a page after a publish: walk again, rather than forget the stream's place."""
    simulator.push_fault(NAME, Fault("refuse_cursor", after=2))
    with pytest.raises(WalkBroken, match="refused midway"):
        list(source.walk(START))


def test_a_refusal_of_the_first_page_is_a_refused_checkpoint(simulator: Simulator, source: Source) -> None:
    """Also where a snapshot resumes: only a new one helps."""
    cursor = second(source)
    simulator.expire_cursors(NAME)
    with pytest.raises(CheckpointRejected):
        list(source.walk(cursor))


@pytest.mark.parametrize("after", [0, 1, 3])
def test_a_page_too_large_is_one_wherever_it_is(simulator: Simulator, source: Source, after: int) -> None:
    """Midway as at the start: only a smaller page helps, walking again would not."""
    simulator.push_fault(NAME, Fault("status", status=400, body=TOO_BIG, after=after))
    with pytest.raises(PageTooLarge):
        list(source.walk(START))


@pytest.mark.parametrize("name", vendors.names())
def test_a_cursor_that_comes_back_breaks_the_walk(
    simulator: Simulator, opened: Callable[..., Source], name: str
) -> None:
    """A walk in circles ends."""
    source = opened(connect(simulator, name, page_size=4))
    simulator.push_fault(name, Fault("repeat_cursor", after=1, times=None))
    with pytest.raises(WalkBroken, match="twice"):
        list(source.walk(START))


def test_stop_ends_a_walk_at_a_page_boundary(simulator: Simulator, opened: Callable[..., Source]) -> None:
    """What was handed out was whole; the walk is not caught up."""
    stop = threading.Event()
    source = opened(connect(simulator, NAME, page_size=4), stop=stop)
    walk = source.walk(START)
    first = next(walk)
    stop.set()
    assert list(walk) == []
    assert not first.caught_up


def test_a_hanging_request_does_not_hold_up_a_stop(simulator: Simulator, opened: Callable[..., Source]) -> None:
    """The process ends in time whatever the CMS does."""
    stop = threading.Event()
    simulator.push_fault(NAME, Fault("hang"))
    source = opened(connect(simulator, NAME), stop=stop, timeout=60)
    walker = threading.Thread(target=lambda: list(source.walk(START)))
    walker.start()
    eventually(lambda: simulator.requests(NAME))
    stop.set()
    walker.join(2)
    assert not walker.is_alive()


class dripping:  # noqa: N801  a context manager, used like a function
    """Serve one response whose body never ends, a byte at a time."""

    def __enter__(self) -> str:
        """Return the server's URL."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        """Stop serving."""
        self._done.set()
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        with self._listener.accept()[0] as client:
            client.recv(65_536)
            client.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
            try:
                while not self._done.wait(0.02):
                    client.sendall(b" ")
            except OSError:
                return  # the client has had enough


@pytest.mark.parametrize("encoding", ["gzip, gzip", "br", "deflate"])
def test_a_body_compressed_otherwise_is_refused_unread(
    simulator: Simulator, opened: Callable[..., Source], encoding: str
) -> None:
    """A thousand bytes can stand for gigabytes where compressions are nested: only what was offered is accepted."""
    body = gzip.compress(gzip.compress(bytes(10_000_000)))
    stream = httpx.ByteStream(body)
    network = httpx.MockTransport(lambda _: httpx.Response(200, headers={"Content-Encoding": encoding}, stream=stream))
    assert "decompressed" in str(raised(opened(connect(simulator, NAME), transport=network)))


def test_a_server_without_tls_is_unavailable(simulator: Simulator, opened: Callable[..., Source]) -> None:
    """A broken handshake is trouble of the network, and its message says what to look at."""
    home = simulator.url(NAME).replace("http://", "https://")
    error = raised(opened(connect(simulator, NAME, base_url=home), timeout=5))
    assert isinstance(error, SourceUnavailable)
    assert "could not be reached" in str(error)
    assert "base_url" in error.hint
