"""A simulated CMS, a store in memory, and the stream between them."""

from collections.abc import Iterator

import pytest

from connector import vendors
from connector.simulator import Simulator
from connector.testing import MemoryStore
from tests.following import Following

NAME = "contentful"


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """Give a served simulator with several pages."""
    with Simulator(seed=5, entries=12, page_sizes=dict.fromkeys(vendors.names(), 4)).serving() as serving:
        yield serving


@pytest.fixture
def store() -> MemoryStore:
    """Give a store."""
    return MemoryStore(connection="blog")


@pytest.fixture
def following(simulator: Simulator, store: MemoryStore) -> Following:
    """Give a stream of the simulated CMS into the store."""
    return Following(simulator, NAME, lambda: store)
