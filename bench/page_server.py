"""A static page server in a separate process; it does as little per request as possible, so as not to be a bottleneck.

The environment in a request's path selects the walk: `<pages>-<milliseconds>` serves that many of the pages, each after
that delay. After the walk, every delta is empty.
"""

import contextlib
import re
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import canned

PER_PAGE = 1000

_TARGET = re.compile(rb"GET (/spaces/bench/environments/(\d+)-(\d+)/sync)\?(?:\S*&)?(?:sync_token=(\d+)|initial=true)")


@contextlib.contextmanager
def serve(count: int) -> Iterator[str]:
    """Yield the origin of a server of `count` items."""
    with hold(count) as (origin, release):
        release()
        yield origin


@contextlib.contextmanager
def hold(count: int) -> Iterator[tuple[str, Callable[[], None]]]:
    """Yield the origin of a server of `count` items that answers nothing yet, and what lets it answer."""
    command = [sys.executable, str(Path(__file__).resolve()), str(count)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        released, said = server.stdin, server.stdout
        assert released
        assert said
        try:
            yield said.readline().strip(), released.close
        finally:
            server.terminate()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, arrays: list[bytes]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.arrays = arrays
        self.released = threading.Event()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        # A stream that is handed over leaves its request.
        with contextlib.suppress(OSError):
            self._serve()

    def _serve(self) -> None:
        while target := _TARGET.match(self.rfile.readline()):
            while self.rfile.readline().strip():
                pass
            path, count, milliseconds = target[1].decode(), int(target[2]), int(target[3])
            self.server.released.wait()
            time.sleep(milliseconds / 1000)
            self._answer(path, int(target[4] or 0), count)

    def _answer(self, path: str, number: int, count: int) -> None:
        array = self.server.arrays[number] if number < count else b"[]"
        following = min(number + 1, count)
        before, after = canned.around(f"{self.server.origin}{path}?sync_token={following}", last=following == count)
        length = len(before) + len(array) + len(after)
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        for part in (head.encode() + before, array, after):
            self.request.sendall(part)


def _main() -> None:
    with _Server(list(canned.items(int(sys.argv[1]), PER_PAGE))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(server.origin, flush=True)
        sys.stdin.read()
        server.released.set()
        threading.Event().wait()


if __name__ == "__main__":
    _main()
