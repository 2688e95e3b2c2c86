"""Scripted faults: what can go wrong with a request, and in which order. Pure.

`Stage.answer` applies them; `server.py` carries out broken and missing endings.
"""

import gzip
import zlib
from typing import Literal

import msgspec

from connector.simulator.cursor import Cursor
from connector.simulator.front_end import FrontEnd, Page, RequestKind
from connector.simulator.message import Request, Response

FaultKind = Literal[
    "rate_limited", "status", "slow", "hang", "reset", "truncated_body", "truncated_gzip", "html", "redirect",
    "gzip_bomb", "oversized_page", "refuse_cursor", "foreign_next_url", "malformed_item", "unknown_item",
    "duplicate_page", "repeat_cursor", "empty_page",
]  # fmt: skip

_MEBIBYTE = 1024 * 1024


class Fault(msgspec.Struct, frozen=True):
    """One scripted fault; it hits `times` matching requests (None: all) after letting `after` of them pass.

    - `on`: `sync` requests (with a cursor or not), those that `start` an initial sync, those with a `cursor`, those for
      the content `model` (content types, locales), `probe`s (for one content type, and any other endpoint), or `any`.
    - `rate_limited`: 429, with the vendor's retry time if `told`. `status`: that status, with the vendor's error body
      or `body`.
    - `slow`: answers after `delay` seconds. `hang`: never answers. `reset`: the connection is reset.
    - `truncated_body`, `truncated_gzip`: only half of the body. `html`: 200 with a web page. `redirect`: 302 to `to`.
    - `gzip_bomb`: `size` bytes in a small compressed body. `oversized_page`: the page padded to `size` bytes, not
      compressed.
    - `refuse_cursor`: the vendor's answer to a bad cursor. `foreign_next_url`: next URLs point to `to`.
    - `malformed_item`, `unknown_item`: inserted into the middle of the page; `item` is verbatim JSON to insert instead.
    - `duplicate_page`: the items of the previous response again; the right page follows. `repeat_cursor`: the page's
      continuation is the page itself. `empty_page`: no items, and the walk continues.
    """

    kind: FaultKind
    on: Literal["sync", "start", "cursor", "model", "probe", "any"] = "sync"
    after: int = 0
    times: int | None = 1
    status: int = 503
    told: bool = True
    delay: float = 0.0
    size: int = 64 * _MEBIBYTE
    to: str = "http://elsewhere.invalid"
    item: str | None = None
    body: str | None = None

    def concerns(self, kind: RequestKind) -> bool:
        """Return whether this fault applies to requests of `kind`."""
        return self.on in ("any", kind) or (self.on == "sync" and kind in ("start", "cursor"))


class Script:
    """The faults of one front end, first in, first out: a request meets the first one that applies."""

    def __init__(self) -> None:
        self.waiting: list[Fault] = []

    def take(self, kind: RequestKind) -> Fault | None:
        """Return the fault that hits this request of `kind`, and count the request."""
        for place, fault in enumerate(self.waiting):
            if not fault.concerns(kind):
                continue
            if fault.after:
                self.waiting[place] = msgspec.structs.replace(fault, after=fault.after - 1)
                continue
            if fault.times == 1:
                del self.waiting[place]
            elif fault.times is not None:
                self.waiting[place] = msgspec.structs.replace(fault, times=fault.times - 1)
            return fault
        return None


def instead(fault: Fault, front_end: FrontEnd, request: Request) -> Response | None:  # noqa: PLR0911 - one case per kind
    """Return the response that `fault` gives instead of the front end's, or None."""
    match fault.kind:
        case "rate_limited":
            return front_end.error(429, told=fault.told)
        case "status":
            response = front_end.error(fault.status)
            return msgspec.structs.replace(response, body=fault.body.encode()) if fault.body is not None else response
        case "refuse_cursor":
            return front_end.bad_cursor(request).response
        case "hang" | "reset":
            return Response(200, {}, b"", ending=fault.kind)
        case "html":
            return Response(200, {"Content-Type": "text/html"}, b"<!doctype html><title>Just a moment</title>")
        case "redirect":
            return Response(302, {"Location": fault.to}, b"")
        case _:
            return None


def distorted_page(fault: Fault, page: Page, front_end: FrontEnd, previous: Page | None) -> Page:
    """Return `page` as `fault` distorts it; `previous` is the page served before it."""
    match fault.kind:
        case "foreign_next_url":
            return msgspec.structs.replace(page, origin=fault.to)
        case "malformed_item" | "unknown_item":
            item = fault.item.encode() if fault.item else front_end.strange_items()[fault.kind.removesuffix("_item")]
            middle = len(page.items) // 2
            return msgspec.structs.replace(page, items=(*page.items[:middle], item, *page.items[middle:]))
        case "duplicate_page" if previous is not None:
            return msgspec.structs.replace(page, items=previous.items, next=_again(page), more=True)
        case "repeat_cursor":
            return msgspec.structs.replace(page, next=page.here, more=True)
        case "empty_page":
            return msgspec.structs.replace(page, items=(), next=_again(page), more=True)
        case _:
            return page


def distorted_response(fault: Fault, response: Response) -> Response:
    """Return `response` as `fault` distorts it on its way."""
    match fault.kind:
        case "slow":
            return msgspec.structs.replace(response, delay=fault.delay)
        case "truncated_body":
            return msgspec.structs.replace(response, ending="truncated")
        case "truncated_gzip":
            body = gzip.compress(response.body, 1)
            return _encoded(response, "gzip", body[: len(body) // 2])
        case "gzip_bomb":
            return _encoded(response, "gzip", _bomb(response.body, fault.size))
        case "oversized_page":
            padding = b" " * max(0, fault.size - len(response.body))
            return _encoded(response, "identity", response.body[:-1] + padding + response.body[-1:])
        case _:
            return response


def _again(page: Page) -> Cursor:
    return msgspec.structs.replace(page.here, nonce=page.here.nonce + 1)


def _encoded(response: Response, encoding: str, body: bytes) -> Response:
    return msgspec.structs.replace(response, headers={**response.headers, "Content-Encoding": encoding}, body=body)


def _bomb(body: bytes, size: int) -> bytes:
    """Compress `body`, padded inside to about `size` bytes, without ever holding all of them."""
    compressor = zlib.compressobj(1, wbits=16 + zlib.MAX_WBITS)
    pieces = [compressor.compress(body[:-1])]
    pieces += [compressor.compress(b" " * _MEBIBYTE) for _ in range(size // _MEBIBYTE)]
    return b"".join((*pieces, compressor.compress(body[-1:]), compressor.flush()))
