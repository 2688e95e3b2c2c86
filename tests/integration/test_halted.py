"""A stream that stops, and commands that arrive at that moment."""

from functools import partial

import msgspec
import pytest

from connector.clock import SYSTEM
from connector.commands import edits
from connector.devservers.broker import Broker
from connector.events.policy import Policy
from connector.events.state_record import flat
from connector.kafka.store import KafkaStore
from connector.kafka.topic_names import Layout
from connector.simulator import Fault, Simulator
from tests.cms import eventually
from tests.following import QUICK, Following

NAME = "contentful"
# The stream does not try again on its own during the test.
PATIENT = msgspec.structs.replace(QUICK, try_again=600.0, report_after=600.0)


@pytest.fixture
def following(simulator: Simulator, kafka: Broker, layout: Layout) -> Following:
    """Return a stream that stops at an item it cannot read."""
    made = Following(simulator, NAME, lambda: KafkaStore(kafka.client, layout, clock=SYSTEM), page_size=100)
    made.policy = Policy(malformed="stop")
    return made


def test_a_command_that_crosses_a_stop_is_obeyed(simulator: Simulator, following: Following) -> None:
    """It fences the owner while it reads the page that stops it: the report that then fails no longer matters."""
    following.become_current()
    simulator.edit(simulator.ids()[0])
    simulator.push_fault(NAME, Fault("unknown_item"))
    pause = partial(edits.pause, _fingerprint="")

    def command() -> None:
        following.checkpoint(**flat(pause(following.checkpoint())))

    simulator.on_page(NAME, 1, command)
    with following.running(pace=PATIENT) as follower:
        eventually(lambda: follower.status.state == "paused", within=60)
