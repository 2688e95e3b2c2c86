"""A stream that stops, and the commands that cross its stop."""

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
# Nobody looks again by himself within the test.
PATIENT = msgspec.structs.replace(QUICK, try_again=600.0, report_after=600.0)


@pytest.fixture
def following(simulator: Simulator, kafka: Broker, layout: Layout) -> Following:
    """Give a stream that stops at an item that it does not understand."""
    made = Following(simulator, NAME, lambda: KafkaStore(kafka.client, layout, clock=SYSTEM), page_size=100)
    made.policy = Policy(malformed="stop")
    return made


def test_a_command_that_crosses_a_stop_is_obeyed(simulator: Simulator, following: Following) -> None:
    """It fences the owner while that reads the page that stops it: what the owner then fails to say is no news."""
    following.become_current()
    simulator.edit(simulator.ids()[0])
    simulator.push_fault(NAME, Fault("unknown_item"))
    pause = partial(edits.pause, _fingerprint="")

    def command() -> None:
        following.checkpoint(**flat(pause(following.checkpoint())))

    simulator.on_page(NAME, 1, command)
    with following.running(pace=PATIENT) as follower:
        eventually(lambda: follower.status.state == "paused", within=60)
