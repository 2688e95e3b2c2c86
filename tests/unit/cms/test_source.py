"""Requests and what comes back: bounds, transport errors, walks, stopping."""

import gzip
import threading
from collections.abc import Generator, Iterator

import httpx
import pytest

from connector import vendors
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
from connector.testing import ManualClock, in_turn
from tests.cms import connect, page_count, requests
from tests.loopback import Loopback
from tests.story import HOME, source_of

START = Position()
TOO_BIG = '{"sys":{"type":"Error","id":"BadRequest"},"message":"Response size too big. Maximum 7340032B."}'
NAME = "contentful"
ELSEWHERE = "https://elsewhere.example"
TRANSPORT_ERRORS: list[type[Exception]] = [
    httpx.ConnectError, httpx.ConnectTimeout, httpx.ReadError, httpx.ReadTimeout, httpx.WriteError, httpx.WriteTimeout,
    httpx.PoolTimeout, httpx.CloseError, httpx.ProxyError, httpx.UnsupportedProtocol, httpx.LocalProtocolError,
    httpx.RemoteProtocolError, httpx.DecodingError, httpx.TooManyRedirects,
]  # fmt: skip
ROOM_FOR_ALL = 10_000


class Failing(httpx.BaseTransport):
    """A network that fails in one way."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Fail."""
        raise self.error


def paged(size: int) -> Simulator:
    """Return a simulator whose pages have this size."""
    return Simulator(seed=3, entries=20, page_sizes=dict.fromkeys(vendors.names(), size))


@pytest.fixture
def simulator() -> Simulator:
    """Give a simulator with several pages."""
    return paged(4)


@pytest.fixture
def source(simulator: Simulator) -> Source:
    """Give a source of the simulated CMS."""
    return source_of(simulator, NAME, page_size=4)


def raised(source: Source, checkpoint: Position = START) -> ConnectorError:
    """Return the error that fetching one page raises."""
    with pytest.raises(ConnectorError) as caught:
        source.fetch(checkpoint)
    return caught.value


def walking(source: Source) -> Generator[SyncPage]:
    """Return a walk that can be abandoned."""
    walk = source.walk(START)
    assert isinstance(walk, Generator)
    return walk


def second(source: Source) -> Position:
    """Return the checkpoint after the first page."""
    return source.fetch(START).position


@pytest.mark.parametrize("error", TRANSPORT_ERRORS)
def test_every_transport_error_is_worth_a_retry(simulator: Simulator, error: type[Exception]) -> None:
    """Whatever goes wrong below HTTP is SourceUnavailable, names the host and never the credential."""
    found = raised(source_of(simulator, NAME, transport=Failing(error("went wrong"))))
    assert isinstance(found, SourceUnavailable)
    assert httpx.URL(HOME).host in str(found)
    token = simulator._stage(NAME).front_end.connection()["token"]
    assert token not in str(found) + found.hint


def test_an_error_about_size_names_the_limiting_setting(simulator: Simulator) -> None:
    """The operator learns the limit and what to do about it; a page within it is read."""
    simulator.push_fault(NAME, Fault("oversized_page", size=300_000))
    simulator.push_fault(NAME, Fault("oversized_page", size=200_000))
    source = source_of(simulator, NAME, max_response_bytes=200_000)
    error = raised(source)
    assert "max_response_bytes = 200000" in str(error)
    assert "page_size" in error.hint
    assert source.fetch(START).changes


def test_a_hanging_request_ends_at_the_timeout(simulator: Simulator) -> None:
    """No answer within the limit is SourceUnavailable."""
    simulator.push_fault(NAME, Fault("hang"))
    error = raised(source_of(simulator, NAME))
    assert type(error) is SourceUnavailable
    assert "did not answer within" in str(error)


def test_a_dripping_body_ends_too(simulator: Simulator) -> None:
    """Each byte comes in time, but not the whole: that is bounded as well."""
    clock = ManualClock()

    class Dripping(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            while True:
                clock.wait(1.0)
                yield b" "

    network = httpx.MockTransport(lambda _: httpx.Response(200, stream=Dripping()))
    source = Source(connect(simulator, NAME, base_url=HOME), clock=clock, transport=network, timeout=5.0)
    assert type(raised(source)) is SourceUnavailable
    assert clock.monotonic() == 4 * 5.0 + 1.0


class Hosts(Loopback):
    """Answers for every host, and records which ones were asked."""

    def __init__(self, simulator: Simulator) -> None:
        super().__init__(simulator)
        self.asked: set[str] = set()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer."""
        self.asked.add(request.url.host)
        return super().handle_request(request)


@pytest.mark.parametrize("name", vendors.names())
def test_a_redirect_is_not_followed(simulator: Simulator, name: str) -> None:
    """The credential goes to the configured host only: a redirect stops the stream."""
    network = Hosts(simulator)
    simulator.push_fault(name, Fault("redirect", to=f"{ELSEWHERE}/v3/stacks/sync"))
    assert type(raised(source_of(simulator, name, transport=network))) is SourceRejected
    assert network.asked == {httpx.URL(HOME).host}


def test_a_foreign_next_url_is_never_followed(simulator: Simulator) -> None:
    """Only the token is taken from a next URL of another host; nothing is sent there."""
    network = Hosts(simulator)
    simulator.push_fault(NAME, Fault("foreign_next_url", to=ELSEWHERE))
    pages = list(source_of(simulator, NAME, page_size=4, transport=network).walk(START))
    assert len(pages) > 1
    assert pages[-1].caught_up
    assert network.asked == {httpx.URL(HOME).host}


class Gateway(Loopback):
    """Passes on what is below its path, and refuses everything else."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer as the CMS behind it does, whose URLs do not mention the gateway."""
        assert request.url.raw_path.startswith(b"/cms/v%31/")
        inner = request.url.copy_with(host="cms.example", raw_path=request.url.raw_path.removeprefix(b"/cms/v%31"))
        return super().handle_request(
            httpx.Request(request.method, inner, headers=request.headers, extensions=request.extensions)
        )


@pytest.mark.parametrize("name", vendors.names())
def test_a_gateway_may_have_a_path(simulator: Simulator, name: str) -> None:
    """Every request goes below it, whatever host next URLs name; it is not part of a cursor's scope."""
    behind = connect(simulator, name, page_size=4, base_url="https://gateway.example/cms/v%31/")
    direct = source_of(simulator, name, page_size=4)
    source = Source(behind, clock=ManualClock(), transport=Gateway(simulator), ahead=in_turn)
    source.probe()
    pages = list(source.walk(START))
    assert len(pages) > 1
    assert pages == list(direct.walk(START))
    assert behind.scope == direct.vendor.scope
    key = pages[0].changes[0].key
    assert behind.locate(key, "page").startswith("https://gateway.example/cms/v%31/")


@pytest.mark.parametrize("url", [f"{ELSEWHERE}/", HOME.replace("https", "http"), f"{HOME}:8443/"])
def test_no_request_leaves_the_configured_origin(source: Source, url: str) -> None:
    """Another host, scheme or port: refused before anything is sent."""
    with pytest.raises(ForeignUrl):
        source.send(httpx.Request("GET", url))


def test_a_doubtful_refusal_is_probed(simulator: Simulator, source: Source) -> None:
    """A cursor counts as refused only if credentials and scope still work."""
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
    """If both cursor and probe are refused, the credentials are the reason, and no snapshot would help."""
    cursor = second(source)
    simulator.expire_cursors(NAME)
    simulator.push_fault(NAME, fault)
    assert type(raised(source, cursor)) is error


def test_a_walk_yields_every_page_until_caught_up(simulator: Simulator, source: Source) -> None:
    """Each page once, in order, the last one caught up; each continues from the position before it."""
    pages = list(source.walk(START))
    assert [page.caught_up for page in pages] == [False] * (len(pages) - 1) + [True]
    ids = [change.key for page in pages for change in page.changes]
    assert len(ids) == len(set(ids)) == len(simulator.truth(NAME))
    assert list(source.walk(pages[-2].position)) == pages[-1:]


def walked(source: Source, how: str, position: Position = START) -> Position:
    """Return where a walk ends."""
    *_, last = getattr(source, how)(position)
    end = last.position
    assert isinstance(end, Position)
    return end


@pytest.mark.parametrize("how", ["walk", "snapshot"])
@pytest.mark.parametrize("name", vendors.names())
def test_a_walk_is_one_request_a_page_and_none_more(name: str, how: str) -> None:
    """Of a snapshot, of a delta, and when nothing has happened; a full last page is followed by no other."""
    roomy = paged(ROOM_FOR_ALL)
    after = source_of(roomy, name).fetch(START).position
    roomy.release(8)
    source_of(roomy, name).fetch(after)
    everything, released = (request.items for request in roomy.requests(name))
    for size in (4, everything - 1, everything):
        simulator = paged(size)
        source = source_of(simulator, name, page_size=size)
        end = walked(source, how)
        assert requests(simulator, name) == ["start"] + ["cursor"] * (page_count(name, everything, size) - 1)
        simulator.clear_requests()
        end = walked(source, how, end)
        assert requests(simulator, name) == ["cursor"]
        simulator.clear_requests()
        simulator.release(8)
        walked(source, how, end)
        assert requests(simulator, name) == ["cursor"] * page_count(name, released, size)


def test_errors_come_after_the_pages_before_them(simulator: Simulator, source: Source) -> None:
    """What was read before the failure is delivered first."""
    simulator.push_fault(NAME, Fault("status", after=2))
    walk = source.walk(START)
    assert [next(walk).position.page, next(walk).position.page] == [1, 2]
    with pytest.raises(SourceUnavailable):
        next(walk)


def test_a_refusal_midway_breaks_the_walk(simulator: Simulator, source: Source) -> None:
    """Contentstack may refuse a page after a publish: walk again, rather than give up the stream's position."""
    simulator.push_fault(NAME, Fault("refuse_cursor", after=2))
    with pytest.raises(WalkBroken, match="refused midway"):
        list(source.walk(START))


def test_a_refusal_of_the_first_page_is_a_refused_checkpoint(simulator: Simulator, source: Source) -> None:
    """Also when a snapshot resumes: only a new one helps."""
    cursor = second(source)
    simulator.expire_cursors(NAME)
    with pytest.raises(CheckpointRejected):
        list(source.walk(cursor))


@pytest.mark.parametrize("after", [0, 1, 3])
def test_a_page_too_large_is_reported_wherever_it_is(simulator: Simulator, source: Source, after: int) -> None:
    """Midway or at the start: only a smaller page helps, not walking again."""
    simulator.push_fault(NAME, Fault("status", status=400, body=TOO_BIG, after=after))
    with pytest.raises(PageTooLarge):
        list(source.walk(START))


@pytest.mark.parametrize("name", vendors.names())
def test_a_repeated_cursor_breaks_the_walk(simulator: Simulator, name: str) -> None:
    """A walk in circles must end."""
    source = source_of(simulator, name, page_size=4)
    simulator.push_fault(name, Fault("repeat_cursor", after=1, times=None))
    with pytest.raises(WalkBroken, match="twice"):
        list(source.walk(START))


def test_stop_ends_a_walk_at_a_page_boundary(simulator: Simulator) -> None:
    """Every page handed out is complete; the walk is not caught up."""
    stop = threading.Event()
    source = source_of(simulator, NAME, page_size=4, stop=stop)
    walk = source.walk(START)
    first = next(walk)
    stop.set()
    assert list(walk) == []
    assert not first.caught_up


@pytest.mark.parametrize("encoding", ["gzip, gzip", "br", "deflate"])
def test_an_unoffered_compression_is_refused_unread(simulator: Simulator, encoding: str) -> None:
    """With nested compression a thousand bytes can stand for gigabytes: only what was offered is accepted."""
    body = gzip.compress(gzip.compress(bytes(10_000_000)))
    stream = httpx.ByteStream(body)
    network = httpx.MockTransport(lambda _: httpx.Response(200, headers={"Content-Encoding": encoding}, stream=stream))
    assert "decompressed" in str(raised(source_of(simulator, NAME, transport=network)))
