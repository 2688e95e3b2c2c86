"""What all tests share: one real broker and one real registry for the whole run, and names that do not collide.

A server that cannot start skips the tests that need it, with the reason; if `CI` is set, it fails them. The workers of
a parallel run share one broker and one registry, started with `--servers` before them.
"""

import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, suppress
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings

from connector.devservers import apicurio, broker
from connector.devservers.broker import Broker
from connector.errors import ConnectorError

T = TypeVar("T")

_SHARED = pytest.StashKey[dict[str, str]]()

# How long an example takes, or takes to make, depends on the machine and not on the code.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("untimed")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--servers`."""
    parser.addoption("--servers", action="store_true", help="start the broker and the registry that all workers share")


def pytest_configure(config: pytest.Config) -> None:
    """Start the servers that workers share, once; they end with the run. A worker tries what could not start again."""
    if not config.getoption("--servers") or hasattr(config, "workerinput"):
        return
    stack, shared = ExitStack(), config.stash.setdefault(_SHARED, {})
    config.add_cleanup(stack.close)
    with suppress(ConnectorError):
        shared["KAFKA_BOOTSTRAP"] = stack.enter_context(broker.find_or_start(os.environ)).bootstrap
        shared["SCHEMA_REGISTRY"] = stack.enter_context(apicurio.find_or_start(os.environ))


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of the servers that it shares."""
    node.workerinput["servers"] = node.config.stash.get(_SHARED, {})


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test that uses a server that is not ours."""
    for item in items:
        if {"kafka", "own_kafka", "three_kafka", "registry", "postgresql"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.kafka)


@pytest.fixture(scope="session")
def kafka(pytestconfig: pytest.Config) -> Iterator[Broker]:
    """Give the session's broker; shared, so keep to your own `prefix` and never stop it."""
    yield from _running(broker.find_or_start(_environ(pytestconfig)))


@pytest.fixture(scope="session")
def registry(pytestconfig: pytest.Config) -> Iterator[str]:
    """Give the URL of the session's registry (Confluent API); shared, so keep to subjects under your own `prefix`."""
    yield from _running(apicurio.find_or_start(_environ(pytestconfig)))


@pytest.fixture
def prefix() -> str:
    """Give a topic prefix that no other test has."""
    return f"t{uuid.uuid4().hex[:10]}"


def _environ(config: pytest.Config) -> Mapping[str, str]:
    """Return the environment, in which the servers that workers share are named."""
    return {**os.environ, **getattr(config, "workerinput", {}).get("servers", {})}


def _running(server: AbstractContextManager[T]) -> Iterator[T]:
    with ExitStack() as stack:
        try:
            started = stack.enter_context(server)
        except ConnectorError as error:
            reason = f"{error} ({error.hint})"
            if os.environ.get("CI"):
                pytest.fail(reason)
            pytest.skip(reason)
        yield started
