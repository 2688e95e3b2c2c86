"""Sync positions, and how they become opaque text that only this simulator can read. Pure."""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import blake2b, shake_256

import msgspec

_MAC = 9


class Cursor(msgspec.Struct, frozen=True, array_like=True):
    """Where a client is, and everything its walk is bound to.

    - `scope`: space and environment. `query`: the initial request's parameters, frozen. `generation`: outdated cursors
      are refused (`expire_cursors`).
    - `since`: the feed position that the walk starts from. `initial`: whether it is an initial sync.
    - `before`: only positions before it are still to come; None starts a walk. `start`: the feed's length at its start.
    - `delivered`, `total`: items so far, and in total. `ended`: whether the previous page ended a walk.
    - `nonce`: distinguishes cursors of the same position.
    """

    scope: str
    query: tuple[tuple[str, str], ...] = ()
    since: int = 0
    initial: bool = False
    before: int | None = None
    start: int = 0
    delivered: int = 0
    total: int = 0
    ended: bool = False
    generation: int = 0
    nonce: int = 0

    def param(self, name: str) -> str | None:
        """Return a frozen parameter."""
        return dict(self.query).get(name)


class BadCursorError(ValueError):
    """The text is not one of our cursors, or no longer a valid one."""


class Seal:
    """Turns cursors into text and back. Equal cursors give equal text; nobody else can make or alter one."""

    def __init__(self, secret: str) -> None:
        self._secret = blake2b(secret.encode()).digest()

    def close(self, cursor: Cursor) -> str:
        """Return the text of `cursor`."""
        payload = msgspec.msgpack.encode(cursor)
        mac = self._mac(payload)
        return urlsafe_b64encode(mac + self._mask(mac, payload)).rstrip(b"=").decode()

    def open(self, text: str) -> Cursor:
        """Return the cursor that `text` was made from; raises `BadCursorError`."""
        try:
            sealed = urlsafe_b64decode(text.encode() + b"=" * (-len(text) % 4))
        except (binascii.Error, ValueError):
            raise BadCursorError("not a cursor") from None
        mac, payload = sealed[:_MAC], self._mask(sealed[:_MAC], sealed[_MAC:])
        if self._mac(payload) != mac:
            raise BadCursorError("not a cursor")
        return msgspec.msgpack.decode(payload, type=Cursor)

    def _mac(self, payload: bytes) -> bytes:
        return blake2b(payload, key=self._secret, digest_size=_MAC).digest()

    def _mask(self, mac: bytes, payload: bytes) -> bytes:
        stream = shake_256(self._secret + mac).digest(len(payload))
        return bytes(a ^ b for a, b in zip(payload, stream, strict=True))
