"""Fixtures that several of these tests share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from connector.devservers.broker import Broker
from connector.kafka.topic_names import Layout
from connector.simulator import Simulator
from tests import postgres
from tests.command import Workplace, WorkplaceOf, following
from tests.scripted import ONCE, Place, placing
from tests.values import CONNECTION


@pytest.fixture
def admin(kafka: Broker) -> AdminClient:
    """Return an admin client."""
    return AdminClient(dict(kafka.client))


@pytest.fixture
def layout(prefix: str) -> Layout:
    """Return a stream's topics."""
    return Layout(prefix=prefix, connection=CONNECTION, partitions=3)


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """Yield a served simulator."""
    with Simulator(seed=4, entries=5).serving() as serving:
        yield serving


@pytest.fixture
def workplace_of(tmp_path: Path, simulator: Simulator, kafka: Broker, prefix: str) -> WorkplaceOf:
    """Return a maker of workplaces that follow simulated vendors, by default Contentful, into the session's broker."""

    def make(*names: str, kafka_lines: str = "", connection_lines: str = "") -> Workplace:
        return following(
            tmp_path,
            simulator,
            names or ("contentful",),
            bootstrap=kafka.bootstrap,
            prefix=prefix,
            kafka=kafka_lines,
            connection=connection_lines,
        )

    return make


@pytest.fixture
def followed(workplace_of: WorkplaceOf) -> WorkplaceOf:
    """Return a maker of such workplaces that have followed until they were current."""

    def make(*names: str, kafka_lines: str = "", connection_lines: str = "") -> Workplace:
        made = workplace_of(*names, kafka_lines=kafka_lines, connection_lines=connection_lines)
        assert made.run(*ONCE).code == 0
        return made

    return make


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """Give the session's PostgreSQL: a connection string without a database."""
    with postgres.server() as started:
        yield started


@pytest.fixture
def database(postgresql: str) -> str:
    """Give the connection string of a new, empty database."""
    return postgres.database(postgresql)


@pytest.fixture
def place(tmp_path: Path, kafka: Broker, prefix: str) -> Place:
    """Return a maker of workplaces that follow a scripted space."""
    return placing(tmp_path, kafka.bootstrap, prefix)
