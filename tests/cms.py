"""A simulated CMS to follow: vendors connected to it, and what their published state must finally equal."""

import math
import time
from collections.abc import Callable, Iterable
from typing import Any

from pydantic import SecretStr, ValidationError

from connector import vendors
from connector.cms.vendor import Vendor
from connector.demo.ledger import place
from connector.demo.proof import Check, State, delivered, latest_state, published, sequence, tombstones
from connector.events.record import Record
from connector.model.change import EntityKey
from connector.simulator import Simulator, connection
from tests.consumer import Consumed
from tests.published import received
from tests.values import CONNECTION


def vendor(name: str, **settings: Any) -> Vendor:
    """Return the vendor called `name` with the settings of a connection to its simulator, and any others."""
    found = vendors.find(name)
    table = {key: value for key, value in {**connection(name), **settings}.items() if key != "vendor"}
    secret = {key for key, field in found.settings_type.model_fields.items() if "Secret" in str(field.annotation)}
    wrapped = {key: SecretStr(value) if key in secret else value for key, value in table.items()}
    return found(CONNECTION, found.settings_type.model_validate(wrapped))


def paged(name: str, page_size: int | None) -> dict[str, Any]:
    """Return the setting for the page size, if the vendor lets its clients choose one."""
    try:
        vendor(name, page_size=page_size)
    except ValidationError:
        return {}
    return {"page_size": page_size}


def connect(simulator: Simulator, name: str, *, page_size: int | None = None, **settings: Any) -> Vendor:
    """Return the vendor called `name`, connected to the simulator: over HTTP, unless a `base_url` is given.

    `page_size` applies if the vendor lets its clients choose one; otherwise the simulator's does.
    """
    where = {} if "base_url" in settings else {"base_url": simulator.url(name)}
    return vendor(name, **where, **paged(name, page_size), **settings)


def truth(
    simulator: Simulator, name: str, wanted: Callable[[EntityKey, str | None], bool] | None = None
) -> dict[EntityKey, State]:
    """Return what the CMS delivers now, by the key that it must have: content type, revision, clock, field JSON."""
    lives = ((EntityKey(CONNECTION, *place(live)), live) for live in simulator.truth(name))
    return {key: delivered(live) for key, live in lives if wanted is None or wanted(key, live.content_type)}


def rows(state: dict[EntityKey, dict[str, Any]]) -> dict[EntityKey, State]:
    """Return the latest events of live keys in the form of `truth`."""
    return {key: row for key, event in state.items() if (row := published(event))}


def assert_right(simulator: Simulator, name: str, records: Iterable[Record | Consumed]) -> None:
    """Check that consumers hold what the CMS delivers, and that no event is missing or duplicated."""
    seen = received(records)
    assert_holds(latest_state(seen, simulator.truth(name)), sequence(seen), tombstones(seen))


def assert_holds(*checks: Check) -> None:
    """Fail unless everything holds."""
    assert [check for check in checks if not check.holds] == []


def requests(simulator: Simulator, name: str) -> list[str]:
    """Return the kinds of the requests so far: `start`, `cursor`, `probe`."""
    return [request.kind for request in simulator.requests(name)]


def page_count(name: str, items: int, size: int) -> int:
    """Return how many pages of a size a walk over items has."""
    # Nothing else shows the end of a walk of this vendor's: docs/vendors/weegloo.md.
    empty = 1 if name == "weegloo" else 0
    return math.ceil(items / size) + empty


def eventually(true: Callable[[], object], within: float = 60.0) -> None:
    """Wait until something is true; fail if time runs out."""
    deadline = time.monotonic() + within
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.002)


def contiguous(sequences: Iterable[int]) -> bool:
    """Return whether numbers run from 1 without gaps or repeats, in any order."""
    numbers = sorted(sequences)
    return numbers == list(range(1, len(numbers) + 1))
