"""A transport that asks a simulator in the same process: no sockets, so thousands of requests cost little."""

import httpx

from connector.clock import SYSTEM, Clock
from connector.simulator import Request, Response, Simulator


class Loopback(httpx.BaseTransport):
    """Answers requests with what the simulator would send; a broken ending is a broken connection."""

    def __init__(self, simulator: Simulator, clock: Clock = SYSTEM) -> None:
        self._simulator = simulator
        self._clock = clock

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer; raise what a client sees if a response does not end properly."""
        answer = self._simulator.handle(
            Request(
                method=request.method,
                path=request.url.path,
                params=dict(request.url.params),
                headers={name.lower(): value for name, value in request.headers.items()},
                origin=f"{request.url.scheme}://{request.url.netloc.decode()}",
            )
        )
        if answer.ending == "hang" or answer.delay:
            self._delay(answer, request.extensions["timeout"]["read"])
        if answer.ending != "complete":
            raise httpx.ReadError(answer.ending)
        return httpx.Response(answer.status, headers=dict(answer.headers), stream=httpx.ByteStream(answer.body))

    def _delay(self, answer: Response, patience: float) -> None:
        hangs = answer.ending == "hang" or answer.delay >= patience
        self._clock.wait(patience if hangs else answer.delay)
        if hangs:
            raise httpx.ReadTimeout("the read operation timed out")
