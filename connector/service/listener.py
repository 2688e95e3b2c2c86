"""The operators' port as its peers see it: waitress with deadlines, limits per client, and room reserved for probes.

A peer's mistakes are counted, not logged; a failure of the loop itself never closes the port silently.
"""

import logging
import socket
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import TcpWSGIServer
from waitress.task import ThreadedTaskDispatcher
from waitress.utilities import BadRequest, Error

from connector import logs
from connector.clock import Clock
from connector.errors import SCARCE, starting_threads

REQUEST_SECONDS: Final = 10.0
"""How long a request may take, from its first byte (or from the connection) to its last."""

CONNECTIONS: Final = 256
OF_A_CLIENT: Final = 128

_ANSWER_SECONDS: Final = 30.0
_IDLE_SECONDS: Final = 75.0
_TURN: Final = 1.0
_PAUSE: Final = 0.2
_MOST_OF_AN_ANSWER: Final = 256 * 1024**2
_FAILURES: Final = 10  # of the loop in a row, after which the fault counts as permanent
_LANES: Final = {"/healthz": 1, "/readyz": 1, "/webhooks/": 2, "/": 2}
"""How many threads answer paths with this prefix: a flood of one kind never keeps another waiting."""

_WAITING: Final = 32
"""How many webhooks may wait; further ones are asked to retry, as they would keep out their client's probes."""

# What peers do is not logged: this logger belongs to no tree and writes nowhere.
_SILENT: Final = logging.Logger("peers", logging.CRITICAL + 1)  # noqa: LOG001  as said


class Listener:
    """Serves `application` on `socket`, in its own threads, between `start` and `stop`.

    `refused` is called, from any thread, with the reason why a peer got no proper answer: `malformed`, `too_large`,
    `overdue`, `crowded`, `busy`.
    """

    def __init__(
        self, application: Any, listening: socket.socket, body_bytes: int, clock: Clock, refused: Callable[[str], None]
    ) -> None:
        self._clock = clock
        self._log = logs.get("server")
        self._sockets: dict[int, Any] = {}
        self._lanes = {path: _lane() for path in _LANES}
        with starting_threads():
            for path, threads in _LANES.items():
                self._lanes[path].set_thread_count(threads)
        adjustments = Adjustments(
            sockets=[listening],
            ident=None,
            max_request_body_size=body_bytes,
            # Never through a file: probes must be answered even when the disk is full.
            inbuf_overflow=2 * body_bytes,
            outbuf_overflow=_MOST_OF_AN_ANSWER,
            clear_untrusted_proxy_headers=True,
            log_socket_errors=False,
        )
        self._door = _Door(
            application,
            self._sockets,
            _sock=listening,
            dispatcher=self._lanes["/"],
            adj=adjustments,
            bind_socket=False,
            sockinfo=(listening.family, listening.type, listening.proto, listening.getsockname()),
        )
        self._door.lanes, self._door.clock, self._door.refused = self._lanes, clock, refused
        self.port = int(self._door.effective_port)
        self._thread = threading.Thread(target=self._run, name="server", daemon=True)

    @property
    def alive(self) -> bool:
        """Whether the port is open and its thread answers."""
        return self._thread.is_alive() and self._door in self._sockets.values()

    def start(self) -> None:
        """Start answering."""
        with starting_threads():
            self._thread.start()

    def stop(self) -> None:
        """Finish the answers in progress, close the port, and leave no thread behind."""
        for lane in self._lanes.values():
            lane.shutdown()
        # The loop ends once nothing is open, and only its own thread may close what it polls.
        self._door.trigger.pull_trigger(lambda: wasyncore.close_all(self._sockets))
        self._thread.join()

    def _run(self) -> None:
        failures = 0
        while self._sockets:
            try:
                # Not select: it fails for descriptors from 1024 on.
                wasyncore.poll2(_TURN if self._door.readable() else _PAUSE, self._sockets)
                self._door.look_around()
                failures = 0
            except Exception as error:
                failures += 1
                self._log.error("the port's loop has failed", failures=failures, exc_info=error)
                if failures >= _FAILURES:
                    wasyncore.close_all(self._sockets, ignore_all=True)
                    raise
                self._door.drop_all()
                self._clock.wait(0.1 * failures)


class _Busy(Error):  # type: ignore[misc]  # untyped
    code = 503
    reason = "Service Unavailable"


class _Channel(HTTPChannel):  # type: ignore[misc]  # untyped
    """A connection: `since` is when its current activity began."""

    logger = _SILENT
    request: Any = None
    since = 0.0
    heard = False

    def received(self, data: bytes) -> bool:
        if self.request is None:
            self.since = self.server.clock.monotonic()
        self.heard = True
        try:
            return bool(super().received(data))
        except Exception:  # noqa: BLE001  what the parser fails on is malformed as well
            self._refuse()
            return False

    def _refuse(self) -> None:
        refused = HTTPRequestParser(self.adj)
        refused.error, refused.completed, refused.connection_close = BadRequest("malformed request"), True, True
        with self.requests_lock:
            self.request = None
            self.requests.append(refused)
            first = len(self.requests) == 1
        if first:
            self.server.add_task(self)

    def service(self) -> None:
        super().service()
        self.since = self.server.clock.monotonic()

    @property
    def unfinished(self) -> bool:
        """Whether a request is due: the first of the connection, or the rest of one."""
        return self.request is not None or not self.heard

    def overdue(self, now: float) -> bool:
        """Return whether the peer has had enough time; it is never overdue while we work on an answer."""
        if self.requests:
            return False
        if self.total_outbufs_len:
            return now - self.since > _ANSWER_SECONDS
        return now - self.since > (REQUEST_SECONDS if self.unfinished else _IDLE_SECONDS)

    def handle_error(self) -> None:
        self.server.refused("malformed")
        self.handle_close()


class _Door(TcpWSGIServer):  # type: ignore[misc]  # untyped
    """The listening socket and its connections; everything but `add_task` runs in the loop's thread."""

    logger = _SILENT
    channel_class = _Channel
    lanes: dict[str, ThreadedTaskDispatcher]
    clock: Clock
    refused: Callable[[str], None]
    _full_until = 0.0
    _looked_at = 0.0

    def readable(self) -> bool:
        return self.accepting and self.clock.monotonic() >= self._full_until

    def handle_accept(self) -> None:
        try:
            connection, address = self.socket.accept()
        except OSError as error:
            if error.errno in SCARCE and not self._make_room():
                # Otherwise the loop would spin: the connection stays in the queue.
                self._full_until = self.clock.monotonic() + _PAUSE
            return
        try:
            if not self._admit(address[0]):
                connection.close()
                return
            self.set_socket_options(connection)
            _Channel(self, connection, address, self.adj, map=self._map).since = self.clock.monotonic()
        except OSError:
            # It was reset in the meantime.
            connection.close()

    def add_task(self, task: _Channel) -> None:
        request = task.requests[0]
        if request.error is not None:
            self.refused("too_large" if request.error.code in (413, 431) else "malformed")
        path = getattr(request, "path", "/")
        lane = next((each for each in self.lanes if path.startswith(each)), "/")
        if lane == "/webhooks/" and len(self.lanes[lane].queue) >= _WAITING:
            self.refused("busy")
            request.error, lane = _Busy("too many webhooks at once"), "/"
        self.lanes[lane].add_task(task)

    def look_around(self) -> None:
        """Close what is overdue, once a second."""
        now = self.clock.monotonic()
        if now - self._looked_at < _TURN:
            return
        self._looked_at = now
        for channel in [each for each in self.active_channels.values() if each.overdue(now)]:
            if channel.unfinished:
                self.refused("overdue")
            channel.handle_close()

    def drop_all(self) -> None:
        """Close every connection: one of them may be what makes the loop fail."""
        for channel in list(self.active_channels.values()):
            channel.handle_close()

    def handle_error(self) -> None:
        """Continue: closing the port, as waitress does, would leave the process without one."""
        logs.get("server").error("accepting a connection has failed", exc_info=True)
        self._full_until = self.clock.monotonic() + _PAUSE

    def maintenance(self, now: float) -> None:
        """Leave it to `look_around`."""

    def _admit(self, client: str) -> bool:
        """Return whether there is room for one more connection of `client`, if need be by closing another."""
        taken = sum(channel.addr[0] == client for channel in self.active_channels.values())
        if taken >= OF_A_CLIENT:
            return self._make_room(client)
        return len(self.active_channels) < CONNECTIONS or self._make_room()

    def _make_room(self, client: str | None = None) -> bool:
        """Close the connection waiting longest, of `client` or of whoever holds most; return whether there was one."""
        waiting = [channel for channel in self.active_channels.values() if not channel.requests]
        held = Counter(channel.addr[0] for channel in waiting)
        self.refused("crowded")
        if not held or (client and not held[client]):
            return False
        of_whom = client or held.most_common(1)[0][0]
        min((each for each in waiting if each.addr[0] == of_whom), key=lambda each: each.since).handle_close()
        return True


def _lane() -> ThreadedTaskDispatcher:
    lane = ThreadedTaskDispatcher()
    lane.logger = lane.queue_logger = _SILENT
    return lane
