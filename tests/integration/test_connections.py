"""Sources of one host take turns on the same connections, and none is disturbed by the end of another."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import httpx
import pytest

from connector.clock import SYSTEM
from connector.cms.connections import Connections
from connector.cms.http import Pool, Transport
from connector.cms.outbound import Outbound
from connector.cms.source import Source
from connector.errors import ConnectorError, SourceUnavailable
from connector.model.checkpoint import Position
from connector.simulator import Simulator
from connector.vendors import names
from tests.cms import connect
from tests.rawserver import head, serving

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
HELD = b"HTTP/1.1 200 OK\r\n\r\nhalf of"  # a body that ends with the connection


class Server:
    """Answers `/held` with half a body and holds the rest, and everything else at once; notes who asked on what."""

    def __init__(self) -> None:
        self.connections: list[socket.socket] = []
        self.asked: list[bytes] = []
        self.held = threading.Event()

    def __call__(self, connection: socket.socket) -> None:
        """Serve a connection."""
        self.connections.append(connection)
        while request := head(connection):
            self.asked.append(request)
            if b"/held" not in request:
                connection.sendall(OK)
                continue
            connection.sendall(HELD)
            self.held.set()


@contextmanager
def served() -> Iterator[tuple[Server, str]]:
    """Yield a server and its URL."""
    server = Server()
    with serving(server) as port:
        yield server, f"http://127.0.0.1:{port}"


def client(pool: Pool, **headers: str) -> httpx.Client:
    """Return a client of the pool's connections."""
    return httpx.Client(transport=Transport(10.0, pool), timeout=10.0, headers=headers)


def test_one_connection_serves_many_clients_in_turn_each_with_its_own_credential() -> None:
    """A thousand streams that poll one after the other need not have a thousand sockets."""
    pool = Pool()
    with served() as (server, url), contextlib.ExitStack() as clients:
        for number in range(20):
            asking = clients.enter_context(client(pool, authorization=f"Bearer token-{number}"))
            assert asking.get(url).text == "hi"
        assert len(server.connections) == 1
        for number, request in enumerate(server.asked):
            assert f"Bearer token-{number}\r\n".encode() in request
            assert request.count(b"Bearer") == 1


def test_many_clients_at_once_keep_their_connections_too() -> None:
    """More than one after the other need, and no new one for each request: a handshake takes longer than a page."""
    pool, at_once = Pool(), 40
    together = threading.Barrier(at_once)

    def serve(connection: socket.socket) -> None:
        connections.append(connection)
        while head(connection):
            together.wait(30)  # only all of them are answered: so many connections are busy at the same time
            connection.sendall(OK)

    def ask(url: str) -> None:
        with client(pool) as asking:
            answers.extend(asking.get(url).text for _ in range(5))

    connections: list[socket.socket] = []
    answers: list[str] = []
    with serving(serve) as port, client(pool):
        threads = [threading.Thread(target=ask, args=(f"http://127.0.0.1:{port}",)) for _ in range(at_once)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert answers == ["hi"] * at_once * 5
    assert len(connections) == at_once


def test_a_source_that_is_closed_ends_its_own_request_and_no_other() -> None:
    """And what it had received by then never passes for a whole answer."""
    pool = Pool()
    with served() as (server, url), client(pool) as staying:
        leaving = client(pool)
        assert staying.get(url).text == "hi"
        failed: list[Exception] = []

        def ask() -> None:
            try:
                leaving.get(f"{url}/held")
            except httpx.HTTPError as error:
                failed.append(error)

        asking = threading.Thread(target=ask)
        asking.start()
        assert server.held.wait(10)
        # On another connection, as the first one is busy.
        assert staying.get(url).text == "hi"
        leaving.close()
        asking.join(5)
        assert not asking.is_alive()
        assert isinstance(failed[0], httpx.NetworkError)
        assert staying.get(url).text == "hi"
        assert len(server.connections) == 2


def test_a_closed_source_sends_nothing_any_more() -> None:
    """Not even on connections that others keep open."""
    pool = Pool()
    with served() as (server, url), client(pool) as staying:
        assert staying.get(url).text == "hi"
        closed = Transport(10.0, pool)
        closed.close()
        closed.close()
        with pytest.raises(httpx.NetworkError):
            closed.handle_request(httpx.Request("GET", url))
        assert len(server.asked) == 1
        assert staying.get(url).text == "hi"


def test_the_last_one_to_leave_closes_the_connections() -> None:
    """Not the first: the others go on where they are."""
    pool, closed = Pool(), threading.Event()

    def serve(connection: socket.socket) -> None:
        while head(connection):
            connection.sendall(OK)
        closed.set()

    with serving(serve) as port:
        first, last = client(pool), client(pool)
        for asking in (first, last):
            assert asking.get(f"http://127.0.0.1:{port}").text == "hi"
        first.close()
        assert last.get(f"http://127.0.0.1:{port}").text == "hi"
        assert not closed.is_set()
        last.close()
        assert closed.wait(5)


def test_many_sources_at_once_each_get_their_own_pages() -> None:
    """Nothing of one stream's answers reaches another, whatever connection they came by."""
    among = Connections()
    with Simulator(entries=30).serving() as simulator:
        sources = [source(simulator, among, vendor, page_size) for vendor in names() for page_size in (3, 5, 7, 11)]
        found: dict[int, list[bytes]] = {}

        def walk(number: int) -> None:
            with closing(sources[number]) as walked:
                found[number] = sorted(each.raw for page in walked.walk(Position()) for each in page.changes)

        threads = [threading.Thread(target=walk, args=(number,)) for number in range(len(sources))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    for number in range(0, len(sources), 4):
        assert len(found[number]) >= 30
        assert all(found[other] == found[number] for other in range(number, number + 4))


def source(simulator: Simulator, among: Connections, vendor: str, page_size: int) -> Source:
    """Return the source of a vendor's simulated pages."""
    made = connect(simulator, vendor, page_size=page_size)
    return Source(made, clock=SYSTEM, pool=among.pool(made.base_url, proxy=None, ca=None, outbound=Outbound()))


def test_a_closed_source_asks_nobody() -> None:
    """A page that is asked for ahead may come just after the end: that is no fault of ours to be reported."""
    with Simulator(entries=3).serving() as simulator:
        left = source(simulator, Connections(), names()[0], 3)
        left.close()
        with pytest.raises(SourceUnavailable, match="the source is closed"):
            left.fetch(Position())
        assert simulator.requests(names()[0]) == []


def test_a_source_left_in_the_middle_of_a_walk_leaves_no_request_behind() -> None:
    """The page that was asked for ahead ends with the source; the next one on the pool starts afresh."""
    among = Connections()
    with Simulator(entries=30).serving() as simulator:
        walked = source(simulator, among, names()[0], 3)
        pages = walked.walk(Position())
        next(pages)
        walked.close()
        with pytest.raises(ConnectorError):
            list(pages)
        with closing(source(simulator, among, names()[0], 3)) as again:
            assert sum(len(page.changes) for page in again.walk(Position())) >= 30
