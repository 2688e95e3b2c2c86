"""Requests through a real proxy: tunnels, credentials, refusals, and what errors name."""

import base64
import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterator

import pytest
import trustme

from connector.clock import SYSTEM
from connector.cms.http import Pool
from connector.cms.outbound import Proxy
from connector.cms.source import Source
from connector.errors import ConnectorError, SourceUnavailable
from connector.kafka.registry import Registry
from connector.model.checkpoint import Position
from connector.model.page import SyncPage
from tests.rawserver import Serve, endless, head, serving, silence
from tests.unit.vendors.contentful_answers import contentful

PAGE = b'{"items":[],"nextSyncUrl":"https://x/?sync_token=t"}'
START = Position()


class Tunnel:
    """A proxy that speaks CONNECT, with or without credentials, and remembers its requests."""

    def __init__(self, target: int, *, password: str = "") -> None:
        self.asked: list[bytes] = []
        self._target = target
        self._password = password

    def __call__(self, connection: socket.socket) -> None:
        """Serve a connection, which ends with this call."""
        with connection:
            self._serve(connection)

    def _serve(self, connection: socket.socket) -> None:
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
    """Forward everything until either end is gone."""
    with contextlib.suppress(OSError):
        while chunk := one.recv(65_536):
            other.sendall(chunk)
        other.shutdown(socket.SHUT_WR)


def encrypted(serve: Serve, context: ssl.SSLContext) -> Serve:
    """Return a handler that serves the same within TLS."""

    def shake(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as within:
            serve(within)

    return shake


@pytest.fixture
def authority() -> trustme.CA:
    """Return a certificate authority that is trusted only on request."""
    return trustme.CA()


@pytest.fixture
def believing(authority: trustme.CA) -> ssl.SSLContext:
    """Return a TLS context that trusts the authority."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.fixture
def cms(authority: trustme.CA) -> Iterator[int]:
    """Yield the port of an https server for cms.example."""

    def serve(connection: socket.socket) -> None:
        head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(PAGE) + PAGE)

    with serving(encrypted(serve, identity(authority, "cms.example"))) as port:
        yield port


def identity(authority: trustme.CA, name: str) -> ssl.SSLContext:
    """Return the TLS context of a server with that name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def read(proxy: Proxy, context: ssl.SSLContext | None, *, timeout: float = 30, **settings: object) -> list[SyncPage]:
    """Return the pages of cms.example, or raise why there are none."""
    settings = {"base_url": "https://cms.example", **settings}
    with contextlib.closing(
        Source(contentful(**settings), clock=SYSTEM, pool=Pool(proxy, context), timeout=timeout)
    ) as source:
        return list(source.walk(START))


@pytest.mark.parametrize("password", ["", "p@ss"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_page_comes_through_a_proxy(
    cms: int, authority: trustme.CA, believing: ssl.SSLContext, scheme: str, password: str
) -> None:
    """TLS goes through the tunnel to the CMS itself: the proxy sees the host's name, and none of its credentials."""
    tunnel = Tunnel(cms, password=password)
    within_tls = encrypted(tunnel, identity(authority, "127.0.0.1"))
    with serving(within_tls if scheme == "https" else tunnel) as at:
        proxy = Proxy("HTTPS_PROXY", f"{scheme}://127.0.0.1:{at}", "me" if password else "", password)
        (page,) = read(proxy, believing)
    assert page.position.cursor == "t"
    (asked,) = tunnel.asked
    assert asked.startswith(b"CONNECT cms.example:443 ")
    assert b"Bearer" not in asked


def test_a_proxy_that_refuses_is_named(cms: int, believing: ssl.SSLContext) -> None:
    """With its URL and the variable it comes from, never with its credentials."""
    with serving(Tunnel(cms, password="right")) as at:
        proxy = Proxy("the environment variable HTTPS_PROXY", f"http://127.0.0.1:{at}", "me", "wrong-secret")
        with pytest.raises(SourceUnavailable, match="407") as caught:
            read(proxy, believing)
    assert f"by the proxy http://127.0.0.1:{at} from the environment variable HTTPS_PROXY" in str(caught.value)
    assert "credentials" in caught.value.hint
    assert "wrong-secret" not in str(caught.value) + caught.value.hint


@pytest.mark.parametrize("known", ["the proxy's", "the CMS's"])
def test_neither_the_proxy_nor_the_cms_can_be_anybody(
    cms: int, authority: trustme.CA, believing: ssl.SSLContext, known: str
) -> None:
    """Both certificates are checked; the hint says how to trust an authority."""
    stranger = identity(trustme.CA(), "127.0.0.1")
    tunnel = Tunnel(cms)
    with serving(encrypted(tunnel, stranger if known == "the CMS's" else identity(authority, "127.0.0.1"))) as at:
        base_url = "https://another.example" if known == "the proxy's" else "https://cms.example"
        with pytest.raises(SourceUnavailable, match="CERTIFICATE_VERIFY_FAILED") as caught:
            read(Proxy("HTTPS_PROXY", f"https://127.0.0.1:{at}"), believing, base_url=base_url)
    assert "SSL_CERT_FILE" in caught.value.hint
    assert len(tunnel.asked) == (known == "the proxy's")


def slow_refusal(connection: socket.socket) -> None:
    """Answer CONNECT with a head that never ends."""
    head(connection)
    connection.sendall(b"HTTP/1.1 200 Connection established\r\nX: ")
    endless(connection, b"x")


def slow_handshake(connection: socket.socket) -> None:
    """Open the tunnel, and send a record of the handshake within it that never ends."""
    head(connection)
    connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
    connection.recv(65_536)
    connection.sendall(b"\x16\x03\x03\x40\x00\x02")
    endless(connection, b"\0")


@pytest.mark.alone
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("hanging", [silence, slow_refusal, slow_handshake])
def test_a_proxy_that_hangs_is_given_up_in_time(
    authority: trustme.CA, believing: ssl.SSLContext, scheme: str, hanging: Serve
) -> None:
    """It is part of the exchange, and named; TLS within its TLS is subject to the same limit."""
    serve = encrypted(hanging, identity(authority, "127.0.0.1")) if scheme == "https" else hanging
    with serving(serve) as at:
        begun = time.monotonic()
        with pytest.raises(SourceUnavailable, match=r"by the proxy .* from HTTPS_PROXY"):
            read(Proxy("HTTPS_PROXY", f"{scheme}://127.0.0.1:{at}"), believing, timeout=0.2)
        assert time.monotonic() - begun < 3


REFUSED = b"HTTP/1.1 %s\r\nContent-Type: text/html\r\nContent-Length: 13\r\n\r\n<html></html>"


@pytest.mark.parametrize("status", [b"403 Forbidden", b"407 Proxy Authentication Required", b"503 No route"])
def test_what_a_proxy_answers_for_an_unencrypted_server_names_the_proxy(status: bytes) -> None:
    """Without TLS it could be either: the CMS or the registry is not blamed alone."""

    def refuse(connection: socket.socket) -> None:
        head(connection)
        connection.sendall(REFUSED % status)

    with serving(refuse) as at:
        proxy = Proxy("HTTP_PROXY", f"http://127.0.0.1:{at}")
        with pytest.raises(ConnectorError) as caught:
            read(proxy, None, base_url="http://cms.example", allow_http=True)
        registry = Registry("http://registry.example:8081", pool=Pool(proxy))
        with contextlib.closing(registry), pytest.raises(ConnectorError) as also:
            registry.subjects()
    for error in (caught.value, also.value):
        assert f"by the proxy http://127.0.0.1:{at} from HTTP_PROXY" in str(error)
        assert status.decode()[:3] in str(error)
