"""HTTP exchanges end in time whatever the peer does, and bodies are read as gateways send them."""

import codecs
import contextlib
import errno
import gzip
import os
import resource
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from connector.clock import SYSTEM
from connector.cms.http import Transport, certificates
from connector.cms.outbound import Outbound
from connector.cms.source import Source
from connector.errors import ConnectorError, LocalTrouble, RegistryUnavailable, SourceRejected, SourceUnavailable
from connector.kafka.registry import Registry
from connector.model.checkpoint import Position
from tests.cms import eventually
from tests.rawserver import endless, head, serving, silence
from tests.unit.vendors.contentful_answers import contentful

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
START = Position()


def early_hints(connection: socket.socket) -> None:
    """Answer with one interim response after the other."""
    head(connection)
    endless(connection, b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")


def slow_head(connection: socket.socket) -> None:
    """Send a header that never ends, byte by byte."""
    head(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
    endless(connection, b"x")


def slow_body(connection: socket.socket) -> None:
    """Send a body that never ends, byte by byte."""
    head(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    endless(connection, b" ")


PEERS = [early_hints, slow_head, slow_body, silence]


@pytest.mark.alone
@pytest.mark.parametrize("peer", PEERS)
def test_a_peer_that_never_ends_is_given_up_in_time(peer: Callable[[socket.socket], None]) -> None:
    """The time of the whole exchange counts, however often the peer sends something: for both source and registry."""
    before = waiting_threads()
    with serving(peer) as port:
        url = f"http://127.0.0.1:{port}"
        source = Source(contentful(base_url=url), clock=SYSTEM, timeout=0.1)
        begun = time.monotonic()
        with pytest.raises(SourceUnavailable):
            list(source.walk(START))
        source.close()
        registry = Registry(url, timeout=0.4)
        with pytest.raises(RegistryUnavailable):
            registry.schema(1)
        registry.close()
        assert time.monotonic() - begun < 3
        eventually(lambda: waiting_threads() <= before)


def waiting_threads() -> set[threading.Thread]:
    """Return the threads that send requests or look up hosts."""
    return {thread for thread in threading.enumerate() if thread.name in ("look-ahead", "look-up")}


def sockets() -> int:
    """Return how many sockets this process has open."""
    found = 0
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            found += str(descriptor.readlink()).startswith("socket:")
    return found


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts descriptors as Linux shows them")
@pytest.mark.parametrize("peer", PEERS)
def test_closing_ends_requests_in_progress(peer: Callable[[socket.socket], None]) -> None:
    """A closed source leaves neither a thread nor a socket behind, however much time its request had left."""
    asked = threading.Event()

    def serve_peer(connection: socket.socket) -> None:
        asked.set()
        peer(connection)

    before, threads = sockets(), waiting_threads()
    with serving(serve_peer) as port:
        source = Source(contentful(base_url=f"http://127.0.0.1:{port}"), clock=SYSTEM, timeout=600)
        walking = threading.Thread(target=walk, args=(source,))
        walking.start()
        assert asked.wait(10)
        source.close()
        walking.join(5)
        assert not walking.is_alive()
        eventually(lambda: waiting_threads() <= threads)
    eventually(lambda: sockets() <= before)


def walk(source: Source) -> None:
    """Walk, whatever the outcome."""
    with contextlib.suppress(ConnectorError):
        list(source.walk(START))


@pytest.mark.alone
def test_a_walk_that_was_left_gets_no_more_time_by_the_next_one() -> None:
    """Each request has its own deadline: asking again does not prolong one that hangs."""
    answer = threading.Event()
    asked = 0

    def first_hangs(connection: socket.socket) -> None:
        nonlocal asked
        asked += 1
        if asked == 1:
            early_hints(connection)
        head(connection)
        answer.wait(10)
        connection.sendall(OK)

    with serving(first_hangs) as port, httpx.Client(transport=Transport(1.0), timeout=60) as client:
        ended: list[float] = []

        def hang() -> None:
            with contextlib.suppress(httpx.TimeoutException):
                client.get(f"http://127.0.0.1:{port}/")
            ended.append(time.monotonic())

        begun = time.monotonic()
        left = threading.Thread(target=hang)
        left.start()
        eventually(lambda: asked == 1)
        while time.monotonic() - begun < 0.7:
            time.sleep(0.01)
        threading.Timer(0.1, answer.set).start()
        assert client.get(f"http://127.0.0.1:{port}/").text == "hi"
        left.join(10)
        assert ended[0] - begun < 1.5


@pytest.mark.alone
def test_a_handshake_that_never_ends_is_given_up_in_time() -> None:
    """TLS is part of the exchange."""
    with serving(silence) as port, httpx.Client(transport=Transport(0.3)) as client:
        begun = time.monotonic()
        with pytest.raises(httpx.TimeoutException):
            client.get(f"https://127.0.0.1:{port}/", timeout=60)
        assert time.monotonic() - begun < 3


def test_a_request_under_way_can_be_seen() -> None:
    """The source says since when it has been waiting for an answer; None between requests."""
    asked, answer = threading.Event(), threading.Event()

    def hold(connection: socket.socket) -> None:
        head(connection)
        asked.set()
        answer.wait(10)
        connection.sendall(OK)

    with serving(hold) as port:
        source = Source(contentful(base_url=f"http://127.0.0.1:{port}"), clock=SYSTEM, timeout=10)
        assert not waits(source)
        walking = threading.Thread(target=probe, args=(source,))
        walking.start()
        assert asked.wait(10)
        assert waits(source)
        answer.set()
        walking.join(10)
        assert not waits(source)
        source.close()


def waits(source: Source) -> bool:
    """Return whether a request is in progress."""
    return source.waiting_since is not None


def probe(source: Source) -> None:
    """Ask once, whatever the outcome."""
    with contextlib.suppress(ConnectorError):
        source.probe()


PAGE = b'{"items":[],"nextSyncUrl":"https://x/?sync_token=t"}'


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        pytest.param("gzip", gzip.compress(PAGE[:20]) + gzip.compress(PAGE[20:]), id="two members"),
        pytest.param("gzip", gzip.compress(b"") + gzip.compress(PAGE), id="an empty member"),
        pytest.param("gzip", gzip.compress(PAGE) + b"\0" * 512, id="filled up with zeros"),
        pytest.param("x-gzip", gzip.compress(PAGE), id="the old name"),
        pytest.param("X-GZIP", gzip.compress(codecs.BOM_UTF8 + PAGE), id="in capitals, with a mark"),
        pytest.param("identity", codecs.BOM_UTF8 + PAGE, id="a byte order mark"),
    ],
)
def test_bodies_as_gateways_send_them_are_read(encoding: str, body: bytes) -> None:
    """Several gzip members, its old name `x-gzip`, a byte order mark before the JSON."""
    headers = f"HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\nContent-Length: {len(body)}\r\n\r\n".encode()

    def serve(connection: socket.socket) -> None:
        head(connection)
        connection.sendall(headers + body)

    with serving(serve) as port:
        source = Source(contentful(base_url=f"http://127.0.0.1:{port}"), clock=SYSTEM)
        (page,) = source.walk(START)
        source.close()
    assert page.position.cursor == "t"


def test_an_error_without_a_body_is_the_error_that_it_is() -> None:
    """A gateway that announces gzip and sends nothing still says 401."""

    def refuse(connection: socket.socket) -> None:
        head(connection)
        connection.sendall(b"HTTP/1.1 401 Unauthorized\r\nContent-Encoding: gzip\r\nContent-Length: 0\r\n\r\n")

    with serving(refuse) as port:
        source = Source(contentful(base_url=f"http://127.0.0.1:{port}"), clock=SYSTEM)
        with pytest.raises(SourceRejected, match="401"):
            list(source.walk(START))
        source.close()


def test_members_are_bounded_together() -> None:
    """Many small members do not get around max_response_bytes."""
    body = gzip.compress(b" " * 60_000) * 5

    def serve(connection: socket.socket) -> None:
        head(connection)
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        )

    with serving(serve) as port:
        source = Source(contentful(base_url=f"http://127.0.0.1:{port}"), clock=SYSTEM, max_response_bytes=100_000)
        with pytest.raises(SourceUnavailable, match="max_response_bytes"):
            list(source.walk(START))
        source.close()


@contextlib.contextmanager
def no_descriptors() -> Iterator[None]:
    """Keep this process from opening anything."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_shortage_on_this_machine_is_not_blamed_on_the_other_side(host: str) -> None:
    """Without a free descriptor the hint is about descriptors, and a later try succeeds: for source and registry."""
    with serving(early_hints) as port:
        source = Source(contentful(base_url=f"http://{host}:{port}"), clock=SYSTEM, timeout=1)
        registry = Registry(f"http://{host}:{port}", timeout=1)
        for ask in (source.probe, registry.subjects):
            with no_descriptors(), pytest.raises(LocalTrouble) as caught:
                ask()
            assert os.strerror(errno.EMFILE) in str(caught.value)
            assert "ulimit -n" in caught.value.hint
        with pytest.raises(RegistryUnavailable):
            registry.subjects()
        source.close()
        registry.close()


def test_a_resolver_without_descriptors_is_reported_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has been seen to say "busy", which would be reported as an unreachable host."""

    def busy(*_: object, **__: object) -> None:
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))

    monkeypatch.setattr(socket, "getaddrinfo", busy)
    source = Source(contentful(base_url="https://cms.example"), clock=SYSTEM, timeout=1)
    with no_descriptors(), pytest.raises(LocalTrouble, match=os.strerror(errno.EMFILE)):
        source.probe()
    source.close()


def test_certificates_that_cannot_be_opened_for_now_are_no_configuration_error() -> None:
    """Without a free descriptor nothing can be said about a file."""
    with no_descriptors(), pytest.raises(LocalTrouble):
        certificates(None, Outbound())
