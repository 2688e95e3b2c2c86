"""A transport that asks a simulator in the same process: no sockets, so thousands of requests cost little."""

import httpx

from connector.clock import SYSTEM, Clock
from connector.simulator import Request, Simulator


class Loopback(httpx.BaseTransport):
    """Answers requests with what the simulator would send; broken endings are broken connections."""

    def __init__(self, simulator: Simulator, clock: Clock = SYSTEM) -> None:
        self._simulator = simulator
        self._clock = clock

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer; raise what a client sees of a response that does not end well."""
        answer = self._simulator.handle(
            Request(
                method=request.method,
                path=request.url.path,
                params=dict(request.url.params),
                headers={name.lower(): value for name, value in request.headers.items()},
                origin=f"{request.url.scheme}://{request.url.netloc.decode()}",
            )
        )
        if answer.ending == "hang" or answer.delay >= request.extensions["timeout"]["read"]:
            self._clock.wait(request.extensions["timeout"]["read"])
            raise httpx.ReadTimeout("the read operation timed out")
        if answer.delay:
            self._clock.wait(answer.delay)
        if answer.ending != "complete":
            raise httpx.ReadError(answer.ending)
        return httpx.Response(answer.status, headers=dict(answer.headers), stream=httpx.ByteStream(answer.body))
