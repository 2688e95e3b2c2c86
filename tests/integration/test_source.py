"""Requests over a real network: broken responses, peers that pose as the CMS, and the page requested ahead."""

import socket
import ssl
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing, suppress

import pytest
import trustme

from connector import vendors
from connector.clock import SYSTEM
from connector.cms.source import Source
from connector.errors import (
    ConnectorError,
    SourceUnavailable,
)
from connector.model.checkpoint import Position
from connector.model.page import SyncPage
from connector.simulator import Fault, Simulator
from tests.cms import connect, eventually

START = Position()
NAME = "contentful"


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """Yield a served simulator with several pages."""
    with Simulator(seed=3, entries=20, page_sizes=dict.fromkeys(vendors.names(), 4)).serving() as serving:
        yield serving


@pytest.fixture
def opened() -> Iterator[Callable[..., Source]]:
    """Yield a function that opens sources, which are closed at the end."""
    with ExitStack() as stack:
        yield lambda vendor, **options: stack.enter_context(closing(Source(vendor, clock=SYSTEM, **options)))


@pytest.fixture
def source(simulator: Simulator, opened: Callable[..., Source]) -> Source:
    """Return a source of the simulated CMS."""
    return opened(connect(simulator, NAME, page_size=4), timeout=5)


def raised(source: Source, position: Position = START) -> ConnectorError:
    """Return the error that fetching one page ends in."""
    with pytest.raises(ConnectorError) as caught:
        source.fetch(position)
    return caught.value


def walking(source: Source) -> Generator[SyncPage]:
    """Return a walk that can be abandoned."""
    walk = source.walk(START)
    assert isinstance(walk, Generator)
    return walk


@pytest.mark.parametrize("kind", ["reset", "truncated_body", "truncated_gzip", "html", "gzip_bomb", "oversized_page"])
@pytest.mark.parametrize("name", vendors.names())
def test_an_unusable_answer_is_worth_a_retry(
    simulator: Simulator, opened: Callable[..., Source], name: str, kind: str
) -> None:
    """Half bodies, other content or too much of it: SourceUnavailable, and the next attempt succeeds."""
    simulator.push_fault(name, Fault(kind, size=8 * 2**20))  # type: ignore[arg-type]  # one of the kinds
    source = opened(connect(simulator, name), max_response_bytes=2**20)
    assert type(raised(source)) is SourceUnavailable
    assert source.fetch(START).changes


def test_an_untrusted_certificate_gets_no_request(simulator: Simulator, opened: Callable[..., Source]) -> None:
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


def test_the_next_page_is_on_its_way_while_one_is_worked_on(simulator: Simulator, source: Source) -> None:
    """A slow API costs only its latency."""
    with closing(walking(source)) as walk:
        for page in range(1, 4):
            next(walk)
            eventually(lambda: len(simulator.requests(NAME)) > page)  # noqa: B023  called in this turn


@pytest.mark.parametrize("how", ["walk", "snapshot"])
@pytest.mark.parametrize("name", vendors.names())
def test_reading_ahead_takes_no_request_more(
    simulator: Simulator, opened: Callable[..., Source], name: str, how: str
) -> None:
    """Each request is a page that the reader gets; and at the end there is nothing ahead."""
    source = opened(connect(simulator, name, page_size=4), timeout=5)
    pages = list(getattr(source, how)(START))
    assert len(simulator.requests(name)) == len(pages) > 2
    simulator.clear_requests()
    assert len(list(getattr(source, how)(pages[-1].position))) == 1
    assert len(simulator.requests(name)) == 1


def test_an_abandoned_walk_asks_for_nothing_more(simulator: Simulator, source: Source) -> None:
    """Abandoning a walk leaves no thread behind."""
    others = set(threading.enumerate())
    with closing(walking(source)) as walk:
        next(walk)
    eventually(lambda: "look-ahead" not in [thread.name for thread in set(threading.enumerate()) - others])
    assert len(simulator.requests(NAME)) <= 2


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


def test_a_server_without_tls_is_unavailable(simulator: Simulator, opened: Callable[..., Source]) -> None:
    """A broken handshake is a network error, and its message says what to check."""
    home = simulator.url(NAME).replace("http://", "https://")
    error = raised(opened(connect(simulator, NAME, base_url=home), timeout=5))
    assert isinstance(error, SourceUnavailable)
    assert "could not be reached" in str(error)
    assert "base_url" in error.hint
