"""The simulator as its users see it: the operations, and the vendors and the admin API over HTTP."""

import contextlib
import gzip
from collections.abc import Iterator
from typing import Self

import msgspec

from connector.simulator import admin, server
from connector.simulator.front_end import connection
from connector.simulator.message import Request, Response
from connector.simulator.operations import Operations

_COMPRESSED_FROM = 1024


class Simulator(Operations):
    """The operations, and an HTTP server for them and for the vendors; constructed like `Operations`."""

    _base_url: str | None = None

    @contextlib.contextmanager
    def serving(self, host: str = "127.0.0.1", port: int = 0) -> Iterator[Self]:
        """Serve HTTP (on a free port for 0) until the end of the `with` block."""
        with server.serving(self.handle, host, port) as bound:
            self._base_url = f"http://{host}:{bound}"
            try:
                yield self
            finally:
                self._base_url = None

    def url(self, vendor: str | None = None) -> str:
        """Return the `base_url` of a vendor, or of the admin API: they share a port. Only while serving."""
        if vendor is not None:
            self._stage(vendor)
        if self._base_url is None:
            raise RuntimeError("the simulator is not serving")
        return self._base_url

    def connection(self, vendor: str) -> dict[str, str]:
        """Return the configuration of a connection to this simulator; only while serving."""
        return connection(vendor, self.url(vendor))

    def handle(self, request: Request) -> Response:
        """Answer one request as the server does."""
        if request.path.startswith("/_admin/"):
            return admin.answer(self, request)
        return _compressed(self.answer(request), request)


def _compressed(response: Response, request: Request) -> Response:
    """Return `response` compressed with gzip, if the client accepts that and the body is large enough."""
    accepted = "gzip" in request.headers.get("accept-encoding", "")
    if not accepted or len(response.body) < _COMPRESSED_FROM or "Content-Encoding" in response.headers:
        return response
    headers = {**response.headers, "Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
    return msgspec.structs.replace(response, headers=headers, body=gzip.compress(response.body, 1))
