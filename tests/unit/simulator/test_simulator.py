"""The simulator as a whole: its truth and its determinism."""

import json
from typing import Any

import pytest

from connector.simulator import Request, Response, Simulator
from tests.unit.simulator.reader import State
from tests.unit.simulator.readers import READERS

VENDORS = tuple(READERS)


def start(simulator: Simulator, vendor: str) -> Response:
    """Send the request that starts an initial sync."""
    return READERS[vendor].ask(simulator, **READERS[vendor].start)


def truth(simulator: Simulator, vendor: str) -> dict[tuple[str, ...], Any]:
    """Return the admin API's key -> fields."""
    return {
        (live.id, live.locale): None if live.fields is None else json.loads(live.fields)
        for live in simulator.truth(vendor)
    }


def test_every_vendor_can_be_read() -> None:
    """This fails if a new vendor has no reader."""
    assert Simulator(entries=1).vendors == VENDORS


@pytest.mark.parametrize("vendor", VENDORS)
def test_following_the_stream_leads_to_the_truth(vendor: str) -> None:
    """Snapshot, then deltas over all kinds of edits: what a client holds is what the admin API says."""
    simulator, reader, state = Simulator(seed=11, entries=120), READERS[vendor], State()
    cursor = reader.read(simulator, state, reader.start)
    for count in (0, 1, 40, 200):
        simulator.churn(count)
        cursor = reader.read(simulator, state, cursor)
    simulator.delete_content_type("author")
    reader.read(simulator, state, cursor)
    # If content types are delivered, their removals are not.
    state.pop(("author", "*"), None)
    assert {key: fields for key, (fields, _) in state.items()} == truth(simulator, vendor)


@pytest.mark.parametrize("vendor", VENDORS)
def test_the_truth_is_byte_for_byte(vendor: str) -> None:
    """Fields are as in the items, byte for byte."""
    simulator = Simulator(seed=11, entries=20, page_sizes={vendor: 1000})
    response = start(simulator, vendor)
    lives = simulator.truth(vendor)
    assert len(lives) > 20
    assert all(live.fields is None or live.fields in response.body for live in lives)


@pytest.mark.parametrize("vendor", VENDORS)
def test_equal_seeds_and_calls_give_equal_bytes(vendor: str) -> None:
    """Another seed gives other content."""

    def answer(seed: int) -> Response:
        simulator = Simulator(seed=seed, entries=30)
        simulator.churn(50)
        return start(simulator, vendor)

    assert answer(4) == answer(4)
    assert answer(4).body != answer(5).body


def test_unknown_paths_and_vendors() -> None:
    """404, and an error that names the known ones."""
    simulator = Simulator(entries=5)
    assert simulator.handle(Request("GET", "/", {}, {})).status == 404
    with pytest.raises(LookupError, match=", ".join(VENDORS)):
        simulator.truth("dreamcms")
