"""Reads a simulated API as its vendor's documentation says, without using the connector."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from connector.simulator import FieldType, Model, Request, Response, Simulator

Key = tuple[str, str]
State = dict[Key, tuple[Any, str | None]]
"""What a reader keeps, by id and locale: an entity's fields, and its content type if items may concern one."""
Get = Callable[..., Any]
"""Returns the answer to a request for a path, with parameters."""


@dataclass(frozen=True)
class Published:
    """An entry in an item: its id, the locale if it is the item's, its content type, and its values by field."""

    id: str
    locale: str
    content_type: str
    values: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Reader:
    """One vendor's API.

    - `path`, `headers`: of a sync request with credentials. `start`: the parameters of an initial one.
    - `following`: the parameters of the request after a page. `last`: whether a page ends a walk.
    - `replay`: what an item does to what is kept. `newest_first`: whether a walk goes back in time.
    - `spelled`: a parameter's name, from how Python can write it.
    - `modelled`: the content model, from the model requests and the items of an initial sync.
    - `published`: the entry in an item, or None. `fits`: whether a value is one of a field type.
    """

    path: str
    headers: Mapping[str, str]
    start: Mapping[str, str]
    following: Callable[[Any], dict[str, str]]
    last: Callable[[Any], bool]
    replay: Callable[[State, Any], None]
    modelled: Callable[[Get, list[Any]], Model]
    published: Callable[[Any], Published | None]
    fits: Callable[[FieldType, Any], bool]
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

    def model(self, simulator: Simulator) -> Model:
        """Return the content model as a client reads it."""

        def get(path: str, **params: str) -> Any:
            return body(simulator.handle(Request("GET", path, params, self.headers)))

        return self.modelled(get, self.items(simulator, **self.start))

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


def fits_text(value: Any) -> bool:
    """Return whether a value is a text."""
    return isinstance(value, str)


def fits_number(value: Any) -> bool:
    """Return whether a value is a number, and no truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def fits_integer(value: Any) -> bool:
    """Return whether a value is a whole number."""
    return isinstance(value, int) and not isinstance(value, bool)


def fits_boolean(value: Any) -> bool:
    """Return whether a value is true or false."""
    return isinstance(value, bool)


def fits_json(value: Any) -> bool:
    """Return whether a value is a JSON object or a list of them."""
    return isinstance(value, dict) or listed(lambda each: isinstance(each, dict), value)


def listed(fits: Callable[[Any], bool], value: Any) -> bool:
    """Return whether a value is a list of what `fits`."""
    return isinstance(value, list) and all(map(fits, value))


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
