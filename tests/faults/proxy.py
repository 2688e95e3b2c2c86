"""A TCP proxy in front of the brokers that understands only as much of Kafka's protocol as its faults need.

Requests are frames: length, api key, version, correlation id. In the answers to Metadata and FindCoordinator it puts
its own ports in place of the brokers', so that every connection of a client goes through it. The host stays the
same, and so does every length; apart from that, only `frames` reads anything: the batch to be refused.
Brokers must advertise `127.0.0.1`.
"""

import contextlib
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable
from enum import IntEnum
from typing import NamedTuple, Self

from tests.faults.frames import Produce, received

_HOST = "127.0.0.1"
_ADVERTISED = b"\x00\x09127.0.0.1", b"\x0a127.0.0.1"  # as a string, and as a compact string


class Api(IntEnum):
    """The requests that faults are about (https://kafka.apache.org/protocol.html#protocol_api_keys)."""

    PRODUCE = 0
    METADATA = 3
    FIND_COORDINATOR = 10
    INIT_PRODUCER_ID = 22
    ADD_PARTITIONS_TO_TXN = 24
    END_TXN = 26


class Moment(NamedTuple):
    """When something happens: when a request is made, or when it is answered after being carried out; and the phase."""

    api: Api
    answered: bool
    delta: bool

    def __str__(self) -> str:
        place = f"{self.api.name}-{'answer' if self.answered else 'request'}"
        return f"{place}-{'delta' if self.delta else 'snapshot'}"


class Trap:
    """Waits for the `n`-th request of an api from now on, and holds what its connection carries from then on.

    `sprung` is set once it has arrived. Nothing more of that connection goes to the client or the broker until
    `release`. With `answered`, the request itself goes to the broker, and its answer is held.
    """

    def __init__(self, api: Api, n: int, *, answered: bool) -> None:
        self.api = api
        self.answered = answered
        self.sprung = threading.Event()
        self.reply = threading.Event()
        self._left = n
        self._then: Callable[[], object] = lambda: None
        self._released = threading.Event()
        self._link: _Link | None = None

    def then(self, action: Callable[[], object]) -> None:
        """Have `action` called as soon as the request has arrived."""
        self._then = action

    def takes(self, link: "_Link", api: int) -> bool:
        """Count a request; return whether it is the one."""
        if api != self.api or self._link:
            return False
        self._left -= 1
        if self._left:
            return False
        self._link = link
        return True

    @property
    def port(self) -> int:
        """The port of the broker that the caught request was for."""
        assert self._link
        return self._link.port

    def spring(self) -> None:
        """Signal that the request is caught, and wait for the release."""
        self.sprung.set()
        self._then()
        self._released.wait()

    def cut(self) -> None:
        """Close the client's side of the connection; the broker's stays open, and receives what `release` sends."""
        assert self._link
        self._link.orphan()

    def release(self) -> None:
        """Release what was held."""
        self._released.set()


class Refusal:
    """Holds back the first batch for a topic until `answer` refuses it, and the next one until then.

    `caught` is set when the first has arrived, `followed` when another for the same partition is behind it: a client
    with one request in flight never sends that.
    """

    def __init__(self, topic: str, error: int) -> None:
        self.caught = threading.Event()
        self.followed = threading.Event()
        self._topic, self._error = topic, error
        self._batch: Produce | None = None
        self._link: _Link | None = None
        self._answered = threading.Event()

    def takes(self, link: "_Link", frame: bytes) -> bool:
        """Look at a Produce request; return whether it is the one to refuse. The one behind it waits here."""
        batch = Produce.read(frame)
        if self._batch is None and batch.topic == self._topic:
            self._batch, self._link = batch, link
            self.caught.set()
            return True
        if not self._answered.is_set() and self._batch and self._batch[1:] == batch[1:]:
            self.followed.set()
            self._answered.wait()
        return False

    def answer(self) -> None:
        """Refuse the batch that was held; let the one behind it go to the broker. Once only."""
        if self._batch and self._link and not self._answered.is_set():
            self._link.reply(self._batch.refusal(self._error))
        self._answered.set()


class _Link:
    """One client connection and its connection to a broker, with a thread for each direction."""

    def __init__(self, proxy: "Proxy", client: socket.socket, port: int) -> None:
        self._proxy = proxy
        self.port = port
        self._client = client
        self._broker = socket.create_connection((_HOST, port))
        for end in (client, self._broker):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._apis: dict[int, int] = {}
        self._traps: dict[int, Trap] = {}
        self._orphan = False
        self._threads = [threading.Thread(target=each, daemon=True) for each in (self._requests, self._responses)]

    def start(self) -> None:
        """Start forwarding."""
        for thread in self._threads:
            thread.start()

    def orphan(self) -> None:
        """Close only the client's side."""
        self._orphan = True
        _close(self._client)

    def reply(self, frame: bytes) -> None:
        """Answer the client in place of the broker."""
        _send(self._client, frame)

    def close(self) -> None:
        """Close both sides."""
        _close(self._client)
        _close(self._broker)

    def _requests(self) -> None:
        while frame := received(self._client):
            api, _, correlation = struct.unpack_from(">hhi", frame, 4)
            if api == Api.PRODUCE and self._proxy.refuses(self, frame):
                continue
            self._apis[correlation] = api
            trap = self._proxy.meet(self, api)
            if trap:
                self._traps[correlation] = trap
            if trap and not trap.answered:
                trap.spring()
            self._proxy.passage()
            if not _send(self._broker, frame):
                break
        # If the client is gone, what was caught still goes to the broker, and is answered there.
        if not (self._orphan or self._traps):
            self.close()

    def _responses(self) -> None:
        while frame := received(self._broker):
            (correlation,) = struct.unpack_from(">i", frame, 4)
            api = self._apis.pop(correlation, None)
            trap = self._traps.pop(correlation, None)
            if trap and trap.answered:
                trap.spring()
            if trap:
                trap.reply.set()
            self._proxy.passage()
            if not _send(self._client, self._proxy.rewrite(api, frame)) and not self._orphan:
                break
        self.close()


class Proxy:
    """Stands in front of the brokers of `bootstrap` (`host:port,…`); a context manager."""

    def __init__(self, bootstrap: str) -> None:
        ports = [int(each.rpartition(":")[2]) for each in bootstrap.split(",")]
        self._listeners = {port: socket.create_server((_HOST, 0)) for port in ports}
        self._ports = {port: listener.getsockname()[1] for port, listener in self._listeners.items()}
        self._lock = threading.Lock()
        self._links: list[_Link] = []
        self._traps: list[Trap] = []
        self._refusals: list[Refusal] = []
        self._counts: Counter[int] = Counter()
        self._open = threading.Event()
        self._open.set()
        self._closed = False
        self.delay = 0.0

    def __enter__(self) -> Self:
        for port, listener in self._listeners.items():
            threading.Thread(target=self._accept, args=(listener, port), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed = True
        self.heal()
        for trap in self._traps:
            trap.release()
        for refusal in self._refusals:
            refusal.answer()
        for listener in self._listeners.values():
            _close(listener)
        self.cut()

    @property
    def bootstrap(self) -> str:
        """The addresses that clients connect to."""
        return ",".join(f"{_HOST}:{port}" for port in self._ports.values())

    def seen(self, api: int) -> int:
        """Return how many requests of this kind have arrived."""
        return self._counts[api]

    def hold(self, api: Api, n: int = 1) -> Trap:
        """Set a trap for the `n`-th request from now on."""
        return self._set(Trap(api, n, answered=False))

    def hold_answer(self, api: Api, n: int = 1) -> Trap:
        """Set a trap for the answer to the `n`-th request from now on: the broker has done what was asked."""
        return self._set(Trap(api, n, answered=True))

    def refuse(self, topic: str, error: int) -> Refusal:
        """Have the first batch for a topic refused with a Kafka error, unknown to the broker."""
        self._refusals.append(Refusal(topic, error))
        return self._refusals[-1]

    def cut(self) -> None:
        """Close all connections; new ones are accepted."""
        with self._lock:
            links, self._links = self._links, []
        for link in links:
            link.close()

    def partition(self) -> None:
        """Let nothing through in either direction, but keep all connections; new ones are accepted and ignored."""
        self._open.clear()

    def heal(self) -> None:
        """Let everything through again."""
        self._open.set()

    def passage(self) -> None:
        """Wait as long as frames are held up."""
        self._open.wait()
        if self.delay:
            threading.Event().wait(self.delay)

    def meet(self, link: _Link, api: int) -> Trap | None:
        """Count a request, and return the trap that catches it."""
        with self._lock:
            self._counts[api] += 1
            return next((trap for trap in self._traps if trap.takes(link, api)), None)

    def refuses(self, link: _Link, frame: bytes) -> bool:
        """Return whether a Produce request is held back to be refused."""
        return any(refusal.takes(link, frame) for refusal in self._refusals)

    def rewrite(self, api: int | None, frame: bytes) -> bytes:
        """Put our ports in place of the brokers'."""
        if api in (Api.METADATA, Api.FIND_COORDINATOR):
            for port, ours in self._ports.items():
                for host in _ADVERTISED:
                    frame = frame.replace(host + struct.pack(">i", port), host + struct.pack(">i", ours))
        return frame

    def _set(self, trap: Trap) -> Trap:
        with self._lock:
            self._traps.append(trap)
        return trap

    def _accept(self, listener: socket.socket, port: int) -> None:
        while not self._closed:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            try:
                link = _Link(self, client, port)
            except OSError:  # the broker is down: so is its proxy
                _close(client)
                continue
            with self._lock:
                self._links.append(link)
            link.start()


def _send(end: socket.socket, frame: bytes) -> bool:
    try:
        end.sendall(frame)
    except OSError:
        return False
    return True


def _close(end: socket.socket) -> None:
    # The other side may have been faster.
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
