"""Connections whose every wait ends with the time of the whole exchange: host look-up, TLS, each read and write.

A time-out on single reads never fires if the peer sends a byte now and then, or one `103 Early Hints` after another.
So every wait gets what is left of the exchange's time, and none begins when nothing is left.
"""

import contextlib
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

import httpcore

from connector.errors import starting_threads

_SHORTEST_WAIT: Final = 0.001
_MAX_ADDRESSES: Final = 8  # of one host, at most, are tried
_CHUNK: Final = 16 * 1024
_PIECE: Final = 256 * 1024

T = TypeVar("T")


class Exchange:
    """One request and its response, all in one thread. `end` is safe from any other."""

    def __init__(self, seconds: float) -> None:
        self._ends_at = time.monotonic() + seconds
        self._lock = threading.Lock()
        self._ended = False
        self._waits_on: _Stream | None = None

    def left(self, timeout: float | None, error: type[httpcore.TimeoutException], *, among: int = 1) -> float:
        """Return how long one of `among` waits may last; raises `error` if the time is up."""
        self._check()
        left = (self._ends_at - time.monotonic()) / among
        if left < _SHORTEST_WAIT:
            raise error("the exchange as a whole took too long")
        return left if timeout is None else min(timeout, left)

    @contextlib.contextmanager
    def waiting_on(self, stream: "_Stream") -> Iterator[None]:
        """Let `end` break the connection for as long as this lasts; raises httpcore's `NetworkError` once it has."""
        with self._lock:
            self._check()
            self._waits_on = stream
        try:
            yield
        finally:
            with self._lock:
                self._waits_on = None
        # What a broken connection gave may look like the end of a body.
        self._check()

    def end(self) -> None:
        """Let no other wait begin, and the present one end at once if it is for a peer that has been connected to."""
        # Under the lock: a moment later the connection may be another exchange's.
        with self._lock:
            self._ended = True
            if self._waits_on:
                self._waits_on.shut()

    def _check(self) -> None:
        if self._ended:
            raise httpcore.NetworkError("closed in the meantime")


class Network(httpcore.NetworkBackend):
    """The real network. A thread's waits are those of the exchange that it passed to `begin`. Raises httpcore's errors.

    Connections may be used by one thread after the other.
    """

    def __init__(self) -> None:
        self._threads = threading.local()
        self._sockets = httpcore.SyncBackend()
        self._lock = threading.Lock()
        self._look_up: _LookUp | None = None

    def begin(self, exchange: Exchange) -> None:
        """Let the calling thread's waits be those of `exchange`."""
        self._threads.exchange = exchange

    @property
    def exchange(self) -> Exchange:
        """The calling thread's exchange."""
        found: Exchange = self._threads.exchange
        return found

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, *args: Any, **more: Any) -> Any:
        """Connect to the first reachable address of a host; each gets its share of the time."""
        addresses = self._addresses(host, port, timeout)
        failed: httpcore.NetworkError | httpcore.TimeoutException = httpcore.ConnectError("the host has no address")
        for tried, address in enumerate(addresses):
            allowed = self.exchange.left(timeout, httpcore.ConnectTimeout, among=len(addresses) - tried)
            try:
                return _Stream(self._sockets.connect_tcp(address, port, allowed, *args, **more), self)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
        raise failed

    def _addresses(self, host: str, port: int, timeout: float | None) -> list[str]:
        with contextlib.suppress(ValueError):
            return [str(ipaddress.ip_address(host))]
        with self._lock:
            look_up = self._look_up
            # Wait again for a look-up that hangs: a new one for each try would take a thread each.
            if look_up is None or look_up.asked != (host, port) or look_up.done.is_set():
                look_up = self._look_up = _LookUp(host, port)
        if not look_up.done.wait(self.exchange.left(timeout, httpcore.ConnectTimeout)):
            raise httpcore.ConnectTimeout("looking up the host's address took too long")
        return look_up.addresses()


class _LookUp:
    """A look-up of a host's addresses in a separate thread: nothing ends it before the system's resolver does."""

    def __init__(self, host: str, port: int) -> None:
        self.asked = host, port
        self.done = threading.Event()
        self._found: list[str] = []
        self._error: Exception | None = None
        with starting_threads():
            threading.Thread(target=self._run, daemon=True, name="look-up").start()

    def addresses(self) -> list[str]:
        """Return what was found."""
        try:
            if self._error:
                raise self._error
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(str(error)) from error
        return self._found

    def _run(self) -> None:
        try:
            self._found = list(_found(*self.asked))[:_MAX_ADDRESSES]
        # A name that does not fit DNS labels raises `UnicodeError`.
        except (OSError, UnicodeError) as error:
            self._error = error
        finally:
            self.done.set()


class _Stream(httpcore.NetworkStream):
    """A connection whose every wait is bounded by what is left of the exchange's time."""

    def __init__(self, stream: httpcore.NetworkStream, network: Network) -> None:
        self._stream = stream
        self._network = network

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read what has arrived, or wait for it; more than asked for, as it costs by the piece."""
        exchange = self._network.exchange
        with exchange.waiting_on(self):
            return self._stream.read(max(max_bytes, _PIECE), exchange.left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write everything."""
        exchange = self._network.exchange
        with exchange.waiting_on(self):
            for at in range(0, len(buffer), _CHUNK):
                self._stream.write(buffer[at : at + _CHUNK], exchange.left(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        """Close the connection."""
        self.shut()
        self._stream.close()

    def shut(self) -> None:
        """Break the connection: a thread that waits on it notices at once."""
        with contextlib.suppress(OSError):
            # Not the TLS socket's own method, which breaks a thread that is reading.
            socket.socket.shutdown(self._stream.get_extra_info("socket"), socket.SHUT_RDWR)

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """Return the connection, encrypted."""
        if self._stream.get_extra_info("ssl_object") is not None:
            return _Nested(self, ssl_context, server_hostname, timeout)
        exchange = self._network.exchange
        try:
            with exchange.waiting_on(self):
                left = exchange.left(timeout, httpcore.ConnectTimeout)
                return _Stream(self._stream.start_tls(ssl_context, server_hostname, left), self._network)
        except BaseException:
            self.close()
            raise

    def get_extra_info(self, info: str) -> Any:
        """Return a fact about the connection."""
        return self._stream.get_extra_info(info)


class _Nested(httpcore.NetworkStream):
    """TLS within TLS, as to a CMS through an https proxy: a socket handles only one layer."""

    def __init__(self, stream: _Stream, context: ssl.SSLContext, hostname: str | None, timeout: float | None) -> None:
        self._stream = stream
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=hostname)
        try:
            self._drive(self._tls.do_handshake, timeout, httpcore.ConnectError)
        except BaseException:
            self.close()
            raise

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read what has arrived, or wait for it."""
        try:
            return self._drive(lambda: self._tls.read(max_bytes), timeout, httpcore.ReadError)
        except httpcore.ReadError as error:
            if isinstance(error.__cause__, ssl.SSLZeroReturnError | ssl.SSLEOFError):
                return b""
            raise

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write everything."""
        while buffer:
            written = self._drive(lambda: self._tls.write(buffer), timeout, httpcore.WriteError)  # noqa: B023  at once
            buffer = buffer[written:]

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()

    def get_extra_info(self, info: str) -> Any:
        """Return a fact about the connection."""
        return self._tls if info == "ssl_object" else self._stream.get_extra_info(info)

    def _drive(self, step: Callable[[], T], timeout: float | None, error: type[httpcore.NetworkError]) -> T:
        """Return what `step` returns once the connection beneath has carried the bytes it needs."""
        while True:
            try:
                found = step()
            except ssl.SSLWantReadError:
                self._flush(timeout)
                if chunk := self._stream.read(_CHUNK, timeout):
                    self._incoming.write(chunk)
                else:
                    self._incoming.write_eof()
            except ssl.SSLError as failed:
                raise error(str(failed)) from failed
            else:
                self._flush(timeout)
                return found

    def _flush(self, timeout: float | None) -> None:
        self._stream.write(self._outgoing.read(), timeout)


def _found(host: str, port: int) -> Iterator[str]:
    try:
        answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        # Without a free descriptor no name resolves, and the resolver says so in many ways: this says it in one.
        socket.socket().close()
        raise
    for family, _, _, _, address in answers:
        scope = address[3] if family == socket.AF_INET6 and len(address) > 3 else 0  # noqa: PLR2004  the scope's place
        yield f"{address[0]}%{scope}" if scope else str(address[0])
