"""The HTTP server: turns connections into requests, and sends responses as their `ending` says.

It handles sockets itself because faults need them: half bodies, resets, answers that never come.
"""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from connector.simulator.message import Request, Response

Answer = Callable[[Request], Response]


@contextlib.contextmanager
def serving(answer: Answer, host: str, port: int) -> Iterator[int]:
    """Serve `answer` from threads and yield the port (a free one for 0); leaves no thread and no socket behind."""
    server = _Server((host, port), answer)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), name="simulator")
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.stop()
        thread.join()


class _Server(ThreadingHTTPServer):
    # Threads are joined at the end: none outlives the simulator.
    daemon_threads = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], answer: Answer) -> None:
        self.answer = answer
        self.stopping = threading.Event()
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(address, _Handler)

    def stop(self) -> None:
        self.stopping.set()
        self.shutdown()
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        self.server_close()

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def handle(self) -> None:
        # A client that goes away is not our fault.
        with contextlib.suppress(ConnectionError):
            super().handle()

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        request = Request(
            method=self.command,
            path=url.path,
            params=dict(parse_qsl(url.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(int(self.headers.get("Content-Length", 0))),
            origin=f"http://{self.headers.get('Host', '127.0.0.1')}",
        )
        self._send(self.server.answer(request))

    do_POST = do_DELETE = do_PUT = do_GET  # noqa: N815 - the library's names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Stay silent: the simulator keeps its own request log."""

    def _send(self, response: Response) -> None:
        if self.server.stopping.wait(None if response.ending == "hang" else response.delay):
            self.close_connection = True
            return
        if response.ending == "reset":
            self._reset()
            return
        body = response.body
        reason = HTTPStatus(response.status).phrase
        head = [f"HTTP/1.1 {response.status} {reason}", f"Content-Length: {len(body)}"]
        head += [f"{name}: {value}" for name, value in response.headers.items()]
        if response.ending == "truncated":
            body = body[: len(body) // 2]
            self.close_connection = True
        self.wfile.write("\r\n".join((*head, "", "")).encode("latin-1") + body)

    def _reset(self) -> None:
        # Lingering for zero seconds makes the kernel send RST instead of FIN.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.rfile.close()
        self.connection.close()
