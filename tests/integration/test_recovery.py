"""A stream goes on where it was committed, wherever its process died: nothing lost, nothing twice, nothing half."""

from collections.abc import Callable
from pathlib import Path

import pytest

from connector.demo.broker import Broker
from tests.faults import proof
from tests.faults.deployment import VENDORS, Deployment, everyday

Deploy = Callable[..., Deployment]


def each(step: str) -> dict[str, str]:
    """Return the orders to be at `step` in every stream at once."""
    return dict.fromkeys(VENDORS, step)


@pytest.fixture
def deployment(kafka: Broker, prefix: str, tmp_path: Path) -> Deployment:
    """Give a deployment of all vendors, not started yet."""
    return Deployment(kafka, prefix, tmp_path)


@pytest.mark.parametrize("step", ["commit.before:2", "commit.after:2"])
def test_crash_around_a_commit_of_the_snapshot_publishes_each_change_once(deployment: Deployment, step: str) -> None:
    """Killed before a commit, or after it and before anyone knew: the snapshot goes on from what is committed."""
    with deployment:
        deployment.spawn(at=each(step)).die()
        deployment.follow()
        deployment.prove()


@pytest.mark.parametrize("step", ["commit.before:2", "commit.after:2"])
def test_crash_around_a_commit_of_a_delta_publishes_each_change_once(deployment: Deployment, step: str) -> None:
    """Killed in a walk that takes several transactions: those before are not repeated, those after not left out."""
    with deployment:
        deployment.follow()
        deployment.change(everyday)
        deployment.spawn(at=each(step)).die()
        deployment.follow()
        deployment.prove()


def test_crash_amid_a_transaction_leaves_nothing_visible(deployment: Deployment) -> None:
    """What a dead owner produced without committing is in the log, aborted, and no read_committed consumer sees it."""
    with deployment:
        deployment.spawn(at=each("produce:45")).die()
        deployment.follow()
        for vendor, records in deployment.prove().items():
            everything = proof.read(deployment.client, deployment.topic(vendor), "read_uncommitted")
            assert len(everything) > len(records), "no record was aborted: the crash came too early"
