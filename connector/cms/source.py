"""Source: sends a vendor's requests, bounds and maps what comes back, follows pages. Never retries by itself."""

import codecs
import ssl
import threading
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from typing import Final

import httpx

from connector import __version__
from connector.clock import Clock
from connector.cms import http
from connector.cms.compiled import ReadPage
from connector.cms.lookahead import Ahead, look_ahead
from connector.cms.vendor import Vendor
from connector.errors import (
    CheckpointRejected,
    ConfigError,
    ForeignUrl,
    LocalTrouble,
    PageTooLarge,
    SourceRejected,
    SourceUnavailable,
    StreamStopped,
    WalkBroken,
)
from connector.model.checkpoint import Position
from connector.model.page import CompiledPage, Frame, SyncPage

Transport = httpx.BaseTransport
Observer = Callable[[int, int, float], None]

_TOTAL_TIMEOUTS: Final = 4  # a whole response may take this many times the limit of a single wait
_GZIP: Final = 16 + zlib.MAX_WBITS


def ignore(_items: int, _bytes: int, _seconds: float) -> None:
    """Observe nothing."""


def _nothing() -> None:
    """Leave it at that."""


class Source:
    """Pages of one connection.

    Its connections are those of `pool`; `transport` replaces the network. `stop` ends walks early, at a page boundary;
    `observe` is called for each page. `read` reads the frames of snapshots in place of the vendor. `waiting_since` is
    when the current request began, on the monotonic clock, None between requests.
    """

    def __init__(  # noqa: PLR0913  all but the vendor are keywords
        self,
        vendor: Vendor,
        *,
        clock: Clock,
        timeout: float = 30.0,
        max_response_bytes: int = 64 * 1024 * 1024,
        stop: threading.Event | None = None,
        observe: Observer = ignore,
        transport: Transport | None = None,
        pool: http.Pool | None = None,
        ahead: Ahead = look_ahead,
        read: ReadPage | None = None,
    ) -> None:
        self.vendor = vendor
        self._read = read or vendor.read
        self._clock = clock
        self._timeout = timeout
        self._max_response_bytes = max_response_bytes
        self._stop = stop or threading.Event()
        self._observe = observe
        self._ahead = ahead
        self._origin = httpx.URL(vendor.base_url)
        self._proxy = pool.proxy if pool else None
        self.waiting_since: float | None = None
        # Redirects are refused, not followed: the credential goes to the configured host only.
        self._client = httpx.Client(
            transport=transport or http.Transport(_TOTAL_TIMEOUTS * timeout, pool),
            timeout=timeout,
            follow_redirects=False,
            trust_env=False,
            headers={"User-Agent": f"contentwire/{__version__}", "Accept": "*/*", "Accept-Encoding": "gzip"},
        )

    def walk(self, position: Position) -> Generator[SyncPage]:
        """Yield the pages after `position` until caught up; while one is processed, the next is under way.

        The next request leaves before this page's items are read: a slow API costs no more than its latency.

        Close a walk that you abandon: it reads ahead. It ends early, without a caught-up page, when `stop` is set.
        Raises what `fetch` raises; once the walk has yielded a page, `WalkBroken` in place of `CheckpointRejected` (but
        not of `PageTooLarge`); and `WalkBroken` when a cursor repeats.
        """
        frames = self._ahead(self._frames(position), self._stop, _nothing)
        with closing(frames):
            for frame in frames:
                yield self.vendor.read(frame)

    def snapshot(self, position: Position) -> Generator[SyncPage | CompiledPage]:
        """Yield what `walk` does, read by the compiled core where that is installed and understands the vendor.

        A page is read while the one before it is published: the core works beside Python.
        """
        left = _Either(self._stop)
        frames = self._ahead(self._frames(position), left, _nothing)
        pages = self._ahead(map(self._read, frames), left, frames.close)
        with closing(pages):
            try:
                yield from pages
            finally:
                # Before the thread that reads has noticed: no further request is to be sent.
                left.set()

    def fetch(self, position: Position) -> SyncPage:
        """Return the page after `position`.

        Raises `SourceUnavailable`, `LocalTrouble`, `SourceRejected`, or `CheckpointRejected` once a probe has shown
        that credentials and scope are not the reason.
        """
        return self.vendor.read(self._fetch(position))

    def probe(self) -> None:
        """Return if credentials and scope are right; else raise what is wrong."""
        response = self.send(self.vendor.probe())
        with self.answered():
            self.vendor.check_probe(response)

    def send(self, request: httpx.Request) -> httpx.Response:
        """Return the completely read response.

        Raises `SourceUnavailable` for anything below HTTP, `LocalTrouble` for what this machine lacks.
        """
        url = request.url
        if (url.scheme, url.host, url.port) != (self._origin.scheme, self._origin.host, self._origin.port):
            raise ForeignUrl(f"a request to {url.host} was refused: the credential goes to {self._origin.host} only")
        self.waiting_since = begun_at = self._clock.monotonic()
        try:
            return self._receive(request)
        except httpx.TimeoutException as error:
            raise self._unavailable(f"did not answer within {self._timeout:.0f} s", error) from error
        except httpx.DecodingError as error:
            raise self._unavailable("sent a body that cannot be decompressed", error) from error
        except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, ssl.SSLError) as error:
            raise self._unavailable("could not be reached or broke the connection", error) from error
        except OSError as error:
            raise LocalTrouble.of(error) from error
        except RuntimeError as error:
            if not self._client.is_closed:
                raise
            raise SourceUnavailable(f"{self._origin.host} was not asked: the source is closed") from error
        finally:
            # A request of an abandoned walk must not end the wait of the next one.
            if self.waiting_since == begun_at:
                self.waiting_since = None

    def close(self) -> None:
        """Close all connections. A walk that is still open raises `SourceUnavailable`."""
        self._client.close()

    def _fetch(self, position: Position) -> Frame:
        begun_at = self._clock.monotonic()
        try:
            response = self.send(self.vendor.request(position))
            seconds = self._clock.monotonic() - begun_at
            with self.answered():
                frame = self.vendor.frame(response, position)
        except CheckpointRejected as rejected:
            if rejected.doubtful:
                self.probe()
            raise
        self._observe(len(frame.raws), len(response.content), seconds)
        return frame

    def _receive(self, request: httpx.Request) -> httpx.Response:
        deadline = self._clock.monotonic() + _TOTAL_TIMEOUTS * self._timeout
        streamed = self._client.send(request, stream=True)
        try:
            body = bytearray()
            inflate = _Inflate(streamed.headers.get("content-encoding", ""))
            for chunk in streamed.iter_raw():
                body += inflate(chunk, self._max_response_bytes + 1 - len(body))
                if len(body) > self._max_response_bytes:
                    raise SourceUnavailable(
                        f"{self._origin.host} sent more than max_response_bytes = {self._max_response_bytes}",
                        hint="lower page_size, or raise max_response_bytes for this connection",
                    )
                if self._clock.monotonic() > deadline:
                    raise httpx.ReadTimeout("the body as a whole took too long")
            inflate.end()
        finally:
            streamed.close()
        if body.startswith(codecs.BOM_UTF8):
            del body[: len(codecs.BOM_UTF8)]
        # The body is decoded: the headers about its encoding must not be applied again.
        headers = [(name, value) for name, value in streamed.headers.multi_items() if name not in _TRANSFER_HEADERS]
        return httpx.Response(streamed.status_code, headers=headers, content=bytes(body), request=request)

    def _unavailable(self, what: str, error: Exception) -> SourceUnavailable:
        # The text of transport errors names hosts and ports, never headers or queries.
        return SourceUnavailable(
            f"{self._origin.host} {what}: {type(error).__name__}: {error}",
            hint=http.advice(
                error, f"check {'the proxy, ' if self._proxy else ''}base_url, the network and the vendor's status page"
            ),
        )

    @contextmanager
    def answered(self) -> Iterator[None]:
        """Name the proxy in an error about an answer that the proxy may have given itself."""
        try:
            yield
        except (SourceUnavailable, SourceRejected) as error:
            if self._proxy and self._origin.scheme == "http":
                error.args = (f"{error} (by {self._proxy})",)
            raise

    def _frames(self, position: Position) -> Iterator[Frame]:
        """Yield the frames of a walk, each on demand."""
        seen = {position.cursor}
        first = True
        while True:
            try:
                frame = self._fetch(position)
            except CheckpointRejected as rejected:
                # A page that is too large stays so: walking again would not help.
                if first or isinstance(rejected, PageTooLarge):
                    raise
                raise WalkBroken(f"refused midway: {rejected}", hint=rejected.hint) from rejected
            yield frame
            if frame.caught_up:
                return
            if frame.position.cursor in seen:
                raise WalkBroken("the API returned the same page cursor twice within one walk")
            seen.add(frame.position.cursor)
            position, first = frame.position, False


class _Either(threading.Event):
    """Set by itself, or with another event."""

    def __init__(self, other: threading.Event) -> None:
        super().__init__()
        self._other = other

    def is_set(self) -> bool:
        """Return whether one of both is set."""
        return super().is_set() or self._other.is_set()


_TRANSFER_HEADERS: Final = {"content-encoding", "content-length", "transfer-encoding"}


class Unopened:
    """Stands in for a source that cannot be opened: a certificate file, or a proxy's secret, is missing or wrong.

    The stream still recovers and obeys commands; a walk raises the reason, which stops the stream.
    """

    waiting_since: None = None

    def __init__(self, vendor: Vendor, error: ConfigError) -> None:
        self.vendor = vendor
        self._error = error

    def walk(self, _position: Position) -> Generator[SyncPage]:
        """Raise `StreamStopped`."""
        raise StreamStopped(str(self._error), hint=self._error.hint) from self._error

    snapshot = walk

    def close(self) -> None:
        """Do nothing: nothing is open."""


class _Inflate:
    """Decompresses a body piece by piece, never to more than was asked for: a few bytes can stand for gigabytes.

    Raises `httpx.DecodingError` for a body that is incomplete, or compressed in a way we did not offer.
    """

    def __init__(self, encoding: str) -> None:
        if encoding.strip().lower() not in ("", "identity", "gzip", "x-gzip"):
            raise httpx.DecodingError("compressed by something other than gzip")
        self._gzip = zlib.decompressobj(_GZIP) if "gzip" in encoding.lower() else None
        self._begun = False

    def __call__(self, chunk: bytes, limit: int) -> bytes:
        if self._gzip is None:
            return chunk
        found = b""
        self._begun = self._begun or bool(chunk)
        try:
            while chunk and len(found) < limit:
                if self._gzip.eof:
                    # A gzip file may have several members (RFC 1952), and zeros as padding.
                    chunk = chunk.lstrip(b"\0")
                    if not chunk:
                        break
                    self._gzip = zlib.decompressobj(_GZIP)
                found += self._gzip.decompress(chunk, limit - len(found))
                chunk = self._gzip.unused_data
        except zlib.error as error:
            raise httpx.DecodingError(str(error)) from error
        return found

    def end(self) -> None:
        """Check that the stream was complete; an empty body is."""
        if self._gzip and self._begun and not self._gzip.eof:
            raise httpx.DecodingError("the compressed body is incomplete")
