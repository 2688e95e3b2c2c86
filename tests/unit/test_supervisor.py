"""The process as it sees itself before it has joined anything."""

from connector.metrics import Metrics
from connector.simulator import Simulator
from connector.supervisor import Supervisor
from connector.testing import MemoryStore
from tests.following import Following


def test_before_kafka_has_answered_nobody_is_said_to_own_a_stream() -> None:
    """`standby` would claim that another process owns it: which one does, only Kafka can tell."""
    with Simulator(entries=1).serving() as simulator:
        plan = Following(simulator, "contentful", MemoryStore).plan()
    (status,) = Supervisor([plan], {}, "contentwire", Metrics()).status()
    assert (status.state, status.owned) == ("connecting", False)
