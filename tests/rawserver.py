"""A server on raw sockets, for peers that no HTTP library would act out: one function serves every connection."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Serve = Callable[[socket.socket], None]


@contextmanager
def serving(serve: Serve) -> Iterator[int]:
    """Serve every connection in a separate thread; yield the port."""
    listening = socket.create_server(("127.0.0.1", 0))
    connections: list[socket.socket] = []

    def answer(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            serve(connection)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listening.accept()
                connections.append(connection)
                threading.Thread(target=answer, args=(connection,), daemon=True).start()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield listening.getsockname()[1]
    finally:
        with contextlib.suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        accepting.join(5)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()


def head(connection: socket.socket) -> bytes:
    """Read a request up to the end of its head."""
    read = b""
    while b"\r\n\r\n" not in read and (chunk := connection.recv(65_536)):
        read += chunk
    return read


def silence(connection: socket.socket) -> None:
    """Take everything, say nothing."""
    while connection.recv(65_536):
        pass


def endless(connection: socket.socket, piece: bytes) -> None:
    """Send a piece every now and then, until the other side is gone."""
    while True:
        connection.sendall(piece)
        time.sleep(0.02)
