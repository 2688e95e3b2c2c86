"""A Contentful space that serves what a test says: an initial page, deltas once released, and refusals."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

from tests import jsonserver
from tests.jsonserver import Answer, Asked


class ScriptedCms:
    """One space. `initial` are the items of a snapshot; `release` gives the next delta.

    `walks`: what the next snapshots hold instead, one after the other.
    `refusals` are answered first, one per request: (status, headers, body). `accepted`: the tokens that are not refused
    with 401, None for any. `content_types`: what the model has.
    """

    def __init__(self, initial: list[Any]) -> None:
        self.initial = initial
        self.walks: list[list[Any]] = []
        self.refusals: list[tuple[int, dict[str, str], bytes]] = []
        self.accepted: set[str] | None = None
        self.content_types: list[Any] = []
        self.requests: list[str] = []
        self.url = ""
        self._deltas: list[list[Any]] = []

    def release(self, items: list[Any]) -> None:
        """Let the next delta hold these items."""
        self._deltas.append(items)

    def answer(self, path: str, token: str) -> Answer:
        """Return the status, headers and body of an answer."""
        self.requests.append(path)
        if self.refusals:
            return self.refusals.pop(0)
        if self.accepted is not None and token not in self.accepted:
            return 401, {}, b'{"sys":{"type":"Error","id":"AccessTokenInvalid"}}'
        if "/content_types" in path:
            return 200, {}, json.dumps({"items": self.content_types}).encode()
        if "/sync" not in path:
            return 200, {}, b'{"items":[]}'
        seen = int(path.partition("sync_token=d")[2] or 0)
        if "initial=true" in path:
            items = self.walks.pop(0) if self.walks else self.initial
        else:
            items = [one for delta in self._deltas[seen:] for one in delta]
        body = {
            "sys": {"type": "Array"},
            "items": items,
            "nextSyncUrl": f"{self.url}/x?sync_token=d{len(self._deltas)}",
        }
        return 200, {}, json.dumps(body).encode()

    @contextmanager
    def serving(self) -> Iterator[Self]:
        """Serve on loopback; `url` says where."""
        with jsonserver.serving(self._asked) as self.url:
            yield self

    def _asked(self, asked: Asked) -> Answer:
        return self.answer(asked.path, asked.headers.get("Authorization", "").removeprefix("Bearer "))
