"""Reads a simulated API as its vendor's documentation says, without using the connector."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from connector.simulator import Request, Response, Simulator

Key = tuple[str, str]
State = dict[Key, tuple[Any, str | None]]
"""What a reader keeps, by id and locale: an entity's fields, and its content type if items may concern one."""


@dataclass(frozen=True)
class Reader:
    """One vendor's API.

    - `path`, `headers`: of a sync request with credentials. `start`: the parameters of an initial one.
    - `following`: the parameters of the request after a page. `last`: whether a page ends a walk.
    - `replay`: what an item does to what is kept. `newest_first`: whether a walk goes back in time.
    - `spelled`: a parameter's name, from how Python can write it.
    """

    path: str
    headers: Mapping[str, str]
    start: Mapping[str, str]
    following: Callable[[Any], dict[str, str]]
    last: Callable[[Any], bool]
    replay: Callable[[State, Any], None]
    newest_first: bool = True
    spelled: Callable[[str], str] = str

    def ask(
        self,
        simulator: Simulator,
        path: str | None = None,
        headers: Mapping[str, str] | None = None,
        /,
        **params: str,
    ) -> Response:
        """Send one request, bypassing the network."""
        named = {self.spelled(name): value for name, value in params.items()}
        return simulator.handle(Request("GET", path or self.path, named, self.headers if headers is None else headers))

    def pages(self, simulator: Simulator, **params: str) -> Iterator[Any]:
        """Yield the pages of a walk, including its last one."""
        page = body(self.ask(simulator, **params))
        yield page
        while not self.last(page):
            page = body(self.ask(simulator, **self.following(page)))
            yield page

    def items(self, simulator: Simulator, **params: str) -> list[Any]:
        """Return all items of a walk, in the order of delivery."""
        return [item for page in self.pages(simulator, **params) for item in page["items"]]

    def token(self, page: Any) -> str:
        """Return the token that continues from a page."""
        return next(iter(self.following(page).values()))

    def caught_up(self, simulator: Simulator, **params: str) -> str:
        """Return the delta token after an initial sync."""
        *_, last = self.pages(simulator, **{**self.start, **params})
        return self.token(last)

    def read(self, simulator: Simulator, state: State, params: Mapping[str, str]) -> dict[str, str]:
        """Apply a walk to what is kept, oldest item first; return the parameters of the next delta."""
        pages = list(self.pages(simulator, **params))
        items = [item for page in pages for item in page["items"]]
        for item in reversed(items) if self.newest_first else items:
            self.replay(state, item)
        return self.following(pages[-1])


def body(response: Response) -> Any:
    """Return the JSON of an answer, which must be a 200."""
    assert response.status == 200, response.body
    return json.loads(response.body)


def in_url(url: str) -> dict[str, str]:
    """Return the only parameter of a URL."""
    name, value = url.split("?")[1].split("=")
    return {name: value}


def replay_whole(state: State, item: Any) -> None:
    """Apply an item that carries an entity in all its locales, or says that it was deleted."""
    key = item["sys"]["id"], "*"
    if item["sys"]["type"].startswith("Deleted"):
        state.pop(key, None)
    else:
        state[key] = item.get("fields"), None
