"""Who follows a stream: processes of one configuration share the streams, and no stream is long without an owner."""

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from connector.devservers.broker import Broker
from tests.faults.deployment import SESSION_TIMEOUT, VENDORS, Deployment, Process, everyday

LATEST = SESSION_TIMEOUT + 5
PATIENCE = 30


@pytest.fixture
def deployment(kafka: Broker, prefix: str, tmp_path: Path) -> Iterator[Deployment]:
    """Yield a running deployment of all vendors whose snapshots are published."""
    with Deployment(kafka, prefix, tmp_path) as deployment:
        deployment.follow()
        yield deployment


def owned(process: Process) -> set[str]:
    """Return the streams that a process says it owns."""
    held: set[str] = set()
    for logged in process.logged():
        if logged["event"] == "stream assigned":
            held.add(logged["connection"])
        elif logged["event"] in ("streams handed over", "streams lost: the group continued without this process"):
            held -= set(logged["connections"])
    return held


def wait_until(fact: Callable[[], object], what: str, timeout: float = PATIENCE) -> None:
    """Wait until a fact is true; fail with its description after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not fact():
        assert time.monotonic() < deadline, f"not in {timeout} s: {what}"
        time.sleep(0.05)


def share(deployment: Deployment) -> tuple[Process, Process]:
    """Start two processes, and return them once they share the streams: first the one with more of them."""
    first = deployment.spawn(once=False)
    wait_until(lambda: owned(first) == set(VENDORS), "the first process owns everything")
    second = deployment.spawn(once=False)
    wait_until(lambda: owned(second) and owned(first) | owned(second) == set(VENDORS), "the streams are shared")
    assert not owned(first) & owned(second)
    return first, second


def test_streams_of_a_killed_owner_continue_elsewhere_in_time(deployment: Deployment) -> None:
    """Within the session timeout plus five seconds, the other process publishes what the killed one would have."""
    first, second = share(deployment)
    first.kill()
    deployment.change(everyday)
    deployment.arrive(LATEST)
    assert owned(second) == set(VENDORS)
    second.stop()
    deployment.prove()


def test_a_rebalance_leaves_other_streams_running(deployment: Deployment) -> None:
    """A process that joins gets its share; what the first one keeps is neither stopped nor recovered."""
    first, second = share(deployment)
    deployment.change(everyday)
    deployment.arrive()
    kept = owned(first)
    assert kept
    recovered = [logged["connection"] for logged in first.events("recovered")]
    assert sorted(recovered) == sorted(VENDORS), "a stream was recovered twice"
    revoked = {name for logged in first.events("streams handed over") for name in logged["connections"]}
    assert revoked == owned(second)
    first.stop()
    second.stop()
    deployment.prove()


def test_owner_that_leaves_cleanly_hands_over_at_once(deployment: Deployment) -> None:
    """A stopped process leaves the group: its streams continue elsewhere without waiting for the session timeout."""
    first, second = share(deployment)
    first.stop()
    wait_until(lambda: owned(second) == set(VENDORS), "the second process owns everything", LATEST)
    deployment.change(everyday)
    deployment.arrive()
    second.stop()
    deployment.prove()


def test_frozen_owner_that_wakes_up_steps_back(deployment: Deployment) -> None:
    """Frozen for longer than its session, an owner is replaced; when it wakes up, it disturbs nobody for long.

    When its successor dies in turn, it takes its share again.
    """
    first, second = share(deployment)
    first.signal(signal.SIGSTOP)
    deployment.change(everyday)
    deployment.arrive(LATEST)
    first.signal(signal.SIGCONT)
    lost = "streams lost: the group continued without this process"
    wait_until(lambda: first.events(lost), "the frozen owner noticed")
    deployment.change(everyday)
    deployment.arrive(LATEST)
    assert not [logged for logged in first.logged() if logged["level"] == "error"]
    second.kill()
    deployment.change(everyday)
    deployment.arrive(LATEST)
    assert owned(first) == set(VENDORS)
    first.stop()
    deployment.prove()


def test_process_without_a_connection_never_owns_it(deployment: Deployment) -> None:
    """A stream whose only owner died waits for a process that knows it, rather than going to one that does not."""
    knowing = deployment.spawn(once=False)
    wait_until(lambda: owned(knowing) == set(VENDORS), "the first process owns everything")
    ignorant = deployment.spawn(once=False, vendors=VENDORS[:2])
    wait_until(lambda: owned(ignorant), "the streams are shared")
    assert VENDORS[2] in owned(knowing)
    knowing.kill()
    wait_until(lambda: owned(ignorant) == set(VENDORS[:2]), "the other process owns what it knows")
    deployment.change(everyday)
    successor = deployment.spawn(once=False)
    deployment.arrive()
    assert VENDORS[2] in owned(successor)
    assert VENDORS[2] not in {logged["connection"] for logged in ignorant.events("stream assigned")}
    successor.stop()
    ignorant.stop()
    deployment.prove()
