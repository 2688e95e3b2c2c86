"""The operators' port among bad peers: it answers its probes whatever others send, withhold or flood."""

import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack

import httpx
import pytest

from connector import limits
from connector.clock import SYSTEM
from connector.cms.webhook import Handled, WebhookCall
from connector.config.site import Site
from connector.service import listener
from connector.service.server import Server
from connector.stream.status import StreamStatus
from tests.cms import eventually


class Idle:
    """A supervisor without streams, whose webhooks take as long as a test wants."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.turned = 0.0

    def status(self) -> Sequence[StreamStatus]:
        """Return nothing."""
        return ()

    def seconds_since_turn(self) -> float:
        """Return the test's pause."""
        return self.turned

    def dead(self) -> Sequence[str]:
        """Return nothing."""
        return ()

    def wake(self, connection: str, calls: Sequence[WebhookCall]) -> Handled:
        """Hang until the test continues."""
        self.go_on.wait(30)
        return Handled("unknown")


@pytest.fixture
def idle() -> Iterator[Idle]:
    """Yield the supervisor; what hangs in it continues at the end."""
    idle = Idle()
    yield idle
    idle.go_on.set()


@pytest.fixture
def refusals() -> Counter[str]:
    """Return the reasons why peers were refused."""
    return Counter()


@pytest.fixture
def server(idle: Idle, refusals: Counter[str]) -> Iterator[Server]:
    """Yield a running server."""
    with Server(
        Site("127.0.0.1", 0), idle, lambda: b"", "text/plain", SYSTEM, refused=lambda why: refusals.update([why])
    ) as server:
        yield server
        idle.go_on.set()


Connect = Callable[[Server, bytes], socket.socket]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Yield what opens a connection and sends something at once; the end of the test closes it."""
    with ExitStack() as opened:

        def connect(server: Server, sent: bytes) -> socket.socket:
            connection = opened.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=10))
            connection.sendall(sent)
            return connection

        yield connect


def healthy(server: Server) -> bool:
    """Return whether a probe is answered within its time."""
    url = f"http://127.0.0.1:{server.port}/healthz"
    return httpx.get(url, trust_env=False, timeout=3).status_code == 200


def ended(connection: socket.socket) -> bool:
    """Wait until the server closes the connection; return whether it has."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize(
    "sent", [b"", b"GET /healthz HT", b"POST /webhooks/blog HTTP/1.1\r\nContent-Length: 9\r\n\r\nx"]
)
def test_half_requests_do_not_starve_probes(connect: Connect, server: Server, sent: bytes) -> None:
    """With many more idle connections than there is room for, a probe is answered at once."""
    for _ in range(listener.CONNECTIONS + 100):
        connect(server, sent)
    assert healthy(server)


def test_a_client_has_a_bounded_number_of_connections(connect: Connect, server: Server, refusals: Counter[str]) -> None:
    """One more, and the connection that has been waiting longest is closed."""
    held = [connect(server, b"G") for _ in range(listener.OF_A_CLIENT + 1)]
    assert ended(held[0])
    assert refusals["crowded"] == 1
    held[-1].sendall(b"ET /healthz HTTP/1.0\r\n\r\n")
    assert held[-1].recv(12) == b"HTTP/1.0 200"


@pytest.mark.alone
@pytest.mark.parametrize("trickle", [False, True])
def test_a_request_has_to_end_in_time(
    connect: Connect,
    server: Server,
    refusals: Counter[str],
    monkeypatch: pytest.MonkeyPatch,
    trickle: bool,  # noqa: FBT001  # parametrized
) -> None:
    """A request is given up when its time is over, however steadily its bytes arrive."""
    monkeypatch.setattr(listener, "REQUEST_SECONDS", 0.3)
    connection = connect(server, b"GET / HTTP/1.1\r\n")
    begun_at = time.monotonic()
    connection.settimeout(0.05 if trickle else 10)
    while True:
        try:
            if ended(connection):
                break
        except TimeoutError:
            assert time.monotonic() - begun_at < 10
            connection.sendall(b"x")
        except OSError:
            break
    assert refusals["overdue"] == 1
    assert healthy(server)


def test_an_answer_that_nobody_reads_is_given_up(connect: Connect, idle: Idle, monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer that requests more than fits into buffers and reads nothing is dropped."""
    monkeypatch.setattr(listener, "_ANSWER_SECONDS", 0.2)
    with Server(Site("127.0.0.1", 0), idle, lambda: b"x" * 100_000_000, "text/plain", SYSTEM) as server:
        connection = connect(server, b"GET /metrics HTTP/1.0\r\n\r\n")
        assert server._listener
        channels = server._listener._door.active_channels
        assert connection.recv(1, socket.MSG_PEEK)
        assert channels
        eventually(lambda: not channels)


def test_webhooks_that_hang_do_not_keep_a_probe_waiting(
    connect: Connect, server: Server, refusals: Counter[str]
) -> None:
    """Probes, scrapes and webhooks have separate threads; a webhook too many is asked to retry."""
    held = [
        connect(server, b"POST /webhooks/blog HTTP/1.0\r\nContent-Length: 1\r\n\r\nx")
        for _ in range(2 * listener.OF_A_CLIENT)
    ]
    assert held[-1].recv(12) == b"HTTP/1.0 503"
    assert healthy(server)
    eventually(lambda: refusals["busy"] >= len(held) - listener._WAITING - 2)
    assert refusals["crowded"] == 0
    assert httpx.get(f"http://127.0.0.1:{server.port}/metrics", trust_env=False, timeout=3).status_code == 200


@pytest.mark.parametrize(
    "sent",
    [
        b"\r\nGET\r\n\r\n",
        b"GET http://[ HTTP/1.1\r\n\r\n",
        b"get / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nno header\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    ],
)
def test_a_malformed_request_is_counted_and_costs_no_line(
    connect: Connect, server: Server, refusals: Counter[str], caplog: pytest.LogCaptureFixture, sent: bytes
) -> None:
    """Whatever cannot be parsed gets a 4xx."""
    caplog.set_level("DEBUG", logger="waitress")
    connection = connect(server, sent)
    version, status = connection.recv(12).split(b" ")
    assert version.startswith(b"HTTP/1.")
    assert status.startswith((b"4", b"501"))
    assert sum(refusals.values()) <= 1
    assert not [record for record in caplog.records if record.name.startswith(("waitress", "root", "peers"))]
    assert healthy(server)


def test_it_answers_beyond_1024_descriptors(server: Server) -> None:
    """A process with many open files still answers probes."""
    if limits.raise_descriptors() < 2048:
        pytest.skip("this machine allows fewer descriptors")
    held = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    try:
        assert healthy(server)
        assert server.alive
    finally:
        for descriptor in held:
            os.close(descriptor)


def test_it_answers_again_after_a_shortage_of_descriptors(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process out of descriptors accepts again once it can; its loop does not spin meanwhile."""
    assert server._listener
    door = server._listener._door
    refusing = _Refusing(door.socket, 3)
    monkeypatch.setattr(door, "socket", refusing)
    assert healthy(server)
    assert refusing.left == 0


class _Refusing:
    """A socket that runs out of descriptors a few times."""

    def __init__(self, inner: socket.socket, times: int) -> None:
        self.left = times
        self._inner = inner

    def accept(self) -> tuple[socket.socket, object]:
        """Accept, or fail."""
        if self.left:
            self.left -= 1
            raise OSError(24, "Too many open files")
        return self._inner.accept()

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)


class _Broken:
    """Something in the loop that fails each time."""

    def readable(self) -> bool:
        """Fail."""
        raise RuntimeError("broken")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_loop_that_keeps_failing_is_not_silent(idle: Idle, monkeypatch: pytest.MonkeyPatch) -> None:
    """A permanent failure ends the thread, and `alive` shows it."""
    monkeypatch.setattr(listener, "_FAILURES", 3)
    server = Server(Site("127.0.0.1", 0), idle, lambda: b"", "text/plain", SYSTEM).start()
    assert server.alive
    assert server._listener
    server._listener._sockets[1_000_000] = _Broken()
    server._listener._thread.join(10)
    assert not server.alive


def test_a_failure_that_passes_leaves_the_port_open(connect: Connect, server: Server) -> None:
    """The loop continues; connections may be lost, but the port is not."""
    assert server._listener
    server._listener._sockets[1_000_000] = _Broken()
    assert ended(connect(server, b"G"))
    del server._listener._sockets[1_000_000]
    assert healthy(server)
    assert server.alive
