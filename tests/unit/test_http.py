"""HTTP exchanges end in time whatever the peer does, and take the proxy that they should."""

import base64
import contextlib
import gzip
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
import trustme

from connector import http, outbound
from connector.errors import ConfigError, ConnectorError, RegistryUnavailable, SourceUnavailable
from connector.http import Transport
from connector.model import Checkpoint
from connector.outbound import Outbound, Proxy
from connector.registry import Registry
from connector.source import Source
from tests.rawserver import head, serving
from tests.unit.vendors.contentful_answers import contentful

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
START = Checkpoint(stream="blog")


def early_hints(connection: socket.socket) -> None:
    """Answer with one interim response after the other."""
    head(connection)
    while True:
        connection.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
        time.sleep(0.02)


def slow_head(connection: socket.socket) -> None:
    """Send a header that never ends, byte by byte."""
    head(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        connection.sendall(b"x")
        time.sleep(0.02)


def slow_body(connection: socket.socket) -> None:
    """Send a body that never ends, byte by byte."""
    head(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while True:
        connection.sendall(b" ")
        time.sleep(0.02)


def silence(connection: socket.socket) -> None:
    """Take everything, say nothing."""
    while connection.recv(65_536):
        pass


PEERS = [early_hints, slow_head, slow_body, silence]


@pytest.mark.parametrize("peer", PEERS)
def test_a_peer_that_never_ends_is_given_up_in_time(peer: Callable[[socket.socket], None]) -> None:
    """The time of the whole exchange counts, however often the peer sends something: source and registry alike."""
    with serving(peer) as port:
        url = f"http://127.0.0.1:{port}"
        source = Source(contentful(base_url=url), timeout=0.1)
        begun = time.monotonic()
        with pytest.raises(SourceUnavailable):
            list(source.walk(START))
        source.close()
        registry = Registry(url, timeout=0.4)
        with pytest.raises(RegistryUnavailable):
            registry.schema(1)
        registry.close()
        assert time.monotonic() - begun < 3


def test_a_handshake_that_never_ends_is_given_up_in_time() -> None:
    """TLS is part of the exchange."""
    with serving(silence) as port, httpx.Client(transport=Transport(0.3)) as client:
        begun = time.monotonic()
        with pytest.raises(httpx.TimeoutException):
            client.get(f"https://127.0.0.1:{port}/", timeout=60)
        assert time.monotonic() - begun < 3


def test_a_request_under_way_can_be_seen() -> None:
    """Since when the source waits for an answer; between requests for none."""
    asked, answer = threading.Event(), threading.Event()

    def hold(connection: socket.socket) -> None:
        head(connection)
        asked.set()
        answer.wait(10)
        connection.sendall(OK)

    with serving(hold) as port:
        source = Source(contentful(base_url=f"http://127.0.0.1:{port}"), timeout=10)
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
    """Return whether a request is under way."""
    return source.waiting_since is not None


def probe(source: Source) -> None:
    """Ask once; whatever comes of it."""
    with contextlib.suppress(ConnectorError):
        source.probe()


PAGE = b'{"items":[],"nextSyncUrl":"https://x/?sync_token=t"}'


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(PAGE[:20]) + gzip.compress(PAGE[20:])),
        ("x-gzip", gzip.compress(PAGE)),
        ("X-GZIP", gzip.compress(b"\xef\xbb\xbf" + PAGE)),
        ("identity", b"\xef\xbb\xbf" + PAGE),
        ("gzip", gzip.compress(b"") + gzip.compress(PAGE)),
    ],
    ids=["two members", "x-gzip", "mark in gzip", "mark", "empty member"],
)
def test_what_gateways_make_of_a_body_is_read(encoding: str, body: bytes) -> None:
    """Several members, the old name of gzip, a byte order mark before the JSON."""
    headers = f"HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\nContent-Length: {len(body)}\r\n\r\n".encode()

    def serve(connection: socket.socket) -> None:
        head(connection)
        connection.sendall(headers + body)

    with serving(serve) as port:
        source = Source(contentful(base_url=f"http://127.0.0.1:{port}"))
        (page,) = source.walk(START)
        source.close()
    assert page.checkpoint.cursor == "t"


def test_members_are_bounded_together() -> None:
    """Many small members are no way around max_response_bytes."""
    body = gzip.compress(b" " * 60_000) * 5

    def serve(connection: socket.socket) -> None:
        head(connection)
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        )

    with serving(serve) as port:
        source = Source(contentful(base_url=f"http://127.0.0.1:{port}"), max_response_bytes=100_000)
        with pytest.raises(SourceUnavailable, match="max_response_bytes"):
            list(source.walk(START))
        source.close()


@pytest.mark.parametrize(
    ("environ", "url", "proxy"),
    [
        ({"HTTPS_PROXY": "http://p:1"}, "https://cdn.contentful.com", "http://p:1"),
        ({"https_proxy": "p:1", "HTTPS_PROXY": "http://other:2"}, "https://cdn.contentful.com", "http://p:1"),
        ({"ALL_PROXY": "http://p:1/"}, "https://cdn.contentful.com", "http://p:1"),
        ({"HTTP_PROXY": "http://p:1"}, "https://cdn.contentful.com", None),
        ({"HTTP_PROXY": "http://p:1"}, "http://cms.internal", "http://p:1"),
        ({"HTTP_PROXY": "http://p:1"}, "http://127.0.0.1:8080", None),
        ({"ALL_PROXY": "http://p:1"}, "http://[::1]:8080", None),
        ({"ALL_PROXY": "http://p:1"}, "http://localhost:8080", None),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "*"}, "https://cdn.contentful.com", None),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "contentful.com"}, "https://cdn.contentful.com", None),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": ".contentful.com"}, "https://cdn.contentful.com", None),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "*.contentful.com"}, "https://cdn.contentful.com", None),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "tentful.com"}, "https://cdn.contentful.com", "http://p:1"),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "contentful.com:8443"}, "https://cdn.contentful.com", "http://p:1"),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "contentful.com:443"}, "https://cdn.contentful.com", None),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "fe80::/10,10.0.0.0/8"}, "https://[fe80::1]", None),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "fe80::/10, 10.0.0.0/8"}, "https://10.1.2.3", None),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "[fe80::1]:443"}, "https://[fe80::1]", None),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "[::1],10.1.2.3,,%$"}, "https://cms.internal", "http://p:1"),
    ],
)
def test_the_environment_chooses_the_proxy(environ: dict[str, str], url: str, proxy: str | None) -> None:
    """As operators write it: by scheme, names and their domains, addresses, networks, ports; loopback never."""
    found, problems = outbound.read(environ)
    chosen = found.proxy_for(url)
    assert problems == []
    assert (chosen and chosen.url) == (proxy and f"{proxy}")


@pytest.mark.parametrize(
    "environ",
    [
        {"ALL_PROXY": "socks5h://p:1080"},
        {"HTTPS_PROXY": "ftp://p"},
        {"https_proxy": "http://p:notaport"},
        {"HTTP_PROXY": "http://"},
        {"SSL_CERT_FILE": "/nowhere/ca.pem"},
        {"SSL_CERT_DIR": "/nowhere"},
    ],
)
def test_a_variable_that_cannot_be_used_is_named(environ: dict[str, str]) -> None:
    """One line that begins with the variable's name."""
    (name,) = environ
    _, (problem,) = outbound.read(environ)
    assert problem.startswith(f"{name}: ")


def test_credentials_of_a_proxy_are_not_shown() -> None:
    """Neither in its URL nor in its repr; what headers make of them is known to be a secret."""
    found, _ = outbound.read({"ALL_PROXY": "http://me:p%40ss@proxy.example:3128"})
    (proxy,) = found.proxies.values()
    assert (proxy.url, proxy.user, proxy.password) == ("http://proxy.example:3128", "me", "p@ss")
    assert "p@ss" not in repr(found)
    assert set(outbound.secrets(found.proxies)) == {"p@ss", base64.b64encode(b"me:p@ss").decode()}


@pytest.mark.parametrize("content", [b"", b"no certificate"])
def test_certificates_that_cannot_be_read_are_a_mistake(tmp_path: Path, content: bytes) -> None:
    """Of the configuration or the environment: named, and no traceback."""
    file = tmp_path / "ca.pem"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match="ca ="):
        http.certificates(file, Outbound())
    with pytest.raises(ConfigError, match="SSL_CERT_FILE"):
        http.certificates(None, Outbound(ca_file=file))


class Tunnel:
    """A proxy that speaks CONNECT, with or without credentials, and remembers what it was asked."""

    def __init__(self, target: int, *, password: str = "") -> None:
        self.asked: list[bytes] = []
        self._target = target
        self._password = password

    def __call__(self, connection: socket.socket) -> None:
        """Serve a connection."""
        asked = head(connection)
        self.asked.append(asked)
        wanted = base64.b64encode(f"me:{self._password}".encode())
        if self._password and wanted not in asked:
            connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            return
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with socket.create_connection(("127.0.0.1", self._target)) as beyond:
            back = threading.Thread(target=pump, args=(beyond, connection), daemon=True)
            back.start()
            pump(connection, beyond)
            back.join(5)


def pump(one: socket.socket, other: socket.socket) -> None:
    """Pass on everything, until either end is gone."""
    with contextlib.suppress(OSError):
        while chunk := one.recv(65_536):
            other.sendall(chunk)
        other.shutdown(socket.SHUT_WR)


@pytest.fixture
def cms() -> Iterator[tuple[int, ssl.SSLContext]]:
    """Give the port of an https server of cms.example, and a context that believes it."""
    authority = trustme.CA()
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("cms.example").configure_cert(server)
    authority.configure_trust(client)

    def serve(connection: socket.socket) -> None:
        with server.wrap_socket(connection, server_side=True) as encrypted:
            head(encrypted)
            encrypted.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(PAGE) + PAGE)

    with serving(serve) as port:
        yield port, client


@pytest.mark.parametrize("password", ["", "p@ss"])
def test_a_page_comes_through_a_proxy(cms: tuple[int, ssl.SSLContext], password: str) -> None:
    """TLS goes through the tunnel to the CMS itself: the proxy sees a host's name, and no credential of the CMS."""
    port, context = cms
    tunnel = Tunnel(port, password=password)
    with serving(tunnel) as at:
        proxy = Proxy("HTTPS_PROXY", f"http://127.0.0.1:{at}", "me" if password else "", password)
        source = Source(contentful(base_url="https://cms.example"), proxy=proxy, context=context)
        (page,) = source.walk(START)
        source.close()
    assert page.checkpoint.cursor == "t"
    (asked,) = tunnel.asked
    assert asked.startswith(b"CONNECT cms.example:443 ")
    assert b"Bearer" not in asked


def test_a_proxy_that_refuses_is_named(cms: tuple[int, ssl.SSLContext]) -> None:
    """By its URL and the variable it comes from, never with its credentials."""
    port, context = cms
    with serving(Tunnel(port, password="right")) as at:
        proxy = Proxy("the environment variable HTTPS_PROXY", f"http://127.0.0.1:{at}", "me", "wrong-secret")
        source = Source(contentful(base_url="https://cms.example"), proxy=proxy, context=context)
        with pytest.raises(SourceUnavailable, match="407") as caught:
            list(source.walk(START))
        source.close()
    assert f"127.0.0.1:{at}" in str(caught.value)
    assert "HTTPS_PROXY" in str(caught.value)
    assert "wrong-secret" not in str(caught.value)


def test_a_proxy_that_hangs_is_given_up_in_time() -> None:
    """It is part of the exchange, and named."""
    with serving(silence) as at:
        proxy = Proxy("HTTPS_PROXY", f"http://127.0.0.1:{at}")
        source = Source(contentful(base_url="https://cms.example"), proxy=proxy, timeout=0.1)
        with pytest.raises(SourceUnavailable, match="HTTPS_PROXY"):
            list(source.walk(START))
        source.close()
