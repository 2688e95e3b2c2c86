"""One HTTP exchange at a time, each with a deadline that nothing the other side does can extend."""

import os
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeGuard

import certifi
import httpcore
import httpx

from connector.cms.network import Exchange, Network
from connector.cms.outbound import Outbound, Proxy
from connector.errors import SCARCE, ConfigError, ConnectorError, LocalTrouble

_MAX_IDLE_SECONDS: Final = 90.0


class Pool:
    """Connections that any number of transports use in turn, through `proxy`, trusting the certificates in `context`.

    They are closed when the last of the transports is.
    """

    def __init__(self, proxy: Proxy | None = None, context: ssl.SSLContext | None = None) -> None:
        self.proxy = proxy
        self.network = Network()
        self._lock = threading.Lock()
        self._users = 0
        context = context or certificates(None, Outbound())
        common: dict[str, Any] = {"ssl_context": context, "network_backend": self.network, "max_connections": None}
        # By their age alone: httpcore counts busy connections among the idle ones, and would close most after each use.
        common |= {"max_keepalive_connections": None, "keepalive_expiry": _MAX_IDLE_SECONDS}
        if proxy:
            auth = (proxy.user.encode(), proxy.password.encode()) if proxy.user or proxy.password else None
            common |= {"proxy_url": proxy.url, "proxy_auth": auth}
            common |= {"proxy_ssl_context": context} if proxy.url.startswith("https:") else {}
            self._connections: httpcore.ConnectionPool = httpcore.HTTPProxy(**common)
        else:
            self._connections = httpcore.ConnectionPool(**common)

    def enter(self) -> None:
        """Note another user."""
        with self._lock:
            self._users += 1

    def leave(self) -> None:
        """Note that a user has left."""
        with self._lock:
            self._users -= 1
            if not self._users:
                self._connections.close()

    def send(self, request: httpcore.Request) -> httpcore.Response:
        """Send a request; the exchange was passed to `network` in this thread. Raises httpcore's errors."""
        return self._connections.handle_request(request)


class Transport(httpx.BaseTransport):
    """Sends one client's requests, one at a time per thread, each within `seconds` from its start to the last byte.

    The thread that sent a request MUST read its response. Without `pool` it has connections of its own. Raises httpx's
    errors, which name the proxy without its credentials, and `LocalTrouble` if this machine lacks what a connection
    needs.
    """

    def __init__(self, seconds: float, pool: Pool | None = None) -> None:
        self._seconds = seconds
        self._pool = pool or Pool()
        self._by = f" (by {self._pool.proxy})" if self._pool.proxy else ""
        self._lock = threading.Lock()
        self._closed = False
        self._open: set[Exchange] = set()
        self._pool.enter()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; the response's body is yet to be read, within the same time."""
        assert isinstance(request.stream, httpx.SyncByteStream)
        url = request.url
        asked = httpcore.Request(
            method=request.method,
            url=httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        exchange = self._begin()
        try:
            with self._mapped():
                answer = self._pool.send(asked)
        except BaseException:
            self._open.discard(exchange)
            raise
        assert isinstance(answer.stream, Iterable)
        body = _Body(answer.stream, self._mapped, partial(self._open.discard, exchange))
        if self._by and answer.status == httpx.codes.PROXY_AUTHENTICATION_REQUIRED:
            body.close()
            raise httpx.ProxyError(f"{answer.status} Proxy Authentication Required{self._by}")
        return httpx.Response(answer.status, headers=answer.headers, stream=body, extensions=answer.extensions)

    def close(self) -> None:
        """Send nothing any more: another thread's request in progress ends now. May be repeated."""
        with self._lock:
            again, self._closed = self._closed, True
            under_way = [*self._open]
        for exchange in under_way:
            exchange.end()
        if not again:
            self._pool.leave()

    def _begin(self) -> Exchange:
        exchange = Exchange(self._seconds)
        with self._lock:
            if self._closed:
                raise httpx.NetworkError("closed in the meantime")
            self._open.add(exchange)
        self._pool.network.begin(exchange)
        return exchange

    @contextmanager
    def _mapped(self) -> Iterator[None]:
        """Raise httpx's errors in place of httpcore's, which have the same names."""
        try:
            yield
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, httpcore.ProxyError) as error:
            for cause in _causes(error):
                if _scarce(cause):
                    raise LocalTrouble.of(cause) from error
            raised: type[httpx.TransportError] = getattr(httpx, type(error).__name__)
            raise raised(f"{error}{self._by}") from error
        except (httpcore.ConnectionNotAvailable, httpcore.UnsupportedProtocol) as error:
            raise httpx.ConnectError(str(error)) from error


def certificates(ca: Path | None, outbound: Outbound) -> ssl.SSLContext:
    """Return which certificates are trusted: those in `ca`, else the environment's, else the usual ones.

    Raises `ConfigError`, beginning with the name of the setting or variable, if they cannot be used.
    """
    name, file, folders = ("ca", ca, "") if ca else ("SSL_CERT_FILE", outbound.ca_file, outbound.ca_folders)
    try:
        for folder in filter(None, folders.split(os.pathsep)):
            # OpenSSL does not look for a folder until it needs one.
            any(Path(folder).iterdir())
    except OSError as error:
        raise _unusable("SSL_CERT_DIR", error) from error
    try:
        return ssl.create_default_context(cafile=file or (None if folders else certifi.where()), capath=folders or None)
    except OSError as error:
        # Where certifi's are takes an open file to find out, which may be what is missing.
        raise _unusable(f"{name}: {file or 'the certificates that come with certifi'}", error) from error


def advice(error: BaseException, otherwise: str) -> str:
    """Return what to do about a failed request: what its error suggests, else `otherwise`."""
    if isinstance(error, httpx.ProxyError):
        return "check the proxy, and the credentials in its URL"
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in _causes(error)):
        return (
            "something in between may present its own certificate: name its authority with ca, SSL_CERT_FILE or "
            "SSL_CERT_DIR; otherwise the server's certificate has expired or belongs to another host"
        )
    return otherwise


class _Body(httpx.SyncByteStream):
    """A response's body that raises httpx's errors; `done` is called when it is closed."""

    def __init__(self, stream: Iterable[bytes], mapped: Callable[[], Any], done: Callable[[], None]) -> None:
        self._stream = stream
        self._mapped = mapped
        self._done = done

    def __iter__(self) -> Iterator[bytes]:
        with self._mapped():
            yield from self._stream

    def close(self) -> None:
        """Return the connection to the pool, or close it."""
        try:
            if hasattr(self._stream, "close"):
                self._stream.close()
        finally:
            self._done()


def _causes(error: BaseException) -> Iterator[BaseException]:
    found: BaseException | None = error
    while found:
        yield found
        # httpcore's pool raises "from None", which hides the cause but keeps it as the context.
        found = found.__cause__ or found.__context__


def _unusable(named: str, error: OSError) -> ConnectorError:
    if _scarce(error):
        return LocalTrouble.of(error)
    where = f": {error.filename}" if error.filename else ""
    return ConfigError(
        f"{named}{where} holds no readable certificates: {error.strerror or error}",
        hint="name a file of PEM certificates (ca, SSL_CERT_FILE), or a folder of them (SSL_CERT_DIR)",
    )


def _scarce(error: BaseException) -> TypeGuard[OSError]:
    """Return whether an error says that this machine has run out of something."""
    # The numbers of TLS errors mean something else.
    return isinstance(error, OSError) and not isinstance(error, ssl.SSLError) and error.errno in SCARCE
