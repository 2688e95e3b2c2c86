"""Requests by way of a real proxy: tunnels, credentials, refusals, and who is named when it goes wrong."""

import base64
import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator

import pytest
import trustme

from connector.errors import SourceUnavailable
from connector.model import Checkpoint
from connector.outbound import Proxy
from connector.source import Source
from tests.rawserver import head, serving
from tests.unit.vendors.contentful_answers import contentful

PAGE = b'{"items":[],"nextSyncUrl":"https://x/?sync_token=t"}'
START = Checkpoint(stream="blog")


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


def silence(connection: socket.socket) -> None:
    """Take everything, say nothing."""
    while connection.recv(65_536):
        pass


def test_a_proxy_that_hangs_is_given_up_in_time() -> None:
    """It is part of the exchange, and named."""
    with serving(silence) as at:
        proxy = Proxy("HTTPS_PROXY", f"http://127.0.0.1:{at}")
        source = Source(contentful(base_url="https://cms.example"), proxy=proxy, timeout=0.1)
        with pytest.raises(SourceUnavailable, match="HTTPS_PROXY"):
            list(source.walk(START))
        source.close()
