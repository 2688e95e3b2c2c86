"""The matrix of kill points: the process dies at every numbered step, and its successor leaves no trace of that.

Each kill strikes the streams of all vendors at once, each at its own step of that name.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from connector.devservers.broker import Broker
from tests.faults.child import PROCESS
from tests.faults.deployment import VENDORS, Deployment, everyday, pick

KINDS = (
    "http",
    "init.before",
    "init.after",
    "read.before",
    "read.after",
    "begin.before",
    "begin.after",
    "produce",
    "state",
    "flush.before",
    "flush.after",
    "commit.before",
    "commit.after",
)
RECOVERING = ("http", "begin.before", "commit.after")
EVERY = {"produce": 25, "state": 3}  # of the many, every 25th record, and every third half of a state

pytestmark = pytest.mark.timeout(1800)


def kills(steps: Mapping[str, Sequence[str]], kind: str) -> Iterator[dict[str, str]]:
    """Yield orders to die at each step of a kind; a stream with fewer of them is not waited for."""
    taken = {stream: [step for step in steps[stream] if step.partition(":")[0] == kind] for stream in VENDORS}
    for number in range(0, max(map(len, taken.values())), EVERY.get(kind, 1)):
        yield {stream: found[number] for stream, found in taken.items() if number < len(found)}


@pytest.mark.faults
@pytest.mark.parametrize("kind", KINDS)
def test_killed_at_every_step_of_the_snapshot(kafka: Broker, prefix: str, tmp_path: Path, kind: str) -> None:
    """Wherever the snapshot was interrupted, it continues, and each change is published once."""
    with Deployment(kafka, f"{prefix}dry", _folder(tmp_path, "dry")) as dry:
        process = dry.spawn()
        process.finish()
        steps = process.steps
    for number, at in enumerate(kills(steps, kind)):
        with Deployment(kafka, f"{prefix}{number}", _folder(tmp_path, str(number))) as deployment:
            deployment.spawn(at=at).die()
            deployment.follow()
            deployment.prove()


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=() if kind == "read.before" else pytest.mark.faults) for kind in KINDS]
)
def test_killed_at_every_step_of_a_delta(kafka: Broker, prefix: str, tmp_path: Path, kind: str) -> None:
    """Wherever a delta was interrupted, it continues, and each change is published once."""
    with Deployment(kafka, prefix, tmp_path) as deployment:
        deployment.follow()
        deployment.change(everyday)
        dry = deployment.spawn()
        dry.finish()
        for at in kills(dry.steps, kind):
            deployment.change(everyday)
            deployment.spawn(at=at).die()
            deployment.follow()
            deployment.prove()


@contextmanager
def refused(kafka: Broker, prefix: str, folder: Path) -> Iterator[Deployment]:
    """Yield a deployment whose cursors are refused, after changes: all four phases lie ahead."""
    folder.mkdir()
    with Deployment(kafka, prefix, folder, connection={"max_delete_share": 1.0}) as deployment:
        deployment.follow()
        deployment.change(everyday)
        deployment.simulator.expire_cursors()
        yield deployment


@pytest.fixture
def steps_of_a_new_snapshot(kafka: Broker, prefix: str, tmp_path: Path) -> Mapping[str, Sequence[str]]:
    """Return the steps that a new snapshot takes if nothing interrupts it."""
    with refused(kafka, f"{prefix}dry", tmp_path / "dry") as deployment:
        process = deployment.spawn()
        process.finish()
        return process.steps


def test_killed_during_reconciliation(
    kafka: Broker, prefix: str, tmp_path: Path, steps_of_a_new_snapshot: Mapping[str, Sequence[str]]
) -> None:
    """Right after the deletes that a new snapshot proved are committed, and before it is known that they are."""
    with refused(kafka, prefix, tmp_path / "killed") as deployment:
        deployment.spawn(at=pick(steps_of_a_new_snapshot, "commit.after", -2)).die()
        assert deployment.phases() == dict.fromkeys(VENDORS, "reconciling")
        deployment.follow()
        records = deployment.prove()
    # If an initial sync reports removals itself, nothing is left to prove.
    assert any(each.event["origin"] == "reconciled" for seen in records.values() for each in seen if each.event)


@pytest.mark.faults
@pytest.mark.parametrize("kind", RECOVERING)
def test_killed_at_every_step_of_a_new_snapshot(
    kafka: Broker, prefix: str, tmp_path: Path, steps_of_a_new_snapshot: Mapping[str, Sequence[str]], kind: str
) -> None:
    """A refused cursor leads through all four phases; wherever that is interrupted, every removal is published once."""
    for number, at in enumerate(kills(steps_of_a_new_snapshot, kind)):
        with refused(kafka, f"{prefix}{number}", tmp_path / str(number)) as deployment:
            deployment.spawn(at=at).die()
            deployment.follow()
            deployment.prove()


@pytest.mark.faults
@pytest.mark.parametrize(
    "step", ["begin.before:2", "state:3", "state:4", "flush.after:2", "commit.before:2", "commit.after:2"]
)
def test_killed_in_a_heartbeat(kafka: Broker, prefix: str, tmp_path: Path, step: str) -> None:
    """An idle stream that dies while it refreshes its checkpoint continues from the same place."""
    with Deployment(kafka, prefix, tmp_path, kafka={"heartbeat": 0.3}) as deployment:
        deployment.follow()
        deployment.spawn(once=False, at=dict.fromkeys(VENDORS, step)).die()
        deployment.change(everyday)
        deployment.follow()
        deployment.prove()


@pytest.mark.faults
@pytest.mark.parametrize("step", ["assigned.before:1", "assigned.after:1", "revoked.before:1", "revoked.after:1"])
def test_killed_in_a_rebalance(kafka: Broker, prefix: str, tmp_path: Path, step: str) -> None:
    """A process that dies while streams change hands leaves them to the one that is joining."""
    with Deployment(kafka, prefix, tmp_path) as deployment:
        deployment.follow()
        deployment.change(everyday)
        first = deployment.spawn(once=False, at={PROCESS: step})
        if step.startswith("revoked"):
            deployment.arrive()
            deployment.change(everyday)
        second = deployment.spawn(once=False)
        first.die()
        deployment.arrive()
        second.stop()
        deployment.prove()


def _folder(path: Path, name: str) -> Path:
    folder = path / name
    folder.mkdir()
    return folder
