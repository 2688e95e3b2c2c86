"""Frames of Kafka's protocol, as far as faults have to read or write them, since no client does.

A Produce request and its refusal, of versions 9 to 12 (https://kafka.apache.org/protocol.html#The_Messages_Produce);
the states of transactions (https://kafka.apache.org/protocol.html#The_Messages_ListTransactions).
"""

import socket
import struct
from typing import NamedTuple

_FLEXIBLE = range(9, 13)
_LIST_TRANSACTIONS = 66
_NO_TAGS = b"\x00"
_NOTHING = -1


class Produce(NamedTuple):
    """The target of a Produce request: librdkafka sends one per batch, and a batch has one partition."""

    correlation: int
    topic: str
    partition: int

    @classmethod
    def read(cls, frame: bytes) -> "Produce":
        """Read a request from its frame."""
        reader = _Reader(frame)
        _, _, version, correlation = reader.take(">ihhi")
        assert version in _FLEXIBLE, f"version {version} of Produce is not understood"
        reader.skip(max(reader.take(">h")[0], 0))  # the client's id
        reader.skip_tags()
        reader.string()  # the transactional id
        reader.take(">hi")  # acks and timeout
        assert reader.varint() == 1 + 1, "several topics"
        topic = reader.string()
        assert reader.varint() == 1 + 1, "several partitions"
        (partition,) = reader.take(">i")
        return cls(correlation, topic, partition)

    def refusal(self, error: int) -> bytes:
        """Return the frame of an answer that says that nothing was written because of this error."""
        name = self.topic.encode()
        body = struct.pack(">i", self.correlation) + _NO_TAGS
        body += b"\x02" + _varint(len(name) + 1) + name  # one topic
        body += b"\x02" + struct.pack(">ihqqq", self.partition, error, _NOTHING, _NOTHING, _NOTHING)  # one partition
        body += b"\x01" + b"\x00" + _NO_TAGS  # no records are named, and no message is given
        body += _NO_TAGS + struct.pack(">i", 0) + _NO_TAGS  # no throttling
        return struct.pack(">i", len(body)) + body


def transactions(bootstrap: str) -> dict[str, str]:
    """Return the state of each transaction that the broker coordinates, by transactional id."""
    host, _, port = bootstrap.rpartition(":")
    header = struct.pack(">hhih", _LIST_TRANSACTIONS, 0, 0, _NOTHING) + _NO_TAGS
    request = header + b"\x01" + b"\x01" + _NO_TAGS  # of any state and producer
    with socket.create_connection((host, int(port)), timeout=10) as broker:
        broker.sendall(struct.pack(">i", len(request)) + request)
        reader = _Reader(received(broker))
    reader.take(">ii")
    reader.skip_tags()
    _, error = reader.take(">ih")
    assert not error, f"error {error}"
    for _ in range(reader.varint() - 1):
        reader.string()  # a state that is unknown
    found = {}
    for _ in range(reader.varint() - 1):
        name = reader.string()
        reader.take(">q")
        found[name] = reader.string()
        reader.skip_tags()
    return found


def received(end: socket.socket) -> bytes:
    """Return the next frame with its length, or nothing once the connection is closed."""
    head = _exactly(end, 4)
    body = _exactly(end, struct.unpack(">i", head)[0]) if head else b""
    return head + body if body else b""


class _Reader:
    """Reads a frame from its beginning."""

    def __init__(self, frame: bytes) -> None:
        self._frame, self._at = frame, 0

    def take(self, layout: str) -> tuple[int, ...]:
        taken = struct.unpack_from(layout, self._frame, self._at)
        self._at += struct.calcsize(layout)
        return taken

    def skip(self, count: int) -> None:
        self._at += count

    def varint(self) -> int:
        value = shift = 0
        while True:
            (byte,) = self.take(">B")
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def string(self) -> str:
        length = max(self.varint() - 1, 0)
        text = self._frame[self._at : self._at + length].decode()
        self.skip(length)
        return text

    def skip_tags(self) -> None:
        for _ in range(self.varint()):
            self.varint()
            self.skip(self.varint())


def _varint(value: int) -> bytes:
    encoded = b""
    while value >= 0x80:
        encoded += bytes([value & 0x7F | 0x80])
        value >>= 7
    return encoded + bytes([value])


def _exactly(end: socket.socket, count: int) -> bytes:
    received = bytearray()
    while len(received) < count:
        try:
            chunk = end.recv(count - len(received))
        except OSError:
            return b""
        if not chunk:
            return b""
        received += chunk
    return bytes(received)
