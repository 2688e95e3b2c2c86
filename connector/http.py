"""One HTTP exchange at a time, with an end: whatever the other side does, it is over when its time is.

A time-out of a single read ends nothing for a peer that sends a byte now and then, or one `103 Early Hints` after the
other. So every wait on the network gets what is left of the whole exchange's time, and none begins when nothing is.
"""

import ssl
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import certifi
import httpcore
import httpx

from connector.errors import ConfigError
from connector.outbound import Outbound, Proxy

_NO_TIME: Final = 0.001


class Transport(httpx.BaseTransport):
    """Requests of one client, one at a time, each over after `seconds` from its beginning to the last byte.

    Raises httpx's errors; those of a proxy name it. `proxy` is shown in none of them with its credentials.
    """

    def __init__(self, seconds: float, *, proxy: Proxy | None = None, context: ssl.SSLContext | None = None) -> None:
        self._seconds = seconds
        self._proxy = proxy
        self._backend = _Backend()
        common: dict[str, Any] = {"ssl_context": context or certificates(None, Outbound()), "max_connections": 4}
        if proxy:
            auth = (proxy.user.encode(), proxy.password.encode()) if proxy.user or proxy.password else None
            common |= {"proxy_url": proxy.url, "proxy_auth": auth}
            self._pool: httpcore.ConnectionPool = httpcore.HTTPProxy(**common, network_backend=self._backend)
        else:
            self._pool = httpcore.ConnectionPool(**common, network_backend=self._backend)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; the response's body is still to be read, within the same time."""
        self._backend.ends_at = time.monotonic() + self._seconds
        assert isinstance(request.stream, httpx.SyncByteStream)
        url = request.url
        asked = httpcore.Request(
            method=request.method,
            url=httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        with self._mapped():
            answer = self._pool.handle_request(asked)
        assert isinstance(answer.stream, Iterable)
        body = _Body(answer.stream, self._mapped)
        return httpx.Response(answer.status, headers=answer.headers, stream=body, extensions=answer.extensions)

    def close(self) -> None:
        """Let go of connections; may be repeated."""
        self._pool.close()

    @contextmanager
    def _mapped(self) -> Iterator[None]:
        """Raise httpx's errors in place of those of the layer below it, which has them under the same names."""
        try:
            yield
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, httpcore.ProxyError) as error:
            by = f" (by the proxy {self._proxy.url} from {self._proxy.origin})" if self._proxy else ""
            raised: type[httpx.TransportError] = getattr(httpx, type(error).__name__)
            raise raised(f"{error}{by}") from error
        except (httpcore.ConnectionNotAvailable, httpcore.UnsupportedProtocol) as error:
            raise httpx.ConnectError(str(error)) from error


def certificates(ca: Path | None, outbound: Outbound) -> ssl.SSLContext:
    """Return whose certificates are believed: those in `ca`, else the environment's, else the usual ones.

    Raises `ConfigError` where a file of them cannot be used.
    """
    file, folder = (ca, None) if ca else (outbound.ca_file, outbound.ca_folder)
    usual = Path(certifi.where()) if not (file or folder) else None
    try:
        return ssl.create_default_context(cafile=file or usual, capath=folder)
    except (OSError, ssl.SSLError) as error:
        named = f"ca = {ca}" if ca else f"SSL_CERT_FILE = {file}" if file else f"SSL_CERT_DIR = {folder}"
        raise ConfigError(
            f"{named} holds no PEM certificates that can be read", hint=error.strerror or str(error)
        ) from error


class _Body(httpx.SyncByteStream):
    """A response's body, with the errors of httpx."""

    def __init__(self, stream: Iterable[bytes], mapped: Callable[[], Any]) -> None:
        self._stream = stream
        self._mapped = mapped

    def __iter__(self) -> Iterator[bytes]:
        with self._mapped():
            yield from self._stream

    def close(self) -> None:
        """Give the connection back, or up."""
        if hasattr(self._stream, "close"):
            self._stream.close()


class _Backend(httpcore.NetworkBackend):
    """The real network, as long as there is time: `ends_at` is on the monotonic clock."""

    def __init__(self) -> None:
        self.ends_at = 0.0
        self._network = httpcore.SyncBackend()

    def left(self, timeout: float | None, error: type[httpcore.TimeoutException]) -> float:
        """Return for how long one wait may last; raises `error` where the exchange is over."""
        left = self.ends_at - time.monotonic()
        if left < _NO_TIME:
            raise error("the exchange as a whole took too long")
        return left if timeout is None else min(timeout, left)

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, *args: Any, **more: Any) -> Any:
        """Connect."""
        allowed = self.left(timeout, httpcore.ConnectTimeout)
        return _Stream(self._network.connect_tcp(host, port, allowed, *args, **more), self)


class _Stream(httpcore.NetworkStream):
    """A connection whose every wait is bounded by what is left of the exchange."""

    def __init__(self, stream: httpcore.NetworkStream, backend: _Backend) -> None:
        self._stream = stream
        self._backend = backend

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read what is there, or wait for it."""
        return self._stream.read(max_bytes, self._backend.left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write everything."""
        self._stream.write(buffer, self._backend.left(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """Return the connection, encrypted."""
        left = self._backend.left(timeout, httpcore.ConnectTimeout)
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, left), self._backend)

    def get_extra_info(self, info: str) -> Any:
        """Return what the connection knows of itself."""
        return self._stream.get_extra_info(info)
