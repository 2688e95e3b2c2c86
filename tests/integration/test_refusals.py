"""What a real broker refuses, and what an operator sees: the setting to correct, and no other."""

import time
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from connector.clock import SYSTEM
from connector.devservers.broker import Broker
from connector.kafka.store import KafkaStore
from connector.kafka.topic_names import Layout
from connector.simulator import Simulator
from tests.command import WorkplaceOf
from tests.following import Following
from tests.topics import create

ONCE = ("run", "--until-caught-up", "--timeout", "5", "--log-level", "error")
HOURS_MS = 2 * 3600 * 1000


REFUSED = {
    "INVALID_REPLICATION_FACTOR": ("replication_factor = 3", "set replication_factor in [kafka]"),
    "INVALID_CONFIG": ('topic_config = { "nonsense" = "1" }', "correct topic_config in [kafka]"),
    "INVALID_SESSION_TIMEOUT": (
        'client = { "session.timeout.ms" = 3600000, "max.poll.interval.ms" = 3600000 }',
        '"session.timeout.ms" in [kafka] client',
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_setting_is_named(workplace_of: WorkplaceOf, name: str) -> None:
    """The broker's own words, the setting in question, and nothing about credentials."""
    lines, message = REFUSED[name]
    ended = workplace_of(kafka_lines=lines).run(*ONCE)
    assert ended.code == 1
    assert name in ended.err
    assert message in ended.err
    assert "credentials" not in ended.err


def test_a_colliding_name_is_reported(workplace_of: WorkplaceOf, admin: AdminClient) -> None:
    """Kafka takes `a.b` and `a_b` for the same metric: an existing topic with the other name is in the way."""
    workplace = workplace_of()
    taken = f"{workplace.prefix}_contentful_state"
    create(admin, taken, 1)
    ended = workplace.run(*ONCE)
    assert ended.code == 1
    assert f"collides with existing topic: {taken}" in ended.err
    assert "choose another prefix" in ended.err


class Ahead(Producer):
    """A producer on a machine whose clock is two hours ahead."""

    def produce(self, *arguments: Any, **options: Any) -> None:
        """Produce with a timestamp in the future."""
        super().produce(*arguments, **{**options, "timestamp": round(time.time() * 1000) + HOURS_MS})


def test_a_clock_that_is_ahead_is_reported_and_retried(kafka: Broker, layout: Layout, simulator: Simulator) -> None:
    """Kafka refuses what is an hour ahead: the hint names the clock; once it is right, the stream continues."""
    producers: list[type[Producer]] = [Ahead]
    following = Following(
        simulator,
        "contentful",
        lambda: KafkaStore(kafka.client, layout, producer=producers[-1], clock=SYSTEM),
        page_size=100,
    )
    with following.once(give_up_after=2) as follower:
        assert follower.join(30)
    assert (follower.outcome, follower.status.state) == ("unreachable", "retrying")
    assert "set this machine's clock" in follower.status.hint
    producers.append(Producer)
    following.become_current()
