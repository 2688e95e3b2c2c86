"""Brokers for fault tests, and a proxy in front of one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from connector.devservers.broker import Broker, Kafka
from tests.conftest import _running
from tests.faults.deployment import Deployment
from tests.faults.proxy import Proxy

Deploy = Callable[..., Deployment]


@pytest.fixture(scope="session")
def own_kafka() -> Iterator[Kafka]:
    """Yield a broker that may be killed, frozen and restarted; tests leave it running."""
    yield from _running(_started(1))


@pytest.fixture(scope="module")
def three_kafka() -> Iterator[Kafka]:
    """Yield three brokers, one of which at a time may be down; tests leave them running."""
    yield from _running(_started(3))


@contextmanager
def _started(brokers: int) -> Iterator[Kafka]:
    with Kafka(brokers=brokers) as kafka:
        yield kafka


@pytest.fixture
def own_broker(own_kafka: Kafka) -> Broker:
    """Return how to reach that broker."""
    return Broker(own_kafka.bootstrap, own_kafka.client)


@pytest.fixture
def proxy(own_broker: Broker) -> Iterator[Proxy]:
    """Yield a proxy in front of that broker."""
    with Proxy(own_broker.bootstrap) as proxy:
        yield proxy


@pytest.fixture
def proxied(own_broker: Broker, proxy: Proxy, prefix: str, tmp_path: Path) -> Deploy:
    """Return a function that makes a deployment whose processes reach the broker only through the proxy."""

    def deploy(**settings: object) -> Deployment:
        through = Broker(proxy.bootstrap, {"bootstrap.servers": proxy.bootstrap})
        return Deployment(through, prefix, tmp_path, reader=own_broker, **settings)  # type: ignore[arg-type]  # forwarded

    return deploy
