"""The simulator as its users see it: its URL, and the compression of its answers."""

import gzip

import pytest

from connector.simulator import Request, Simulator
from tests.unit.simulator.readers import READERS

CONTENTFUL = READERS["contentful"]


def test_an_answer_is_compressed_for_clients_that_accept_it() -> None:
    """If it is large enough; the answer is the same."""
    simulator = Simulator(entries=30)
    plain = CONTENTFUL.ask(simulator, **CONTENTFUL.start)
    accepting = {**CONTENTFUL.headers, "accept-encoding": "gzip, br"}
    small = CONTENTFUL.ask(simulator, None, accepting, **CONTENTFUL.start)
    assert "Content-Encoding" not in plain.headers
    assert (small.headers["Content-Encoding"], gzip.decompress(small.body)) == ("gzip", plain.body)
    nothing = simulator.handle(Request("GET", "/", {}, accepting))
    assert "Content-Encoding" not in nothing.headers


def test_a_simulator_that_does_not_serve_has_no_url() -> None:
    """An unknown vendor has none in any case."""
    simulator = Simulator(entries=1)
    with pytest.raises(RuntimeError, match="not serving"):
        simulator.url()
    with pytest.raises(LookupError, match="dreamcms"):
        simulator.connection("dreamcms")
