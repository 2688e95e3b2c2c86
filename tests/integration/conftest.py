"""What several of these tests start from."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from connector.devservers.broker import Broker
from connector.kafka.layout import Layout
from connector.simulator import Simulator
from tests.scripted import Place, placing
from tests.values import CONNECTION


@pytest.fixture
def admin(kafka: Broker) -> AdminClient:
    """Give an admin client."""
    return AdminClient(dict(kafka.client))


@pytest.fixture
def layout(prefix: str) -> Layout:
    """Give a stream's topics."""
    return Layout(prefix=prefix, connection=CONNECTION, partitions=3)


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """Give a served simulator."""
    with Simulator(seed=4, entries=5).serving() as serving:
        yield serving


@pytest.fixture
def place(tmp_path: Path, kafka: Broker, prefix: str) -> Place:
    """Give what makes a workplace that follows a scripted space."""
    return placing(tmp_path, kafka.bootstrap, prefix)
