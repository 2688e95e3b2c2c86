"""HTTP requests and responses as values, and what the front ends return. Pure."""

from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec

from connector.simulator.value import Kind

Ending = Literal["complete", "truncated", "reset", "hang"]


class Request(msgspec.Struct, frozen=True):
    """One request. Header names are lower-case; `origin` is scheme and host as the client addressed them."""

    method: str
    path: str
    params: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""
    origin: str = "http://127.0.0.1"

    @property
    def bearer(self) -> str | None:
        """The bearer credential, or None."""
        scheme, _, credential = self.headers.get("authorization", "").partition(" ")
        return credential if scheme.lower() == "bearer" else None


class Response(msgspec.Struct, frozen=True):
    """One response; after `delay` seconds it is sent as `ending` says."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    delay: float = 0.0
    ending: Ending = "complete"


class RefusalError(Exception):
    """The request gets an error response."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


class Live(msgspec.Struct, frozen=True):
    """The truth about one key that a vendor delivers now, in the vendor's own spelling.

    `fields` is the vendor's JSON, byte for byte as in its sync items, or None if the item has none.
    """

    entity_type: Kind
    id: str
    locale: str
    content_type: str | None
    revision: int
    changed_at: str
    fields: bytes | None


def json_array(items: Iterable[bytes]) -> bytes:
    """Return the JSON array of encoded items."""
    return b"[" + b",".join(items) + b"]"
