"""One front end and the script around it: faults, edits between pages, a rate limit, and a log of requests."""

import time
from collections.abc import Callable

import msgspec

from connector.simulator.fault import Fault, Script, distorted_page, distorted_response, instead
from connector.simulator.front_end import FrontEnd, Page, RequestKind
from connector.simulator.message import RefusalError, Request, Response

Edits = Callable[[], object]

_SHOWN_HEADERS = ("accept", "accept-encoding", "user-agent", "branch", "if-none-match")
_CREDENTIAL_PARAMS = ("access_token",)
_CREDENTIAL_HEADERS = ("authorization", "access_token")


class LoggedRequest(msgspec.Struct, frozen=True):
    """One request as it arrived, without credentials; `authorised` says whether any were sent."""

    vendor: str
    kind: RequestKind
    method: str
    path: str
    params: dict[str, str]
    headers: dict[str, str]
    authorised: bool
    status: int
    items: int
    fault: str | None


class _Hook(msgspec.Struct):
    """Edits to make after the `page`-th page of a walk; `seen` pages of it so far, None before it starts."""

    page: int
    edits: Edits
    seen: int | None = None


class Stage:
    """Answers one vendor's requests. Not thread-safe: the simulator calls it under its lock."""

    def __init__(self, front_end: FrontEnd, requests_per_second: int | None) -> None:
        self.front_end = front_end
        self.script = Script()
        self.log: list[LoggedRequest] = []
        self._hooks: list[_Hook] = []
        self._previous: Page | None = None
        self._limit = requests_per_second
        self._window = (0, 0)

    def on_page(self, page: int, edits: Edits) -> None:
        """Call `edits` once, after the `page`-th page of the next walk."""
        self._hooks.append(_Hook(page, edits))

    def clear(self) -> None:
        """Forget the faults and edits that are waiting."""
        self.script.waiting.clear()
        self._hooks.clear()

    def answer(self, request: Request) -> Response:
        """Answer as the vendor would, or as the script says."""
        self.front_end.follow()
        kind = self.front_end.kind(request)
        fault = self.script.take(kind)
        items = 0
        try:
            response = instead(fault, self.front_end, request) if fault else None
            if response is None and self._too_fast():
                response = self.front_end.error(429)
            if response is None and kind in ("probe", "model"):
                response = self.front_end.other(request)
            elif response is None:
                page = self._page(request, fault)
                items = len(page.items)
                response = self.front_end.envelope(page, request)
                self._edit_after(page)
        except RefusalError as refusal:
            response = refusal.response
        self._record(request, kind, response.status, items, fault)
        return distorted_response(fault, response) if fault else response

    def _page(self, request: Request, fault: Fault | None) -> Page:
        page = self.front_end.sync(request)
        served = distorted_page(fault, page, self.front_end, self._previous) if fault else page
        self._previous = page
        return served

    def _edit_after(self, page: Page) -> None:
        due = []
        for hook in self._hooks:
            if page.opens:
                hook.seen = 0
            if hook.seen is not None:
                hook.seen += 1
            if hook.seen == hook.page:
                due.append(hook)
        for hook in due:
            self._hooks.remove(hook)
            hook.edits()

    def _too_fast(self) -> bool:
        if self._limit is None:
            return False
        second, count = int(time.monotonic()), 1
        if second == self._window[0]:
            count = self._window[1] + 1
        self._window = (second, count)
        return count > self._limit

    def _record(self, request: Request, kind: RequestKind, status: int, items: int, fault: Fault | None) -> None:
        self.log.append(
            LoggedRequest(
                vendor=self.front_end.name,
                kind=kind,
                method=request.method,
                path=request.path,
                params={name: value for name, value in request.params.items() if name not in _CREDENTIAL_PARAMS},
                headers={name: request.headers[name] for name in _SHOWN_HEADERS if name in request.headers},
                authorised=any(name in request.headers for name in _CREDENTIAL_HEADERS)
                or any(name in request.params for name in _CREDENTIAL_PARAMS),
                status=status,
                items=items,
                fault=fault.kind if fault else None,
            )
        )
