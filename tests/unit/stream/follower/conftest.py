"""A simulated CMS, a store in memory, and the stream between them."""

import pytest

from connector import vendors
from connector.simulator import Simulator
from connector.testing import MemoryStore
from tests.story import Told

NAME = "contentful"


@pytest.fixture
def simulator() -> Simulator:
    """Give a simulator with several pages."""
    return Simulator(seed=5, entries=12, page_sizes=dict.fromkeys(vendors.names(), 4))


@pytest.fixture
def store() -> MemoryStore:
    """Give a store."""
    return MemoryStore(connection="blog")


@pytest.fixture
def following(simulator: Simulator, store: MemoryStore) -> Told:
    """Give a stream of the simulated CMS into the store."""
    return Told(simulator, NAME, lambda: store)
